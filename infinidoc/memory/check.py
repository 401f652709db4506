"""Whether a collection is what was written, and saving what is left of one that isn't."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from infinidoc.errors import Damaged, InfinidocError
from infinidoc.files import PRIVATE, sync_directory
from infinidoc.memory import tensors
from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.records import absolute_path
from infinidoc.memory.store import Store

TABLES = (
    *("meta", "documents", "files", "address_files", "passages", "segments", "pending", "memories"),
    *("log", "citations", "sqlite_sequence"),
)


@dataclass
class Faults:
    """What is wrong, as lines for people; which tensor files are missing or not what they were; and whether rows of the
    manifest are (`torn`)."""

    lines: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    torn: bool = False

    def __bool__(self) -> bool:
        return bool(self.lines)


def check(store: Store) -> Faults:
    """Looks at everything that a collection has on the disk: takes about a second per gigabyte."""
    faults = Faults()
    for (line,) in store._query("PRAGMA integrity_check(10)"):
        if line != "ok":
            faults.lines.append(f"{MANIFEST}: {' '.join(line.split())}")
    for table, *_ in store._query("PRAGMA foreign_key_check"):
        faults.lines.append(f"{MANIFEST}: a row of {table} belongs to nothing")
    query = """SELECT path FROM files WHERE document IN (
               SELECT documents.id FROM documents LEFT JOIN passages ON document = documents.id
               GROUP BY documents.id HAVING documents.tokens != TOTAL(passages.tokens))"""
    for (path,) in store._query(query):
        faults.lines.append(f"{absolute_path(path, store.directory)}: passages are missing")
    faults.torn = bool(faults.lines)
    for file in store.files():
        reason = _reason(file)
        if reason:
            faults.lines.append(f"{file.name} {reason}")
            faults.files.append(file.name)
    return faults


def _reason(file: Path) -> str:
    """Why a tensor file is not what its name says it is; empty if it is."""
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return "is missing" if isinstance(error, FileNotFoundError) else f"can't be read ({error.strerror})"
    named = file.suffix == tensors.SUFFIX
    return "is damaged" if named and found[:32] != file.stem.rsplit("-", 1)[-1] else ""


def salvage(directory: Path) -> list[str] | None:
    """Writes a damaged manifest anew from the rows that can be read, and keeps the damaged one beside it until then.

    Returns the paths of documents that are not whole any more and so are left out; None if nothing had to be done.
    Raises Damaged if there is nothing to save.
    """
    try:
        with Store.open(directory) as store:
            if not check(store).torn:
                return None
    except Damaged:
        pass
    with Store.lock(directory):
        file = directory / MANIFEST
        fresh = directory / f".{MANIFEST}.{os.getpid()}.tmp"
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_WRONLY, PRIVATE))
        try:
            lost = _copy(file, fresh)
            for suffix in ("-wal", "-shm"):
                file.with_name(MANIFEST + suffix).unlink(missing_ok=True)
            os.replace(fresh, file)
            sync_directory(directory)
        except sqlite3.DatabaseError as error:
            hint = "remove the collection, and ingest again"
            raise Damaged(f"nothing in {file} can be read ({error})", hint) from error
        finally:
            fresh.unlink(missing_ok=True)
        return [absolute_path(path, directory) for path in lost]


def _copy(damaged: Path, fresh: Path) -> list[str]:
    source = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    target = sqlite3.connect(fresh, isolation_level=None)
    try:
        for statement in files(__package__).joinpath("schema.sql").read_text().split(";\n"):
            target.execute(statement)
        target.execute("BEGIN")
        for table in TABLES:
            columns = len(target.execute(f"PRAGMA table_info({table})").fetchall())
            insert = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * columns)})"
            for row in _readable(source, table):
                with suppress(sqlite3.Error):  # a row that is nonsense by now
                    target.execute(insert, row)
        settings = dict(target.execute("SELECT key, value FROM meta"))
        if settings.get("format") != str(Store.format) or not settings.get("address_head"):
            raise sqlite3.DatabaseError("its settings are lost, or of an older format")
        torn = """SELECT documents.id FROM documents LEFT JOIN passages ON document = documents.id
                  GROUP BY documents.id HAVING documents.tokens != TOTAL(passages.tokens)
                  UNION SELECT document FROM files WHERE document NOT IN (SELECT id FROM documents)"""
        lost = target.execute(f"SELECT path FROM files WHERE document IN ({torn})").fetchall()
        target.execute(f"DELETE FROM documents WHERE id IN ({torn})")
        for table in ("files", "passages", "segments", "pending", "memories", "citations"):
            target.execute(f"DELETE FROM {table} WHERE document NOT IN (SELECT id FROM documents)")
        target.execute("DELETE FROM pending WHERE (document, start) NOT IN (SELECT document, start FROM segments)")
        target.execute("DELETE FROM documents WHERE id NOT IN (SELECT document FROM files)")
        target.execute("DELETE FROM address_files WHERE name NOT IN (SELECT file FROM passages)")
        target.execute("UPDATE meta SET value = '' WHERE key = 'state'")  # nobody knows what it is a sum of
        target.execute("UPDATE meta SET value = '0' WHERE key = 'indexed_until'")
        target.execute("COMMIT")
        target.execute("PRAGMA journal_mode = WAL")
    finally:
        source.close()
        target.close()
    return [path for (path,) in lost]


def _readable(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table that can be read. After one that can't, those behind it are looked for one by one."""
    try:
        yield from source.execute(f"SELECT * FROM {table}")
        return
    except sqlite3.DatabaseError:
        pass
    last = 0
    with suppress(sqlite3.DatabaseError):
        for (seq,) in source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchall():
            last = int(seq)
    for identifier in range(1, last + 1):
        with suppress(sqlite3.DatabaseError):
            yield from source.execute(f"SELECT * FROM {table} WHERE id = ?", (identifier,)).fetchall()


def forget_damaged(store: Store, faults: Faults) -> None:
    """Deletes the files that are not what they were. Belongs inside `writing()`.

    Raises Damaged for the one that nothing can bring back.
    """
    for key, what in (("address_head", "address head is"), ("centroids", "centroids are")):
        if store.meta(key) in faults.files:
            raise Damaged(f"the collection's {what} damaged", "remove the collection, and ingest again")
    for name in faults.files:
        try:
            (store.directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise InfinidocError(f"{name} can't be removed ({error.strerror})") from error
