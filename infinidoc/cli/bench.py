"""`infinidoc bench`: what the compressive memory keeps of long texts, measured."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.options import LARGEST_SEED, JsonOption
from infinidoc.cli.progress import progress
from infinidoc.errors import InfinidocError
from infinidoc.evaluation.longcontext.lengths import parse_lengths, parse_slots, short

if TYPE_CHECKING:
    from infinidoc.evaluation.longcontext.bench import Bench
    from infinidoc.evaluation.longcontext.hidden import BenchProgress
    from infinidoc.evaluation.longcontext.prose import Prose
    from infinidoc.evaluation.longcontext.published import Published

app = typer.Typer(
    no_args_is_help=True,
    help="Measure what the memory keeps of long texts, and what it costs. Each command prints a table, writes a JSON "
    "file and a PNG, and goes on where it was interrupted.",
)

LengthsOption = Annotated[
    str, typer.Option("--lengths", "-l", help="In tokens, separated by commas; k is 1,024 and m 1,048,576.")
]
SamplesOption = Annotated[int, typer.Option(min=1, help="How many questions per cell of the table.")]
SeedOption = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same samples.")]
AdapterOption = Annotated[
    str | None, typer.Option("--adapter", "-a", help="An adapter's name, or none; default: a new collection's.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", envvar="INFINIDOC_MODEL", help="The base model: a directory or a hub id.")
]
ProseOption = Annotated[
    list[str],
    typer.Option("--prose", metavar="PATH", help="Files or directories to take text from. Default: examples/library."),
]
SlotsOption = Annotated[
    str,
    typer.Option(
        help="Measure memories of so many slots: numbers, separated by commas; default: none.", show_default=False
    ),
]
KeepOption = Annotated[
    str,
    typer.Option(
        help="Which pairs stay in the slots: those with most attention, with most attention of the latest 128 tokens "
        "(late), that a write gate foresees it for (learnt), or that a sum gives back worst (residual). Several, "
        "separated by commas, share the slots; default: what slots keep elsewhere.",
        show_default=False,
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the JSON file and the PNG go.")]
OUT = Path("bench-results")


@app.command()
def passkey(
    lengths: LengthsOption = "4k,32k,128k",
    samples: SamplesOption = 20,
    seed: SeedOption = 0,
    slots: SlotsOption = "",
    keep: KeepOption = "",
    adapter: AdapterOption = None,
    model: ModelOption = None,
    out: OutOption = OUT,
    json: JsonOption = False,
) -> None:
    """Five digits in a text that repeats itself, at its start, middle and end; asked of the memory alone.

    Every token of the text really goes through the model, however long it is.

    Examples:

      infinidoc bench passkey

      infinidoc bench passkey --lengths 32k,1m,10m --samples 20 --json

      infinidoc bench passkey --slots 256 --keep residual --adapter none
    """
    with measuring(lengths, samples, seed, slots, keep, adapter, model) as bench:
        result = bench.passkey()
    names = {0.0: "start", 0.5: "middle", 1.0: "end"}
    report(result, out, json, lambda: print_accuracy(result, "depth", names.__getitem__))


def measures(name: str, lengths: str, samples: int, show: Callable[[dict[str, Any]], None], text: str) -> None:
    """Makes a command that measures on real prose: what it measures (a method of `Bench`) and its table differ."""

    @app.command(name, help=text)
    def command(
        lengths: LengthsOption = lengths,
        samples: SamplesOption = samples,
        seed: SeedOption = 0,
        slots: SlotsOption = "",
        keep: KeepOption = "",
        prose: ProseOption = [],  # noqa: B006
        adapter: AdapterOption = None,
        model: ModelOption = None,
        out: OutOption = OUT,
        json: JsonOption = False,
    ) -> None:
        with measuring(lengths, samples, seed, slots, keep, adapter, model, prose) as bench:
            result = getattr(bench, name)(read(bench, prose))
        report(result, out, json, lambda: show(result))


measures(
    "needle",
    "1k,4k,16k,32k",
    10,
    lambda result: print_accuracy(result, "depth", lambda depth: f"{100 * depth:.0f} %"),
    """A fact in real prose that doesn't repeat itself: a map of lengths and depths; asked of the memory alone.

    Examples:

      infinidoc bench needle
      infinidoc bench needle --lengths 128k,1m --prose ./books
      infinidoc bench needle --lengths 4k --slots 128,256 --keep attention,residual --adapter none
    """,
)
measures(
    "babi",
    "4k,32k",
    20,
    lambda result: print_accuracy(result, "task", str),
    """bAbI QA1 to QA5: stories whose facts are scattered through real prose (BABILong); asked of the memory alone.

    Examples:

      infinidoc bench babi
      infinidoc bench babi --lengths 4k,32k,128k,1m --samples 100 --prose ./books
    """,
)


measures(
    "perplexity",
    "512,1k,2k,4k,8k",
    20,
    lambda result: print_perplexity(result),
    """How well the model predicts long documents: by the window alone, with the memory, with all of it in the window.

    Lengths are what was read of a document before the segment that is scored. Slots are pairs of key and value that are
    kept word for word, so many per layer and head; with --adapter none by themselves, else beside the adapter's sum.

    Examples:

      infinidoc bench perplexity
      infinidoc bench perplexity --lengths 1k,8k,64k --prose ./books --samples 50
      infinidoc bench perplexity --slots 64,128,256,512 --keep attention,residual --adapter none
    """,
)


@app.command()
def memory(
    lengths: LengthsOption = "4k,32k,128k,1m,10m",
    adapter: AdapterOption = None,
    model: ModelOption = None,
    out: OutOption = OUT,
    json: JsonOption = False,
) -> None:
    """Bytes kept of a text, by its length: ours beside full attention and other memories, by the paper's formulas.

    Examples:

      infinidoc bench memory

      infinidoc bench memory --lengths 1m,100m --json
    """
    wanted = parse_lengths(lengths)
    from infinidoc.cli.models import fetch
    from infinidoc.evaluation.longcontext.bench import memory

    fetch(model)
    result = memory(model, adapter, wanted)
    report(result, out, json, lambda: print_memory(result))


@contextmanager
def measuring(
    lengths: str,
    samples: int,
    seed: int,
    slots: str,
    keep: str,
    adapter: str | None,
    model: str | None,
    prose: Sequence[str] = (),
) -> "Iterator[Bench]":
    """A loaded model with a progress bar."""
    wanted, (sizes, ways) = parse_lengths(lengths), parse_slots(slots, keep)
    from infinidoc.documents.discovery import discover

    discover(prose)  # complains of paths before seconds go into loading the model
    from infinidoc.cli.models import fetch
    from infinidoc.evaluation.longcontext.bench import Bench
    from infinidoc.model.loading import is_closed, load

    fetch(model)
    with render.status("loading the model"):
        base, found = load(model, adapter)
    if is_closed(base) and not sizes:
        render.note(
            "note: no trained adapter is attached, so the gates of the memory are closed: nothing can be recalled"
        )
    with progress() as show:

        def notify(reached: "BenchProgress") -> None:
            # what an earlier run had done (nothing is read) tells nothing about speed
            show("", min(reached.done, reached.total), reached.total, reached.read, "tokens", reached.name)

        yield Bench(base, found, wanted, samples, seed, notify, sizes, ways)


def read(bench: "Bench", paths: Sequence[str]) -> "Prose":
    from infinidoc.evaluation.longcontext.prose import read_prose

    return read_prose(paths, bench.base.encode)


def report(result: dict[str, Any], out: Path, json: bool, show: Callable[[], None]) -> None:
    """Writes a result and its picture, and prints it."""
    from infinidoc.evaluation import plots, results

    written = [results.write(out, result)]
    try:
        written.append(plots.draw(out, result))
    except InfinidocError as error:  # the numbers are there, and a picture can be had later without measuring again
        render.note(f"note: {error}")
    if json:
        render.print_json(result)
        return
    show()
    if published := result.get("published"):
        print_published(published)
    render.err.print()
    render.note("written: " + ", ".join(map(str, written)))


def print_published(published: "Published") -> None:
    render.out.print()
    render.out.print(f"Published: {published['source']}", style="bold")
    render.out.print(published["note"], style="dim")
    cells = [["" if cell is None else cell for cell in row] for row in published["rows"]]
    render.print_table(published["columns"], cells, published["columns"][1:])


def print_accuracy(result: dict[str, Any], column: str, named: Callable[[Any], str]) -> None:
    """Lengths down, depths or tasks across."""
    rows = result["rows"]
    values = list(dict.fromkeys(row[column] for row in rows))
    found = {(row["length"], row.get("slots"), row[column]): f"{100 * row['accuracy']:.0f} %" for row in rows}
    headings = [named(value) for value in values]
    lines = [
        [short(length), *([slots] if slots else []), *(found[length, slots, value] for value in values)]
        for length, slots in dict.fromkeys((row["length"], row.get("slots")) for row in rows)
    ]
    columns = ["tokens", *(["slots"] if rows[0].get("slots") else []), *headings]
    render.out.print(f"Right answers, {result['samples']} questions per cell, from the memory alone", style="bold")
    render.print_table(columns, lines, columns)


def print_perplexity(result: dict[str, Any]) -> None:
    rows = result["rows"]
    systems = list(dict.fromkeys(row["system"] for row in rows))
    values = {(row["length"], row["system"]): row["perplexity"] for row in rows}
    found = {key: f"{value:.2f}{gap_closed(values, *key)}" for key, value in values.items()}
    scored = {row["length"]: f"{row['tokens']:,}" for row in rows}
    lines = [
        [short(length), *(found.get((length, system), "") for system in systems), scored[length]]
        for length in lengths_of(rows)
    ]
    columns = ["read before", *systems, "tokens scored"]
    render.out.print("Perplexity of the next segment", style="bold")
    render.print_table(columns, lines, columns)


def gap_closed(values: dict[tuple[int, str], float], length: int, system: str) -> str:
    """How much slots win back of what full attention gains over the window alone, in parentheses."""
    window, full = values[length, "window"], values.get((length, "full"))
    if not system.endswith("slots") or full is None or full >= window:
        return ""
    return f" ({100 * (window - values[length, system]) / (window - full):.0f} %)"


def print_memory(result: dict[str, Any]) -> None:
    rows = result["rows"]
    lengths = lengths_of(rows)
    found = {(row["system"], row["length"]): render.size(row["bytes"]) for row in rows}
    headings = [short(length) for length in lengths]
    lines = [
        [system, *(found[system, length] for length in lengths)]
        for system in dict.fromkeys(row["system"] for row in rows)
    ]
    render.out.print(f"Kept after so many tokens by {result['model']['name']}", style="bold")
    render.print_table(["", *headings], lines, headings)
    paper = result["paper"]
    render.out.print()
    render.out.print(
        f"The paper's setting: {paper['memorizing_transformer']:,} numbers against {paper['infini_transformer']:,}, "
        f"{paper['ratio']:.1f} times less; {paper['ratio_of_rounded']:.0f} from 183M and 1.6M, as it prints them",
    )


def lengths_of(rows: Sequence[dict[str, Any]]) -> list[int]:
    return list(dict.fromkeys(row["length"] for row in rows))
