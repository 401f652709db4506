"""DrawingML: the text of shapes, tables, charts and diagrams, alike in Word, Excel and PowerPoint."""

import re
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.formats.counting import FORMATS
from infinidoc.documents.formats.ooxml.numberformat import number_as_shown
from infinidoc.documents.formats.ooxml.package import Package, qn
from infinidoc.documents.formats.rows import describe

# a:buAutoNum: what a list counts with, and how the number is set.
_COUNTED = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
_SET = {"Period": "{}. ", "ParenR": "{}) ", "ParenBoth": "({}) ", "Plain": "{} ", "Minus": "{} - "}
_AUTOMATIC = re.compile(rf"({'|'.join(_COUNTED)})({'|'.join(_SET)})")


def chosen(alternatives: Any) -> Any | None:
    """What a program of today shows of an mc:AlternateContent; the others are the same for older ones."""
    options = [*alternatives.iterfind(qn("mc:Choice")), *alternatives.iterfind(qn("mc:Fallback"))]
    texts = [qn(name) for name in ("w:t", "a:t", "m:t", "c:chart", "dgm:relIds", "v:textpath")]
    return next((option for option in options if next(option.iter(*texts), None) is not None), None)


def paragraphs(body: Any) -> Iterator[str]:
    """The paragraphs of a text body (p:txBody, a:txBody, c:rich), with the numbers that lists make."""
    counted: dict[int, tuple[str, int]] = {}  # by level: what it counts with, and how far it is
    for paragraph in body.iterfind(qn("a:p")):
        text = "".join(_characters(paragraph))
        properties = paragraph.find(qn("a:pPr"))
        depth = 0 if properties is None else int(properties.get("lvl", "0"))
        automatic = None if properties is None else properties.find(qn("a:buAutoNum"))
        kind = "" if automatic is None else automatic.get("type", "")
        match = _AUTOMATIC.fullmatch(kind)
        if text.strip():
            counted = {level: state for level, state in counted.items() if level <= depth}
            if match is None or automatic is None:
                counted.pop(depth, None)
            else:
                before, number = counted.get(depth, ("", 0))
                number = number + 1 if before == kind else int(automatic.get("startAt", "1"))
                counted[depth] = kind, number
                text = _SET[match[2]].format(FORMATS[_COUNTED[match[1]]](number)) + text
        yield text


def _characters(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag in (qn("a:t"), qn("m:t")):
            yield child.text or ""
        elif child.tag == qn("a:br"):
            yield "\n"
        elif child.tag == qn("a:tab"):
            yield "\t"
        elif child.tag == qn("mc:AlternateContent"):
            option = chosen(child)
            yield from () if option is None else _characters(option)
        elif child.tag not in (qn("a:pPr"), qn("a:rPr"), qn("a:endParaRPr")):
            yield from _characters(child)


def table(element: Any) -> Iterator[str]:
    """The rows of an a:tbl."""
    rows: list[list[str | None]] = []
    for tr in element.iterfind(qn("a:tr")):
        row: list[str | None] = []
        for column, tc in enumerate(tr.iterfind(qn("a:tc"))):
            body = tc.find(qn("a:txBody"))
            if tc.get("hMerge") in ("1", "true"):
                row.append(None)
            elif tc.get("vMerge") in ("1", "true") and rows and column < len(rows[-1]):
                row.append(rows[-1][column])
            else:
                row.append("" if body is None else " ".join(paragraphs(body)))
        rows.append(row)
    properties = element.find(qn("a:tblPr"))
    has_head = properties is not None and properties.get("firstRow") in ("1", "true")
    for _, line in describe(rows, named=has_head, gap=" | "):
        yield line


def graphic(element: Any, package: Package, part: str) -> Iterator[str]:
    """The lines of what an a:graphicData shows: a table, or a chart or diagram that is another part."""
    for found in element.iter(qn("a:tbl"), qn("c:chart"), qn("dgm:relIds")):
        if found.tag == qn("a:tbl"):
            yield from table(found)
            continue
        is_chart = found.tag == qn("c:chart")
        relation = package.relations(part).get(found.get(qn("r:id") if is_chart else qn("r:dm"), ""))
        if relation and relation.part in package:
            root = package.xml(relation.part)
            yield from [*chart_titles(root), *_chart_rows(root)] if is_chart else _diagram(root)


def chart_titles(root: Any) -> list[str]:
    """The title of a chart, and those of its axes."""
    titles = ("".join(text.text or "" for text in title.iter(qn("a:t"))) for title in root.iter(qn("c:title")))
    return [title for title in titles if title.strip()]


def _chart_rows(root: Any) -> Iterator[str]:
    """What is drawn: a row for each category, a column for each series."""
    names: dict[int, str] = {0: ""}
    rows: dict[str, dict[int, str]] = {}
    for column, series in enumerate(root.iter(qn("c:ser")), 1):
        names[column] = " ".join(_points(series.find(qn("c:tx"))).values())
        categories = _points(series.find(qn("c:cat"))) or _points(series.find(qn("c:xVal")))
        values = _points(series.find(qn("c:val"))) or _points(series.find(qn("c:yVal")))
        for index, value in values.items():
            rows.setdefault(categories.get(index, str(index + 1)), {})[column] = value
    grid = [[category, *(row.get(column, "") for column in list(names)[1:])] for category, row in rows.items()]
    for _, line in describe([list(names.values()), *grid], heads=1 if any(names.values()) else None):
        yield line


def _points(element: Any | None) -> dict[int, str]:
    """Values that a chart keeps of the cells that it shows, by their index; those of several levels in one."""
    points: dict[int, str] = {}
    for cache in (
        ()
        if element is None
        else element.iter(qn("c:strCache"), qn("c:numCache"), qn("c:lvl"), qn("c:strLit"), qn("c:numLit"))
    ):
        code = cache.findtext(qn("c:formatCode")) or "General"
        for point in cache.iterfind(qn("c:pt")):
            value = point.findtext(qn("c:v")) or ""
            if cache.tag in (qn("c:numCache"), qn("c:numLit")):
                value = number_as_shown(value, point.get("formatCode") or code)
            index = int(point.get("idx", "0"))
            points[index] = f"{value} {points[index]}" if index in points else value
    if not points and element is not None and element.find(qn("c:v")) is not None:
        points[0] = element.findtext(qn("c:v")) or ""
    return points


def _diagram(root: Any) -> Iterator[str]:
    """The texts of a SmartArt diagram, in the order in which they were written."""
    for point in root.iter(qn("dgm:pt")):
        body = point.find(qn("dgm:t"))
        yield from () if body is None else paragraphs(body)
