"""The numbers and bullets that OpenDocument puts before the items of lists, and before headings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from infinidoc.documents.formats import counting
from infinidoc.documents.formats.odf.package import Package, qn

_COUNTS: dict[str, Callable[[int], str]] = {
    "1": str,
    "a": counting.letters,
    "A": lambda number: counting.letters(number).upper(),
    "i": counting.roman,
    "I": lambda number: counting.roman(number).upper(),
}


class _Level(NamedTuple):
    format: str = ""
    prefix: str = ""
    suffix: str = ""
    shown: int = 1  # levels in a number: 2 in "1.2"
    start: int = 1
    is_bullet: bool = False

    def written(self, number: int) -> str:
        return _COUNTS[self.format](number) if self.format in _COUNTS else ""


@dataclass
class Count:
    """How far a list has counted, by level from 1."""

    levels: dict[int, _Level]
    numbers: dict[int, int] = field(default_factory=dict)

    def label(self, depth: int, start: str | None = None) -> str:
        """What stands before the next item at a depth."""
        level = self.levels.get(depth, _Level())
        number = int(start) if start and start.isdigit() else self.numbers.get(depth, level.start - 1) + 1
        self.numbers = {other: count for other, count in self.numbers.items() if other < depth} | {depth: number}
        if level.is_bullet:
            return "- "
        if level.format not in _COUNTS:
            return ""
        above = range(max(1, depth - level.shown + 1), depth)
        parts = []
        for other in above:
            outer = self.levels.get(other, _Level())
            parts.append(outer.written(self.numbers.get(other, outer.start)))
        whole = ".".join(filter(None, [*parts, level.written(number)]))
        return f"{level.prefix.lstrip()}{whole}{level.suffix.rstrip()} "


class Lists:
    """Asked in the order of the document."""

    def __init__(self, package: Package):
        self._styles = {
            style.get(qn("style:name"), ""): _levels(style)
            for root in (package.styles, package.content)
            for style in root.iter(qn("text:list-style"))
        }
        outline = next(package.styles.iter(qn("text:outline-style")), None)
        self.headings = Count({} if outline is None else _levels(outline))
        self._counts: dict[str | None, Count] = {}  # by the lists' ids, and by their styles

    def count(self, element: Any, style: str) -> Count:
        """That of a text:list, which may go on where an earlier one has stopped."""
        before = element.get(qn("text:continue-list"))
        if element.get(qn("text:continue-numbering")) == "true":
            before = f"style {style}"
        count = (self._counts.get(before) if before else None) or Count(self._styles.get(style, {}))
        self._counts[element.get(qn("xml:id"))] = self._counts[f"style {style}"] = count
        return count


def _levels(style: Any) -> dict[int, _Level]:
    return {
        int(level.get(qn("text:level"), "1")): _Level(
            level.get(qn("style:num-format"), ""),
            level.get(qn("style:num-prefix"), ""),
            level.get(qn("style:num-suffix"), ""),
            int(level.get(qn("text:display-levels"), "1")),
            int(level.get(qn("text:start-value"), "1")),
            level.tag in (qn("text:list-level-style-bullet"), qn("text:list-level-style-image")),
        )
        for level in style
        if level.get(qn("text:level"))
    }
