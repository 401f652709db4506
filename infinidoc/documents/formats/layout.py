"""In which order a person reads boxes on a page: shapes of a slide, lines of a scan."""

import itertools
from typing import NamedTuple, Self


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
