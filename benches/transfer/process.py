"""Running other programs, and what they cost."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

LAUNCH = Path(__file__).with_name("launch.py")
# What a user's own settings could change in a run.
FOREIGN = ("COUCHAPP_", "COUCHDB_", "COUCH_", "CLOUDANT_", "XDG_", "NODE_", "PYTHON")
QUIETLY = {"capture_output": True, "text": True, "timeout": 60, "check": False, "stdin": subprocess.DEVNULL}


class Failed(Exception):
    """A program did not do what it was started for."""


@dataclass
class Cost:
    """What one run took: seconds, CPU seconds of the client, and its peak memory in bytes."""

    wall: float
    cpu: float
    memory: int
    extra: dict = field(default_factory=dict)  # what only some workloads count


@dataclass
class Invocation:
    """A program, ready to be started."""

    command: list
    environment: dict = field(default_factory=dict)
    output: Path | None = None  # where its standard output goes


def run(invocation, scratch, timeout):
    """Runs a program with `scratch` as its home; `Failed` with its last words when it does not succeed."""
    figures, errors = scratch / "figures", scratch / "errors"
    command = [sys.executable, "-I", "-S", str(LAUNCH), str(figures), *map(str, invocation.command)]
    with open(errors, "wb") as stderr, open(invocation.output or os.devnull, "wb") as stdout:
        child = subprocess.Popen(
            command,
            env=_environment(scratch) | invocation.environment,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        _wait(child, timeout)
    return _cost(figures, errors)


def _wait(child, timeout):
    """Nothing that was started outlives the benchmark, however it ends."""
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        raise Failed(f"not done after {timeout} s") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _cost(figures, errors):
    last = _last_line(errors)
    if not figures.exists():
        raise Failed(last or "could not be started")
    wall, cpu, memory, code = figures.read_text().split()
    if code != "0":
        raise Failed(f"exit code {code}: {last}")
    return Cost(float(wall), float(cpu), int(memory))


def _last_line(errors):
    lines = errors.read_text(errors="replace").strip().splitlines()
    wanted = [line for line in lines if line.startswith("error")] or lines
    return wanted[-1].strip() if wanted else ""


def _environment(scratch):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"HOME": str(scratch), "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}


class Tools:
    """Where the programs are that take part."""

    def __init__(self, project):
        self.ours = Path(os.environ.get("COUCHAPP_BINARY") or project / "target/release/couchapp").absolute()
        extra = os.environ.get("COUCHAPP_BENCH_PATH")
        self._path = os.pathsep.join(filter(None, [extra, os.environ.get("PATH")]))
        self.curl = self._find("curl")
        self.couchbackup = self._find("couchbackup")
        self.couchrestore = self._find("couchrestore")
        self.python_couchapp = self._python_couchapp()

    def versions(self):
        """The version of each program, None where it is not there."""
        asked = {
            "couchapp": (self.ours if self.ours.exists() else None, "--version"),
            "curl": (self.curl, "--version"),
            "Python": (sys.executable, "--version"),
            "couchbackup": (self.couchbackup, "--version"),
            # Without a folder and a URL it tells its version and stops.
            "Python couchapp": (self.python_couchapp, "push", "-v"),
        }
        return {name: _version(command) if command[0] else None for name, command in asked.items()}

    def _find(self, name):
        return shutil.which(name, path=self._path)

    def _python_couchapp(self):
        """The `couchapp` of Python: ours has the same name, so it is asked who it is."""
        for folder in self._path.split(os.pathsep):
            path = shutil.which("couchapp", path=folder)
            if path and "CMSCouchApp" in _output([path, "--help"]):
                return path
        return None


def _output(command):
    try:
        return subprocess.run(command, **QUIETLY).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _version(command):
    found = re.search(r"\d+\.[\w.-]+\w", _output(command))
    return found[0] if found else "?"
