"""An Office file as a package: XML parts in an archive, and the relations between them."""

import posixpath
import re
from collections.abc import Iterator
from functools import cache
from typing import IO, Any, NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from lxml import etree

from infinidoc.documents.document import MAX_MARKUP, Unreadable
from infinidoc.documents.formats.archive import open_archive

_OFFICE = "http://schemas.openxmlformats.org"
_MICROSOFT = "http://schemas.microsoft.com/office"
NAMESPACES = {
    "w": f"{_OFFICE}/wordprocessingml/2006/main",
    "p": f"{_OFFICE}/presentationml/2006/main",
    "a": f"{_OFFICE}/drawingml/2006/main",
    "x": f"{_OFFICE}/spreadsheetml/2006/main",
    "c": f"{_OFFICE}/drawingml/2006/chart",
    "dgm": f"{_OFFICE}/drawingml/2006/diagram",
    "xdr": f"{_OFFICE}/drawingml/2006/spreadsheetDrawing",
    "m": f"{_OFFICE}/officeDocument/2006/math",
    "r": f"{_OFFICE}/officeDocument/2006/relationships",
    "mc": f"{_OFFICE}/markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "w14": f"{_MICROSOFT}/word/2010/wordml",
}
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")  # how "Strict Open XML" begins the same names


@cache
def qn(name: str) -> str:
    """lxml's name of an element or attribute: "w:p" is "{http://…/wordprocessingml/2006/main}p"."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def is_on(element: Any | None) -> bool:
    """Whether a switch, such as w:vanish, is there and not turned off."""
    return element is not None and element.get(qn("w:val"), "1") not in ("0", "false", "off")


def value(element: Any | None, path: str) -> str:
    """The w:val of the element at a path, such as "w:pPr/w:pStyle"; "" if there is none."""
    found = None if element is None else element.find("/".join(map(qn, path.split("/"))))
    return "" if found is None else found.get(qn("w:val"), "")


class Relation(NamedTuple):
    """From one part to another. `kind` is the last word of its type: "footnotes", "chart"."""

    kind: str
    part: str


class Package:
    """Raises Unreadable for what is no complete archive, or too large, as `open_archive` does."""

    def __init__(self, data: bytes):
        self._archive = open_archive(data)
        # Names are compared without case, and some programs write them with backslashes.
        self._members = {_key(info.filename): info for info in self._archive.infolist()}
        self._relations: dict[str, dict[str, Relation]] = {}

    @property
    def main(self) -> str:
        """The name of the part that is the document, the workbook or the presentation."""
        return self.related("", "officeDocument")[0]

    def relations(self, part: str) -> dict[str, Relation]:
        """The relations of a part ("" for the package's own) by their ids, without those to other files."""
        if part not in self._relations:
            folder, name = posixpath.split(part)
            rels = posixpath.join(folder, "_rels", f"{name}.rels")
            self._relations[part] = {
                element.get("Id", ""): Relation(
                    element.get("Type", "").rpartition("/")[2],
                    posixpath.normpath(posixpath.join("/", folder, unquote(element.get("Target", ""))))[1:],
                )
                for element in (self.xml(rels) if rels in self else ())
                if element.get("TargetMode") != "External"
            }
        return self._relations[part]

    def related(self, part: str, kind: str) -> list[str]:
        """The names of the parts of a kind that a part is related to, and that are there."""
        return [other.part for other in self.relations(part).values() if other.kind == kind and other.part in self]

    def __contains__(self, part: str) -> bool:
        return _key(part) in self._members

    def read(self, part: str) -> bytes:
        return self._archive.read(self._members[_key(part)])

    def xml(self, part: str) -> Any:
        """The root element of a part. Raises Unreadable if it is larger than MAX_MARKUP."""
        if self._members[_key(part)].file_size > MAX_MARKUP:
            raise Unreadable(f"{posixpath.basename(part)} in it is larger than {MAX_MARKUP >> 20} MB: split it")
        data = _STRICT.sub(rf"{_OFFICE}/\1/2006/".encode(), self.read(part))
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True))

    def related_xml(self, part: str, kind: str) -> Any | None:
        """The root of the first part of a kind that a part is related to, or None."""
        parts = self.related(part, kind)
        return self.xml(parts[0]) if parts else None

    def events(self, part: str) -> Iterator[tuple[str, str, dict[str, str]]]:
        """A part of any size as a stream: ("start", name, attributes), ("text", text, {}) and ("end", name, {}).

        Names are without namespace.
        """
        events: list[tuple[str, str, dict[str, str]]] = []
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda name, given: events.append(("start", name.rpartition(":")[2], given))
        parser.EndElementHandler = lambda name: events.append(("end", name.rpartition(":")[2], {}))
        parser.CharacterDataHandler = lambda text: events.append(("text", text, {}))
        with self.open(part) as stream:
            while chunk := stream.read(1 << 16):
                parser.Parse(chunk)
                yield from events
                events.clear()
        parser.Parse(b"", True)

    def open(self, part: str) -> IO[bytes]:
        """A part as a stream of bytes."""
        return self._archive.open(self._members[_key(part)])


def _key(name: str) -> str:
    return name.replace("\\", "/").lower()
