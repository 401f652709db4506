"""Tensors whose rows belong to rows of a table: a passage's addresses, an example's key."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from infinidoc.errors import Damaged, Unwritable
from infinidoc.files import PRIVATE, UNFINISHED, cant_write
from infinidoc.memory import tensors
from infinidoc.memory.manifest import LOOKS, MANIFEST, Manifest

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

PROBE_BYTES = 64 << 10  # more than SQLite needs to begin a transaction

Found = TypeVar("Found")


@dataclass(frozen=True)
class Rows:
    """Which tensor files these are. Every row of `table` (with columns id, file, row) owns rows of one of them."""

    tensor: str  # what they hold, and what their names begin with
    table: str
    names: str  # the table that lists them: name, rows
    size: str  # how many rows a row of `table` owns, as SQL
    order: str  # in which they are joined, as SQL
    most: int  # rows in one file: few enough files to open, small enough to rewrite when something goes


class RowStore(Manifest):
    """A manifest with such files: writes, rewrites, joins and sweeps them."""

    owned: ClassVar[Rows]
    suffixes: ClassVar[tuple[str, ...]] = (tensors.SUFFIX,)  # of the files that the manifest must name
    listed: ClassVar[tuple[tuple[str, str], ...]] = ()  # tables that name other files, and in which column

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """The right to write. Waits a little for another writer, then raises Unwritable; as it does on read-only media.

        A writer holds no SQL lock but for the moment of a commit, so readers and the log go on.
        """
        if self.read_only:
            raise self._why_read_only()
        with self.lock(self.directory):
            with suppress(OSError):  # one that an older version made, or that was copied
                (self.directory / MANIFEST).chmod(PRIVATE)
            self._sweep()
            yield self

    def _why_read_only(self) -> Unwritable:
        """What the system says to a file beside the manifest: SQLite tells neither a full disk nor a read-only one."""
        try:
            with tempfile.TemporaryFile(dir=self.directory) as probe:
                probe.write(bytes(PROBE_BYTES))
        except OSError as error:
            return cant_write(self.directory, error)
        hint = "change its permissions, or copy it to where you may write"
        return Unwritable(f"the {self.kind} at {self.directory} can't be written to", hint)

    def _write_rows(self, values: Tensor) -> str:
        """Keeps values (rows, D) for a commit to come; returns the file's name."""
        return tensors.write(self.directory, self.owned.tensor, {self.owned.tensor: values})

    def _read_rows(self, file: str) -> Tensor:
        return self._read(file, tensors.read)[self.owned.tensor]

    def _read(self, file: str, read: Callable[[Path, str], Found]) -> Found:
        """What `read` finds in a tensor file."""
        try:
            return read(self.directory, file)
        except Damaged as error:
            raise Damaged(str(error), self.mended_by(self.directory)) from error

    def _named(self, key: str, read: Callable[[Path, str], Found]) -> Found:
        """What `read` finds in a file that `meta` names."""
        return self._looked_up(lambda: self._read(self.meta(key) or "", read))

    def _looked_up(self, read: Callable[[], Found]) -> Found:
        """What `read` reads. A writer may replace a file between the look-up and the reading: then it is read again."""
        for _ in range(LOOKS):
            try:
                return read()
            except FileNotFoundError as error:
                missing = error
        raise self._missing(missing)

    def _rewrite(self, files: Sequence[str], without: Collection[int] = ()) -> list[tuple[str, int, int]]:
        """Copies what stays of some files into one new file; returns (file, row, owner's id) for each owner."""
        import torch

        query = f"SELECT id, row, {self.owned.size} FROM {self.owned.table} WHERE file = ? ORDER BY row"
        staying = {file: [owner for owner in self._query(query, (file,)) if owner[0] not in without] for file in files}
        total = sum(size for owners in staying.values() for _, _, size in owners)
        kept: Tensor | None = None  # filled file by file: only one of them is held beside it
        places: list[tuple[int, int]] = []
        at = 0
        for file, owners in staying.items():
            values = self._read_rows(file) if owners else torch.empty(0)
            kept = values.new_empty(total, *values.shape[1:]) if owners and kept is None else kept
            for identifier, row, size in owners:
                assert kept is not None
                kept[at : at + size] = values[row : row + size]
                places.append((at, identifier))
                at += size
        if kept is None:
            return []
        name = self._write_rows(kept)
        return [(name, row, identifier) for row, identifier in places]

    def _move(self, moved: Sequence[tuple[str, int, int]]) -> None:
        self._name_files({name for name, _, _ in moved})
        self._run_many(f"UPDATE {self.owned.table} SET file = ?, row = ? WHERE id = ?", moved)

    def _name_files(self, names: Iterable[str]) -> None:
        rows = [(name, self._read(name, tensors.shapes)[self.owned.tensor][0]) for name in names]
        self._run_many(f"INSERT OR IGNORE INTO {self.owned.names} VALUES (?, ?)", rows)

    def _forget_unused(self, files: Iterable[str]) -> None:
        """Of these files, those whose rows have gone or moved; a look at all would slow every commit."""
        unused = f"NOT EXISTS (SELECT 1 FROM {self.owned.table} WHERE file = ?1)"
        self._run_many(f"DELETE FROM {self.owned.names} WHERE name = ?1 AND {unused}", [(file,) for file in files])

    def merge_small_files(self) -> None:
        """Joins neighbouring files up to the most rows that one has, so that few are opened. Belongs inside
        `writing()`."""
        group: list[str] = []
        total = 0
        query = f"""SELECT name, rows FROM {self.owned.names}
                    JOIN (SELECT file, {self.owned.order} AS place FROM {self.owned.table} GROUP BY file)
                    ON name = file ORDER BY place"""
        for file, rows in [*self._query(query), ("", self.owned.most)]:
            if total + rows > self.owned.most:
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

    def _named_files(self) -> set[str]:
        """The files beside those in tables that the manifest names."""
        raise NotImplementedError

    def _discard(self, files: Iterable[str]) -> None:
        """Deletes those of these files that the manifest doesn't name any more."""
        named = self._named_files()
        for file in filter(None, files):
            listed = (self._first(f"SELECT 1 FROM {table} WHERE {name} = ?", (file,)) for table, name in self._lists())
            if file not in named and not any(listed):
                (self.directory / file).unlink(missing_ok=True)

    def _lists(self) -> tuple[tuple[str, str], ...]:
        return (self.owned.names, "name"), *self.listed

    def _sweep(self) -> None:
        """Deletes what a crash left: files that the manifest doesn't name, and what was removed in SQLite's log."""
        named = {path.name for path in self.files()}
        for path in self.directory.iterdir():
            if path.match(UNFINISHED) or (path.suffix in self.suffixes and path.name not in named):
                path.unlink(missing_ok=True)
        self._forget_log()

    def files(self) -> list[Path]:
        """Every tensor file that the manifest names."""
        listed = (self._query(f"SELECT DISTINCT {name} FROM {table}") for table, name in self._lists())
        named = {name for rows in listed for (name,) in rows if name} | self._named_files()
        return [self.directory / name for name in sorted(named)]
