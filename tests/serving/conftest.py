"""A real server on a free port, with the tiny model."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import uvicorn

from infinidoc.reading import asking
from infinidoc.reading.collection import Collection
from infinidoc.serving.app import config, create
from infinidoc.serving.library import Library
from tests.reading.library import without_threshold, write_library


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


@dataclass
class Client:
    """What a test asks the server with."""

    address: str
    app: object

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    def __call__(self, method, path, body=None, headers=None) -> Reply:
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        kind = {"Content-Type": "application/json"} if data is not None else {}
        request = Request(self.address + path, data, {**kind, **(headers or {})}, method=method)
        try:
            with urlopen(request, timeout=120) as reply:
                return Reply(reply.status, dict(reply.headers), reply.read())
        except HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def events(self, method, path, body=None):
        """Server-sent events as (name, data)."""
        found = []
        for block in self(method, path, body).body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in fields:
                found.append((fields.get("event"), json.loads(fields["data"])))
        return found

    def upload(self, collection, files):
        body, kind = multipart(files)
        return self("POST", f"/api/collections/{collection}/documents", body, {"Content-Type": kind})

    def read_in(self, collection, files):
        """Uploads files and waits until they are read; the last event."""
        reply = self.upload(collection, files)
        assert reply.status == 202, reply.body
        return self.events("GET", f"/api/jobs/{reply.json['job']}/events")[-1]


def multipart(files):
    body = b""
    for name, content in files.items():
        head = f'Content-Disposition: form-data; name="files"; filename="{name}"'
        body += b"--XX\r\n" + head.encode() + b"\r\nContent-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"
    return body + b"--XX--\r\n", "multipart/form-data; boundary=XX"


@contextmanager
def served(**options) -> Iterator[Client]:
    library = Library(options.pop("only", ()), options.pop("reader", "own"))
    app = create(library, **options)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config(app))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}", app.app)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def lenient(tiny, monkeypatch):
    """A random model knows nothing of relevance: every passage will do."""
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    monkeypatch.setattr(asking, "WORTH_READING", -float("inf"))
    without_threshold(monkeypatch)


@pytest.fixture
def ships(lenient, tmp_path):
    """A named collection; the folder of its files."""
    docs = write_library(tmp_path / "docs", count=3)
    with Collection.open("ships") as collection:
        collection.ingest([docs])
    return docs


@pytest.fixture
def server(ships):
    with served() as client:
        yield client
