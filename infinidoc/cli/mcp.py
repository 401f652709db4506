"""`infinidoc mcp`."""

import signal
from typing import Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.options import ReaderOption
from infinidoc.cli.serve import run, wanted_reader, wanted_token
from infinidoc.errors import InfinidocError


def mcp(
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            "-c",
            metavar="NAME",
            help="Only this one; the first is looked into where an agent names none. Repeatable.",
        ),
    ] = None,
    http: Annotated[
        int | None,
        typer.Option("--http", metavar="PORT", min=0, max=65535, help="Serve over HTTP at this port; 0 for any."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="With --http: an address of this machine, or 0.0.0.0; others need a token.")
    ] = "127.0.0.1",
    reader: ReaderOption = None,
) -> None:
    """Let agents look into collections, over the Model Context Protocol.

    An agent starts this command and speaks with it over standard input and output; the README says how to tell it to.
    It gets five tools, which change nothing: search, ask, summarize, read and list_documents. With --http agents
    connect to a server that runs already, at /mcp: only those of this machine, unless --host says otherwise; then
    they need a token, that of INFINIDOC_TOKEN or one that is printed. It needs infinidoc[mcp].

    Examples:

      infinidoc mcp
      infinidoc mcp --collection manuals
      infinidoc mcp --http 8766
    """
    try:
        from infinidoc.serving.guard import Guard
        from infinidoc.serving.mcp import create
    except ImportError as error:
        raise InfinidocError("this needs the SDK of MCP", "pip install 'infinidoc[mcp]'") from error
    from infinidoc.memory.places import existing
    from infinidoc.serving.library import Library

    for name in collection or ():
        existing(name)  # complains now: whoever started an agent does not see what that is told later
    library = Library(collection or (), wanted_reader(reader))
    server = create(library)
    try:
        if http is None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # else Ctrl-C would wait for the next line of input
            server.run("stdio")
        else:
            token, is_new = wanted_token(host)
            if is_new:
                render.out.print(f"token: {token}")
            run(Guard(server.streamable_http_app(host=host), host, token), host, http, "mcp")
    finally:
        library.close()
