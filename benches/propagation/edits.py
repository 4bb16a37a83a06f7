"""Changes at random nodes, and what every node has to have in the end."""

import base64
import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from .web import Failed

THREADS = 4
ATTACHMENT = 40_000  # bytes
TEXT = "x" * 200


class Edits:
    """Makes edits; `expected` has the leaves of every document, and `attached` what was attached to which."""

    def __init__(self, server, names, seed):
        self.server = server
        self.names = names
        self.random = random.Random(seed)
        self.expected = {}
        self.attached = {}
        self._serial = 0
        self._seeds = []

    def node(self):
        """A random node."""
        return self.random.randrange(len(self.names))

    def seed(self, count):
        """Documents that are changed later on, in the first database."""
        documents = [{"_id": f"seed-{number:04}", "text": TEXT} for number in range(count)]
        rows = self.server.ask("POST", f"/{self.names[0]}/_bulk_docs", {"docs": documents})
        for row in rows:
            self.expected[row["id"]] = [row["rev"]]
            self._seeds.append(row["id"])

    def one(self):
        """A new document at a random node: gives the node."""
        node = self.node()
        self._create(node, self._name("single"), {})
        return node

    def burst(self, count):
        """So many edits of all kinds at random nodes, as fast as they are taken; gives how many of which kind."""
        pairs, changes, deletions = count // 20, count // 5, count // 11
        kinds = {"new": count - 2 * pairs - changes - deletions - 1, "changed": changes, "deleted": deletions}
        kinds |= {"changed at two nodes": 2 * pairs, "with an attachment": 1}
        self.random.shuffle(self._seeds)
        if len(self._seeds) < pairs + changes + deletions:
            raise Failed("too few documents to change")
        work = [lambda node=self.node(), name=self._name("new"): self._create(node, name, {}) for _ in range(kinds["new"])]
        work += [lambda node=self.node(), name=self._seeds.pop(): self._change(node, name) for _ in range(changes)]
        work += [lambda node=self.node(), name=self._seeds.pop(): self._delete(node, name) for _ in range(deletions)]
        content = self.random.randbytes(ATTACHMENT)
        work.append(lambda node=self.node(), name=self._name("file"): self._attach(node, name, content))
        self.random.shuffle(work)
        for _ in range(pairs):
            one, other = self.random.sample(range(len(self.names)), 2)
            name = self._seeds.pop()
            at, parent = self.random.randrange(len(work)), self.expected[name][0]
            self.expected[name] = []
            # Next to each other, so that they are made at the same time.
            work[at:at] = [
                lambda node=one, name=name, parent=parent: self._compete(node, name, parent),
                lambda node=other, name=name, parent=parent: self._compete(node, name, parent),
            ]
        with ThreadPoolExecutor(THREADS) as threads:
            for done in [threads.submit(edit) for edit in work]:
                done.result()
        return kinds

    def conflicts(self):
        """Documents with more than one leaf."""
        return sum(len(leaves) > 1 for leaves in self.expected.values())

    def _name(self, kind):
        self._serial += 1
        return f"{kind}-{self._serial:05}"

    def _put(self, node, name, document):
        return self.server.request("PUT", f"/{self.names[node]}/{quote(name)}", document)

    def _written(self, node, name, document):
        status, answer = self._put(node, name, document)
        if not 200 <= status < 300:
            raise Failed(f"{name} was not written: {status} {answer}")
        self.expected[name] = [answer["rev"]]

    def _create(self, node, name, more):
        self._written(node, name, {"text": TEXT, "at": node} | more)

    def _change(self, node, name):
        self._written(node, name, {"_rev": self.expected[name][0], "text": TEXT, "changed at": node})

    def _delete(self, node, name):
        self._written(node, name, {"_rev": self.expected[name][0], "_deleted": True})

    def _attach(self, node, name, content):
        data = base64.b64encode(content).decode()
        self.attached[name] = content
        self._create(node, name, {"_attachments": {"a": {"content_type": "image/jpeg", "data": data}}})

    def _compete(self, node, name, parent):
        """A change of what is changed elsewhere. Where that has arrived already, it is written beside it."""
        document = {"_rev": parent, "text": TEXT, "changed at": node}
        status, answer = self._put(node, name, document)
        if status in (201, 202):
            self.expected[name].append(answer["rev"])
            return
        if status != 409:
            raise Failed(f"{name} was not written: {status} {answer}")
        generation, before = parent.split("-")
        own = hashlib.md5(f"{name} {node}".encode()).hexdigest()
        history = {"start": int(generation) + 1, "ids": [own, before]}
        document |= {"_id": name, "_rev": f"{int(generation) + 1}-{own}", "_revisions": history}
        body = {"new_edits": False, "docs": [document]}
        self.server.ask("POST", f"/{self.names[node]}/_bulk_docs", body)
        self.expected[name].append(document["_rev"])
