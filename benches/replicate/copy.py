"""One database into another: by our replicator, by CouchDB's own, by PouchDB's."""

import json
from contextlib import contextmanager
from pathlib import Path

from transfer import contenders, folders
from transfer.contenders import Contender, Job
from transfer.process import Failed, Invocation
from transfer.rounds import Table, checked, progress

from . import places
from .equal import Expected

POUCHDB = Path(__file__).with_name("pouchdb.cjs")
NOT_THERE = "not installed (npm ci in tests/clients, or COUCHAPP_BENCH_POUCHDB)"


def replicators(tools, source, row):
    """All that take part."""
    return [_ours(tools, source, row), _couchdb(tools, source), _pouchdb(tools, source)]


def _ours(tools, source, row):
    def prepare(job):
        settings = job.scratch / ".config" / "couchapp" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.touch(mode=0o600)
        settings.write_text(places.credentials(row))
        words = ["replicate", "--via", "client", source.url, job.database.url]
        return Invocation([tools.ours, *words, "--no-input", "--quiet"])

    return Contender("couchapp", prepare, lambda _job: "", "" if tools.ours.exists() else contenders.NOT_BUILT)


def _couchdb(tools, source):
    """`_replicate` of the server that holds the target; the answer comes when it is done."""

    def prepare(job):
        server, request = job.database.server, job.scratch / "request"
        request.touch(mode=0o600)
        request.write_text(json.dumps({"source": _end(source), "target": _end(job.database)}))
        config = job.scratch / "curl.config"
        config.touch(mode=0o600)
        lines = [f'url = "{server.address}/_replicate"', f'data = "@{request}"', "fail", "silent", "show-error"]
        lines += ['header = "Content-Type: application/json"', f'user = "{server.user}:{server.password}"']
        config.write_text("\n".join([*lines, ""]))
        return Invocation([tools.curl, "-q", "--config", config])

    return Contender("CouchDB's _replicate", prepare, lambda _job: "", "" if tools.curl else "curl is not installed")


def _end(database):
    server = database.server
    end = {"url": database.url}
    if server.user:
        end["auth"] = {"basic": {"username": server.user, "password": server.password}}
    return end


def _pouchdb(tools, source):
    def prepare(job):
        ends = {"BENCH_SOURCE": source.url_with_credentials, "BENCH_TARGET": job.database.url_with_credentials}
        return Invocation(["node", POUCHDB, tools.pouchdb], ends)

    there = (tools.pouchdb / "node_modules" / "pouchdb-core").is_dir()
    return Contender("PouchDB.replicate", prepare, lambda _job: "", "" if there else NOT_THERE)


@contextmanager
def _source(bench, row, tree):
    """The database that all read: the files, each a document."""
    server = row[0].server
    database = server.create("source")
    try:
        with bench.scratch() as scratch:
            job = Job(tree, database, scratch, scratch / "state")
            sender = contenders.ours(bench.tools, server, contenders.sync_dir, contenders.check_database)
            checked(sender, job, bench.once(contenders.require(sender), job))
        yield database
    finally:
        server.delete(database)


def measure(bench, row, shape):
    """The table: every contender copies the source into databases of its own, on the last place."""
    tree = folders.photos("w2", bench.folder / "w2", shape)
    with _source(bench, row, tree) as source:
        expected = Expected(source, digests=True)
        progress(f"  {sum(map(len, expected.leaves.values())):,} leaf revisions")

        def run(contender):
            with bench.database("target") as target, bench.scratch() as scratch:
                job = Job(tree, target, scratch, scratch / "state")
                cost = bench.once(contender, job)
                wrong = expected.difference(target)
                if wrong:
                    raise Failed(f"{contender.name} did not do its work: {wrong}")
                return cost

        series = bench.alternate(replicators(bench.tools, source, row), run)
    title = f"W2 from {row[0].server.address} to {row[-1].server.address}"
    return Table(title, series, len(tree.files), tree.bytes)

