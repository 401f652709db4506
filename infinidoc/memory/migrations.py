"""What brings a collection's manifest from one format to the next. Tensor files, and so addresses, stay as they are."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from infinidoc.memory.records import absolute_path, content_digest, last_changed, stored_path


def files_and_citations(sql: sqlite3.Connection, directory: Path) -> None:
    """1 → 2: files are apart from documents, which may be read in part; the log keeps places instead of passages.

    Two documents of the same content stay two: each is in the compressive memory once. Answers go that were given from
    passages which no document has any more, or from the memory alone: it may have held a document that was removed.
    """
    sql.create_function("stored_path", 1, lambda path: stored_path(path, directory), deterministic=True)
    sql.create_function("content_digest", 2, content_digest, deterministic=True)
    if "complete" not in {column[1] for column in sql.execute("PRAGMA table_info(documents)")}:  # as some have it
        sql.execute("ALTER TABLE documents ADD COLUMN complete INTEGER NOT NULL DEFAULT 1")
    for statement in _FILES_AND_CITATIONS.split(";\n"):
        sql.execute(statement)
    entries = sql.execute("SELECT id, memory_only, sources FROM log_1").fetchall()
    for entry, memory_only, sources in entries:
        cited = [_citation(sql, source, directory) for source in json.loads(sources)]
        if None in cited or memory_only:
            sql.execute("UPDATE log SET answer = NULL WHERE id = ?", (entry,))
        rows = [(entry, rank, *citation) for rank, citation in enumerate(cited) if citation]
        sql.executemany("INSERT INTO citations VALUES (?, ?, ?, ?, ?, ?)", rows)
    sql.execute("DROP TABLE log_1")


def _citation(sql: sqlite3.Connection, source: dict[str, Any], directory: Path) -> tuple[int, int, int, float] | None:
    query = """SELECT documents.id, INSTR(text, ?2) FROM documents JOIN files ON document = documents.id
               WHERE path = ?1 AND INSTR(text, ?2) > 0"""
    text = source.get("text", "")
    found = sql.execute(query, (stored_path(source.get("path", ""), directory), text)).fetchone()
    if not text or not found:
        return None
    document, first = found
    return document, first - 1, first - 1 + len(text), source.get("score", 0.0)


_FILES_AND_CITATIONS = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX files_by_document ON files(document);
INSERT OR IGNORE INTO files (path, document, digest, bytes)
    SELECT stored_path(path), id, digest, bytes FROM documents ORDER BY id;
CREATE TABLE documents_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL,
    format TEXT NOT NULL,
    pages INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    marks TEXT NOT NULL,
    text TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    complete INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS segments (
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    width INTEGER NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (document, start)
) WITHOUT ROWID;
INSERT INTO documents_2
    SELECT id, content_digest(text, marks), format, pages, tokens, marks, text, ingested_at, complete
        FROM documents;
INSERT OR REPLACE INTO sqlite_sequence SELECT 'documents_2', seq FROM sqlite_sequence WHERE name = 'documents';
DROP TABLE documents;
ALTER TABLE documents_2 RENAME TO documents;
CREATE INDEX documents_by_content ON documents(content);
ALTER TABLE log RENAME TO log_1;
CREATE TABLE log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT,
    answered INTEGER NOT NULL,
    memory_only INTEGER NOT NULL,
    model TEXT NOT NULL,
    timings TEXT NOT NULL
);
INSERT INTO log SELECT id, asked_at, question, answer, answered, memory_only, model, timings FROM log_1;
CREATE TABLE citations (
    entry INTEGER NOT NULL REFERENCES log(id) ON DELETE CASCADE,
    rank INTEGER NOT NULL,
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (entry, rank)
) WITHOUT ROWID;
CREATE INDEX citations_by_document ON citations(document)"""


def notes(sql: sqlite3.Connection, directory: Path) -> None:
    """2 → 3: a document says what of its file could not be read. Of those that are there that isn't known."""
    sql.execute("ALTER TABLE documents ADD COLUMN notes TEXT NOT NULL DEFAULT '[]'")


def times(sql: sqlite3.Connection, directory: Path) -> None:
    """3 → 4: a file has the time when it was last changed. Of one that has been changed since, it is that of its
    reading."""
    sql.execute("ALTER TABLE files ADD COLUMN modified TEXT NOT NULL DEFAULT ''")
    rows = sql.execute("SELECT files.id, path, ingested_at FROM files JOIN documents ON document = documents.id")
    times = [(last_changed(absolute_path(path, directory), read), file) for file, path, read in rows.fetchall()]
    sql.executemany("UPDATE files SET modified = ? WHERE id = ?", times)


def pending(sql: sqlite3.Connection, directory: Path) -> None:
    """4 → 5: a document may be there to be asked about before the memory holds it. Those that are there it holds."""
    for statement in _PENDING.split(";\n"):
        sql.execute(statement)


_PENDING = """
CREATE TABLE pending (
    document INTEGER NOT NULL,
    start INTEGER NOT NULL,
    number INTEGER NOT NULL,
    place INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    begun TEXT NOT NULL,
    PRIMARY KEY (document, start),
    FOREIGN KEY (document, start) REFERENCES segments(document, start) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX pending_by_window ON pending(number, place);
CREATE INDEX pending_by_begun ON pending(begun)"""


def memories(sql: sqlite3.Connection, directory: Path) -> None:
    """5 → 6: a collection may keep memories of documents that were read from start to end."""
    for statement in _MEMORIES.split(";\n"):
        sql.execute(statement)


_MEMORIES = """
CREATE TABLE memories (
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    model TEXT NOT NULL,
    adapter TEXT NOT NULL,
    slots TEXT NOT NULL,
    end INTEGER NOT NULL,
    file TEXT NOT NULL,
    PRIMARY KEY (document, model, adapter, slots)
) WITHOUT ROWID;
CREATE INDEX memories_by_file ON memories(file)"""


MIGRATIONS = {1: files_and_citations, 2: notes, 3: times, 4: pending, 5: memories}
