"""Tables as sentences: each row says what its values are, so that a row recalled alone is understood."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

_LOOK_AHEAD = 20  # rows among which the one that names the columns is sought
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?[-+]?\d[\d.,'\s]*%?\)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_YEAR = re.compile(r"(19|20)\d\d")  # a number that does name columns


def describe(rows: Iterable[Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Each row that isn't empty as (its number from 1, `header: value; header: value`).

    The row that names the columns is found by what it looks like and isn't repeated by itself; rows above it, such as a
    title, and tables without such a row are given as their values.
    """
    numbered = enumerate(([" ".join(cell.split()) for cell in row] for row in rows), 1)
    first = list(itertools.islice(numbered, _LOOK_AHEAD))
    header_at, header = _header(first)
    for number, row in itertools.chain(first, numbered):
        if number == header_at or not any(row):
            continue
        names = itertools.chain(header if number > header_at else [], itertools.repeat(""))
        yield (
            number,
            "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell),
        )


def _header(rows: Sequence[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    """The number of the row that names the columns, and the names; (0, []) if there is none."""
    counts = [sum(map(bool, row)) for _, row in rows]
    widest = max(counts, default=0)
    if widest < 2:
        return 0, []
    index = next(index for index, count in enumerate(counts) if count >= max(2, 0.6 * widest))
    number, row = rows[index]
    names = [cell for cell in row if cell]
    named = len(set(names)) == len(names) and not any(
        _NUMBER.fullmatch(name) and not _YEAR.fullmatch(name) for name in names
    )
    return (number, row) if named and any(counts[index + 1 :]) else (0, [])
