#!/usr/bin/env python3
"""Measures what it costs to bring files into CouchDB and back, with couchapp and with what people use otherwise.

  COUCHAPP_BENCH_URL=http://admin:secret@127.0.0.1:5984 python3 benches/transfer.py w1 w2

Every contender runs once in each round, in a database of its own that is deleted afterwards; the order changes from
round to round. What a run did is checked (number of documents and files, bytes), and a run that did not do its work
does not count. Nothing is asserted about time.
"""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from transfer import lines, report, shapes
from transfer.couchdb import Server, ServerError
from transfer.process import Failed, Tools
from transfer.rounds import Bench, Series, Table, progress

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_LINES = ["w1", "w2", "w3", "w4", "w5", "download"]
LINES_HELP = """\
lines:
  w1           1,000 photos of 200-400 KB up: couchapp sync-dir, curl, a Python _bulk_docs loop, couchrestore
  w2           20,000 files of 4 KB up: the same
  w3           20 videos of 50 MB up: couchapp sync-dir, curl -T
  w4           an app, 400 attachments with 20 MB and 60 fields: couchapp push, the Python couchapp; and pushed again
  w5           w1 and w2 sent again, nothing or 100 files changed; with the requests it took (w5-w1, w5-w2: one of them)
  download     w1 and w2 down: couchapp dump, curl, couchbackup (download-w1, download-w2: one of them)
  many         200,000 files of 1 KB up: couchapp sync-dir, the Python loop; with the rates at the beginning and the end
  huge         a sparse file of 5 GB to a server that only counts: couchapp sync-dir, curl -T
  serve        w1, w2 and w3 to `couchapp serve` and to the server, and a view built over w2 on both (serve-w1, serve-w2,
               serve-w3, serve-view: one of them)
  all          all of them. Without a name: all but many, huge and serve

environment:
  COUCHAPP_BENCH_URL    the server, with user and password. Databases are named bench_*, and deleted
  COUCHAPP_BINARY       the program to measure (target/release/couchapp)
  COUCHAPP_BENCH_PATH   where other programs are, before PATH: couchbackup and couchrestore (npm @cloudant/couchbackup),
                        couchapp (pip CMSCouchapp). What is not installed is left out
"""


def arguments(given):
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=LINES_HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*lines.LINES, *lines.GROUPS]
    parser.add_argument("lines", nargs="*", metavar="LINE", help="what to measure, see below")
    parser.add_argument("--rounds", type=_positive, help="how often (5; many and huge: 1)")
    parser.add_argument(
        "--size",
        type=shapes.parse_size,
        action="append",
        default=[],
        metavar="NAME=COUNTxSIZE[-SIZE]",
        help="other files than usual, as w1=100x200K-400K; NAME is one of " + ", ".join(shapes.DEFAULTS),
    )
    parser.add_argument("--changed", type=_positive, default=100, help="how many files change in w5 (100)")
    parser.add_argument("--fields", type=_positive, default=60, help="how many fields the app of w4 has (60)")
    only = "only contenders with one of these words in their names"
    parser.add_argument("--only", type=_words, default=[], metavar="WORD,…", help=only)
    parser.add_argument("--pause", type=float, default=1.0, metavar="SECONDS", help="rest before each run (1)")
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="end a run after so long (3600)")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made (TMPDIR)")
    parser.add_argument("--json", metavar="FILE", help="write all figures to a file")
    options = parser.parse_args(given)
    unknown = [name for name in options.lines if name not in names]
    if unknown:
        parser.error(f"there is no line `{unknown[0]}`; there are {', '.join(names)}")
    options.lines = lines.expand(options.lines or DEFAULT_LINES)
    options.sizes = shapes.DEFAULTS | dict(options.size)
    return options


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _words(text):
    return text.lower().split(",")


def facts(server, tools):
    """Where and with what this was measured."""
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "server": server.version(),
        "programs": tools.versions(),
    }


def measure(bench, rounds):
    """Prints each table as soon as it is there; gives them all."""
    tables = []
    for name in bench.options.lines:
        bench.options.rounds = rounds or (1 if name in lines.LONG else 5)
        progress(f"{name} …")
        try:
            made = lines.LINES[name](bench)
        except (Failed, ServerError) as error:
            made = [Table(name, [Series("all", failures=[str(error)])], 0, 0)]
        for table in made:
            print(f"\n{report.render(table)}", flush=True)
        tables += made
    return tables


def main(given):
    """The exit code: 0, 1 when a run failed, 2 when nothing could be measured."""
    options = arguments(given)
    url = os.environ.get("COUCHAPP_BENCH_URL")
    if not url:
        return _refuse("COUCHAPP_BENCH_URL is not set; it names the server, as http://admin:secret@127.0.0.1:5984")
    tools = Tools(PROJECT)
    if not tools.ours.exists() and (not options.only or any(word in "couchapp" for word in options.only)):
        hint = "run `cargo build --release`, set COUCHAPP_BINARY, or name others with --only"
        return _refuse(f"there is no {tools.ours}: {hint}")
    try:
        server = Server(url)
        known = facts(server, tools)
    except ServerError as error:
        return _refuse(str(error))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="couchapp-bench-", dir=options.folder))
    try:
        print(f"{known['server']} at {server.address}; {known['machine']}")
        print("; ".join(f"{name} {version or 'not installed'}" for name, version in known["programs"].items()))
        tables = measure(Bench(options, server, tools, folder), options.rounds)
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{report.NOTE}")
    if options.json:
        report.write_json(options.json, known, tables)
    return 1 if any(series.failures for table in tables for series in table.series) else 0


def _refuse(message):
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
