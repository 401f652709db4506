"""`infinidoc predict`."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import given, loading, render
from infinidoc.cli.learn import TaskOption
from infinidoc.cli.loading import loaded
from infinidoc.cli.options import JsonOption, KeepOption
from infinidoc.cli.progress import progress
from infinidoc.errors import InfinidocError
from infinidoc.manyshot import DEFAULT_TASK

if TYPE_CHECKING:
    from infinidoc.manyshot.generation import Generated
    from infinidoc.manyshot.labels import Prediction

SHOWN_CHARACTERS = 100


def predict(
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts, each quoted, or one table (.csv, .tsv, .jsonl, .parquet); - reads lines."),
    ] = None,
    task: TaskOption = DEFAULT_TASK,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A table with a text per row.")] = None,
    input: Annotated[
        str | None, typer.Option("--input", "-i", metavar="COLUMN", help="Its column. Default: as `learn` was told.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="How many examples to name, or to generate from.")] = 5,
    max_tokens: Annotated[int, typer.Option(min=1, max=2048, help="The longest generated output, in tokens.")] = 64,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    keep: KeepOption = None,
    json: JsonOption = False,
) -> None:
    """Predict the output for new inputs, and see which examples decided.

    Examples:

      infinidoc predict "My card hasn't come yet"

      infinidoc predict --task intents --file new.csv --csv > labelled.csv

      infinidoc predict --task intents --json "Is it going to rain?" "Book me a table"
    """
    from infinidoc.manyshot.task import Task

    with Task.open(task, create=False, models=loading.MODELS) as target:
        wanted = gather(texts or [], file, input or target.store.identity.input)
        loaded(target)
        with progress() as show:

            def notify(done: int) -> None:
                show(f"predicting, {done}/{len(wanted)}", done, len(wanted), done, "texts")

            found: Sequence[Prediction | Generated] = target.predict(wanted, top, max_tokens, notify)
    if json:
        render.print_json({"predictions": [prediction.to_dict() for prediction in found]})
    elif as_csv:
        print_csv(found)
    else:
        for number, prediction in enumerate(found):
            if number:
                render.out.print()
            print_prediction(prediction, len(found) > 1)


def gather(texts: list[str], file: Path | None, column: str) -> list[str]:
    """All texts in order: arguments, "-" replaced by the lines of standard input, tables by their column."""
    from infinidoc.manyshot import tables

    wanted: list[str] = []
    for text in texts:
        if text == "-":
            wanted += given.lines()
        elif _is_path(text):
            wanted += [row.values[0] for row in tables.read(Path(text), [column])]
        else:
            wanted.append(given.argument(text))
    if file is not None:
        wanted += [row.values[0] for row in tables.read(file, [column])]
    if not wanted:
        raise InfinidocError("no text", 'give one: infinidoc predict "…"')
    return wanted


def _is_path(text: str) -> bool:
    """Whether a file is meant: one that ends as tables do, or is there, be it no table."""
    from infinidoc.manyshot import tables

    named = Path(text).suffix and not any(map(str.isspace, text))
    return bool(named) and (tables.is_table(Path(text)) or os.path.isfile(text))


class Lines:
    """What `csv` writes to: its rows may hold newlines."""

    write = staticmethod(render.out.write)


def print_csv(found: "Sequence[Prediction | Generated]") -> None:
    columns = [name for name in found[0].to_dict() if name != "examples"]
    writer = csv.DictWriter(Lines(), columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(prediction.to_dict() for prediction in found)


def print_prediction(prediction: "Prediction | Generated", with_input: bool) -> None:
    plain = prediction.to_dict()
    if with_input:
        render.out.print(render.shortened(prediction.input, SHOWN_CHARACTERS), style="bold")
    if "text" in plain:
        render.out.write(plain["text"] + "\n")
    elif plain["label"] is None:
        render.out.print("no text, no label", style="dim")
    else:
        render.out.print(plain["label"], style="cyan", end="")
        render.out.print(f"  {plain['probability']:.2f}", end="")
        render.out.print("" if plain["in_scope"] else "  probably none of the task's labels", style="yellow")
    for example in plain["examples"]:
        said, output = (
            render.shortened(text, SHOWN_CHARACTERS)
            for text in (example["input"], example.get("label") or example.get("output"))
        )
        weight = f"{example['weight']:.2f}  " if "weight" in example else ""
        render.out.print(f"   {weight}{said} → {output}", style="dim")
