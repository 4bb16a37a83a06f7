"""The embedded endpoint against the server that COUCHAPP_BENCH_URL names: the same uploads to both, and a view."""

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

from . import contenders
from .contenders import Job
from .couchdb import Server, ServerError
from .process import Cost
from .rounds import Series, Table, checked, record

OURS = "couchapp serve"
WAIT = 10
MAP = """function (doc) {
  // round %d
  if (doc.type === 'file') { emit([doc.file.folder, doc.file.name], doc.file.size); }
}"""


@dataclass
class Place:
    """A server that takes part."""

    name: str
    server: Server


@contextmanager
def both(bench):
    """The embedded endpoint, started for this, and the other server."""
    data = bench.folder / "endpoint"
    command = [bench.tools.ours, "serve", "--port", "0", "--data", data, "--no-config"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = child.stdout.readline().strip().rstrip("/")
        if not url.startswith("http"):
            raise ServerError("`couchapp serve` did not start")
        yield [Place(OURS, Server(url)), Place(bench.server.address, bench.server)]
    finally:
        child.terminate()
        child.wait(WAIT)
        child.stdout.close()


def upload(bench, tree, title):
    """`couchapp sync-dir` to each of them, in turns."""
    with both(bench) as places:
        return _table(title, tree, _rounds(bench, places, lambda place: _send(bench, tree, place)))


def view(bench, tree):
    """How long the first question to a new view takes, over the documents of a folder that was sent before."""
    with both(bench) as places:
        databases = {place.name: place.server.create("view") for place in places}
        for place in places:
            with bench.scratch() as scratch:
                job = Job(tree, databases[place.name], scratch, scratch / "state")
                checked(_sync(bench, place), job, bench.once(_sync(bench, place), job))
        serial = iter(range(bench.options.rounds * len(places)))

        def measure(place):
            return _build(bench, databases[place.name], len(tree.files), next(serial))

        series = _rounds(bench, places, measure)
        for place in places:
            place.server.delete(databases[place.name])
        return _table("View built", tree, series)


def _sync(bench, place):
    return contenders.ours(bench.tools, place.server, contenders.sync_dir, contenders.check_database)


def _send(bench, tree, place):
    database = place.server.create(tree.name)
    try:
        with bench.scratch() as scratch:
            job = Job(tree, database, scratch, scratch / "state")
            return checked(_sync(bench, place), job, bench.once(_sync(bench, place), job))
    finally:
        place.server.delete(database)


def _build(bench, database, expected, serial):
    name = f"/{database.name}/_design/round{serial}"
    views = {"files": {"map": MAP % serial, "reduce": "_count"}}
    status, answer = database.server.request("PUT", name, {"views": views})
    if status not in (201, 202):
        raise ServerError(f"cannot write a design document: {status} {answer}")
    bench.settle()
    begin = time.perf_counter()
    rows = database.server.get(f"{name}/_view/files")["rows"]
    wall = time.perf_counter() - begin
    if not rows or rows[0]["value"] != expected:
        raise ServerError(f"the view counts {rows}, not {expected}")
    return Cost(wall, 0, 0)


def _rounds(bench, places, measure):
    series = [Series(place.name) for place in places]
    pairs = list(zip(places, series))
    for number in range(bench.options.rounds):
        turn = number % len(pairs)
        for place, runs in pairs[turn:] + pairs[:turn]:
            record(runs, lambda it=place: measure(it), number)
    return series


def _table(title, tree, series):
    return Table(title, series, len(tree.files), tree.bytes)
