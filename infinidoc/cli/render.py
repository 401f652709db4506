"""What every command prints with: one console for results, one for everything else, and how sizes and times look."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 200  # nothing is folded to a terminal's width that isn't there

# Results go to stdout, so that they can be piped; notes, progress and errors to stderr.
out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH, soft_wrap=not sys.stdout.isatty())
err = Console(highlight=False, stderr=True, soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = ()) -> None:
    """A table; the columns named in `numbers` are right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    out.print(table)


def print_facts(facts: dict[str, Any]) -> None:
    """Names and values, a line each."""
    width = max(map(len, facts))
    for name, value in facts.items():
        out.print(f"[bold]{name:<{width}}[/bold]  ", end="")
        out.print(str(value), markup=False)


def note(text: str) -> None:
    err.print(text, style="dim", markup=False)


def size(count: float) -> str:
    """Bytes for people: "5.9 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
