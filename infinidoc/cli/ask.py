"""`infinidoc ask`."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infinidoc import warm
from infinidoc.cli import given, render
from infinidoc.cli.loading import opened, ready_to_answer
from infinidoc.cli.options import (
    CollectionOption,
    JsonOption,
    KeepOption,
    ReaderOption,
    SinceOption,
    TypeOption,
    WithinOption,
)
from infinidoc.cli.progress import progress
from infinidoc.cli.sources import print_in_a_line, print_quotes, print_sources
from infinidoc.cli.whole import whole_documents
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.answers import Answer
    from infinidoc.reading.listing import Listing

SHOWN_NOTES = 5


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
    whole: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Read this document from start to end, and answer from all of it; repeatable: side by side.",
        ),
    ] = None,
    reader: ReaderOption = None,
    within: WithinOption = None,
    type_: TypeOption = None,
    since: SinceOption = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List all documents that have the question's words, and answer nothing.")
    ] = False,
    keep: KeepOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a collection, and see where the answer stands.

    A question that counts or lists documents ("how many invoices from 2024?") is not guessed at: the answer is how many
    documents have its words, in their text or file name, and --list shows them all.

    Examples:

      infinidoc ask "When is the boiler serviced?"
      infinidoc ask --collection manuals --top 8 "How is the filter changed?"
      infinidoc ask --reader http://localhost:11434/v1#qwen3:8b "What did the committee decide, and why?"
      infinidoc ask --in 'minutes/' --type pdf --since 2024 "Who was elected?"
      infinidoc ask --long "Why was the repair of the roof put off?"
      infinidoc ask --list "invoices from 2024"
      infinidoc ask --whole report.pdf "What changed between the beginning and the end?"
      infinidoc ask --file questions.txt --json > answers.jsonl
      echo "Who wrote the minutes?" | infinidoc ask -
    """
    from infinidoc.reading.listing import counts
    from infinidoc.reading.readers import choice

    wanted = given.questions(questions or [], file, "ask")
    reader = reader or (choice.OWN if memory_only else choice.chosen())
    if whole:
        if memory_only or list_ or within or type_ or since:
            raise InfinidocError("--whole reads these documents and no others", "leave the other choice out")
        with whole_documents(collection, whole, reader) as documents:
            answer_all(wanted, lambda question: partial(documents.ask, question, max_tokens), json, quoting=False)
        return
    with opened(collection) as target:
        scope = given.scope(target, within, type_, since)
        if list_:
            for question in wanted:
                print_listing(question, target.listing(question, scope), json)
            return
        if memory_only or not all(map(counts, wanted)):
            ready_to_answer(target, reader)
        if memory_only and target.store.identity.remembers and target.gates_are_closed():
            render.note(
                "note: no trained adapter is attached, so the gates of the memory are closed: "
                "what follows is the base model's own guess"
            )
        options: dict[str, Any] = {"reader": reader, "long": long, "scope": scope}
        answer_all(
            wanted, lambda question: partial(target.ask, question, top, max_tokens, memory_only, **options), json
        )


def answer_all(
    wanted: list[str], asking: "Callable[[str], Callable[..., Answer]]", json: bool, quoting: bool = True
) -> None:
    """Prints the answers to questions, each of which `asking` turns into something to call. What can't be answered is
    said on stderr, and makes the exit code 1."""
    from infinidoc.reading.answers import Unanswered

    began, ready, failed = warm.STARTED, time.perf_counter(), False
    with ExitStack() as bar:
        # Where answers are printed on a terminal, they show how far it is.
        show = bar.enter_context(progress()) if len(wanted) > 1 and not sys.stdout.isatty() else None
        for number, question in enumerate(wanted):
            if show:
                show(f"question {number + 1} of {len(wanted)}", number, len(wanted), number, "questions", question)
            if len(wanted) > 1 and not json:
                render.out.write(("\n" if number else "") + question + "\n", style="bold")
            try:
                answer, first = answered(asking(question), aloud=not json)
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
                print_answer(answer, quoting)
                print_times(answer, first - began, time.perf_counter() - began, 0.0 if number else ready - warm.STARTED)
            began = time.perf_counter()
    if failed:
        raise typer.Exit(1)


def print_answer(answer: "Answer", quoting: bool = True) -> None:
    """All but the text, which was printed as it came, and the times; what it was read from only where that is not what
    the answer itself consists of."""
    if quoting:
        print_quotes(answer)
    print_sources(answer.sources)
    if answer.counted:
        render.err.print("Counted are documents with these words; ask --list shows all.", style="yellow")
    for note in answer.notes[:SHOWN_NOTES]:
        render.err.print(note, style="yellow")


def answered(ask: "Callable[..., Answer]", aloud: bool = True) -> "tuple[Answer, float]":
    """An answer, printed as it comes if `aloud`, and when its first word came (as `time.perf_counter` has it)."""
    heard: list[float] = []

    def hear(text: str) -> None:
        if text:
            heard.append(time.perf_counter())
        if aloud:
            render.out.write(text)

    try:
        answer = ask(on_text=hear)
    finally:
        if aloud and heard:
            render.out.print()
    return answer, heard[0]


def print_listing(question: str, found: "Listing", json: bool) -> None:
    if json:
        wanted, documents = asdict(found.wanted), [asdict(source) for source in found.documents]
        render.print_json({"question": question, **wanted, "searched": found.searched, "documents": documents})
        return
    for source in found.documents:
        print_in_a_line(source)
    render.note(str(found))


def print_times(answer: "Answer", first: float, total: float, loading: float) -> None:
    by = f"answered by {answer.reader}; " if answer.reader else ""
    of_which = f" ({loading:.1f} s of them to load the model)" if loading else ""
    render.err.print()
    render.note(f"{by}first word after {first:.1f} s{of_which}, all of it after {total:.1f} s")
