"""The server that is measured against: databases for single runs, and what is really in them."""

import base64
import http.client
import json
import secrets
import time
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

PAGE = 2000


class ServerError(Exception):
    """The server refused, or is not there."""


@dataclass
class Contents:
    """What a database holds, design documents left out."""

    documents: int = 0
    attachments: int = 0
    bytes: int = 0
    later_revisions: int = 0  # documents that were written more than once


def connect(url):
    """A connection to the host of a URL."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname, url.port, timeout=300)


class Server:
    """A CouchDB named by a URL with credentials in it. Deletes on `close` what it created and was not deleted."""

    def __init__(self, text):
        self.url = urlsplit(text)
        if self.url.scheme not in ("http", "https") or not self.url.hostname:
            raise ServerError("COUCHAPP_BENCH_URL is no http or https URL")
        self.user = unquote(self.url.username or "")
        self.password = unquote(self.url.password or "")
        host = self.url.netloc.rpartition("@")[2]
        self.address = f"{self.url.scheme}://{host}{self.url.path.rstrip('/')}"
        self.address_with_credentials = f"{self.url.scheme}://{self.url.netloc}{self.url.path.rstrip('/')}"
        self._open = {}
        self._serial = 0
        self._token = secrets.token_hex(4)

    def without_password(self, text):
        """A text that may be shown."""
        for secret in filter(None, (self.url.password, self.password)):
            text = text.replace(f":{secret}@", ":****@")
        return text

    def headers(self):
        """The headers that say who we are."""
        if not self.user:
            return {}
        both = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {both}"}

    def request(self, method, path, body=None):
        """The status and the parsed answer of one request; `path` begins with `/`."""
        connection = connect(self.url)
        try:
            headers = self.headers() | {"Accept": "application/json", "Content-Type": "application/json"}
            content = None if body is None else json.dumps(body)
            connection.request(method, self.url.path.rstrip("/") + path, content, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServerError(f"{method} {path}: {error}") from error
        finally:
            connection.close()

    def get(self, path):
        """The parsed answer of a request that must succeed."""
        status, answer = self.request("GET", path)
        if status != 200:
            raise ServerError(f"GET {path}: {status} {answer}")
        return answer

    def version(self):
        """Name and version. Asks as the user, so that slow password hashing is over before anything is timed."""
        self.get("/_all_dbs?limit=1")
        answer = self.get("/")
        return f"{answer.get('vendor', {}).get('name', 'CouchDB')}, version {answer.get('version', '?')}"

    def is_pouchdb(self):
        """Whether this is PouchDB Server."""
        return "express-pouchdb" in self.get("/")

    def create(self, label):
        """A new database. Each has a name of its own: one that was just deleted may not be there yet when created."""
        self._serial += 1
        name = f"bench_{self._token}_{self._serial:03}_{label.replace('-', '_')}"
        status, answer = self.request("PUT", f"/{name}")
        if status not in (201, 202):
            raise ServerError(f"cannot create the database {name}: {status} {answer}")
        database = self._open[name] = Database(self, name)
        for _ in range(50):
            if self.request("GET", f"/{name}")[0] == 200:
                return database
            time.sleep(0.1)
        raise ServerError(f"the database {name} does not come up")

    def delete(self, database):
        """Deletes what `create` made."""
        self.request("DELETE", f"/{database.name}")
        self._open.pop(database.name, None)

    def close(self):
        """Deletes every database that is left."""
        for database in list(self._open.values()):
            self.delete(database)


class Database:
    """One database of a server."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.url = f"{server.address}/{name}"
        self.url_with_credentials = f"{server.address_with_credentials}/{name}"

    def count(self):
        """How many documents there are now."""
        return self.server.get(f"/{self.name}")["doc_count"]

    def document(self, identifier):
        """One document, its attachments as stubs."""
        return self.server.get(f"/{self.name}/{quote(identifier, safe='/')}")

    def revisions(self):
        """The revision of each document."""
        return {row["id"]: row["value"]["rev"] for row in self.server.get(f"/{self.name}/_all_docs")["rows"]}

    def contents(self):
        """Counts documents and the bytes of their attachments, page by page."""
        contents, start = Contents(), ""
        while True:
            rows = self.server.get(f"/{self.name}/_all_docs?include_docs=true&limit={PAGE}{start}")["rows"]
            for row in rows:
                if not row["id"].startswith("_design/"):
                    _add(contents, row["doc"])
            if len(rows) < PAGE:
                return contents
            start = f"&skip=1&startkey={quote(json.dumps(rows[-1]['id']))}"


def _add(contents, document):
    attachments = document.get("_attachments", {}).values()
    contents.documents += 1
    contents.attachments += len(attachments)
    contents.bytes += sum(attachment["length"] for attachment in attachments)
    contents.later_revisions += not document["_rev"].startswith("1-")
