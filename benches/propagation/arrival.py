"""When what is where. All databases are asked how far they are, a hundred in one request, and only those that have changed
are asked what has; between two rounds is a rest of several times as long as the first of it took, so that measuring is a
small part of the load: at most one request for each change of each database, where replicating it takes five."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from .web import Failed

AT_ONCE = 100  # CouchDB's [chttpd] max_db_number_for_dbs_info_req
REST = 4
SHORTEST = 0.002
THREADS = 4


class Nodes:
    """What each database has, as far as it was asked."""

    def __init__(self, server, names):
        self.server = server
        self.names = names
        self.leaves = [{} for _ in names]
        self._since = ["0"] * len(names)
        self._counts = [0] * len(names)
        self._took = 0

    def look(self):
        """Asks once; gives the nodes where something has changed, each as soon as it is known what."""
        changed, began = [], time.perf_counter()
        for start in range(0, len(self.names), AT_ONCE):
            keys = self.names[start : start + AT_ONCE]
            for number, row in enumerate(self.server.ask("POST", "/_dbs_info", {"keys": keys}), start):
                count = _number(row["info"]["update_seq"])
                if count != self._counts[number]:
                    self._counts[number] = count
                    changed.append(number)
        self._took = time.perf_counter() - began
        for number in changed:
            self._catch_up(number)
            yield number

    def wait(self, expected, patience):
        """Waits until every node has these leaves of these documents; gives when each had them, in `perf_counter`."""
        expected = {name: sorted(leaves) for name, leaves in expected.items()}
        times = [None] * len(self.names)
        left = set(range(len(self.names)))
        end = time.perf_counter() + patience
        changed = range(len(self.names))
        while True:
            for number in changed:
                known = self.leaves[number]
                if number in left and all(known.get(name) == leaves for name, leaves in expected.items()):
                    times[number] = time.perf_counter()
                    left.discard(number)
            if not left:
                return times
            if time.perf_counter() > end:
                raise Failed(f"after {patience} s {len(left)} of {len(self.names)} nodes lack something")
            time.sleep(max(SHORTEST, self._took * REST))
            changed = self.look()

    def _catch_up(self, number):
        since = quote(self._since[number], safe="")
        answer = self.server.ask("GET", f"/{self.names[number]}/_changes?style=all_docs&since={since}")
        self._since[number] = str(answer["last_seq"])
        for row in answer["results"]:
            self.leaves[number][row["id"]] = sorted(change["rev"] for change in row["changes"])


def compare(server, names, expected, attached):
    """Reads everything from all nodes anew; gives what is wrong, at most a few words for each node."""
    expected = {name: sorted(leaves) for name, leaves in expected.items()}

    def check(name):
        answer = server.ask("GET", f"/{name}/_changes?style=all_docs")
        leaves = {row["id"]: sorted(change["rev"] for change in row["changes"]) for row in answer["results"]}
        wrong = [one for one in expected.keys() | leaves.keys() if expected.get(one) != leaves.get(one)]
        for document, content in attached.items():
            if server.raw("GET", f"/{name}/{document}/a") != (200, content):
                wrong.append(f"{document}/a")
        return f"{name}: {len(wrong)} documents, {sorted(wrong)[:3]} among them" if wrong else ""

    with ThreadPoolExecutor(THREADS) as threads:
        return [words for words in threads.map(check, names) if words]


def _number(sequence):
    return int(str(sequence).split("-")[0])
