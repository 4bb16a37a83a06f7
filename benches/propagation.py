#!/usr/bin/env python3
"""Measures how edits spread through many databases that are replicated both ways, as their number grows.

  python3 benches/propagation.py                         all shapes, 3 to 1,000 databases in one `couchapp serve --memory`
  COUCHAPP_BENCH_URL=http://admin:secret@127.0.0.1:5984 python3 benches/propagation.py --against couchdb --sizes 3,10,30,100

Each network is made anew: databases, one `couchapp replicate --both --continuous` for all of them, and edits at random
nodes. First single ones, each waited for at every node; then many at once: new documents, changes, deletions, changes of
one document at two nodes, an attachment. In the end everything is read from every node: all leaves of all documents have
to be what was written, else the exit code is 1. Nothing is asserted about time.
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from propagation import plot, rounds, table
from propagation.shapes import FLAGS
from propagation.web import Failed

PROJECT = Path(__file__).resolve().parent.parent
SIZES = [3, 10, 30, 100, 300, 1000]
MIN_EDITS = 30


def arguments(given):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=_words(str), default=list(FLAGS), metavar="NAME,…", help="chain, star, ring, tree")
    parser.add_argument("--sizes", type=_words(int), default=SIZES, metavar="N,…", help="databases (3,10,30,100,300,1000)")
    against = "the embedded endpoint, or the CouchDB that COUCHAPP_BENCH_URL names (databases bench_*, deleted again)"
    parser.add_argument("--against", choices=["serve", "couchdb"], default="serve", help=against)
    via = "who replicates: couchapp, or the server itself (only with --against couchdb)"
    parser.add_argument("--via", choices=["client", "server"], default="client", help=via)
    parser.add_argument("--edits", type=int, default=100, metavar="N", help="edits at once (100)")
    parser.add_argument("--single", type=int, metavar="N", help="edits one by one (20; 10 of 100 nodes, 5 of more)")
    parser.add_argument("--seed", type=int, default=1, help="for what is random (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures; those that are there already are kept")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="the plot of all figures")
    parser.add_argument("--only-plot", action="store_true", help="measure nothing: table and plot of the figures in --json")
    options = parser.parse_args(given)
    if any(shape not in FLAGS for shape in options.shapes) or any(size < 3 for size in options.sizes):
        parser.error("a shape is one of chain, star, ring and tree, and has 3 databases at least")
    if options.via == "server" and options.against == "serve":
        parser.error("--via server is for --against couchdb")
    if options.edits < MIN_EDITS:
        parser.error(f"--edits: {MIN_EDITS} at least, so that there is one of each kind")
    options.singles = lambda nodes: options.single or (20 if nodes < 100 else 10 if nodes < 300 else 5)
    return options


def _words(kind):
    return lambda text: [kind(word) for word in text.split(",")]


def measure(options, binary):
    """Measures one network after the other; those that failed are told and left out."""
    results, failed = [], False
    for nodes in options.sizes:
        for shape in options.shapes:
            with tempfile.TemporaryDirectory(prefix="couchapp-bench-") as folder:
                try:
                    result = _one(options, binary, Path(folder), shape, nodes)
                except Failed as error:
                    rounds.progress(f"{shape} of {nodes:,}: {error}")
                    failed = True
                    continue
            results.append(result)
            rounds.progress(
                f"{shape} of {nodes:,}: begun in {result.begin:.1f} s; an edit {result.last:.2f} s, "
                f"{result.single_each:.1f} requests an edge; {options.edits} edits {result.burst:.1f} s, "
                f"{result.burst_each:.2f}; {'; '.join(result.wrong) or 'nothing lost'}"
            )
            failed |= bool(result.wrong)
            _keep(options, [result])
    return results, failed


def _one(options, binary, folder, shape, nodes):
    if options.against == "serve":
        return rounds.embedded(binary, folder, shape, nodes, options)
    url = os.environ.get("COUCHAPP_BENCH_URL")
    if not url:
        raise Failed("COUCHAPP_BENCH_URL is not set")
    return rounds.real(url, options.via, binary, folder, shape, nodes, options)


def _keep(options, results):
    """Puts results into the file, in place of older ones of the same network."""
    if not options.json:
        return results
    known = _known(options.json)
    for result in results:
        known = [one for one in known if _network(one) != _network(result)] + [result]
    order = list(FLAGS)
    known.sort(key=lambda one: (one.against != "serve", one.via, order.index(one.shape), one.nodes))
    facts = {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "results": [one.as_dict() for one in known],
    }
    options.json.write_text(json.dumps(facts, indent=1) + "\n")
    return known


def _known(path):
    if not path.exists():
        return []
    return [rounds.Result(**one) for one in json.loads(path.read_text())["results"]]


def _network(result):
    return result.against, result.via, result.shape, result.nodes


def main(given):
    """The exit code: 0, 1 when something was lost or could not be measured, 2 when nothing could."""
    options = arguments(given)
    binary = Path(os.environ.get("COUCHAPP_BINARY") or PROJECT / "target/release/couchapp").absolute()
    if not binary.exists() and not options.only_plot:
        print(f"error: there is no {binary}: run `cargo build --release`, or set COUCHAPP_BINARY", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    results, failed = ([], False) if options.only_plot else measure(options, binary)
    results = _keep(options, results) if options.json else results
    if results:
        print(table.render(results, options.edits))
        if options.svg:
            options.svg.write_text(plot.draw(results))
    rounds.progress(f"{time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
