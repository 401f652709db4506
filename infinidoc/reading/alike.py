"""How alike a question and the sentences of passages are, by the addresses of their tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

from infinidoc.documents.sentences import sentences
from infinidoc.model.addresses import score
from infinidoc.model.base import BaseModel
from infinidoc.model.codes import Codes

OF_PASSAGE = 0.5  # of its passage's score, that a sentence is given: what it says stands in a context


@torch.no_grad()
def alike(
    base: BaseModel, question: Tensor, weights: Tensor, passages: Sequence[tuple[str, Tensor | Codes]]
) -> list[float]:
    """The score of each sentence of passages (text, and addresses (T, 128)) for a question (N, 128), its weights (N,).

    A sentence's tokens are those from its beginning to the next one's.
    """
    scores: list[float] = []
    for text, addresses in passages:
        places = sentences(text)
        if not places or not len(addresses):  # another process has removed it since
            scores += [0.0] * len(places)
            continue
        begins = [min(len(base.encode(text[:start])), len(addresses) - 1) for start, _ in places]
        own = score(question, weights, addresses, [0, *begins[1:]])
        whole = float(score(question, weights, addresses, [0]))
        scores += [OF_PASSAGE * whole + max(value, 0.0) for value in own.tolist()]
    return scores
