"""OpenAI-style servers of every kind, good and bad, on this machine."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Server:
    """Where it is, and the requests that it got: (head, body) each."""

    address: str
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.address}/v1#small"


Behaviour = Callable[[socket.socket], None]
"""What is done with a connection once the request is read."""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
    open_ones: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                stream = connection.makefile("rb")
                head = b""
                while (line := stream.readline()).strip():
                    head += line
                length = next(
                    int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")
                )
                server.asked.append((head.decode(), json.loads(stream.read(length))))
                behaviour(connection)
            except (OSError, StopIteration):  # the other side has hung up
                pass

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            connection.close()


def reply(body: bytes | str, status: str = "200 OK", kind: str = "application/json") -> Behaviour:
    """One whole reply."""
    content = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + content)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(content: str | None, finish: str | None = None, **delta: str) -> bytes:
    choice = {"index": 0, "delta": {**({"content": content} if content is not None else {}), **delta}}
    return b"data: " + json.dumps({"choices": [{**choice, "finish_reason": finish}]}).encode() + b"\n\n"


def stream(*pieces: str | bytes, end: bytes = b"data: [DONE]\n\n") -> Behaviour:
    """Server-sent events: strings are pieces of the answer, bytes are sent as they are."""
    sent = b"".join(piece if isinstance(piece, bytes) else event(piece) for piece in pieces)
    return lambda connection: connection.sendall(STREAM + sent + end)
