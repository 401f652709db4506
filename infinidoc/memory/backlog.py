"""What the compressive memory doesn't hold yet: the segments that the second pass of an ingest has still to read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from infinidoc.memory import tensors
from infinidoc.memory.records import PassageRow, PendingSegment, PendingWindow, SegmentRow
from infinidoc.memory.rows import RowStore

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

    from infinidoc.model.kernels import State

SPARE = 0.1  # of the disk: with less of it free, the second pass begins anew rather than where the first one ended


class Backlog(RowStore):
    """The part of a store that keeps it: in the table `pending`, and in files of what the first pass left.

    These files are there to save time: without one, its window is read from the text.
    """

    listed: ClassVar[tuple[tuple[str, str], ...]] = (("pending", "begun"),)

    def has_room(self) -> bool:
        """Whether the disk has room for what the first pass leaves: some 1,152 bytes a token with the embedded model,
        until the second pass has read it."""
        usage = shutil.disk_usage(self.directory)
        return usage.free > SPARE * usage.total

    def write_begun(self, begun: dict[str, Tensor]) -> str:
        """Keeps what the first pass leaves of a window, for a commit to come; returns the file's name."""
        return tensors.write(self.directory, "begun", begun)

    def begun(self, window: PendingWindow) -> dict[str, Tensor] | None:
        """What the first pass left of a window, memory-mapped; None if that isn't there."""
        try:
            return self._read(window.begun, tensors.read) if window.begun else None
        except FileNotFoundError:
            return None

    def next_window(self, after: int = 0) -> PendingWindow | None:
        """The first window with a greater number than `after` that the second pass has still to read."""
        query = """SELECT number, begun, document, start, tokens, rows, width, row
                   FROM pending JOIN segments USING (document, start)
                   WHERE number = (SELECT MIN(number) FROM pending WHERE number > ?) ORDER BY place"""
        rows = self._query(query, (after,))
        segments = [PendingSegment(document, SegmentRow(start, *seat), n) for _, _, document, start, n, *seat in rows]
        return PendingWindow(rows[0][0], rows[0][1], segments) if rows else None

    def pending_tokens(self) -> int:
        """The tokens that the second pass has still to read."""
        return int(self._first("SELECT TOTAL(tokens) FROM pending")[0])

    def pending_starts(self, document: int) -> set[int]:
        """Where the segments of a document begin that the second pass has still to read."""
        return {start for (start,) in self._query("SELECT start FROM pending WHERE document = ?", (document,))}

    def passages_in(self, document: int, segment: SegmentRow) -> list[PassageRow]:
        """The passages of a segment, in reading order."""
        following = "SELECT start FROM segments WHERE document = ?1 AND start > ?2 ORDER BY start LIMIT 1"
        query = f"""SELECT start, end, file, row, tokens FROM passages
                    WHERE document = ?1 AND start >= ?2 AND start < IFNULL(({following}), 9e18) ORDER BY start"""
        return [PassageRow(*row) for row in self._query(query, (document, segment.start))]

    def forget_begun(self, files: Iterable[str]) -> None:
        """Has windows read from the text whose files of the first pass are damaged. Belongs inside `writing()`."""
        some = list(files)
        with self._transaction():
            self._spoil(some)
            self._next_revision()
        self._discard(some)

    def remember(self, window: PendingWindow, state: list[State]) -> None:
        """Replaces the compressive memory by one that holds a window as well. Belongs inside `writing()`."""
        name, old = self._write_state(state), self.meta("state") or ""
        with self._transaction():
            self._run("DELETE FROM pending WHERE number = ?", (window.number,))
            self._set_meta("state", name)
            self._next_revision()
        self._discard([window.begun, old])

    def _write_state(self, state: list[State] | None) -> str:
        if state is None:
            return ""
        from infinidoc.model.kernels import pack

        return tensors.write(self.directory, "state", pack(state))

    def _begun_with(self, documents: Iterable[int]) -> list[str]:
        """The files in which the first pass left anything of these documents."""
        query = """SELECT DISTINCT begun FROM pending WHERE document IN (SELECT value FROM json_each(?))"""
        return [begun for (begun,) in self._query(query, (json.dumps(list(documents)),)) if begun]

    def _spoil(self, files: Iterable[str]) -> None:
        self._run_many("UPDATE pending SET begun = '' WHERE begun = ?", [(file,) for file in files])

    def _next_number(self) -> int:
        return int(self._first("SELECT COALESCE(MAX(number), 0) + 1 FROM pending")[0])

    def _await(
        self, document: int, segments: Iterable[SegmentRow], passages: Iterable[PassageRow], number: int, begun: str
    ) -> None:
        """Puts a document's new segments at the end of a window."""
        tokens = {segment.start: 0 for segment in segments}
        start = -1
        for passage in passages:
            start = passage.start if passage.start in tokens else start
            tokens[start] += passage.tokens
        place = int(self._first("SELECT COUNT(*) FROM pending WHERE number = ?", (number,))[0])
        rows = [(document, start, number, place + i, n, begun) for i, (start, n) in enumerate(tokens.items())]
        self._run_many("INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?)", rows)
