"""`infinidoc summarize`."""

import time
from typing import Annotated

import typer

from infinidoc import warm
from infinidoc.cli import render
from infinidoc.cli.ask import answered, print_answer, print_times
from infinidoc.cli.options import CollectionOption, JsonOption, KeepOption, ReaderOption
from infinidoc.cli.whole import whole_documents
from infinidoc.errors import InfinidocError


def summarize(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Documents of the collection, or files that are in none.")
    ],
    collection: CollectionOption = None,
    reader: ReaderOption = None,
    keep: KeepOption = None,
    json: JsonOption = False,
) -> None:
    """Read documents from start to end, and give the main points of each, in its own words.

    What was read of a document in a collection is kept there, and goes with it; of any other file nothing is kept.

    Examples:

      infinidoc summarize guide.pdf
      infinidoc summarize --collection minutes '2026-*.docx' --json
    """
    from infinidoc.reading.readers import choice

    failed = False
    for number, name in enumerate(files):
        try:
            with whole_documents(collection, [name], reader or choice.OWN) as whole:
                if len(files) > 1 and not json:
                    render.out.write(("\n" if number else "") + name + "\n", style="bold")
                ready = time.perf_counter()
                answer, first = answered(whole.summarize, aloud=not json)
                if json:
                    render.print_json({"document": whole.documents[0].path, **answer.to_dict()})
                else:
                    print_answer(answer, quoting=False)
                    began = ready if number else warm.STARTED
                    print_times(answer, first - began, time.perf_counter() - began, ready - began)
        except InfinidocError as error:  # the next one may be readable
            render.error(str(error))
            failed = True
    if failed:
        raise typer.Exit(1)
