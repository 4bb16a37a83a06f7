"""Who is measured: how each program is called for a job, and how it is told that it really did it."""

import filecmp
import mmap
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable
from urllib.parse import quote

from .folders import Tree
from .process import Failed, Invocation

BULK_LOOP = Path(__file__).with_name("bulk_loop.py")
OURS = "couchapp"
NOT_BUILT = "not built (cargo build --release, or COUCHAPP_BINARY)"


@dataclass
class Job:
    """One run: a folder, a database, and an empty folder for everything that the run writes."""

    tree: Tree
    database: object
    scratch: Path
    state: Path  # where our tool keeps what it remembers of a folder

    @property
    def output(self):
        """What a download writes."""
        return self.scratch / "output"


@dataclass
class Contender:
    """A program that takes part. `check` gives what is wrong with its work, or nothing."""

    name: str
    prepare: Callable[[Job], Invocation]
    check: Callable[[Job], str]
    missing: str = ""


def ours(tools, server, arguments, check, name=OURS):
    """Our tool; `arguments` makes its command from a job. The password is in no list of processes."""

    def prepare(job):
        environment = {"XDG_STATE_HOME": str(job.state)}
        if server.user:
            environment |= {"COUCHAPP_USER": server.user, "COUCHAPP_PASSWORD": server.password}
        return Invocation([tools.ours, *arguments(job), "--no-config", "--no-input", "--quiet"], environment)

    return Contender(name, prepare, check, "" if tools.ours.exists() else NOT_BUILT)


def sync_dir(job):
    """The folder of the job to its database."""
    return ["sync-dir", job.tree.folder, job.database.url]


def dump(job):
    """The database of the job to its output folder."""
    return ["dump", job.database.url, job.output]


def uploads(tools, server, parallel):
    """All that can fill an empty database from a folder without preparation: ours, curl, and the Python loop."""
    return [
        ours(tools, server, sync_dir, check_database),
        curl_upload(tools, server, parallel),
        bulk_loop(),
    ]


def curl_upload(tools, server, parallel):
    """curl with one PUT of an attachment for each file. It is given the finished list of URLs."""

    def prepare(job):
        lines = [f"header = {_quoted('Content-Type: ' + job.tree.content_type)}"]
        for path in job.tree.files:
            lines += [f"url = {_quoted(_address(job, path))}", f"upload-file = {_quoted(job.tree.folder / path)}"]
        return _curl(tools, server, job, parallel, lines)

    return Contender(f"curl --parallel {parallel} -T", prepare, check_database, "" if tools.curl else "not installed")


def curl_download(tools, server, parallel):
    """curl with one GET for each file. It is given the list of URLs, and the names to write to, for free."""

    def prepare(job):
        lines = ["create-dirs"]
        for path in job.tree.files:
            lines += [f"url = {_quoted(_address(job, path))}", f"output = {_quoted(job.output / path)}"]
        return _curl(tools, server, job, parallel, lines)

    return Contender(f"curl --parallel {parallel}", prepare, check_folder, "" if tools.curl else "not installed")


def bulk_loop(batch=100):
    """The Python loop."""

    def prepare(job):
        environment = {"BENCH_DATABASE": job.database.url_with_credentials}
        return Invocation([sys.executable, BULK_LOOP, job.tree.folder, batch], environment)

    return Contender(f"Python _bulk_docs, {batch} a batch", prepare, check_database)


def couchbackup(tools):
    """couchbackup: everything into one file, attachments included (an experimental option of it)."""

    def prepare(job):
        command = [tools.couchbackup, "--attachments", "--quiet", "--db", job.database.name]
        return Invocation(command, _couch_url(job), job.output)

    return Contender("couchbackup --attachments", prepare, check_backup, "" if tools.couchbackup else "not installed")


def couchrestore(tools, backup):
    """couchrestore of a file that couchbackup wrote; `backup` makes that file, and is called outside of any timing."""

    def prepare(job):
        command = ["/bin/sh", "-c", 'exec "$0" --attachments --quiet --db "$1" < "$2"']
        return Invocation([*command, tools.couchrestore, job.database.name, backup()], _couch_url(job))

    there = tools.couchrestore and tools.couchbackup
    return Contender("couchrestore --attachments", prepare, check_database, "" if there else "not installed")


def check_database(job):
    """Every file is a document with its bytes in one attachment, in its first revision."""
    contents, tree = job.database.contents(), job.tree
    if (contents.documents, contents.bytes) != (len(tree.files), tree.bytes):
        return f"{contents.documents} documents with {contents.bytes} bytes, not {len(tree.files)} with {tree.bytes}"
    return f"{contents.later_revisions} documents have several revisions" if contents.later_revisions else ""


def check_folder(job):
    """Every file is there, equal to what was once sent, and nothing else is."""
    found = {path.relative_to(job.output).as_posix() for path in job.output.rglob("*") if path.is_file()}
    if found != set(job.tree.files):
        return f"{len(found)} files, not {len(job.tree.files)}; {len(found ^ set(job.tree.files))} names differ"
    different = [path for path in found if not filecmp.cmp(job.output / path, job.tree.folder / path, shallow=False)]
    return f"{len(different)} files are damaged" if different else ""


def check_backup(job):
    """A backup has all bytes in it. Read without parsing: one line can be hundreds of megabytes."""
    documents = size = 0
    with open(job.output, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        documents = sum(1 for _ in re.finditer(rb'"_attachments":', text))
        for match in re.finditer(rb'"data":"[A-Za-z0-9+/]*(=*)"', text):
            encoded = match.end() - match.start() - len(b'"data":""')
            size += encoded // 4 * 3 - len(match[1])
    if (documents, size) != (len(job.tree.files), job.tree.bytes):
        return f"{documents} documents with {size} bytes, not {len(job.tree.files)} with {job.tree.bytes}"
    return ""


def require(contender):
    """For what a workload cannot do without."""
    if contender.missing:
        raise Failed(f"{contender.name}: {contender.missing}")
    return contender


def _couch_url(job):
    return {"COUCH_URL": job.database.server.address_with_credentials}


def _address(job, path):
    return f"{job.database.url}/{quote(path, safe='')}/{quote(path.rsplit('/', 1)[-1], safe='')}"


def _curl(tools, server, job, parallel, lines):
    """All arguments are in a file that only its owner can read: it has the password in it."""
    config = job.scratch / "curl.config"
    config.touch(mode=0o600)
    head = ["parallel", f"parallel-max = {parallel}", "fail", "silent", "show-error"]
    if server.user:
        head.append(f"user = {_quoted(f'{server.user}:{server.password}')}")
    config.write_text("\n".join([*head, *lines, ""]))
    # -q comes first: no ~/.curlrc.
    return Invocation([tools.curl, "-q", "--config", config])


def _quoted(value):
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
