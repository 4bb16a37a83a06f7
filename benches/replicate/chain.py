"""A chain of servers, both ways, while photos, edits of an app and deletions are made at either end of it."""

import http.client
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import quote

from transfer import folders
from transfer.couchdb import ServerError, connect

from . import equal, places

PATIENCE = 60  # seconds after which a change is lost
LOOK = 0.01  # seconds between two looks where there is no feed that ends
PHOTO = 300 << 10
HEAD = ["ms", "count", "next place", "other end", "worst", "of it the command"]


class Lost(Exception):
    """A change did not arrive, or a command failed."""


@dataclass
class Times:
    """What one kind of change took, in seconds since its command was started."""

    middle: list = field(default_factory=list)
    end: list = field(default_factory=list)
    command: list = field(default_factory=list)

    def row(self, title):
        """A line of the table, in milliseconds."""
        median = [statistics.median(values) * 1000 for values in (self.middle, self.end)]
        worst, command = max(self.end) * 1000, statistics.median(self.command) * 1000
        return [title, str(len(self.end)), *(f"{value:.0f}" for value in (*median, worst, command))]


class Watcher(threading.Thread):
    """Waits until a place shows a change. It follows the changes feed, and looks whenever something is in it."""

    def __init__(self, database, shows):
        super().__init__(daemon=True)
        self.database, self.shows = database, shows
        self.at, self.error = None, None
        self.connection = connect(database.server.url)
        self.connection.timeout = PATIENCE
        self.since = self._ask(f"/{database.name}")["update_seq"]
        self.looks_again = database.server.is_pouchdb()

    def run(self):
        """Sets `at`, or `error`."""
        end = time.monotonic() + PATIENCE
        try:
            while not self.shows(self.database):
                if time.monotonic() > end:
                    raise Lost(f"{self.database.url}: not after {PATIENCE} s")
                self._await_change()
            self.at = time.monotonic()
        except (Lost, ServerError, OSError, http.client.HTTPException) as error:
            self.error = error

    def _await_change(self):
        """PouchDB Server does not end a feed in time, and is asked again and again."""
        if self.looks_again:
            time.sleep(LOOK)
            return
        since = quote(str(self.since), safe="")
        path = f"/{self.database.name}/_changes?feed=longpoll&since={since}&timeout=5000"
        self.since = self._ask(path)["last_seq"]

    def _ask(self, path):
        server = self.database.server
        self.connection.request("GET", server.url.path.rstrip("/") + path, headers=server.headers())
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise Lost(f"{self.database.url}: {answer.status} {content[:200]}")
        return json.loads(content)


class Person:
    """Somebody at one end of the chain: with photos, and with the app in a folder."""

    def __init__(self, bench, number, database):
        self.bench, self.number, self.database = bench, number, database
        self.photos = bench.folder / f"photos-{number}"
        self.photos.mkdir()
        self.app = bench.folder / f"app-{number}"

    def take(self, round_number):
        """Adds a photo; gives the command that sends it, and what a place shows that has it."""
        name = f"IMG_{round_number:04}.jpg"
        noise = random.Random(f"{folders.SEED}/{self.number}/{round_number}")
        content = folders.photo(noise, PHOTO)
        (self.photos / name).write_bytes(content)
        command = ["sync-dir", self.photos, self.database.url, "--prefix", f"from-{self.number}"]
        document = f"from-{self.number}/{name}"
        return command, lambda database: _attachment(database, quote(document, safe=""), name) == content

    def edit(self, round_number):
        """Edits the app as it is now; gives the command, and what a place shows that has it."""
        self.bench.couchapp(["clone", f"{self.database.url}/_design/pics", self.app, "--update"])
        style = self.app / "_attachments" / "style.css"
        content = style.read_bytes() + f"/* {round_number} from {self.number} */\n".encode()
        style.write_bytes(content)
        return ["push", self.app, self.database.url], lambda database: (
            _attachment(database, "_design/pics", "style.css") == content
        )

    def remove(self, round_number, other):
        """Forgets a photo of the other person, who does not send it again; gives its document."""
        name = f"IMG_{round_number:04}.jpg"
        (other.photos / name).unlink()
        return f"from-{other.number}/{name}"


def _attachment(database, document, name):
    """The content of an attachment; None when it is not there."""
    server = database.server
    connection = connect(server.url)
    try:
        path = f"{server.url.path.rstrip('/')}/{database.name}/{document}/{quote(name, safe='')}"
        connection.request("GET", path, headers=server.headers() | {"Accept-Encoding": "identity"})
        answer = connection.getresponse()
        content = answer.read()
        return content if answer.status == 200 else None
    finally:
        connection.close()


class Chain:
    """Some places in a row, connected both ways by one command."""

    def __init__(self, options, tools, folder, row):
        self.options, self.tools, self.folder, self.row = options, tools, folder, row
        self.log = folder / "log"
        self.environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
        settings = folder / "home" / ".config" / "couchapp" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.touch(mode=0o600)
        settings.write_text(places.credentials(row))
        self.databases = [place.server.create("chain") for place in row]
        self.times = {}

    def couchapp(self, words):
        """Runs a command that must succeed."""
        line = [self.tools.ours, *map(str, words), "--no-input", "--yes"]
        done = subprocess.run(
            line, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise Lost(f"couchapp {words[0]}: exit code {done.returncode}: {done.stderr}")

    def run(self):
        """Makes all changes; gives the rows of the table."""
        first, last = (Person(self, number, self.databases[number]) for number in (0, len(self.row) - 1))
        shutil.copytree(self.options.project / "examples" / "pics", first.app)
        if any(place.server.is_pouchdb() for place in self.row):
            # PouchDB Server keeps no replicated change in a database with a validation, and does not say so.
            (first.app / "validate_doc_update.js").unlink()
            print("  without validate_doc_update, with which PouchDB Server keeps no change", flush=True)
        self.couchapp(["push", first.app, first.database.url])
        self.couchapp(["sync-dir", self.options.project / "fixtures" / "photos", first.database.url])
        words = ["replicate", *(database.url for database in self.databases), "--chain", "--both", "--continuous"]
        with open(self.log, "wb") as log:
            following = subprocess.Popen(
                [self.tools.ours, *words, "--no-input"],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._all_have(first)
            self.couchapp(["clone", f"{last.database.url}/_design/pics", last.app])
            for number in range(self.options.rounds):
                self._round(number, first, last)
                if following.poll() is not None:
                    raise Lost(f"replicate ended: {self.log.read_text()}")
        finally:
            following.send_signal(signal.SIGINT)
            following.wait(PATIENCE)
        if following.returncode != 130:
            raise Lost(f"replicate ended with {following.returncode}: {self.log.read_text()}")
        return [times.row(title) for title, times in self.times.items()]

    def _all_have(self, first):
        """Waits until what was there at the beginning is everywhere."""
        wanted, end = equal.leaves(first.database), time.monotonic() + PATIENCE
        while any(equal.leaves(database) != wanted for database in self.databases):
            if time.monotonic() > end:
                raise Lost(f"the beginning did not arrive: {self.log.read_text()}")
            time.sleep(0.1)

    def _round(self, number, first, last):
        for title, person, other in (("photo", first, last), ("photo", last, first)):
            command, shows = person.take(number)
            self._measure(title, person, other, shows, lambda line=command: self.couchapp(line))
        for title, person, other in (("app edit", first, last), ("app edit", last, first)):
            command, shows = person.edit(number)
            self._measure(title, person, other, shows, lambda line=command: self.couchapp(line))
        for title, person, other in (("deletion", last, first), ("deletion", first, last)):
            document = quote(person.remove(number, other), safe="")
            self._measure(
                title,
                person,
                other,
                lambda database, path=document: database.server.request("HEAD", f"/{database.name}/{path}")[0] == 404,
                lambda path=document, database=person.database: _delete(database, path),
            )

    def _measure(self, title, person, other, shows, change):
        """One change at one place, until all others have it."""
        time.sleep(self.options.rest)
        waiting = [Watcher(database, shows) for database in self.databases if database is not person.database]
        begin = time.monotonic()
        for watcher in waiting:
            watcher.start()
        change()
        command = time.monotonic() - begin
        for watcher in waiting:
            watcher.join()
            if watcher.error:
                raise Lost(f"{title}: {watcher.error}; replicate said: {self.log.read_text()[-2000:]}")
        arrow = "→" if person.number < other.number else "←"
        times = self.times.setdefault(f"{title} {arrow}", Times())
        ordered = waiting if person.number < other.number else waiting[::-1]
        times.middle.append(ordered[0].at - begin)
        times.end.append(ordered[-1].at - begin)
        times.command.append(command)

    def difference(self):
        """What the databases differ in at the end, or nothing."""
        expected = equal.Expected(self.databases[0], digests=False)
        found = [expected.difference(database) for database in self.databases[1:]]
        return "; ".join(filter(None, found))

    def leaves(self):
        """How many leaf revisions there are in the first of them."""
        return sum(map(len, equal.leaves(self.databases[0]).values()))


def _delete(database, path):
    status, document = database.server.request("GET", f"/{database.name}/{path}")
    if status == 200:
        status, _ = database.server.request("DELETE", f"/{database.name}/{path}?rev={document['_rev']}")
    if status not in (200, 202):
        raise Lost(f"{database.url}/{path}: {status}")


def measure(options, tools, folder):
    """Prints the table of one chain; the exit code."""
    with places.opened(options.places, tools, folder) as row:
        print(" ↔ ".join(place.name for place in row), flush=True)
        chain = Chain(options, tools, folder, row)
        try:
            rows = [HEAD, *chain.run()]
            wrong = chain.difference()
        except (Lost, ServerError, ValueError, OSError) as error:
            for place in row:
                error = place.server.without_password(str(error))
            print(f"error: {error}", file=sys.stderr)
            return 1
        widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEAD))]
        for cells in rows:
            print("  " + "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]))
        print(f"  {wrong or f'all places are equal: {chain.leaves()} leaf revisions'}", flush=True)
        return 1 if wrong else 0
