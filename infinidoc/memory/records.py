"""The rows of a collection's manifest, as the rest of the house sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infinidoc.documents.document import Document
from infinidoc.model.precision import FP32

if TYPE_CHECKING:
    from torch import Tensor

NO_KERNEL = "none"


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
class StoredDocument:
    """A row of the manifest, without the text. `bytes` is the size of the file that was read, `tokens` what was read of
    it so far: all, if it is `complete`."""

    id: int
    path: str
    digest: str
    bytes: int
    format: str
    pages: int
    tokens: int
    ingested_at: str
    complete: bool = True


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
class AddressBlock:
    """One address file: `addresses` (rows, 128) int8, memory-mapped; passage i owns rows[i] up to rows[i + 1]."""

    addresses: Tensor
    passages: list[int]
    rows: list[int]
