"""`infinidoc ask`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.options import CollectionOption, JsonOption, loaded
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.collection import Answer

SHOWN_CHARACTERS = 240


def ask(
    questions: Annotated[
        list[str] | None, typer.Argument(help="One question or several, each quoted; [bold]-[/bold] reads lines.")
    ] = None,
    collection: CollectionOption = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with one question per line.")] = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="How many passages to read again.")] = 4,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest answer, in tokens.")] = 128,
    memory_only: Annotated[
        bool, typer.Option("--memory-only", help="Answer from the compressive memory alone: recall nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Ask a collection, and see where the answer stands.

    Examples:

      infinidoc ask "When is the boiler serviced?"
      infinidoc ask --collection manuals --top 8 "How is the filter changed?"
      infinidoc ask --file questions.txt --json > answers.jsonl
      echo "Who wrote the minutes?" | infinidoc ask -
    """
    from infinidoc.reading.collection import Collection

    wanted = gather(questions or [], file)
    with Collection.open(collection, create=False) as target:
        if not target.documents():
            raise InfinidocError("this collection is empty", "fill it with: infinidoc ingest PATH")
        loaded(target)
        if memory_only and target.store.identity.remembers and target.gates_are_closed():
            render.note(
                "note: no trained adapter is attached, so the gates of the memory are closed: "
                "what follows is the base model's own guess"
            )
        for number, question in enumerate(wanted):
            if json:
                render.print_json(target.ask(question, top, max_tokens, memory_only).to_dict())
                continue
            if len(wanted) > 1:
                render.out.print(("\n" if number else "") + question, style="bold", markup=False)
            answer = target.ask(question, top, max_tokens, memory_only, on_text=write)
            write("\n")
            print_sources(answer)


def gather(questions: list[str], file: Path | None) -> list[str]:
    """All questions: arguments first, "-" replaced by the lines of standard input, then the file's lines."""
    lines: list[str] = []
    for question in questions:
        lines += sys.stdin.read().splitlines() if question == "-" else [question]
    if file is not None:
        try:
            lines += file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise InfinidocError(f"{file} is not a text file in UTF-8", "give one question per line") from error
    wanted = [line.strip() for line in lines if line.strip()]
    if not wanted:
        raise InfinidocError("no question", 'ask something: infinidoc ask "What is …?"')
    return wanted


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def print_sources(answer: "Answer") -> None:
    if not answer.sources:
        return
    render.out.print("\nSources", style="bold")
    for number, source in enumerate(answer.sources, 1):
        render.out.print(f"{number}. {source.document}, {source.place}", style="cyan", markup=False, end="")
        render.out.print(f"  {source.score:.2f}", style="dim")
        text = " ".join(source.text.split())
        shown = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
        render.out.print(f"   {shown}", style="dim", markup=False)
    seconds = answer.timings
    render.note(f"\nfirst word after {seconds['first_token']:.1f} s, all of it after {seconds['total']:.1f} s")
