"""A text's key: where it stands among all texts, by what the model's early layers make of it.

The mean over the text's tokens of the hidden states that enter a few early layers, standardised and normalised layer by
layer. Of SmolLM2's 30 layers the first ten tell fine-grained intents apart best; later ones turn to predicting the next
token. Only the layers below the last one that is read have to run.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.model.base import BaseModel

LAYERS = (1, 4, 8)  # of SmolLM2's 30: what each sees of the text differs enough for all three to be worth keeping
DEPTH = 30
SEGMENT = 512  # tokens of a long text that see each other
BATCH_TOKENS = 2_048


@dataclass(frozen=True)
class Keys:
    """Makes keys with a base model, which must have no adapter on it: keys would then depend on the adapter."""

    base: BaseModel

    @cached_property
    def layers(self) -> list[int]:
        """The layers whose inputs are read, for this model's depth."""
        depth = self.base.model.config.get_text_config(decoder=True).num_hidden_layers
        return sorted({min(max(round(layer * depth / DEPTH), 1), layer) for layer in LAYERS})

    @cached_property
    def _decoder(self) -> Any:
        """The model's layers up to the last one that is read."""
        decoder = self.base.model.get_decoder()
        below = copy.copy(decoder)
        below._modules = {**decoder._modules, "layers": decoder.layers[: self.layers[-1]], "norm": nn.Identity()}
        return below

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation (L, D) of the keys of a page of ordinary sentences."""
        page = files("infinidoc.model").joinpath("calibration.txt").read_text(encoding="utf-8")
        lines = [line.strip() for part in page.split("%%\n") for line in part.splitlines()]
        sentences = [s for line in lines for s in line.replace("? ", "?\n").replace(". ", ".\n").splitlines() if s]
        pooled = self._pooled(sentences)
        return pooled.mean(0), pooled.std(0).clamp(min=1e-6)

    def __call__(self, texts: Sequence[str], notify: Callable[[float], None] = lambda share: None) -> Tensor:
        """Texts to unit vectors (N, L · D) float32 on the CPU, where L layers of hidden size D are read.

        `notify` is told the share of the work that is done, 0 to 1.
        """
        mean, std = self._scale
        standardised = F.normalize((self._pooled(texts, notify) - mean) / std, dim=-1)
        return standardised.flatten(1) / len(self.layers) ** 0.5

    @torch.no_grad()
    def _pooled(self, texts: Sequence[str], notify: Callable[[float], None] = lambda share: None) -> Tensor:
        """The mean hidden state of each text (N, L, D); of long texts, over all their segments."""
        start = self.base.start
        pieces: list[tuple[int, list[int]]] = []
        for text, words in enumerate(texts):
            ids = self.base.encode(" ".join(words.split())) or self.base.encode(" ")
            pieces += [(text, ids[first : first + SEGMENT]) for first in range(0, len(ids), SEGMENT)]
        pieces.sort(key=lambda piece: len(piece[1]))  # padding is wasted work
        sums: Tensor | None = None
        counts = torch.zeros(len(texts))
        first = 0
        while first < len(pieces):
            size = 1
            while first + size < len(pieces) and len(pieces[first + size][1]) * (size + 1) <= BATCH_TOKENS:
                size += 1
            batch = pieces[first : first + size]
            first += size
            width = max(len(ids) for _, ids in batch)
            # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
            tokens = torch.tensor([[*start, *ids, *[0] * (width - len(ids))] for _, ids in batch])
            lengths = torch.tensor([len(ids) for _, ids in batch])
            states = self._states(tokens.to(self.base.device))[:, :, len(start) :].float().cpu()
            mask = (torch.arange(width) < lengths[:, None]).float()
            pooled = torch.einsum("lbnd,bn->bld", states, mask)
            sums = torch.zeros(len(texts), *pooled.shape[1:]) if sums is None else sums
            rows = torch.tensor([text for text, _ in batch])
            sums.index_add_(0, rows, pooled)
            counts.index_add_(0, rows, lengths.float())
            notify(first / len(pieces))
        assert sums is not None
        return sums / counts[:, None, None]

    def _states(self, ids: Tensor) -> Tensor:
        """The hidden states (L, B, N, D) that enter the layers, of ids (B, N)."""
        found: dict[int, Tensor] = {}

        def tap(layer: int) -> Callable[..., None]:
            return lambda _, args, kwargs: found.update({layer: args[0] if args else kwargs["hidden_states"]})

        *inner, last = self.layers
        layers = self._decoder.layers
        hooks = [layers[layer].register_forward_pre_hook(tap(layer), with_kwargs=True) for layer in inner]
        try:
            found[last] = self._decoder(input_ids=ids, use_cache=False).last_hidden_state
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack([found[layer] for layer in self.layers])
