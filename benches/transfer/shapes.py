"""How many files of which size each workload has, and how that is written on the command line."""

import argparse
import re
from dataclasses import dataclass

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True)
class Shape:
    """So many files, each with a size in bytes between the two limits, both included."""

    count: int
    smallest: int
    largest: int

    def sizes(self, random):
        """One size for each file, always the same for the same seed."""
        return [random.randint(self.smallest, self.largest) for _ in range(self.count)]


DEFAULTS = {
    "w1": Shape(1000, 200 * 1024, 400 * 1024),
    "w2": Shape(20_000, 4096, 4096),
    "w3": Shape(20, 50 * 1024**2, 50 * 1024**2),
    # For an app the size is the mean of its attachments.
    "w4": Shape(400, 50 * 1024, 50 * 1024),
    "many": Shape(200_000, 1024, 1024),
    "huge": Shape(1, 5 * 1024**3, 5 * 1024**3),
}


def parse_bytes(text):
    """`4096`, `4K`, `50M`, `5G` in bytes; K is 1,024."""
    match = re.fullmatch(r"(\d+)([KMG]?)B?", text.upper())
    if not match:
        raise argparse.ArgumentTypeError(f"`{text}` is not a size such as 4096, 4K or 50M")
    return int(match[1]) * UNITS[match[2]]


def parse_size(text):
    """`w1=100x200K-400K` as (`w1`, Shape)."""
    match = re.fullmatch(r"(\w+)=([\d_,]+)x(\w+)(?:-(\w+))?", text)
    if not match or match[1] not in DEFAULTS:
        names = ", ".join(DEFAULTS)
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=COUNTxSIZE[-SIZE] with a NAME of {names}")
    smallest = parse_bytes(match[3])
    largest = parse_bytes(match[4]) if match[4] else smallest
    count = int(re.sub("[_,]", "", match[2]))
    if count < 1 or largest < smallest:
        raise argparse.ArgumentTypeError(f"`{text}` asks for no files, or for sizes that run backwards")
    return match[1], Shape(count, smallest, largest)
