"""PowerPoint slides: titles, text, tables, and the speaker's notes."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import pptx

from infinidoc.documents.document import Document
from infinidoc.documents.formats.archive import open_archive
from infinidoc.documents.formats.composer import Composer


def read(data: bytes, format: str) -> Document:
    open_archive(data)
    composer = Composer()
    slides = pptx.Presentation(io.BytesIO(data)).slides
    for number, slide in enumerate(slides, 1):
        composer.mark(f"slide {number}", breaks=True)
        for text in _texts(slide.shapes):
            composer.add(text)
        notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if notes is not None and notes.text.strip():
            composer.add(f"Notes: {_lines(notes.text)}")
    return composer.document(format, pages=len(slides))


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame:
            yield _lines(shape.text_frame.text)
        elif shape.has_table:
            rows = ([" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows)
            yield "\n".join(" | ".join(row) for row in rows if any(row))
        elif hasattr(shape, "shapes"):  # a group
            yield from _texts(shape.shapes)


def _lines(text: str) -> str:
    return text.replace("\v", "\n")  # how PowerPoint writes a line break inside a paragraph
