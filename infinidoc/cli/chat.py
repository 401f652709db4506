"""`infinidoc chat`."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import given, render
from infinidoc.cli.ask import answered
from infinidoc.cli.loading import opened, ready_to_answer
from infinidoc.cli.options import CollectionOption, KeepOption, ReaderOption, SinceOption, TypeOption, WithinOption
from infinidoc.cli.sources import print_place, print_quotes
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.answers import Source

LEAVE = ("/quit", "/exit")
SHOWN_SOURCES = 2


def chat(
    collection: CollectionOption = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="How many passages to read again.")] = 4,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest answer, in tokens.")] = 128,
    reader: ReaderOption = None,
    within: WithinOption = None,
    type_: TypeOption = None,
    since: SinceOption = None,
    keep: KeepOption = None,
) -> None:
    """Ask one question after the other: the model is loaded once, and each answer takes a second or two.

    A question that leans on those before it ("and how long does it take?") is asked with what it leans on, any other as
    it stands. Leave with /quit or Ctrl-D.

    Examples:

      infinidoc chat
      infinidoc chat --collection manuals < questions.txt
      infinidoc chat --in 'minutes/2024-*'
    """
    from infinidoc.reading.answers import Unanswered
    from infinidoc.reading.conversation import Conversation
    from infinidoc.reading.readers import choice

    reader = reader or choice.chosen()
    with opened(collection) as target:
        scope = given.scope(target, within, type_, since)
        ready_to_answer(target, reader)
        if reader != choice.OWN:
            render.note(f"answers are given by {reader}")
        conversation = Conversation(target)
        for question in questions():
            try:
                answer, _ = answered(partial(conversation.ask, question, top, max_tokens, reader=reader, scope=scope))
                if answer.question != question:
                    render.note(f"asked as: {answer.question}")
                print_quotes(answer)
                print_best(answer.sources)
            except InfinidocError as error:  # a question that is too long, say; the next one may not be
                render.error(str(error))
                if isinstance(error, Unanswered):
                    print_best(error.sources)


def questions() -> Iterator[str]:
    """Lines that are typed or piped in, up to the end or /quit; empty ones are passed over."""
    typed = sys.stdin.isatty()
    if typed:
        with suppress(ImportError):  # arrow keys and history, where there are any
            import readline  # noqa: F401
        render.note("ask a question; /quit or Ctrl-D to leave")
    while True:
        try:
            line = input("> ") if typed else sys.stdin.readline()
        except (EOFError, KeyboardInterrupt):
            render.out.print()
            return
        if not typed and not line:
            return
        line = given.argument(line).strip()
        if line in LEAVE:
            return
        if line:
            yield line


def print_best(sources: "list[Source]") -> None:
    """The best sources, in a line each."""
    for source in sources[:SHOWN_SOURCES]:
        print_place(source, "  ")
    render.out.print()
