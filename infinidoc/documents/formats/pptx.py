"""PowerPoint slides: what stands on them, from the title down, tables and charts, comments, the speaker's notes."""

from collections.abc import Iterable, Iterator
from typing import Any

from infinidoc.documents.document import Document
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.layout import Box, in_reading_order
from infinidoc.documents.formats.ooxml.drawing import chosen, graphic, paragraphs
from infinidoc.documents.formats.ooxml.package import Package, qn

_SHAPES = {qn("p:sp"): "p:spPr/a:xfrm", qn("p:graphicFrame"): "p:xfrm", qn("p:grpSp"): "p:grpSpPr/a:xfrm"}
_TITLES = ("title", "ctrTitle")


def read(data: bytes, format: str) -> Document:
    package = Package(data)
    reader = _Reader(package)
    listed = package.xml(package.main).iterfind(f"{qn('p:sldIdLst')}/{qn('p:sldId')}")
    relations = package.relations(package.main)
    slides = [relations[slide.get(qn("r:id"))].part for slide in listed if slide.get(qn("r:id")) in relations]
    for number, part in enumerate(slides, 1):
        reader.add_slide(number, part)
    return reader.composer.document(format, len(slides), reader.notes)


class _Reader:
    def __init__(self, package: Package):
        self._package = package
        self._shown: set[str] = set()  # layouts, and footers, that one slide has shown already
        self.composer = Composer()
        self.notes: list[str] = []

    def add_slide(self, number: int, part: str) -> None:
        slide = self._package.xml(part)
        if slide.get("show", "1") in ("0", "false"):
            self.notes.append(f"slide {number} is hidden, and left out")
            return
        self.composer.mark(f"slide {number}", breaks=True)
        bases = self._bases(part)
        for text in self._texts(_tree(slide), part, [_tree(root) for _, root in bases]):
            self.composer.add(text)
        background = slide
        for base, root in bases:
            if background.get("showMasterSp", "1") in ("0", "false"):
                break
            background = root
            if base not in self._shown:
                self._shown.add(base)
                for text in self._texts([shape for shape in _tree(root) if _placeholder(shape) is None], base, []):
                    self.composer.add(text)
        self._add_comments(part)
        for other in self._package.related(part, "notesSlide"):
            bodies = [shape for shape in _tree(self._package.xml(other)) if _kind(shape) == "body"]
            if text := "\n".join(self._texts(bodies, other, [])).strip():
                self.composer.add(f"Notes: {text}")

    def _bases(self, part: str) -> list[tuple[str, Any]]:
        """The layout of a slide, and the layout's master."""
        bases = []
        for kind in ("slideLayout", "slideMaster"):
            for base in self._package.related(part, kind)[:1]:
                bases.append((base, self._package.xml(base)))
                part = base
        return bases

    def _texts(self, shapes: Iterable[Any], part: str, bases: list[list[Any]]) -> Iterator[str]:
        for shape in _shapes_in_order(list(shapes), bases):
            kind = _kind(shape)
            if shape.tag == qn("p:grpSp"):
                yield from self._texts(_shapes(shape), part, [])
            elif shape.tag == qn("p:graphicFrame"):
                yield "\n".join(graphic(shape, self._package, part))
            elif kind != "sldNum" and (body := shape.find(qn("p:txBody"))) is not None:
                text = "\n".join(paragraphs(body))
                if kind in ("ftr", "dt", "hdr"):  # on each slide the same
                    if text in self._shown:
                        continue
                    self._shown.add(text)
                yield text

    def _add_comments(self, part: str) -> None:
        authors = {
            author.get("id", ""): author.get("name", "")
            for kind in ("commentAuthors", "authors")
            for other in self._package.related(self._package.main, kind)
            for author in self._package.xml(other).iterfind("{*}*")
        }
        for other in self._package.related(part, "comments"):
            for comment in self._package.xml(other).iter("{*}cm", "{*}reply"):
                body = comment.find("{*}txBody")
                text = comment.findtext("{*}text") or "" if body is None else " ".join(paragraphs(body))
                author = authors.get(comment.get("authorId", ""), "")
                by = f" by {author}" if author else ""
                self.composer.add(f"[Comment{by}: {' '.join(text.split())}]" if text.strip() else "")


def _tree(root: Any) -> list[Any]:
    tree = root.find(f"{qn('p:cSld')}/{qn('p:spTree')}")
    return [] if tree is None else list(_shapes(tree))


def _shapes(container: Any) -> Iterator[Any]:
    """Those that are not hidden, from back to front."""
    for child in container:
        if child.tag == qn("mc:AlternateContent"):
            option = chosen(child)
            yield from () if option is None else _shapes(option)
        elif child.tag in _SHAPES:
            properties = child[0].find(qn("p:cNvPr")) if len(child) else None
            if properties is None or properties.get("hidden") not in ("1", "true"):
                yield child


def _placeholder(shape: Any) -> Any | None:
    return shape[0].find(f"{qn('p:nvPr')}/{qn('p:ph')}") if len(shape) else None


def _kind(shape: Any) -> str:
    """What a shape holds the place of: "title", "body", "ftr"; "" for shapes of one's own."""
    placeholder = _placeholder(shape)
    return "" if placeholder is None else placeholder.get("type", "obj")


def _shapes_in_order(shapes: list[Any], bases: list[list[Any]]) -> list[Any]:
    """The title, then from above to below and from left to right; what has no place comes first."""
    titles = [shape for shape in shapes if _kind(shape) in _TITLES]
    others = [shape for shape in shapes if _kind(shape) not in _TITLES]
    boxes = [_box(shape, bases) for shape in others]
    unplaced = [shape for shape, box in zip(others, boxes, strict=True) if box is None]
    placed = {n: box for n, box in enumerate(boxes) if box is not None}
    return titles + unplaced + [others[n] for n in in_reading_order(placed)]


def _box(shape: Any, bases: list[list[Any]]) -> Box | None:
    frame = shape.find("/".join(map(qn, _SHAPES[shape.tag].split("/"))))
    if frame is None or frame.find(qn("a:off")) is None:
        twin = _twin(shape, bases[0]) if bases else None
        return None if twin is None else _box(twin, bases[1:])
    place, size = frame.find(qn("a:off")), frame.find(qn("a:ext"))
    left, top = int(place.get("x", "0")), int(place.get("y", "0"))
    width, height = (0, 0) if size is None else (int(size.get("cx", "0")), int(size.get("cy", "0")))
    return Box.of(left, top, width, height)


def _twin(shape: Any, base: list[Any]) -> Any | None:
    """The placeholder of a layout or master from which a slide's shape has its place."""
    placeholder = _placeholder(shape)
    if placeholder is None:
        return None
    kind = "title" if _kind(shape) in _TITLES else _kind(shape)
    alike = {n: found for n, other in enumerate(base) if (found := _placeholder(other)) is not None}
    for n, found in alike.items():
        if placeholder.get("idx") and found.get("idx") == placeholder.get("idx"):
            return base[n]
    return next((base[n] for n in alike if ("title" if _kind(base[n]) in _TITLES else _kind(base[n])) == kind), None)
