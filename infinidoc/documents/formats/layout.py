"""In which order a person reads boxes on a page: shapes of a slide, lines of a scan."""

import itertools
import statistics
from typing import NamedTuple, Self

_PROSE = 10  # line heights: the width of a column of prose, at least


class Box(NamedTuple):
    """Where something stands, from the upper left corner, without the margins by which neighbours may overlap."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, left: float, top: float, width: float, height: float) -> Self:
        return cls(left + width / 10, top + height / 10, left + 0.9 * width, top + 0.9 * height)


def in_reading_order(boxes: dict[int, Box]) -> list[int]:
    """Cut between rows of boxes, then between columns inside of a row, and so on.

    Where both can be cut, columns go first if they were made one by one, as the numbers tell.
    """
    rows, columns = _cut(boxes, 1, 3), _cut(boxes, 0, 2)
    if len(rows) == len(columns) == 1:
        return sorted(boxes, key=lambda n: (boxes[n].top, boxes[n].left))
    made_by_columns = all(max(before) < min(after) for before, after in itertools.pairwise(columns))
    groups = columns if len(rows) == 1 or (len(columns) > 1 and made_by_columns) else rows
    return [n for group in groups for n in in_reading_order(group)]


def in_blocks(boxes: dict[int, Box], height: float) -> list[list[list[int]]]:
    """Lines of text in blocks from above to below. A block has one column; several are those of a table's rows.

    Columns of prose are blocks of their own, one after the other: their lines are long, and a table's cells short.
    `height` is that of a line; what is nearer than this is not apart.
    """
    blocks: list[list[list[int]]] = []
    band: dict[int, Box] = {}  # rows whose columns stand below each other
    for row in _cut(boxes, 1, 3) if boxes else []:
        together = len(_columns(band | row, height))
        if band and together < max(len(_columns(band, height)), len(_columns(row, height))):
            blocks += _band(band, height)
            band = {}
        band |= row
    return blocks + (_band(band, height) if band else [])


def _band(boxes: dict[int, Box], height: float) -> list[list[list[int]]]:
    columns = _columns(boxes, height)
    downwards = [sorted(column, key=lambda n: (boxes[n].top, boxes[n].left)) for column in columns]
    widths = [statistics.median(boxes[n].right - boxes[n].left for n in column) for column in columns]
    is_prose = min(map(len, columns)) > 2 and min(widths) > _PROSE * height
    return [[column] for column in downwards] if len(columns) == 1 or is_prose else [downwards]


def _columns(boxes: dict[int, Box], height: float) -> list[dict[int, Box]]:
    """Groups with room between them, a letter's width at least."""
    wide = {n: box._replace(left=box.left - 0.3 * height, right=box.right + 0.3 * height) for n, box in boxes.items()}
    return _cut(wide, 0, 2)


def _cut(boxes: dict[int, Box], low: int, high: int) -> list[dict[int, Box]]:
    """Groups of boxes that no other one reaches into, from one of their sides to the opposite."""
    groups: list[dict[int, Box]] = [{}]
    edge = float("inf")
    for n, box in sorted(boxes.items(), key=lambda item: item[1][low]):
        if box[low] >= edge:
            groups.append({})
        groups[-1][n] = box
        edge = box[high] if len(groups[-1]) == 1 else max(edge, box[high])
    return groups
