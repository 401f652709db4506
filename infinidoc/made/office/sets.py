"""Sets of documents with questions on them, and how one is drawn up."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from infinidoc.made import vocabulary
from infinidoc.made.office.words import REASONS, STEERING


@dataclass(frozen=True)
class Document:
    """A passage of a file."""

    name: str
    place: str
    text: str


@dataclass(frozen=True)
class SetQuestion:
    """A question, its answer, and the words of the document (by its index in the set) that it is read from.

    The answer stands word for word in the set's documents, unless `kind` is `yesno` (`Yes` or `No`), `version`
    (`X (an earlier version says Y)`), or `list` or `two`, where its parts do.
    """

    question: str
    answer: str
    kind: str
    document: int
    quote: str


@dataclass(frozen=True)
class Set:
    """Documents that belong together, what they answer, and questions that they only seem to answer."""

    id: str
    documents: tuple[Document, ...]
    asked: tuple[SetQuestion, ...]
    unanswerable: tuple[str, ...]


def read(lines: Iterable[str]) -> list[Set]:
    """Sets from JSON, one a line. Raises KeyError or TypeError where a line lacks a field or has a strange one."""
    return [
        Set(
            row["id"],
            tuple(Document(**document) for document in row["documents"]),
            tuple(SetQuestion(**asked) for asked in row["asked"]),
            tuple(row["unanswerable"]),
        )
        for row in map(json.loads, lines)
    ]


@dataclass
class Draft:
    """A set in the making."""

    rng: Random
    documents: list[Document] = field(default_factory=list)
    asked: list[SetQuestion] = field(default_factory=list)
    unanswerable: list[str] = field(default_factory=list)

    def add(self, name: str, place: str, text: str) -> None:
        """A document, some with a line that tries to steer a reader: what is asked next is read from it."""
        if self.rng.random() < 0.08:
            text = f"{text}\n{self.rng.choice(STEERING)}"
        self.documents.append(Document(name, place, text))

    def ask(self, kind: str, answer: str, quote: str, *wordings: str) -> None:
        """One of the wordings, unless it holds the answer by chance."""
        if quote not in self.documents[-1].text:
            raise ValueError(f"not in the document: {quote}")
        question = self._phrase(self.rng.choice(wordings))
        if kind == "yesno" or answer.lower() not in question.lower():
            self.asked.append(SetQuestion(question, answer, kind, len(self.documents) - 1, quote))

    def never(self, *questions: str) -> None:
        self.unanswerable += map(self._phrase, questions)

    def _phrase(self, question: str) -> str:
        style = self.rng.random()
        if style < 0.2:
            return question.lower().rstrip("?")
        if style < 0.3:
            return self.rng.choice(("Please tell me: {}", "Can you look this up? {}", "One thing: {}")).format(question)
        return question[:1].upper() + question[1:]

    def draw(self, name: str, *arguments: str) -> str:
        return vocabulary.draw(name, arguments, self.rng)

    def people(self, number: int) -> list[str]:
        return different(number, lambda: self.draw("person"))

    def day(self, after: date | None = None) -> date:
        return (
            after + timedelta(self.rng.randint(2, 60)) if after else _FIRST_DAY + timedelta(self.rng.randint(0, 3000))
        )

    def in_full(self, day: date) -> str:
        form = self.rng.choice(
            ("{0:%A}, {1} {0:%B %Y}", "{0:%A} {1} {0:%B %Y}", "{1} {0:%B %Y}", "{0:%A}, {0:%B} {1}, {0:%Y}")
        )
        return form.format(day, day.day)

    def reason(self) -> str:
        return self.rng.choice(REASONS).format(person=self.draw("person"), place=self.draw("town"))


_FIRST_DAY = date(2020, 1, 1)


def different(number: int, draw: Callable[[], str]) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < number:
        found[draw()] = None
    return list(found)


def joined(items: list[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]
