"""Sends a folder with `_bulk_docs`, as people do it in a page of Python.

`BENCH_DATABASE=URL bulk_loop.py FOLDER [BATCH]`: one connection that is kept, BATCH documents a request (100 unless
said), the files inline as Base64, one request after the other.
"""

import base64
import http.client
import json
import mimetypes
import os
import sys
from urllib.parse import unquote, urlsplit


def files(folder):
    """The paths of all files, relative and with `/`."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")


def document(folder, path):
    """A file as a document with one attachment."""
    with open(os.path.join(folder, path), "rb") as file:
        data = base64.b64encode(file.read()).decode()
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    name = path.rsplit("/", 1)[-1]
    return {"_id": path, "_attachments": {name: {"content_type": kind, "data": data}}}


def send(connection, path, headers, documents):
    """One request; ends the program when anything in it was refused."""
    connection.request("POST", path, json.dumps({"docs": documents}), headers)
    answer = connection.getresponse()
    rows = json.loads(answer.read())
    if answer.status not in (201, 202) or not all(row.get("ok") for row in rows):
        sys.exit(f"error: {answer.status}: {str(rows)[:200]}")


def main():
    """Sends everything."""
    url = urlsplit(os.environ["BENCH_DATABASE"])
    folder, batch = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    headers = {"Content-Type": "application/json"}
    if url.username:
        both = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname, url.port)
    documents = []
    for path in files(folder):
        documents.append(document(folder, path))
        if len(documents) == batch:
            send(connection, f"{url.path}/_bulk_docs", headers, documents)
            documents = []
    if documents:
        send(connection, f"{url.path}/_bulk_docs", headers, documents)


main()
