"""A task on the disk: a manifest, and tensor files with keys and what was fitted to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infinidoc.memory import tensors
from infinidoc.memory.rows import Rows, RowStore

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

FILE_ROWS = 16_384
LABELS, TEXT = "labels", "text"  # what a task's outputs are: of a fixed set, or free


@dataclass(frozen=True)
class TaskIdentity:
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


class TaskStore(RowStore):
    """One task. One `writing()` at a time; readers go on meanwhile."""

    kind, made_by, package = "task", "infinidoc learn FILE", __package__
    owned = Rows("keys", "examples", "key_files", "1", "MIN(id)", FILE_ROWS)

    @classmethod
    def mended_by(cls, directory: Path) -> str:
        return "remove the task and learn again"

    @classmethod
    def create(cls, directory: Path, identity: TaskIdentity) -> Self:
        """An empty task; one that is there already is opened as it is."""
        with cls.lock(directory):
            if not cls.exists(directory):
                cls._create(directory, asdict(identity))
        return cls.open(directory)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> TaskIdentity:
        return TaskIdentity(*(self.meta(key) or "" for key in ("model", "model_digest", "input", "output", "kind")))

    def count(self) -> int:
        return int(self._first("SELECT COUNT(*) FROM examples")[0])

    def outputs(self) -> dict[str, int]:
        """Every output and how many examples have it, in the order in which they came."""
        query = "SELECT output, COUNT(*) FROM examples GROUP BY output ORDER BY MIN(id)"
        return dict(self._query(query))

    def contradictions(self) -> int:
        """How many inputs have more than one output."""
        query = "SELECT COUNT(*) FROM (SELECT 1 FROM examples GROUP BY input HAVING COUNT(*) > 1)"
        return int(self._first(query)[0])

    def known(self, digests: Sequence[str]) -> set[str]:
        """Those of some examples' digests that are in the task."""
        found: set[str] = set()
        for first in range(0, len(digests), 500):
            some = digests[first : first + 500]
            query = f"SELECT digest FROM examples WHERE digest IN ({', '.join('?' * len(some))})"
            found |= {digest for (digest,) in self._query(query, some)}
        return found

    def examples(self, input: str | None = None) -> list[Example]:
        """All examples in the order of `keys`, or those of one input."""
        query = "SELECT id, input, output FROM examples"
        where, values = (" WHERE input = ?", (input,)) if input is not None else ("", ())
        return [Example(*row) for row in self._query(f"{query}{where} ORDER BY digest", values)]

    def example(self, identifier: int) -> Example | None:
        row = self._first("SELECT id, input, output FROM examples WHERE id = ?", (identifier,))
        return Example(*row) if row else None

    def keys(self) -> Tensor:
        """The examples' keys (N, D) float16, by digest: an order that doesn't know when they came."""
        import torch

        def read() -> Tensor:
            rows = self._query("SELECT file, row FROM examples ORDER BY digest")
            blocks = {name: self._read_rows(name) for name in dict.fromkeys(file for file, _ in rows)}
            starts, total = {}, 0
            for name, block in blocks.items():
                starts[name] = total
                total += len(block)
            order = torch.tensor([starts[file] + row for file, row in rows], dtype=torch.long)
            together = torch.cat(list(blocks.values())) if blocks else torch.empty(0, 0, dtype=torch.float16)
            return together[order]

        return self._looked_up(read)

    def fitted(self) -> dict[str, Tensor] | None:
        """What was fitted to the examples as they are now; None if they have changed since."""
        if not self.meta("fitted") or self.meta("fitted_revision") != str(self.revision):
            return None
        try:
            return self._read(self.meta("fitted") or "", tensors.read)
        except FileNotFoundError:
            return None

    def nbytes(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.directory.iterdir() if path.is_file())

    # -- writing -------------------------------------------------------------------------------------------------

    def add(self, examples: Sequence[tuple[str, str]], keys: Tensor) -> None:
        """Adds (input, output) pairs that the task doesn't have, with their inputs' keys (N, D); all or none."""
        name = self._write_rows(keys.half())
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [(digest(*pair), *pair, name, row, now) for row, pair in enumerate(examples)]
        with self._transaction():
            self._name_files([name])
            columns = "digest, input, output, file, row, learned_at"
            self._run_many(f"INSERT INTO examples ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._next_revision()

    def remove(self, identifiers: Iterable[int]) -> None:
        """Takes examples out, and their keys."""
        gone = set(identifiers)
        query = "SELECT DISTINCT file FROM examples WHERE id IN (SELECT value FROM json_each(?))"
        touched = [file for (file,) in self._query(query, (json.dumps(list(gone)),))]
        moved = [move for file in touched for move in self._rewrite([file], without=gone)]
        with self._transaction():
            self._run_many("DELETE FROM examples WHERE id = ?", [(identifier,) for identifier in gone])
            self._move(moved)
            self._forget_unused(touched)
            self._next_revision()
        self._discard(touched)
        self._forget_log()

    def remember_columns(self, input: str, output: str) -> None:
        """Where `predict` looks for inputs in a file."""
        with self._transaction():
            self._set_meta("input", input)
            self._set_meta("output", output)

    def keep_fitted(self, fitted: dict[str, Tensor], revision: int) -> None:
        """Keeps what was fitted to the examples as they were at a revision."""
        name, old = tensors.write(self.directory, "fitted", fitted), self.meta("fitted") or ""
        with self._transaction():
            self._set_meta("fitted", name)
            self._set_meta("fitted_revision", str(revision))
        self._discard([old])

    def _named_files(self) -> set[str]:
        return {self.meta("fitted") or ""} - {""}
