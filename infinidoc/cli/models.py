"""`infinidoc models`: which base models are here, fetching one, looking at one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.options import JsonOption
from infinidoc.cli.progress import progress
from infinidoc.errors import InfinidocError
from infinidoc.model import catalogue
from infinidoc.model.embedded import DEFAULT, EMBEDDED
from infinidoc.model.fastest import remembered
from infinidoc.model.precision import wanted

app = typer.Typer(no_args_is_help=True, help="The base models: which are here, fetching one, looking at one.")

Name = Annotated[
    str | None,
    typer.Argument(
        help=f"{', '.join(EMBEDDED)}, a directory, or a Hugging Face id (org/name). "
        f"Default: INFINIDOC_MODEL, or {DEFAULT}.",
        show_default=False,
    ),
]

STAGES = {
    "wait": "waiting for another pull",
    "look up": "looking it up",
    "download": "downloading",
    "convert": "converting",
}


def fetch(name: str | None = None) -> Path:
    """Have a model on this machine, with a progress bar on stderr if it has to be fetched.

    Raises InfinidocError if it can't be had.
    """
    found = catalogue.find(name)
    if found is not None:
        return found
    name = catalogue.base_name(name)
    with progress() as show:

        def notify(stage: str, done: int, total: int) -> None:
            show(f"{name}: {STAGES[stage]}", done, total or None)

        return catalogue.ensure(name, notify)


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """The models on this machine: the embedded ones, and those of known families in the Hugging Face cache.

    Examples:

      infinidoc models list

      infinidoc models list --json
    """
    cards = catalogue.on_this_machine()
    with render.status("hashing"):
        models = [_plain(card) for card in cards]
    if json:
        render.print_json({"models": models})
        return
    columns = ("name", "family", "parameters", "dtype", "on disk", "digest", "where")
    rows = [
        (m["name"], m["family"], millions(m), m["dtype"], render.size(m["size"]), m["digest"][:12], m["path"])
        for m in models
    ]
    if rows:
        render.print_table(columns, rows, numbers=("parameters", "on disk"))
    here = {card.name for card in cards}
    for name in EMBEDDED:
        if name not in here:
            render.note(f"{name} isn't here yet: infinidoc models pull {name}")


@app.command()
def pull(name: Name = None, json: JsonOption = False) -> None:
    """Fetch a model, and convert it if it needs that. Does nothing if it is there.

    Examples:

      infinidoc models pull

      infinidoc models pull qwen2.5-coder-0.5b-instruct

      infinidoc models pull HuggingFaceTB/SmolLM2-360M-Instruct
    """
    there = catalogue.find(name) is not None
    model = _plain(catalogue.describe(catalogue.base_name(name), fetch(name)))
    if json:
        render.print_json(model)
        return
    state = "is already there" if there else "is ready"
    about = f"{render.size(model['size'])}, digest {model['digest'][:12]}"
    render.out.print(f"{model['name']} {state}: {model['path']} ({about})")


@app.command()
def show(name: Name = None, json: JsonOption = False) -> None:
    """A model's shape, its digest, and the precision that it is read and asked in on this machine.

    Examples:

      infinidoc models show

      infinidoc models show ./my-model --json
    """
    name = catalogue.base_name(name)
    path = catalogue.find(name)
    if path is None:
        raise InfinidocError(f"{name} isn't on this machine", f"infinidoc models pull {name}")
    model = _plain(catalogue.describe(name, path))
    model["licence"] = EMBEDDED[name].licence if name in EMBEDDED else None
    choice, told = remembered(model["digest"]), wanted()
    model["fastest"] = asdict(choice) if choice else None
    if json:
        render.print_json(model)
        return
    why = f"{choice.precision}: {choice.reason}" if choice else "not measured on this machine yet"
    rows = {
        "name": name,
        "family": model["family"],
        "parameters": f"{model['parameters']:,}",
        "weights": f"{model['dtype']}, {render.size(model['size'])} on disk",
        "layers": model["layers"],
        "heads": f"{model['heads']} of {model['head_dim']} dimensions; {model['kv_heads']} for keys and values",
        "vocabulary": f"{model['vocabulary']:,}",
        "context": f"{model['context']:,} tokens",
        "precision": f"{told}: INFINIDOC_PRECISION says so" if told else why,
        "licence": model["licence"] or "see its model card",
        "digest": model["digest"],
        "where": model["path"],
    }
    render.print_facts(rows)


def _plain(card: catalogue.Card) -> dict[str, Any]:
    """A card as JSON has it, with the digest."""
    return {**asdict(card), "path": str(card.path), "digest": catalogue.digest(card.path)}


def millions(model: dict[str, Any]) -> str:
    return f"{model['parameters'] / 1e6:,.0f} M"
