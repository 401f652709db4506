"""Real text that doesn't repeat itself: the haystack of the needle and bAbI benchmarks, and what perplexity is measured
on."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infinidoc.documents.discovery import Skipped, discover
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.errors import InfinidocError

LIBRARY = Path(__file__).parents[3] / "examples" / "library"  # in a checkout
RUNNING_TEXT = ["*.txt", "*.md", "*.rst", "*.html", "*.epub", "*.docx", "*.pptx", "*.pdf"]  # of the library: no tables
BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Prose:
    """Documents as token ids, one after the other: names[i] has tokens[starts[i]:starts[i + 1]]."""

    ids: "np.ndarray"
    names: list[str]
    starts: list[int]

    def __len__(self) -> int:
        return len(self.ids)

    def tokens(self, start: int, stop: int) -> list[int]:
        found: list[int] = self.ids[start:stop].tolist()
        return found

    def document(self, index: int) -> list[int]:
        return self.tokens(self.starts[index], [*self.starts, len(self)][index + 1])

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.ids.tobytes()).hexdigest()


def read_prose(paths: Sequence[str | Path], encode: Callable[[str], list[int]]) -> Prose:
    """Reads documents in any format that infinidoc reads; without paths, the example library of a checkout.

    Each text is taken once, however often it is there. Raises InfinidocError if there is nothing to read.
    """
    if not paths and not LIBRARY.is_dir():
        raise InfinidocError("no prose to hide anything in", "give files or directories: --prose PATH")
    found = discover(paths) if paths else discover([LIBRARY], include=RUNNING_TEXT)
    parts, names, starts = [], [], [0]
    seen = set()
    for file in found:
        if isinstance(file, Skipped):
            continue
        try:
            text = read_document(file.name, load(file.path)).text
        except Unreadable:
            continue
        if text in seen:
            continue
        seen.add(text)
        blocks = (block.strip() for block in BLANK_LINES.split(text))
        ids = [token for block in blocks if block for token in encode(block + "\n\n")]
        parts.append(np.array(ids, dtype=np.int32))
        names.append(file.path.name)
        starts.append(starts[-1] + len(ids))
    if not parts:
        raise InfinidocError("none of these files can be read as prose", "give documents: --prose PATH")
    return Prose(np.concatenate(parts), names, starts[:-1])


def require(prose: Prose, lengths: Sequence[int]) -> None:
    """Raises InfinidocError if the prose is too short to fill the longest of the lengths without repeating itself."""
    if max(lengths) > len(prose):
        raise InfinidocError(
            f"{max(lengths):,} tokens are more than the prose has: {len(prose):,} without repetition",
            "ask for shorter --lengths, or give more text: --prose PATH",
        )
