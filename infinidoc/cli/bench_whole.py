"""`infinidoc bench whole`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.bench import OUT, AdapterOption, ModelOption, OutOption, SeedOption, report
from infinidoc.cli.options import JsonOption
from infinidoc.cli.progress import progress
from infinidoc.evaluation.longcontext.lengths import parse_lengths


def whole(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Where SET.jsonl and documents/SET.jsonl are (or .jsonl.xz).")
    ],
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas.")] = "squality,qmsum",
    samples: Annotated[int, typer.Option(min=1, help="How many documents of each set.")] = 10,
    questions: Annotated[int, typer.Option(min=1, help="How many questions to each document, at most.")] = 3,
    windows: Annotated[
        str, typer.Option(help="To how many tokens a document is truncated: lengths, separated by commas.")
    ] = "2k,8k",
    seed: SeedOption = 0,
    adapter: AdapterOption = None,
    model: ModelOption = None,
    out: OutOption = OUT,
    json: JsonOption = False,
) -> None:
    """Questions about whole documents: read from start to end, against a truncated window and against recall.

    The data come with questions that nobody answers from one passage (see docs/how-to/whole.md for their form).
    ROUGE-L and F1 with 95 % intervals over documents; needs infinidoc[bench].

    Examples:

      infinidoc bench whole --data ./qa

      infinidoc bench whole --data ./qa --sets squality --samples 20 --windows 8k --json
    """
    from infinidoc.cli.models import fetch
    from infinidoc.evaluation.whole import WholeBench

    fetch(model)
    names = [name.strip() for name in sets.split(",") if name.strip()]
    with progress() as show:

        def notify(reached: Any) -> None:
            show("", reached.done, reached.total, reached.read, "questions", reached.name)

        result = WholeBench(data, names, samples, questions, parse_lengths(windows), seed, model, adapter, notify).run()
    report(result, out, json, lambda: print_whole(result))


def print_whole(result: dict[str, Any]) -> None:
    def cell(row: dict[str, Any], measure: str) -> str:
        low, high = row[f"{measure}_interval"]
        return f"{row[measure]:.1f} ({low:.1f} to {high:.1f})"

    columns = ("set", "system", "ROUGE-L", "F1", "words", "seconds")
    lines = [
        (
            row["set"],
            row["system"],
            cell(row, "rouge_l"),
            cell(row, "f1"),
            f"{row['words']:.0f}",
            f"{row['seconds']:.1f}",
        )
        for row in result["rows"]
    ]
    render.print_table(columns, lines, columns[2:])
    render.out.print()
    for pair in result["pairs"]:
        if pair["measure"] == "rouge_l":
            low, high = pair["interval"]
            ahead = f"{pair['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
            render.out.print(f"{pair['set']}: ROUGE-L, whole over {pair['second']}: {ahead}")
