"""`infinidoc bench manyshot`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infinidoc.cli import render
from infinidoc.cli.options import JsonOption
from infinidoc.errors import InfinidocError

Table = Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet.")]


def manyshot(
    train: Table,
    test: Table,
    input: Annotated[str, typer.Option("--input", "-i", metavar="COLUMN", help="The column with the inputs.")],
    output: Annotated[str, typer.Option("--output", "-l", metavar="COLUMN", help="The column with the labels.")],
    outside: Annotated[
        str | None, typer.Option(metavar="LABEL", help="What is labelled so lies outside of the task.")
    ] = None,
    sizes: Annotated[str, typer.Option(help="How many examples the curve has, with commas.")] = "1,10,50,100,500,1000",
    rag: Annotated[bool, typer.Option("--rag", help="Also BM25 and MiniLM (infinidoc[rag]).")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", envvar="INFINIDOC_MODEL", help="The base model: a directory or a hub id."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the JSON file and the PNG go.")] = Path(
        "bench-results"
    ),
    json: JsonOption = False,
) -> None:
    """A task learnt from examples: by memory, by recall, by both, and by what people use today.

    Prints accuracies and rates, and draws accuracy against the number of examples.

    Examples:

      infinidoc bench manyshot train.csv test.csv --input text --output category

      infinidoc bench manyshot train.csv test.csv -i text -l intent --outside oos --rag
    """
    try:
        wanted = [int(size) for size in sizes.split(",")]
    except ValueError as error:
        raise InfinidocError(f"{sizes!r} are no sizes", "give numbers with commas: 10,100,1000") from error
    from infinidoc.cli.models import fetch
    from infinidoc.evaluation.manyshot import Texts, draw, measure
    from infinidoc.evaluation.results import write

    examples, texts = Texts.read(train, input, output), Texts.read(test, input, output)
    fetch(model)
    with progress_bar() as show:
        result = measure(examples, texts, outside, wanted, rag, model, show)
    written = [write(out, result)]
    try:
        written.append(draw(out, result))
    except InfinidocError as error:  # the numbers are there all the same
        render.note(f"note: {error}")
    if json:
        render.print_json(result)
    else:
        print_result(result)
        render.note("\nwritten: " + ", ".join(map(str, written)))


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    columns = [TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=render.err, transient=True, disable=not render.err.is_terminal) as bar:
        task = bar.add_task("", total=None)
        shown = ""

        def show(what: str, done: int, total: int) -> None:
            nonlocal shown
            if what != shown:  # another thing has another speed
                bar.reset(task)
                shown = what
            bar.update(task, description=what, completed=done, total=total or None)

        yield show


def print_result(result: dict[str, Any]) -> None:
    render.out.print(
        f"{result['examples']:,} examples, {result['labels']:,} labels, {result['texts']:,} texts", style="bold"
    )
    rows = [
        (row["system"], percent(row["accuracy"]), rate(row, "learnt_per_second"), rate(row, "texts_per_second"))
        for row in result["rows"]
    ]
    columns = ("system", "right", "examples/s", "texts/s")
    render.print_table(columns, rows, columns[1:])
    if scope := result["scope"]:
        facts = {
            "told apart": f"{percent(scope['recall_outside'])} of {scope['texts_outside']:,} texts outside of the task",
            "kept": f"{percent(scope['kept_inside'])} of the task's own texts",
            "of those": f"{percent(scope['precision'])} got the right label",
            "of all kept": f"{percent(scope['precision_of_all'])} are the task's own",
        }
        render.out.print()
        render.print_facts(facts)
    render.out.print()
    columns = ("examples", "memory and recall", "memory", "recall")
    curve = [
        (f"{one['examples']:,}", *(percent(one[series]) for series in ("both", "memory", "recall")))
        for one in result["curve"]
    ]
    render.print_table(columns, curve, columns)
    published = result["published"]
    render.out.print(f"\nPublished: {published['source']}", style="bold", markup=False)
    render.out.print(published["note"], style="dim", markup=False)
    render.print_table(published["columns"], published["rows"], published["columns"][1:])


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def rate(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:,.1f}" if name in row else ""
