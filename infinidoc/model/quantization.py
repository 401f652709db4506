"""Linear maps in int8: weights once, what goes into them as it comes."""

import threading

import torch
from torch import Tensor, nn

from infinidoc.errors import InfinidocError
from infinidoc.model.decoder import Model

LARGEST, SMALLEST = 127, 1e-30


class Int8Linear(nn.Module):
    """y = W x with W and x rounded to int8: vector-wise quantisation (LLM.int8(), arXiv 2208.07339, Eq. 3).

    Each row of W and each token of x has a scale of its own, its largest number over 127; so one token with huge
    activations, as the first of a segment is, costs the others nothing. Products are summed in int32, exactly where the
    processor has VNNI; with AVX2 alone oneDNN adds pairs of them in 16 bits first, where the largest overflow.
    """

    def __init__(self, linear: nn.Linear, inputs: "Inputs"):
        super().__init__()
        self.weight, self.scale = quantised(linear.weight)
        self.bias, self.inputs = linear.bias, inputs

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in) to (…, out), in the precision of x."""
        rows, scale = self.inputs.quantised(x)
        product = torch._int_mm(rows, self.weight.T).mul(scale).mul_(self.scale.T).to(x.dtype)
        y = product.view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias


class Inputs(threading.local):
    """The last input of a model's linear maps, rounded: several in a row have the same one. Each thread its own."""

    last: Tensor | None = None

    def quantised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.last is not x:
            self.last, self.rounded = x, quantised(x.reshape(-1, x.shape[-1]))
        return self.rounded


def quantised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (N, D) as int8 (N, D), and the scale (N, 1) of each, float32."""
    exact = rows.float()
    scale = exact.abs().amax(-1, keepdim=True).clamp_(min=SMALLEST) / LARGEST
    return (exact * (1 / scale)).round_().to(torch.int8), scale


def overflows() -> bool:
    """Whether this processor's sums of int8 products do: see `Int8Linear`. Of the largest numbers they would be worth
    nothing; of a text's they cost twice as much as all rounding (docs/measurements.md)."""
    largest = torch.full((32, 32), LARGEST, dtype=torch.int8)
    return bool((torch._int_mm(largest, largest) != 32 * LARGEST**2).any())


def quantise(model: Model) -> None:
    """Puts an `Int8Linear` in place of every linear map in the model's layers, adapters merged. There is no way back.

    Raises InfinidocError on a device other than a CPU.
    """
    if model.device.type != "cpu":
        raise InfinidocError(f"int8 is for processors, not for {model.device.type}", "choose bf16")
    inputs = Inputs()
    for layer in model.get_decoder().layers:
        for module in (layer.self_attn, layer.mlp):
            for name, linear in list(module.named_children()):
                if isinstance(linear, nn.Linear):
                    setattr(module, name, Int8Linear(linear, inputs))


def is_quantised(model: Model) -> bool:
    return any(isinstance(module, Int8Linear) for module in model.get_decoder().layers[0].modules())
