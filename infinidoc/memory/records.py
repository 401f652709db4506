"""The rows of a collection's manifest, as the rest of the house sees them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from infinidoc.documents.document import Document
from infinidoc.documents.packed import file_of
from infinidoc.model.precision import FP32

if TYPE_CHECKING:
    from torch import Tensor

    from infinidoc.model.codes import Codes

NO_KERNEL = "none"
LOCAL = ".infinidoc"  # the directory of a project's own collection
UPLOADS = "uploads"  # below a collection's directory: files that it has a copy of its own of


@dataclass(frozen=True)
class Identity:
    """What a collection was read with. Another model's memory means nothing to this one, nor another adapter's.

    Without an adapter its name is "none" and its digest empty; without a compressive memory `kernel` is "none".
    `precision` is what all documents are read in: the same one takes a document out again without remainder. Questions
    can be asked in any.
    """

    model: str
    model_digest: str
    adapter: str
    adapter_digest: str
    kernel: str
    precision: str = FP32

    @property
    def remembers(self) -> bool:
        """Whether the collection has a compressive memory."""
        return self.kernel != NO_KERNEL


@dataclass(frozen=True)
class StoredFile:
    """A file that a document was read from, as it was then: its absolute path (or "stdin-…"), the SHA-256 of its bytes
    and how many those are."""

    path: str
    digest: str
    bytes: int


@dataclass(frozen=True)
class HeldFile:
    """A file of a document (its id), of which `format`, and when it was last changed when it was read (UTC, ISO
    8601)."""

    document: int
    path: str
    format: str
    modified: str


@dataclass(frozen=True)
class StoredDocument:
    """A row of the manifest, without the text. Path, digest and bytes are those of the first of its files; `copies` are
    the paths of the others, which have the same text. `tokens` is what was read of it so far: all, if it is
    `complete`. `notes` say what of the file could not be read."""

    id: int
    path: str
    digest: str
    bytes: int
    format: str
    pages: int
    tokens: int
    ingested_at: str
    complete: bool = True
    notes: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return self.path, *self.copies

    def at(self, path: str) -> Self:
        """The same, at another of its paths."""
        return replace(self, path=path, copies=tuple(other for other in self.paths if other != path))


@dataclass(frozen=True)
class PassageRow:
    """Where a passage stands in its document's text, and its tokens' addresses in an address file."""

    start: int
    end: int
    file: str
    row: int
    tokens: int


@dataclass(frozen=True)
class SegmentRow:
    """Where a segment begins in its document's text, and the row that it had in a batch of `rows` of `width` tokens."""

    start: int
    rows: int
    width: int
    row: int


@dataclass(frozen=True)
class PendingSegment:
    """A segment of a document that the compressive memory doesn't hold yet, and how many tokens it has."""

    document: int
    segment: SegmentRow
    tokens: int


@dataclass(frozen=True)
class PendingWindow:
    """Segments that the second pass of an ingest reads together, in this order; `begun` names the file of what the
    first pass left of them, and is empty if there is none."""

    number: int
    begun: str
    segments: Sequence[PendingSegment]


@dataclass(frozen=True)
class NewDocument:
    """A document on its way into the manifest, or a part of one: what is there already of its path goes on with it."""

    path: str
    digest: str
    bytes: int
    document: Document
    passages: Sequence[PassageRow]
    segments: Sequence[SegmentRow] = ()
    complete: bool = True


@dataclass(frozen=True)
class Citation:
    """A place that an answer was given from: characters `start` to `end` of a document's text, found with a score."""

    document: int
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class LogEntry:
    """A question, and what was answered (None once a document that the answer came from is removed), from what places;
    `timings` in seconds, `asked_at` in UTC and ISO 8601."""

    question: str
    answer: str | None
    answered: bool
    memory_only: bool
    citations: Sequence[Citation]
    timings: dict[str, float]
    asked_at: str = ""
    model: str = ""


class MemoryKey(NamedTuple):
    """Who has read a document from start to end: digests of model and adapter ("" without one), and the rule of its
    slots (`slots.rule`)."""

    model: str
    adapter: str
    slots: str


@dataclass(frozen=True)
class DocumentMemory:
    """What such a reader keeps of a document (see `CompressiveMemory.tensors`), of which it has read the characters up
    to `end`."""

    end: int
    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class AddressBlock:
    """One address file: `addresses` (rows, 128) int8, or codes for such, memory-mapped; passage i owns rows[i] up to
    rows[i + 1], and its document opens with the passage openings[i]."""

    addresses: Tensor | Codes
    passages: list[int]
    rows: list[int]
    openings: list[int]


def last_changed(path: str, read: str) -> str:
    """When a file was last changed, if it was before it was `read` (both UTC, ISO 8601), else that: it is standard
    input, gone, or another one by now."""
    if not os.path.isabs(path):
        return read
    try:
        changed = datetime.fromtimestamp(os.stat(file_of(path)).st_mtime, UTC).isoformat(timespec="seconds")
    except (OSError, OverflowError, ValueError):
        return read
    return min(changed, read)


def content_digest(text: str, marks: str) -> str:
    """What makes two files the same document: the SHA-256 of text, but for space at the end, and marks as JSON."""
    text = text.rstrip()
    return hashlib.sha256(f"{len(text)} {text} {marks}".encode("utf-8", "surrogatepass")).hexdigest()


def content_of(document: Document) -> str:
    """The content digest of a document."""
    return content_digest(document.text, marks_json(document))


def marks_json(document: Document) -> str:
    return json.dumps([[mark.start, mark.label] for mark in document.marks])


def project_of(directory: Path) -> Path | None:
    """The directory whose own collection this is; None for a named one, which belongs to no place."""
    return Path(os.path.abspath(directory)).parent if directory.name == LOCAL else None


def _base(directory: Path) -> Path:
    """What moves as a whole: a project with its collection, or a named collection."""
    return project_of(directory) or Path(os.path.realpath(directory))


def uploads_of(directory: Path) -> Path:
    """Where a collection keeps files that were uploaded, by its real name: that is how files are read."""
    return Path(os.path.realpath(directory)) / UPLOADS


def stored_path(path: str, directory: Path) -> str:
    """A file's path as the manifest of a collection has it: "./…" in its project, or in a named one's own directory, so
    that these can be moved."""
    base = _base(directory)
    if Path(path).is_absolute() and Path(path).is_relative_to(base):
        return "./" + Path(path).relative_to(base).as_posix()
    return path


def absolute_path(stored: str, directory: Path) -> str:
    """The opposite of `stored_path`."""
    return str(_base(directory) / stored) if stored.startswith("./") else stored
