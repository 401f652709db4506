"""What people are told of an ingest: how far it is, and what it did."""

from dataclasses import dataclass, field

from infinidoc.documents.discovery import Skipped


@dataclass
class IngestProgress:
    """How far an ingest is. `bytes` count files that are done with, and the part of the current ones that is.

    When they are all done, and all can be asked about, the second pass reads `remembered` of `to_remember` tokens into
    the compressive memory.
    """

    files: int
    bytes_total: int
    files_done: int = 0
    bytes_done: float = 0.0
    tokens: int = 0
    remembered: int = 0
    to_remember: int = 0
    name: str = ""


@dataclass(frozen=True)
class Noted:
    """A file of which a part could not be read, and which: "no text on 2 of 4 pages (2-3): pictures, …"."""

    name: str
    note: str


@dataclass
class Summary:
    """What an ingest did to files (in `seconds` of wall time), and what the collection holds now.

    `copies` are files whose text the collection has from another file: nothing is read for them. Of a document that was
    cut short, `partial` says by its name how much was kept, between 0 and 1. `ready_seconds` is when all that was read
    could be asked about, 0 if it came to be cut short before; `remembered` counts the tokens that then went into the
    compressive memory, also those that an earlier ingest had left.
    """

    added: int = 0
    replaced: int = 0
    copies: int = 0
    unchanged: int = 0
    removed: int = 0
    pages: int = 0
    tokens: int = 0
    seconds: float = 0.0
    ready_seconds: float = 0.0
    remembered: int = 0
    partial: dict[str, float] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    collection: dict[str, int] = field(default_factory=dict)


class Stopped(KeyboardInterrupt):
    """An ingest that was interrupted; `summary` says what it had kept by then."""

    def __init__(self, summary: Summary):
        super().__init__()
        self.summary = summary
