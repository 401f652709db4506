"""What a directory keeps for good: a SQLite manifest, and immutable tensor files that it names.

Whatever changes, tensors are written first, under names that nobody knows yet; one SQL transaction then makes them part
of the whole, and what it no longer names is deleted. A crash at any instant leaves either the old state or the new one,
and perhaps files that nobody names: the next writer sweeps them up.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Self

from filelock import FileLock, Timeout

from infinidoc.errors import InfinidocError

FORMAT = "1"
MANIFEST = "manifest.sqlite"
LOCK_SECONDS = 10.0
LOOKS = 10  # a writer would have to commit this often between a reader's look-up and its reading


class Manifest:
    """Open it as often as you like; one writer at a time, readers go on meanwhile.

    A subclass says what it is to people (`kind`), what makes it (`made_by`) and makes it again (`again`), and which
    package has its schema.sql, with a table `meta` of keys and values.
    """

    kind: ClassVar[str]
    made_by: ClassVar[str]
    again: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, directory: Path, connection: sqlite3.Connection):
        self.directory = directory
        self._sql = connection

    @classmethod
    def exists(cls, directory: Path) -> bool:
        """Whether there is one here. One whose creation was cut short doesn't count."""
        if not (directory / MANIFEST).is_file():
            return False
        connection = cls._connect(directory)
        try:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is not None
        finally:
            connection.close()

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Raises InfinidocError if there is none, or one of a format that this version doesn't know."""
        if not cls.exists(directory):
            raise InfinidocError(f"there is no {cls.kind} at {directory}", f"make one with: {cls.made_by}")
        opened = cls(directory, cls._connect(directory))
        if (found := opened.meta("format")) != FORMAT:
            opened.close()
            raise InfinidocError(f"{directory} has format {found}, this infinidoc reads {FORMAT}", cls.again)
        return opened

    @classmethod
    def _create(cls, directory: Path, meta: Mapping[str, str]) -> None:
        """Makes an empty one with these values, inside `_lock`."""
        made = cls(directory, cls._connect(directory))
        with made._transaction():
            for statement in files(cls.package).joinpath("schema.sql").read_text().split(";\n"):
                made._sql.execute(statement)
            for key, value in {"format": FORMAT, **meta}.items():
                made._set_meta(key, value)
        made.close()

    @classmethod
    def _connect(cls, directory: Path) -> sqlite3.Connection:
        try:
            # Threads share it in turns (see Collection).
            connection = sqlite3.connect(
                directory / MANIFEST, timeout=30, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not unlinked
        except sqlite3.DatabaseError as error:
            hint = f"remove the {cls.kind} and {cls.again}"
            raise InfinidocError(f"{directory / MANIFEST} can't be opened ({error})", hint) from error
        return connection

    @classmethod
    @contextmanager
    def _lock(cls, directory: Path) -> Iterator[None]:
        lock = FileLock(directory / ".lock")
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            hint = "try again when it has finished"
            raise InfinidocError(f"another process is writing to the {cls.kind} at {directory}", hint) from None
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, key: str) -> str | None:
        row = self._sql.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, key: str, value: str) -> None:
        self._sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def revision(self) -> int:
        """Changes with everything that is written."""
        return int(self.meta("revision") or 0)

    def _next_revision(self) -> None:
        self._set_meta("revision", str(self.revision + 1))

    def _missing(self, error: FileNotFoundError) -> InfinidocError:
        return InfinidocError(f"{error} is missing", f"remove the {self.kind} and {self.again}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")
