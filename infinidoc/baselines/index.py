"""A retrieval index on the disk: texts, chunks and vectors in one SQLite file, BM25's arrays in a directory beside it.

Unchanged documents are neither cut nor embedded again. SQLite commits a batch of documents whole or not at all;
BM25's directory is named by the digest of the chunks that it counted, so one that doesn't fit is never read.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from infinidoc.baselines.retrieval import FUSED, Bm25, Embedder, fuse, ranked
from infinidoc.documents.document import Document, Mark
from infinidoc.errors import InfinidocError

FORMAT = "1"
FILE = "index.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, tokens INTEGER NOT NULL,
    marks TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    start INTEGER NOT NULL, end INTEGER NOT NULL, vector BLOB
);
CREATE INDEX IF NOT EXISTS chunks_of ON chunks (document);
"""


@dataclass(frozen=True)
class NewDocument:
    """A document on its way into the index: its chunks are (start, end) in its text."""

    path: str
    digest: str
    tokens: int
    document: Document
    chunks: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Hit:
    """A chunk that a question found. Scores of different methods don't compare."""

    path: str
    place: str
    text: str
    score: float


class Index:
    """Chunks that can be searched. With `lexical`, by BM25; with an `embed`der, by vectors; with both, by their fusion.

    `settings` are kept with the index: it may only be opened with the same. Raises InfinidocError if it isn't.
    """

    def __init__(self, directory: Path, lexical: bool, embed: Embedder | None, settings: dict[str, Any]):
        assert lexical or embed
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.lexical, self.embed = directory, lexical, embed
        self._sql = sqlite3.connect(directory / FILE, isolation_level=None)
        self._ready: Ready | None = None
        try:
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA foreign_keys = ON")
            self._sql.executescript(SCHEMA)
            self._check({**settings, "format": FORMAT, "embedder": embed.digest if embed else "", "lexical": lexical})
        except sqlite3.DatabaseError as error:
            raise InfinidocError(f"{directory / FILE} can't be opened ({error})", f"remove {directory}") from error

    def _check(self, settings: dict[str, Any]) -> None:
        wanted = {key: str(value) for key, value in settings.items()}
        found = dict(self._sql.execute("SELECT key, value FROM meta").fetchall())
        if not found:
            self._sql.executemany("INSERT INTO meta VALUES (?, ?)", wanted.items())
        elif found != wanted:
            changed = ", ".join(sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key)))
            raise InfinidocError(f"{self.directory} was indexed differently ({changed})", "remove it, and index again")

    def close(self) -> None:
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing -------------------------------------------------------------------------------------------------

    def digests(self) -> dict[str, str]:
        """The documents that are indexed: path to the digest of the file."""
        return dict(self._sql.execute("SELECT path, digest FROM documents").fetchall())

    def add(self, documents: Sequence[NewDocument]) -> None:
        """Indexes documents, in place of what their paths were; all of them or none."""
        texts = [new.document.text[start:end] for new in documents for start, end in new.chunks]
        vectors = iter(self.embed(texts) if self.embed and texts else ())
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            for new in documents:
                self._sql.execute("DELETE FROM documents WHERE path = ?", (new.path,))
                marks = json.dumps([[mark.start, mark.label] for mark in new.document.marks])
                row = (new.path, new.digest, new.tokens, marks, new.document.text)
                insert = "INSERT INTO documents (path, digest, tokens, marks, text) VALUES (?, ?, ?, ?, ?)"
                identifier = self._sql.execute(insert, row).lastrowid
                for start, end in new.chunks:
                    vector = next(vectors).tobytes() if self.embed else None
                    insert = "INSERT INTO chunks (document, start, end, vector) VALUES (?, ?, ?, ?)"
                    self._sql.execute(insert, (identifier, start, end, vector))
        self._ready = None

    def remove(self, paths: Sequence[str]) -> None:
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            self._sql.executemany("DELETE FROM documents WHERE path = ?", [(path,) for path in paths])
        self._ready = None

    def finish(self) -> None:
        """Makes everything ready for questions: counts what BM25 needs, if anything has changed, and tidies up."""
        self._ready = self._load()
        self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- reading -------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        documents, tokens = self._sql.execute("SELECT COUNT(*), COALESCE(SUM(tokens), 0) FROM documents").fetchone()
        (chunks,) = self._sql.execute("SELECT COUNT(*) FROM chunks").fetchone()
        return {"documents": documents, "tokens": tokens, "chunks": chunks}

    def nbytes(self) -> int:
        """Everything that the index keeps on the disk."""
        return sum(file.stat().st_size for file in self.directory.rglob("*") if file.is_file())

    def search(self, question: str, top: int) -> list[Hit]:
        """The best `top` chunks, best first."""
        self._ready = ready = self._ready or self._load()
        if not ready.chunks:
            return []
        scores = ready.scores(question, self.embed)
        if len(scores) == 1:
            best = {place: float(scores[0][place]) for place in ranked(scores[0], top)}
        else:
            best = fuse([ranked(values, max(top, FUSED)) for values in scores])
        return [self._hit(ready.chunks[place], score) for place, score in list(best.items())[:top]]

    def _hit(self, chunk: int, score: float) -> Hit:
        query = """SELECT path, marks, text, start, end FROM chunks JOIN documents ON documents.id = document
                   WHERE chunks.id = ?"""
        path, marks, text, start, end = self._sql.execute(query, (chunk,)).fetchone()
        document = Document(text, "", tuple(Mark(offset, label) for offset, label in json.loads(marks)))
        return Hit(path, document.locate(start), text[start:end], score)

    def texts(self) -> list[tuple[str, str]]:
        """(path, text) of every chunk, by path and place."""
        whole = dict(self._sql.execute("SELECT path, text FROM documents").fetchall())
        return [(path, whole[path][start:end]) for _, path, _, start, end in self._chunks()]

    def _chunks(self) -> list[tuple[int, str, str, int, int]]:
        """(id, path, the file's digest, start, end) of every chunk, by path and place."""
        query = """SELECT chunks.id, path, digest, start, end FROM chunks JOIN documents ON documents.id = document
                   ORDER BY path, start"""
        return self._sql.execute(query).fetchall()

    def _load(self) -> "Ready":
        chunks = self._chunks()
        order = [chunk for chunk, *_ in chunks]
        bm25 = self._bm25(chunks) if self.lexical and chunks else None
        vectors = None
        if self.embed and chunks:
            stored = dict(self._sql.execute("SELECT id, vector FROM chunks").fetchall())
            vectors = np.stack([np.frombuffer(stored[chunk], dtype=np.float32) for chunk in order])
        return Ready(order, bm25, vectors)

    def _bm25(self, chunks: list[tuple[int, str, str, int, int]]) -> Bm25:
        """Read from the disk if exactly these chunks were counted, else counted now."""
        digest = hashlib.sha256(json.dumps([identity for _, *identity in chunks]).encode()).hexdigest()
        target = self.directory / f"bm25-{digest[:32]}"
        if not target.is_dir():
            staging = self.directory / f".bm25-{os.getpid()}"
            Bm25.build([text for _, text in self.texts()]).save(staging)
            staging.replace(target)
        for other in [*self.directory.glob("bm25-*"), *self.directory.glob(".bm25-*")]:
            if other != target:
                shutil.rmtree(other, ignore_errors=True)
        return Bm25.load(target)


@dataclass(frozen=True)
class Ready:
    """What questions need, in memory: the chunks' ids, in an order; BM25 and vectors (C, D) in the same order."""

    chunks: list[int]
    bm25: Bm25 | None
    vectors: NDArray[np.float32] | None

    def scores(self, question: str, embed: Callable[..., NDArray[np.float32]] | None) -> list[NDArray[np.float32]]:
        """One array of scores (C,) per method."""
        found = [self.bm25.scores(question)] if self.bm25 else []
        if self.vectors is not None and embed:
            found.append(self.vectors @ embed([question], question=True)[0])
        return found
