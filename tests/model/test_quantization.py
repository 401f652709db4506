"""Linear maps in int8 against what they stand for."""

import pytest
import torch
from torch import nn

from infinidoc.model import naive
from infinidoc.model.attention import attach
from infinidoc.model.base import load_base
from infinidoc.model.quantization import Inputs, Int8Linear, overflows, quantise, quantised


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1, 32), (2, 7, 32), (3, 32)])
@pytest.mark.parametrize("bias", [False, True])
def test_it_computes_what_the_reference_does(shape, dtype, bias):
    torch.manual_seed(0)
    linear = nn.Linear(32, 24, bias=bias).to(dtype)
    x = torch.randn(shape, dtype=dtype)
    with torch.no_grad():
        found = Int8Linear(linear, Inputs())(x)
    expected = naive.int8_linear(x.reshape(-1, 32), linear.weight.detach()).view(*shape[:-1], 24)
    expected = expected + (linear.bias.detach().double() if bias else 0)
    assert found.dtype is dtype
    tolerance = 1e-5 if dtype is torch.float32 else 2e-2
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_maps_of_one_input_round_it_once_and_the_next_input_again():
    inputs = Inputs()
    one, two = torch.randn(2, 4), torch.randn(2, 4)
    assert inputs.quantised(one)[0] is inputs.quantised(one)[0]
    assert torch.equal(inputs.quantised(two)[0], quantised(two)[0])
    assert torch.equal(inputs.quantised(one)[0], quantised(one)[0])


def test_each_row_has_a_scale_of_its_own_and_zeros_stay_zeros():
    rows = torch.tensor([[1.0, -2.0, 0.5], [1000.0, 10.0, -1000.0], [0.0, 0.0, 0.0]])
    small, scale = quantised(rows)
    assert small.tolist() == [[64, -127, 32], [127, 1, -127], [0, 0, 0]]
    torch.testing.assert_close(small * scale, rows, rtol=0, atol=4.0)
    assert ((small * scale - rows).abs() <= scale / 2 + 1e-6).all()


def test_sums_that_stop_at_sixteen_bits_overflow_and_exact_ones_do_not(monkeypatch):
    def exact(a, b):
        return a.int() @ b.int()

    def in_pairs(a, b):
        """As AVX2 multiplies: a made unsigned, sums of two products held in sixteen bits."""
        pairs = (a.int() + 128).unflatten(1, (-1, 2))[:, None] * b.T.int().unflatten(1, (-1, 2))
        return pairs.sum(-1).clamp(-(2**15), 2**15 - 1).sum(-1) - 128 * b.int().sum(0)

    largest, seven_bits = (torch.full((32, 32), value, dtype=torch.int8) for value in (127, 63))
    assert in_pairs(largest, seven_bits).equal(exact(largest, seven_bits))
    for product, expected in ((exact, False), (in_pairs, True)):
        monkeypatch.setattr(torch, "_int_mm", product)
        assert overflows() is expected


@pytest.mark.real
def test_a_quantised_model_predicts_nearly_the_same(real_base):
    """The embedded model's own activations, with the outliers that they have."""
    base = load_base(str(real_base.path))  # a copy of its own
    attach(base.model)
    ids = torch.tensor([[*base.start, *base.encode("The committee met on the first Monday of May.")]])
    with torch.no_grad():
        before = base.model(ids).logits.log_softmax(-1)
        quantise(base.model)
        after = base.model(ids).logits.log_softmax(-1)
    assert base.precision == "int8"
    divergence = (before.exp() * (before - after)).sum(-1).mean()
    assert 0 < divergence < 0.1
