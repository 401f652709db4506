"""Photographs and scans that are no PDF: the text on them, where `infinidoc[ocr]` is installed."""

import io

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import ocr
from infinidoc.documents.formats.composer import Composer

_LARGEST = 200_000_000  # pixels
_MANY = 1000  # pages of a TIFF


def read(data: bytes, format: str) -> Document:
    from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # bounded here
    try:
        image = Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, OSError) as error:
        raise Unreadable(f"damaged, or not really .{format}") from error
    composer = Composer()
    pages = 0
    for number, frame in enumerate(ImageSequence.Iterator(image) if format == "tiff" else [image], 1):
        if frame.width * frame.height > _LARGEST:
            raise Unreadable(f"larger than {_LARGEST // 1_000_000} megapixels")
        if number > _MANY:
            raise Unreadable(f"more than {_MANY} pages: split it")
        upright = ImageOps.exif_transpose(frame).convert("RGBA")
        upright.thumbnail((ocr.LONGEST_SIDE, ocr.LONGEST_SIDE))
        paper = Image.new("RGBA", upright.size, "white")
        paper.alpha_composite(upright)
        composer.mark(f"page {number}" if format == "tiff" else "picture", breaks=True)
        composer.add(ocr.text_of(paper.convert("RGB")))
        pages = number
    document = composer.document(format, pages)
    if not document.text:
        raise Unreadable("no text found on it")
    return document
