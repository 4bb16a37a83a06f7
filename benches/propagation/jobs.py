"""What carries the changes: `couchapp replicate` on this side, or the server's own replicator."""

import json
import os
import signal
import subprocess
import threading
import time

from .shapes import FLAGS
from .web import Failed

PATIENCE = 600


def resident(pid):
    """Resident memory of a process and the files it has open."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return kilobytes * 1024, len(os.listdir(f"/proc/{pid}/fd"))


class Endpoint:
    """`couchapp serve --memory`, for as long as the block."""

    def __init__(self, binary, folder):
        command = [binary, "serve", "--memory", "--port", "0", "--no-config"]
        environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
        self.child = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
        )
        self.url = self.child.stdout.readline().strip().rstrip("/")
        if not self.url.startswith("http"):
            raise Failed("`couchapp serve` did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.child.terminate()
        self.child.wait(60)
        self.child.stdout.close()


class Client:
    """`couchapp replicate --both --continuous --via client` over all databases, one process."""

    counts_kinds = True

    def __init__(self, binary, folder, server, shape, names):
        places = [f"{server.address}/{name}" for name in names]
        words = ["replicate", *places, FLAGS[shape], "--both", "--continuous", "--via", "client", "--json", "--no-config"]
        environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
        if server.user:
            environment |= {"COUCHAPP_USER": server.user, "COUCHAPP_PASSWORD": server.password}
        self._log = folder / "replicate.log"
        with open(self._log, "wb") as log:
            self.child = subprocess.Popen(
                [binary, *words], env=environment, stdout=subprocess.PIPE, stderr=log, cwd=folder
            )
        self._jobs, self._caught_up = 0, set()
        self._traffic = {"requests": {}, "sent": 0, "received": 0}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            event = json.loads(line)
            if event["type"] == "job" and event["state"] == "caught_up":
                self._caught_up.add(event["job"])
            elif event["type"] == "traffic":
                self._traffic = event

    def ready(self, jobs):
        """Waits until every job has nothing to do."""
        end = time.monotonic() + PATIENCE
        while len(self._caught_up) < jobs:
            if self.child.poll() is not None or time.monotonic() > end:
                words = self._log.read_text(errors="replace").strip()[-300:]
                raise Failed(f"{len(self._caught_up)} of {jobs} jobs began; {words}")
            time.sleep(0.05)

    def traffic(self):
        """What went over the wire so far; it is told once a second."""
        time.sleep(1.5)
        return self._traffic

    def memory(self):
        """Of the process, and its open files."""
        return resident(self.child.pid)

    def stop(self):
        """Ends with checkpoints written; gives all the traffic."""
        self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self._reader.join(10)
        return self._traffic


class Server:
    """Documents in a `_replicator` database of the server; it carries the changes itself."""

    counts_kinds = False

    def __init__(self, server, name, edges, names):
        self.server = server
        self._name = name
        server.ask("PUT", f"/{_path(name)}")
        auth = {"auth": {"basic": {"username": server.user, "password": server.password}}} if server.user else {}

        def place(number):
            return {"url": f"{server.address}/{names[number]}"} | auth

        both = [pair for one, other in edges for pair in ((one, other), (other, one))]
        documents = [
            {"_id": f"{one}-{other}", "source": place(one), "target": place(other), "continuous": True}
            for one, other in both
        ]
        rows = server.ask("POST", f"/{_path(name)}/_bulk_docs", {"docs": documents})
        if any("error" in row for row in rows):
            raise Failed(f"the server does not take jobs: {rows[0]}")

    def ready(self, jobs):
        """Waits until every job runs."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            rows = self.server.ask("GET", f"/_scheduler/docs/{_path(self._name)}?limit=2000")["docs"]
            if sum(row["state"] == "running" for row in rows) >= jobs:
                return
            time.sleep(0.5)
        raise Failed("not all jobs of the server run")

    def traffic(self):
        """Requests that the server has counted; of bytes it knows nothing."""
        time.sleep(1.5)
        return {"requests": {"all": self.server.requests()}, "sent": None, "received": None}

    def memory(self):
        """It is the server's."""
        return None, None

    def stop(self):
        """Deletes the jobs."""
        self.server.request("DELETE", f"/{_path(self._name)}")
        return self.traffic()


def _path(name):
    return name.replace("/", "%2F")
