"""The workloads, one function each: what is generated, who takes part, which tables come out."""

import shutil
from contextlib import contextmanager
from dataclasses import replace

from . import contenders, endpoints, folders
from .contenders import Job
from .push import push
from .resync import resync
from .rounds import Rate, Table, checked
from .sink import Sink

PARALLEL = 16
PARALLEL_LARGE = 4


def w1(bench):
    """Photos up."""
    return _upload(bench, folders.photos, "w1", "W1 upload, photos", PARALLEL)


def w2(bench):
    """Small files up."""
    return _upload(bench, folders.photos, "w2", "W2 upload, small files", PARALLEL)


def w3(bench):
    """Videos up. Not for batches of Base64: one would be the whole folder."""
    with _generated(bench, folders.videos, "w3") as tree:
        parts = [
            contenders.ours(bench.tools, bench.server, contenders.sync_dir, contenders.check_database),
            contenders.curl_upload(bench.tools, bench.server, PARALLEL_LARGE),
        ]
        return [_table("W3 upload, videos", tree, bench.upload(parts, tree))]


def w4(bench):
    """An app, pushed for the first time and again."""
    return push(bench)


def w5_w1(bench):
    """Photos again, with nothing or little changed."""
    with _generated(bench, folders.photos, "w1") as tree:
        return resync(bench, tree, "W5 on W1")


def w5_w2(bench):
    """Small files again, with nothing or little changed."""
    with _generated(bench, folders.photos, "w2") as tree:
        return resync(bench, tree, "W5 on W2")


def download_w1(bench):
    """Photos down."""
    return _download(bench, "w1", "W1 download, photos")


def download_w2(bench):
    """Small files down."""
    return _download(bench, "w2", "W2 download, small files")


def many(bench):
    """Very many tiny files: is it as fast at the end as at the beginning, and in how much memory?"""
    with _generated(bench, folders.photos, "many") as tree:
        parts = [
            contenders.ours(bench.tools, bench.server, contenders.sync_dir, contenders.check_database),
            contenders.bulk_loop(),
        ]
        return [_table("Many files", tree, bench.upload(parts, tree, Rate), Rate.COLUMNS)]


def huge(bench):
    """One file that fits in no memory, to a server that takes whatever comes."""
    with _generated(bench, folders.sparse, "huge") as tree, Sink() as sink:
        expected = sorted((size, folders.digest(tree.folder / path)) for path, size in tree.files.items())
        both = [
            contenders.ours(bench.tools, sink, contenders.sync_dir, contenders.check_database),
            contenders.curl_upload(bench.tools, sink, PARALLEL_LARGE),
        ]
        parts = [replace(part, check=lambda _job: _check_sink(sink, expected)) for part in both]

        def measure(contender):
            sink.forget()
            with bench.scratch() as scratch:
                job = Job(tree, sink, scratch, scratch / "state")
                return checked(contender, job, bench.once(contender, job))

        return [_table("Huge file to a sink", tree, bench.alternate(parts, measure))]


def serve_w1(bench):
    """Photos to the embedded endpoint and to the other server."""
    return _to_both(bench, folders.photos, "w1", "Photos to either server")


def serve_w2(bench):
    """Small files to both."""
    return _to_both(bench, folders.photos, "w2", "Small files to either server")


def serve_w3(bench):
    """Videos to both."""
    return _to_both(bench, folders.videos, "w3", "Videos to either server")


def serve_view(bench):
    """A view over many documents on both."""
    with _generated(bench, folders.photos, "w2") as tree:
        return [endpoints.view(bench, tree)]


LINES = {
    "w1": w1,
    "w2": w2,
    "w3": w3,
    "w4": w4,
    "w5-w1": w5_w1,
    "w5-w2": w5_w2,
    "download-w1": download_w1,
    "download-w2": download_w2,
    "many": many,
    "huge": huge,
    "serve-w1": serve_w1,
    "serve-w2": serve_w2,
    "serve-w3": serve_w3,
    "serve-view": serve_view,
}
GROUPS = {
    "w5": ["w5-w1", "w5-w2"],
    "download": ["download-w1", "download-w2"],
    "serve": ["serve-w1", "serve-w2", "serve-w3", "serve-view"],
    "all": list(LINES),
}
# Too long for several rounds unless somebody asks for them.
LONG = ("many", "huge")


def expand(names):
    """Names of lines and groups as names of lines, each once."""
    return list(dict.fromkeys(line for name in names for line in GROUPS.get(name, [name])))


@contextmanager
def _generated(bench, generate, name):
    folder = bench.folder / name
    try:
        yield generate(name, folder, bench.options.sizes[name])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _table(title, tree, series, extra=()):
    return Table(title, series, len(tree.files), tree.bytes, list(extra))


def _upload(bench, generate, name, title, parallel):
    with _generated(bench, generate, name) as tree, _backup(bench, tree) as backup:
        parts = contenders.uploads(bench.tools, bench.server, parallel)
        parts.append(contenders.couchrestore(bench.tools, backup))
        return [_table(title, tree, bench.upload(parts, tree))]


def _to_both(bench, generate, name, title):
    with _generated(bench, generate, name) as tree:
        return [endpoints.upload(bench, tree, title)]


def _download(bench, name, title):
    with _generated(bench, folders.photos, name) as tree, bench.database("source") as source:
        filler = _fill(bench, tree, source)
        parts = [
            contenders.ours(bench.tools, bench.server, contenders.dump, contenders.check_folder),
            contenders.curl_download(bench.tools, bench.server, PARALLEL),
            contenders.couchbackup(bench.tools),
        ]
        return [_table(f"{title} (uploaded by {filler})", tree, bench.download(parts, tree, source))]


def _fill(bench, tree, database):
    """Uploads `tree` for others to fetch: with our tool, else with the Python loop, which stores it the same way."""
    uploader = contenders.ours(bench.tools, bench.server, contenders.sync_dir, contenders.check_database)
    if uploader.missing:
        uploader = contenders.bulk_loop()
    _run(bench, uploader, tree, database)
    return uploader.name


@contextmanager
def _backup(bench, tree):
    """A function that gives the backup of a database with `tree` in it; the backup is made at the first call."""
    with bench.scratch() as kept:
        file = kept / "backup"

        def backup():
            if not file.exists():
                with bench.database("backup") as database:
                    _run(bench, contenders.bulk_loop(), tree, database)
                    _run(bench, contenders.couchbackup(bench.tools), tree, database, file)
            return file

        yield backup


def _run(bench, contender, tree, database, keep=None):
    """A run that is not measured; what it wrote is moved to `keep`."""
    with bench.scratch() as scratch:
        job = Job(tree, database, scratch, scratch / "state")
        checked(contender, job, bench.once(contender, job))
        if keep:
            job.output.rename(keep)


def _check_sink(sink, expected):
    """The sink got every byte, in order."""
    got = sorted(sink.received())
    return "" if got == expected else f"the sink got {got}, not {expected}"
