"""What a directory keeps for good: a SQLite manifest, and immutable tensor files that it names.

Whatever changes, tensors are written first, under names that nobody knows yet; one SQL transaction then makes them part
of the whole, and what it no longer names is deleted. A crash at any instant leaves either the old state or the new one,
and perhaps files that nobody names: the next writer sweeps them up.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Self

from filelock import FileLock, Timeout

from infinidoc.errors import Damaged, InfinidocError, Unwritable
from infinidoc.files import PRIVATE, cant_write

MANIFEST = "manifest.sqlite"
LOCK_SECONDS = 10.0  # that a writer waits for another one
SQL_SECONDS = 30.0  # that a statement waits for another process's commit
LOOKS = 10  # a writer would have to commit this often between a reader's look-up and its reading
LITTLE = 1 << 20  # bytes that are as good as none: SQLite can't enlarge its shared memory with less

# SQLite's primary result codes, https://www.sqlite.org/rescode.html
_UNWRITABLE = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class Manifest:
    """Open it as often as you like; one writer at a time, readers go on meanwhile.

    Where it can't be written to (read-only media, a full disk) it is opened for reading. A subclass says what it is to
    people (`kind`), what makes it (`made_by`) and mends it, which package has its schema.sql, with a table `meta` of
    keys and values; the `format` of that schema, and what leads to it from the formats before.
    """

    kind: ClassVar[str]
    made_by: ClassVar[str]
    package: ClassVar[str]
    format: ClassVar[int] = 1
    migrations: ClassVar[Mapping[int, Callable[[sqlite3.Connection, Path], None]]] = {}  # from that format to the next

    def __init__(self, directory: Path, connection: sqlite3.Connection, read_only: bool = False):
        self.directory, self.read_only = directory, read_only
        self._sql = connection

    @classmethod
    def mended_by(cls, directory: Path) -> str:
        """What to do about a damaged one."""
        raise NotImplementedError

    @classmethod
    def exists(cls, directory: Path) -> bool:
        """Whether there is one here, be it damaged. One whose creation was cut short doesn't count."""
        if not (directory / MANIFEST).is_file():
            return False
        try:
            connection, _ = cls._connect(directory)
        except InfinidocError:
            return True
        try:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is not None
        except sqlite3.DatabaseError:
            return True
        finally:
            connection.close()

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Brings one of an older format up to date.

        Raises InfinidocError if there is none or its format is a newer one, Damaged, or Unwritable if it is locked.
        """
        if not cls.exists(directory):
            raise InfinidocError(f"there is no {cls.kind} at {directory}", f"make one with: {cls.made_by}")
        opened = cls(directory, *cls._connect(directory))
        try:
            opened._migrate()
        except BaseException:
            opened.close()
            raise
        return opened

    @classmethod
    def _create(cls, directory: Path, meta: Mapping[str, str]) -> None:
        """Makes an empty one with these values, inside `lock`."""
        file = directory / MANIFEST
        try:
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, PRIVATE))  # SQLite gives its other files the same mode
        except OSError as error:
            raise cant_write(file, error) from error
        with cls(directory, *cls._connect(directory)) as made, made._transaction():
            for statement in files(cls.package).joinpath("schema.sql").read_text().split(";\n"):
                made._run(statement)
            for key, value in {"format": str(cls.format), **meta}.items():
                made._set_meta(key, value)

    @classmethod
    def _connect(cls, directory: Path) -> tuple[sqlite3.Connection, bool]:
        """A connection, and whether it is for reading only."""
        uri = (directory / MANIFEST).absolute().as_uri()
        with cls._explaining(directory):
            try:
                return cls._connected(f"{uri}?mode=rw"), False
            except sqlite3.DatabaseError as error:
                if _code(error) not in _UNWRITABLE | {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}:
                    raise
                with suppress(sqlite3.DatabaseError):
                    return cls._connected(f"{uri}?mode=ro"), True
                log = directory / f"{MANIFEST}-wal"
                if not log.exists() or not log.stat().st_size:  # all that was committed is in the one file
                    with suppress(sqlite3.DatabaseError):
                        return cls._connected(f"{uri}?immutable=1"), True
                raise

    @staticmethod
    def _connected(uri: str) -> sqlite3.Connection:
        options: dict[str, Any] = {"timeout": SQL_SECONDS, "isolation_level": None}
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, **options)  # threads take turns
        try:
            if "mode=rw" in uri:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not unlinked
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> None:
        found = int(self.meta("format") or 0)
        if found == self.format:
            return
        if found not in self.migrations:
            raise InfinidocError(
                f"{self.directory} has format {found}, this infinidoc reads {self.format}",
                "a newer infinidoc may: pip install --upgrade infinidoc",
            )
        try:
            with self.lock(self.directory):
                self._step_up()
        except Unwritable:
            if self._busy():
                raise
            copy = sqlite3.connect(":memory:", isolation_level=None)  # for as long as it is open
            self._sql.backup(copy)
            self._sql.close()
            self._sql, self.read_only = copy, True
            self._step_up()

    def _busy(self) -> bool:
        """Whether another process is writing."""
        try:
            with self.lock(self.directory, seconds=0):
                return False
        except Unwritable as error:
            return isinstance(error.__cause__, Timeout)

    def _step_up(self) -> None:
        self._run("PRAGMA foreign_keys = OFF")  # as https://www.sqlite.org/lang_altertable.html says
        with self._explaining(self.directory), self._transaction():
            for number in range(int(self.meta("format") or 0), self.format):
                self.migrations[number](self._sql, self.directory)
            self._set_meta("format", str(self.format))
        self._run("PRAGMA foreign_keys = ON")
        self._forget_log()

    @classmethod
    @contextmanager
    def lock(cls, directory: Path, seconds: float | None = None) -> Iterator[None]:
        """Keeps other writers away. Raises Unwritable if one is at it, or the directory can't be written to."""
        lock = FileLock(directory / ".lock")
        try:
            lock.acquire(timeout=LOCK_SECONDS if seconds is None else seconds)
        except Timeout as error:
            hint = "try again when it has finished"
            raise Unwritable(f"another process is writing to the {cls.kind} at {directory}", hint) from error
        except OSError as error:
            raise cant_write(directory, error) from error
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
        row = self._first("SELECT value FROM meta WHERE key = ?", (key,))
        return row[0] if row else None

    def _set_meta(self, key: str, value: str) -> None:
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def revision(self) -> int:
        """Changes with everything that is written."""
        return int(self.meta("revision") or 0)

    def _next_revision(self) -> None:
        self._set_meta("revision", str(self.revision + 1))

    def _missing(self, error: FileNotFoundError) -> InfinidocError:
        if not self.exists(self.directory):
            return self.gone()
        return Damaged(f"{error.filename or error} is missing", self.mended_by(self.directory))

    def gone(self) -> InfinidocError:
        """What is wrong where it isn't on the disk any more, while it is open."""
        return InfinidocError(f"{self.directory} is no longer there", "it was renamed or removed meanwhile")

    # -- SQL: what goes wrong is one line for people -------------------------------------------------------------

    def _query(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._explaining(self.directory):
            return self._sql.execute(query, values).fetchall()

    def _first(self, query: str, values: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        return next(iter(self._query(query, values)), None)

    def _run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Returns the id of a row that was inserted."""
        with self._explaining(self.directory):
            return self._sql.execute(statement, values).lastrowid or 0

    def _run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._explaining(self.directory):
            self._sql.executemany(statement, rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if self._sql.in_transaction:  # a full disk has rolled it back already
                self._sql.execute("ROLLBACK")
            raise

    def _forget_log(self) -> None:
        """Empties SQLite's write-ahead log: what was removed is still in it. Waits for readers, a while."""
        if not self.read_only:
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    @classmethod
    @contextmanager
    def _explaining(cls, directory: Path) -> Iterator[None]:
        """A full disk, read-only media, another process, damage: each gets a line of its own."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code, again = _code(error), "try again when it has finished"
            if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(directory)):
                hint = "make room, and try again; nothing is lost"
                raise Unwritable(f"the disk of {directory} is full", hint) from error
            if code in _BUSY:
                raise Unwritable(f"another process is using the {cls.kind} at {directory}", again) from error
            if code in _UNWRITABLE:
                hint = "change its permissions, or copy it to where you may write"
                raise Unwritable(f"the {cls.kind} at {directory} is read-only here ({error})", hint) from error
            if code == sqlite3.SQLITE_IOERR:
                hint = "try again, and look after that disk"
                raise Unwritable(f"the disk of {directory} fails ({error})", hint) from error
            if code in _DAMAGED:
                raise Damaged(f"{directory / MANIFEST} is damaged ({error})", cls.mended_by(directory)) from error
            raise  # a mistake of ours


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code; 0 for what Python itself complains of."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_full(directory: Path) -> bool:
    try:
        return shutil.disk_usage(directory).free < LITTLE
    except OSError:
        return False
