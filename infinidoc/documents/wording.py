"""Words, however they are written: found again in other case, punctuation, spacing or composition of letters."""

import re
import unicodedata
from importlib.resources import files

ARTICLES = frozenset(("a", "an", "the"))
WORD = re.compile(r"\w+")
# Words that sentences are held together with, a line for each language: they say nothing of what a sentence is about.
LANGUAGES = ("en", "de", "fr", "es", "it")
_OF_LANGUAGE = {
    name: frozenset(line.split())
    for name, line in zip(
        LANGUAGES, files(__package__).joinpath("function_words.txt").read_text("utf-8").splitlines(), strict=True
    )
}
FUNCTION = frozenset().union(*_OF_LANGUAGE.values())
PREFIX = 5  # characters by which the forms of a word are told to be the same
JOINTS = ".,:'’"  # between the digits of one number
# Thai to Khmer, kana and Han: written without a space between words.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

# What tells several of a thing from one, in English and, of longer words, in German.
_SEVERAL = [
    (re.compile(pattern, re.IGNORECASE), one)
    for pattern, one in (
        (r"ies$", "y"),
        (r"([sxz]|[cs]h)es$", r"\1"),
        (r"(?<=\w{3})(?<!s)s$", ""),
        (r"(?<=\w{5})(?:en?|n)$", ""),
    )
]
_ENDINGS = r"(?:(?<!\d)(?:e?s|en?|n))?"


def stems(text: str) -> list[str]:
    """A text's words in order, lower case and cut to a prefix; numbers whole; unspaced scripts sign by sign."""
    found = []
    for word in WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _UNSPACED.search(word):
            found += list(word)
        elif word[0].isdigit():
            found.append(word)
        else:
            found.append(stem(word))
    return found


def content(text: str) -> frozenset[str]:
    """The stems of a text's words but for those that hold sentences together."""
    words = unicodedata.normalize("NFKC", text).casefold()
    return frozenset(stems(" ".join(word for word in WORD.findall(words) if word not in FUNCTION)))


def stem(word: str) -> str:
    """The beginning that the forms of a lower-case word share, more or less."""
    short = word.removesuffix("s").removesuffix("e") if len(word) > 3 else word
    return re.sub(r"y$", "i", short)[:PREFIX]  # city, cities


def language(text: str, beside: str = "") -> str:
    """Which of `LANGUAGES` a text is in, by the words that hold it together.

    Where it has as many of several, what stands `beside` it decides among these, and English where nothing does.
    """
    likeliest = list(LANGUAGES)
    for each in (text, beside):
        words = WORD.findall(unicodedata.normalize("NFKC", each).casefold())
        counts = {name: sum(word in _OF_LANGUAGE[name] for word in words) for name in likeliest}
        likeliest = [name for name in likeliest if counts[name] == max(counts.values())]
    return likeliest[0]


def in_any_number(word: str) -> re.Pattern[str]:
    """Finds a word where it stands whole, as one or as several: invoice, invoices; Rechnung, Rechnungen."""
    if _UNSPACED.search(word):
        return re.compile(re.escape(word))
    one = {word, *(ending.sub(instead, word) for ending, instead in _SEVERAL)}
    forms = {f"{re.escape(base)}{_ENDINGS}" for base in one} | {
        re.escape(base[:-1]) + "ies" for base in one if base[-1:] in "yY"
    }
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(forms)})(?![^\W_])", re.IGNORECASE)


class Letters:
    """A text's letters and digits alone, lower case, decomposed (`signs`), each with the place that it came from.

    Neither space, line ends and hyphens inside a word nor punctuation keep two texts from being alike. `articles`
    says whether a, an and the count.
    """

    def __init__(self, text: str, articles: bool = True):
        self.text = text
        left_out = set() if articles else {place for found in WORD.finditer(text) for place in _article(found)}
        signs: list[str] = []
        places: list[int] = []
        for place, character in enumerate(text):
            if place in left_out:
                continue
            for sign in unicodedata.normalize("NFKD", character.casefold()):
                if sign.isalnum() or unicodedata.category(sign)[0] == "M":
                    signs.append(sign)
                    places.append(place)
        self.signs, self.places = "".join(signs), places

    def find(self, wanted: "Letters") -> list[tuple[int, int]]:
        """The (start, end) in this text of every place where the other one's words stand whole; they may overlap."""
        found = []
        size = len(wanted.signs)
        first = self.signs.find(wanted.signs) if size else -1
        while first >= 0:
            if self._is_edge(first) and self._is_edge(first + size):
                found.append((self.places[first], self.places[first + size - 1] + 1))
            first = self.signs.find(wanted.signs, first + 1)
        return found

    def _is_edge(self, sign: int) -> bool:
        """Whether a word or a number begins or ends before this sign."""
        if sign in (0, len(self.signs)):
            return True
        before, after = self.places[sign - 1], self.places[sign]
        left, right = self.text[before], self.text[after]
        if before == after or unicodedata.category(self.signs[sign])[0] == "M":
            return False
        between = "".join(c for c in self.text[before + 1 : after] if unicodedata.category(c) != "Cf")
        if between:
            return not (len(between) == 1 and between in JOINTS and left.isdigit() and right.isdigit())
        if _UNSPACED.match(left) or _UNSPACED.match(right):
            return True
        return left.isdigit() and right.isalpha()


def _article(word: re.Match[str]) -> range:
    return range(*word.span()) if word[0].lower() in ARTICLES else range(0)
