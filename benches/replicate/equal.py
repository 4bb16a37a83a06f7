"""Whether two databases hold the same: every leaf of every document, with its history and its attachments."""

import base64
import hashlib
import json

PAGE = 500


def leaves(database):
    """The leaf revisions of each document, tombstones and conflicts included."""
    rows = database.server.get(f"/{database.name}/_changes?style=all_docs")["results"]
    return {row["id"]: frozenset(leaf["rev"] for leaf in row["changes"]) for row in rows}


def contents(database, found, digests):
    """A digest of each leaf of `found`, by document and revision.

    `digests`: attachments count by the digests that the server computed, which are equal between servers that store
    them alike. Otherwise their bytes are read.
    """
    wanted = [(name, revision) for name in sorted(found) for revision in sorted(found[name])]
    query = "revs=true" if digests else "revs=true&attachments=true"
    sums = {}
    for start in range(0, len(wanted), PAGE):
        page = [{"id": name, "rev": revision} for name, revision in wanted[start : start + PAGE]]
        path = f"/{database.name}/_bulk_get?{query}"
        status, answer = database.server.request("POST", path, {"docs": page})
        if status != 200:
            raise ValueError(f"{database.url}: _bulk_get answers {status} {answer}")
        for row in answer["results"]:
            for document in row["docs"]:
                if "ok" in document:
                    sums[document["ok"]["_id"], document["ok"]["_rev"]] = _sum(document["ok"], digests)
    return sums


def _sum(document, digests):
    for attachment in document.get("_attachments", {}).values():
        if digests:
            continue
        content = base64.b64decode(attachment.pop("data"))
        for key in ("digest", "encoding", "encoded_length", "length"):
            attachment.pop(key, None)
        attachment["sha256"] = hashlib.sha256(content).hexdigest()
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()


class Expected:
    """What one database holds, read once."""

    def __init__(self, database, digests):
        self.digests = digests
        self.leaves = leaves(database)
        self.contents = contents(database, self.leaves, digests)

    def difference(self, database):
        """What is wrong with another one, or nothing."""
        found = leaves(database)
        if found != self.leaves:
            names = [name for name in self.leaves.keys() | found.keys() if self.leaves.get(name) != found.get(name)]
            return f"{database.url}: the leaves of {len(names)} documents differ, as those of {sorted(names)[:3]}"
        theirs = contents(database, found, self.digests)
        if len(theirs) != sum(map(len, found.values())):
            return f"{database.url}: some leaves cannot be read"
        names = sorted(name for name, own in self.contents.items() if theirs.get(name) != own)
        return f"{database.url}: the contents of {len(names)} revisions differ, as {names[:3]}" if names else ""
