"""Where something stands, as a terminal shows it: a link that opens the file, and the words that were asked for."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infinidoc.cli import render
from infinidoc.documents.packed import file_of

if TYPE_CHECKING:
    from infinidoc.reading.answers import Answer, Source

SHOWN_CHARACTERS = 240
IN_A_LINE = 100
MARKED = "bold underline"
ALL_ELSEWHERE = "These words stand in none of the passages shown: read them before you rely on it."
SOME_ELSEWHERE = "Not all of these words stand in the passages shown: read them before you rely on it."


def print_quotes(answer: "Answer") -> None:
    """What the answer was read from, its words marked; or that its words don't stand there."""
    for quote in answer.quotes:
        render.out.write("\n  ")
        _print_marked(quote.text, quote.marks)
        render.out.write("\n  ")
        link = link_to(answer.sources[quote.source].path, quote.place) if answer.sources else ""
        render.out.print(f"{quote.document}, {quote.place}", style="cyan", link=link)
    if answer.verbatim is False:
        partly = any(quote.marks for quote in answer.quotes)
        render.out.write("\n" + (SOME_ELSEWHERE if partly else ALL_ELSEWHERE) + "\n", style="yellow")


def print_sources(sources: "Sequence[Source]") -> None:
    """What an answer was given from."""
    if sources:
        render.out.write("\nSources\n", style="bold")
        print_passages(sources, SHOWN_CHARACTERS)


def print_passages(sources: "Sequence[Source]", characters: int) -> None:
    """Each with what stands there, beginning where most of the words are that were asked for."""
    for number, source in enumerate(sources, 1):
        print_place(source, f"{number}. ")
        if source.also_in:
            render.out.print(f"   also in {', '.join(source.also_in)}", style="cyan")
        render.out.write("   ")
        _print_excerpt(source, characters)


def print_place(source: "Source", before: str = "") -> None:
    render.out.write(before, style="cyan")
    _print_name(source)
    render.out.print(f"  {source.score:.2f}" if source.score else "", style="dim")  # one that nothing recalled has none


def print_in_a_line(source: "Source") -> None:
    _print_name(source)
    render.out.write("  ")
    _print_excerpt(source, IN_A_LINE)


def _print_name(source: "Source") -> None:
    render.out.print(f"{source.document}, {source.place}", "cyan", end="", link=link_to(source.path, source.place))


def _print_excerpt(source: "Source", characters: int) -> None:
    begin, end = excerpt(source.text, source.marks, characters)
    marks = [(start - begin, last - begin) for start, last in source.marks if begin <= start and last <= end]
    render.out.write("…" * (begin > 0), style="dim")
    _print_marked(source.text[begin:end].rstrip(), marks, style="dim")
    render.out.write("…" * (end < len(source.text.rstrip())), style="dim")
    render.out.print()


def _print_marked(text: str, marks: Sequence[tuple[int, int]], style: str = "") -> None:
    """A text in one line."""
    done = 0
    for start, end in marks:
        render.out.write(_in_line(text[done:start]), style)
        render.out.write(_in_line(text[start:end]), MARKED)
        done = end
    render.out.write(_in_line(text[done:]), style)


def _in_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def excerpt(text: str, marks: Sequence[tuple[int, int]], characters: int) -> tuple[int, int]:
    """The (start, end) of so many characters of a text, from the sentence on behind which most of the marked words
    stand: the last such one, or the beginning, if it is as good."""
    from infinidoc.documents.sentences import sentences

    def words(begin: int) -> int:
        return len({text[start:end].lower() for start, end in marks if begin <= start and end <= begin + characters})

    begins = [start for start, _ in sentences(text)] if len(text) > characters else []
    begin = max(begins, key=lambda start: (words(start), start), default=0)
    begin = begin if words(begin) > words(0) else 0
    return begin, min(begin + characters, len(text))


def link_to(path: str, place: str = "") -> str:
    """The address that opens a file, a PDF at its page; "" for what is no file. Whatever a name holds, it is
    percent-encoded there."""
    if not Path(path).is_absolute():
        return ""
    file = file_of(path)  # what is in an archive is opened there
    page = re.fullmatch(r"page ([0-9]+)", place) if file == path else None
    return Path(file).as_uri() + (f"#page={page[1]}" if page and path.lower().endswith(".pdf") else "")
