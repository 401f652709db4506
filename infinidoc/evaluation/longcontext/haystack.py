"""Long texts with something hidden in them, as segments of token ids that are made when they are needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infinidoc.made.passkey import FILLER

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class Haystack:
    """`length` tokens of background, cut into even segments of at most `limit` tokens. `tokens(start, stop)` gives a
    stretch of it, so that ten million tokens never have to stand in memory."""

    tokens: Callable[[int, int], list[int]]
    length: int
    limit: int

    def __len__(self) -> int:
        """How many segments there are."""
        return -(-self.length // self.limit)

    def segment(self, index: int) -> list[int]:
        return self.tokens(index * self.length // len(self), (index + 1) * self.length // len(self))


def filler(encode: Encode) -> Callable[[int, int], list[int]]:
    """The passkey task's filler without end."""
    unit = encode(" " + FILLER)
    return lambda start, stop: [unit[index % len(unit)] for index in range(start, stop)]


def places(haystack: Haystack, depths: Sequence[float]) -> list[tuple[int, float]]:
    """Depths from 0 (start) to 1 (end) as the number of a segment and the depth in that."""
    count = len(haystack)
    indices = [min(int(depth * count), count - 1) for depth in depths]
    return [(index, depth * count - index) for index, depth in zip(indices, depths, strict=True)]


def plant(
    haystack: Haystack, facts: Sequence[Sequence[int]], depths: Sequence[float], text: Callable[[int], str]
) -> dict[int, list[int]]:
    """The segments that change when facts are hidden in a haystack, by their numbers.

    facts: token ids of each; depths: where, ascending. A fact stands between two sentences, the last such place before
    its depth; `text` gives a token's text, to see them. What a segment gains it loses at its end, so that no other
    segment changes and the haystack keeps its length. Raises ValueError where a segment has no room.
    """
    inside: dict[int, list[tuple[float, Sequence[int]]]] = {}
    for fact, (index, depth) in zip(facts, places(haystack, depths), strict=True):
        inside.setdefault(index, []).append((depth, fact))
    planted = {}
    for index, hidden in inside.items():
        segment = haystack.segment(index)
        room = len(segment) - sum(len(fact) for _, fact in hidden)
        if room < 0:
            raise ValueError(f"segment {index} of {len(segment)} tokens has no room for {len(hidden)} facts")
        kept = segment[:room]
        stops = sentence_ends(kept, text)
        result, last = [], 0
        for depth, fact in hidden:
            stop = max(stop for stop in stops if stop <= depth * room)
            result += [*kept[last:stop], *fact]
            last = stop
        planted[index] = result + kept[last:]
    return planted


def sentence_ends(tokens: Sequence[int], text: Callable[[int], str]) -> list[int]:
    """Where in `tokens` something may be put in: 0, and after each sentence or line."""
    stops = [0]
    for index, (token, following) in enumerate(zip(tokens, [*tokens[1:], None], strict=True), 1):
        spelled = text(token)
        if "\n" in spelled or (
            spelled.rstrip("\"'”’)").endswith((".", "!", "?")) and (following is None or text(following)[:1].isspace())
        ):
            stops.append(index)
    return stops
