"""`infinidoc learn`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from infinidoc.cli import render
from infinidoc.cli.loading import loaded
from infinidoc.cli.options import JsonOption, ModelOption
from infinidoc.cli.progress import progress
from infinidoc.manyshot import DEFAULT_TASK

if TYPE_CHECKING:
    from infinidoc.manyshot.learning import LearningProgress, Summary
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
        with progress() as show:

            def notify(reached: "LearningProgress") -> None:
                what = "fitting" if reached.share == 1 else f"{reached.rows:,} rows"
                total = None if reached.share is None else 1
                show(what, reached.share or 0, total, reached.added, "examples")

            summary = target.learn(file, input, output, kind, notify)
        if json:
            render.print_json(asdict(summary))
        else:
            print_summary(summary, target)


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
        render.err.print(f"unreadable {problem}", style="yellow")
    if summary.unreadable > len(summary.problems):
        render.note(f"… and {summary.unreadable - len(summary.problems):,} more")
