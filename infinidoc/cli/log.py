"""`infinidoc log`."""

from typing import Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.options import CollectionOption, JsonOption


def log(
    collection: CollectionOption = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many of the newest entries.")] = 10,
    json: JsonOption = False,
) -> None:
    """What was asked of a collection, newest first: questions, answers, sources, timings.

    Examples:

      infinidoc log
      infinidoc log --collection manuals -n 100 --json
    """
    from infinidoc.reading.collection import Collection

    with Collection.open(collection, create=False) as target:
        entries = target.log(last)
    if json:
        render.print_json([entry.to_dict() for entry in entries])
        return
    if not entries:
        render.note("nothing was asked yet")
    for entry in entries:
        answer = entry.answer
        render.out.print(f"{entry.asked_at}  ", style="dim", end="")
        render.out.print(answer.question, style="bold")
        if answer.text:
            render.out.write(answer.text + "\n")
        else:
            render.out.print("(what this was answered from has been removed)", style="dim")
        for source in answer.sources:
            render.out.print(f"  {source.document}, {source.place}", style="cyan")
        render.out.print(f"  {answer.timings['total']:.1f} s", style="dim")
