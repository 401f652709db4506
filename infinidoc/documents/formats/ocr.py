"""Text of scans and pictures, by RapidOCR, which brings its models along: `pip install 'infinidoc[ocr]'`.

It knows Latin, Greek, Chinese and Japanese letters; others, such as Cyrillic or Arabic ones, come out wrong.
"""

import math
import os
import re
import statistics
import threading
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from infinidoc.documents.formats.layout import Box, in_blocks
from infinidoc.documents.formats.rows import describe

HINT = "pip install 'infinidoc[ocr]' reads them"
DOTS = 200 / 72  # pixels a point: 200 to the inch
LONGEST_SIDE = 2400  # pixels: A4 at 200 to the inch
_THREADS = 4
_SURE = 0.8  # how sure it is, on average, of lines that stand upright
_SAME_LINE = 0.6  # of a line's height: baselines closer than this are one line
_GLUED = re.compile(r"\b([A-Z]?[a-z]{2,})(\d[\d.,]*)(?=\s|$)")  # it sees no space between words and numbers

_engine = threading.Lock()  # it is not known to be safe in several threads


class _Line(NamedTuple):
    text: str
    score: float
    corners: list[tuple[float, float]]  # from the upper left one, clockwise

    @property
    def width(self) -> float:
        return math.dist(self.corners[0], self.corners[1])

    @property
    def height(self) -> float:
        return math.dist(self.corners[0], self.corners[3])


@cache
def is_installed() -> bool:
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def text_of(image: Any) -> str:
    """What is written on an image, of PIL or (height, width, 3) of bytes: its lines in the order people read them in.

    However the page was laid on the scanner: it is turned until its lines are upright.
    """
    import numpy as np

    image = np.asarray(image)
    lines = _recognised(image)
    if lines and not _is_upright(lines):
        turned = [_recognised(np.ascontiguousarray(np.rot90(image, turns))) for turns in (1, 2, 3)]
        lines = max([lines, *turned], key=_certainty)
    return _laid_out(_levelled(lines))


def _recognised(image: Any) -> list[_Line]:
    with _engine:
        found = _load()(image, use_cls=False)
    if found.boxes is None or found.txts is None:
        return []
    pieces = zip(found.txts, found.scores, found.boxes, strict=True)
    return [
        _Line(_GLUED.sub(r"\1 \2", text), float(score), [(float(x), float(y)) for x, y in box])
        for text, score, box in pieces
    ]


@cache
def _load() -> Any:
    from rapidocr import RapidOCR

    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isdigit() else min(_THREADS, os.cpu_count() or 1)
    runtime = "EngineConfig.onnxruntime"
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            f"{runtime}.intra_op_num_threads": max(1, threads),
            f"{runtime}.inter_op_num_threads": 1,
        }
    )


def _is_upright(lines: list[_Line]) -> bool:
    long = [line for line in lines if len(line.text) > 3] or lines
    upright = sum(len(line.text) for line in long if line.width > line.height)
    return 2 * upright >= sum(len(line.text) for line in long) and _certainty(lines) >= _SURE * _letters(lines)


def _certainty(lines: list[_Line]) -> float:
    return sum(line.score * len(line.text) for line in lines if line.width > line.height or len(line.text) < 3)


def _letters(lines: list[_Line]) -> int:
    return sum(len(line.text) for line in lines)


def _levelled(lines: list[_Line]) -> list[_Line]:
    """The lines of a page that lay askew, turned by its slant."""
    slants = [
        math.atan2(line.corners[1][1] - line.corners[0][1], line.corners[1][0] - line.corners[0][0])
        for line in sorted(lines, key=lambda line: -line.width)[:50]
    ]
    slant = -statistics.median(slants) if slants else 0.0
    cosine, sine = math.cos(slant), math.sin(slant)
    return [
        line._replace(corners=[(x * cosine - y * sine, x * sine + y * cosine) for x, y in line.corners])
        for line in lines
    ]


def _laid_out(lines: list[_Line]) -> str:
    """Columns one after the other, rows of tables in one line each, a blank line where there is room for one."""
    boxes = {n: _box(line) for n, line in enumerate(lines)}
    height = statistics.median([line.height for line in lines] or [0])
    blocks = []
    for block in in_blocks(boxes, height):
        if len(block) > 1:  # columns beside each other
            rows = _rows(block, lines, boxes)
            blocks.append("\n".join(line for _, line in describe(rows, named=False, gap=" | ")))
        else:
            blocks.append(_paragraphs([lines[n] for n in block[0]], [boxes[n] for n in block[0]], height))
    return "\n\n".join(blocks)


def _box(line: _Line) -> Box:
    """Its middle: slanted lines reach into their neighbours."""
    xs, ys = [x for x, _ in line.corners], [y for _, y in line.corners]
    middle, half = (min(ys) + max(ys)) / 2, line.height * 0.3
    return Box(min(xs), middle - half, max(xs), middle + half)


def _rows(columns: list[list[int]], lines: list[_Line], boxes: dict[int, Box]) -> list[list[str | None]]:
    rows: list[tuple[float, list[str | None]]] = []
    cells = sorted((boxes[n].top, column, n) for column, members in enumerate(columns) for n in members)
    for top, column, n in cells:
        if not rows or top - rows[-1][0] > _SAME_LINE * lines[n].height:
            rows.append((top, [""] * len(columns)))
        before = rows[-1][1][column]
        rows[-1][1][column] = f"{before} {lines[n].text}" if before else lines[n].text
    return [row for _, row in rows]


def _paragraphs(lines: list[_Line], boxes: list[Box], height: float) -> str:
    """Lines that fill their column go on in the next one; those that end early end a paragraph or a line."""
    right = max(box.right for box in boxes)
    parts = [lines[0].text]
    for line, above, box in zip(lines[1:], boxes, boxes[1:], strict=False):
        is_full = above.right > right - 4 * height
        step = box.top - above.top
        if abs(step) < _SAME_LINE * height:
            gap = " "
        elif step > 2.2 * height or step < 0:
            gap = "\n\n"
        else:
            gap = " " if is_full and len(lines) > 2 else "\n"
        if gap == " " and parts[-1].endswith("-") and line.text[:1].islower():
            parts[-1], gap = parts[-1][:-1], ""
        if gap == " " and "\u2e80" <= line.text[:1] < "\uac00" and "\u2e80" <= parts[-1][-1:] < "\uac00":
            gap = ""
        parts += [gap, line.text]
    return "".join(parts)
