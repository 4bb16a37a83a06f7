"""The app that is pushed: fields, and attachments with the text and pictures that web apps have."""

import random
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

SEED = 20100919
DOCUMENT = "_design/bench"
WORDS = (
    "account active amount answer archive article author balance browser button category change channel client "
    "color comment content count customer date default detail document editor element error event export field "
    "filter folder form gallery group header history image index invoice item label language layout list local "
    "media member menu message model month name number option order page panel parent password payment photo "
    "picture price product profile query range record report request result row search section server session "
    "setting shape source state status stock style summary table target template text thumbnail title total "
    "update upload user value version view visible width window year"
).split()
# Of a hundred attachments so many are of each kind.
KINDS = (("js", 40), ("css", 15), ("html", 20), ("json", 10), ("png", 15))


@dataclass
class App:
    """A folder in the layout of couchapp, and what the document made from it has to hold."""

    folder: Path
    attachments: dict = field(default_factory=dict)  # name to its size in bytes
    fields: list = field(default_factory=list)  # paths of files that become members

    @property
    def bytes(self):
        """All attachments together."""
        return sum(self.attachments.values())


def generate(folder, shape, fields):
    """An app of `shape.count` attachments with a mean size of `shape.smallest`, and about `fields` fields."""
    noise = random.Random(f"{SEED}/w4")
    app = App(folder)
    for name, content in _attachments(noise, shape):
        _write(folder / "_attachments" / name, content)
        app.attachments[name] = len(content)
    for path, content in _fields(noise, fields):
        _write(folder / path, content.encode())
        app.fields.append(path)
    _write(folder / "_id", DOCUMENT.encode())
    return app


def missing_fields(app, document):
    """The files that are no member of the document; an extension is no part of a member's name."""
    return [path for path in app.fields if not _member(document, path)]


def _member(document, path):
    *parents, name = path.split("/")
    for part in [*parents, name.rsplit(".", 1)[0]]:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _attachments(noise, shape):
    """Sizes as apps have them: many small files, and few that weigh most."""
    weights = [noise.lognormvariate(0, 1) for _ in range(shape.count)]
    unit = shape.count * shape.smallest / sum(weights)
    kinds = [kind for kind, share in KINDS for _ in range(share)]
    makers = {"js": _script, "css": _style, "html": _page, "json": _data, "png": _picture}
    for index, weight in enumerate(weights):
        kind = noise.choice(kinds)
        content = makers[kind](noise, max(64, int(weight * unit)))
        yield f"{kind}/{noise.choice(WORDS)}-{index:03}.{kind}", content


def _fields(noise, count):
    """Functions, included code and templates, in the proportions of an app of sixty fields."""
    yield "language", "javascript"
    refuse = "if (!userCtx.name) throw({forbidden: 'no'});"
    yield "validate_doc_update.js", _function(noise, "newDoc, oldDoc, userCtx", refuse)
    for index in range(count - 2):
        name = f"{noise.choice(WORDS)}_{index}"
        turn = index % 58
        if turn < 22:
            yield f"views/{name}/map.js", _function(noise, "doc", "emit([doc.type, doc.title], doc.total);")
        elif turn < 30:
            # A view without a map is none.
            yield f"views/{name}/map.js", _function(noise, "doc", "emit(doc.year, 1);")
        elif turn < 35:
            yield f"lists/{name}.js", _function(noise, "head, req", "var row; while (row = getRow()) send(row.id);")
        elif turn < 40:
            yield f"shows/{name}.js", _function(noise, "doc, req", "return doc._id;")
        elif turn < 42:
            yield f"updates/{name}.js", _function(noise, "doc, req", "return [doc, 'done'];")
        elif turn < 44:
            yield f"filters/{name}.js", _function(noise, "doc, req", "return doc.type === req.query.type;")
        elif turn < 51:
            yield f"lib/{name}.js", _script(noise, 4000).decode()
        else:
            yield f"templates/{name}.html", _page(noise, 3000).decode()


def _function(noise, arguments, last):
    lines = [f"  var {noise.choice(WORDS)}{index} = '{_sentence(noise)}';" for index in range(noise.randint(2, 12))]
    return "\n".join([f"function ({arguments}) {{", *lines, f"  {last}", "}", ""])


def _sentence(noise):
    return " ".join(noise.choices(WORDS, k=noise.randint(3, 9)))


def _repeat(noise, size, piece):
    pieces, length = [], 0
    while length < size:
        pieces.append(piece(noise))
        length += len(pieces[-1])
    return "".join(pieces).encode()


def _script(noise, size):
    return _repeat(noise, size, _script_piece)


def _script_piece(noise):
    first, second, third, fourth = noise.choices(WORDS, k=4)
    number = noise.randint(0, 99_999)
    return (
        f"// {_sentence(noise)}\n"
        f"function {first}{second.title()}({third}, {fourth}) {{\n"
        f"  if ({third}.{second} > {number}) {{ return {fourth}.{first}('{_sentence(noise)}'); }}\n"
        f"  var {second}_{number} = {{{first}: {third}, {fourth}: [{number}, {number % 97}]}};\n"
        f"  return {second}_{number}.{first};\n}}\n\n"
    )


def _style(noise, size):
    return _repeat(noise, size, _style_piece)


def _style_piece(noise):
    first, second = noise.choices(WORDS, k=2)
    return (
        f".{first}-{second}, #{second}{noise.randint(0, 999)} > .{first} {{\n"
        f"  color: #{noise.randrange(0x1000000):06x};\n  margin: {noise.randint(0, 40)}px {noise.randint(0, 40)}px;\n"
        f"  width: {noise.randint(1, 100)}%;\n"
        f"  transition: {noise.choice(['opacity', 'width'])} {noise.random():.2f}s;\n}}\n"
    )


def _page(noise, size):
    return b"<!doctype html>\n<title>bench</title>\n" + _repeat(noise, size, _page_piece)


def _page_piece(noise):
    first, second = noise.choices(WORDS, k=2)
    return (
        f'<section id="{first}{noise.randint(0, 9999)}" class="{first} {second}">\n  <h2>{_sentence(noise)}</h2>\n'
        f"  <p>{_sentence(noise)}, {_sentence(noise)}.</p>\n"
        f'  <a href="/{second}/{noise.randint(0, 9999)}">{first}</a>\n</section>\n'
    )


def _data(noise, size):
    return b"[" + _repeat(noise, size, _data_piece) + b"null]\n"


def _data_piece(noise):
    first, second = noise.choices(WORDS, k=2)
    return (
        f'{{"id": {noise.randint(0, 999_999)}, "title": "{_sentence(noise)}", "{first}": "{second}", '
        f'"{second}": {noise.random():.6f}}},\n'
    )


def _picture(noise, size):
    """A PNG in grey, one kilobyte a row, of noise."""
    rows = max(1, size // 1025)
    width = 1024 if size > 1025 else max(1, size - 64)
    lines = b"".join(b"\0" + noise.randbytes(width) for _ in range(rows))
    head = struct.pack(">IIBBBBB", width, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
