"""`infinidoc readers`: which readers there are, and which one is asked."""

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.models import fetch
from infinidoc.cli.options import JsonOption
from infinidoc.model import adapters, catalogue

app = typer.Typer(no_args_is_help=True, help="What answers from the passages that were found: listing, choosing.")

WHAT = {
    "own": "the model that a collection was read with, and its memory",
    "model": "another base model on this machine",
    "endpoint": "an OpenAI-style endpoint: question and passages are sent there",
}


@dataclass(frozen=True)
class Row:
    """`kind` is own, model or endpoint; `adapter` the name of the one that a model would read with, if there is one."""

    name: str
    kind: str
    adapter: str | None
    chosen: bool


@app.command("list")
def list_readers(json: JsonOption = False) -> None:
    """The collection's own, the base models on this machine, and the endpoint that was chosen, if one was.

    Any other endpoint can be named as it is: URL#MODEL.

    Example:

      infinidoc readers list --json
    """
    from infinidoc.reading.readers import choice
    from infinidoc.reading.readers.endpoint import is_endpoint

    chosen = choice.chosen()
    rows = [Row(choice.OWN, "own", None, chosen == choice.OWN)]
    with render.status("hashing"):
        for card in catalogue.on_this_machine():
            adapter = adapters.default_for(catalogue.digest(card.path))
            rows.append(Row(card.name, "model", adapter.name if adapter else None, chosen == card.name))
    if chosen not in [row.name for row in rows]:
        rows.append(Row(chosen, "endpoint" if is_endpoint(chosen) else "model", None, True))
    if json:
        render.print_json({"readers": [asdict(row) for row in rows]})
        return
    table = [(row.name, "yes" if row.chosen else "", row.adapter or "", WHAT[row.kind]) for row in rows]
    render.print_table(("name", "asked by default", "adapter", "what it is"), table)


@app.command()
def use(
    name: Annotated[
        str,
        typer.Argument(
            help="own, a base model, or an endpoint as URL#MODEL; its key, if it wants one, in INFINIDOC_READER_KEY."
        ),
    ],
) -> None:
    """Make a reader the one that ask and chat use from now on; own for each collection's own model again.

    Examples:

      infinidoc readers use qwen2.5-coder-0.5b-instruct

      infinidoc readers use http://localhost:11434/v1#qwen3:8b

      infinidoc readers use own
    """
    from infinidoc.reading.readers import choice
    from infinidoc.reading.readers.endpoint import is_endpoint

    choice.check(name)
    if name != choice.OWN and not is_endpoint(name):
        fetch(name)
    choice.use(name)
    sent = "; question and passages are sent there" if is_endpoint(name) else ""
    render.note(f"ask and chat will use {'the model of each collection' if name == choice.OWN else name}{sent}")
