"""What every command prints with: results to `out`, everything else to `err`, and how sizes look.

What comes from outside (names, texts, answers, errors) must come out letter for letter and never steer a terminal, so
no other module of the command line prints, and everything that this one prints passes through `printable`.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

# C0 and C1 controls, line and paragraph separators, bidirectional controls, halves of characters.
STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
WIDEST = 80  # cells; longer cells of a table run over rather than push the others apart


def printable(text: str, keep: str = "") -> str:
    """Text as a terminal may have it: what would steer it is spelt out (`\\x1b`, `\\u202e`), but for those in `keep`.

    A byte of a file's name that is not UTF-8 comes out as that byte (`\\xe9`).
    """

    def spelt(found: re.Match[str]) -> str:
        character = found[0]
        if character in keep:
            return character
        code = ord(character)
        code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0
        return NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")

    return STEERING.sub(spelt, text)


class Printer:
    """One of the two standard streams. Colours are there on a terminal only; no line is ever folded or cut."""

    def __init__(self, to_stderr: bool = False):
        self._to_stderr = to_stderr
        self._console: Console | None = None

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self._to_stderr else sys.stdout

    @property
    def console(self) -> "Console":
        from rich.console import Console

        if self._console is None:
            self._console = Console(stderr=self._to_stderr, emoji=False, highlight=False)
        return self._console

    def forget(self) -> None:
        """The stream is another one now, with colours and a width of its own."""
        self._console = None

    def print(self, text: object = "", style: str = "", end: str = "\n", link: str = "") -> None:
        """One line, or a part of one; a `link` is there where colours are, for terminals that know them (OSC 8)."""
        self._write(printable(str(text)), style, end, link)

    def write(self, text: str, style: str = "") -> None:
        """Text, whose tabs and newlines are its own, at once."""
        self._write(printable(text, keep="\t\n"), style, "")

    def _write(self, text: str, style: str, end: str, link: str = "") -> None:
        if style and self.stream.isatty() and self.console.color_system and not self.console.no_color:
            from rich.style import Style

            text = (Style.parse(style) + Style(link=printable(link) or None)).render(text)
        self.stream.write(text + end)
        self.stream.flush()


out, err = Printer(), Printer(to_stderr=True)


def error(message: str) -> None:
    """What went wrong, in one line."""
    err.print("infinidoc: ", style="bold red", end="")
    err.print(message)


def note(text: str) -> None:
    err.print(text, style="dim")


def confirm(question: str) -> None:
    """Asks, and ends the command unless the answer is yes."""
    import typer

    try:
        yes = typer.confirm(printable(question))
    except typer.Abort:  # the end of the input, or Ctrl-C
        out.print()
        raise
    if not yes:
        raise typer.Abort


def print_document(text: str) -> None:
    """A whole text: byte for byte into a file or a pipe, which it can't steer, as `write` has it on a terminal."""
    if sys.stdout.isatty():
        out.write(text if text.endswith("\n") else text + "\n")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


def print_json(value: Any) -> None:
    """One line of JSON on stdout. What would steer a terminal is spelt as JSON spells it: the value is the same."""
    plain = json.dumps(value, ensure_ascii=sys.stdout.encoding.lower() not in ("utf-8", "utf8"))
    sys.stdout.write(STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", plain) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = ()) -> None:
    """A table; the columns named in `numbers` are right-aligned. Cells are whole, so that they can be copied."""
    from rich.cells import cell_len

    def padded(cell: str, width: int, right: bool) -> str:
        space = " " * (min(width, WIDEST) - cell_len(cell))
        return space + cell if right else cell + space

    lines = [[printable(str(cell)) for cell in row] for row in (columns, *rows)]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(columns))]
    for number, line in enumerate(lines):
        cells = [padded(cell, width, name in numbers) for cell, width, name in zip(line, widths, columns, strict=True)]
        out.print("  ".join(cells).rstrip(" "), style="" if number else "bold")


def print_facts(facts: dict[str, Any]) -> None:
    """Names and values, a line each."""
    width = max(map(len, facts))
    for name, value in facts.items():
        out.print(f"{name:<{width}}  ", style="bold", end="")
        out.print(value)


@contextmanager
def status(doing: str) -> Iterator[None]:
    """A spinner on a terminal, while something takes seconds."""
    if not sys.stderr.isatty():
        yield
        return
    with err.console.status(doing):
        yield


def size(count: float) -> str:
    """Bytes for people: "5.9 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def shortened(text: str, characters: int) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"
