"""A sheet of a workbook, whatever its format: its rows, comments behind theirs, then what is drawn on it."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Unreadable
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.rows import Row, describe

WIDEST = 100  # columns that a merged cell names


class SheetRow(NamedTuple):
    number: int
    is_hidden: bool
    cells: dict[int, str]  # by column, from 0


class _Merge(NamedTuple):
    right: int
    bottom: int
    text: str


def grid(
    rows: Iterable[SheetRow],
    merges: dict[int, list[tuple[int, int, int]]],
    hidden_columns: set[int],
    hidden_rows: list[int],
) -> Iterator[tuple[int, list[str | None]]]:
    """Each row that a person sees, with its number, as `rows.describe` takes it; an empty one where there is a gap.

    `merges` are the merged cells by their first row, as (first column, last column, last row). `hidden_columns` may
    still come while rows are read. Adds the numbers of rows that are hidden, and not empty, to `hidden_rows`. Raises
    Unreadable for more than MAX_CHARACTERS.
    """
    reaching: dict[int, _Merge] = {}  # merged cells that go on in rows below, by their first column
    before, size = 0, 0
    for number, is_hidden, cells in rows:
        if number > before + 1:
            yield number - 1, []
        before = number
        reaching = {left: merge for left, merge in reaching.items() if merge.bottom >= number}
        is_empty = not any(cells.values())
        if is_empty and number not in merges:
            if not is_hidden:
                yield number, []
            continue
        cells = cells | {left: merge.text for left, merge in reaching.items()}
        spans = [(left, merge.right) for left, merge in reaching.items()]
        for left, right, bottom in merges.pop(number, ()):
            spans.append((left, right))
            if bottom > number and cells.get(left):
                reaching[left] = _Merge(right, bottom, cells[left])
        covered = {column for left, right in spans for column in range(left + 1, right + 1)}
        if is_hidden:
            hidden_rows += [] if is_empty else [number]
            continue
        width = 0 if is_empty else 1 + max([*cells, *covered])
        size += width + sum(map(len, cells.values()))
        if size > MAX_CHARACTERS:
            raise Unreadable(TOO_LONG)
        shown = (column for column in range(width) if column not in hidden_columns)
        yield number, [None if column in covered else cells.get(column, "") for column in shown]


def add_sheet(
    composer: Composer,
    name: str,
    rows: Iterable[tuple[int, Row]],
    comments: deque[tuple[int, str]],
    drawn: Iterable[str] = (),
) -> None:
    """`rows` have their numbers in the file, as have `comments`, sorted; they may still come while rows are read."""
    composer.mark(f"sheet {name}", breaks=True)
    numbers: list[int] = []  # of the rows in the file, by those of the rows that are shown
    is_empty = True

    def numbered() -> Iterator[Row]:
        for number, row in rows:
            numbers.append(number)
            yield row

    def add(line: str, number: int = 0) -> None:
        nonlocal is_empty
        if is_empty:
            composer.add(f"Sheet {name}")
            is_empty = False
        composer.mark(f"sheet {name}, row {number}" if number else f"sheet {name}")
        composer.add(line, "\n")

    for index, line in describe(numbered()):
        number = numbers[index - 1]
        while comments and comments[0][0] < number:
            add(comments.popleft()[1])
        add(line, number)
    for _, comment in comments:
        add(comment)
    for text in drawn:
        add(text)


def hidden_sheet(name: str) -> str:
    return f"sheet {name} is hidden, and left out"


def hidden_rows(name: str, count: int) -> list[str]:
    return [f"{count} {'row' if count == 1 else 'rows'} of sheet {name} hidden, and left out"] if count else []
