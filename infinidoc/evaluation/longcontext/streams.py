"""A text through a memory with slots, segment after segment; then it is asked what it is worth to the next one."""

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import generate


class SlotStream:
    """A text that is being read. Only its first segment begins with the start tokens: the others go on."""

    def __init__(self, base: BaseModel, slots: int, keep: Sequence[str]):
        self.base, self.memory = base, CompressiveMemory(base.model, slots=slots, keep=keep)
        self.segments = 0  # that were read
        self._next: Tensor | None = None  # logits (1, V) of the token after them

    @torch.no_grad()
    def read(self, segment: Sequence[int]) -> None:
        """Folds a segment's token ids."""
        start = [] if self.segments else self.base.start
        self._next = self._logits([*start, *segment], self.memory, 1)
        self.memory.fold()
        self.segments += 1

    @torch.no_grad()
    def loss(self, segment: Sequence[int], scored: int) -> float:
        """The negative log-likelihood, in nats, of a segment's last `scored` tokens, given all that was read before."""
        assert self._next is not None
        logits = torch.cat([self._next, self._logits(segment, self.memory.copy())[:-1]])[-scored:]
        wanted = torch.tensor(list(segment), device=logits.device)[-scored:]
        return float(torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum"))

    def answer(self, prompt: str, max_tokens: int) -> str:
        """Continues the text, and a prompt after it, greedily."""
        ids = torch.tensor([self.base.encode("\n\n" + prompt)], device=self.base.device)
        return self.base.decode(generate(self.base, ids, self.memory.copy().read_only(), max_tokens)[0])

    def copy(self) -> Self:
        """The same text so far, to go on with in another way."""
        twin = copy.copy(self)
        twin.memory = self.memory.copy()
        return twin

    def _logits(self, ids: Sequence[int], memory: CompressiveMemory, last: int = 0) -> Tensor:
        """(N, V) of token ids (N), or of the last of them."""
        model, tokens = self.base.model, torch.tensor([list(ids)], device=self.base.device)
        logits: Tensor = model(tokens, past_key_values=memory, logits_to_keep=last).logits[0]
        return logits
