"""A sheet of a workbook, whatever its format: its rows, comments behind theirs, then what is drawn on it."""

from collections import deque
from collections.abc import Iterable, Iterator

from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.rows import Row, describe


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
