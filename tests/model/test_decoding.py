"""Decoding says what `generate` of transformers says, token for token."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from infinidoc.model.attention import CompressiveMemory, attach, attention_modules
from infinidoc.model.base import load_base
from infinidoc.model.decoding import generate, go_on, read
from tests.tiny import tiny_model

TOLD = torch.tensor([list(range(3, 50))])
PROMPTS = torch.tensor([list(range(first, first + 12)) for first in (20, 110, 200, 290)])
OPTIONS = {"do_sample": False, "max_new_tokens": 24, "pad_token_id": 2}


def opened(model):
    attach(model)
    for module in attention_modules(model):
        module.infini.gate_bias.copy_(torch.linspace(-0.5, 0.5, len(module.infini.gate_bias)))
    return model


def told(model, rows):
    """A memory of a segment, the same in each row."""
    memory = CompressiveMemory(model)
    model(TOLD.expand(rows, -1), past_key_values=memory)
    memory.fold()
    return memory.state


@pytest.fixture(params=["llama", "qwen2", "qwen3"])  # the last one is left to transformers
def folder(request, tmp_path):
    return tiny_model(tmp_path / "model", request.param)


@pytest.mark.parametrize("remembers", [False, True])
@torch.no_grad()
def test_it_says_what_transformers_says(folder, remembers):
    """Every prompt by itself and all at once; some run into a stop token, which ends them."""
    base = load_base(str(folder))
    theirs = opened(AutoModelForCausalLM.from_pretrained(folder).requires_grad_(False))
    opened(base.model)
    said = []
    for prompt in PROMPTS.split(1):
        state = told(theirs, 1) if remembers else None
        expected = theirs.generate(prompt, past_key_values=CompressiveMemory(theirs, state), **OPTIONS)[0, 12:].tolist()
        state = told(base.model, 1) if remembers else None
        found, heard = generate(base, prompt, CompressiveMemory(base.model, state), 24), []
        again = generate(base, prompt, CompressiveMemory(base.model, state), 24, lambda t: heard.append(int(t[0])))  # noqa: B023
        assert heard == expected
        assert found == again == [[token for token in expected if token not in base.stops]]
        said += found
    state = told(base.model, len(PROMPTS)) if remembers else None
    assert generate(base, PROMPTS, CompressiveMemory(base.model, state), 24) == said


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@torch.no_grad()
def test_a_reader_whose_weights_are_laid_out_for_one_row_says_the_same(family, tmp_path):
    base = load_base(str(tiny_model(tmp_path / "model", family)))
    opened(base.model)
    said, logits = [], []
    for base.model.config.infini_reads in (False, True):
        for prompts in (PROMPTS[:1], PROMPTS):
            said.append(generate(base, prompts, CompressiveMemory(base.model, told(base.model, len(prompts))), 24))
        logits.append(base.model(PROMPTS).logits)
        assert base.model.laid_out == base.model.config.infini_reads
    assert said[:2] == said[2:]
    torch.testing.assert_close(*logits)
    for layer in base.model.model.layers:
        for module, maps in ((layer.self_attn, "qkv"), (layer.mlp, ("gate", "up"))):
            weights = [getattr(module, f"{name}_proj").weight for name in maps]
            assert module.joint[0].equal(torch.cat(weights))
            assert {weight.untyped_storage().data_ptr() for weight in weights} == {
                module.joint[0].untyped_storage().data_ptr()
            }  # there once


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@torch.no_grad()
def test_half_precision_says_what_is_likeliest_but_for_rounding(family, tmp_path):
    base = load_base(str(tiny_model(tmp_path / "model", family)), dtype=torch.bfloat16)
    opened(base.model)
    state, heard = told(base.model, 1), []
    generate(base, PROMPTS[:1], CompressiveMemory(base.model, state), 12, lambda tokens: heard.append(int(tokens[0])))
    whole = torch.cat([PROMPTS[:1], torch.tensor([heard])], 1)
    logits = base.model(whole, past_key_values=CompressiveMemory(base.model, state)).logits[0, 11:-1].float()
    short = logits.amax(-1) - logits[range(len(heard)), heard]
    assert (short <= 0.03 * logits.abs().amax()).all()
    assert torch._C._get_mkldnn_enabled()  # as it was


@torch.no_grad()
def test_going_on_leaves_the_window_as_it_was(folder):
    base = load_base(str(folder))
    opened(base.model)
    state = told(base.model, len(PROMPTS))
    said = generate(base, PROMPTS, CompressiveMemory(base.model, state), 24)
    memory = CompressiveMemory(base.model, state)
    first = read(base, PROMPTS, memory).argmax(-1)
    for _ in range(2):
        assert go_on(base, first, memory, 24, base.stops) == said
        assert memory.get_seq_length() == PROMPTS.shape[1]


@torch.no_grad()
def test_memory_changes_what_is_said(folder):
    base = load_base(str(folder))
    opened(base.model)
    plain = generate(base, PROMPTS, CompressiveMemory(base.model), 24)
    assert plain != generate(base, PROMPTS, CompressiveMemory(base.model, told(base.model, len(PROMPTS))), 24)


def longest(base):
    """A prompt that goes on to the end."""
    for prompt in PROMPTS.split(1):
        said = generate(base, prompt, CompressiveMemory(base.model), 24)[0]
        if len(said) == 24:
            return prompt, said
    raise AssertionError("every one stops")


def test_every_end(folder):
    """After so many tokens; at a stop token, which is heard and not said; when the listener has had enough."""
    base = load_base(str(folder))
    attach(base.model)
    prompt, said = longest(base)
    for limit in (1, 2, 23):
        assert generate(base, prompt, CompressiveMemory(base.model), limit) == [said[:limit]]
    heard = []
    enough = generate(
        base, prompt, CompressiveMemory(base.model), 24, lambda t: heard.append(int(t[0])) or len(heard) == 5
    )
    assert enough == [said[:5]] == [heard]


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_a_stop_token_is_heard_and_not_said(family, tmp_path):
    folder = tiny_model(tmp_path / "model", family)
    base = load_base(str(folder))
    attach(base.model)
    prompt, said = longest(base)
    stop = next(token for index, token in enumerate(said) if index > 2 and token not in said[:index])
    stopping, heard = load_base(str(folder)), []
    object.__setattr__(stopping, "stops", (stop, 399))
    attach(stopping.model)
    found = generate(stopping, prompt, CompressiveMemory(stopping.model), 24, lambda t: heard.append(int(t[0])))
    assert [*found[0], stop] == heard == said[: said.index(stop) + 1]


def test_a_listener_that_fails_ends_it(folder):
    base = load_base(str(folder))
    attach(base.model)
    prompt, said = longest(base)
    heard = []

    def fail(tokens):
        heard.append(int(tokens[0]))
        if len(heard) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(base, prompt, CompressiveMemory(base.model), 24, fail)
    assert heard == said[:3]
    assert generate(base, prompt, CompressiveMemory(base.model), 24) == [said]  # nothing is left of it
