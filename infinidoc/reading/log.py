"""Answers as a collection's log has them: without the texts of documents, which are looked up again."""

from infinidoc.memory.records import Citation, LogEntry
from infinidoc.memory.store import Store
from infinidoc.reading.answers import Answer, Logged


def log_entry(answer: Answer) -> LogEntry:
    cited = [Citation(one.id, one.start, one.end, one.score) for one in answer.sources]
    said = (answer.text, answer.answered, answer.memory_only)
    return LogEntry(answer.question, *said, cited, answer.timings, model=answer.reader)


def logged(store: Store, last: int | None = None) -> list[Logged]:
    """What was asked, newest first."""
    from infinidoc.reading.search import source_at

    entries = store.log(last)
    cited = {citation.document for entry in entries for citation in entry.citations}
    stored = {document.id: document for document in store.documents() if document.id in cited}
    texts = {identifier: store.document(identifier) for identifier in stored}
    found = []
    for entry in entries:
        sources = [
            source_at(stored[place.document], texts[place.document], place.start, place.end, place.score)
            for place in entry.citations
            if place.document in stored
        ]
        values = (entry.question, entry.answer or "", entry.answered, entry.memory_only, sources, entry.timings)
        found.append(Logged(entry.asked_at, entry.model, Answer(*values, reader=entry.model)))
    return found
