"""A small grammar for made-up documents: text files in `kinds/` say what is drawn, how it is told and what is asked.

A file has sections. `== slots` names the values that are drawn once per document, in order; `*` marks those that tell
one document from another and may be swapped for a stranger. `== text` (joined by spaces) and `== lines` (joined by line
breaks) are ways to tell them, of which one is taken: a line is a sentence, `?` before it makes it optional, `~` lets it
change places with its neighbours. `== questions` has `slot: question | question`, and `== never` questions whose answer
is never told. `[a|b]` takes one of the two, `{slot}` a value, `{^slot}` the same with a capital, `a(n)` the right
article, `\\n` a line break, `¦❴❵` a bar and braces. A line with `{part#}` stands once for each of the rows, whose
number is the first slot, `rows: 3 5`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from infinidoc.made import vocabulary

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\^?)([\w#]+)((?: [\w#.-]+)*)\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (?=(\W*\w))")
_LITERAL = str.maketrans("¦❴❵", "|{}")  # bars and braces that mean themselves
_TRIES = 30  # draws for a value that no other slot of the document has


@dataclass(frozen=True)
class Kind:
    """One kind of document as its file describes it."""

    name: str
    slots: tuple[tuple[str, str], ...]
    swapped: frozenset[str]
    texts: tuple[tuple[str, tuple[str, ...]], ...]  # (what joins the lines, the lines)
    questions: tuple[tuple[str, str], ...]
    never: tuple[str, ...]

    @classmethod
    def parse(cls, name: str, source: str) -> "Kind":
        """Raises ValueError where the file isn't of the form above."""
        slots: list[tuple[str, str]] = []
        questions: list[tuple[str, str]] = []
        texts: list[tuple[str, list[str]]] = []
        swapped, never, lines = set(), [], list[str]()
        section = ""
        for line in source.splitlines():
            if line.startswith("== "):
                section = line[3:].strip()
                if section in ("text", "lines"):
                    lines = []
                    texts.append((" " if section == "text" else "\n", lines))
            elif not line.strip():
                continue
            elif section in ("slots", "questions"):
                key, colon, value = line.partition(": ")
                if not colon:
                    raise ValueError(f"{name}: no ': ' in {line!r}")
                if key.startswith("*"):
                    key = key[1:]
                    swapped.add(key)
                if section == "slots" and vocabulary.known(key):
                    raise ValueError(f"{name}: {key} is the name of a list")
                (slots if section == "slots" else questions).append((key, value))
            elif section == "never":
                never.append(line)
            elif section:
                lines.append(line)
        told = tuple((joint, tuple(lines)) for joint, lines in texts)
        return cls(name, tuple(slots), frozenset(swapped), told, tuple(questions), tuple(never))


@dataclass
class Facts:
    """The values drawn for one document, and how they were made."""

    values: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)  # slot → its template, without alternatives
    rows: int = 0

    @classmethod
    def draw(cls, kind: Kind, rng: Random) -> "Facts":
        facts = cls()
        for name, template in kind.slots:
            if name == "rows":
                facts.rows = rng.randint(*map(int, template.split()))
            elif "#" in name:
                for row in range(1, facts.rows + 1):
                    facts._draw(name.replace("#", str(row)), template.replace("#", str(row)), rng)
            else:
                facts._draw(name, template, rng)
        return facts

    def _draw(self, name: str, template: str, rng: Random) -> None:
        for _ in range(_TRIES):
            chosen = choose(template, rng)
            value = self.fill(chosen, rng)
            if value not in self.values.values():
                break
        self.made[name] = chosen
        self.values[name] = value

    def swap(self, swapped: set[str], rng: Random) -> "Facts":
        """The same facts but for new values of those slots, and of what is made from them."""
        other = Facts({}, dict(self.made), self.rows)
        changed = set(swapped)
        for name, template in self.made.items():
            if name in changed or (_parts(template) | _arguments(template)) & changed:
                changed.add(name)
                other.values[name] = other.fill(template, rng)
            else:
                other.values[name] = self.values[name]
        return other

    def fill(self, template: str, rng: Random, told: set[str] | None = None) -> str:
        """The template with its slots filled in; the names of the slots go to `told`, those inside other slots too."""

        def value(match: re.Match[str]) -> str:
            capital, name, arguments = match.groups()
            if name in self.values and not arguments:
                text = self.values[name]
                if told is not None:
                    self._tell(name, told)
            else:
                given = [self.values.get(argument, argument) for argument in arguments.split()]
                text = vocabulary.draw(name, given, rng)
            return text[:1].upper() + text[1:] if capital else text

        text = _SLOT.sub(value, template).translate(_LITERAL)
        return _ARTICLE.sub(lambda match: match[1] + ("n " if match[2][-1].lower() in "aeio8" else " "), text)

    def told_of(self, template: str, told: set[str]) -> bool:
        """Whether a text that tells those slots mentions all that the template speaks of."""
        return all(
            name in told or (_parts(made := self.made[name]) | _arguments(made)) & told
            for name in names(template)
            if name in self.values
        )

    def made_from(self, slot: str) -> set[str]:
        """The slots whose values are made from that one's."""
        return {name for name, made in self.made.items() if slot in _parts(made) | _arguments(made)}

    def _tell(self, name: str, told: set[str]) -> None:
        told.add(name)
        for part in _parts(self.made[name]):
            if part in self.values and part not in told:
                self._tell(part, told)

    def each_row(self, line: str) -> list[str]:
        return [line.replace("#", str(row)) for row in range(1, self.rows + 1)] if _names_a_row(line) else [line]


def tell(kind: Kind, facts: Facts, rng: Random) -> tuple[str, set[str]]:
    """One text that tells the facts, and the slots it tells."""
    joint, lines = rng.choice(kind.texts)
    share = rng.uniform(0.2, 0.9)
    told: set[str] = set()
    sentences: list[str] = []
    loose: list[str] = []
    for line in lines:
        mark = re.match(r"[?~]*", line)
        marks = mark[0] if mark else ""
        if "~" not in marks:
            sentences += _shuffled(loose, rng)
            loose = []
        if "?" in marks and rng.random() > share:
            continue
        (loose if "~" in marks else sentences).extend(facts.each_row(line[len(marks) :]))
    sentences += _shuffled(loose, rng)
    text = joint.join(facts.fill(choose(sentence, rng), rng, told).replace("\\n", "\n") for sentence in sentences)
    return re.sub(r"(?<=\S)  +", " ", text).strip() if joint == " " else text.strip("\n"), told


def choose(template: str, rng: Random) -> str:
    """The template with one of each set of alternatives."""
    while match := _CHOICE.search(template):
        template = template[: match.start()] + rng.choice(match[1].split("|")) + template[match.end() :]
    return rng.choice(template.split(" | ")).strip(" ") if " | " in template else template


def names(template: str) -> set[str]:
    """The slots and generators that a template uses."""
    return {match[2] for match in _SLOT.finditer(template)}


def _parts(template: str) -> set[str]:
    return {match[2] for match in _SLOT.finditer(template) if not match[3]}


def _arguments(template: str) -> set[str]:
    return {argument for match in _SLOT.finditer(template) for argument in match[3].split()}


def _names_a_row(line: str) -> bool:
    return any("#" in match[0] for match in _SLOT.finditer(line))


def _shuffled(lines: Sequence[str], rng: Random) -> list[str]:
    return rng.sample(lines, len(lines))
