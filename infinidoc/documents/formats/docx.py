"""Word documents: paragraphs, lists and tables in their order; headings begin sections."""

import io
import re
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn

from infinidoc.documents.document import Document
from infinidoc.documents.formats.archive import open_archive
from infinidoc.documents.formats.composer import Composer

# python-docx's own iteration leaves out what stands in content controls, text boxes and accepted insertions.
_WRAPPERS = {qn(f"w:{name}") for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo")}
_WITHDRAWN = {qn(f"w:{name}") for name in ("del", "moveFrom", "instrText")}
_WITHDRAWN.add("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback")
_CHARACTERS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-", qn("w:p"): "\n"}


def read(data: bytes, format: str) -> Document:
    open_archive(data)
    source = docx.Document(io.BytesIO(data))
    headings = {style.style_id for style in source.styles if _is_heading(style)}
    composer = Composer()
    in_list = False
    for block in _blocks(source.element.body):
        if block.tag == qn("w:tbl"):
            in_list = False
            for index, row in enumerate(_rows(block)):
                composer.add(" | ".join(row), "\n" if index else "\n\n")
            continue
        text = "".join(_characters(block)).strip()
        if not text:
            continue
        style = block.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        name = "" if style is None else style.get(qn("w:val"), "")
        if name in headings:
            composer.mark(f"section {text}")
        is_item = name not in headings and (
            block.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None or name.startswith("List")
        )
        composer.add(f"- {text}" if is_item else text, "\n" if is_item and in_list else "\n\n")
        in_list = is_item
    return composer.document(format)


def _is_heading(style: Any) -> bool:
    while style is not None:
        if re.match(r"(heading \d|title$)", style.name or "", re.I):
            return True
        style = getattr(style, "base_style", None)
    return False


def _blocks(container: Any) -> Iterator[Any]:
    """Paragraphs and tables, in order."""
    for child in container:
        if child.tag in (qn("w:p"), qn("w:tbl")):
            yield child
        elif child.tag in _WRAPPERS:
            yield from _blocks(child)


def _rows(table: Any) -> Iterator[list[str]]:
    for row in table.iter(qn("w:tr")):
        if next(row.iterancestors(qn("w:tbl"))) is table:  # rows of a table inside a cell are text of that cell
            cells = [cell for cell in row.iter(qn("w:tc")) if next(cell.iterancestors(qn("w:tr"))) is row]
            yield [" ".join("".join(_characters(cell)).split()) for cell in cells]


def _characters(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == qn("w:t"):
            yield child.text or ""
        elif child.tag not in _WITHDRAWN:
            yield _CHARACTERS.get(child.tag, "")
            yield from _characters(child)
