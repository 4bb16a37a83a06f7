"""A proxy between our tool and the server that counts requests. Nothing is timed through it."""

import http.client
import threading

from .couchdb import connect
from .wire import Handler, Serving

# What belongs to one connection and not to the message.
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "trailer"}


class CountingProxy:
    """Passes everything on and remembers method and path of each request."""

    def __init__(self, url):
        self.requests = []
        handler = type("Passing", (_Passing,), {"upstream": url, "requests": self.requests})
        self._serving = Serving(handler)
        self.address = f"http://127.0.0.1:{self._serving.port}{url.path.rstrip('/')}"

    def __enter__(self):
        self._serving.__enter__()
        return self

    def __exit__(self, *error):
        self._serving.__exit__(*error)

    def forget(self):
        """Begins to count anew."""
        self.requests.clear()


class _Passing(Handler):
    upstream = None
    requests = None
    _thread = threading.local()

    def answer(self, body):
        """Waits for the whole answer: the sizes here are small."""
        self.requests.append(f"{self.command} {self.path.partition('?')[0]}")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        status, content, answered = self._forward(body.read(), headers)
        self.send(status, content, answered)

    def _forward(self, content, headers):
        connection = connect(self.upstream)
        try:
            connection.request(self.command, self.path, content or None, headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP]
            return answer.status, answer.read(), kept
        except (OSError, http.client.HTTPException) as error:
            return 502, str(error).encode(), []
        finally:
            connection.close()
