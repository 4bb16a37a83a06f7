"""Alternating rounds: every contender once a round, each in a fresh database, the order turned by one every time."""

import os
import shutil
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import process
from .contenders import Job
from .couchdb import ServerError
from .process import Failed


@dataclass
class Series:
    """All runs of one contender in one workload."""

    name: str
    costs: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    missing: str = ""
    notes: list = field(default_factory=list)

    def wall(self):
        """The median in seconds; None without a run that counts."""
        return statistics.median(cost.wall for cost in self.costs) if self.costs else None


@dataclass
class Table:
    """One workload with everything that was measured in it; the first series is what others are compared with."""

    title: str
    series: list
    files: int
    bytes: int
    extra: list = field(default_factory=list)  # titles of further columns, keys of `Cost.extra`


class Bench:
    """What every workload needs: server, programs, a temporary folder, and how to run."""

    def __init__(self, options, server, tools, folder):
        self.options = options
        self.server = server
        self.tools = tools
        self.folder = folder
        self._serial = 0

    @contextmanager
    def scratch(self):
        """An empty folder that is gone afterwards."""
        self._serial += 1
        folder = self.folder / f"run-{self._serial}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    @contextmanager
    def database(self, label):
        """An empty database that is gone afterwards."""
        database = self.server.create(label)
        try:
            yield database
        finally:
            self.server.delete(database)

    def selected(self, contenders):
        """Those that `--only` leaves."""
        wanted = self.options.only
        return [it for it in contenders if not wanted or any(word in it.name.lower() for word in wanted)]

    def settle(self):
        """What the run before left to be written, and to be deleted, should not be on the next one's time."""
        os.sync()
        time.sleep(self.options.pause)

    def once(self, contender, job):
        """One run, without judging it."""
        invocation = contender.prepare(job)
        self.settle()
        try:
            return process.run(invocation, job.scratch, self.options.timeout)
        except Failed as error:
            # Other programs print the URL that they were given.
            raise Failed(self.server.without_password(str(error))) from None

    def alternate(self, contenders, measure):
        """`measure(contender)` for each contender in each round; gives a series for each."""
        contenders = self.selected(contenders)
        series = [Series(it.name, missing=it.missing) for it in contenders]
        pairs = [(one, all_runs) for one, all_runs in zip(contenders, series) if not one.missing]
        for number in range(self.options.rounds):
            turn = number % max(1, len(pairs))
            for contender, runs in pairs[turn:] + pairs[:turn]:
                record(runs, lambda it=contender: measure(it), number)
        return series

    def upload(self, contenders, tree, watch=None):
        """Each contender sends `tree` to a database of its own. `watch(job)`, a context, may add figures to a run."""

        def measure(contender):
            with self.database(tree.name) as database, self.scratch() as scratch:
                job = Job(tree, database, scratch, scratch / "state")
                if watch is None:
                    return checked(contender, job, self.once(contender, job))
                with watch(job) as extra:
                    cost = self.once(contender, job)
                cost.extra |= extra
                return checked(contender, job, cost)

        return self.alternate(contenders, measure)

    def download(self, contenders, tree, database):
        """Each contender fetches `database` into a folder of its own."""

        def measure(contender):
            with self.scratch() as scratch:
                job = Job(tree, database, scratch, scratch / "state")
                return checked(contender, job, self.once(contender, job))

        return self.alternate(contenders, measure)


def checked(contender, job, cost):
    """The cost, when the work was really done."""
    problem = contender.check(job)
    if problem:
        raise Failed(f"{contender.name} did not do its work: {problem}")
    return cost


def record(series, measure, number):
    """Adds a run to a series; a failure is part of the result and ends nothing."""
    try:
        cost = measure()
    except (Failed, ServerError, OSError) as error:
        series.failures.append(str(error))
        progress(f"  round {number + 1}  {series.name}: {error}")
        return
    series.costs.append(cost)
    progress(f"  round {number + 1}  {series.name}: {cost.wall:.2f} s")


def progress(text):
    """Says on the standard error what is going on; the tables go to the standard output."""
    print(text, file=sys.stderr, flush=True)


class Rate:
    """Watches how many documents a database has, to tell whether the end is as fast as the beginning."""

    COLUMNS = ["first tenth files/s", "last tenth files/s"]
    INTERVAL = 0.25

    def __init__(self, job):
        self._job = job
        self._samples = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._extra = {}

    def __enter__(self):
        self._thread.start()
        return self._extra

    def __exit__(self, *_error):
        self._ended.set()
        self._thread.join()
        self._extra.update(zip(self.COLUMNS, self._tenths(len(self._job.tree.files))))

    def _watch(self):
        while not self._ended.is_set():
            self._sample()
            self._ended.wait(self.INTERVAL)
        self._sample()

    def _sample(self):
        try:
            self._samples.append((time.perf_counter(), self._job.database.count()))
        except ServerError:
            pass  # Too busy to answer: the next sample will do.

    def _tenths(self, total):
        limits = [(0, total // 10), (total * 9 // 10, total)]
        return [rate(self._samples, low, high) for low, high in limits]


def rate(samples, low, high):
    """Documents a second between the last sample with at most `low` and the first with at least `high` of them."""
    before = [sample for sample in samples if sample[1] <= low]
    after = [sample for sample in samples if sample[1] >= high]
    if not before or not after or after[0][0] <= before[-1][0]:
        return None
    return (after[0][1] - before[-1][1]) / (after[0][0] - before[-1][0])
