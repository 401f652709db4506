"""Dates and names in full: "15 May 2017" where a reader says "2017", "Francis Galton" where it says "Galton".

Rules, no model: only what is asked for (when, who), and only words that stand beside the answer where it was read.
English, German, French, Spanish and Italian.
"""

import re
from collections.abc import Sequence
from itertools import product

from infinidoc.documents.wording import FUNCTION, WORD, content
from infinidoc.reading.quoting import Quote

_MONTH = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|januar|jänner|februar|märz|mai|juni|juli|oktober|dezember"
    "|janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre"
    "|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    "|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
)
_DAY = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend"
    r"|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
    r"|(?:lune|marte|mercole|giove|vener)dì|sabato|domenica"
)
_DATE = re.compile(
    rf"(?<!\w)(?:(?:{_DAY}),? (?:den |le |el )?)?"
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|er|\.|º|°)?(?: of| de)? (?:{_MONTH})(?:,?(?: de[l]?)? \d{{4}})?"
    rf"|(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?"
    rf"|(?:{_MONTH})(?:,?(?: of| de[l]?)? \d{{4}}))(?!\w)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<!\w)[A-ZÀ-Þ][\w'’-]+(?: [A-ZÀ-Þ][\w'’-]+)+")
_WHEN = re.compile(
    r"\b(?:when|(?:what|which) da(?:te|y)|wann|quand|cuándo|quando"
    r"|(?:welche[mnrs]?|quelle?|qué|che) (?:tag|datum|date|jour|fecha|día|data|giorno))\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"\b(?:who|whom|wer|wen|wem|qui|quién|chi)\b", re.IGNORECASE)


def whole(answer: str, question: str, quotes: Sequence[Quote]) -> str:
    """The date or the name of which the answer is a part, in the sentence that it was read from; else the answer."""
    if len(quotes) != 1:
        return answer
    text = quotes[0].text
    units: list[tuple[int, int]] = []
    if _WHEN.search(question):
        units += [found.span() for found in _DATE.finditer(text)]
    if _WHO.search(question) and answer[:1].isupper() and len(answer.split()) == 1:
        units += [_name(found) for found in _NAME.finditer(text)]
    places = [(start, end) for start, end in quotes[0].marks if text[start:end].casefold() == answer.casefold()]
    for (first, last), (start, end) in product(units, places):
        added = f"{text[first:start]} {text[end:last]}"
        if first <= start and end <= last and WORD.search(added) and not content(added) & content(question):
            return text[first:last]
    return answer


def _name(found: re.Match[str]) -> tuple[int, int]:
    """Where it stands, without a word that only begins the sentence."""
    first, _, rest = found[0].partition(" ")
    start = found.end() - len(rest) if first.lower() in FUNCTION else found.start()
    return start, found.end() - 2 * found[0].endswith(("'s", "’s"))
