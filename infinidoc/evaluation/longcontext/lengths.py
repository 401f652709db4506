"""Lengths in tokens, as people write them."""

import re

from infinidoc.errors import InfinidocError

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
        length = int(float(match[1]) * _SUFFIXES[match[2]])
        if length < SHORTEST:
            raise InfinidocError(f"a length of {length} tokens is too short", f"at least {SHORTEST}")
        lengths.append(length)
    if not lengths:
        raise InfinidocError("no length", "write them like this: --lengths 4k,32k,1m")
    return sorted(set(lengths))


def short(length: int) -> str:
    """A length for people: "32K", "1M", else its digits."""
    for size, suffix in ((1 << 20, "M"), (1 << 10, "K"), (1_000_000, "M"), (1_000, "K")):
        if length >= size and length % size == 0:
            return f"{length // size}{suffix}"
    return f"{length:,}"
