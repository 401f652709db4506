"""Documents into a collection's memory."""

import hashlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from infinidoc.documents.discovery import STDIN, File, Skipped, discover
from infinidoc.documents.document import Document, Passage, Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.documents.segmentation import SEGMENT_TOKENS, pack_into_segments, split_into_passages
from infinidoc.memory.records import NewDocument, PassageRow, StoredDocument
from infinidoc.memory.store import ADDRESS_FILE_ROWS, Store
from infinidoc.model.addresses import AddressHead
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Encoding, add, subtract
from infinidoc.model.kernels import State
from infinidoc.reading import approximate

if TYPE_CHECKING:
    from infinidoc.reading.cluster import Cluster, Remote

# Small documents go through the model together and are committed together: at most this much is lost in a crash.
GROUP_TOKENS = 16_384


@dataclass
class Progress:
    """How far an ingest is. `bytes` count files that are done with, and the part of the current ones that is."""

    files: int
    bytes_total: int
    files_done: int = 0
    bytes_done: float = 0.0
    tokens: int = 0
    name: str = ""


@dataclass(frozen=True)
class Noted:
    """A file of which a part could not be read, and which: "no text on 2 of 4 pages (2-3): pictures, …"."""

    name: str
    note: str


@dataclass
class Summary:
    """What an ingest did (`seconds` of wall time), and what the collection holds now."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    pages: int = 0
    tokens: int = 0
    seconds: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    collection: dict[str, int] = field(default_factory=dict)


@dataclass
class Pending:
    """A document that was parsed and not yet read by the model."""

    path: str
    name: str
    digest: str
    size: int
    document: Document
    passages: list[Passage]

    @property
    def tokens(self) -> int:
        return sum(len(passage.ids) for passage in self.passages)


def ingest(
    store: Store,
    base: BaseModel,
    head: AddressHead,
    paths: Sequence[str | Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    sync: bool = False,
    notify: Callable[[Progress], None] = lambda progress: None,
    cluster: "Cluster | None" = None,
) -> Summary:
    """Reads files into a collection: new ones, and changed ones in place of what they were.

    `sync` also drops documents below `paths` whose files are gone. What can't be read is skipped and reported.
    With a `cluster` the model runs there, several groups of documents at a time; the result is the same.
    Every group of documents is committed as soon as it is read, so that an ingest that is cut short can be repeated.
    Raises InfinidocError if a path doesn't exist, or another process is writing to the collection.
    """
    began = time.perf_counter()
    on_disk = [path for path in paths if str(path) != STDIN]
    found = list(discover(paths, include, exclude))
    files = [item for item in found if isinstance(item, File)]
    summary = Summary(skipped=[item for item in found if isinstance(item, Skipped)])
    progress = Progress(files=len(files), bytes_total=sum(file.size for file in files))
    with store.writing():
        run = Run(store, base, head, summary, progress, notify, cluster)
        if len(on_disk) < len(paths):
            run.take_stdin(sys.stdin.buffer.read())
        for file in files:
            run.take(file)
        run.finish()
        if sync:
            run.drop_vanished([Path(os.path.abspath(path)) for path in on_disk])
        store.merge_small_files()
        if approximate.is_due(store):
            progress.name = "an index of the addresses"
            notify(progress)
            approximate.build(store)
    summary.seconds = time.perf_counter() - began
    summary.collection = store.counts()
    return summary


def forget(store: Store, base: BaseModel, head: AddressHead, documents: Sequence[StoredDocument]) -> None:
    """Takes documents out of a collection: out of its memory, its addresses and its text."""
    with store.writing():
        state = state_without(store, base, head, store.state(), documents)
        store.commit([], [document.id for document in documents], state)


def state_without(
    store: Store,
    base: BaseModel,
    head: AddressHead,
    state: list[State] | None,
    documents: Sequence[StoredDocument],
) -> list[State] | None:
    """A collection's memory without some of its documents; without all of them it is empty, not almost empty."""
    if state is None or len(documents) == len(store.documents()):
        return None
    return subtract(state, state_of(store, base, head, documents)) if documents else state


def state_of(store: Store, base: BaseModel, head: AddressHead, documents: Sequence[StoredDocument]) -> list[State]:
    """What documents added to the memory: they are read once more, in the same segments as the first time."""
    total: list[State] | None = None
    for document in documents:  # one at a time, so that a removal needs no more memory than an ingest
        text = store.document(document.id).text
        passages = [Passage(p.start, p.end, base.encode(text[p.start : p.end])) for p in store.passages(document.id)]
        encoding = Encoding(base, head, [_segments(base, passages)])
        for _ in encoding:
            pass
        assert encoding.state is not None
        total = add(total, encoding.state)
    assert total is not None
    return total


def _segments(base: BaseModel, passages: list[Passage]) -> list[list[int]]:
    packed = pack_into_segments(passages, SEGMENT_TOKENS - len(base.start))
    return [[token for passage in segment for token in passage.ids] for segment in packed]


class Run:
    """One ingest: parses files one after the other, and reads them in groups."""

    def __init__(
        self,
        store: Store,
        base: BaseModel,
        head: AddressHead,
        summary: Summary,
        progress: Progress,
        notify: Callable[[Progress], None],
        cluster: "Cluster | None",
    ):
        self.store, self.base, self.head, self.cluster = store, base, head, cluster
        self.summary, self.progress, self.notify = summary, progress, notify
        self.known = {document.path: document for document in store.documents()}  # before; each file comes once
        self.state = store.state()
        self.group: list[Pending] = []  # not yet enough for the model
        self.reading: deque[tuple[list[Pending], Encoding | Remote]] = deque()  # groups on the cluster, oldest first

    def take(self, file: File) -> None:
        self._take(str(file.path), file.name, file.size, lambda: load(file.path))

    def take_stdin(self, data: bytes) -> None:
        self.progress.files += 1
        self.progress.bytes_total += len(data)
        self._take(f"stdin-{hashlib.sha256(data).hexdigest()[:8]}", "stdin", len(data), lambda: data)

    def _take(self, path: str, name: str, size: int, read: Callable[[], bytes]) -> None:
        self.progress.name = name
        self.notify(self.progress)
        try:
            taken = self._parse(path, name, read())
        except Unreadable as reason:
            self.summary.skipped.append(Skipped(name, str(reason)))
            taken = False
        if not taken:
            self.progress.files_done += 1
            self.progress.bytes_done += size

    def _parse(self, path: str, name: str, data: bytes) -> bool:
        """Whether the model has to read it: False for what the collection has already. Raises Unreadable."""
        digest = hashlib.sha256(data).hexdigest()
        if path in self.known and self.known[path].digest == digest:
            self.summary.unchanged += 1
            return False
        document = read_document(name, data)
        self.summary.notes += [Noted(name, note) for note in document.notes]
        passages = split_into_passages(document, self.base.encode)
        if not passages:
            raise Unreadable("empty")
        self.group.append(Pending(path, name, digest, len(data), document, passages))
        if sum(pending.tokens for pending in self.group) >= GROUP_TOKENS:
            self.flush()
        return True

    def flush(self) -> None:
        """Has the group read. Here it is committed at once; on a cluster when others have been sent after it."""
        segments = [_segments(self.base, pending.passages) for pending in self.group]
        if self.cluster:
            self.reading.append((self.group, self.cluster.encode(segments)))
        else:
            remember = self.store.identity.remembers
            self.reading.append((self.group, Encoding(self.base, self.head, segments, remember)))
        self.group = []
        while len(self.reading) > (self.cluster.ahead if self.cluster else 0):
            self._commit(*self.reading.popleft())

    def finish(self) -> None:
        """Reads and commits what is left."""
        if self.group:
            self.flush()
        while self.reading:
            self._commit(*self.reading.popleft())

    def _commit(self, group: list[Pending], encoding: "Encoding | Remote") -> None:
        """Groups are committed in the order of their files, wherever they were read: sums come out the same."""
        old = [self.known[pending.path] for pending in group if pending.path in self.known]
        new, added = self._gather(group, encoding)
        kept = state_without(self.store, self.base, self.head, self.state, old)
        self.state = add(kept, added) if added else kept
        self.store.commit(new, [document.id for document in old], self.state)
        self.summary.added += len(new) - len(old)
        self.summary.replaced += len(old)
        self.summary.tokens += sum(pending.tokens for pending in group)
        self.summary.pages += sum(pending.document.pages for pending in group)
        self.progress.files_done += len(group)
        self.notify(self.progress)

    def _gather(
        self, group: list[Pending], encoding: "Encoding | Remote"
    ) -> tuple[list[NewDocument], list[State] | None]:
        writer = AddressWriter(self.store)
        waiting = [iter(pending.passages) for pending in group]
        places: list[list[tuple[Passage, int, int]]] = [[] for _ in group]
        for index, _, addresses in encoding:
            assert addresses is not None
            pending = group[index]
            part, row = writer.append(addresses)
            for passage, offset in _passages_of(waiting[index], len(addresses)):
                places[index].append((passage, part, row + offset))
            self.progress.tokens += len(addresses)
            self.progress.bytes_done += pending.size * len(addresses) / pending.tokens
            self.progress.name = pending.name
            self.notify(self.progress)
        names = writer.finish()
        new = []
        for pending, found in zip(group, places, strict=True):
            rows = [PassageRow(p.start, p.end, names[part], row, len(p.ids)) for p, part, row in found]
            new.append(NewDocument(pending.path, pending.digest, pending.size, pending.document, rows))
        return new, encoding.state

    def drop_vanished(self, roots: list[Path]) -> None:
        vanished = [
            document
            for document in self.store.documents()
            if any(Path(document.path).is_relative_to(root) for root in roots) and not os.path.lexists(document.path)
        ]
        if vanished:
            self.state = state_without(self.store, self.base, self.head, self.state, vanished)
            self.store.commit([], [document.id for document in vanished], self.state)
            self.summary.removed = len(vanished)


def _passages_of(passages: Iterator[Passage], tokens: int) -> Iterator[tuple[Passage, int]]:
    """The next passages that make up a segment of so many tokens, each with its offset in the segment."""
    offset = 0
    while offset < tokens:
        passage = next(passages)
        yield passage, offset
        offset += len(passage.ids)


class AddressWriter:
    """Gathers segments' addresses into files of bounded size, so that a long document doesn't pile up in memory."""

    def __init__(self, store: Store):
        self.store = store
        self.names: list[str] = []
        self.buffer: list[Tensor] = []
        self.rows = 0

    def append(self, addresses: Tensor) -> tuple[int, int]:
        """Where they will be: the number of the file, and the first row in it."""
        if self.rows + len(addresses) > ADDRESS_FILE_ROWS:
            self._write()
        row = self.rows
        self.buffer.append(addresses)
        self.rows += len(addresses)
        return len(self.names), row

    def finish(self) -> list[str]:
        """Writes what is left; returns the names of all files, in order."""
        self._write()
        return self.names

    def _write(self) -> None:
        if self.buffer:
            self.names.append(self.store.write_addresses(torch.cat(self.buffer)))
        self.buffer, self.rows = [], 0
