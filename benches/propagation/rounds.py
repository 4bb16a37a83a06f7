"""One network from its making to its end: edits one by one, many at once, and a last look at every node."""

import secrets
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from . import jobs, shapes
from .arrival import Nodes, compare
from .edits import Edits
from .web import Failed, Server

SEEDS = 50
IDLE = 5  # seconds
PATIENCE = 900
MOST_JOBS = 500  # CouchDB's [replicator] max_jobs
STORM = 12  # requests for each edit and edge: so many would be no replication any more


@dataclass
class Result:
    """Figures of one network. Times in seconds, `each` is for one edit and one edge."""

    against: str
    via: str
    shape: str
    nodes: int
    edges: int
    begin: float = 0
    first: float = 0
    median: float = 0
    last: float = 0
    hop: float = 0
    single_each: float = 0
    single_bytes_each: float | None = None
    kinds_each: dict = field(default_factory=dict)
    burst: float = 0
    burst_each: float = 0
    burst_bytes_each: float | None = None
    edits: dict = field(default_factory=dict)
    idle: float = 0
    checkpoints: float | None = None
    conflicts: int = 0
    memory: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)

    def as_dict(self):
        """For JSON."""
        return asdict(self)


class Count:
    """Requests and bytes between two moments."""

    def __init__(self, carriers):
        self._carriers = carriers
        self._before = carriers.traffic()

    def take(self):
        """Since the last time: requests by kind, and bytes."""
        before, now = self._before, self._carriers.traffic()
        self._before = now
        kinds = {kind: count - before["requests"].get(kind, 0) for kind, count in now["requests"].items()}
        if now["sent"] is None:
            return kinds, None
        return kinds, now["sent"] + now["received"] - before["sent"] - before["received"]


def embedded(binary, folder, shape, nodes, options):
    """With all databases in one embedded endpoint."""
    with jobs.Endpoint(binary, folder) as endpoint:
        result = _measure(Server(endpoint.url), "serve", "client", binary, folder, shape, nodes, options, endpoint)
    return result


def real(url, via, binary, folder, shape, nodes, options):
    """With all databases in a CouchDB."""
    count = 2 * len(shapes.edges(shape, nodes))
    if via == "server" and count > MOST_JOBS:
        raise Failed(f"{count} jobs are more than its {MOST_JOBS}")
    return _measure(Server(url), "CouchDB", via, binary, folder, shape, nodes, options, None)


def _measure(server, against, via, binary, folder, shape, nodes, options, endpoint):
    edges = shapes.edges(shape, nodes)
    result = Result(against, via, shape, nodes, len(edges))
    token = secrets.token_hex(4)
    names = [f"bench_{token}_{number:04}" for number in range(nodes)]
    carriers = None
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda name: server.ask("PUT", f"/{name}"), names))
        began = time.perf_counter()
        if via == "client":
            carriers = jobs.Client(binary, folder, server, shape, names)
        else:
            carriers = jobs.Server(server, f"bench_{token}/_replicator", edges, names)
        carriers.ready(2 * len(edges))
        result.begin = time.perf_counter() - began
        _run(result, server, names, carriers, options)
        result.wrong = compare(server, names, *options.edits_made)
        _weigh(result, carriers, endpoint)
        before = carriers.traffic()
        after = carriers.stop()
        if carriers.counts_kinds:
            result.checkpoints = _kind(after, "checkpoints") / (2 * len(edges))
            result.kinds_each["all checkpoints"] = _kind(after, "checkpoints") - _kind(before, "checkpoints")
        carriers = None
    finally:
        if carriers:
            carriers.stop()
        if not endpoint:
            for name in names:
                server.request("DELETE", f"/{name}")
    return result


def _run(result, server, names, carriers, options):
    edits, nodes = Edits(server, names, options.seed), Nodes(server, names)
    edits.seed(SEEDS)
    nodes.wait(edits.expected, PATIENCE)
    count = Count(carriers)
    time.sleep(IDLE)
    idle, _ = count.take()
    result.idle = sum(idle.values()) / (IDLE + 1.5)

    singles, sides, count = options.singles(len(names)), [], Count(carriers)
    for _ in range(singles):
        before = set(edits.expected)
        began = time.perf_counter()
        start = edits.one()
        name = (set(edits.expected) - before).pop()
        times = nodes.wait({name: edits.expected[name]}, PATIENCE)
        others = sorted(moment - began for node, moment in enumerate(times) if node != start)
        sides.append((others[0], statistics.median(others), others[-1], shapes.farthest(result.shape, len(names), start)))
    result.first, result.median, result.last = (statistics.median(side[at] for side in sides) for at in range(3))
    result.hop = statistics.median(last / hops for _, _, last, hops in sides)
    kinds, length = count.take()
    share = singles * result.edges
    result.single_each = sum(kinds.values()) / share
    result.kinds_each = {kind: number / share for kind, number in kinds.items() if number}
    result.single_bytes_each = None if length is None else length / share

    began = time.perf_counter()
    result.edits = edits.burst(options.edits)
    result.burst = max(nodes.wait(edits.expected, PATIENCE)) - began
    kinds, length = count.take()
    share = options.edits * result.edges
    result.burst_each = sum(kinds.values()) / share
    result.burst_bytes_each = None if length is None else length / share
    result.conflicts = edits.conflicts()
    options.edits_made = (edits.expected, edits.attached)
    if max(result.single_each, result.burst_each) > STORM:
        result.wrong.append(f"more than {STORM} requests for each edit and edge")


def _weigh(result, carriers, endpoint):
    memory, files = carriers.memory()
    if memory:
        result.memory["replicate"], result.files["replicate"] = memory, files
    if endpoint:
        result.memory["serve"], result.files["serve"] = jobs.resident(endpoint.child.pid)


def _kind(traffic, kind):
    return traffic["requests"].get(kind, 0)


def progress(text):
    """A line for who waits."""
    print(text, file=sys.stderr, flush=True)
