"""A collection on the disk: a manifest and its tensor files. The only code that touches them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from enum import Enum
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from infinidoc.documents.document import Document, Mark
from infinidoc.files import PRIVATE, replacing
from infinidoc.memory import tensors, uploads
from infinidoc.memory.addresses import Addresses
from infinidoc.memory.backlog import Backlog
from infinidoc.memory.log import AnswerLog
from infinidoc.memory.memories import Memories
from infinidoc.memory.migrations import MIGRATIONS
from infinidoc.memory.records import (
    LOCAL,
    HeldFile,
    Identity,
    NewDocument,
    PassageRow,
    SegmentRow,
    StoredDocument,
    StoredFile,
    absolute_path,
    content_of,
    last_changed,
    marks_json,
    stored_path,
)

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

    from infinidoc.model.kernels import State

Found = TypeVar("Found")

INDEX_SUFFIX = ".faiss"


class Memory(Enum):
    """What a commit may do with the compressive memory, other than to replace it."""

    UNCHANGED = "unchanged"


class Store(AnswerLog, Backlog, Addresses, Memories):
    """One collection. Open it as often as you like; one `writing()` at a time, readers go on meanwhile."""

    kind, made_by, package = "collection", "infinidoc ingest PATH", __package__
    format, migrations = 6, MIGRATIONS
    suffixes = (tensors.SUFFIX, INDEX_SUFFIX)
    listed = (*Backlog.listed, *Memories.listed)

    @classmethod
    def mended_by(cls, directory: Path) -> str:
        name = "." if directory.name == LOCAL else directory.name
        return f"see what is left of it: infinidoc collections check {name}"

    @classmethod
    def create(
        cls, directory: Path, identity: Identity, address_head: dict[str, Tensor], small_addresses: bool = False
    ) -> Self:
        """An empty collection; one that is there already is opened as it is. `small_addresses`: see `Addresses`."""
        with cls.lock(directory):
            if not cls.exists(directory):
                head = tensors.write(directory, "address-head", address_head)
                small = {"small_addresses": "1"} if small_addresses else {}
                cls._create(directory, {"address_head": head, **small, **asdict(identity)})
        return cls.open(directory)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        found = {field.name: self.meta(field.name) for field in fields(Identity)}
        return Identity(**{name: value for name, value in found.items() if value is not None})

    def documents(self) -> list[StoredDocument]:
        """All documents, by path."""
        return sorted(self._documents(), key=lambda document: document.path)

    def of_paths(self, paths: Iterable[str]) -> list[StoredDocument]:
        """The documents that these files hold, each once, at the first of its paths."""
        return self._documents(
            "WHERE documents.id IN (SELECT document FROM files WHERE path IN (SELECT value FROM json_each(?)))",
            (self._as_stored(paths),),
        )

    def _documents(self, where: str = "", values: Sequence[str | int] = ()) -> list[StoredDocument]:
        query = f"""SELECT documents.id, path, digest, bytes, format, pages, tokens, ingested_at, complete, notes
                    FROM documents JOIN files ON document = documents.id {where} ORDER BY documents.id, files.id"""
        found = []
        for _, files in groupby(self._query(query, values), itemgetter(0)):
            first, *others = (StoredDocument(*row) for row in files)
            paths = [absolute_path(file.path, self.directory) for file in (first, *others)]
            whole, notes = bool(first.complete), tuple(json.loads(str(first.notes)))
            found.append(replace(first, path=paths[0], complete=whole, notes=notes, copies=tuple(paths[1:])))
        return found

    def noted(self) -> list[StoredDocument]:
        """The documents of whose files a part could not be read."""
        return self._documents("WHERE notes != '[]'")

    def of_path(self, path: str) -> StoredDocument | None:
        """The document that a file holds, with the digest and size of that file."""
        for document in self.of_paths([path]):
            query = "SELECT digest, bytes FROM files WHERE path = ?"
            digest, size = self._first(query, (stored_path(path, self.directory),))
            return replace(document.at(path), digest=digest, bytes=size)
        return None

    def stored(self, identifier: int) -> StoredDocument:
        """A document's row."""
        return self._documents("WHERE documents.id = ?", (identifier,))[0]

    def files_read(self) -> dict[str, StoredFile]:
        """Every file that was read, copies as well, by path."""
        rows = [StoredFile(*row) for row in self._query("SELECT path, digest, bytes FROM files")]
        files = [replace(file, path=absolute_path(file.path, self.directory)) for file in rows]
        return {file.path: file for file in files}

    def held_files(self) -> list[HeldFile]:
        """Every file, with the document that it holds, in the order in which they came."""
        query = """SELECT document, path, format, modified FROM files JOIN documents ON document = documents.id
                   ORDER BY files.id"""
        held = [HeldFile(*row) for row in self._query(query)]
        return [replace(file, path=absolute_path(file.path, self.directory)) for file in held]

    def with_content(self, digest: str) -> int | None:
        """The id of a whole document with this content (see `records.content_of`), if there is one."""
        row = self._first("SELECT id FROM documents WHERE content = ? AND complete ORDER BY id", (digest,))
        return row[0] if row else None

    def left_by(self, paths: Iterable[str], but: Iterable[int] = ()) -> list[StoredDocument]:
        """The documents that would have no file any more without these; those with the ids `but` aside."""
        gone, kept = set(paths), set(but)
        return [one for one in self.of_paths(gone) if gone.issuperset(one.paths) and one.id not in kept]

    def _as_stored(self, paths: Iterable[str]) -> str:
        return json.dumps([stored_path(path, self.directory) for path in paths])

    def is_empty(self) -> bool:
        return self._first("SELECT 1 FROM documents") is None

    def document(self, identifier: int) -> Document:
        """A document's text and marks."""
        query = "SELECT text, format, marks, pages, notes FROM documents WHERE id = ?"
        text, format_, marks, pages, notes = self._first(query, (identifier,))
        places = tuple(Mark(*mark) for mark in json.loads(marks))
        return Document(text, format_, places, pages, tuple(json.loads(notes)))

    def passages(self, document: int) -> list[PassageRow]:
        """A document's passages, in reading order."""
        query = "SELECT start, end, file, row, tokens FROM passages WHERE document = ? ORDER BY start"
        return [PassageRow(*row) for row in self._query(query, (document,))]

    def segments(self, document: int) -> list[SegmentRow]:
        """A document's segments, in reading order; none of one that was read before they were kept."""
        query = "SELECT start, rows, width, row FROM segments WHERE document = ? ORDER BY start"
        return [SegmentRow(*row) for row in self._query(query, (document,))]

    def passage(self, identifier: int) -> tuple[int, int, int] | None:
        """A passage's document, start and end; None if it is gone by now."""
        query = "SELECT document, start, end FROM passages WHERE id = ?"
        row: tuple[int, int, int] | None = self._first(query, (identifier,))
        return row

    def passages_of(self, documents: Iterable[int]) -> dict[int, int]:
        """The passages of these documents, by id, and the tokens of each."""
        query = "SELECT id, tokens FROM passages WHERE document IN (SELECT value FROM json_each(?))"
        return dict(self._query(query, (json.dumps(list(documents)),)))

    def counts(self) -> dict[str, int]:
        """Documents, pages, tokens, of these the ones in the compressive memory, passages; and the bytes of text,
        addresses, index and compressive state."""
        query = "SELECT COUNT(*), TOTAL(pages), TOTAL(tokens), TOTAL(LENGTH(CAST(text AS BLOB))) FROM documents"
        documents, pages, tokens, text = map(int, self._first(query))
        passages, rows = map(int, self._first("SELECT COUNT(*), TOTAL(tokens) FROM passages"))
        return {
            "documents": documents,
            "pages": pages,
            "tokens": tokens,
            "memory_tokens": tokens - self.pending_tokens() if self.identity.remembers else 0,
            "passages": passages,
            "text_bytes": text,
            "address_bytes": rows * self._address_size(),
            "index_bytes": self.index.stat().st_size if self.index and self.index.exists() else 0,
            "state_bytes": self._named("state", tensors.nbytes) if self.meta("state") else 0,
        }

    def state(self) -> list[State] | None:
        """The compressive memory, one `State` per layer; None while it is empty."""
        if not self.meta("state"):
            return None
        from infinidoc.model.kernels import unpack

        return unpack(self._named("state", tensors.read))

    @property
    def indexed_until(self) -> int:
        """The last passage that the approximate index covers; 0 without one."""
        return int(self.meta("indexed_until") or 0)

    @property
    def index(self) -> Path | None:
        """The file of the approximate index, if there is one; how it is made is for those who use it to know."""
        until = self.indexed_until
        return self.directory / f"index-{until}{INDEX_SUFFIX}" if until else None

    def tokens_after(self, passage: int) -> int:
        """The tokens of all passages that came later than this one."""
        return int(self._first("SELECT TOTAL(tokens) FROM passages WHERE id > ?", (passage,))[0])

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(
        self,
        add: Sequence[NewDocument],
        remove: Iterable[int],
        state: list[State] | Literal[Memory.UNCHANGED] | None,
        named: Sequence[tuple[int, StoredFile]] = (),
        unnamed: Iterable[str] = (),
        begun: str | None = None,
    ) -> None:
        """Removes and adds documents and replaces the compressive memory, all at once or not at all.

        With a document go all its files, the uploaded ones from the disk as well, and what it was cited for in the log.
        `named` gives documents that stay another file with the same text, `unnamed` takes files (paths) away from
        documents that have others. `begun` has the second pass read the segments that are added, as one window: it is
        the file of what the first pass left of them, or empty. Belongs inside `writing()`.
        """
        gone = set(remove)
        query = "SELECT DISTINCT file FROM passages WHERE document = ?"
        touched = sorted({file for document in gone for (file,) in self._query(query, (document,))})
        lost = self.passages_of(gone).keys()
        moved = [move for file in touched for move in self._rewrite([file], without=lost)]
        spoilt, whole = self._begun_with(gone), self._memory_files(gone)
        old = self.meta("state") or ""
        name = old if state is Memory.UNCHANGED else self._write_state(state)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        away = [stored_path(path, self.directory) for path in (*unnamed, *(file.path for _, file in named))]
        query = "SELECT path FROM files WHERE document IN (SELECT value FROM json_each(?))"
        left = {path for (path,) in self._query(query, (json.dumps(sorted(gone)),))} | set(away)
        with self._transaction():
            self._spoil(spoilt)
            self._forget_answers(gone)
            self._run_many("DELETE FROM documents WHERE id = ?", [(document,) for document in gone])
            self._run_many("DELETE FROM files WHERE path = ?", [(path,) for path in away])
            self._move(moved)
            number = self._next_number()
            for new in add:
                identifier = self._insert(new, now)
                if begun is not None:
                    self._await(identifier, new.segments, new.passages, number, begun)
            for document, file in named:
                self._insert_file(document, file, now)
            self._set_meta("state", name)
            index = self.index
            if gone:  # an index keeps what was indexed
                self._set_meta("indexed_until", "0")
            self._forget_unused(touched)
            self._next_revision()
        self._discard([*touched, *spoilt, *whole, old, index.name if index and gone else ""])
        query = "SELECT path FROM files WHERE path IN (SELECT value FROM json_each(?))"
        left -= {path for (path,) in self._query(query, (json.dumps(sorted(left)),))}
        uploads.discard(self.directory, [Path(absolute_path(path, self.directory)) for path in left])
        if gone:
            self._forget_log()

    def forget_index(self) -> None:
        """Drops the approximate index: searches are exact until there is another. Belongs inside `writing()`."""
        old = self.index
        with self._transaction():
            self._set_meta("indexed_until", "0")
            self._next_revision()
        self._discard([old.name if old else ""])

    def name_in_full(self) -> None:
        """Keeps all paths absolute but those of uploads: a collection that leaves its project. Belongs inside
        `writing()`."""
        with self._transaction():
            for (path,) in self._query("SELECT path FROM files"):
                whole = Path(absolute_path(path, self.directory))
                own = Path(os.path.realpath(self.directory))
                new = f"./{whole.relative_to(own).as_posix()}" if whole.is_relative_to(own) else str(whole)
                self._run("UPDATE files SET path = ? WHERE path = ?", (new, path))
            self._next_revision()

    @contextmanager
    def new_index(self, until: int) -> Iterator[Path]:
        """A file to write an index of the passages up to one to; it then takes the place of the index that there was.
        Belongs inside `writing()`."""
        old = self.index
        with replacing(self.directory / f"index-{until}{INDEX_SUFFIX}", PRIVATE) as file:
            yield file
        with self._transaction():
            self._set_meta("indexed_until", str(until))
            self._next_revision()
        self._discard([old.name if old else ""])

    def _insert(self, new: NewDocument, now: str) -> int:
        self._name_files({passage.file for passage in new.passages})
        document, tokens = new.document, sum(passage.tokens for passage in new.passages)
        begun = self.of_path(new.path)
        if begun and not begun.complete:
            identifier = begun.id
            changes = (tokens, new.complete, identifier)
            self._run("UPDATE documents SET tokens = tokens + ?, complete = ? WHERE id = ?", changes)
        else:
            row = {
                "content": content_of(document),
                "format": document.format,
                "pages": document.pages,
                "tokens": tokens,
                "marks": marks_json(document),
                "text": document.text,
                "ingested_at": now,
                "complete": new.complete,
                "notes": json.dumps(document.notes, ensure_ascii=False),
            }
            insert = f"INSERT INTO documents ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
            identifier = self._run(insert, list(row.values()))
            self._insert_file(identifier, StoredFile(new.path, new.digest, new.bytes), now)
        self._run_many(
            "INSERT INTO passages (document, start, end, file, row, tokens) VALUES (?, ?, ?, ?, ?, ?)",
            [(identifier, p.start, p.end, p.file, p.row, p.tokens) for p in new.passages],
        )
        self._run_many(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?)",
            [(identifier, s.start, s.rows, s.width, s.row) for s in new.segments],
        )
        return identifier

    def _insert_file(self, document: int, file: StoredFile, now: str) -> None:
        path, changed = stored_path(file.path, self.directory), last_changed(file.path, now)
        row = (path, document, file.digest, file.bytes, changed)
        self._run("INSERT INTO files (path, document, digest, bytes, modified) VALUES (?, ?, ?, ?, ?)", row)

    def _named_files(self) -> set[str]:
        index = self.index
        tensors = {self.meta(key) or "" for key in ("state", "address_head", "centroids")}
        return {*tensors, index.name if index else ""} - {""}
