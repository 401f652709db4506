"""The paragraphs, lists, tables and drawings of an OpenDocument file, as a person sees them."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.formats.composer import Block
from infinidoc.documents.formats.odf.lists import Count, Lists
from infinidoc.documents.formats.odf.package import Package, qn
from infinidoc.documents.formats.odf.tables import elements, grid, heads
from infinidoc.documents.formats.rows import describe

_PARAGRAPHS = frozenset([qn("text:p"), qn("text:h")])
_DRAWN = frozenset(
    qn(f"draw:{name}")
    for name in """frame g custom-shape rect square circle ellipse line polyline polygon path regular-polygon connector
    measure caption a text-box object control""".split()  # noqa: SIM905
)
# What only wraps paragraphs, lists and tables.
_WRAPPERS = frozenset(
    qn(name)
    for name in """text:section text:index-body text:index-title text:table-of-content text:illustration-index
    text:table-index text:object-index text:user-index text:alphabetical-index text:bibliography draw:text-box draw:g
    draw:a text:note-body""".split()  # noqa: SIM905
)
_UNSEEN = frozenset(
    qn(name)
    for name in """text:tracked-changes text:number text:script text:ruby office:event-listeners svg:title svg:desc
    draw:image office:annotation-end""".split()  # noqa: SIM905
)
_SPACE = re.compile(r"[ \t\r\n]+")
_MANY = 1000  # spaces in a row


class Writing:
    """Reads a document from its beginning on: lists and headings count, and a field refers to a form."""

    def __init__(self, package: Package, with_chart_values: bool = True):
        self._package = package
        self._with_chart_values = with_chart_values
        self._lists = Lists(package)
        self._fields = {
            field.get(name, ""): field
            for forms in package.content.iter(qn("office:forms"))
            for field in forms.iter()
            for name in (qn("form:id"), qn("xml:id"))
        }
        self._asides: deque[tuple[Any, str]] = deque()  # what a line refers to, and the form in which it is written

    def blocks(self, container: Any) -> Iterator[Block]:
        """What stands in a container, block by block; a note or drawing follows the paragraph that refers to it."""
        in_list = False
        for element, label in self._elements(container):
            if element.tag in _PARAGRAPHS:
                text = self._text(element)
                if text or label.strip(" -"):
                    yield Block(label + text, "\n" if label and in_list else "\n\n", self._is_heading(element))
                    in_list = bool(label) and not self._is_heading(element)
            elif element.tag == qn("table:table"):
                yield from self._table(element)
                in_list = False
            else:
                self.set_aside(element)
            for text in self.asides():
                yield Block(text, "\n\n")
                in_list = False

    def flat(self, container: Any) -> str:
        """All of a container's text in one line. What stands beside it is kept for `asides`."""
        lines = []
        for element, label in self._elements(container):
            if element.tag in _PARAGRAPHS:
                lines.append(label + self._text(element))
            elif element.tag == qn("table:table"):
                lines += [self.flat(cell) for row in elements(element) for cell in row]
            else:
                self.set_aside(element)
        return " ".join(" ".join(lines).split())

    def set_aside(self, element: Any) -> str:
        """Keeps it for `asides`; gives the mark that refers to it."""
        if element.tag == qn("text:note"):
            citation = element.find(qn("text:note-citation"))
            mark = "" if citation is None else f"[{''.join(citation.itertext()).strip()}]"
            self._asides.append((element, f"{_literal(mark)} {{}}"))
            return mark
        form = "{}"
        if element.tag == qn("office:annotation"):
            author = _literal(" ".join((element.findtext(qn("dc:creator")) or "").split()))
            form = f"[Comment by {author}: {{}}]" if author else "[Comment: {}]"
        self._asides.append((element, form))
        return ""

    def asides(self) -> Iterator[str]:
        """What the lines read so far refer to: notes, comments, drawings."""
        while self._asides:
            element, form = self._asides.popleft()
            text = "\n".join(self.drawn(element)) if element.tag in _DRAWN else self.flat(element)
            if text.strip():
                yield form.format(text)

    def drawn(self, shape: Any) -> Iterator[str]:
        """The texts on a shape, in a frame or in a group; of charts their titles and values."""
        if shape.tag in (qn("draw:object"), qn("draw:control")):
            yield "\n".join(self._object(shape)) if shape.tag == qn("draw:object") else self._field(shape)
            return
        for element, label in self._elements(shape):
            if element.tag in _PARAGRAPHS:
                yield label + self._text(element)
            elif element.tag == qn("table:table"):
                yield from (block.text for block in self._table(element))
            elif element.tag in _DRAWN:
                yield from self.drawn(element)
            else:
                self.set_aside(element)

    def _chart(self, root: Any) -> Iterator[str]:
        """The title of a chart, and those of its axes; what is drawn, a row for each category."""
        titles = root.iter(qn("chart:title"), qn("chart:subtitle"))
        yield from filter(None, map(self.flat, titles))
        for table in root.iter(qn("table:table")) if self._with_chart_values else ():
            rows = (row for _, row in grid(table, self.flat).rows)
            for _, line in describe(rows, heads(table) or None):
                yield line

    # Blocks

    def _elements(self, container: Any, label: str = "") -> Iterator[tuple[Any, str]]:
        """Paragraphs, tables and drawings in their order, with the number or bullet before each."""
        for child in container:
            if child.tag in _PARAGRAPHS:
                if self._is_seen("paragraph", child):
                    yield child, label or self._heading_label(child)
                    label = ""
            elif child.tag == qn("text:list"):
                yield from self._items(child, "", 1, None)
            elif child.tag == qn("text:numbered-paragraph"):
                count = self._lists.count(child, child.get(qn("text:style-name"), ""))
                depth = int(child.get(qn("text:level"), "1"))
                yield from self._elements(child, count.label(depth, child.get(qn("text:start-value"))))
            elif child.tag in _WRAPPERS:
                if child.get(qn("text:display")) != "none":
                    yield from self._elements(child)
            elif child.tag in (qn("table:table"), qn("office:annotation")) or child.tag in _DRAWN:
                yield child, ""

    def _items(self, element: Any, style: str, depth: int, count: Count | None) -> Iterator[tuple[Any, str]]:
        own = element.get(qn("text:style-name"), "")
        if count is None or (own and own != style):
            style = own or style
            count = self._lists.count(element, style)
        for item in element.iterchildren(qn("text:list-item"), qn("text:list-header")):
            label = ""
            if item.tag == qn("text:list-item") and any(child.tag in _PARAGRAPHS for child in item):
                label = count.label(depth, item.get(qn("text:start-value")))
            for child in item:
                if child.tag == qn("text:list"):
                    yield from self._items(child, style, depth + 1, count)
                else:
                    yield from self._elements([child], label)
                    label = "" if child.tag in _PARAGRAPHS else label

    def _heading_label(self, paragraph: Any) -> str:
        depth = int(paragraph.get(qn("text:outline-level"), "0"))
        headings = self._lists.headings
        level = headings.levels.get(depth)
        if paragraph.tag != qn("text:h") or not level or not level.format:
            return ""
        if paragraph.get(qn("text:is-list-header")) == "true":
            return ""
        return headings.label(depth, paragraph.get(qn("text:start-value")))

    def _is_heading(self, paragraph: Any) -> bool:
        styles = self._package.ancestry("paragraph", paragraph.get(qn("text:style-name")))
        return paragraph.tag == qn("text:h") or any(style.get(qn("style:name")) == "Title" for style in styles)

    def _table(self, table: Any) -> Iterator[Block]:
        rows = list(elements(table))
        if any(self._has_parts(cell) for row in rows for cell in row) or max(map(len, rows), default=0) < 2:
            for row in rows:  # it only arranges parts of the page
                for cell in row:
                    yield from self.blocks(cell)
            return
        lines = [row for _, row in grid(table, self.flat).rows]
        named = bool(rows) and all(map(self._is_head, rows[0]))
        count = heads(table)
        for index, (_, line) in enumerate(describe(lines, count if 0 < count < len(lines) else None, named, " | ")):
            yield Block(line, "\n" if index else "\n\n")
        for text in self.asides():
            yield Block(text, "\n\n")

    def _has_parts(self, cell: Any) -> bool:
        return next(cell.iter(qn("table:table"), qn("text:h")), None) is not None

    def _is_head(self, cell: Any) -> bool:
        """Whether its paragraphs are set as those of a row of names are."""
        styles = [
            style.get(qn("style:name"))
            for paragraph in cell.iterchildren(qn("text:p"))
            for style in self._package.ancestry("paragraph", paragraph.get(qn("text:style-name")))
        ]
        return "Table_20_Heading" in styles or cell.tag == qn("table:covered-table-cell")

    # Characters

    def _text(self, paragraph: Any) -> str:
        return "".join(self._characters(paragraph)).strip()

    def _characters(self, element: Any) -> Iterator[str]:
        yield _SPACE.sub(" ", element.text or "")
        for child in element:
            yield from self._inside(child)
            yield _SPACE.sub(" ", child.tail or "")

    def _inside(self, child: Any) -> Iterator[str]:
        tag = child.tag
        if tag == qn("text:s"):
            count = child.get(qn("text:c"), "1")
            yield " " * (min(int(count), _MANY) if count.isdigit() else 1)
        elif tag in (qn("text:tab"), qn("text:line-break")):
            yield "\t" if tag == qn("text:tab") else "\n"
        elif tag == qn("text:note"):
            yield self.set_aside(child)
        elif tag == qn("office:annotation"):
            self.set_aside(child)
        elif tag == qn("draw:control"):
            yield self._field(child)
        elif tag in _DRAWN:
            formula = next((self._package.object(one) for one in child.iterchildren(qn("draw:object"))), None)
            if formula is not None and formula.tag == qn("math:math"):
                yield "".join(formula.itertext(qn("math:mi"), qn("math:mn"), qn("math:mo"), qn("math:mtext")))
            else:
                self.set_aside(child)
        elif tag == qn("text:ruby"):
            base, reading = child.find(qn("text:ruby-base")), child.find(qn("text:ruby-text"))
            yield "" if base is None else "".join(self._characters(base))
            yield "" if reading is None or not reading.text else f"({reading.text})"
        elif tag not in _UNSEEN and isinstance(tag, str) and self._is_seen("text", child):
            yield from self._characters(child)

    def _is_seen(self, family: str, element: Any) -> bool:
        if element.get(qn("text:is-hidden")) == "true":
            return False
        return self._package.property(family, element.get(qn("text:style-name")), "text:display") != "none"

    # What is drawn

    def _object(self, element: Any) -> Iterator[str]:
        root = self._package.object(element)
        if root is None:
            return
        if root.tag == qn("math:math"):
            yield "".join(root.itertext(qn("math:mi"), qn("math:mn"), qn("math:mo"), qn("math:mtext")))
        elif next(root.iter(qn("chart:chart")), None) is not None:
            yield from self._chart(root)

    def _field(self, control: Any) -> str:
        """What the field of a form shows."""
        field = self._fields.get(control.get(qn("draw:control"), ""))
        if field is None:
            return ""
        kind = field.tag.rpartition("}")[2]
        if kind in ("checkbox", "radio"):
            checked = (
                field.get(qn("form:current-state"), "") == "checked" or field.get(qn("form:current-selected")) == "true"
            )
            return f"{'☒' if checked else '☐'} {field.get(qn('form:label'), '')}".strip()
        if kind == "listbox":
            chosen = (one for one in field if one.get(qn("form:current-selected")) == "true")
            return ", ".join(one.get(qn("form:label"), "") for one in chosen)
        if kind in ("button", "password", "hidden", "image", "file"):
            return ""
        return str(
            field.get(qn("form:current-value")) or field.get(qn("form:value")) or field.get(qn("form:label"), "")
        )


def _literal(text: str) -> str:
    """Text that stands for itself in a form."""
    return text.replace("{", "{{").replace("}", "}}")
