"""Made-up documents with questions and answers: what a reader and an address head are trained on beside real ones.

The kinds of documents are text files in `kinds/`, in the form that `grammar.py` explains. Names and numbers come from
spaces too large to guess, so that an answer can only be had from the passage. A question whose sentence happens to be
left out, or that asks about a stranger, is one that the passage cannot answer.
"""

import functools
import re
from dataclasses import dataclass
from importlib.resources import files
from random import Random

from infinidoc.made.grammar import Facts, Kind, choose, names, tell

_LENGTHS = range(40, 161)  # words
_ASKED = 6
_UNANSWERABLE = 4
_OPENINGS = (
    "Can you tell me: {}", "Could you look this up? {}", "I'd like to know: {}", "do you know? {}", "hi, {}",
    "According to the documents, {}", "Please find out: {}", "Quick question: {}", "I need to know this: {}",
    "Going by the text, {}", "Does it say anywhere: {}", "One more thing, {}", "{} I can't find it.", "Remind me: {}",
    "{} Please be brief.", "Tell me, {}", "From what was written: {}", "I forgot, {}",
)  # fmt: skip
_SMALL = frozenset(
    (
        "who",
        "whom",
        "whose",
        "what",
        "which",
        "when",
        "where",
        "why",
        "how",
        "in",
        "on",
        "at",
        "to",
        "by",
        "for",
        "from",
    )
)


@dataclass(frozen=True)
class Asked:
    """A question and its answer, a short span that stands word for word in the passage."""

    question: str
    answer: str


@dataclass(frozen=True)
class MadePassage:
    """A passage of 40 to 160 words, questions that it answers, and some that it seems to answer but doesn't."""

    text: str
    asked: tuple[Asked, ...]
    kind: str
    unanswerable: tuple[str, ...]


def passage(rng: Random, kind: str | None = None) -> MadePassage:
    """A new passage, of a random kind unless one is named. Raises KeyError if there is no such kind."""
    grammar = kinds()[kind or rng.choice(sorted(kinds()))]
    while True:
        facts = Facts.draw(grammar, rng)
        text, told = tell(grammar, facts, rng)
        if len(text.split()) not in _LENGTHS:
            continue
        asked, untold = _questions(grammar, facts, text, told, rng)
        if len(asked) >= 2 and untold:
            return MadePassage(text, asked, grammar.name, untold)


@functools.cache
def kinds() -> dict[str, Kind]:
    """All kinds of documents by name."""
    folder = files(__package__) / "kinds"
    return {
        (name := file.name.removesuffix(".txt")): Kind.parse(name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".txt")
    }


def _questions(
    grammar: Kind, facts: Facts, text: str, told: set[str], rng: Random
) -> tuple[tuple[Asked, ...], tuple[str, ...]]:
    asked: list[tuple[str, str]] = []
    absent = list(grammar.never)
    for slot, line in grammar.questions:
        row = str(rng.randint(1, max(facts.rows, 1)))
        slot, question = slot.replace("#", row), choose(line, rng).replace("#", row)
        if slot not in told:
            absent.append(question)
        elif facts.told_of(question, told) and (answer := _span(facts.values[slot], text)):
            asked.append((question, answer))
    rng.shuffle(asked)
    rng.shuffle(absent)
    unanswerable = [facts.fill(choose(question, rng), rng) for question in absent[: _UNANSWERABLE - 1]]
    for question, _ in rng.sample(asked, len(asked)):
        if len(unanswerable) < _UNANSWERABLE and (strange := _of_a_stranger(grammar, facts, question, text, rng)):
            unanswerable.append(strange)
    return (
        tuple(Asked(_phrase(facts.fill(question, rng), rng), answer) for question, answer in asked[:_ASKED]),
        tuple(_phrase(question, rng) for question in unanswerable),
    )


def _of_a_stranger(grammar: Kind, facts: Facts, question: str, text: str, rng: Random) -> str | None:
    """The question about something of the same sort that the text doesn't mention; None if it is about nothing such."""
    marked = {name.rstrip("#") for name in grammar.swapped}
    used = names(question)
    direct = [slot for slot in facts.values if slot.rstrip("0123456789") in marked]
    swappable = [slot for slot in direct if {slot, *facts.made_from(slot)} & used]
    if not swappable:
        return None
    other = facts.swap({rng.choice(swappable)}, rng)
    changed = [name for name in used if name in facts.values and other.values[name] != facts.values[name]]
    if not changed or any(_span(other.values[name], text) for name in changed):
        return None
    return other.fill(question, rng)


def _span(value: str, text: str) -> str | None:
    """The value as the text has it, whole words only; None if it doesn't stand there."""
    match = re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE)
    return match[0] if match else None


def _phrase(question: str, rng: Random) -> str:
    """The question as somebody might put it: with a capital and a mark, or all in a hurry."""
    style = rng.random()
    if style < 0.12:
        return question.lower().rstrip("?.")
    if style < 0.18:
        return question.rstrip("?.")
    if style < 0.3:
        opening = rng.choice(_OPENINGS)
        first = question.split()[0].lower()
        small = question[:1].lower() + question[1:] if first in _SMALL else question
        return opening.format(question if opening.startswith("{}") else small)
    return question[:1].upper() + question[1:]


_NEAR = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jilm",
    "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip


def typos(text: str, rng: Random) -> str:
    """The text with one or two typing slips: letters swapped, left out, doubled, hit beside, or a space forgotten.

    Words of fewer than four letters and those with digits are left alone, as a slip there would change what is asked.
    """
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    for at in rng.sample(places, min(len(places), rng.randint(1, 2))):
        word = words[at]
        place = rng.randrange(1, len(word) - 1)
        before, here, next_, rest = word[:place], word[place], word[place + 1], word[place + 2 :]
        words[at] = rng.choice(
            (
                before + next_ + here + rest if here != next_ else before + here + rest,
                before + next_ + rest,
                before + here + here + next_ + rest,
                before + rng.choice(_NEAR.get(here.lower(), "e")) + next_ + rest,
            )
        )
    return " ".join(words)


_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d+\b")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w'’-]+(?: (?:of |de |van )?[A-Z][\w'’-]+)*")
_PROPER = r"[A-Z][\w'’-]+(?:,? [A-Z][\w'’-]+)*"
_BLANKS = (
    'Complete from the text: "{}"', 'Fill in the blank: "{}"', 'What belongs in the gap? "{}"', "{}",
    'Which word or number is missing: "{}"', 'Finish what the document says: "{}"', "Replace the blank. {}",
)  # fmt: skip
_NO_SUBJECT = "In|On|At|By|From|After|Before|During|It|He|She|They|We|I|This|That|There|These|His|Her|Its"
_SUBJECT = rf"(?P<s>(?!(?:{_NO_SUBJECT})\b)(?:The |A |An )?[A-Z][^,;:()]{{2,60}}?)"
_VERBS = "born|founded|built|opened|established|created|published|killed|elected|completed|introduced|invented|signed"
_RULES = tuple(
    (re.compile(pattern), questions)
    for pattern, questions in (
        (rf"^{_SUBJECT} (?P<b>was|were) (?P<v>{_VERBS}) (?:on|in) (?P<a>[^,.;]*\b\d{{4}})\b",
         ("When {b} {s} {v}?", "In what year {b} {s} {v}?", "{s}: {v} when?")),
        (rf"^{_SUBJECT} (?P<b>was|were) (?P<v>{_VERBS}) in (?P<a>{_PROPER})",
         ("Where {b} {s} {v}?", "In which place {b} {s} {v}?", "where {b} {s} {v}")),
        (rf"^{_SUBJECT} (?P<b>was|were|is|are) (?P<v>\w+ed|built|written|led|made|won) by (?P<a>{_PROPER})",
         ("Who {v} {s}?", "By whom {b} {s} {v}?", "{s} {b} {v} by whom?")),
        (rf"^{_SUBJECT} (?P<b>is|was|are|were) (?P<a>(?:an?|the) [^,.;()]{{4,60}})[,.;]",
         ("What {b} {s}?", "How is {s} described?")),
        (r"^In (?P<a>\d{4}),? (?P<s>[^,;]{3,50}) (?P<b>was|were) (?P<v>\w+ed|built|made|won|sold)\b(?P<r>[^,.;]{0,50})",
         ("In what year {b} {s} {v}{r}?", "When {b} {s} {v}{r}?", "What year was it that {s} {b} {v}{r}?")),
    )
)  # fmt: skip


def cloze(sentences: list[str], rng: Random) -> Asked | None:
    """A question on one of the sentences of a real document: a wh-question where a rule fits, or a gap to be filled.

    The answer is a number, date or name in the middle of the sentence; None if no sentence has one.
    """
    for sentence in rng.sample(sentences, len(sentences)):
        sentence = " ".join(sentence.split())
        if not 6 <= len(sentence.split()) <= 60:
            continue
        if rng.random() < 0.7 and (asked := _wh_question(sentence, rng)):
            return asked
        whole = (name for name in _NAME.finditer(sentence) if sentence[: name.start()].split()[-1][0].islower())
        if spans := [*_NUMBER.finditer(sentence), *whole]:
            span = rng.choice(spans)
            gap = f"{sentence[: span.start()]}{rng.choice(('____', '...', '___'))}{sentence[span.end() :]}"
            return Asked(rng.choice(_BLANKS).format(gap), span[0])
    return None


def _wh_question(sentence: str, rng: Random) -> Asked | None:
    for pattern, questions in rng.sample(_RULES, len(_RULES)):
        if match := pattern.search(sentence):
            groups = match.groupdict()
            subject = re.sub(r"^(?:The|An?)\b", lambda word: word[0].lower(), groups["s"])
            question = rng.choice(questions).format(**{**groups, "s": subject})
            return Asked(question[:1].upper() + question[1:], groups["a"].strip())
    return None
