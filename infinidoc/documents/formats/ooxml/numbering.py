"""The numbers that Word makes itself: 1., (a), iv, Article Two."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from infinidoc.documents.formats.counting import FORMATS
from infinidoc.documents.formats.ooxml.package import is_on, qn, value

_LEVELS = 9
_GENERATIONS = 12
_PLACE = re.compile(r"%([1-9])")


@dataclass(frozen=True)
class _Level:
    start: int = 1
    format: str = "decimal"
    text: str = ""
    gap: str = " "
    restart: int | None = None  # after which level, from 1; 0 for never, None for any above
    is_legal: bool = False  # numbers of all levels as decimals
    style: str = ""  # of paragraphs that stand at this level


@dataclass
class _List:
    """A definition of levels, and how far each has counted. Instances of one definition count on together."""

    levels: dict[int, _Level]
    counted: dict[int, int] = field(default_factory=dict)
    begun: set[tuple[str, int]] = field(default_factory=set)  # instances and levels that have started anew


class _Instance(NamedTuple):
    """The list that it belongs to, its own definitions of some levels, and where they start anew."""

    list: str
    levels: dict[int, _Level]
    starts: dict[int, int]


class Numbering:
    """Asked for each paragraph in the order of the document, gives what stands before it."""

    def __init__(self, numbering: Any | None, styles: dict[str, Any]):
        """`numbering` is the root of the part of this name, if there is one; `styles` are elements by their ids."""
        self._styles = styles
        self._default = next((key for key, style in styles.items() if _is_default(style)), "")
        self._lists: dict[str, _List] = {}
        self._instances: dict[str, _Instance] = {}
        if numbering is None:
            return
        for element in numbering.iterfind(qn("w:num")):
            self._instances[element.get(qn("w:numId"), "")] = _instance(element)
        abstract = {
            element.get(qn("w:abstractNumId"), ""): element for element in numbering.iterfind(qn("w:abstractNum"))
        }
        for key, element in abstract.items():
            self._lists[key] = _List(dict(map(_level, element.iterfind(qn("w:lvl")))))
        for key, element in abstract.items():  # some only name a style, whose list they are
            number = value(styles.get(value(element, "w:numStyleLink")), "w:pPr/w:numPr/w:numId")
            if number in self._instances and self._instances[number].list in self._lists:
                self._lists[key] = self._lists[self._instances[number].list]

    def label(self, paragraph: Any) -> str:
        """What stands before the paragraph, and a space: "1. ", "- " for any bullet, or "". Counts the paragraph."""
        number, depth = self._place(paragraph)
        levels = self._levels(number)
        if depth not in levels:
            return ""
        counted = self._count(number, depth, levels)
        level = levels[depth]
        if level.format == "bullet":
            return "- "

        def shown(match: re.Match[str]) -> str:
            other = int(match[1]) - 1
            format = levels[other].format if other in levels and not level.is_legal else "decimal"
            return _formatted(counted[other], format) if other in counted else ""

        text = _PLACE.sub(shown, level.text).strip()
        return text + level.gap if text else ""

    def _place(self, paragraph: Any) -> tuple[str, int]:
        """The list that a paragraph belongs to, by itself or by its style, and its level there."""
        properties = paragraph.find(qn("w:pPr"))
        number, depth = _number(properties)
        for style in ancestry(self._styles, value(properties, "w:pStyle") or self._default):
            if number is not None:
                break
            number, given = _number(style.find(qn("w:pPr")))
            if depth is None:
                name = style.get(qn("w:styleId"))
                depth = next((n for n, level in self._levels(number).items() if level.style == name), given)
        return number or "", min(depth or 0, _LEVELS - 1)

    def _levels(self, number: str | None) -> dict[int, _Level]:
        instance = self._instances.get(number or "")
        return self._lists[instance.list].levels | instance.levels if instance and instance.list in self._lists else {}

    def _count(self, number: str, depth: int, levels: dict[int, _Level]) -> dict[int, int]:
        """Moves the list on by one at this level; where each level of it now stands."""
        instance = self._instances[number]
        state = self._lists[instance.list]
        counted = state.counted
        if depth in instance.starts and (number, depth) not in state.begun:
            counted[depth] = instance.starts[depth]
        elif depth in counted:
            counted[depth] += 1
        else:
            counted[depth] = levels[depth].start
        state.begun.add((number, depth))
        for other in range(depth):  # levels that were jumped over
            counted.setdefault(other, levels.get(other, _Level()).start)
        for other in [n for n in counted if n > depth]:
            restart = levels.get(other, _Level()).restart
            if restart is None or depth < restart:
                del counted[other]
                state.begun -= {begun for begun in state.begun if begun[1] == other}
        return counted


def ancestry(styles: dict[str, Any], name: str) -> Iterator[Any]:
    """A style, and those that it is based on; Word doesn't go on for longer than ten, or in circles."""
    for _ in range(_GENERATIONS):
        if name not in styles:
            return
        yield styles[name]
        name = value(styles[name], "w:basedOn")


def _level(element: Any) -> tuple[int, _Level]:
    def number(name: str, default: str = "") -> int | None:
        text = value(element, name) or default
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None

    # Formats that came later stand beside an older one.
    format = element.find(f"{qn('mc:AlternateContent')}/{qn('mc:Choice')}/{qn('w:numFmt')}")
    padded = "" if format is None else re.match(r"0*1(?=,)", format.get(qn("w:format"), ""))
    return int(element.get(qn("w:ilvl"), "0")), _Level(
        start=number("w:start", "0") or 0,
        format=f"0{len(padded[0])}" if padded else value(element, "w:numFmt") or "decimal",
        text=value(element, "w:lvlText"),
        gap="" if value(element, "w:suff") == "nothing" else " ",
        restart=number("w:lvlRestart"),
        is_legal=is_on(element.find(qn("w:isLgl"))),
        style=value(element, "w:pStyle"),
    )


def _instance(element: Any) -> _Instance:
    levels, starts = {}, {}
    for override in element.iterfind(qn("w:lvlOverride")):
        depth = int(override.get(qn("w:ilvl"), "0"))
        for level in override.iterfind(qn("w:lvl")):
            levels[depth] = _level(level)[1]
            starts[depth] = levels[depth].start
        if start := value(override, "w:startOverride"):
            starts[depth] = int(start)
    return _Instance(value(element, "w:abstractNumId"), levels, starts)


def _number(properties: Any | None) -> tuple[str | None, int | None]:
    """The list and the level that a paragraph's or a style's properties name."""
    if properties is None or (element := properties.find(qn("w:numPr"))) is None:
        return None, None
    depth = value(element, "w:ilvl")
    return value(element, "w:numId") or None, int(depth) if depth else None


def _is_default(style: Any) -> bool:
    return style.get(qn("w:type")) == "paragraph" and style.get(qn("w:default")) in ("1", "true", "on")


def _formatted(number: int, format: str) -> str:
    if format.isdigit():
        return str(number).zfill(int(format))
    return FORMATS.get(format, str)(number)
