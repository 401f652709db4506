"""E-books: the chapters in the order of the book's spine."""

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from infinidoc.documents.document import MAX_MARKUP, Document, Unreadable
from infinidoc.documents.formats import html
from infinidoc.documents.formats.archive import open_archive
from infinidoc.documents.formats.composer import Composer


def read(data: bytes, format: str) -> Document:
    archive = open_archive(data)
    names = set(archive.namelist())
    chapters = [name for name in dict.fromkeys(_spine(archive)) if name in names]  # a spine can repeat them at will
    if "META-INF/encryption.xml" in names:
        # Fonts are often scrambled; a book is closed only if its text is.
        tree = _xml(archive, "META-INF/encryption.xml")
        if {unquote(node.get("URI", "")) for node in tree.iterfind(".//{*}CipherReference")} & set(chapters):
            raise Unreadable("encrypted")
    composer = Composer()
    notes = []
    for number, name in enumerate(chapters, 1):
        try:
            title, blocks = html.page(archive.read(name))
        except Unreadable as error:  # such as a picture
            notes.append(f"{name} in it: {error}")
            continue
        heading = next((block.text for block in blocks if block.heading), title)
        composer.mark(f"chapter {heading or number}", breaks=True)
        for block in blocks:
            composer.add(block.text, block.gap)
    return composer.document(format, notes=notes)


def _spine(archive: zipfile.ZipFile) -> list[str]:
    """The archive's names of the chapters, in reading order."""
    root = _xml(archive, "META-INF/container.xml").find(".//{*}rootfile")
    if root is None:
        raise Unreadable("damaged: its container names no book")
    path = unquote(root.attrib["full-path"])
    package = _xml(archive, path)
    items = {item.get("id"): item.get("href", "") for item in package.iterfind("{*}manifest/{*}item")}
    hrefs = [items.get(item.get("idref"), "") for item in package.iterfind("{*}spine/{*}itemref")]
    return [posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(href))) for href in hrefs if href]


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > MAX_MARKUP:
        raise Unreadable(f"{posixpath.basename(name)} in it is larger than {MAX_MARKUP >> 20} MB: split it")
    return ElementTree.fromstring(archive.read(name))
