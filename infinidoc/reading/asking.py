"""A question on its way to an answer: what it recalls is read by a reader, and what that says is looked up there."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from infinidoc.documents.wording import language
from infinidoc.memory.records import StoredDocument
from infinidoc.model.prompts import ANSWER, EXPLANATION
from infinidoc.reading.answering import refuses
from infinidoc.reading.answers import Answer, Source, Unanswered, display
from infinidoc.reading.phrases import NO_ANSWER, NOTHING, InLanguage, in_language
from infinidoc.reading.quoting import Citing, Quote, find_quotes, is_verbatim
from infinidoc.reading.readers.reader import Reader, ReaderError
from infinidoc.reading.search import Found, in_pieces, one_by_one

WORTH_READING = 0.8  # of the best passage's score: one below it would cost time and mislead a small reader


class Timed:
    """Hands on what is said as it comes; `timings` in seconds since the question was asked."""

    def __init__(self, on_text: Callable[[str], None]):
        self.timings: dict[str, float] = {}
        self._on_text, self._began = on_text, time.perf_counter()

    def emit(self, text: str) -> None:
        if text and "first_token" not in self.timings:
            self.reached("first_token")
        self._on_text(text)

    def reached(self, name: str) -> None:
        self.timings[name] = time.perf_counter() - self._began


class Asking(Timed):
    """One question: `recall`, unless it is asked of the compressive memory alone; then `read`, then `answer`."""

    def __init__(self, question: str, on_text: Callable[[str], None], memory_only: bool):
        super().__init__(on_text)
        self.question, self.memory_only = question, memory_only
        self.found: list[Found] = []  # what the reader is shown, best first
        self._reader = self._text = ""
        self._answered = self._phrase = False
        self._cited: Citing | None = None  # a long answer, with the numbers of its sources

    def recall(self, search: Callable[[], list[Found]], threshold: float) -> None:
        """Keeps what is worth reading of the passages found, best first: none, if the best one is below a threshold."""
        found = search()
        if found and found[0].source.score >= threshold:
            self.found = [one for one in found if one.source.score >= WORTH_READING * found[0].source.score]
        self.reached("recall")

    def read(self, reader: Reader, max_tokens: int, long: bool, meanwhile: AbstractContextManager[None]) -> None:
        """Has a reader answer, within `meanwhile`, if there is anything to read. Raises Unanswered if it fails."""
        spoken = language(self.question, " ".join(one.source.text for one in self.found))
        if self.memory_only or self.found:
            self.found = self.found[: reader.fits(self.question, one_by_one(self.found), max_tokens)]
            saying = InLanguage(spoken, self.emit)
            citing = Citing([one.shown for one in self.found], saying.add)
            hand_on, style = (citing.add, EXPLANATION) if long else (saying.add, ANSWER)
            try:
                with meanwhile:
                    text = reader.read(self.question, in_pieces(self.found), max_tokens, hand_on, style)
                if long:
                    citing.close(refuses(text))
                saying.close()
            except ReaderError as error:
                raise Unanswered(error, self.sources) from error
            self._reader, self._answered, self._text = reader.name, not refuses(text), in_language(text, spoken)
            self._cited = citing if long else None
        self._phrase = not self._text
        if self._phrase:
            self._text = in_language(NO_ANSWER if self._answered else NOTHING, spoken)
            self.emit(self._text)
        self.reached("total")

    @property
    def sources(self) -> list[Source]:
        return [one.source for one in self.found]

    def answer(self, likeness: Callable[[Sequence[Found]], Sequence[float]], noted: Iterable[StoredDocument]) -> Answer:
        """With the sentences that it was read from, for which `likeness` says how alike the question and each sentence
        of what was found are; and with what documents of which something could not be read say of that."""
        text, quotes = self._text, list[Quote]()
        if self._answered and not self._phrase:
            shown = [one.shown for one in self.found]
            quotes = find_quotes(text, self.question, shown, lambda: likeness(self.found))
        verbatim = is_verbatim(text, quotes)
        if self._cited and quotes:
            text, verbatim = self._cited.text.strip(), self._cited.all_cited
        cited = {source.path for source in self.sources}
        told = [one for one in noted if not self._answered or cited & set(one.paths)]
        notes = [f"{display(one.path)}: {note}" for one in told for note in one.notes]
        how = (self.timings, self._reader, quotes, verbatim, notes)
        return Answer(self.question, text, self._answered, self.memory_only, self.sources, *how)
