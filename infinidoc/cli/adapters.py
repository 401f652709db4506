"""`infinidoc adapters`: which adapters are here, what one is, and which one new collections use."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.models import fetch
from infinidoc.cli.options import JsonOption, ModelOption
from infinidoc.errors import InfinidocError
from infinidoc.model import adapters
from infinidoc.model.catalogue import base_digest

app = typer.Typer(no_args_is_help=True, help="What training added to a base model: listing, looking at it, choosing.")

Name = Annotated[str, typer.Argument(help="An adapter's name, or its directory.")]


@app.command("list")
def list_adapters(json: JsonOption = False) -> None:
    """The adapters on this machine: the shipped one, and those in INFINIDOC_HOME/adapters.

    Example:

      infinidoc adapters list --json
    """
    cards = adapters.available()
    if json:
        render.print_json({"adapters": [plain(card) for card in cards]})
        return
    columns = ("name", "parts", "base model", "kernel", "size", "used by default", "where")
    rows = [
        (
            card.name,
            ", ".join(card.parts),
            card.model,
            card.kernel,
            render.size(card.size),
            "yes" if adapters.default_for(card.model_digest) == card else "",
            "with the package" if card.shipped else str(card.path),
        )
        for card in cards
    ]
    if rows:
        render.print_table(columns, rows, numbers=("size",))
    else:
        render.note("no adapters here: infinidoc train --help")


@app.command()
def show(name: Name, json: JsonOption = False) -> None:
    """An adapter's model card: what it was trained on, with which commands, and what it can do.

    Example:

      infinidoc adapters show smollm2-135m-instruct
    """
    card = adapters.find(name)
    if json:
        render.print_json({**plain(card), "digest": adapters.digest(card), "card": card.readme})
        return
    facts = {key: value for key, value in plain(card).items() if value not in (None, "")}
    facts["size"], facts["parts"] = render.size(card.size), ", ".join(card.parts)
    render.print_facts({**facts, "digest": adapters.digest(card)})
    if card.readme:
        render.out.print()
        render.out.write(card.readme)


@app.command()
def use(name: Name, model: ModelOption = None) -> None:
    """Make an adapter the one that new collections of its base model use; none for none.

    Collections that exist keep the adapter that they were read with.

    Examples:

      infinidoc adapters use runs/joined

      infinidoc adapters use none
    """
    fetch(model)
    digest = base_digest(model)
    if name != adapters.NONE:
        card = adapters.find(name)
        if card.model_digest != digest:
            raise InfinidocError(
                f"the adapter {card.name} was trained on {card.model} ({card.model_digest[:12]}), "
                f"not on this base model ({digest[:12]})",
                "name its base model with --model, or choose another adapter",
            )
        name = card.reference
    adapters.use(digest, name)
    render.note(f"new collections will use {'no adapter' if name == adapters.NONE else name}")


def plain(card: adapters.AdapterCard) -> dict[str, Any]:
    return {**asdict(card), "path": str(card.path)}
