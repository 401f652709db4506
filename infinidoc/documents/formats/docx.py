"""Word documents: what stands on their pages, in its order; headings begin sections.

Headers come first and footers last, each once; a note or a comment follows the paragraph that refers to it.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import read_document
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.counting import FORMATS
from infinidoc.documents.formats.ooxml.drawing import chosen, graphic
from infinidoc.documents.formats.ooxml.numbering import Numbering, ancestry
from infinidoc.documents.formats.ooxml.package import Package, is_on, qn, value
from infinidoc.documents.formats.ooxml.runs import Runs
from infinidoc.documents.formats.rows import describe

# What only wraps paragraphs, tables, rows or cells.
_WRAPPERS = frozenset(qn(f"w:{name}") for name in ("sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo"))
_BLOCKS = frozenset(qn(f"w:{name}") for name in ("p", "tbl", "altChunk"))
_ROW, _CELL = frozenset([qn("w:tr")]), frozenset([qn("w:tc")])
_WIDEST = 100  # columns; Word allows 63
_NOTES = {"footnote": "decimal", "endnote": "lowerRoman"}  # and how Word counts them


def read(data: bytes, format: str) -> Document:
    package = Package(data)
    reader = _Reader(package, package.main)
    reader.add_document()
    return reader.composer.document(format)


class _Reader:
    def __init__(self, package: Package, part: str):
        self._package, self._part = package, part  # the part whose relations hold: a header has its own
        self._body = package.xml(part).find(qn("w:body"))
        self._settings = package.related_xml(part, "settings")
        styles = package.related_xml(part, "styles")
        elements = () if styles is None else styles.iterfind(qn("w:style"))
        self._styles = {style.get(qn("w:styleId"), ""): style for style in elements}
        self._headings = {key for key in self._styles if self._is_heading(key)}
        self._numbering = Numbering(package.related_xml(part, "numbering"), self._styles)
        self._notes = {kind: self._notes_by_id(kind) for kind in (*_NOTES, "comment")}
        self._counted = {kind: int(self._note_property(kind, "numStart")) - 1 for kind in _NOTES}
        self._runs = Runs(self._styles, self._set_aside)
        self._asides: deque[tuple[Any, str]] = (
            deque()
        )  # what the paragraph refers to, and the form in which it is written
        self._carried = ""  # text of a paragraph whose end was deleted: it goes on in the next one
        self._in_list = False
        self.composer = Composer()

    def add_document(self) -> None:
        shown: set[str] = set()
        self._add_margins("header", shown)
        self._add_blocks(self._body)
        self._end_of_text()
        if self._headings:
            self.composer.mark("footer")
        self._add_margins("footer", shown)

    # Blocks

    def _add_blocks(self, container: Any) -> None:
        for block in _children(container, _BLOCKS):
            if block.tag == qn("w:p"):
                self._add_paragraph(block)
                continue
            self._end_of_text()
            self._in_list = False
            if block.tag == qn("w:tbl"):
                self._add_table(block)
            else:
                self._add_chunk(block)

    def _add_paragraph(self, paragraph: Any) -> None:
        label, text = self._line(paragraph)
        if label or text:
            name = _style(paragraph)
            if text and (name in self._headings or _outline(paragraph)):
                self.composer.mark(f"section {label}{text}")
            self.composer.add(label + text, "\n" if label and self._in_list else "\n\n")
            self._in_list = bool(label) and name not in self._headings
        self._add_asides()

    def _line(self, paragraph: Any) -> tuple[str, str]:
        """The number that Word puts before the paragraph, and its text."""
        text = self._carried + self._runs.text(paragraph)
        mark = paragraph.find(f"{qn('w:pPr')}/{qn('w:rPr')}")
        if mark is not None and (mark.find(qn("w:del")) is not None or mark.find(qn("w:moveFrom")) is not None):
            self._carried = text
            return "", ""
        self._carried = ""
        text = text.strip()
        if not text and mark is not None and is_on(mark.find(qn("w:vanish"))):
            return "", ""
        label = self._numbering.label(paragraph)
        return (label, text) if text or label != "- " else ("", "")

    def _end_of_text(self) -> None:
        if self._carried:
            self.composer.add(self._carried.strip())
            self._carried = ""

    def _add_chunk(self, chunk: Any) -> None:
        """A document of another kind that Word takes in when it opens this one."""
        relation = self._package.relations(self._part).get(chunk.get(qn("r:id"), ""))
        if relation and relation.part in self._package:
            try:
                self.composer.add(read_document(relation.part, self._package.read(relation.part)).text)
            except Unreadable as error:
                self.composer.add(f"[{relation.part}: {error}]")

    # Tables

    def _add_table(self, table: Any) -> None:
        rows: list[list[str | None]] = []
        elements = [row for row in _children(table, _ROW) if not _is_gone(row)]
        cells = [[cell for cell in _children(row, _CELL) if not _is_gone(cell)] for row in elements]
        heads = 0
        while heads < len(elements) and is_on(elements[heads].find(f"{qn('w:trPr')}/{qn('w:tblHeader')}")):
            heads += 1
        is_named = self._has_styled_head(table) or (
            len(cells) > 1 and _is_bold(cells[0]) and not any(map(_is_bold, cells[1:]))
        )
        is_layout = max(map(len, cells), default=0) < 2
        for row, row_cells in zip(elements, cells, strict=True):
            if is_layout or any(self._has_parts(cell) for cell in row_cells):
                self._add_rows(rows, heads, is_named)
                rows = []
                for cell in row_cells:
                    self._add_blocks(cell)
                    self._end_of_text()
            else:
                rows.append(self._row(row, row_cells, rows[-1] if rows else []))
        self._add_rows(rows, heads, is_named)
        self._in_list = False

    def _add_rows(self, rows: list[list[str | None]], heads: int, is_named: bool) -> None:
        heads = heads if heads < len(rows) else 0
        for index, (_, line) in enumerate(describe(rows, heads or None, named=is_named, gap=" | ")):
            self.composer.add(line, "\n" if index else "\n\n")
        self._add_asides()

    def _row(self, row: Any, cells: list[Any], above: list[str | None]) -> list[str | None]:
        line: list[str | None] = [""] * _span(row, "w:trPr/w:gridBefore", 0)
        for cell in cells:
            merged = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
            if merged is not None and merged.get(qn("w:val")) != "restart" and len(line) < len(above):
                text = above[len(line)]
            else:
                text = self._flat(cell)
            line += [text, *[None] * (_span(cell, "w:tcPr/w:gridSpan", 1) - 1)]
        return line

    def _has_parts(self, cell: Any) -> bool:
        """Whether a cell only arranges parts of the page: another table, or sections with headings."""
        blocks = list(_children(cell, _BLOCKS))
        return any(block.tag != qn("w:p") or _style(block) in self._headings for block in blocks)

    def _flat(self, container: Any) -> str:
        """The text of all paragraphs, in one line."""
        lines = []
        for block in _children(container, _BLOCKS):
            if block.tag == qn("w:p"):
                lines.append("".join(self._line(block)))
            else:
                lines += [self._flat(cell) for cell in block.iter(qn("w:tc"))]
        text = " ".join([*lines, self._carried])
        self._carried = ""
        return " ".join(text.split())

    # What stands beside the text

    def _set_aside(self, element: Any) -> str:
        """Keeps it until the paragraph or table ends; gives the mark that refers to it."""
        kind = element.tag.rpartition("}")[2].removesuffix("Reference")
        if kind not in self._notes:
            self._asides.append((element, "{}"))
            return ""
        note = self._notes[kind].pop(element.get(qn("w:id"), ""), None)
        if note is None:
            return ""
        if kind == "comment":
            author = " ".join(re.sub("[{}]", "", note.get(qn("w:author"), "")).split())
            self._asides.append((note, f"[Comment by {author}: {{}}]" if author else "[Comment: {}]"))
            return ""
        if element.get(qn("w:customMarkFollows")) in ("1", "true", "on"):  # it stands in the text, and in the note
            self._asides.append((note, "{}"))
            return ""
        self._counted[kind] += 1
        count = FORMATS.get(self._note_property(kind, "numFmt"), str)
        mark = f"[{count(self._counted[kind])}]"
        self._asides.append((note, f"{mark} {{}}"))
        return mark

    def _add_asides(self) -> None:
        while self._asides:
            element, form = self._asides.popleft()
            if element.tag == qn("w:txbxContent"):
                self._add_blocks(element)
                self._end_of_text()
            elif element.tag in (qn("c:chart"), qn("dgm:relIds")):
                self.composer.add("\n".join(graphic(element, self._package, self._part)))
            elif text := self._flat(element):
                self.composer.add(form.format(text))
            self._in_list = False

    def _notes_by_id(self, kind: str) -> dict[str, Any]:
        root = self._package.related_xml(self._part, f"{kind}s")
        return {} if root is None else {note.get(qn("w:id"), ""): note for note in root.iterfind(qn(f"w:{kind}"))}

    def _note_property(self, kind: str, name: str) -> str:
        """How notes are numbered: the last section says it, or the settings, or else the custom."""
        for place in (self._body.find(qn("w:sectPr")), self._settings):
            if given := value(place, f"w:{kind}Pr/w:{name}"):
                return given
        return _NOTES[kind] if name == "numFmt" else "1"

    def _add_margins(self, kind: str, shown: set[str]) -> None:
        """Headers or footers that are in use, without those that were shown, or hold nothing but a page number."""
        document = self._part
        has_even = self._settings is not None and is_on(self._settings.find(qn("w:evenAndOddHeaders")))
        for section in self._body.iter(qn("w:sectPr")):
            if section.getparent().tag == qn("w:sectPrChange"):
                continue
            in_use = {"default": True, "first": is_on(section.find(qn("w:titlePg"))), "even": has_even}
            for reference in section.iterfind(qn(f"w:{kind}Reference")):
                relation = self._package.relations(document).get(reference.get(qn("r:id"), ""))
                if not in_use.get(reference.get(qn("w:type"), "default")) or not relation or relation.part in shown:
                    continue
                shown.add(relation.part)
                self._part = relation.part
                root = self._package.xml(relation.part)
                text = "\n".join(filter(None, map(self._flat, ([block] for block in _children(root, _BLOCKS)))))
                if re.search(r"[^\W\d_]", text) and text not in shown:
                    shown.add(text)
                    self.composer.add(text)
                self._add_asides()
                self._part = document

    # Styles

    def _is_heading(self, name: str) -> bool:
        for style in ancestry(self._styles, name):
            if re.match(r"(heading \d|title$)", value(style, "w:name"), re.I) or _outline(style):
                return True
        return False

    def _has_styled_head(self, table: Any) -> bool:
        """Whether the style of a table sets off its first row."""
        look = table.find(f"{qn('w:tblPr')}/{qn('w:tblLook')}")
        if look is None or not (
            look.get(qn("w:firstRow")) in ("1", "true") or int(look.get(qn("w:val"), "0"), 16) & 0x20
        ):
            return False
        parts = (part for style in ancestry(self._styles, value(table, "w:tblPr/w:tblStyle")) for part in style)
        return any(part.get(qn("w:type")) == "firstRow" for part in parts if part.tag == qn("w:tblStylePr"))


def _children(container: Any, wanted: frozenset[str]) -> Iterator[Any]:
    for child in container:
        if child.tag in wanted:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, wanted)
        elif child.tag == qn("mc:AlternateContent") and (option := chosen(child)) is not None:
            yield from _children(option, wanted)


def _style(paragraph: Any) -> str:
    return value(paragraph, "w:pPr/w:pStyle")


def _outline(element: Any) -> bool:
    """Whether a paragraph, or paragraphs of a style, stand in the outline of the document."""
    return value(element, "w:pPr/w:outlineLvl") in set("012345678")


def _is_gone(element: Any) -> bool:
    """Whether a row or a cell was deleted, or is hidden."""
    gone = [element.find("/".join(map(qn, path.split("/")))) for path in ("w:trPr/w:del", "w:tcPr/w:cellDel")]
    return any(found is not None for found in gone) or is_on(element.find(f"{qn('w:trPr')}/{qn('w:hidden')}"))


def _is_bold(cells: list[Any]) -> bool:
    runs = [run for cell in cells for run in cell.iter(qn("w:r")) if run.find(qn("w:t")) is not None]
    return bool(runs) and all(is_on(run.find(f"{qn('w:rPr')}/{qn('w:b')}")) for run in runs)


def _span(element: Any, path: str, default: int) -> int:
    return min(int(value(element, path) or default), _WIDEST)
