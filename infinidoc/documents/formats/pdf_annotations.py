"""What a PDF page shows beside its text: what is filled into forms, what was written over it, comments."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pypdfium2
from pypdfium2 import raw

_UNSEEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD = 1 << 13  # a field's flag: its text is shown as dots
_CHOICES = (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
_BUTTONS = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
# Kinds whose content is what a person wrote about the page; links, pop-ups and pictures have other content.
_COMMENTS = (
    raw.FPDF_ANNOT_TEXT,
    raw.FPDF_ANNOT_HIGHLIGHT,
    raw.FPDF_ANNOT_UNDERLINE,
    raw.FPDF_ANNOT_SQUIGGLY,
    raw.FPDF_ANNOT_STRIKEOUT,
    raw.FPDF_ANNOT_CARET,
    raw.FPDF_ANNOT_STAMP,
    raw.FPDF_ANNOT_SQUARE,
    raw.FPDF_ANNOT_CIRCLE,
    raw.FPDF_ANNOT_LINE,
    raw.FPDF_ANNOT_INK,
)


class Entry(NamedTuple):
    """Text at a place of the page, in points from its lower left corner."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def entries_and_comments(page: pypdfium2.PdfPage) -> tuple[list[Entry], list[str]]:
    """What is filled into the page's form and written over it, and the comments on it.

    Boxes that can be ticked are "[x]" or "[ ]"; fields that are empty or hidden are left out.
    """
    entries, comments = [], []
    for annotation in _annotations(page):
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        if raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
            continue
        if kind == raw.FPDF_ANNOT_WIDGET:
            text = _value(page.pdf.formenv, annotation)
        else:
            text = _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents").strip()
        if text and kind in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT):
            entries.append(Entry(text, *_rectangle(annotation)))
        elif text and kind in _COMMENTS:
            comments.append(f"Comment: {text}")
    return entries, comments


def _annotations(page: pypdfium2.PdfPage) -> Iterator[Any]:
    for index in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if annotation:
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def _value(form: pypdfium2.PdfFormEnv | None, widget: Any) -> str:
    if form is None:
        return ""
    kind = raw.FPDFAnnot_GetFormFieldType(form, widget)
    if kind in _BUTTONS:
        return "[x]" if raw.FPDFAnnot_IsChecked(form, widget) else "[ ]"
    if kind in _CHOICES:
        chosen = [
            _string(raw.FPDFAnnot_GetOptionLabel, form, widget, index)
            for index in range(raw.FPDFAnnot_GetOptionCount(form, widget))
            if raw.FPDFAnnot_IsOptionSelected(form, widget, index)
        ]
        return ", ".join(chosen) or _string(raw.FPDFAnnot_GetFormFieldValue, form, widget).strip()
    if kind == raw.FPDF_FORMFIELD_TEXTFIELD and not raw.FPDFAnnot_GetFormFieldFlags(form, widget) & _PASSWORD:
        return _string(raw.FPDFAnnot_GetFormFieldValue, form, widget).strip()
    return ""


def _rectangle(annotation: Any) -> tuple[float, float, float, float]:
    found = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, found)
    (left, right), (bottom, top) = sorted((found.left, found.right)), sorted((found.bottom, found.top))
    return left, bottom, right, top


def _string(function: Callable[..., int], *arguments: Any) -> str:
    """What a function of PDFium writes into a buffer, in UTF-16, once it has said how many bytes that takes."""
    size = function(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(size + 2)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0").replace("\r\n", "\n").replace("\r", "\n")
