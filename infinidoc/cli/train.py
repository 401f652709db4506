"""`infinidoc train`: making an adapter for a base model."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from infinidoc.cli import render
from infinidoc.cli.adapters import plain
from infinidoc.cli.models import fetch
from infinidoc.cli.options import LARGEST_SEED, JsonOption, ModelOption
from infinidoc.cli.progress import progress

if TYPE_CHECKING:
    from infinidoc.model.adapters import AdapterCard

app = typer.Typer(
    no_args_is_help=True,
    help="""Train an adapter: what a frozen base model needs to recall, to read and to remember.

    An adapter has up to four parts: an address head, a reader and slots, which stand alone, and a memory. `joined`
    trains the memory on, `finish` and `settle` go further:

      infinidoc train reader --data qa --out runs/reader
      infinidoc train slots --data prose --out runs/slots
      infinidoc train write-gate --data prose --out runs/slots
      infinidoc train address-head --out runs/head
      infinidoc train memory --out runs/memory
      infinidoc train joined --init runs/head --init runs/memory --out runs/joined
      infinidoc train finish --init runs/joined --out runs/finish
      infinidoc train settle --init runs/finish --out runs/settled

    A run keeps checkpoints: the same command goes on where it was interrupted. It writes log.csv, curves.png and, at
    the end, adapter.safetensors (reader.safetensors, slots.safetensors); infinidoc ingest --adapter runs/settled …
    then uses it.""",
)

Out = Annotated[Path, typer.Option("--out", "-o", help="The run's directory: checkpoints, log, curves, adapter.")]
Steps = Annotated[int | None, typer.Option(min=1, help="How many steps; default: the recipe's.")]
Minutes = Annotated[float, typer.Option(min=0, help="End after so many minutes instead: ten of a GPU will do.")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed, another run.")]
Processes = Annotated[int | None, typer.Option(min=1, help="How many side by side, each with its share of the cores.")]
Init = Annotated[list[str], typer.Option(help="An adapter to start from: a name, or a run's directory. Repeatable.")]
Precision = Annotated[Literal["auto", "fp32", "bf16"], typer.Option(help="What the frozen base model computes in.")]
Questions = Annotated[
    Path | None,
    typer.Option(
        "--data",
        exists=True,
        file_okay=False,
        help="A directory of public questions, SOURCE.jsonl.xz (see the card); default: only the package's own.",
    ),
]
Books = Annotated[
    Path, typer.Option("--data", exists=True, file_okay=False, help="A directory of whole books, BOOK.jsonl.xz.")
]


@app.command("address-head")
def address_head(
    out: Out,
    data: Questions = None,
    steps: Steps = None,
    seed: Seed = 0,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Train recall: which passages does a question need? Minutes on two cores.

    Example:

      infinidoc train address-head --out runs/head
    """
    from infinidoc.training.address_head import Settings
    from infinidoc.training.run import train_address_head

    fetch(model)
    settings = Settings(seed=seed, **given(steps=steps))
    with progress() as show:

        def notify(stage: str, done: int, total: int, loss: float) -> None:
            what = {"states": "reading the texts", "steps": f"training, loss {loss:.2f}"}[stage]
            show(f"{what}, {done}/{total}", done, total)

        card = train_address_head(model, settings, out, notify, data)
    done(card, json)


@app.command("reader")
def reader(
    out: Out,
    data: Questions = None,
    passes: Annotated[float, typer.Option(min=0.01, help="How often to go over all questions.")] = 1.0,
    minutes: Minutes = 0,
    batch: Annotated[int | None, typer.Option(min=1, help="Questions a step; default: 128.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of the LoRA factors; default: 32.")] = None,
    first_layer: Annotated[
        int | None, typer.Option(min=0, help="The lowest that is trained; default: the one addresses come from.")
    ] = None,
    seed: Seed = 0,
    precision: Precision = "auto",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Train reading: short answers from the passages in the window, or "not in these documents".

    The reader stands alone: in the directory of an adapter it becomes that adapter's reader, and no collection changes.

    Examples:

      infinidoc train reader --data qa --out runs/reader

      infinidoc train reader --data qa --minutes 10 --model qwen2.5-coder-0.5b-instruct --out runs/reader

    Without a GPU, fewer layers and smaller steps see more questions in an hour:

      infinidoc train reader --data qa --minutes 90 --batch 32 --rank 16 --first-layer 12 --out runs/reader
    """
    from infinidoc.training.run import train_reader

    fetch(model)
    settings = given(questions=batch, rank=rank, first_layer=first_layer)
    with progress() as show:
        card = train_reader(model, out, data, show, precision, passes=passes, minutes=minutes, seed=seed, **settings)
    done(card, json)


@app.command("slots")
def slots(
    out: Out,
    data: Books,
    steps: Steps = None,
    minutes: Minutes = 0,
    length: Annotated[int | None, typer.Option(min=1024, help="Tokens of an excerpt; default: 1,536.")] = None,
    seed: Seed = 0,
    precision: Precision = "auto",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Train reading through slots: to go on with a book as if all of it stood in the window.

    Attention is taught layer by layer, then all layers together. What comes of it is loaded for memories with slots and
    for nothing else. Every fourth book is held out, and written to OUT/held-out.

    Examples:

      infinidoc train slots --data prose --out runs/slots

      infinidoc train slots --data prose --minutes 10 --length 4096 --out runs/slots

      infinidoc bench perplexity --slots 256 --adapter runs/slots --prose runs/slots/held-out
    """
    from infinidoc.training.run import train_slots

    fetch(model)
    settings = given(steps=steps, length=length)
    with progress() as show:
        card = train_slots(model, out, data, show, precision, minutes=minutes, seed=seed, **settings)
    done(card, json)


@app.command("write-gate")
def write_gate(
    out: Out,
    data: Books,
    excerpts: Annotated[int | None, typer.Option(min=1, help="Of 2,048 tokens each; default: 24.")] = None,
    seed: Seed = 0,
    precision: Precision = "auto",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Fit what slots should keep: which tokens will be looked at, foreseen from hidden states. Minutes on a core.

    There are no steps: one pass over some excerpts of books, and a linear map per layer and KV head is solved for.

    Examples:

      infinidoc train write-gate --data prose --out runs/slots

      infinidoc bench perplexity --slots 256 --keep learnt --adapter runs/slots --prose runs/slots/held-out
    """
    from infinidoc.training.run import train_write_gate

    fetch(model)
    settings = given(excerpts=excerpts)
    with progress() as show:
        card = train_write_gate(model, out, data, show, precision, seed=seed, **settings)
    done(card, json)


def trains(part: str, text: str) -> None:
    """Makes the command for a part of which only the recipe differs."""

    @app.command(part, help=text)
    def command(
        out: Out,
        steps: Steps = None,
        seed: Seed = 0,
        processes: Processes = None,
        init: Init = [],  # noqa: B006
        precision: Precision = "auto",
        model: ModelOption = None,
        json: JsonOption = False,
    ) -> None:
        from infinidoc.model import adapters
        from infinidoc.training.recipes import PARTS
        from infinidoc.training.run import train
        from infinidoc.training.trainer import Step

        for name in init:
            adapters.find(name)  # complains before seconds go into loading the model
        fetch(model)
        recipe = PARTS[part]
        settings = replace(recipe, seed=seed, init=init, **given(steps=steps, processes=processes))
        with progress() as show:

            def notify(step: Step) -> None:
                reached = f"{step.step}/{settings.steps}"
                what = f"{step.task}: loss {step.loss:.2f}, right {step.right:.0%}, {reached}"
                show(what, step.step, settings.steps)

            card = train(model, settings, out, notify, precision)
        done(card, json)
        if find_spec("matplotlib") is None:
            render.note(f"the curves of {out / 'log.csv'} are drawn with matplotlib: pip install 'infinidoc[train]'")


trains(
    "memory",
    """Train the compressive memory: gates, write gates and LoRA factors.

    Example:

      infinidoc train memory --out runs/memory --processes 2
    """,
)
trains(
    "joined",
    """Train remembering further, with questions behind the window among its tasks, from adapters that have the parts.

    Example:

      infinidoc train joined --init runs/head --init runs/memory --out runs/joined
    """,
)
trains(
    "finish",
    """Train a joined adapter further, mostly on reading.

    Example:

      infinidoc train finish --init runs/joined --out runs/finish
    """,
)
trains(
    "settle",
    """Bring a finished adapter back towards the base model on plain prose, and teach it to go on from its memory.

    Example:

      infinidoc train settle --init runs/finish --out runs/settled
    """,
)


def given(**settings: Any) -> dict[str, Any]:
    """The settings that differ from the recipe's."""
    return {name: value for name, value in settings.items() if value is not None}


def done(card: "AdapterCard", json: bool) -> None:
    if json:
        render.print_json(plain(card))
        return
    render.out.print(f"{card.path}: {', '.join(card.parts)}, {render.size(card.size)}")
