"""W4: an app is pushed to an empty database, and once more with nothing changed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from . import app, contenders
from .contenders import Contender
from .process import Invocation
from .rounds import Series, Table, checked, record


@dataclass
class PushJob:
    """One push: the app, a copy of it that is the contender's own, and a database."""

    app: app.App
    folder: Path
    database: object
    scratch: Path
    state: Path


def push(bench):
    """Two tables: the first push, and the second. A round has both, one after the other in the same database."""
    master = bench.folder / "w4"
    made = app.generate(master, bench.options.sizes["w4"], bench.options.fields)
    parts = bench.selected([_ours(bench), _python_couchapp(bench.tools)])
    again = {part.name: Series(f"{part.name} again", missing=part.missing) for part in parts}

    def measure(contender):
        series = again[contender.name]
        with bench.database("w4") as database, bench.scratch() as scratch:
            # The name of the folder may become the name of the app.
            folder = shutil.copytree(master, scratch / "bench")
            job = PushJob(made, folder, database, scratch, scratch / "state")
            first = _push(bench, contender, job)
            number = len(series.costs) + len(series.failures)
            record(series, lambda: _push(bench, contender, job), number)
            return first

    try:
        first = bench.alternate(parts, measure)
    finally:
        shutil.rmtree(master)
    files = len(made.attachments) + len(made.fields)
    return [
        Table(f"W4 push, {len(made.attachments)} attachments, {len(made.fields)} fields", first, files, made.bytes),
        Table("W4 push again, nothing changed", list(again.values()), files, made.bytes),
    ]


def _push(bench, contender, job):
    return checked(contender, job, bench.once(contender, job))


def _ours(bench):
    def arguments(job):
        return ["push", job.folder, job.database.url]

    return contenders.ours(bench.tools, bench.server, arguments, _check_document)


def _python_couchapp(tools):
    """CMSCouchapp, the one that runs on Python 3. It takes the password in no other way than on its command line."""

    def prepare(job):
        address = job.database.url_with_credentials
        return Invocation([tools.python_couchapp, "-p", job.folder, "-c", address, "push"])

    return Contender("Python couchapp", prepare, _check_document, "" if tools.python_couchapp else "not installed")


def _check_document(job):
    """Every attachment and every field is in the document."""
    document = job.database.document(app.DOCUMENT)
    stored = {name: stub["length"] for name, stub in document.get("_attachments", {}).items()}
    if stored != job.app.attachments:
        return f"{len(stored)} attachments with {sum(stored.values())} bytes"
    missing = app.missing_fields(job.app, document)
    return f"{len(missing)} fields are missing, {missing[0]} for one" if missing else ""
