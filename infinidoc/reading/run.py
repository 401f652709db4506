"""The first pass of an ingest: files are parsed, read in windows of segments, and committed."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from infinidoc.documents.discovery import File, Root, Skipped, is_among, is_gone
from infinidoc.documents.document import Document, Passage, Unreadable
from infinidoc.documents.formats import Opened, limited, load, read_document
from infinidoc.documents.segmentation import split_into_passages
from infinidoc.memory.records import NewDocument, PassageRow, SegmentRow, StoredDocument, StoredFile, content_of
from infinidoc.memory.store import Memory, Store
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Addressed, Encoder, Running
from infinidoc.reading.remembering import packed
from infinidoc.reading.removal import ids_of, segments_of, state_without
from infinidoc.reading.summary import IngestProgress, Noted, Summary

if TYPE_CHECKING:
    from infinidoc.reading.cluster import Cluster


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
        return [ids_of(segment) for part in self.parts for segment in part.segments]


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
        self.remembers = store.identity.remembers
        self.window = Window()  # not yet enough for the model
        self.running: deque[tuple[Window, Running[Addressed]]] = deque()  # oldest first
        self.coming: dict[str, Reading] = {}  # what is on its way, by content
        self.copies: list[tuple[int, StoredFile]] = []  # of documents that are there
        self.unreadable: list[str] = []  # files that were readable once

    def take(self, file: File) -> None:
        self._take(str(file.path), file.name, file.size, lambda: load(file.path))

    def take_stdin(self, stdin: Opened) -> None:
        try:
            data = limited(stdin)
        except Unreadable as reason:
            self.skip(Skipped("stdin", str(reason)))
            return
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
        segments = segments_of(self.base, passages)
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
        keep = self.remembers and self.store.has_room()
        self.running.append((self.window, self.reader.first_pass(self.window.segments(), keep)))
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
            state = state_without(self.store, self.base, self.reader, gone)
            self.store.commit([], [document.id for document in gone], state, named=self.copies)
            self.copies = []

    def drop_unreadable(self) -> None:
        self._drop(self.unreadable)
        self.unreadable = []

    def _drop(self, paths: Sequence[str]) -> None:
        """Takes files out, and with them the documents that have no other."""
        if paths:
            gone = self.store.left_by(paths)
            state = state_without(self.store, self.base, self.reader, gone)
            self.store.commit([], [document.id for document in gone], state, unnamed=paths)
            self.summary.removed += len(paths)

    def _commit(self, window: Window, running: Running[Addressed]) -> None:
        """Windows are committed in the order of their files, wherever they were read: sums come out the same."""

        def advance(tokens: int) -> None:
            self.progress.name = window.parts[0].reading.name
            self.progress.tokens += tokens
            self.progress.bytes_done += window.bytes * tokens / window.tokens
            self.notify(self.progress)

        addressed = running(advance)
        self._name_copies()  # a document that is replaced now may live on in another file
        paths = [path for part in window.parts if part.first for path in part.reading.replaces]
        old = self.store.left_by(paths)
        state = state_without(self.store, self.base, self.reader, old) if old else Memory.UNCHANGED
        begun = None
        if self.remembers:
            begun = self.store.write_begun(packed(addressed.begun)) if addressed.begun else ""
        rows = self._rows(window, addressed)
        self.store.commit(rows, [document.id for document in old], state, unnamed=paths, begun=begun)
        for reading in (part.reading for part in window.parts if part.last):
            del self.coming[content_of(reading.document)]
            if reading.copies and (stored := self.store.of_path(reading.path)):
                self.copies += [(stored.id, copy) for copy in reading.copies]
        self._count(window)

    def _rows(self, window: Window, addressed: Addressed) -> list[NewDocument]:
        """A window's parts of documents as the manifest is to have them; their addresses go into one file."""
        file = self.store.write_addresses(torch.cat(addressed.addresses))
        row, seats, new = 0, iter(addressed.seats), []
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

    def drop_vanished(self, roots: Sequence[Root], known: Set[str], changed: Set[str] | None = None) -> None:
        """Drops the files that are gone from where `roots` say, of those at or below `changed` paths if there are such;
        and those elsewhere whose document was found in a place that wasn't `known` before this run: they were moved."""

        def meant(path: str) -> bool:
            return (changed is None or is_among(path, changed)) and any(root.covers(path) for root in roots)

        files = self.store.files_read()
        moved = {path for document in self.store.of_paths(files.keys() - known) for path in document.paths}
        looked_for = [path for path in files if path in moved or meant(path)]
        self._drop([path for path in looked_for if os.path.isabs(path) and is_gone(path)])
