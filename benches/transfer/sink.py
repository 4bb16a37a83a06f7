"""A server that answers like CouchDB, counts the bytes of attachments, takes their MD5, and keeps none of them.

It knows as much of the protocol as an upload and the listing before and after it need.
"""

import base64
import hashlib
import json
import threading
from email.message import Message
from urllib.parse import parse_qs, unquote, urlsplit

from .wire import Handler, Serving

BLOCK = 1 << 20
WELCOME = {"couchdb": "Welcome", "version": "3.5.0", "uuid": "0" * 32, "features": [], "vendor": {"name": "sink"}}


class Sink:
    """The server, with a single database that is created by the first request that names it."""

    user = password = ""

    def __init__(self):
        self.documents = {}
        self.sequence = []  # ids in the order of their last writing
        self.lock = threading.Lock()
        self._serving = Serving(type("Answering", (_Answering,), {"sink": self}))
        self.url = f"http://127.0.0.1:{self._serving.port}/sink"

    def __enter__(self):
        self._serving.__enter__()
        return self

    def __exit__(self, *error):
        self._serving.__exit__(*error)

    def forget(self):
        """An empty database again."""
        with self.lock:
            self.documents.clear()
            self.sequence.clear()

    def received(self):
        """Length and MD5, as hexadecimal digits, of every attachment."""
        stubs = [stub for document in self.documents.values() for stub in document.get("_attachments", {}).values()]
        return [(stub["length"], base64.b64decode(stub["digest"].removeprefix("md5-")).hex()) for stub in stubs]

    def store(self, identifier, document):
        """Writes a document whose attachments are stubs already; gives CouchDB's answer."""
        with self.lock:
            stored = self.documents.get(identifier)
            if stored and document.get("_rev") != stored["_rev"]:
                return 409, {"id": identifier, "error": "conflict", "reason": "Document update conflict."}
            generation = int(stored["_rev"].split("-")[0]) + 1 if stored else 1
            revision = f"{generation}-{hashlib.md5(json.dumps(document).encode()).hexdigest()}"
            for stub in document.get("_attachments", {}).values():
                stub.setdefault("revpos", generation)
            self.documents[identifier] = {"_id": identifier, **document, "_rev": revision}
            self.sequence = [other for other in self.sequence if other != identifier] + [identifier]
            return 201, {"ok": True, "id": identifier, "rev": revision}


class _Answering(Handler):
    sink = None

    def answer(self, body):
        """Sends the request to what answers it."""
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/") if part]
        query = {name: _value(values[-1]) for name, values in parse_qs(url.query).items()}
        status, content = self._route(parts, query, body)
        self.send(status, json.dumps(content).encode() + b"\n", [("Content-Type", "application/json")])

    def _route(self, parts, query, body):
        if not parts:
            return 200, WELCOME
        if parts == ["_session"]:
            return 200, {"ok": True, "userCtx": {"name": None, "roles": ["_admin"]}, "info": {}}
        if len(parts) == 1 and not parts[0].startswith("_"):
            return self._database(parts[0])
        if len(parts) == 2 and parts[1] in ("_all_docs", "_changes", "_bulk_docs"):
            wanted = json.loads(body.read() or b"{}") if self.command == "POST" else {}
            return getattr(self, parts[1])(query, wanted)
        if len(parts) >= 2 and not parts[1].startswith("_"):
            return self._document(parts[1], "/".join(parts[2:]), query, body)
        return 404, {"error": "not_found", "reason": "missing"}

    def _database(self, name):
        if self.command in ("PUT", "DELETE"):
            return 201, {"ok": True}
        count = len(self.sink.documents)
        sizes = {"file": 0, "external": 0, "active": 0}
        return 200, {
            "db_name": name,
            "doc_count": count,
            "update_seq": str(count),
            "instance_start_time": "1",
            "sizes": sizes,
        }

    def _all_docs(self, query, wanted):
        documents = self.sink.documents
        keys = wanted.get("keys", query.get("keys"))
        if keys is None:
            first = query.get("startkey", query.get("start_key", ""))
            last = query.get("endkey", query.get("end_key", "\U0010ffff"))
            keys = [key for key in sorted(documents) if first <= key <= last][query.get("skip", 0) :]
            keys = keys[: query.get("limit", len(keys))]
        rows = [self._row(key, query.get("include_docs")) for key in keys]
        return 200, {"total_rows": len(documents), "offset": 0, "rows": rows}

    def _row(self, key, with_document):
        document = self.sink.documents.get(key)
        if document is None:
            return {"key": key, "error": "not_found"}
        row = {"id": key, "key": key, "value": {"rev": document["_rev"]}}
        return row | ({"doc": document} if with_document else {})

    def _changes(self, query, _wanted):
        since = query.get("since") or 0
        since = len(self.sink.sequence) if since == "now" else int(since)
        rows = []
        for number, key in enumerate(self.sink.sequence, 1):
            if number > since:
                rows.append({"seq": str(number), "id": key, "changes": [{"rev": self.sink.documents[key]["_rev"]}]})
        rows = rows[: query.get("limit", len(rows))]
        return 200, {"results": rows, "last_seq": rows[-1]["seq"] if rows else str(since), "pending": 0}

    def _bulk_docs(self, _query, wanted):
        rows = []
        for document in wanted.get("docs", []):
            identifier = document.pop("_id")
            self._take_inline(document)
            rows.append(self.sink.store(identifier, document)[1])
        return 201, rows

    def _document(self, identifier, attachment, query, body):
        stored = self.sink.documents.get(identifier)
        if self.command in ("GET", "HEAD"):
            return (200, stored) if stored and not attachment else (404, {"error": "not_found", "reason": "missing"})
        if attachment:
            document = dict(stored or {})
            kind = self.headers.get("Content-Type", "application/octet-stream")
            stub = _stub(kind, body, None)
            document["_attachments"] = dict(document.get("_attachments", {})) | {attachment: stub}
        else:
            document = self._read_document(body)
        document.pop("_id", None)
        if "rev" in query:
            document["_rev"] = query["rev"]
        return self.sink.store(identifier, document)

    def _read_document(self, body):
        header = Message()
        header["Content-Type"] = self.headers.get("Content-Type", "")
        if header.get_content_type() != "multipart/related":
            document = json.loads(body.read())
        else:
            document = _multipart(body, header.get_param("boundary").encode())
        self._take_inline(document)
        return document

    def _take_inline(self, document):
        for name, attachment in document.get("_attachments", {}).items():
            if "data" in attachment:
                content = base64.b64decode(attachment["data"])
                stub = _finished(attachment["content_type"], hashlib.md5(content), len(content))
                document["_attachments"][name] = stub


def _multipart(body, boundary):
    """The document of a `multipart/related`; the parts follow in the order of the keys, as CouchDB has it."""
    _skip_to_content(body, boundary)
    lines = []
    while not (line := body.readline()).startswith(b"--" + boundary):
        if not line:
            raise ConnectionError("the body ends within its first part")
        lines.append(line)
    document = json.loads(b"".join(lines))
    for name, attachment in document.get("_attachments", {}).items():
        if attachment.get("follows"):
            while body.readline().strip():
                pass
            length = attachment.get("encoded_length", attachment["length"])
            document["_attachments"][name] = _stub(attachment["content_type"], body, length)
            body.readline()  # ends the content
            body.readline()  # the boundary
    return document


def _skip_to_content(body, boundary):
    while not body.readline().startswith(b"--" + boundary):
        pass
    while body.readline().strip():
        pass


def _stub(kind, body, length):
    """Reads `length` bytes, or all, and keeps nothing of them but their sum."""
    digest, count, buffer = hashlib.md5(), 0, memoryview(bytearray(BLOCK))
    while length is None or count < length:
        got = body.readinto1(buffer[: BLOCK if length is None else min(BLOCK, length - count)])
        if not got:
            break
        digest.update(buffer[:got])
        count += got
    return _finished(kind, digest, count)


def _finished(kind, digest, length):
    text = base64.b64encode(digest.digest()).decode()
    return {"content_type": kind, "digest": f"md5-{text}", "length": length, "stub": True}


def _value(text):
    """A parameter of a query: JSON mostly, and bare words."""
    try:
        return json.loads(text)
    except ValueError:
        return text
