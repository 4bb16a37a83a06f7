"""The servers that take part: those that are named, and those that are started for it."""

import os
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from transfer.couchdb import Server, ServerError

WAIT = 10


@dataclass
class Place:
    """A server that takes part, and what people call it."""

    name: str
    server: Server


@contextmanager
def opened(words, tools, folder):
    """A place for each word: `serve` and `pouchdb` are started, everything else is the URL of a server."""
    with ExitStack() as stack:
        yield [stack.enter_context(_one(number, word, tools, folder)) for number, word in enumerate(words)]


@contextmanager
def _one(number, word, tools, folder):
    with ExitStack() as stack:
        url, name = word, ""
        if word == "serve":
            data = folder / f"endpoint-{number}"
            command = [tools.ours, "serve", "--port", "0", "--data", data, "--no-config"]
            url, name = stack.enter_context(_started(command, folder, {})), "couchapp serve"
        elif word == "pouchdb":
            below = folder / f"pouchdb-{number}"
            below.mkdir()
            command = ["node", tools.pouchdb_server]
            url, name = stack.enter_context(_started(command, below, {"PORT": "0"})), "PouchDB Server"
        server = Server(url)
        stack.callback(server.close)
        yield Place(name or server.version(), server)


@contextmanager
def _started(command, folder, environment):
    """A server that prints its address first."""
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(os.environ) | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = child.stdout.readline().strip().rstrip("/")
        if not url.startswith("http"):
            raise ServerError(f"`{command[0]} {command[1]}` did not start")
        yield url
    finally:
        child.terminate()
        child.wait(WAIT)
        child.stdout.close()


def credentials(places):
    """The user's settings file with the password of each server: one that no list of processes shows."""
    text = ""
    for place in places:
        if place.server.user:
            text += f'[credentials."{place.server.address}"]\n'
            text += f"user = {_quoted(place.server.user)}\npassword = {_quoted(place.server.password)}\n"
    return text


def _quoted(value):
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
