"""What was asked of a collection: questions, answers, and the places that these were given from."""

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from infinidoc.errors import Unwritable
from infinidoc.memory.records import Citation, LogEntry
from infinidoc.memory.rows import RowStore


class AnswerLog(RowStore):
    """The part of a store that keeps them: in the tables `log` and `citations`."""

    def log_answer(self, entry: LogEntry) -> None:
        """Keeps a question, its answer and the places that it was given from, but no text of theirs.

        Of a document that another process has removed meanwhile nothing is kept. A collection that can't be written to
        keeps no log.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        cited = json.dumps([citation.document for citation in entry.citations])
        query = "SELECT id FROM documents WHERE id IN (SELECT value FROM json_each(?))"
        with suppress(Unwritable), self._transaction():
            there = {document for (document,) in self._query(query, (cited,))}
            whole = there.issuperset(citation.document for citation in entry.citations)
            row = {
                "asked_at": now,
                "question": entry.question,
                "answer": entry.answer if whole else None,
                "answered": entry.answered,
                "memory_only": entry.memory_only,
                "model": entry.model or self.meta("model"),
                "timings": json.dumps(entry.timings),
            }
            insert = f"INSERT INTO log ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
            identifier = self._run(insert, list(row.values()))
            self._run_many(
                "INSERT INTO citations VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (identifier, rank, c.document, c.start, c.end, c.score)
                    for rank, c in enumerate(entry.citations)
                    if c.document in there
                ],
            )

    def log(self, last: int | None = None) -> list[LogEntry]:
        """What was asked, newest first."""
        columns = "id, question, answer, answered, memory_only, timings, asked_at, model"
        entries = []
        query = f"SELECT {columns} FROM log ORDER BY id DESC LIMIT ?"
        for identifier, *row in self._query(query, (-1 if last is None else min(last, sys.maxsize),)):
            question, answer, answered, memory_only, timings, asked_at, model = row
            query = "SELECT document, start, end, score FROM citations WHERE entry = ? ORDER BY rank"
            citations = [Citation(*citation) for citation in self._query(query, (identifier,))]
            values = (question, answer, bool(answered), bool(memory_only), citations, json.loads(timings))
            entries.append(LogEntry(*values, asked_at, model))
        return entries

    def _forget_answers(self, documents: Iterable[int]) -> None:
        """Takes out of the log what was answered from documents that go, and all that was answered from the memory
        alone: nobody knows from what."""
        cited = "SELECT entry FROM citations WHERE document = ?1"
        forget = f"UPDATE log SET answer = NULL WHERE memory_only OR id IN ({cited})"
        self._run_many(forget, [(document,) for document in documents])
