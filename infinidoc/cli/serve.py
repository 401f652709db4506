"""`infinidoc serve`."""

import errno
import os
import secrets
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.models import fetch
from infinidoc.cli.options import ReaderOption
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.serving.guard import Guard

TOKEN = "INFINIDOC_TOKEN"


def serve(
    host: Annotated[
        str, typer.Option(help="Where others can reach it: an address of this machine, or 0.0.0.0; needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8765,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", metavar="NAME", help="Only this one. Repeatable.")
    ] = None,
    reader: ReaderOption = None,
) -> None:
    """Serve collections: a web page, a JSON API, and OpenAI-style chat.

    Only this machine can reach it, unless --host says otherwise: then whoever asks needs a token, that of
    INFINIDOC_TOKEN or one that is printed. /openapi.json describes the API; to OpenAI's clients, at /v1, each
    collection is a model. It needs infinidoc[serve]; Ctrl-C ends it.

    Examples:

      infinidoc serve
      infinidoc serve --collection manuals --port 9000
      infinidoc serve --host 0.0.0.0 --reader http://localhost:11434/v1#qwen3:8b
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InfinidocError("the server is an extra", "pip install 'infinidoc[serve]'") from error
    from infinidoc.memory import places
    from infinidoc.memory.store import Store
    from infinidoc.serving.app import create
    from infinidoc.serving.library import Library

    reader = wanted_reader(reader)
    for name in collection or ():
        if not Store.exists(places.place(name).directory):
            render.note(f"there is no collection {name} yet: the first upload to it makes it")
    token, is_new = wanted_token(host)
    run(create(Library(collection or (), reader), host, token), host, port, f"#token={token}" if is_new else "")


def wanted_reader(name: str | None) -> str:
    """The reader that was asked for, else the one that was chosen; fetched, if need be."""
    from infinidoc.reading.readers import choice
    from infinidoc.reading.readers.endpoint import is_endpoint

    reader = name or choice.chosen()
    choice.check(reader)
    if reader != choice.OWN and not is_endpoint(reader):
        fetch(reader)
    return reader


def wanted_token(host: str) -> tuple[str | None, bool]:
    """The token that clients have to know, and whether it was made up just now; None if only this machine can ask.

    Raises InfinidocError if the one that is set can't be sent.
    """
    from infinidoc.serving.guard import is_loopback

    given = os.environ.get(TOKEN)
    if given is not None and not (given.isascii() and given.isprintable() and given.strip()):
        raise InfinidocError(f"{TOKEN} holds no token", "set it to letters and digits, or unset it")
    made = None if given or is_loopback(host) else secrets.token_urlsafe(24)
    return given or made, made is not None


def run(app: "Guard", host: str, port: int, path: str = "") -> None:
    """Serves an application until Ctrl-C, and says where: at this path. Raises InfinidocError if nobody can listen."""
    import uvicorn

    from infinidoc.serving.app import config

    with _listening(host, port) as listening:
        found = listening.getsockname()[1]
        name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
        address = f"http://[{name}]:{found}" if ":" in name else f"http://{name}:{found}"
        render.out.print(f"infinidoc listens at {address}/{path}")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config(app)).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Raises InfinidocError where nobody can listen."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(place[:2], family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InfinidocError(f"port {port} is in use", "choose another one with --port") from error
        reason = (error.strerror or str(error)).lower()
        raise InfinidocError(f"can't listen at {host}, port {port} ({reason})", "see --host and --port") from error
