"""Lengths in tokens and sizes of memories, as people write them."""

import re

from infinidoc.errors import InfinidocError

LONGEST = 1 << 30  # tokens: months of reading
MOST_SLOTS = 1 << 16
SHORTEST = 256  # tokens: below that there is no room to hide anything
_SUFFIXES = {"": 1, "k": 1 << 10, "m": 1 << 20}


def parse_lengths(text: str) -> list[int]:
    """ "4k,128k,1m" to [4096, 131072, 1048576], in ascending order, each once. k is 1,024, m is 1,048,576.

    Raises InfinidocError for what is no length, or is shorter than 256 tokens.
    """
    lengths = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", part.lower())
        if not match:
            raise InfinidocError(f"{part!r} is not a length", "write them like this: --lengths 4k,32k,1m")
        wanted = float(match[1]) * _SUFFIXES[match[2]]
        if wanted > LONGEST:
            raise InfinidocError(f"a length of {part} tokens is too long", "at most 1024m")
        length = int(wanted)
        if length < SHORTEST:
            raise InfinidocError(f"a length of {length} tokens is too short", f"at least {SHORTEST}")
        lengths.append(length)
    if not lengths:
        raise InfinidocError("no length", "write them like this: --lengths 4k,32k,1m")
    return sorted(set(lengths))


def parse_slots(sizes: str, keep: str) -> tuple[list[int], list[str]]:
    """ "256,64", "attention,residual" to [64, 256], ["attention", "residual"].

    Without a way to choose, those that are the default. Raises InfinidocError for what is no number above 0, or no way.
    """
    from infinidoc.model.slots import KEEP, WAYS  # which imports torch

    numbers, ways = ([part.strip() for part in text.split(",") if part.strip()] for text in (sizes, keep))
    for number in numbers:
        if not (re.fullmatch("[0-9]{1,9}", number) and 0 < int(number) <= MOST_SLOTS):
            what = f"{number!r} is not a number of slots up to {MOST_SLOTS:,}"
            raise InfinidocError(what, "write them like this: --slots 64,256")
    if not set(ways) <= set(WAYS):
        raise InfinidocError(f"can't keep slots by {keep!r}", f"choose one or more of {', '.join(WAYS)}")
    return sorted({int(number) for number in numbers}), ways or list(KEEP)


def short(length: int) -> str:
    """A length for people: "32K", "1M", else its digits."""
    for size, suffix in ((1 << 20, "M"), (1 << 10, "K"), (1_000_000, "M"), (1_000, "K")):
        if length >= size and length % size == 0:
            return f"{length // size}{suffix}"
    return f"{length:,}"
