"""What a collection answers, and from what."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.reading.quoting import Quote


@dataclass(frozen=True)
class Source:
    """A passage that was found, and perhaps an answer given from it. `score` is at most 1; `place` is "page 3" or "line
    12"; `also_in` are the files beside `path` that have the same text.

    `text` is [start:end] of the text of the document with that `id`; `marks` are the (start, end) of those words in
    `text` that the question asks about.
    """

    document: str
    path: str
    place: str
    score: float
    text: str
    also_in: tuple[str, ...] = ()
    id: int = 0
    start: int = 0
    end: int = 0
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Answer:
    """`answered` is False where nothing in the collection bears on the question; `text` then says so.

    `quotes` are the sentences that it was read from. `verbatim` says whether its words stand there; None for a mere yes
    or no, and where there was nothing to read. `timings` in seconds: recall, first_token (from the question's start),
    total. `reader` is the name of the one that answered, "" if none was asked.
    `counted` is how many documents have the words of a question that counts or lists documents, of which `sources` are
    the first; no reader was asked. None of any other question.
    `notes` say where else an answer may stand: pages that could not be read, of the documents that were cited, or of
    all if none was.
    """

    question: str
    text: str
    answered: bool
    memory_only: bool
    sources: list[Source] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    reader: str = ""
    quotes: list[Quote] = field(default_factory=list)
    verbatim: bool | None = None
    notes: list[str] = field(default_factory=list)
    counted: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the text is called "answer" there."""
        plain = asdict(self)
        return {"question": plain.pop("question"), "answer": plain.pop("text"), **plain}


class Unanswered(InfinidocError):
    """The reader failed. `sources` is what it was to answer from."""

    def __init__(self, reason: InfinidocError, sources: list[Source]):
        super().__init__(str(reason))
        self.sources = sources


@dataclass(frozen=True)
class Logged:
    """An answer that was given earlier, when (UTC, ISO 8601) and by what model. Its text is empty, and sources are
    missing, once a document that it was given from has been removed."""

    asked_at: str
    model: str
    answer: Answer

    def to_dict(self) -> dict[str, Any]:
        plain = self.answer.to_dict()
        del plain["quotes"], plain["verbatim"]  # what they say is looked up when a question is asked
        return {**plain, "asked_at": self.asked_at, "model": self.model}


def display(path: str) -> str:
    """A document's path as a person would write it here: relative, if it lies below the working directory."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
