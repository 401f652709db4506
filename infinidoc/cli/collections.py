"""`infinidoc collections`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.options import JsonOption
from infinidoc.errors import Damaged, InfinidocError

app = typer.Typer(no_args_is_help=True, help="List, show, check, repair, remove and rename collections.")

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

    found: list[dict[str, Any]] = []
    for place in places():
        try:
            found.append(facts(place.name))
        except InfinidocError as error:  # one that can't be opened doesn't hide the others
            found.append({"name": place.name, "directory": str(place.directory), "error": str(error)})
    if json:
        render.print_json({"collections": found})
    elif not found:
        render.note("there are no collections yet; make one with: infinidoc ingest PATH")
    else:
        rows = []
        for f in found:
            known = "error" not in f
            numbers = (f"{f['documents']:,}", f"{f['tokens']:,}", render.size(kept(f)), f["model"]) if known else "????"
            rows.append((f["name"], *numbers, f["directory"]))
        columns = ("name", "documents", "tokens", "kept", "model", "directory")
        render.print_table(columns, rows, numbers=("documents", "tokens", "kept"))
        for f in found:
            if "error" in f:
                render.error(f["error"])


def kept(found: dict[str, Any]) -> int:
    """All bytes that a collection keeps."""
    return sum(found[part] for part in ("text_bytes", "address_bytes", "state_bytes"))


@app.command()
def show(name: Name = ".", json: JsonOption = False) -> None:
    """Show what a collection holds, and what it was read with.

    Example:

      infinidoc collections show manuals
    """
    from infinidoc.memory.records import NO_KERNEL

    found = facts(name)
    if json:
        render.print_json(found)
        return
    sizes = {key: render.size(value) for key, value in found.items() if key.endswith("_bytes")}
    held, tokens = found["memory_tokens"], found["tokens"]
    waits = held < tokens and found["kernel"] != NO_KERNEL
    so_far = f"{held:,} of {tokens:,}; the next ingest reads on" if waits else f"{held:,}"
    counts = {key: f"{found[key]:,}" for key in ("documents", "pages", "tokens", "passages")}
    shown = {**found, **counts, **sizes, "memory_tokens": so_far}
    render.print_facts({key.replace("_", " "): value for key, value in shown.items()})


@app.command()
def check(name: Name = ".", json: JsonOption = False) -> None:
    """Look whether a collection is as it was written; with exit code 1 if it isn't.

    Example:

      infinidoc collections check manuals
    """
    from infinidoc.memory.check import check as look
    from infinidoc.memory.places import existing
    from infinidoc.memory.store import Store

    place = existing(name)
    try:
        with Store.open(place.directory) as store:
            documents, faults = len(store.documents()), look(store).lines
    except Damaged as error:
        documents, faults = 0, [str(error).partition(": see")[0]]
    if json:
        render.print_json({"name": place.name, "directory": str(place.directory), "faults": faults})
    elif not faults:
        render.out.print(f"{place.directory} is whole: {render.plural(documents, 'document')}")
    else:
        for fault in faults:
            render.out.print(fault)
        render.note(f"to mend it: infinidoc collections repair {place.name}")
    if faults:
        raise typer.Exit(1)


@app.command()
def repair(name: Name = ".", json: JsonOption = False) -> None:
    """Mend a damaged collection: what was lost of it is read again from the text that it has.

    Example:

      infinidoc collections repair manuals
    """
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.repair import repair as mend

    with Collection.open(name, create=False) as target:
        done = mend(target)
    if json:
        render.print_json(asdict(done))
    elif not done.faults:
        render.out.print(f"{target.directory} is whole: nothing to do")
    else:
        for fault in done.faults:
            render.out.print(f"was: {fault}")
        render.out.print(f"{target.directory} is whole again; read anew: {len(done.read_again):,}")
        for path in done.lost:
            render.error(f"{path} could not be saved: read it again with infinidoc ingest")


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

    place = places.existing(name)
    if not yes:
        try:
            holds = f"{facts(name)['documents']:,} documents"
        except InfinidocError as error:
            holds = str(error)
        render.confirm(f"Delete the collection at {place.directory} ({holds})?")
    places.remove(name)
    render.out.print(f"removed {place.directory}")


@app.command()
def rename(name: Name, new: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Give a collection another name. This directory's own (".") becomes a named one.

    Example:

      infinidoc collections rename manuals handbooks
    """
    from infinidoc.memory import places

    place = places.rename(name, new)
    render.out.print(f"{name} is now {place.name}, at {place.directory}")
