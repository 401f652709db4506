"""A collection on the disk: a manifest and its tensor files. The only code that touches them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from infinidoc.documents.document import Document, Mark
from infinidoc.files import PRIVATE, UNFINISHED, replacing
from infinidoc.memory import tensors
from infinidoc.memory.manifest import LOOKS, Manifest
from infinidoc.memory.records import AddressBlock, Identity, NewDocument, PassageRow, SegmentRow, StoredDocument

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

    from infinidoc.model.kernels import State

Found = TypeVar("Found")
INDEX_SUFFIX = ".faiss"
COLUMNS = "id, path, digest, bytes, format, pages, tokens, ingested_at, complete"  # of a StoredDocument
ADDRESS_FILE_ROWS = 65_536  # 8 MiB: few enough files to search, small enough to rewrite when a document goes


class Store(Manifest):
    """One collection. Open it as often as you like; one `writing()` at a time, readers go on meanwhile."""

    kind, made_by, again, package = "collection", "infinidoc ingest PATH", "ingest again", __package__

    def __init__(self, directory: Path, connection: sqlite3.Connection):
        super().__init__(directory, connection)
        self._writing = False

    @classmethod
    def create(cls, directory: Path, identity: Identity, address_head: dict[str, Tensor]) -> Self:
        """An empty collection; one that is there already is opened as it is."""
        directory.mkdir(parents=True, exist_ok=True)
        with cls._lock(directory):
            if not cls.exists(directory):
                head = tensors.write(directory, "address-head", address_head)
                cls._create(directory, {"address_head": head, **asdict(identity)})
        return cls.open(directory)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Raises InfinidocError if there is none, or one of a format that this version doesn't know."""
        store = super().open(directory)
        if not store._sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'segments'").fetchone():
            schema = files(cls.package).joinpath("schema.sql").read_text()
            with store._transaction():
                store._sql.execute("ALTER TABLE documents ADD COLUMN complete INTEGER NOT NULL DEFAULT 1")
                store._sql.execute("CREATE TABLE segments" + schema.partition("CREATE TABLE segments")[2].split(";")[0])
        return store

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        found = {field.name: self.meta(field.name) for field in fields(Identity)}
        return Identity(**{name: value for name, value in found.items() if value is not None})

    def documents(self) -> list[StoredDocument]:
        """All documents, by path."""
        return [StoredDocument(*row) for row in self._sql.execute(f"SELECT {COLUMNS} FROM documents ORDER BY path")]

    def of_path(self, path: str) -> StoredDocument | None:
        row = self._sql.execute(f"SELECT {COLUMNS} FROM documents WHERE path = ?", (path,)).fetchone()
        return StoredDocument(*row) if row else None

    def is_empty(self) -> bool:
        return self._sql.execute("SELECT 1 FROM documents").fetchone() is None

    def document(self, identifier: int) -> Document:
        """A document's text and marks."""
        query = "SELECT text, format, marks, pages FROM documents WHERE id = ?"
        text, format_, marks, pages = self._sql.execute(query, (identifier,)).fetchone()
        return Document(text, format_, tuple(Mark(*mark) for mark in json.loads(marks)), pages)

    def passages(self, document: int) -> list[PassageRow]:
        """A document's passages, in reading order."""
        query = "SELECT start, end, file, row, tokens FROM passages WHERE document = ? ORDER BY start"
        return [PassageRow(*row) for row in self._sql.execute(query, (document,))]

    def segments(self, document: int) -> list[SegmentRow]:
        """A document's segments, in reading order; none of one that was read before they were kept."""
        query = "SELECT start, rows, width, row FROM segments WHERE document = ? ORDER BY start"
        return [SegmentRow(*row) for row in self._sql.execute(query, (document,))]

    def passage(self, identifier: int) -> tuple[int, int, int] | None:
        """A passage's document, start and end; None if it is gone by now."""
        query = "SELECT document, start, end FROM passages WHERE id = ?"
        row: tuple[int, int, int] | None = self._sql.execute(query, (identifier,)).fetchone()
        return row

    def path(self, document: int) -> str:
        return str(self._sql.execute("SELECT path FROM documents WHERE id = ?", (document,)).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Documents, pages, tokens, passages; and the bytes of text, addresses, index and compressive state."""
        query = "SELECT COUNT(*), TOTAL(pages), TOTAL(tokens), TOTAL(LENGTH(CAST(text AS BLOB))) FROM documents"
        documents, pages, tokens, text = map(int, self._sql.execute(query).fetchone())
        passages, rows = map(int, self._sql.execute("SELECT COUNT(*), TOTAL(tokens) FROM passages").fetchone())
        return {
            "documents": documents,
            "pages": pages,
            "tokens": tokens,
            "passages": passages,
            "text_bytes": text,
            "address_bytes": rows * self._address_size(),
            "index_bytes": self.index.stat().st_size if self.index and self.index.exists() else 0,
            "state_bytes": self._named("state", tensors.nbytes) if self.meta("state") else 0,
        }

    def _address_size(self) -> int:
        return self._named("address_head", tensors.shapes)["projection"][1]

    def address_head(self) -> dict[str, Tensor]:
        """The tensors that make this collection's addresses."""
        return self._named("address_head", tensors.read)

    def state(self) -> list[State] | None:
        """The compressive memory, one `State` per layer; None for an empty collection."""
        if not self.meta("state"):
            return None
        from infinidoc.model.kernels import unpack

        return unpack(self._named("state", tensors.read))

    def _named(self, key: str, read: Callable[[Path, str], Found]) -> Found:
        """A file that `meta` names. A writer may replace it between the look-up and the reading: then look again."""
        for _ in range(LOOKS):
            try:
                return read(self.directory, self.meta(key) or "")
            except FileNotFoundError as error:
                missing = error
        raise self._missing(missing)

    def addresses(self, after: int = 0) -> list[AddressBlock]:
        """All addresses as they are at this moment, block by block: of files that hold a passage later than `after`."""
        query = """SELECT file, id, row FROM passages
                   WHERE ?1 = 0 OR file IN (SELECT file FROM passages WHERE id > ?1) ORDER BY file, row"""
        for _ in range(LOOKS):
            rows = self._sql.execute(query, (after,)).fetchall()
            by_file: dict[str, tuple[list[int], list[int]]] = {}
            for file, passage, row in rows:
                passages, starts = by_file.setdefault(file, ([], []))
                passages.append(passage)
                starts.append(row)
            try:
                return [AddressBlock(self._address_rows(name), *lists) for name, lists in by_file.items()]
            except FileNotFoundError as error:
                missing = error
        raise self._missing(missing)

    def block_of(self, passages: Sequence[int]) -> AddressBlock:
        """The addresses of these passages, of those that are still there, copied into one block."""
        import torch

        query = """SELECT file, id, row, tokens FROM passages
                   WHERE id IN (SELECT value FROM json_each(?)) ORDER BY file, row"""
        pieces, found, rows, total = [], [], [], 0
        opened: dict[str, Tensor] = {}
        for file, passage, row, size in self._sql.execute(query, (json.dumps(list(passages)),)).fetchall():
            if file not in opened:
                try:
                    opened[file] = self._address_rows(file)
                except FileNotFoundError:  # a writer has just moved it
                    continue
            pieces.append(opened[file][row : row + size])
            found.append(passage)
            rows.append(total)
            total += size
        addresses = torch.cat(pieces) if pieces else torch.empty(0, self._address_size(), dtype=torch.int8)
        return AddressBlock(addresses, found, rows)

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
        return int(self._sql.execute("SELECT TOTAL(tokens) FROM passages WHERE id > ?", (passage,)).fetchone()[0])

    def _address_rows(self, file: str) -> Tensor:
        return tensors.read(self.directory, file)["addresses"]

    # -- writing -------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """The right to write. Waits a little for another writer, then raises InfinidocError.

        A writer holds no SQL lock but for the moment of a commit, so readers and the log go on.
        """
        with self._lock(self.directory):
            self._writing = True
            try:
                self._sweep()
                yield self
            finally:
                self._writing = False

    def write_addresses(self, addresses: Tensor) -> str:
        """Keeps addresses (rows, 128) int8 for a commit to come; returns the file's name."""
        return tensors.write(self.directory, "addresses", {"addresses": addresses})

    def commit(self, add: Sequence[NewDocument], remove: Iterable[int], state: list[State] | None) -> None:
        """Removes and adds documents and replaces the compressive memory, all at once or not at all."""
        assert self._writing, "commit() belongs inside writing()"
        gone = set(remove)
        touched = self._files_of(gone)
        moved = [move for file in touched for move in self._rewrite([file], without=gone)]
        name, old = "", self.meta("state") or ""
        if state is not None:
            from infinidoc.model.kernels import pack

            name = tensors.write(self.directory, "state", pack(state))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction():
            self._sql.executemany("DELETE FROM documents WHERE id = ?", [(document,) for document in gone])
            self._move(moved)
            for new in add:
                self._insert(new, now)
            self._set_meta("state", name)
            index = self.index
            if gone:  # an index keeps what was indexed
                self._set_meta("indexed_until", "0")
            self._forget_unused(touched)
            self._next_revision()
        self._discard([*touched, old, index.name if index else ""])
        if gone:
            self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

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

    def merge_small_files(self) -> None:
        """Joins neighbouring address files up to `ADDRESS_FILE_ROWS`, so that a search opens few."""
        assert self._writing, "merge_small_files() belongs inside writing()"
        query = """SELECT name, rows FROM address_files JOIN (SELECT file, MIN(id) AS first FROM passages GROUP BY file)
                   ON name = file ORDER BY first"""
        group: list[str] = []
        total = 0
        for file, rows in [*self._sql.execute(query).fetchall(), (None, ADDRESS_FILE_ROWS)]:
            if total + rows > ADDRESS_FILE_ROWS:
                if len(group) > 1:
                    moved = self._rewrite(group)
                    with self._transaction():
                        self._move(moved)
                        self._forget_unused(group)
                        self._next_revision()
                    self._discard(group)
                group, total = [], 0
            group.append(file)
            total += rows

    def _files_of(self, documents: set[int]) -> list[str]:
        query = "SELECT DISTINCT file FROM passages WHERE document = ?"
        return sorted({file for document in documents for (file,) in self._sql.execute(query, (document,))})

    def _rewrite(self, files: list[str], without: Collection[int] = ()) -> list[tuple[str, int, int]]:
        """Copies what stays of some address files into one new file; returns (file, row, passage) for each passage."""
        import torch

        kept, places, total = [], [], 0
        for file in files:
            addresses = self._address_rows(file)
            query = "SELECT id, document, row, tokens FROM passages WHERE file = ? ORDER BY row"
            for passage, document, row, size in self._sql.execute(query, (file,)):
                if document not in without:
                    kept.append(addresses[row : row + size])
                    places.append((total, passage))
                    total += size
        if not kept:
            return []
        name = self.write_addresses(torch.cat(kept))
        return [(name, row, passage) for row, passage in places]

    def _move(self, moved: list[tuple[str, int, int]]) -> None:
        rows: dict[str, int] = {}
        for name, _, _ in moved:
            if name not in rows:
                rows[name] = len(self._address_rows(name))
        self._name_files(rows)
        self._sql.executemany("UPDATE passages SET file = ?, row = ? WHERE id = ?", moved)

    def _name_files(self, rows: dict[str, int]) -> None:
        self._sql.executemany("INSERT OR IGNORE INTO address_files VALUES (?, ?)", rows.items())

    def _insert(self, new: NewDocument, now: str) -> None:
        self._name_files({name: len(self._address_rows(name)) for name in {passage.file for passage in new.passages}})
        document, tokens = new.document, sum(passage.tokens for passage in new.passages)
        begun = self.of_path(new.path)
        if begun and not begun.complete:
            identifier = begun.id
            changes = (tokens, new.complete, identifier)
            self._sql.execute("UPDATE documents SET tokens = tokens + ?, complete = ? WHERE id = ?", changes)
        else:
            row = {
                "path": new.path,
                "digest": new.digest,
                "bytes": new.bytes,
                "format": document.format,
                "pages": document.pages,
                "tokens": tokens,
                "marks": json.dumps([[mark.start, mark.label] for mark in document.marks]),
                "text": document.text,
                "ingested_at": now,
                "complete": new.complete,
            }
            insert = f"INSERT INTO documents ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) RETURNING id"
            identifier = self._sql.execute(insert, list(row.values())).fetchone()[0]
        self._sql.executemany(
            "INSERT INTO passages (document, start, end, file, row, tokens) VALUES (?, ?, ?, ?, ?, ?)",
            [(identifier, p.start, p.end, p.file, p.row, p.tokens) for p in new.passages],
        )
        self._sql.executemany(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?)",
            [(identifier, s.start, s.rows, s.width, s.row) for s in new.segments],
        )

    def _forget_unused(self, files: Sequence[str]) -> None:
        """Of these address files, those whose passages have gone or moved; a look at all would slow every commit."""
        query = "DELETE FROM address_files WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM passages WHERE file = ?1)"
        self._sql.executemany(query, [(file,) for file in files])

    def _discard(self, files: Iterable[str]) -> None:
        """Deletes those of these tensor files that the manifest doesn't name any more."""
        for file in filter(None, files):
            named = self._sql.execute("SELECT 1 FROM address_files WHERE name = ?", (file,)).fetchone()
            if not named and file not in self._named_files():
                (self.directory / file).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Deletes the tensor files that the manifest doesn't name."""
        named = {name for (name,) in self._sql.execute("SELECT name FROM address_files")}
        named |= self._named_files()
        for pattern in (f"*{tensors.SUFFIX}", f"*{INDEX_SUFFIX}", UNFINISHED):
            for path in self.directory.glob(pattern):
                if path.name not in named:
                    path.unlink(missing_ok=True)

    def _named_files(self) -> set[str | None]:
        return {self.meta("state"), self.meta("address_head"), self.index.name if self.index else None}

    # -- the log of questions ------------------------------------------------------------------------------------

    def log_answer(self, entry: dict[str, Any]) -> None:
        """Keeps a question and its answer. A collection that can't be written to (read-only media) keeps no log."""
        row = {**entry, "asked_at": datetime.now(UTC).isoformat(timespec="seconds")}
        row["model"] = row.pop("reader", "") or self.identity.model
        row |= {key: json.dumps(row[key], ensure_ascii=False) for key in ("sources", "timings")}
        names = ", ".join(row)
        try:
            self._sql.execute(f"INSERT INTO log ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise

    def log(self, last: int | None = None) -> list[dict[str, Any]]:
        """What was asked, newest first."""
        cursor = self._sql.execute("SELECT * FROM log ORDER BY id DESC LIMIT ?", (-1 if last is None else last,))
        names = [column[0] for column in cursor.description]
        entries = [dict(zip(names, row, strict=True)) for row in cursor]
        for entry in entries:
            entry |= {key: json.loads(entry[key]) for key in ("sources", "timings")}
            entry |= {key: bool(entry[key]) for key in ("answered", "memory_only")}
        return entries
