"""Excel workbooks: the cells of each sheet as they are shown, row by row; what is hidden is left out."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Document, Unreadable
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.ooxml.drawing import chart_titles, paragraphs
from infinidoc.documents.formats.ooxml.numberformat import BUILTIN
from infinidoc.documents.formats.ooxml.package import Package, qn
from infinidoc.documents.formats.ooxml.sheet import Values, sheet_rows, unescaped
from infinidoc.documents.formats.sheets import add_sheet, hidden_rows, hidden_sheet


def read(data: bytes, format: str) -> Document:
    package = Package(data)
    book = package.xml(package.main)
    properties = book.find(qn("x:workbookPr"))
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    values = Values(_strings(package), _formats(package), since_1904)
    composer = Composer()
    pages = 0
    notes: list[str] = []
    for sheet in book.iterfind(f"{qn('x:sheets')}/{qn('x:sheet')}"):
        name = sheet.get("name", "")
        relation = package.relations(package.main).get(sheet.get(qn("r:id"), ""))
        if sheet.get("state", "visible") != "visible":
            notes.append(hidden_sheet(name))
        elif relation and relation.part in package:
            pages += 1
            hidden: list[int] = []
            rows = sheet_rows(package, relation.part, values, hidden)
            comments = deque(sorted(_comments(package, relation.part)))
            add_sheet(composer, name, rows, comments, _drawn(package, relation.part))
            notes += hidden_rows(name, len(hidden))
    return composer.document(format, pages, notes)


def _strings(package: Package) -> list[str]:
    """The texts that cells share, without how they are pronounced."""
    strings: list[str] = []
    size = 0
    for part in package.related(package.main, "sharedStrings"):
        parts: list[str] = []
        is_text = is_phonetic = False
        for kind, name, _ in package.events(part):
            if kind == "text":
                if is_text and not is_phonetic:
                    parts.append(name)
            elif name == "t":
                is_text = kind == "start"
            elif name == "rPh":
                is_phonetic = kind == "start"
            elif name == "si" and kind == "end":
                strings.append(unescaped("".join(parts)))
                size += len(strings[-1])
                parts.clear()
                if size > MAX_CHARACTERS:
                    raise Unreadable(TOO_LONG)
    return strings


def _formats(package: Package) -> list[str]:
    """The number format of each style. How cells look otherwise may be flawed without harm to their text."""
    try:
        root = package.related_xml(package.main, "styles")
        if root is None:
            return []
        codes = {int(code.get("numFmtId")): code.get("formatCode", "") for code in root.iter(qn("x:numFmt"))}
        styles = root.iterfind(f"{qn('x:cellXfs')}/{qn('x:xf')}")
        numbers = [int(style.get("numFmtId", "0")) for style in styles]
        return [codes.get(number) or BUILTIN.get(number, "General") for number in numbers]
    except (SyntaxError, ValueError, TypeError):
        return []


def _comments(package: Package, part: str) -> Iterator[tuple[int, str]]:
    """Comments, and the row at which each stands."""
    people = {
        person.get("id", ""): person.get("displayName", "")
        for other in package.related(package.main, "person")
        for person in package.xml(other).iterfind("{*}person")
    }
    answered: set[str] = set()
    for other in package.related(part, "threadedComment"):
        for comment in package.xml(other).iterfind("{*}threadedComment"):
            answered.add(comment.get("ref", ""))
            author = people.get(comment.get("personId", ""), "")
            yield _comment(comment.get("ref", ""), author, comment.findtext("{*}text") or "")
    for other in package.related(part, "comments"):
        root = package.xml(other)
        authors = [author.text or "" for author in root.iter(qn("x:author"))]
        for comment in root.iter(qn("x:comment")):
            place, number = comment.get("ref", ""), comment.get("authorId", "")
            if place in answered:  # the same again, for older programs
                continue
            author = authors[int(number)] if number.isdigit() and int(number) < len(authors) else ""
            yield _comment(place, author, "".join(map(_text, comment.iter(qn("x:t")))))


def _text(element: Any) -> str:
    return "" if element.getparent().tag == qn("x:rPh") else element.text or ""


def _comment(place: str, author: str, text: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, place))
    by = f" by {author}" if author else ""
    return int(digits or "0"), f"[Comment on {place}{by}: {' '.join(text.split())}]"


def _drawn(package: Package, part: str) -> Iterator[str]:
    """What stands in text boxes; of charts the titles, since their values are cells."""
    for drawing in package.related(part, "drawing"):
        root = package.xml(drawing)
        for old in [*root.iter(qn("mc:Fallback"))]:
            old.getparent().remove(old)
        for element in root.iter(qn("xdr:txBody"), qn("c:chart")):
            if element.tag == qn("xdr:txBody"):
                yield "\n".join(paragraphs(element))
            elif (chart := package.relations(drawing).get(element.get(qn("r:id"), ""))) and chart.part in package:
                yield "\n".join(chart_titles(package.xml(chart.part)))
