"""The folders that are sent: the same bytes for the same shape on every machine."""

import hashlib
import mimetypes
import random
import struct
from dataclasses import dataclass, field
from pathlib import Path

SEED = 20100919
FILES_A_FOLDER = 100


@dataclass
class Tree:
    """A folder of files of one kind, and what is in it."""

    name: str
    folder: Path
    files: dict = field(default_factory=dict)  # path with `/` to its size in bytes

    @property
    def bytes(self):
        """All files together."""
        return sum(self.files.values())

    @property
    def content_type(self):
        """Of every file: a folder holds one kind only, so that one header does for a whole `curl`."""
        return mimetypes.guess_type(next(iter(self.files)))[0] or "application/octet-stream"


def photos(name, folder, shape):
    """JPEG files with a camera's date in them, as whoever reads metadata has to do it here, too.

    The picture itself is noise: it does not compress, and no two are equal.
    """
    return _write(name, folder, shape, ".jpg", photo)


def videos(name, folder, shape):
    """Large files with the head of an MP4 and noise."""
    return _write(name, folder, shape, ".mp4", _video)


def sparse(name, folder, shape):
    """Files that take no room on the disk: zeros but for a mark at either end."""
    tree = Tree(name, folder)
    folder.mkdir(parents=True)
    for index, size in enumerate(shape.sizes(random.Random(SEED))):
        path = f"sparse-{index}.bin"
        with open(folder / path, "wb") as file:
            file.write(b"begin"[:size])
            file.truncate(size)
            file.seek(max(0, size - 3))
            file.write(b"end"[: min(3, size)])
        tree.files[path] = size
    return tree


def change(tree, count, generation):
    """Gives `count` files, spread over the folder, other bytes of the same length."""
    paths = sorted(tree.files)
    step = max(1, len(paths) // count)
    for path in paths[::step][:count]:
        noise = random.Random(f"{SEED}/{generation}/{path}")
        (tree.folder / path).write_bytes(photo(noise, tree.files[path]))


def digest(path):
    """The MD5 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _write(name, folder, shape, extension, content):
    tree = Tree(name, folder)
    noise = random.Random(f"{SEED}/{name}")
    for index, size in enumerate(shape.sizes(noise)):
        year, month = divmod(index // FILES_A_FOLDER, 12)
        path = f"{2000 + year}/{month + 1:02}/IMG_{index:06}{extension}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content(noise, size))
        tree.files[path] = size
    return tree


def photo(noise, size):
    """One JPEG file of `size` bytes."""
    head = b"\xff\xd8" + _segment(0xE1, b"Exif\0\0" + _exif(noise))
    head += _segment(0xC0, struct.pack(">BHHB", 8, 1200, 1600, 1) + b"\x01\x11\x00")
    head += _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    room = size - len(head) - 2
    if room < 0:
        return noise.randbytes(size)
    # A 0xff in the picture would begin another marker.
    return head + noise.randbytes(room).replace(b"\xff", b"\xfe") + b"\xff\xd9"


def _segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _exif(noise):
    """A TIFF block with an orientation and the time at which the picture was taken."""
    taken = f"20{noise.randint(10, 25)}:{noise.randint(1, 12):02}:{noise.randint(1, 28):02} 12:30:00\0".encode()
    first = struct.pack("<H", 2)
    first += struct.pack("<HHIHH", 0x0112, 3, 1, 1, 0)  # Orientation
    first += struct.pack("<HHII", 0x8769, 4, 1, 38)  # where the second directory begins
    first += struct.pack("<I", 0)
    second = struct.pack("<H", 1)
    second += struct.pack("<HHII", 0x9003, 2, len(taken), 56)  # DateTimeOriginal
    second += struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8) + first + second + taken


def _video(noise, size):
    head = struct.pack(">I", 24) + b"ftypisom\0\0\2\0isommp41"
    room = size - len(head) - 8
    if room < 0:
        return noise.randbytes(size)
    return head + struct.pack(">I", room + 8) + b"mdat" + noise.randbytes(room)
