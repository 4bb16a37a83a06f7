#!/usr/bin/env python3
"""Measures replication: how long a change takes through a chain of servers, and how fast databases are copied.

  python3 benches/replicate.py chain http://admin:secret@127.0.0.1:5984 http://…:5986 http://…:5988
  python3 benches/replicate.py chain serve serve serve
  python3 benches/replicate.py copy http://admin:secret@127.0.0.1:5984 [http://…:5988]

  chain   one `couchapp replicate --chain --both --continuous` over the places. At each end of it in turns somebody sends
          a photo (`couchapp sync-dir`), edits an app (`couchapp push`) and deletes a photo of the other's; a change has
          arrived when a place gives its bytes, and has taken the time since its command was started. In the end all
          places have to be equal.
  copy    W2, 20,000 documents with a file of 4 KB, from the first place to new databases on the last: by `couchapp
          replicate --via client`, by CouchDB's `_replicate`, by PouchDB's replicator, in turns. A run counts when the
          target holds every leaf revision with the same attachments.

A place is the URL of a server, `serve` (`couchapp serve`, started for this) or `pouchdb` (the PouchDB Server of
tests/pouchdb). Databases are named bench_*, and deleted. Nothing is asserted about time.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from replicate import chain, copy, places
from transfer import report, shapes
from transfer.couchdb import ServerError
from transfer.process import Cost, Failed, Tools
from transfer.rounds import Bench

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = """\
environment:
  COUCHAPP_BINARY         the program to measure (target/release/couchapp)
  COUCHAPP_BENCH_POUCHDB  a folder whose node_modules have PouchDB (tests/clients, after `npm ci` there)
"""


def arguments(given):
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=ENVIRONMENT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("line", choices=["chain", "copy"], help="what to measure")
    parser.add_argument("places", nargs="+", metavar="PLACE", help="a URL, `serve` or `pouchdb`")
    parser.add_argument("--rounds", type=int, help="how often (chain 20, copy 5)")
    parser.add_argument("--rest", type=float, default=0.5, metavar="SECONDS", help="chain: before each change (0.5)")
    parser.add_argument("--size", default="w2=20000x4K", metavar="w2=COUNTxSIZE", help="copy: other files than usual")
    parser.add_argument("--only", default="", metavar="WORD,…", help="copy: only who has one of these in the name")
    parser.add_argument("--pause", type=float, default=1.0, metavar="SECONDS", help="copy: rest before each run (1)")
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="copy: end a run then (3600)")
    keep = "copy: keep the figures in a file; those of earlier runs that are in it count, too"
    parser.add_argument("--keep", type=Path, metavar="FILE", help=keep)
    options = parser.parse_args(given)
    options.project = PROJECT
    options.rounds = options.rounds or (20 if options.line == "chain" else 5)
    options.only = [word for word in options.only.lower().split(",") if word]
    if options.line == "chain" and len(options.places) < 2:
        parser.error("a chain has two places at least")
    if options.line == "copy" and len(options.places) > 2:
        parser.error("a copy has one place or two")
    return options


def copied(options, tools, folder):
    """Prints the table of one copy; the exit code."""
    with places.opened(options.places, tools, folder) as row:
        bench = Bench(options, row[-1].server, tools, folder)
        table = copy.measure(bench, row, shapes.parse_size(options.size)[1])
        if options.keep:
            _keep(options.keep, table)
        print(f"{' → '.join(place.name for place in row)}\n{report.render(table)}")
        return 1 if any(series.failures for series in table.series) else 0


def _keep(file, table):
    """Adds earlier runs of the same to the table, and writes them all."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    runs = kept.setdefault(f"{table.title}: {table.files}", {})
    for series in table.series:
        all_runs = runs.setdefault(series.name, [])
        earlier = [Cost(**cost) for cost in all_runs]
        all_runs += [vars(cost) for cost in series.costs]
        series.costs[:0] = earlier
    file.write_text(json.dumps(kept, indent=1) + "\n")


def main(given):
    """The exit code: 0, 1 when something was lost or failed, 2 when nothing could be measured."""
    options = arguments(given)
    tools = Tools(PROJECT)
    tools.pouchdb = Path(os.environ.get("COUCHAPP_BENCH_POUCHDB") or PROJECT / "tests" / "clients").absolute()
    tools.pouchdb_server = PROJECT / "tests" / "pouchdb" / "server.js"
    if not tools.ours.exists():
        print(f"error: there is no {tools.ours}: run `cargo build --release`, or set COUCHAPP_BINARY", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="couchapp-bench-"))
    try:
        print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors", flush=True)
        measure = copied if options.line == "copy" else chain.measure
        return measure(options, tools, folder)
    except (ServerError, Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
