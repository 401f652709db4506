"""What models keep of documents that they have read from start to end: keys and values, word for word (slots)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from infinidoc.memory import tensors
from infinidoc.memory.records import DocumentMemory, MemoryKey
from infinidoc.memory.rows import RowStore

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor


class Memories(RowStore):
    """The part of a store that keeps them: in the table `memories`, and in a file each. They save time, and nothing is
    lost with one."""

    listed: ClassVar[tuple[tuple[str, str], ...]] = (("memories", "file"),)

    def memory_of(self, document: int, key: MemoryKey) -> DocumentMemory | None:
        """What there is of a document, memory-mapped; None if nothing is, or if its file isn't there."""
        query = "SELECT end, file FROM memories WHERE document = ? AND model = ? AND adapter = ? AND slots = ?"
        for end, file in self._query(query, (document, *key)):
            try:
                return DocumentMemory(end, self._read(file, tensors.read))
            except FileNotFoundError:
                return None
        return None

    def keep_memory(self, document: int, key: MemoryKey, end: int, kept: dict[str, Tensor]) -> None:
        """Keeps what was read of a document up to a character, in place of what was kept of less of it. Belongs inside
        `writing()`. Nothing is kept of a document that was removed meanwhile."""
        if self._first("SELECT 1 FROM documents WHERE id = ?", (document,)) is None:
            return
        old = self._memory_files([document])
        name = tensors.write(self.directory, "memory", kept)
        with self._transaction():
            row = (document, *key, end, name)
            self._run("INSERT OR REPLACE INTO memories VALUES (?, ?, ?, ?, ?, ?)", row)
        self._discard(old)
        self._forget_log()

    def forget_memories(self, files: Iterable[str]) -> None:
        """Drops those whose files are damaged. Belongs inside `writing()`."""
        some = list(files)
        with self._transaction():
            self._run_many("DELETE FROM memories WHERE file = ?", [(file,) for file in some])
        self._discard(some)

    def memory_bytes(self) -> int:
        """What all of them take on the disk."""
        found = (self.directory / name for (name,) in self._query("SELECT DISTINCT file FROM memories"))
        return sum(file.stat().st_size for file in found if file.exists())

    def _memory_files(self, documents: Iterable[int]) -> list[str]:
        query = "SELECT DISTINCT file FROM memories WHERE document IN (SELECT value FROM json_each(?))"
        return [file for (file,) in self._query(query, (json.dumps(list(documents)),))]
