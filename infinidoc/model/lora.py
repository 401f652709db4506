"""Low-rank changes to a frozen model's linear maps (LoRA, arXiv 2106.09685, Eq. 3)."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.model.decoder import Model

SCALE = 2.0  # α / r of the paper


class Lora(nn.Module):
    """y = W x + 2·B A x for a frozen linear map W: down (R, in) is A, up (out, R) is B, which starts at zero.

    The factors are float32 whatever the base model's precision. `enabled` False gives the base model back.
    """

    def __init__(self, linear: nn.Linear, rank: int):
        super().__init__()
        self.linear, self.enabled = linear, True
        weight = linear.weight
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1], device=weight.device) / weight.shape[1] ** 0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device))
        self.merged: Tensor | None = None  # see `Merged`

    def forward(self, x: Tensor) -> Tensor:
        if self.enabled and self.merged is not None:
            return F.linear(x, self.merged, self.linear.bias)
        y = self.linear(x)
        if not self.enabled:
            return y
        return y + SCALE * ((x @ self.down.T.to(x.dtype)) @ self.up.T.to(x.dtype))

    def gradient(self) -> Tensor:
        """∂W (out, in), where a merged map was used."""
        assert self.merged is not None
        assert self.merged.grad is not None
        return self.merged.grad

    def change(self) -> Tensor:
        """What is added to W (out, in)."""
        return SCALE * self.up @ self.down


class Merged:
    """Training on a GPU, where many small operations cost more than large ones: W + 2·B A is computed once a step, and
    the factors' gradients come from those of the merged maps, (∂W) Aᵀ and Bᵀ (∂W). It is also what a merged adapter
    computes with, rounding included.

        merged = Merged(model)
        merged.begin(); loss.backward() …; merged.end(); optimizer.step()
    """

    def __init__(self, model: Model):
        kinds: dict[tuple[int, ...], list[Lora]] = {}
        for _, lora in loras(model):
            kinds.setdefault(tuple(lora.linear.weight.shape), []).append(lora)
        self.kinds = list(kinds.values())
        self.weights = [torch.stack([lora.linear.weight for lora in kind]) for kind in self.kinds]

    @torch.no_grad()
    def begin(self) -> None:
        for kind, weights in zip(self.kinds, self.weights, strict=True):
            change = torch.stack([lora.up for lora in kind]) @ torch.stack([lora.down for lora in kind])
            for lora, merged in zip(kind, (weights + SCALE * change).to(weights.dtype).unbind(), strict=True):
                lora.merged = merged.requires_grad_()

    @torch.no_grad()
    def end(self) -> None:
        for kind in self.kinds:
            grads = torch.stack([lora.gradient() for lora in kind]).float()
            ups = SCALE * grads @ torch.stack([lora.down for lora in kind]).transpose(1, 2)
            downs = SCALE * torch.stack([lora.up for lora in kind]).transpose(1, 2) @ grads
            for lora, up, down in zip(kind, ups.unbind(), downs.unbind(), strict=True):
                lora.up.grad, lora.down.grad, lora.merged = up, down, None


def add_lora(model: Model, rank: int, first_layer: int = 0, mlp: bool = False) -> None:
    """Puts a `Lora` in place of every linear map of the attention (and of the MLP) from a layer on."""
    for layer in model.get_decoder().layers[first_layer:]:
        for module in [layer.self_attn, *([layer.mlp] if mlp else [])]:
            for name, linear in list(module.named_children()):
                if isinstance(linear, nn.Linear):
                    setattr(module, name, Lora(linear, rank))


def loras(model: Model) -> Iterator[tuple[str, Lora]]:
    """Every `Lora` of a model, with its name: "layers.9.self_attn.q_proj"."""
    for name, module in model.get_decoder().named_modules():
        if isinstance(module, Lora):
            yield name, module


def enable(model: Model, enabled: bool) -> None:
    for _, lora in loras(model):
        lora.enabled = enabled


@torch.no_grad()
def merge(model: Model, name: str, down: Tensor, up: Tensor) -> None:
    """Adds a change to the weights themselves: afterwards the model costs what it did before.

    The sum is taken in float32 and rounded once: a change is smaller than a step of half precision often enough.
    """
    weight: Any = model.get_decoder().get_submodule(name).weight
    merged = SCALE * up.float().to(weight.device) @ down.float().to(weight.device)
    # Where weights are pages of a file, writing to them costs more than all else of this.
    weight.data = merged.add_(weight).to(weight.dtype)
