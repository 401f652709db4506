"""Questions that lean on what was asked before: "and how long does it take?"

Rules, no model. A question leans if it opens like a continuation, points back with a pronoun, or names nothing of its
own but what was being talked about. Then the subject is added to it, for the search and for the reader alike; any other
question stays as it is. English first; the commonest words of German, French, Spanish and Italian.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from infinidoc.documents.wording import WORD, content
from infinidoc.reading.quoting import YES_OR_NO


@dataclass(frozen=True)
class Turn:
    """A question as it was asked, its answer, and the passage that this was read from."""

    question: str
    answer: str = ""
    passage: str = ""


OPENING = re.compile(
    r"\W*(?:and|but|or|also|(?:and )?(?:what|how) about|what (?:if|else)|und|aber|oder|auch"
    r"|was ist mit|wie steht es mit|et|mais|qu['’]en est-il|y|pero|qué hay de|qué tal|e|ed|ma)\b",
    re.IGNORECASE,
)
PERSON = re.compile(
    r"\b(?:he|him|his|she|hers?|they|them|theirs?|er|ihm|ihn|sie|ihre?[nmrs]?|seine?[nmrs]?|lui|leurs?|ses"
    r"|él|ellas?|ellos|sus|suo|sua|lei|loro)\b|(?:-|qu['’])(?:il|elle)s?\b",
    re.IGNORECASE,
)
THING = re.compile(
    r"\b(?:its?(?! (?:cost|take|possible|allowed|necessary) to)|\w+t es"
    r"|dessen|deren|davon|dafür|damit|daran|cela|ça|celui-ci|celle-ci|eso|esto|ciò)\b"
    r"|(?<!is )(?<!are )(?<!was )(?<!were )\b(?:there|dort|là|allí|lì)\b"
    r"|\b(?:does|did|is|was|for|about|of|in|with|before|after|at) (?:that|this|these|those)(?= \w+(?:e|s|ed)?\b|\W*$)"
    r"|\bthe (?:first|second|last|other) one\b|\b(?:ones?|das|questo)\W*$",
    re.IGNORECASE,
)
NAME = re.compile(
    r"(?:[A-ZÀ-Þ][\w'’.-]*|(?:[a-z]+\s+)?\w*\d\w*)"
    r"(?:\s+(?:(?:of|the|and|for|de|del|della|di|du|des|der|von|van|y|et|und|e|&)\s+){0,2}(?:[A-ZÀ-Þ][\w'’.-]*|\w*\d\w*))*"
)
LIGHT = content(
    "cost price fee charge pay money open opening close hour time day month year week long old big high far often name "
    "call start begin end last happen allow need bring work run lead person people thing number place kind way reason "
    "since back company firm colour size weight sing "
    "kosten preis öffnen beginnen dauern lange heißen arbeiten leiten jahr tag zeit ort "
    "coûter prix ouvrir commencer durer longtemps temps année jour heure nom "
    "costar cuesta precio abrir abre empieza dura tiempo año día hora nombre "
    "costa prezzo aprire apre inizia dura tempo anno giorno ora nome"
)
ASKING = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|wer|wem|was|wann|wo|warum|wie|welche[rsnm]?|qui|que|quoi|quand|où"
    r"|pourquoi|comment|combien|quel(?:le)?s?|quién|qué|cuándo|dónde|cómo|cuánt[oa]s?|cuál|chi|quando|dove|perché|quant[oaie])\b",
    re.IGNORECASE,
)
VERB = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|may|must|should|will"
    r"|ist|sind|war|waren|hat|haben|kann|wird|est|sont|était|a|ont|es|son|está|están|fue|tiene|è|sono|ha|hanno)\b",
    re.IGNORECASE,
)
PREPOSITION = re.compile(
    r"^(?:for|of|at|in|on|to|from|with|about|by|für|von|bei|im|pour|de|du|des|à|para|en|per|di|del)\s+",
    re.IGNORECASE,
)
# No subject by itself: a day, a month, a season, a number.
DATE = re.compile(
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|may|june|july|august|september"
    r"|october|november|december|spring|summer|autumn|winter|sommer|herbst|frühling|today|tomorrow|tonight|weekends?"
    r"|holidays?|mornings?|evenings?|(?:next|last|this) \w+|heute|morgen|[\d\W]+|\s)+",
    re.IGNORECASE,
)
# "the sweep, when does it come?": what is named before the comma is what the pronoun after it stands for.
TOPIC = re.compile(rf"([^,]*\w),\s*(?={ASKING.pattern}|{VERB.pattern})", re.IGNORECASE)
WHEN_OR_WHERE = re.compile(r"(?:in|on|at|during|before|after|if|im|am|bei|en|au|a|d['’])\b", re.IGNORECASE)
SHORT = 3  # words: no question of that many says what it is about
FEW = 2  # words of its own with which a question can still be about what was being talked of
GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|des|ist|sind|und|wann|wer|wie|wo|warum|wird|wurde|ein|eine[nmrs]?|hat)\b"
)


def leans(question: str, before: Sequence[Turn]) -> bool:
    """Whether a question can only be understood from those before it."""
    if not before:
        return False
    if OPENING.match(question):
        return True
    own = [] if GERMAN.search(question.lower()) else names(question)  # where every noun is written like a name
    named = own[0].start() if own else len(question)
    for pattern in (PERSON, THING):
        back = pattern.search(question)
        if back and back.start() < named and len(content(question[: back.start()])) < 3:
            return True
    if own:
        return False
    nouns = content(question) - LIGHT
    if not nouns or len(WORD.findall(question)) <= SHORT:
        return True
    return len(nouns) <= FEW and nouns <= _known(before[-1]) if before[-1].passage else len(nouns) == 1


def with_context(question: str, before: Sequence[Turn]) -> str:
    """A question that leans, with what it leans on, to be searched and read by itself; any other as it is.

    "Who runs it?" becomes "Who runs it? (Salt Museum)"; "And the Toy Museum?" takes the place of the Salt Museum in the
    question before.
    """
    if not leans(question, before):
        return question
    if other := _other_subject(question, before[-1]):
        if TOPIC.match(other) or ASKING.search(other):
            return question
        return _put_into(with_context(before[-1].question, before[:-1]), other)
    subject = ", ".join(filter(None, dict.fromkeys((_subject(before), _named(before[-1].answer)))))
    return f"{question} ({subject})" if subject else question


def names(text: str) -> list[re.Match[str]]:
    """What is written like a name, but for the first word."""
    first = WORD.search(text)
    begin = first.end() if first else 0
    return [found for found in NAME.finditer(text, begin) if found[0] not in ("I", "I'm", "I’m")]


def _known(turn: Turn) -> frozenset[str]:
    return content(f"{turn.question} {turn.answer} {turn.passage}")


def _other_subject(question: str, last: Turn) -> str:
    """What a question that only begins like a continuation turns to, if that was not in the passage before."""
    opening = OPENING.match(question)
    if not opening:
        return ""
    rest = question[opening.end() :].strip()
    topic = TOPIC.match(rest)
    named = topic[1] if topic else rest
    if THING.search(named) or DATE.fullmatch(named):
        return ""
    own = [name for name in names(f"And {rest}") if not DATE.fullmatch(name[0])]
    if WHEN_OR_WHERE.match(rest) and not own:
        return ""
    return rest if content(named) - LIGHT - _known(last) else ""


def _put_into(question: str, other: str) -> str:
    """The question, asked about something else."""
    phrase = PREPOSITION.sub("", other).rstrip(" ?.!")
    old = names(question)
    if old:
        begin, end = question[: old[-1].start()], question[old[-1].end() :]
        if re.search(r"\bthe\s+$", begin):
            phrase = re.sub(r"^the\s+", "", phrase)
        return begin + phrase + re.sub(r"^['’]s?", "", end)
    verb = VERB.search(question)
    return f"{question[: verb.end()]} {phrase}?" if verb else f"{phrase}?"


def _subject(before: Sequence[Turn]) -> str:
    """What the last questions were about: the names in the latest one that stood alone, else its own words."""
    *earlier, last = before
    if leans(last.question, earlier) and not _other_subject(last.question, earlier[-1]):
        return _subject(earlier)
    asked = with_context(last.question, earlier)
    found = [name[0] for name in names(asked) if not DATE.fullmatch(name[0])]
    return (
        ", ".join(found)
        if found
        else " ".join(word for word in WORD.findall(asked) if len(word) > 1 and content(word) - LIGHT)
    )


def _named(answer: str) -> str:
    """An answer that is somebody's name, or something's."""
    short = len(answer.split()) <= 5 and not YES_OR_NO.match(answer) and not any(sign.isdigit() for sign in answer)
    return answer.rstrip(".") if short and answer[:1].isupper() else ""
