"""A document through a memory with slots, segment after segment: what is each worth to the next one?"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel


class SlotStream:
    """A document that is being read. Only its first segment begins with the start tokens: the others go on."""

    def __init__(self, base: BaseModel, slots: int, keep: Sequence[str]):
        self.base, self.memory = base, CompressiveMemory(base.model, slots=slots, keep=keep)
        self.segments = 0  # that were read
        self._next: Tensor | None = None  # logits (1, V) of the token after them

    @torch.no_grad()
    def read(self, segment: Sequence[int]) -> None:
        """Folds a segment's token ids."""
        start = [] if self.segments else self.base.start
        self._next = self._logits([*start, *segment], self.memory)[-1:]
        self.memory.fold()
        self.segments += 1

    @torch.no_grad()
    def loss(self, segment: Sequence[int], scored: int) -> float:
        """The negative log-likelihood, in nats, of a segment's last `scored` tokens, given all that was read before."""
        assert self._next is not None
        logits = torch.cat([self._next, self._logits(segment, self.memory.copy())[:-1]])[-scored:]
        wanted = torch.tensor(list(segment), device=logits.device)[-scored:]
        return float(torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum"))

    def _logits(self, ids: Sequence[int], memory: CompressiveMemory) -> Tensor:
        """(N, V) of token ids (N)."""
        model = self.base.model
        logits: Tensor = model(torch.tensor([list(ids)], device=model.device), past_key_values=memory).logits[0]
        return logits
