"""E-books: the chapters in the order of the book's spine."""

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import html
from infinidoc.documents.formats.archive import open_archive
from infinidoc.documents.formats.composer import Composer


def read(data: bytes, format: str) -> Document:
    archive = open_archive(data)
    names = set(archive.namelist())
    chapters = [name for name in _spine(archive) if name in names]
    if "META-INF/encryption.xml" in names:
        # Fonts are often scrambled; a book is closed only if its text is.
        tree = ElementTree.fromstring(archive.read("META-INF/encryption.xml"))
        if {unquote(node.get("URI", "")) for node in tree.iterfind(".//{*}CipherReference")} & set(chapters):
            raise Unreadable("encrypted")
    composer = Composer()
    for number, name in enumerate(chapters, 1):
        title, blocks = html.page(archive.read(name))
        heading = next((block.text for block in blocks if block.heading), title)
        composer.mark(f"chapter {heading or number}", breaks=True)
        for block in blocks:
            composer.add(block.text, block.gap)
    return composer.document(format)


def _spine(archive: zipfile.ZipFile) -> list[str]:
    """The archive's names of the chapters, in reading order."""
    container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
    root = container.find(".//{*}rootfile")
    if root is None:
        raise Unreadable("damaged: its container names no book")
    path = unquote(root.attrib["full-path"])
    package = ElementTree.fromstring(archive.read(path))
    items = {item.get("id"): item.get("href", "") for item in package.iterfind("{*}manifest/{*}item")}
    hrefs = [items.get(item.get("idref"), "") for item in package.iterfind("{*}spine/{*}itemref")]
    return [posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(href))) for href in hrefs if href]
