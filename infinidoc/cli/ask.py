"""`infinidoc ask`."""

import re
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import given, render
from infinidoc.cli.loading import ready_to_answer
from infinidoc.cli.options import STARTED, CollectionOption, JsonOption, ReaderOption
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.answers import Answer, Source

SHOWN_CHARACTERS = 240
SHOWN_NOTES = 5
ALL_ELSEWHERE = "These words stand in none of the passages shown: read them before you rely on it."
SOME_ELSEWHERE = "Not all of these words stand in the passages shown: read them before you rely on it."


def ask(
    questions: Annotated[
        list[str] | None, typer.Argument(help="One question or several, each quoted; - reads lines.")
    ] = None,
    collection: CollectionOption = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with one question per line.")] = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="How many passages to read again.")] = 4,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest answer, in tokens.")] = 128,
    memory_only: Annotated[
        bool, typer.Option("--memory-only", help="Answer from the compressive memory alone: recall nothing.")
    ] = False,
    long: Annotated[bool, typer.Option("--long", help="One to three sentences, with numbered sources.")] = False,
    reader: ReaderOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a collection, and see where the answer stands.

    Examples:

      infinidoc ask "When is the boiler serviced?"
      infinidoc ask --collection manuals --top 8 "How is the filter changed?"
      infinidoc ask --reader http://localhost:11434/v1#qwen3:8b "What did the committee decide, and why?"
      infinidoc ask --long "Why was the repair of the roof put off?"
      infinidoc ask --file questions.txt --json > answers.jsonl
      echo "Who wrote the minutes?" | infinidoc ask -
    """
    from infinidoc.reading.answers import Unanswered
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.readers import choice

    wanted = gather(questions or [], file)
    reader = reader or (choice.OWN if memory_only else choice.chosen())
    with Collection.open(collection, create=False) as target:
        ready_to_answer(target, reader)
        ready = time.perf_counter()
        if memory_only and target.store.identity.remembers and target.gates_are_closed():
            render.note(
                "note: no trained adapter is attached, so the gates of the memory are closed: "
                "what follows is the base model's own guess"
            )
        began, failed = STARTED, False
        for number, question in enumerate(wanted):
            if len(wanted) > 1 and not json:
                render.out.write(("\n" if number else "") + question + "\n", style="bold")
            try:
                answer, first = answered(
                    partial(target.ask, question, top, max_tokens, memory_only, reader=reader, long=long),
                    aloud=not json,
                )
            except InfinidocError as error:  # one that is too long, say; the next one may not be
                render.error(str(error))
                failed = True
                sources = error.sources if isinstance(error, Unanswered) else []
                if json:
                    plain = [asdict(source) for source in sources]
                    render.print_json({"question": question, "error": str(error), "sources": plain})
                else:
                    print_sources(sources)
                continue
            if json:
                render.print_json(answer.to_dict())
            else:
                print_quotes(answer)
                print_sources(answer.sources)
                for note in answer.notes[:SHOWN_NOTES]:
                    render.err.print(note, style="yellow")
                print_times(answer, first - began, time.perf_counter() - began, 0.0 if number else ready - STARTED)
            began = time.perf_counter()
    if failed:
        raise typer.Exit(1)


def answered(ask: "Callable[..., Answer]", aloud: bool = True) -> "tuple[Answer, float]":
    """An answer, printed as it comes if `aloud`, and when its first word came (as `time.perf_counter` has it)."""
    heard: list[float] = []

    def hear(text: str) -> None:
        heard.append(time.perf_counter())
        if aloud:
            render.out.write(text)

    try:
        answer = ask(on_text=hear)
    finally:
        if aloud and heard:
            render.out.print()
    return answer, heard[0]


def gather(questions: list[str], file: Path | None) -> list[str]:
    """All questions: arguments first, "-" replaced by the lines of standard input, then the file's lines."""
    wanted: list[str] = []
    for question in questions:
        wanted += given.lines() if question == "-" else [given.argument(question).strip()]
    if file is not None:
        wanted += given.lines(file)
    wanted = [question for question in wanted if question]
    if not wanted:
        raise InfinidocError("no question", 'ask something: infinidoc ask "What is …?"')
    return wanted


def print_quotes(answer: "Answer") -> None:
    """What the answer was read from, its words marked; or that its words don't stand there."""
    for quote in answer.quotes:
        render.out.write("\n  ")
        done = 0
        for start, end in quote.marks:
            render.out.write(_in_line(quote.text[done:start]))
            render.out.write(_in_line(quote.text[start:end]), style="bold underline")
            done = end
        render.out.write(_in_line(quote.text[done:]) + "\n")
        render.out.print(f"  {quote.document}, {quote.place}", style="cyan")
    if answer.verbatim is False:
        partly = any(quote.marks for quote in answer.quotes)
        render.out.write("\n" + (SOME_ELSEWHERE if partly else ALL_ELSEWHERE) + "\n", style="yellow")


def _in_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def print_sources(sources: "list[Source]") -> None:
    if not sources:
        return
    render.out.write("\nSources\n", style="bold")
    for number, source in enumerate(sources, 1):
        render.out.print(f"{number}. {source.document}, {source.place}", style="cyan", end="")
        render.out.print(f"  {source.score:.2f}", style="dim")
        if source.also_in:
            render.out.print(f"   also in {', '.join(source.also_in)}", style="cyan")
        render.out.print(f"   {render.shortened(source.text, SHOWN_CHARACTERS)}", style="dim")


def print_times(answer: "Answer", first: float, total: float, loading: float) -> None:
    by = f"answered by {answer.reader}; " if answer.reader else ""
    of_which = f" ({loading:.1f} s of them to load the model)" if loading else ""
    render.err.print()
    render.note(f"{by}first word after {first:.1f} s{of_which}, all of it after {total:.1f} s")
