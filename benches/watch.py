#!/usr/bin/env python3
"""Measures how long a change takes from one side to the other while a command follows it.

  COUCHAPP_BENCH_URL=http://admin:secret@127.0.0.1:5984 python3 benches/watch.py

  watch      a save in an app's folder, until the document has it
  sync-dir   a new file in a folder, until its document is there
  dump       a new document with a file, until the file is in the folder

Each is measured many times over, one change after the other with a rest between them; that a change arrived as it was
made is checked. The databases are named bench_*, and deleted. Nothing is asserted about time.
"""

import argparse
import base64
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from transfer.couchdb import Server, ServerError

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 60  # seconds after which a change is lost
MAP = "function (doc) { emit(doc._id, null); }"


class Lost(Exception):
    """A change did not arrive."""


class Following:
    """One of the commands, from when it waits for changes until the end of the block."""

    def __init__(self, binary, words, server, folder):
        environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
        if server.user:
            environment |= {"COUCHAPP_USER": server.user, "COUCHAPP_PASSWORD": server.password}
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [binary, *words], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def __enter__(self):
        wait(lambda: "Watching " in self.log.read_text() or self.child.poll() is not None, self.log)
        if self.child.poll() is not None:
            raise Lost(f"it ended: {self.log.read_text()}")
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGINT)
        self.child.wait(10)


def wait(arrived, log):
    """Waits for something on this computer."""
    end = time.monotonic() + PATIENCE
    while not arrived():
        if time.monotonic() > end:
            raise Lost(f"waited in vain; the command said: {log.read_text()}")
        time.sleep(0.001)


def sequence(server, database):
    return server.get(f"/{database.name}")["update_seq"]


def next_change(server, database, since):
    """Waits for a change after `since`."""
    query = f"feed=longpoll&since={quote(str(since), safe='')}&timeout={PATIENCE * 1000}"
    answer = server.get(f"/{database.name}/_changes?{query}")
    if not answer["results"]:
        raise Lost("nothing changed")


def saves(options, server, folder):
    """Saves in an app's folder, every other one as editors make them: a file beside it takes its place."""
    database = server.create("watch")
    app = folder / "app"
    for path, text in [("_id", "_design/app"), ("views/names/map.js", MAP), ("_attachments/style.css", "")]:
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text(text)
    for number in range(options.files):
        (app / "_attachments" / f"file{number}.txt").write_text(f"{number} " * 500)
    path = f"/{database.name}/_design/app?attachments=true"
    with Following(options.binary, ["watch", "app", database.url], server, folder):
        for number in range(options.times):
            time.sleep(options.rest)
            since, text = sequence(server, database), f"h1 {{ margin: {number}px }}"
            begin = time.monotonic()
            if number % 2:
                (app / "_attachments" / ".style").write_text(text)
                os.replace(app / "_attachments" / ".style", app / "_attachments" / "style.css")
            else:
                (app / "_attachments" / "style.css").write_text(text)
            next_change(server, database, since)
            yield time.monotonic() - begin
            there = server.get(path)["_attachments"]["style.css"]["data"]
            if base64.b64decode(there).decode() != text:
                raise Lost(f"{text} is not what is there")
    server.delete(database)


def files_up(options, server, folder):
    """New files in a folder."""
    database = server.create("sync")
    files = folder / "files"
    files.mkdir()
    for number in range(options.files):
        (files / f"old{number}.txt").write_text(f"{number} " * 500)
    with Following(options.binary, ["sync-dir", "files", database.url, "--watch"], server, folder):
        for number in range(options.times):
            time.sleep(options.rest)
            since = sequence(server, database)
            begin = time.monotonic()
            (files / f"{number}.txt").write_text(f"{number} " * 1000)
            next_change(server, database, since)
            yield time.monotonic() - begin
            if server.request("GET", f"/{database.name}/{number}.txt")[0] != 200:
                raise Lost(f"{number}.txt is not there")
    server.delete(database)


def files_down(options, server, folder):
    """New documents with a file."""
    database = server.create("dump")
    with Following(options.binary, ["dump", database.url, "dumped", "--watch"], server, folder) as following:
        for number in range(options.times):
            time.sleep(options.rest)
            content = (f"{number} " * 1000).encode()
            data = {"content_type": "text/plain", "data": base64.b64encode(content).decode()}
            begin = time.monotonic()
            status, answer = server.request("PUT", f"/{database.name}/{number}", {"_attachments": {"f.txt": data}})
            if status not in (201, 202):
                raise Lost(f"{status} {answer}")
            wanted = [folder / "dumped" / str(number) / "f.txt", folder / "dumped" / f"{number}~" / "f.txt"]
            wait(lambda: any(file.exists() for file in wanted), following.log)
            yield time.monotonic() - begin
            if not any(file.exists() and file.read_bytes() == content for file in wanted):
                raise Lost(f"{number} is not what was sent")
    server.delete(database)


LINES = {"watch": saves, "sync-dir": files_up, "dump": files_down}


def main(given):
    """The exit code: 0, 1 when a change was lost, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="*", metavar="LINE", help="watch, sync-dir, dump; without a name all of them")
    parser.add_argument("--times", type=int, default=20, help="how many changes (20)")
    parser.add_argument("--files", type=int, default=50, help="how many files are in the folder already (50)")
    parser.add_argument("--rest", type=float, default=0.5, metavar="SECONDS", help="between two changes (0.5)")
    options = parser.parse_args(given)
    unknown = [name for name in options.lines if name not in LINES]
    if unknown:
        parser.error(f"there is no line `{unknown[0]}`")
    options.binary = os.environ.get("COUCHAPP_BINARY", str(PROJECT / "target/release/couchapp"))
    url = os.environ.get("COUCHAPP_BENCH_URL")
    if not url or not Path(options.binary).exists():
        print("COUCHAPP_BENCH_URL and `cargo build --release` (or COUCHAPP_BINARY) are needed", file=sys.stderr)
        return 2
    try:
        server = Server(url)
        print(f"{server.version()} at {server.address}; {platform.system()}, {os.cpu_count()} processors")
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2
    code = 0
    print(f"{'ms':10} {'median':>8} {'least':>8} {'most':>8}")
    for name in options.lines or LINES:
        folder = Path(tempfile.mkdtemp(prefix="couchapp-bench-"))
        try:
            took = sorted(seconds * 1000 for seconds in LINES[name](options, server, folder))
            print(f"{name:10} {statistics.median(took):8.0f} {took[0]:8.0f} {took[-1]:8.0f}", flush=True)
        except (Lost, ServerError) as error:
            print(f"{name:10} {server.without_password(str(error))}", file=sys.stderr)
            code = 1
        finally:
            server.close()
            shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
