"""Requests on connections that stay open: one for each thread. What the measuring itself asks is counted here."""

import base64
import http.client
import json
import threading
from urllib.parse import unquote, urlsplit


class Failed(Exception):
    """Something could not be measured."""


class Server:
    """A server named by a URL, which may have credentials in it."""

    def __init__(self, text):
        url = urlsplit(text)
        if url.scheme != "http" or not url.hostname:
            raise Failed("the server's URL is no http URL")
        self.user, self.password = unquote(url.username or ""), unquote(url.password or "")
        self.address = f"http://{url.netloc.rpartition('@')[2]}"
        self._host, self._port = url.hostname, url.port or 80
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.user:
            both = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {both}"
        self._own = threading.local()
        self._lock = threading.Lock()
        self.asked = 0

    def raw(self, method, path, body=None):
        """The status and the bytes of one answer. Asked once more where a connection was closed meanwhile."""
        with self._lock:
            self.asked += 1
        for is_last in (False, True):
            connection = getattr(self._own, "connection", None)
            if connection is None:
                connection = self._own.connection = http.client.HTTPConnection(self._host, self._port, timeout=120)
            try:
                connection.request(method, path, body, self._headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._own.connection = None
                if is_last:
                    raise Failed(f"{method} {path}: {error}") from error
        raise Failed("unreachable")

    def request(self, method, path, body=None):
        """The status and the parsed answer."""
        status, content = self.raw(method, path, None if body is None else json.dumps(body))
        return status, json.loads(content or "null")

    def ask(self, method, path, body=None):
        """The parsed answer of a request that must succeed."""
        status, answer = self.request(method, path, body)
        if not 200 <= status < 300:
            raise Failed(f"{method} {path}: {status} {answer}")
        return answer

    def requests(self):
        """How many requests the server has counted, this one left out and those of this object."""
        value = self.ask("GET", "/_node/_local/_stats/couchdb/httpd/requests")["value"]
        return value - self.asked
