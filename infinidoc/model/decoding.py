"""What a model says next: the likeliest token, one after the other."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoder import LanguageModel

Hear = Callable[[Tensor], Any]  # is told the next token of each row (B,); returns something true: that is enough


@torch.no_grad()
def generate(
    base: BaseModel, ids: Tensor, memory: CompressiveMemory, max_tokens: int, hear: Hear = lambda tokens: None
) -> list[list[int]]:
    """Continues prompts of equal length, ids (B, N), behind a memory whose window is empty and gets filled.

    Each row ends before the first of the model's stop tokens, or after `max_tokens`.
    """
    ids = ids.to(base.device)
    model = base.model
    if isinstance(model, LanguageModel):
        said = _greedy(model, ids, memory, max_tokens, torch.tensor(base.stops, device=ids.device), hear)
    else:
        from infinidoc.model import hugging_face

        said = hugging_face.generate(model, ids, memory, max_tokens, hear)
    return [_ended(row, base.stops) for row in said.tolist()]


def _greedy(
    model: LanguageModel, ids: Tensor, memory: CompressiveMemory, max_tokens: int, stops: Tensor, hear: Hear
) -> Tensor:
    """Tokens (B, as many as it took)."""
    said: list[Tensor] = []
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    while len(said) < max_tokens:
        ids = model(ids, memory, logits_to_keep=1).logits[:, -1].argmax(-1, keepdim=True)
        said.append(ids)
        ended |= torch.isin(ids[:, 0], stops)
        if hear(ids[:, 0]) or ended.all():
            break
    return torch.cat(said, 1)


def _ended(row: list[int], stops: tuple[int, ...]) -> list[int]:
    return row[: next((index for index, token in enumerate(row) if token in stops), len(row))]
