"""`infinidoc collections`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.options import JsonOption

app = typer.Typer(no_args_is_help=True, help="List, show, remove and rename collections.")

Name = Annotated[str, typer.Argument(help='The collection; "." is this directory\'s own.')]


def facts(name: str) -> dict[str, Any]:
    """Everything that a collection's manifest says of it."""
    from infinidoc.memory.places import existing
    from infinidoc.memory.store import Store

    place = existing(name)
    with Store.open(place.directory) as store:
        return {"name": place.name, "directory": str(place.directory), **store.counts(), **asdict(store.identity)}


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List this directory's collection and the named ones.

    Example:

      infinidoc collections list
    """
    from infinidoc.memory.places import places

    found = [facts(place.name) for place in places()]
    if json:
        render.print_json({"collections": found})
    elif not found:
        render.note("there are no collections yet; make one with: infinidoc ingest PATH")
    else:
        rows = [
            (f["name"], f"{f['documents']:,}", f"{f['tokens']:,}", render.size(kept(f)), f["model"], f["directory"])
            for f in found
        ]
        columns = ("name", "documents", "tokens", "kept", "model", "directory")
        render.print_table(columns, rows, numbers=("documents", "tokens", "kept"))


def kept(found: dict[str, Any]) -> int:
    """All bytes that a collection keeps."""
    return sum(found[part] for part in ("text_bytes", "address_bytes", "state_bytes"))


@app.command()
def show(name: Name = ".", json: JsonOption = False) -> None:
    """Show what a collection holds, and what it was read with.

    Example:

      infinidoc collections show manuals
    """
    found = facts(name)
    if json:
        render.print_json(found)
        return
    sizes = {key: render.size(value) for key, value in found.items() if key.endswith("_bytes")}
    counts = {key: f"{found[key]:,}" for key in ("documents", "pages", "tokens", "passages")}
    render.print_facts({key.replace("_", " "): value for key, value in {**found, **counts, **sizes}.items()})


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete a collection: its memory, addresses, text and log. The files that it was made from stay.

    Example:

      infinidoc collections remove manuals --yes
    """
    from infinidoc.memory import places

    found = facts(name)
    if not yes:
        render.confirm(f"Delete the collection at {found['directory']} ({found['documents']:,} documents)?")
    places.remove(name)
    render.out.print(f"removed {found['directory']}")


@app.command()
def rename(name: Name, new: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Give a collection another name. This directory's own (".") becomes a named one.

    Example:

      infinidoc collections rename manuals handbooks
    """
    from infinidoc.memory import places

    place = places.rename(name, new)
    render.out.print(f"{name} is now {place.name}, at {place.directory}")
