"""An OpenDocument file: content and styles, in an archive or in one XML file (.fodt), and the objects in it."""

import posixpath
from collections.abc import Iterator
from functools import cache
from typing import Any

from lxml import etree

from infinidoc.documents.document import MAX_MARKUP, Unreadable
from infinidoc.documents.formats.archive import open_archive

_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
NAMESPACES = {
    **{
        name: f"{_OASIS}:{name}:1.0"
        for name in ("office", "text", "table", "style", "presentation", "chart", "form", "manifest")
    },
    "draw": f"{_OASIS}:drawing:1.0",
    "svg": f"{_OASIS}:svg-compatible:1.0",
    "fo": f"{_OASIS}:xsl-fo-compatible:1.0",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xlink": "http://www.w3.org/1999/xlink",
    "math": "http://www.w3.org/1998/Math/MathML",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
_GENERATIONS = 12  # of styles


@cache
def qn(name: str) -> str:
    """lxml's name of an element or attribute: "text:p" is "{urn:…:text:1.0}p"."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def children(element: Any | None, *names: str) -> Iterator[Any]:
    yield from () if element is None else element.iterchildren(*map(qn, names))


class Package:
    """Raises Unreadable for what is encrypted, damaged, or larger than MAX_MARKUP."""

    def __init__(self, data: bytes):
        self._archive = open_archive(data) if data.startswith(b"PK") else None
        self._members = set(self._archive.namelist()) if self._archive else set()
        if self._archive and "META-INF/manifest.xml" in self._members:
            manifest = self._xml("META-INF/manifest.xml")
            if next(manifest.iter(qn("manifest:encryption-data")), None) is not None:
                raise Unreadable("encrypted")
        self.content = self._xml("content.xml") if self._archive else _parsed(data, "it")
        self.styles = self._xml("styles.xml") if "styles.xml" in self._members else self.content
        self._named = {
            (style.get(qn("style:family"), ""), style.get(qn("style:name"), "")): style
            for root in (self.styles, self.content)  # what is automatic in the content wins
            for style in root.iter(qn("style:style"))
        }

    @property
    def body(self) -> Any:
        """The office:text, office:spreadsheet, office:presentation or office:drawing."""
        return self.content.find(qn("office:body"))[0]

    def ancestry(self, family: str, name: str | None) -> Iterator[Any]:
        """A style, and those that it goes back to."""
        for _ in range(_GENERATIONS):
            style = self._named.get((family, name or ""))
            if style is None:
                return
            yield style
            name = style.get(qn("style:parent-style-name"))

    def property(self, family: str, name: str | None, attribute: str) -> str:
        """What a style says of something, such as "text:display"; "" if it says nothing."""
        for style in self.ancestry(family, name):
            for properties in style:
                if (given := properties.get(qn(attribute))) is not None:
                    return str(given)
        return ""

    def object(self, element: Any) -> Any | None:
        """The content of what a draw:object embeds: a chart, a formula; None where it isn't there."""
        if len(element):  # a flat file has it in place
            return element[0]
        href = element.get(qn("xlink:href"), "")
        name = posixpath.normpath(posixpath.join(href, "content.xml"))
        if name not in self._members:
            name = posixpath.normpath(href)  # a formula may be its own part
        return self._xml(name) if name in self._members else None

    def _xml(self, name: str) -> Any:
        assert self._archive
        if self._archive.getinfo(name).file_size > MAX_MARKUP:
            raise Unreadable(f"{posixpath.basename(name)} in it is larger than {MAX_MARKUP >> 20} MB: split it")
        return _parsed(self._archive.read(name), name)


def _parsed(data: bytes, name: str) -> Any:
    if len(data) > MAX_MARKUP:
        raise Unreadable(f"{name} is larger than {MAX_MARKUP >> 20} MB: split it")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    return etree.fromstring(data, parser)
