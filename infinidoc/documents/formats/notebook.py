"""Jupyter notebooks: Markdown, code and what the code printed, cell by cell."""

import json
import re
from typing import Any

from infinidoc.documents.charset import decode
from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import html
from infinidoc.documents.formats.composer import Composer

_OBJECT = re.compile(r"<[\w.]+ object(?: at 0x[0-9a-f]+)?>")  # how Python names what is shown as a page


def read(data: bytes, format: str) -> Document:
    notebook = json.loads(decode(data))
    # Version 3 of the format kept its cells in the first worksheet, and code under "input".
    cells = notebook.get("cells", notebook.get("worksheets", [{}])[0].get("cells"))
    if cells is None:
        raise Unreadable("damaged, or not really .ipynb")
    composer = Composer()
    for number, cell in enumerate(cells, 1):
        composer.mark(f"cell {number}")
        composer.add(_joined(cell.get("source", cell.get("input"))))
        for output in cell.get("outputs", []):
            composer.add(_printed(output))
    return composer.document(format)


def _printed(output: dict[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}"
    if "text" in output:
        return _joined(output["text"])
    data = output.get("data", output)  # version 3 had no "data"
    plain = _joined(data.get("text/plain"))
    if "text/markdown" in data:
        return _joined(data["text/markdown"])
    if "text/html" in data and (not plain or _OBJECT.fullmatch(plain)):
        _, blocks = html.page(_joined(data["text/html"]).encode())
        return "".join(block.gap + block.text for block in blocks).strip("\n")
    return plain


def _joined(source: str | list[str] | None) -> str:
    return source if isinstance(source, str) else "".join(source or [])
