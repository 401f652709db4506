"""LoRA factors beside a frozen model, and merged into it."""

import torch

from infinidoc.model.base import load_base
from infinidoc.model.lora import SCALE, Lora, add_lora, enable, loras, merge

IDS = torch.arange(5, 25)[None]


def trained(base):
    """LoRA on the tiny model from its second layer on, as if trained: the factors are no longer zero."""
    add_lora(base.model, rank=3, first_layer=1, mlp=True)
    torch.manual_seed(1)
    for _, lora in loras(base.model):
        lora.up.data.normal_(std=0.1)
    return base


@torch.no_grad()
def test_fresh_factors_change_nothing(tiny):
    base = load_base(str(tiny))
    before = base.model(IDS).logits
    add_lora(base.model, rank=3)
    assert torch.equal(base.model(IDS).logits, before)


@torch.no_grad()
def test_a_lora_is_the_weights_plus_the_product_of_its_factors():
    linear = torch.nn.Linear(6, 4)
    lora = Lora(linear, rank=2)
    lora.up.normal_()
    x = torch.randn(5, 6)
    torch.testing.assert_close(lora(x), x @ (linear.weight + SCALE * lora.up @ lora.down).T + linear.bias)
    torch.testing.assert_close(lora.change(), SCALE * lora.up @ lora.down)


@torch.no_grad()
def test_it_can_be_switched_off(tiny):
    base = load_base(str(tiny))
    before = base.model(IDS).logits
    trained(base)
    assert not torch.allclose(base.model(IDS).logits, before)
    enable(base.model, False)
    assert torch.equal(base.model(IDS).logits, before)
    enable(base.model, True)
    assert not torch.allclose(base.model(IDS).logits, before)


@torch.no_grad()
def test_merged_factors_give_the_same_model(tiny):
    beside = trained(load_base(str(tiny)))
    merged = load_base(str(tiny))
    for name, lora in loras(beside.model):
        merge(merged.model, name, lora.down, lora.up)
    torch.testing.assert_close(merged.model(IDS).logits, beside.model(IDS).logits, rtol=1e-4, atol=1e-4)


def test_layers_below_the_first_stay_as_they_are(tiny):
    base = trained(load_base(str(tiny)))
    touched = {name.split(".")[1] for name, _ in loras(base.model)}
    assert touched == {"1", "2"}
    kinds = {name.split(".", 2)[2] for name, _ in loras(base.model)}
    assert kinds == {f"self_attn.{n}_proj" for n in "qkvo"} | {f"mlp.{n}_proj" for n in ("gate", "up", "down")}


@torch.no_grad()
def test_a_merge_into_half_precision_is_rounded_once(tiny):
    base = load_base(str(tiny), dtype=torch.bfloat16)
    name = "layers.1.self_attn.q_proj"
    weight = base.model.get_decoder().get_submodule(name).weight
    before = weight.clone()
    torch.manual_seed(2)
    down, up = torch.randn(4, weight.shape[1]) * 0.1, torch.randn(weight.shape[0], 4) * 0.1
    merge(base.model, name, down, up)
    exact = before.double() + SCALE * up.double() @ down.double()
    step = torch.finfo(torch.bfloat16).eps * exact.abs()
    assert ((weight.double() - exact).abs() <= step / 2 + 1e-7).all()
