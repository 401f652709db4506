"""HTML and XHTML: what a person reads on the page, without its machinery."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from infinidoc.documents.charset import decode
from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats.composer import Composer

_LEFT_OUT = frozenset(
    "script style noscript template nav svg head iframe object canvas button select textarea datalist".split()  # noqa: SIM905
)
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BLOCKS = _HEADINGS | frozenset(
    """address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure
    footer form header hgroup hr html legend li main ol p pre search section summary table tbody td tfoot th thead tr
    ul""".split()  # noqa: SIM905
)

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.I)
_XHTML = re.compile(r"\s*<\?xml|.{0,1000}?xmlns=[\"']http://www.w3.org/1999/xhtml", re.S)
_SELF_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-zA-Z][\w:-]*)([^<>]*)/>"
)
_NESTING = re.compile(
    r"<(/?)(?:div|ul|ol|dl|blockquote|section|article|aside|main|header|footer|center|details|figure|fieldset|form)\b",
    re.I,
)
_TOO_DEEP = 5000  # the parser's time grows with the square of the depth


class Block(NamedTuple):
    """A paragraph, list item or table row of a page; `gap` stands between it and the block before it."""

    text: str
    gap: str
    heading: bool = False


def read(data: bytes, format: str) -> Document:
    composer = Composer()
    title, blocks = page(data)
    if title:
        composer.mark(f"section {title}")
        if not any(block.heading and block.text == title for block in blocks):
            composer.add(title)
    for block in blocks:
        if block.heading:
            composer.mark(f"section {block.text}")
        composer.add(block.text, block.gap)
    return composer.document(format)


def page(data: bytes) -> tuple[str, list[Block]]:
    """The title of a page ("" if it has none) and its blocks.

    Raises Unreadable for what is no text, or nested thousands deep.
    """
    declared = _CHARSET.search(data, 0, 2048)
    markup = decode(data, declared.group(1).decode("ascii") if declared else None)
    depth = 0
    for match in _NESTING.finditer(markup):
        depth = max(0, depth - 1) if match.group(1) else depth + 1
        if depth > _TOO_DEEP:
            raise Unreadable("nested too deeply")
    if _XHTML.match(markup):
        markup = _SELF_CLOSED.sub(r"<\1\2></\1>", markup)  # an HTML parser takes <title/> for a beginning
    tree = LexborHTMLParser(markup)
    title = tree.css_first("head title")
    return _tidy(title.text()) if title else "", list(_blocks(tree))


def _blocks(tree: LexborHTMLParser) -> Iterator[Block]:
    inline: list[str] = []  # the text of the block being read
    cells: list[str] | None = None  # of the table row being read
    lists: list[int | None] = []  # the open lists: the number of the last item, None if they have no numbers
    bullet = ""
    preformatted = 0
    gap = "\n\n"

    def take() -> str:
        text = "".join(inline)
        inline.clear()
        return text.strip("\n").rstrip() if preformatted else "\n".join(map(_tidy, text.strip().split("\n")))

    for node, entering in _walk(tree.root):
        tag = node.tag
        if tag == "-text":
            text = node.text_content or ""
            inline.append(text if preformatted and cells is None else re.sub(r"\s+", " ", text))
        elif tag == "br":
            inline.append("\n" if entering else "")
        elif cells is not None:  # in a row everything is on one line
            if tag in ("td", "th") and not entering:
                cells.append(_tidy("".join(inline)))
                inline.clear()
            elif tag == "tr":
                inline.clear()
                if any(cells):
                    yield Block(" | ".join(cells), gap)
                    gap = "\n"
                cells = None
            elif tag in _BLOCKS:
                inline.append(" ")
        elif tag in _BLOCKS:
            if text := take():
                yield Block(bullet + text, gap, heading=tag in _HEADINGS and not entering)
                gap, bullet = ("\n" if lists or tag == "dt" else "\n\n"), ""
            if tag in ("ul", "ol"):
                if not lists or (len(lists) == 1 and not entering):
                    gap = "\n\n"
                if not entering:
                    lists.pop()
                else:
                    lists.append(0 if tag == "ol" else None)
            elif tag == "table":
                gap = "\n\n"
            elif tag == "tr" and entering and node.css_first("table") is None:  # with one, the row is page layout
                cells = []
            elif tag == "li" and entering:
                number = lists[-1] if lists else None
                if number is not None:
                    number = lists[-1] = number + 1
                bullet = "- " if number is None else f"{number}. "
            elif tag == "pre":
                preformatted = max(0, preformatted + (1 if entering else -1))
    if text := take():
        yield Block(bullet + text, gap)


def _walk(root: LexborNode | None) -> Iterator[tuple[LexborNode, bool]]:
    """Each node on the way in and on the way out (False), without recursion: pages may be nested thousands deep."""
    node = root
    depth = 0
    while node is not None:
        if not _left_out(node):
            yield node, True
            if node.first_child is not None:
                node = node.first_child
                depth += 1
                continue
            if node.is_element_node:
                yield node, False
        while node is not None and node.next is None and depth:
            node = node.parent
            depth -= 1
            if node is not None:
                yield node, False
        node = node.next if node is not None and depth else None


def _left_out(node: LexborNode) -> bool:
    if not node.is_element_node:
        return not node.is_text_node
    if node.tag in _LEFT_OUT:
        return True
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") == "navigation"
        or attributes.get("class") == "headerlink"  # Sphinx's ¶
    )


def _tidy(text: str) -> str:
    return " ".join(text.split())
