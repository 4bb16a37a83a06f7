"""W5: a folder that is in the database already is sent again, with nothing or with some files changed."""

from dataclasses import replace

from . import contenders, folders
from .contenders import OURS, Job
from .counting_proxy import CountingProxy
from .process import Failed
from .rounds import Series, Table, checked, record


def resync(bench, tree, title):
    """One table of our tool alone: no other has a second run. Requests are counted afterwards, in runs of their own."""
    uploader = contenders.ours(bench.tools, bench.server, contenders.sync_dir, contenders.check_database)
    changed = min(bench.options.changed, len(tree.files))
    nothing, some = Series(f"{OURS}, nothing changed"), Series(f"{OURS}, {changed} changed")
    table = Table(f"{title}, again", [nothing, some], len(tree.files), tree.bytes)
    if uploader.missing:
        nothing.missing = some.missing = uploader.missing
        return [table]
    with bench.database(tree.name) as database, bench.scratch() as scratch:
        job = Job(tree, database, scratch, scratch / "state")
        _warm(bench, uploader, job)
        again = _Again(bench, uploader, job)
        for number in range(bench.options.rounds):
            record(some, lambda it=number: again.after_change(changed, it), number)
            record(nothing, lambda: again.expecting(0), number)
        _count_requests(bench, job, changed, nothing, some)
    return [table]


def _warm(bench, uploader, job):
    """The upload, and a second run: files written just before the first one are not trusted to be unchanged."""
    checked(uploader, job, bench.once(uploader, job))
    bench.once(uploader, job)


class _Again:
    """Runs over the same folder and database, each of which must write just what was changed."""

    def __init__(self, bench, contender, job):
        self._bench, self._contender, self._job = bench, contender, job

    def after_change(self, count, generation):
        """A run after `count` files got other contents; each generation has its own."""
        folders.change(self._job.tree, count, generation)
        return self.expecting(count)

    def expecting(self, count):
        """A run that must write `count` documents, and leave no file behind."""
        before = self._job.database.revisions()
        cost = self._bench.once(self._contender, self._job)
        after = self._job.database.revisions()
        written = sum(before.get(identifier) != revision for identifier, revision in after.items())
        if written != count or before.keys() != after.keys():
            raise Failed(f"{written} documents were written, not {count}")
        return cost


def _count_requests(bench, job, changed, nothing, some):
    """Through a proxy the database has another address, so our tool has to get to know it first."""
    with CountingProxy(bench.server.url) as proxy, bench.scratch() as state:
        uploader = contenders.ours(bench.tools, bench.server, _through(proxy, job), contenders.check_database)
        again = _Again(bench, uploader, replace(job, state=state))
        try:
            again.expecting(0)
            proxy.forget()
            again.expecting(0)
            nothing.notes.append(_summary(proxy.requests, job.database.name))
            proxy.forget()
            again.after_change(changed, "counted")
            some.notes.append(_summary(proxy.requests, job.database.name))
        except Failed as error:
            nothing.failures.append(f"counting requests: {error}")


def _through(proxy, job):
    return lambda _job: ["sync-dir", job.tree.folder, f"{proxy.address}/{job.database.name}"]


def _summary(requests, database):
    """`5 requests: 2 GET /db, …`, the most frequent first."""
    kinds = {}
    for request in requests:
        method, path = request.split(" ", 1)
        kind = f"{method} {_shape(path, database)}"
        kinds[kind] = kinds.get(kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda it: -it[1]))
    return f"{len(requests)} requests: {listed}"


def _shape(path, database):
    """A path without names of files."""
    parts = path.split("/")
    if database not in parts:
        return path
    rest = parts[parts.index(database) + 1 :]
    return "/".join(["/db", *(part if part.startswith("_") else "…" for part in rest)])
