"""Which passages a question needs: exact search over all addresses, block by block, one block per core at a time.

A passage says "she" of whom its document's opening names. So what the opening has of a question counts, a little less,
for the passages after it, too: as far as they add to it, or all of a document would be found with its opening.
Nothing of that is kept: it is as exact, and as soon gone, as the addresses.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from infinidoc.memory.records import AddressBlock
from infinidoc.model.addresses import RoughQuestion, best_cosines, introduced
from infinidoc.model.threads import one_core_each

FAST_INTEGERS = ("AVX2", "AVX512")  # processors on which PyTorch multiplies int8 faster than float32


@dataclass(frozen=True)
class Recalled:
    """A passage that a question found. `score` is at most 1: how well the passage has what the question names."""

    passage: int
    score: float


def recall(
    blocks: list[AddressBlock], question: Tensor, weights: Tensor, top: int, only: Collection[int] | None = None
) -> list[Recalled]:
    """The best `top` passages, best first, for a question as vectors (N, 128) and weights (N,); of `only` these, which
    are whole documents'.

    Where integers are multiplied faster, all are compared roughly first, and exactly those of which that leaves open
    whether they are among the best.
    """
    integers = torch.backends.cpu.get_cpu_capability() in FAST_INTEGERS
    if integers and all(isinstance(b.addresses, Tensor) and b.addresses.dtype == torch.int8 for b in blocks):
        only = _possible(blocks, question, weights, top, only)
    passages, openings, cosines = _compared(partial(best_cosines, question), blocks, only)
    if not passages:
        return []
    scores = scores_of(weights, cosines, passages, openings)
    values, places = torch.topk(scores, min(top, len(passages)))
    nearest = zip(places.tolist(), values.tolist(), strict=True)
    return [Recalled(passages[place], value) for place, value in nearest]


def _possible(
    blocks: list[AddressBlock], question: Tensor, weights: Tensor, top: int, only: Collection[int] | None
) -> set[int]:
    """The passages that may be among the best, and the openings of their documents."""
    rough = RoughQuestion.of(question, weights)
    passages, openings, cosines = _compared(rough.best_cosines, blocks, only)
    if not passages:
        return set()
    least, most = (scores_of(weights, cosines, passages, openings, sign * rough.margins[:, None]) for sign in (-1, 1))
    enough = least.topk(min(top, len(passages))).values[-1]
    places = torch.nonzero(most >= enough)[:, 0].tolist()
    return {passage for place in places for passage in (passages[place], openings[place])}


def _compared(
    compare: Callable[..., Tensor], blocks: list[AddressBlock], only: Collection[int] | None
) -> tuple[list[int], list[int], Tensor]:
    """Passages, of `only` these, the openings of their documents, and what `compare` makes of their blocks' addresses,
    rows and those of their passages that are meant, side by side."""
    kept = [
        [place for place, passage in enumerate(block.passages) if only is None or passage in only] for block in blocks
    ]
    with one_core_each(torch.get_num_threads()) as pool:
        found = list(pool.map(lambda block, places: compare(block.addresses, block.rows, places), blocks, kept))
    pairs = list(zip(blocks, kept, strict=True))
    passages = [block.passages[place] for block, places in pairs for place in places]
    openings = [block.openings[place] for block, places in pairs for place in places]
    return passages, openings, torch.cat(found, 1) if found else torch.empty(0, 0)


def scores_of(
    weights: Tensor,
    cosines: Tensor,
    passages: Sequence[int],
    openings: Sequence[int],
    margins: Tensor | float = 0.0,
) -> Tensor:
    """Scores (P,) of passages that have a question's tokens, of weights (N,), so well (N, P), each in the light of its
    document's opening, where that is among them. `margins` as in `introduced`."""
    known, wanted = np.asarray(passages), np.asarray(openings)
    order = np.argsort(known)
    at = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)]
    opening = cosines[:, np.where(known[at] == wanted, at, np.arange(len(known)))]
    return introduced(weights, cosines, opening, margins)
