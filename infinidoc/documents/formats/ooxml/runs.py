"""The characters of a Word paragraph: what a person sees of its runs, fields, symbols and controls."""

from collections.abc import Callable, Iterator
from typing import Any

from infinidoc.documents.formats.ooxml.drawing import chosen
from infinidoc.documents.formats.ooxml.package import is_on, qn
from infinidoc.documents.formats.ooxml.symbols import shown

_SKIPPED = frozenset(
    qn(name)
    for name in """w:del w:moveFrom w:instrText w:delText w:delInstrText w:rPr w:pPr w:sdtPr w:sdtEndPr w:footnoteRef
    w:endnoteRef m:rPr m:ctrlPr""".split()  # noqa: SIM905
)
_CHARACTERS = {
    qn("w:tab"): "\t",
    qn("w:ptab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:p"): "\n",
    qn("w:noBreakHyphen"): "-",
    qn("m:den"): "/",
    qn("m:sup"): "^",
    qn("m:sub"): "_",
    qn("m:rad"): "√",
}
# What is no part of the line, but stands beside it or below.
_ASIDES = frozenset(
    qn(name)
    for name in """w:txbxContent w:footnoteReference w:endnoteReference w:commentReference c:chart
    dgm:relIds""".split()  # noqa: SIM905
)


class Runs:
    """Reads paragraphs in their order: a field may go on from one to the next."""

    def __init__(self, styles: dict[str, Any], aside: Callable[[Any], str]):
        """`styles` are the document's, by their ids; `aside` takes what stands beside the line, and gives its mark."""
        self._hidden = {key for key, style in styles.items() if is_on(style.find(f"{qn('w:rPr')}/{qn('w:vanish')}"))}
        self._fields: list[str] = []  # those that are open: their "code", or their "result", which is what is shown
        self._aside = aside

    def text(self, element: Any) -> str:
        return "".join(self._characters(element))

    def _characters(self, element: Any) -> Iterator[str]:
        for child in element:
            tag = child.tag
            if tag in _SKIPPED:
                continue
            if tag == qn("w:fldChar"):
                yield self._field(child)
            elif tag == qn("w:r"):
                yield from () if self._is_hidden(child) else self._characters(child)
            elif not self._is_shown():  # the code of a field, in which there may be others
                yield from self._characters(child)
            elif tag in (qn("w:t"), qn("m:t")):
                yield shown(child.text or "", _font(element))
            elif tag == qn("w:sym"):
                code = int(child.get(qn("w:char"), "0"), 16)
                yield shown(chr(code if code > 0xFF else code + 0xF000), child.get(qn("w:font"), ""))
            elif tag in _ASIDES:
                yield self._aside(child)
            elif tag == qn("mc:AlternateContent"):
                option = chosen(child)
                yield from () if option is None else self._characters(option)
            elif tag == qn("w:sdt") and (box := child.find(f"{qn('w:sdtPr')}/{qn('w14:checkbox')}")) is not None:
                state = box.find(qn("w14:checked"))
                yield _box(state is not None and state.get(qn("w14:val"), "1") not in ("0", "false"))
            elif tag == qn("w:ruby"):
                base, reading = (child.find(qn(name)) for name in ("w:rubyBase", "w:rt"))
                yield "" if base is None else self.text(base)
                yield "" if reading is None else f"({self.text(reading)})"
            elif tag == qn("v:textpath"):  # letters as a drawing, such as a watermark
                yield child.get("string", "")
            else:
                yield _CHARACTERS.get(tag, "")
                yield from self._characters(child)

    def _is_shown(self) -> bool:
        return all(part == "result" for part in self._fields)

    def _field(self, element: Any) -> str:
        """Enters or leaves a field; what it shows by itself, as those of forms do."""
        kind = element.get(qn("w:fldCharType"))
        if kind == "separate" and self._fields and self._fields[-1] == "code":
            self._fields[-1] = "result"
        elif kind == "end" and self._fields:
            self._fields.pop()
        elif kind == "begin":
            state = _state(element) if self._is_shown() else ""
            self._fields.append("form" if state else "code")
            return state
        return ""

    def _is_hidden(self, run: Any) -> bool:
        properties = run.find(qn("w:rPr"))
        if properties is None:
            return False
        vanish, style = properties.find(qn("w:vanish")), properties.find(qn("w:rStyle"))
        return is_on(vanish) or (vanish is None and style is not None and style.get(qn("w:val")) in self._hidden)


def _state(field: Any) -> str:
    """What the field of a form shows that keeps its state beside the text: a box, or the entry that was chosen."""
    if (box := field.find(f"{qn('w:ffData')}/{qn('w:checkBox')}")) is not None:
        checked = box.find(qn("w:checked"))
        return _box(is_on(box.find(qn("w:default")) if checked is None else checked))
    if (entries := field.find(f"{qn('w:ffData')}/{qn('w:ddList')}")) is not None:
        texts = [entry.get(qn("w:val"), "") for entry in entries.iterfind(qn("w:listEntry"))]
        result = entries.find(qn("w:result"))
        if result is None:
            result = entries.find(qn("w:default"))
        index = 0 if result is None else int(result.get(qn("w:val"), "0"))
        return texts[index] if 0 <= index < len(texts) else ""
    return ""


def _box(is_checked: bool) -> str:
    return "☒" if is_checked else "☐"


def _font(run: Any) -> str:
    fonts = run.find(f"{qn('w:rPr')}/{qn('w:rFonts')}")
    return "" if fonts is None else fonts.get(qn("w:ascii")) or fonts.get(qn("w:hAnsi")) or ""
