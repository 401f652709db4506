"""Low-rank changes to a frozen model's linear maps (LoRA, arXiv 2106.09685, Eq. 3)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

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

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if not self.enabled:
            return y
        return y + SCALE * ((x @ self.down.T.to(x.dtype)) @ self.up.T.to(x.dtype))

    def change(self) -> Tensor:
        """What is added to W (out, in)."""
        return SCALE * self.up @ self.down


def add_lora(model: PreTrainedModel, rank: int, first_layer: int = 0, mlp: bool = False) -> None:
    """Puts a `Lora` in place of every linear map of the attention (and of the MLP) from a layer on."""
    for layer in model.get_decoder().layers[first_layer:]:
        for module in [layer.self_attn, *([layer.mlp] if mlp else [])]:
            for name, linear in list(module.named_children()):
                if isinstance(linear, nn.Linear):
                    setattr(module, name, Lora(linear, rank))


def loras(model: PreTrainedModel) -> Iterator[tuple[str, Lora]]:
    """Every `Lora` of a model, with its name: "layers.9.self_attn.q_proj"."""
    for name, module in model.get_decoder().named_modules():
        if isinstance(module, Lora):
            yield name, module


def enable(model: PreTrainedModel, enabled: bool) -> None:
    for _, lora in loras(model):
        lora.enabled = enabled


@torch.no_grad()
def merge(model: PreTrainedModel, name: str, down: Tensor, up: Tensor) -> None:
    """Adds a change to the weights themselves: afterwards the model costs what it did before."""
    linear: Any = model.get_decoder().get_submodule(name)
    change = SCALE * up.float().to(linear.weight.device) @ down.float().to(linear.weight.device)
    linear.weight += change.to(linear.weight.dtype)
