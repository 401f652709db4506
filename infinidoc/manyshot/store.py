"""A task on the disk: a manifest, and tensor files with keys and what was fitted to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infinidoc.memory import tensors
from infinidoc.memory.manifest import LOOKS, Manifest

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

FILE_ROWS = 16_384  # keys in one file: few enough files to open, small enough to rewrite when an example goes
LABELS, TEXT = "labels", "text"  # what a task's outputs are: of a fixed set, or free


@dataclass(frozen=True)
class Identity:
    """What a task was learnt with, from what columns, and whether its outputs are "labels" or "text"."""

    model: str
    model_digest: str
    input: str
    output: str
    kind: str


@dataclass(frozen=True)
class Example:
    """An input and its output, with the example's number in the task."""

    id: int
    input: str
    output: str


def digest(input: str, output: str) -> str:
    """What an example is known by."""
    return hashlib.sha256(f"{len(input)} {input} {output}".encode("utf-8", "surrogatepass")).hexdigest()


class TaskStore(Manifest):
    """One task. One `writing()` at a time; readers go on meanwhile."""

    kind, made_by, again, package = "task", "infinidoc learn FILE", "learn again", __package__

    @classmethod
    def create(cls, directory: Path, identity: Identity) -> Self:
        """An empty task; one that is there already is opened as it is."""
        directory.mkdir(parents=True, exist_ok=True)
        with cls._lock(directory):
            if not cls.exists(directory):
                cls._create(directory, asdict(identity))
        return cls.open(directory)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        return Identity(*(self.meta(key) or "" for key in ("model", "model_digest", "input", "output", "kind")))

    def count(self) -> int:
        return int(self._sql.execute("SELECT COUNT(*) FROM examples").fetchone()[0])

    def outputs(self) -> dict[str, int]:
        """Every output and how many examples have it, in the order in which they came."""
        query = "SELECT output, COUNT(*) FROM examples GROUP BY output ORDER BY MIN(id)"
        return dict(self._sql.execute(query))

    def contradictions(self) -> int:
        """How many inputs have more than one output."""
        query = "SELECT COUNT(*) FROM (SELECT 1 FROM examples GROUP BY input HAVING COUNT(*) > 1)"
        return int(self._sql.execute(query).fetchone()[0])

    def known(self, digests: Sequence[str]) -> set[str]:
        """Those of some examples' digests that are in the task."""
        found: set[str] = set()
        for first in range(0, len(digests), 500):
            some = digests[first : first + 500]
            query = f"SELECT digest FROM examples WHERE digest IN ({', '.join('?' * len(some))})"
            found |= {digest for (digest,) in self._sql.execute(query, some)}
        return found

    def examples(self, input: str | None = None) -> list[Example]:
        """All examples in the order of `keys`, or those of one input."""
        query = "SELECT id, input, output FROM examples"
        where, values = (" WHERE input = ?", (input,)) if input is not None else ("", ())
        return [Example(*row) for row in self._sql.execute(f"{query}{where} ORDER BY digest", values)]

    def example(self, identifier: int) -> Example | None:
        row = self._sql.execute("SELECT id, input, output FROM examples WHERE id = ?", (identifier,)).fetchone()
        return Example(*row) if row else None

    def keys(self) -> Tensor:
        """The examples' keys (N, D) float16, by digest: an order that doesn't know when they came."""
        import torch

        for _ in range(LOOKS):
            rows = self._sql.execute("SELECT file, row FROM examples ORDER BY digest").fetchall()
            try:
                blocks = {name: self._keys(name) for name in dict.fromkeys(file for file, _ in rows)}
            except FileNotFoundError as error:
                missing = error
                continue
            starts, total = {}, 0
            for name, block in blocks.items():
                starts[name] = total
                total += len(block)
            order = torch.tensor([starts[file] + row for file, row in rows], dtype=torch.long)
            together = torch.cat(list(blocks.values())) if blocks else torch.empty(0, 0, dtype=torch.float16)
            return together[order]
        raise self._missing(missing)

    def fitted(self) -> dict[str, Tensor] | None:
        """What was fitted to the examples as they are now; None if they have changed since."""
        if not self.meta("fitted") or self.meta("fitted_revision") != str(self.revision):
            return None
        try:
            return tensors.read(self.directory, self.meta("fitted") or "")
        except FileNotFoundError:
            return None

    def nbytes(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.directory.iterdir() if path.is_file())

    # -- writing -------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """The right to write. Waits a little for another writer, then raises InfinidocError."""
        with self._lock(self.directory):
            self._sweep()
            yield self

    def add(self, examples: Sequence[tuple[str, str]], keys: Tensor) -> None:
        """Adds (input, output) pairs that the task doesn't have, with their inputs' keys (N, D); all or none."""
        name = tensors.write(self.directory, "keys", {"keys": keys.half()})
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [(digest(*pair), *pair, name, row, now) for row, pair in enumerate(examples)]
        with self._transaction():
            self._sql.execute("INSERT OR IGNORE INTO key_files VALUES (?, ?)", (name, len(keys)))
            columns = "digest, input, output, file, row, learned_at"
            self._sql.executemany(f"INSERT INTO examples ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._changed()

    def remove(self, identifiers: Iterable[int]) -> None:
        """Takes examples out, and their keys."""
        gone = [(identifier,) for identifier in identifiers]
        touched: set[str] = set()
        for one in gone:
            touched |= {file for (file,) in self._sql.execute("SELECT file FROM examples WHERE id = ?", one)}
        out = {identifier for (identifier,) in gone}
        moved = [move for file in sorted(touched) for move in self._rewrite([file], out)]
        with self._transaction():
            self._sql.executemany("DELETE FROM examples WHERE id = ?", gone)
            self._move(moved)
            self._changed()
        self._sweep()
        self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def merge_small_files(self) -> None:
        """Joins key files up to `FILE_ROWS`."""
        query = "SELECT name, rows FROM key_files WHERE rows < ? ORDER BY rows"
        group: list[str] = []
        total = 0
        for name, rows in [*self._sql.execute(query, (FILE_ROWS,)).fetchall(), ("", FILE_ROWS)]:
            if total + rows > FILE_ROWS:
                if len(group) > 1:
                    moved = self._rewrite(group, set())
                    with self._transaction():
                        self._move(moved)
                        self._forget_unused_files()
                group, total = [], 0
            group.append(name)
            total += rows
        self._sweep()

    def remember_columns(self, input: str, output: str) -> None:
        """Where `predict` looks for inputs in a file."""
        with self._transaction():
            self._set_meta("input", input)
            self._set_meta("output", output)

    def keep_fitted(self, fitted: dict[str, Tensor], revision: int) -> None:
        """Keeps what was fitted to the examples as they were at a revision."""
        name = tensors.write(self.directory, "fitted", fitted)
        with self._transaction():
            self._set_meta("fitted", name)
            self._set_meta("fitted_revision", str(revision))
        self._sweep()

    def _keys(self, file: str) -> Tensor:
        return tensors.read(self.directory, file)["keys"]

    def _rewrite(self, names: list[str], without: set[int]) -> list[tuple[str, int, int]]:
        """Copies what stays of some key files into one new file; returns (file, row, example) for each."""
        import torch

        kept, identifiers = [], []
        for name in names:
            keys = self._keys(name)
            for identifier, row in self._sql.execute("SELECT id, row FROM examples WHERE file = ?", (name,)):
                if identifier not in without:
                    kept.append(keys[row])
                    identifiers.append(identifier)
        if not kept:
            return []
        new = tensors.write(self.directory, "keys", {"keys": torch.stack(kept)})
        return [(new, row, identifier) for row, identifier in enumerate(identifiers)]

    def _move(self, moved: list[tuple[str, int, int]]) -> None:
        for name in {name for name, _, _ in moved}:
            self._sql.execute("INSERT OR IGNORE INTO key_files VALUES (?, ?)", (name, len(self._keys(name))))
        self._sql.executemany("UPDATE examples SET file = ?, row = ? WHERE id = ?", moved)

    def _changed(self) -> None:
        self._forget_unused_files()
        self._next_revision()

    def _forget_unused_files(self) -> None:
        self._sql.execute("DELETE FROM key_files WHERE name NOT IN (SELECT file FROM examples)")

    def _sweep(self) -> None:
        """Deletes the tensor files that the manifest doesn't name."""
        named = {name for (name,) in self._sql.execute("SELECT name FROM key_files")} | {self.meta("fitted")}
        for path in [*self.directory.glob(f"*{tensors.SUFFIX}"), *self.directory.glob(".*.tmp")]:
            if path.name not in named:
                path.unlink(missing_ok=True)
