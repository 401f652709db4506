"""`infinidoc search`."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from infinidoc import warm
from infinidoc.cli import given, render
from infinidoc.cli.loading import opened, ready_to_search
from infinidoc.cli.options import CollectionOption, JsonOption, KeepOption, SinceOption, TypeOption, WithinOption
from infinidoc.cli.sources import print_passages
from infinidoc.errors import InfinidocError

SHOWN_CHARACTERS = 400


def search(
    questions: Annotated[
        list[str] | None, typer.Argument(help="One question or several, each quoted; - reads lines.")
    ] = None,
    collection: CollectionOption = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with one question per line.")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many passages to find.")] = 10,
    within: WithinOption = None,
    type_: TypeOption = None,
    since: SinceOption = None,
    keep: KeepOption = None,
    json: JsonOption = False,
) -> None:
    """Find the passages that bear on a question, best first; nothing is answered, and nothing logged.

    Words that were asked for are marked. JSON has their places in "marks": offsets in the passage's "text", which is
    [start:end] of the text of its document.

    Examples:

      infinidoc search "damage to the roof"
      infinidoc search --top 3 --in 'minutes/' --in '*.eml' "Who was elected?"
      infinidoc search --type pdf --since 2024-05-01 --json "notice period"
    """
    wanted = given.questions(questions or [], file, "search")
    failed = 0
    with opened(collection) as target:
        scope = given.scope(target, within, type_, since)
        ready_to_search(target)
        loading, began = time.perf_counter() - warm.STARTED, time.perf_counter()
        for number, question in enumerate(wanted):
            if len(wanted) > 1 and not json:
                render.out.write(("\n" if number else "") + question + "\n", style="bold")
            try:
                found = target.search(question, top, scope)
            except InfinidocError as error:  # one that is too long, say; the next one may not be
                render.error(str(error))
                if json:
                    render.print_json({"question": question, "error": str(error), "passages": []})
                failed += 1
                continue
            if json:
                render.print_json({"question": question, "passages": [asdict(source) for source in found]})
            else:
                print_passages(found, SHOWN_CHARACTERS)
                if not found or found[0].score < target.head.threshold:
                    render.note("nothing here seems to bear on that; these are the nearest")
        if not json and failed < len(wanted):
            took, searched = time.perf_counter() - began, render.plural(len(wanted) - failed, "question")
            render.note(f"{searched} searched for in {took:.2f} s, after {loading:.1f} s to load the model")
    if failed:
        raise typer.Exit(1)
