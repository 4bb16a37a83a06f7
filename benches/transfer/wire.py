"""Serving HTTP from a thread, for the stand-ins of this benchmark: bodies of any size, read as they come."""

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Body(io.RawIOBase):
    """The body of a request, with a length or in chunks."""

    def __init__(self, source, headers):
        self._source = source
        self._chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        self._left = 0 if self._chunked else int(headers.get("Content-Length") or 0)
        self._ended = False

    def readable(self):
        """Always."""
        return True

    def readinto(self, buffer):
        """As much as is there; 0 at the end."""
        if self._left == 0 and self._chunked:
            self._next_chunk()
        wanted = min(len(buffer), self._left)
        if wanted == 0:
            return 0
        count = self._source.readinto1(memoryview(buffer)[:wanted])
        if count == 0:
            raise ConnectionError("the body is shorter than announced")
        self._left -= count
        if self._left == 0 and self._chunked:
            self._source.readline()
        return count

    def _next_chunk(self):
        if self._ended:
            return
        self._left = int(self._source.readline().split(b";")[0], 16)
        if self._left == 0:
            self._ended = True
            while self._source.readline().strip():
                pass


class Handler(BaseHTTPRequestHandler):
    """One request at a time; a subclass has `answer(body)`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 18

    def handle_one(self):
        """Whatever the request leaves unread is read, so that the next one begins where it should."""
        body = io.BufferedReader(Body(self.rfile, self.headers), 1 << 18)
        self.answer(body)
        while body.read(1 << 18):
            pass

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_COPY = do_OPTIONS = handle_one

    def answer(self, body):
        """Reads what it needs of the body and answers with `send`."""
        raise NotImplementedError

    def send(self, status, content, headers=()):
        """A whole answer; no body for HEAD."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_arguments):
        """Nothing: what is printed is the table."""


class Serving:
    """A server on a free port of this machine while a `with` block runs."""

    def __init__(self, handler):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self._server.shutdown()
        self._server.server_close()
