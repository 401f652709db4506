"""`infinidoc bench manyshot`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.bench import OUT, ModelOption, OutOption
from infinidoc.cli.options import JsonOption
from infinidoc.cli.progress import progress
from infinidoc.errors import InfinidocError

Table = Annotated[Path | None, typer.Argument(help="CSV, TSV, JSONL or Parquet.")]


def manyshot(
    train: Table = None,
    test: Table = None,
    input: Annotated[
        str, typer.Option("--input", "-i", metavar="COLUMN", help="The column with the inputs of TRAIN and TEST.")
    ] = "text",
    output: Annotated[
        str, typer.Option("--output", "-l", metavar="COLUMN", help="The column with their labels.")
    ] = "label",
    outside: Annotated[
        str | None, typer.Option(metavar="LABEL", help="What they label so lies outside of the task.")
    ] = None,
    data: Annotated[Path, typer.Option("--data", "-d", metavar="DIR", help="Where Banking77 and CLINC150 are.")] = Path(
        "bench-data"
    ),
    sizes: Annotated[str, typer.Option(help="How many examples the curve has, with commas.")] = "1,10,50,100,500,1000",
    rag: Annotated[bool, typer.Option(help="Also BM25 and MiniLM (infinidoc[rag]).")] = True,
    model: ModelOption = None,
    out: OutOption = OUT,
    json: JsonOption = False,
) -> None:
    """Tasks learnt from examples: by memory, by recall, by both, and by what people use today.

    Prints accuracies and rates, and draws accuracy against the number of examples. The tasks are Banking77 and
    CLINC150, which you download (if they are missing, one line says from where), or one of your own.

    Examples:

      infinidoc bench manyshot --data ./bench-data

      infinidoc bench manyshot train.csv test.csv --input text --output category

      infinidoc bench manyshot train.csv test.csv -i text -l intent --outside oos --no-rag
    """
    try:
        wanted = [int(size) for size in sizes.split(",")]
    except ValueError as error:
        raise InfinidocError(f"{sizes!r} are no sizes", "give numbers with commas: 10,100,1000") from error
    from infinidoc.cli.models import fetch
    from infinidoc.evaluation.intents import Dataset, Texts, banking77, clinc150
    from infinidoc.evaluation.manyshot import draw, measure
    from infinidoc.evaluation.results import write

    if train and test:
        tables = [Texts.read(table, input, output) for table in (train, test)]
        tasks = [Dataset(train.stem, tables[0], tables[1], outside)]
    elif train:
        raise InfinidocError("no TEST", "give two tables, TRAIN and TEST, or neither")
    else:
        tasks = [banking77(data), clinc150(data)]
    fetch(model)
    with progress() as show:

        def notify(what: str, done: int, total: int) -> None:
            show(f"{what}, {done}/{total}" if total else what, done, total or None)

        result = measure(tasks, wanted, rag, model, notify)
    written = [write(out, result)]
    try:
        written.append(draw(out, result))
    except InfinidocError as error:  # the numbers are there all the same
        render.note(f"note: {error}")
    if json:
        render.print_json(result)
    else:
        for task in result["tasks"]:
            print_task(task)
        published = result["published"]
        render.out.print(f"Published: {published['source']}", style="bold")
        render.out.print(published["note"], style="dim")
        render.print_table(published["columns"], published["rows"], published["columns"][1:])
        render.err.print()
        render.note("written: " + ", ".join(map(str, written)))


def print_task(task: dict[str, Any]) -> None:
    counts = f"{task['examples']:,} examples, {task['labels']:,} labels, {task['texts']:,} texts"
    render.out.print(f"{task['name']}: {counts}", style="bold")
    rows = [
        (row["system"], percent(row["accuracy"]), rate(row, "learnt_per_second"), rate(row, "texts_per_second"))
        for row in task["rows"]
    ]
    columns = ("system", "right", "examples/s", "texts/s")
    render.print_table(columns, rows, columns[1:])
    if scope := task["scope"]:
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
        for one in task["curve"]
    ]
    render.print_table(columns, curve, columns)
    render.out.print()


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def rate(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:,.1f}" if name in row else ""
