"""What an answer was read from: the sentence that its words stand in, so that it can be checked at a glance.

No model: the answer's words are looked up in the passages that were shown. Where they stand more than once, the
question decides, by the words that it shares with each sentence and with what is around it; rare words count for more.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from infinidoc.documents.sentences import sentences
from infinidoc.documents.wording import WORD, Letters, content, stems

# What stands around a sentence counts less than itself: before it, after it, in its passage, in the passage's title.
BEFORE, AFTER, PASSAGE, TITLE = 0.5, 0.3, 0.2, 0.2
OF_ANSWER = 2.0  # a word of an answer that doesn't stand there as it is, over a word of the question
EXACT = 0.5  # where case and punctuation are the same too
ALIKE = 20.0  # what is wholly alike, over a word that stands in every sentence
RANK = 0.01  # from passage to passage
SUPPORTED = 0.5  # of a sentence's words, by weight, that a passage must have to be cited for it
ADDED = 0.25  # of them that a second passage must add

EARLIER = re.compile(r"(.*\S)\s*\((?:an )?earlier version says (.*)\)\.?", re.IGNORECASE | re.DOTALL)
YES_OR_NO = re.compile(r"(?:yes|no|ja|nein|oui|non|s[íì]|si)\b[\s,.;:!]*", re.IGNORECASE)
ITEMS = re.compile(r"\s*[;,]\s*(?:(?:and|or|und|oder|et|ou|y|e|o)\s+)?|\s+(?:and|or|und|oder|et|ou|y|e|o)\s+|\s*\n\s*")


@dataclass(frozen=True)
class Shown:
    """A passage that a reader was shown: its document, its text, and where that begins there. `locate` names the place
    of a character of the document: "page 3"."""

    document: str
    text: str
    start: int = 0
    locate: Callable[[int], str] = lambda offset: ""


@dataclass(frozen=True)
class Quote:
    """What an answer was read from: `text` is its document's [start:end], and stands in the passage number `source`
    (from 0).

    `marks` are the (start, end) of the answer's words in `text`. `verbatim` says whether they stand there as in the
    answer, but for case, punctuation, articles and space; else this is only the likeliest sentence.
    """

    text: str
    document: str
    place: str
    source: int
    start: int
    end: int
    marks: tuple[tuple[int, int], ...]
    verbatim: bool


def find_quotes(
    answer: str, question: str, shown: Sequence[Shown], alike: Callable[[], Sequence[float]] | None = None
) -> list[Quote]:
    """The sentence that an answer was read from; one for each part, in the answer's order, where it has several.

    Parts are the items of a list, the two of "X (an earlier version says Y)", and the sentences of a long answer. Of
    "Yes" and "No" there are no words to find: the quote is what fits the question best, also by `alike`, which says for
    all sentences of the passages how alike a model finds them and the question. Empty without passages.
    """
    pages = _Pages(shown, question, alike)
    found: dict[tuple[int, int, int], Quote] = {}
    versions = EARLIER.fullmatch(answer.strip())
    for part in versions.groups() if versions else (answer.strip(),):
        for quote in pages.quotes(part) if pages.sentences else ():
            other = found.setdefault((quote.source, quote.start, quote.end), quote)
            marks, verbatim = _united([*other.marks, *quote.marks]), other.verbatim and quote.verbatim
            found[quote.source, quote.start, quote.end] = replace(other, marks=marks, verbatim=verbatim)
    return list(found.values())


def is_verbatim(answer: str, quotes: Sequence[Quote]) -> bool | None:
    """Whether all of an answer's words stand in its quotes; None for a mere yes or no, and where nothing was shown."""
    if not quotes or YES_OR_NO.fullmatch(answer.strip()):
        return None
    return all(quote.verbatim for quote in quotes)


def marked(question: str, text: str) -> tuple[tuple[int, int], ...]:
    """The (start, end) of the words of a text that a question asks about, in whatever form it has them."""
    wanted = content(question)
    return tuple(word.span() for word in WORD.finditer(text) if wanted.intersection(stems(word[0])))


def gist(question: str, shown: Sequence[Shown], count: int) -> list[tuple[str, str]]:
    """The `count` sentences that fit a question best, as their passages have them: (document, text), best first.

    Those that follow each other stay together, as they stand there; else each has a line.
    """
    pages = _Pages(shown, question)
    best = sorted(range(len(pages.sentences)), key=lambda number: -pages.fit(number, number))[:count]
    texts = {pages.sentences[number].source: "" for number in best}
    last = -1
    for number in sorted(best):
        sentence = pages.sentences[number]
        text, start = shown[sentence.source].text, sentence.start
        if texts[sentence.source]:
            follows = number == last + 1
            texts[sentence.source] += text[pages.sentences[last].end : start] if follows else "\n"
        texts[sentence.source] += text[start : sentence.end]
        last = number
    return [(shown[source].document, text) for source, text in texts.items()]


def cite(text: str, shown: Sequence[Shown]) -> str:
    """The text with [n] after each sentence, n being the number (from 1) of the passage that says so.

    A sentence that no passage bears out, or only one with another number in it, gets none.
    """
    pages = _Pages(shown, "")
    cited, last = "", 0
    for start, end in sentences(text):
        numbers = "".join(f" [{source + 1}]" for source in pages.sources(text[start:end]))
        cited += text[last:end] + numbers
        last = end
    return cited + text[last:]


class Citing:
    """Hands a text on as it comes, sentence by sentence, each with the [n] that `cite` gives it; "" while none
    is whole, so that whoever listens may end it."""

    def __init__(self, shown: Sequence[Shown], on_text: Callable[[str], None]):
        self.text, self.all_cited = "", True
        self._shown, self._on_text, self._pending = shown, on_text, ""

    def add(self, text: str) -> None:
        self._pending += text
        *_, (last, _) = sentences(self._pending) or [(0, 0)]
        if last:  # those before it are whole
            self._hand_on(self._pending[:last])
            self._pending = self._pending[last:]
        else:
            self._on_text("")

    def close(self, refused: bool = False) -> None:
        """Hands on what is left; a refusal as it is."""
        if refused:
            self.text += self._pending
            self._on_text(self._pending)
        elif self._pending.strip():
            self._hand_on(self._pending)
        self._pending = ""

    def _hand_on(self, text: str) -> None:
        cited = cite(text, self._shown)
        self.all_cited = self.all_cited and cited != text
        self.text += cited
        self._on_text(cited)


def _united(marks: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """In order; those that overlap as one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(marks):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return tuple(united)


@dataclass(frozen=True)
class _Sentence:
    source: int
    start: int  # in its passage, as is the end
    end: int
    words: frozenset[str]


class _Pages:
    """The passages that were shown, sentence by sentence, and how well each sentence fits a question."""

    def __init__(self, shown: Sequence[Shown], question: str, alike: Callable[[], Sequence[float]] | None = None):
        self.shown, self.question, self.alike = shown, content(question), alike
        self.sentences = [
            _Sentence(source, start, end, content(one.text[start:end]))
            for source, one in enumerate(shown)
            for start, end in sentences(one.text)
        ]
        self.words = [content(one.text) for one in shown]
        self.titles = [content(f"{one.document} {one.locate(one.start)}") for one in shown]
        self.counts = Counter(word for sentence in self.sentences for word in sentence.words)

    @cached_property
    def letters(self) -> list[tuple[Letters, Letters]]:
        """Of each passage, with articles and without."""
        return [(Letters(one.text), Letters(one.text, articles=False)) for one in self.shown]

    def weight(self, words: Iterable[str]) -> float:
        """How much words say: rare ones more."""
        return sum(math.log(1 + len(self.sentences) / max(1, self.counts[word])) for word in words)

    def fit(self, first: int, last: int) -> float:
        """How well the sentences from first to last suit the question, with what stands around them."""
        source = self.sentences[first].source
        around = (
            (1.0, frozenset().union(*(self.sentences[index].words for index in range(first, last + 1)))),
            (BEFORE, self._neighbour(first - 1, source)),
            (AFTER, self._neighbour(last + 1, source)),
            (PASSAGE, self.words[source]),
            (TITLE, self.titles[source]),
        )
        total, left = -RANK * source, self.question
        for factor, words in around:
            total += factor * self.weight(left & words)
            left -= words
        return total

    def _neighbour(self, index: int, source: int) -> frozenset[str]:
        there = 0 <= index < len(self.sentences) and self.sentences[index].source == source
        return self.sentences[index].words if there else frozenset()

    def quotes(self, part: str) -> list[Quote]:
        if YES_OR_NO.fullmatch(part):
            return [self._likeliest("", self.alike() if self.alike else ())]
        if whole := self._found(part):
            return [whole]
        if reason := YES_OR_NO.match(part):
            return self.quotes(part[reason.end() :])
        if len(told := sentences(part)) > 1:
            return [quote for start, end in told for quote in self.quotes(part[start:end])]
        items = {item: self._places(item) for item in ITEMS.split(part) if WORD.search(item)}
        if len(items) > 1 and all(items.values()):
            return self._of_items(list(items.values()))
        return [self._likeliest(part)]

    def _places(self, part: str) -> list[tuple[int, int, int]]:
        """Where words stand: (source, start, end) of each occurrence, in the passages."""
        for kind, articles in enumerate((True, False)):
            wanted = Letters(part, articles)
            places = [(source, *place) for source, both in enumerate(self.letters) for place in both[kind].find(wanted)]
            if places:
                return places
        bare = part.strip()  # of signs alone
        if bare and not WORD.search(bare):
            return [
                (n, m.start(), m.end())
                for n, one in enumerate(self.shown)
                for m in re.finditer(re.escape(bare), one.text)
            ]
        return []

    def _spanned(self, source: int, start: int, end: int) -> tuple[int, int]:
        """The numbers of the first and the last sentence that a place touches."""
        touched = [n for n, s in enumerate(self.sentences) if s.source == source and s.start < end and start < s.end]
        return touched[0], touched[-1]

    def _found(self, part: str) -> Quote | None:
        places = self._places(part)
        if not places:
            return None
        scored = []
        for source, start, end in places:
            span = self._spanned(source, start, end)
            exact = self.shown[source].text[start:end] == part
            scored.append((self.fit(*span) + EXACT * exact, -source, -start, span))
        return self._quote(*max(scored)[-1], places, True)

    def _of_items(self, items: list[list[tuple[int, int, int]]]) -> list[Quote]:
        """As few sentences as hold all the items of a list, of each its places; by the first item of each."""
        holders: dict[tuple[int, int], set[int]] = {}
        for number, places in enumerate(items):
            for place in places:
                holders.setdefault(self._spanned(*place), set()).add(number)
        everywhere = [place for places in items for place in places]
        left, quotes = set(range(len(items))), {}
        while left:
            best = max(holders, key=lambda span: (len(holders[span] & left), self.fit(*span)))
            quotes[min(holders[best] & left)] = self._quote(*best, everywhere, True)
            left -= holders[best]
        return [quotes[number] for number in sorted(quotes)]

    def _likeliest(self, part: str, alike: Sequence[float] = ()) -> Quote:
        """The sentence that shares most with the question and with words that stand nowhere as they are."""
        wanted = content(part)
        best = max(
            range(len(self.sentences)),
            key=lambda n: (
                OF_ANSWER * self.weight(wanted & self.sentences[n].words)
                + self.fit(n, n)
                + (ALIKE * alike[n] if alike else 0)
            ),
        )
        sentence = self.sentences[best]
        text = self.shown[sentence.source].text[sentence.start : sentence.end]
        begin = sentence.start
        places = [(sentence.source, begin + first, begin + last) for first, last in marked(part, text)]
        return self._quote(best, best, places, False)

    def _quote(self, first: int, last: int, places: Iterable[tuple[int, int, int]], verbatim: bool) -> Quote:
        source, start, end = self.sentences[first].source, self.sentences[first].start, self.sentences[last].end
        marks = sorted(
            {(a - start, b - start) for where, a, b in places if where == source and start <= a and b <= end}
        )
        one = self.shown[source]
        first_of, last_of, place = one.start + start, one.start + end, one.locate(one.start + start)
        return Quote(one.text[start:end], one.document, place, source, first_of, last_of, _united(marks), verbatim)

    def sources(self, sentence: str) -> list[int]:
        """The passage that bears out a sentence, and the one that adds most to it, if it adds enough; best first."""
        wanted = content(sentence)
        numbers = frozenset(word for word in wanted if word[0].isdigit())
        found: list[int] = []
        covered: frozenset[str] = frozenset()
        for needed in (SUPPORTED, ADDED):
            gains = [self.weight((wanted & words) - covered) for words in self.words]
            best = max(range(len(gains)), key=lambda n: (gains[n], -n), default=None)
            if best is None or gains[best] < needed * self.weight(wanted):
                break
            found.append(best)
            covered |= wanted & self.words[best]
        return found if numbers <= covered else []
