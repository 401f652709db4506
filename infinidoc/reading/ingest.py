"""Documents into a collection's memory."""

import hashlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from infinidoc.documents.discovery import STDIN, File, Root, Skipped, discover, is_gone, roots_of
from infinidoc.documents.document import Document, Passage, Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.documents.segmentation import SEGMENT_TOKENS, pack_into_segments, split_into_passages
from infinidoc.memory.records import NewDocument, PassageRow, SegmentRow, StoredDocument, StoredFile, content_of
from infinidoc.memory.store import Store
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Encoded, Encoder, Running, Seat, add, subtract
from infinidoc.model.kernels import State
from infinidoc.reading import approximate

if TYPE_CHECKING:
    from infinidoc.reading.cluster import Cluster

SEGMENTS_AT_ONCE = 64  # that are read again to be taken out: those that shared a batch share it again


@dataclass
class IngestProgress:
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
    """What an ingest did to files (in `seconds` of wall time), and what the collection holds now.

    `copies` are files whose text the collection has from another file: nothing is read for them. Of a document that was
    cut short, `partial` says by its name how much was kept, between 0 and 1.
    """

    added: int = 0
    replaced: int = 0
    copies: int = 0
    unchanged: int = 0
    removed: int = 0
    pages: int = 0
    tokens: int = 0
    seconds: float = 0.0
    partial: dict[str, float] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    collection: dict[str, int] = field(default_factory=dict)


class Stopped(KeyboardInterrupt):
    """An ingest that was interrupted; `summary` says what it had kept by then."""

    def __init__(self, summary: Summary):
        super().__init__()
        self.summary = summary


@dataclass
class Reading:
    """A document that is being read, segment by segment: `parts` so far, and `bytes_done` of its file's `size`.

    `replaces` are the files that held something else up to now; `copies` get its text as well.
    """

    path: str
    name: str
    digest: str
    size: int
    document: Document
    replaces: Sequence[str] = ()
    copies: list[StoredFile] = field(default_factory=list)
    parts: int = 0
    bytes_done: float = 0.0


@dataclass
class Part:
    """Consecutive segments of a document, from the `first` one on or up to the `last`, or some between."""

    reading: Reading
    first: bool
    last: bool = False
    segments: list[list[Passage]] = field(default_factory=list)


@dataclass
class Window:
    """Segments that go through the model together and are committed together; `bytes` are those of their files."""

    parts: list[Part] = field(default_factory=list)
    tokens: int = 0
    bytes: float = 0.0

    def segments(self) -> list[list[int]]:
        """As token ids."""
        return [_ids(segment) for part in self.parts for segment in part.segments]


def ingest(
    store: Store,
    base: BaseModel,
    reader: "Encoder | Cluster",
    paths: Sequence[str | Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    sync: bool = False,
    notify: Callable[[IngestProgress], None] = lambda progress: None,
) -> Summary:
    """Reads files into a collection: new ones, and changed ones in place of what they were.

    `sync` also drops documents below `paths` whose files are gone. What can't be read is skipped and reported, and what
    was read from it before is dropped; only where it may be readable again, that stays.
    The model runs in the `reader`, here or on a cluster; the result is the same.
    Every window is committed as soon as it is read, in the middle of a document if need be: an ingest that was cut
    short goes on from there when it is repeated.
    Raises InfinidocError if a path doesn't exist, or another process is writing to the collection; `Stopped`, which is
    a KeyboardInterrupt, when it is interrupted.
    """
    began = time.perf_counter()
    known = set(store.files_read()) if sync else set()
    found = list(discover(paths, include, exclude, known))
    files = [item for item in found if isinstance(item, File)]
    summary = Summary()
    progress = IngestProgress(files=len(files), bytes_total=sum(file.size for file in files))
    try:
        with store.writing():
            run = Run(store, base, summary, progress, notify, reader)
            for item in found:
                if isinstance(item, Skipped):
                    run.skip(item)
            run.drop_unreadable()
            if any(str(path) == STDIN for path in paths):
                run.take_stdin(sys.stdin.buffer.read())
            for file in files:
                run.take(file)
            run.finish()
            if sync:
                run.drop_vanished(roots_of(paths), known)
            store.merge_small_files()
            if approximate.is_due(store):
                progress.name = "an index of the addresses"
                notify(progress)
                approximate.build(store)
    except KeyboardInterrupt as interrupt:
        raise Stopped(_closed(summary, store, began)) from interrupt
    return _closed(summary, store, began)


def _closed(summary: Summary, store: Store, began: float) -> Summary:
    summary.seconds = time.perf_counter() - began
    summary.collection = store.counts()
    return summary


def forget(store: Store, base: BaseModel, documents: Sequence[StoredDocument]) -> None:
    """Takes documents out of a collection: out of its memory, its addresses, its text and its log.

    Only their files at `path` are taken out: a document of which there are copies stays.
    """
    with store.writing():
        paths = [document.path for document in documents]
        gone = store.left_by(paths)
        with Encoder(base, None) as reader:
            state = state_without(store, base, reader, store.state(), gone)
        store.commit([], [document.id for document in gone], state, unnamed=paths)


def state_without(
    store: Store,
    base: BaseModel,
    reader: "Encoder | Cluster",
    state: list[State] | None,
    documents: Sequence[StoredDocument],
) -> list[State] | None:
    """A collection's memory without some of its documents; without all of them it is empty, not almost empty."""
    if state is None or not documents:
        return state
    rest = subtract(state, state_of(store, base, reader, documents))
    return rest if rest[0].tokens.any() else None


def state_of(
    store: Store, base: BaseModel, reader: "Encoder | Cluster", documents: Sequence[StoredDocument]
) -> list[State]:
    """What documents added to the memory, to the last bit: they are read once more, in the same seats."""
    total: list[State] | None = None
    for known, stored in groupby(_stored(store, base, documents), key=lambda segment: segment[1] is not None):
        while some := list(islice(stored, SEGMENTS_AT_ONCE)):
            seats = [seat for _, seat in some if seat]
            encoded = reader.submit([ids for ids, _ in some], seats if known else None)(lambda tokens: None)
            assert encoded.state is not None
            total = add(total, encoded.state)
    assert total is not None
    return total


def _stored(
    store: Store, base: BaseModel, documents: Sequence[StoredDocument]
) -> Iterator[tuple[list[int], Seat | None]]:
    """The segments of documents as token ids, in the order in which they came, each with its seat if that is known."""
    for document in sorted(documents, key=lambda document: document.id):
        text = store.document(document.id).text
        seats = {row.start: Seat(row.rows, row.width, row.row) for row in store.segments(document.id)}
        rows = store.passages(document.id)
        passages = (Passage(row.start, row.end, base.encode(text[row.start : row.end])) for row in rows)
        for segment in _segments(base, passages):
            yield _ids(segment), seats.get(segment[0].start)


def _segments(base: BaseModel, passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    return pack_into_segments(passages, SEGMENT_TOKENS - len(base.start))


def _ids(segment: list[Passage]) -> list[int]:
    return [token for passage in segment for token in passage.ids]


class Run:
    """One ingest: parses files one after the other, and has them read window by window."""

    def __init__(
        self,
        store: Store,
        base: BaseModel,
        summary: Summary,
        progress: IngestProgress,
        notify: Callable[[IngestProgress], None],
        reader: "Encoder | Cluster",
    ):
        self.store, self.base, self.reader = store, base, reader
        self.summary, self.progress, self.notify = summary, progress, notify
        self.state = store.state()
        self.window = Window()  # not yet enough for the model
        self.running: deque[tuple[Window, Running]] = deque()  # oldest first
        self.coming: dict[str, Reading] = {}  # what is on its way, by content
        self.copies: list[tuple[int, StoredFile]] = []  # of documents that are there
        self.unreadable: list[str] = []  # files that were readable once

    def take(self, file: File) -> None:
        self._take(str(file.path), file.name, file.size, lambda: load(file.path))

    def take_stdin(self, data: bytes) -> None:
        self.progress.files += 1
        self.progress.bytes_total += len(data)
        self._take(f"stdin-{hashlib.sha256(data).hexdigest()[:8]}", "stdin", len(data), lambda: data)

    def _take(self, path: str, name: str, size: int, load: Callable[[], bytes]) -> None:
        self.progress.name = name
        self.notify(self.progress)
        try:
            taken = self._read(path, name, load())
        except Unreadable as reason:
            self.skip(Skipped(name, str(reason), path, reason.passing))
            taken = False
        if not taken:
            self.progress.files_done += 1
            self.progress.bytes_done += size

    def _read(self, path: str, name: str, data: bytes) -> bool:
        """Whether the model has to read it: False for what the collection has already. Raises Unreadable."""
        digest, old = hashlib.sha256(data).hexdigest(), self.store.of_path(path)
        same = old is not None and old.digest == digest
        if old and same and old.complete:
            self.summary.unchanged += 1
            return False
        document = read_document(name, data)
        self.summary.notes += [Noted(name, note) for note in document.notes]
        if self._is_copy(document, StoredFile(path, digest, len(data))):
            return False
        reading = Reading(path, name, digest, len(data), document, [path] if old and not same else ())
        passages = split_into_passages(document, self.base.encode)
        if old and same:
            read = max(passage.end for passage in self.store.passages(old.id))
            passages = (passage for passage in passages if passage.end > read)
            share = read / len(document.text)
            reading.bytes_done = reading.size * share
            self.progress.bytes_done += reading.bytes_done
            self.summary.partial = {name: share}
        self._add_all(reading, passages)
        return True

    def take_again(self, stored: StoredDocument) -> None:
        """Has a document read anew, from the text that the collection has of it."""
        document, files = self.store.document(stored.id), self.store.files_read()
        copies = [files[path] for path in stored.copies]
        reading = Reading(stored.path, stored.path, stored.digest, stored.bytes, document, stored.paths, copies)
        self._add_all(reading, split_into_passages(document, self.base.encode))

    def skip(self, item: Skipped) -> None:
        """Reports what can't be read. The text that it had before goes, unless the file may come back as it was."""
        if item.path and self.store.of_path(item.path):
            fate = "is kept" if item.passing else "is removed"
            item = replace(item, reason=f"{item.reason}; what was read from it before {fate}")
            if not item.passing:
                self.unreadable.append(item.path)
        self.summary.skipped.append(item)

    def _is_copy(self, document: Document, file: StoredFile) -> bool:
        """Whether another file has the same text: then it needs no reading, and no second place in the collection."""
        content = content_of(document)
        if (coming := self.coming.get(content)) is not None:
            coming.copies.append(file)
        elif (same := self.store.with_content(content)) is not None:
            self.copies.append((same, file))
            if any(held.id == same for held in self.store.of_paths([file.path])):  # other bytes, the same text
                self.summary.unchanged += 1
                return True
        else:
            return False
        self.summary.copies += 1
        return True

    def _add_all(self, reading: Reading, passages: Iterable[Passage]) -> None:
        segments = _segments(self.base, passages)
        segment = next(segments, None)
        if segment is None:
            raise Unreadable("empty")
        self.coming[content_of(reading.document)] = reading
        while segment:
            following = next(segments, None)
            self._add(reading, segment, last=following is None)
            segment = following

    def _add(self, reading: Reading, segment: list[Passage], last: bool) -> None:
        window = self.window
        if not window.parts or window.parts[-1].reading is not reading:
            window.parts.append(Part(reading, reading.parts == 0))
            reading.parts += 1
        window.parts[-1].segments.append(segment)
        window.parts[-1].last = last
        window.tokens += sum(len(passage.ids) for passage in segment)
        bytes_done = reading.size * (1.0 if last else segment[-1].end / len(reading.document.text))
        window.bytes += bytes_done - reading.bytes_done
        reading.bytes_done = bytes_done
        if window.tokens >= self.reader.window_tokens:
            self._submit()

    def _submit(self) -> None:
        """Sends the window to the model, and commits an older one when enough are on their way."""
        self.running.append((self.window, self.reader.submit(self.window.segments())))
        self.window = Window()
        while len(self.running) > self.reader.ahead:
            self._commit(*self.running.popleft())

    def finish(self) -> None:
        """Has what is left read and committed."""
        if self.window.parts:
            self._submit()
        while self.running:
            self._commit(*self.running.popleft())
        self._name_copies()
        self.drop_unreadable()

    def _name_copies(self) -> None:
        if self.copies:
            gone = self.store.left_by([file.path for _, file in self.copies], but=[same for same, _ in self.copies])
            state = state_without(self.store, self.base, self.reader, self.state, gone)
            self.store.commit([], [document.id for document in gone], state, named=self.copies)
            self.state, self.copies = state, []

    def drop_unreadable(self) -> None:
        self._drop(self.unreadable)
        self.unreadable = []

    def _drop(self, paths: Sequence[str]) -> None:
        """Takes files out, and with them the documents that have no other."""
        if paths:
            gone = self.store.left_by(paths)
            state = state_without(self.store, self.base, self.reader, self.state, gone)
            self.store.commit([], [document.id for document in gone], state, unnamed=paths)
            self.state = state
            self.summary.removed += len(paths)

    def _commit(self, window: Window, running: Running) -> None:
        """Windows are committed in the order of their files, wherever they were read: sums come out the same."""

        def advance(tokens: int) -> None:
            self.progress.name = window.parts[0].reading.name
            self.progress.tokens += tokens
            self.progress.bytes_done += window.bytes * tokens / window.tokens
            self.notify(self.progress)

        encoded = running(advance)
        self._name_copies()  # a document that is replaced now may live on in another file
        paths = [path for part in window.parts if part.first for path in part.reading.replaces]
        old = self.store.left_by(paths)
        state = state_without(self.store, self.base, self.reader, self.state, old)
        state = add(state, encoded.state) if encoded.state else state
        self.store.commit(self._rows(window, encoded), [document.id for document in old], state, unnamed=paths)
        self.state = state
        for reading in (part.reading for part in window.parts if part.last):
            del self.coming[content_of(reading.document)]
            if reading.copies and (stored := self.store.of_path(reading.path)):
                self.copies += [(stored.id, copy) for copy in reading.copies]
        self._count(window)

    def _rows(self, window: Window, encoded: Encoded) -> list[NewDocument]:
        """A window's parts of documents as the manifest is to have them; their addresses go into one file."""
        addresses = [found for found in encoded.addresses if found is not None]
        file, row, seats, new = self.store.write_addresses(torch.cat(addresses)), 0, iter(encoded.seats), []
        for part in window.parts:
            passages, segments = [], []
            for segment in part.segments:
                segments.append(SegmentRow(segment[0].start, *next(seats)))
                for passage in segment:
                    passages.append(PassageRow(passage.start, passage.end, file, row, len(passage.ids)))
                    row += len(passage.ids)
            reading = part.reading
            about = (reading.path, reading.digest, reading.size, reading.document)
            new.append(NewDocument(*about, passages, segments, part.last))
        return new

    def _count(self, window: Window) -> None:
        whole = [part.reading for part in window.parts if part.last]
        replaced = sum(bool(reading.replaces) for reading in whole)
        self.summary.replaced += replaced
        self.summary.added += len(whole) - replaced
        self.summary.tokens += window.tokens
        self.summary.pages += sum(reading.document.pages for reading in whole)
        last = window.parts[-1]
        share = last.segments[-1][-1].end / len(last.reading.document.text)
        self.summary.partial = {} if last.last else {last.reading.name: share}
        self.progress.files_done += len(whole)
        self.notify(self.progress)

    def drop_vanished(self, roots: Sequence[Root], known: Set[str]) -> None:
        """Drops the files that are gone from where `roots` say; and those elsewhere whose document was found in a place
        that wasn't `known` before this run: they were moved."""
        files = self.store.files_read()
        moved = {path for document in self.store.of_paths(files.keys() - known) for path in document.paths}
        meant = [path for path in files if path in moved or any(root.covers(path) for root in roots)]
        self._drop([path for path in meant if os.path.isabs(path) and is_gone(path)])
