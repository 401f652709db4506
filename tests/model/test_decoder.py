"""The decoder of llama and qwen2 computes what transformers computes, and knows what it can't."""

import json
from contextlib import contextmanager

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from infinidoc.errors import Unwritable
from infinidoc.model import decoder
from infinidoc.model.attention import CompressiveMemory, attach
from infinidoc.model.base import load_base
from infinidoc.model.decoder import HALVED, LanguageModel, is_plain
from tests.tiny import FAMILIES, tiny_config, tiny_model

IDS = torch.tensor([list(range(3, 40)), list(range(60, 97))])
SHAPES = {
    "llama": {},
    "llama, a head of its own": {"family": "llama", "tie_word_embeddings": False},
    "llama, every head its own keys": {"family": "llama", "num_key_value_heads": 4},
    "llama, wide heads": {"family": "llama", "head_dim": 32},
    "qwen2": {},
    "qwen2, tied": {"family": "qwen2", "tie_word_embeddings": True, "rms_norm_eps": 1e-3},
}


@pytest.fixture(params=SHAPES)
def folder(request, tmp_path):
    return tiny_model(tmp_path / "model", **{"family": request.param, **SHAPES[request.param]})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_every_logit_is_that_of_transformers(folder, dtype):
    """In one pass, and token by token or in pieces behind a cache."""
    ours = load_base(str(folder), dtype=dtype).model
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    assert isinstance(ours, LanguageModel)
    whole = theirs(IDS).logits
    tolerance = {"rtol": 0, "atol": 1e-5 if dtype is torch.float32 else 3e-2 * whole.abs().max().item()}
    assert torch.equal(ours(IDS).logits, whole)
    torch.testing.assert_close(ours(IDS, logits_to_keep=1).logits, whole[:, -1:], **tolerance)
    attach(ours)
    memory, cache = CompressiveMemory(ours), DynamicCache()
    for piece in (IDS[:, :20], IDS[:, 20:21], IDS[:, 21:30], IDS[:, 30:]):
        expected = theirs(piece, past_key_values=cache).logits
        torch.testing.assert_close(ours(piece, memory).logits, expected, **tolerance)


def test_gradients_are_those_of_transformers(folder):
    ours, theirs = load_base(str(folder)).model, AutoModelForCausalLM.from_pretrained(folder)
    for model in (ours, theirs):
        model.requires_grad_(True)
        model(IDS).logits.log_softmax(-1)[..., 7].sum().backward()
    expected = dict(theirs.named_parameters())
    assert expected.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-4, atol=1e-5)


@pytest.mark.real
@torch.no_grad()
def test_every_logit_of_the_real_model_is_that_of_transformers(real_base):
    theirs = AutoModelForCausalLM.from_pretrained(real_base.path, dtype=torch.float32)
    ids = torch.tensor(
        [real_base.encode("The reading room opens at ten on Saturdays, and closes when the last one leaves.")]
    )
    assert isinstance(real_base.model, LanguageModel)
    assert torch.equal(real_base.model(ids).logits, theirs(ids).logits)


ODD = [
    {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}},
    {"partial_rotary_factor": 0.5},
    {"hidden_act": "gelu"},
    {"attention_bias": True},
    {"mlp_bias": True},
    {"model_type": "qwen2", "use_sliding_window": True},
    {"model_type": "qwen2", "layer_types": ["full_attention", "sliding_attention", "full_attention"]},
    {"quantization_config": {"bits": 4}},
]


@pytest.mark.parametrize("change", ODD)
def test_what_it_does_not_compute_is_left_to_transformers(tiny, change):
    config = json.loads((tiny / "config.json").read_text())
    assert is_plain(config)
    assert not is_plain({**config, **change})


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"llama", "qwen2"}))
def test_other_families_are_left_to_transformers(family):
    assert not is_plain(tiny_config(family).to_dict())


@torch.no_grad()
def test_an_odd_llama_is_still_read_as_transformers_does(tmp_path):
    rope = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
    folder = tiny_model(tmp_path / "model", rope_parameters=rope)
    base = load_base(str(folder))
    assert not isinstance(base.model, LanguageModel)
    assert torch.equal(base.model(IDS).logits, AutoModelForCausalLM.from_pretrained(folder)(IDS).logits)


@pytest.mark.real
def test_half_precision_is_converted_once(home, real_base, monkeypatch):
    """The same weights from then on, without the float32 ones being read; and when it can't be written, too."""
    name = real_base.path.name
    ours = home / "models" / name
    ours.unlink()
    ours.mkdir()
    for file in real_base.path.glob("*.json"):
        (ours / file.name).symlink_to(file)
    (ours / "model.safetensors").symlink_to(real_base.path / "model.safetensors")
    first = load_base(dtype=torch.bfloat16)
    assert [file.name for file in ours.glob("*.safetensors")].count(HALVED) == 1
    monkeypatch.setattr(decoder, "load_file", None)
    again = load_base(dtype=torch.bfloat16)
    (ours / HALVED).unlink()
    monkeypatch.setattr(decoder, "replacing", full)
    third = load_base(dtype=torch.bfloat16)
    assert not (ours / HALVED).exists()
    assert first.digest == again.digest == third.digest == real_base.digest
    exact = real_base.model.state_dict()  # which another test may have attached a memory to
    for base in (first, again, third):
        halved = base.model.state_dict()
        assert set(halved) == {key for key in exact if ".infini." not in key}
        assert all(torch.equal(weight, exact[key].bfloat16()) for key, weight in halved.items())


@contextmanager
def full(target):
    raise Unwritable(f"{target} can't be written (no space left on device)")
    yield
