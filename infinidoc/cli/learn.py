"""`infinidoc learn`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from infinidoc.cli import render
from infinidoc.cli.options import JsonOption, ModelOption
from infinidoc.manyshot import DEFAULT_TASK

if TYPE_CHECKING:
    from infinidoc.manyshot.learning import Progress as Reached
    from infinidoc.manyshot.learning import Summary
    from infinidoc.manyshot.task import Task

TaskOption = Annotated[str, typer.Option("--task", "-t", metavar="NAME", help="The task.")]


def learn(
    file: Annotated[Path, typer.Argument(help="Examples: CSV, TSV, JSONL, or Parquet (with pyarrow installed).")],
    input: Annotated[str, typer.Option("--input", "-i", metavar="COLUMN", help="The column with the inputs.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="COLUMN", help="The column with the outputs.")],
    task: TaskOption = DEFAULT_TASK,
    kind: Annotated[
        Literal["labels", "text"] | None,
        typer.Option(help="Outputs of a fixed set, or text to be generated. Default: as the first rows look."),
    ] = None,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Learn a task from examples: no training, they go into the task's memory.

    Run it again with more examples whenever you like; those that the task has already are passed over, so an
    interrupted run goes on where it was.

    Examples:

      infinidoc learn tickets.csv --input subject --output team

      infinidoc learn train.jsonl -i text -o intent --task intents

      infinidoc learn pairs.tsv -i english -o french --task french --kind text
    """
    from infinidoc.manyshot.tables import read
    from infinidoc.manyshot.task import Task

    next(read(file, (input, output)), None)  # complains of the file before seconds go into loading the model
    with Task.open(task, model) as target:
        loaded(target)
        with progress_bar() as show:
            summary = target.learn(file, input, output, kind, show)
        if json:
            render.print_json(asdict(summary))
        else:
            print_summary(summary, target)


def loaded(task: "Task") -> None:
    """Loads a task's model: a bar while it is fetched the first time, a spinner while it is loaded."""
    from infinidoc.cli.models import fetch

    fetch(task.model)
    if not render.err.is_terminal:
        task.load()
        return
    with render.err.status("loading the model"):
        task.load()


@contextmanager
def progress_bar() -> "Iterator[Callable[[Reached], None]]":
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("[cyan]{task.fields[speed]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    ]
    with Progress(*columns, console=render.err, transient=True, disable=not render.err.is_terminal) as bar:
        row = bar.add_task("learning", total=None, speed="")

        def show(reached: "Reached") -> None:
            seconds = bar.tasks[0].elapsed or 0
            bar.update(
                row,
                total=1 if reached.share is not None else None,
                completed=reached.share or 0,
                description="fitting" if reached.share == 1 else f"{reached.rows:,} rows",
                speed=f"{reached.added / seconds:,.0f} examples/s" if reached.added and seconds > 1 else "",
            )

        yield show


def print_summary(summary: "Summary", task: "Task") -> None:
    counts = {
        "learnt": summary.added,
        "known already": summary.known,
        "repeated": summary.repeated,
        "empty": summary.empty,
        "unreadable": summary.unreadable,
    }
    rows = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    speed = f" ({summary.added / summary.seconds:,.0f} examples/s)" if summary.added else ""
    different = render.plural(summary.outputs, "label" if summary.kind == "labels" else "different output")
    facts = {
        "rows": f"{rows} in {summary.seconds:.1f} s{speed}",
        "task": f"{task.name}: {render.plural(summary.examples, 'example')}, {different}, {task.directory}",
        "kept": render.size(task.store.nbytes()),
    }
    render.print_facts(facts)
    if summary.kind == "labels" and summary.outputs == 1:
        render.note("note: there is only one label, so every prediction will be that one; learn examples of another")
    elif summary.kind == "labels" and 2 * summary.outputs > summary.examples:
        render.note(
            "note: most labels have one example only; for text to be written, learn a new task with --kind text"
        )
    if summary.kind == "labels" and summary.contradictions:
        inputs = "input has" if summary.contradictions == 1 else "inputs have"
        render.note(f"note: {summary.contradictions:,} {inputs} several labels; all of them were learnt")
    for problem in summary.problems:
        render.err.print(f"unreadable {problem}", style="yellow", markup=False)
    if summary.unreadable > len(summary.problems):
        render.note(f"… and {summary.unreadable - len(summary.problems):,} more")
