"""Infini-attention attached to unmodified decoders: what must not change, and what the memory must do."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from transformers import AutoModelForCausalLM

from infinidoc.model.attention import CompressiveMemory, attach, attention_modules
from infinidoc.model.base import load_base
from infinidoc.model.causal import causal_attention
from infinidoc.model.kernels import KERNELS, State
from infinidoc.model.passes import single_pass
from infinidoc.model.rotation import unrotate
from infinidoc.model.slots import Slots
from tests.tiny import FAMILIES, tiny_model

WORDS = list(range(3, 60))


def load_model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)


def open_gates(model, bias=0.0):
    """Half of the attention from memory, and different for each head."""
    for module in attention_modules(model):
        module.infini.gate_bias.copy_(bias + torch.linspace(-0.5, 0.5, len(module.infini.gate_bias)))


def ids(*rows):
    return torch.tensor(rows)


def fold(memory, model, tokens, mask=None):
    model(tokens, past_key_values=memory)
    memory.fold(mask)


@pytest.fixture(params=KERNELS)
def opened(request, tiny):
    """The tiny llama with each kernel and open gates."""
    model = load_model(tiny)
    attach(model, request.param)
    open_gates(model)
    return model


@pytest.fixture(params=FAMILIES)
def family(request, tmp_path):
    return tiny_model(tmp_path / request.param, request.param)


def test_every_family_is_unchanged_by_an_empty_memory_and_changed_by_a_full_one(family):
    """The base model's logits to the last bit; then a memory that every one of them reads."""
    prompt, told = ids(WORDS[:20], WORDS[10:30]), ids(WORDS[20:50], WORDS[5:35])
    base = load_model(family)(prompt).logits
    model = load_model(family)
    attach(model)
    open_gates(model)
    assert torch.equal(model(prompt, past_key_values=CompressiveMemory(model)).logits, base)
    assert torch.equal(model(prompt).logits, base)
    memory = CompressiveMemory(model)
    fold(memory, model, told)
    after = model(prompt, past_key_values=memory).logits
    assert torch.isfinite(after).all()
    assert (after - base).abs().max() > 1e-3
    for module in attention_modules(model):  # gates at their initial value: what is in memory has no say
        module.infini.gate_bias.fill_(float("-inf"))
    closed = CompressiveMemory(model, memory.state)
    assert torch.equal(model(prompt, past_key_values=closed).logits, base)


def test_every_family_forgets_positions_in_memory(family):
    """A token's memory key is the same wherever in the segment it stood (first layer: nothing else differs)."""
    model = load_model(family)
    attach(model)
    keys = []
    for prompt in (ids([7, 8, 9]), ids([20, 21, 22, 23, 24, 25, 7])):
        memory = CompressiveMemory(model)
        model(prompt, past_key_values=memory)
        recorded = Slots.side_by_side(memory.layers[0]._recorded).keys
        keys.append(recorded[0, :, prompt[0].tolist().index(7)])
    torch.testing.assert_close(keys[0], keys[1], rtol=1e-4, atol=1e-5)
    rotated = memory.layers[0].keys[0, :, -1]
    assert model.config.model_type == "smollm3" or not torch.allclose(rotated, keys[1], atol=1e-3)


def test_unrotate_undoes_partial_and_scaled_rotation():
    x = torch.randn(2, 3, 5, 16)
    angles = torch.randn(2, 5, 4)
    scale = 1.3
    cos, sin = (torch.cat([part, part], -1) * scale for part in (angles.cos(), angles.sin()))
    left, right = x[..., :8].chunk(2, -1)
    rotated = x[..., :8] * cos[:, None] + torch.cat([-right, left], -1) * sin[:, None]
    torch.testing.assert_close(unrotate(torch.cat([rotated, x[..., 8:]], -1), (cos, sin)), x)


def test_the_memory_read_is_the_papers_equation(tiny):
    """A hand-made A = g·A_mem + (1 − g)·A_dot for one layer, from the queries and keys themselves."""
    model = load_model(tiny)
    attach(model, "linear")
    open_gates(model)
    layer = attention_modules(model)[0]
    memory = CompressiveMemory(model)
    told, asked = ids(WORDS[:12]), ids(WORDS[12:17])
    fold(memory, model, told)
    seen = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, kw: seen.update(h=kw["hidden_states"]), with_kwargs=True),
        layer.o_proj.register_forward_pre_hook(lambda _, args: seen.update(mixed=args[0])),
    ]
    model(asked, past_key_values=memory)
    mixed = seen["mixed"]
    model(asked)
    local, hidden = seen["mixed"], seen["h"]
    for hook in hooks:
        hook.remove()
    told_hidden = model.model.layers[0].input_layernorm(model.model.embed_tokens(told))
    sigma = lambda x: torch.nn.functional.elu(x) + 1  # noqa: E731
    for head in range(4):
        rows = slice(16 * head, 16 * head + 16)
        shared = slice(16 * (head // 2), 16 * (head // 2) + 16)  # two query heads share a KV head
        queries = sigma(hidden[0] @ layer.q_proj.weight[rows].T)
        keys = sigma(told_hidden[0] @ layer.k_proj.weight[shared].T)
        values = told_hidden[0] @ layer.v_proj.weight[shared].T
        read = (queries @ (keys.T @ values)) / (queries @ keys.sum(0))[:, None]
        gate = torch.sigmoid(layer.infini.gate_bias[head])
        expected = gate * read + (1 - gate) * local[0, :, rows]
        torch.testing.assert_close(mixed[0, :, rows], expected, rtol=1e-4, atol=1e-5)


def test_a_single_segment_does_not_see_its_own_fold(opened):
    """Write after read: reading a segment with an empty memory is the base model, however it is cut for the window."""
    tokens = ids(WORDS[:24])
    whole = opened(tokens).logits
    memory = CompressiveMemory(opened)
    first = opened(tokens[:, :10], past_key_values=memory).logits
    rest = opened(tokens[:, 10:], past_key_values=memory).logits
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, rtol=1e-4, atol=1e-4)
    # And the fold is the same, in one step or in two.
    memory.fold()
    once = CompressiveMemory(opened)
    fold(once, opened, tokens)
    for a, b in zip(memory.state, once.state, strict=True):
        torch.testing.assert_close(a.association, b.association, rtol=1e-4, atol=1e-4)


def test_padding_changes_nothing(opened):
    long, short = WORDS[:16], WORDS[20:27]
    mask = torch.tensor([[1] * 16, [1] * 7 + [0] * 9])
    padded = ids(long, short + [2] * 9)
    memory = CompressiveMemory(opened)
    fold(memory, opened, padded, mask)
    for row, alone in enumerate((long, short)):
        single = CompressiveMemory(opened)
        fold(single, opened, ids(alone))
        question = ids(WORDS[40:48])
        got = opened(question, past_key_values=CompressiveMemory(opened, [s.rows([row]) for s in memory.state])).logits
        torch.testing.assert_close(got, opened(question, past_key_values=single).logits, rtol=1e-3, atol=1e-4)


def test_rows_without_memory_stay_the_base_model(opened):
    """In a batch, a stream that has read nothing yet is not disturbed by its neighbour's memory."""
    memory = CompressiveMemory(opened)
    fold(memory, opened, ids(WORDS[:16], WORDS[:16]), torch.tensor([[1] * 16, [0] * 16]))
    prompt = ids(WORDS[30:40], WORDS[30:40])
    logits = opened(prompt, past_key_values=memory).logits
    base = opened(prompt).logits
    assert torch.equal(logits[1], base[1])
    assert (logits[0] - base[0]).abs().max() > 1e-3


def test_left_padded_generation_reads_the_memory(opened):
    memory = CompressiveMemory(opened)
    fold(memory, opened, ids(WORDS[:16], WORDS[:16]))
    prompt, mask = ids([2, 2, *WORDS[30:36]], WORDS[30:38]), ids([0, 0, 1, 1, 1, 1, 1, 1], [1] * 8)
    options = {"do_sample": False, "max_new_tokens": 6, "pad_token_id": 2, "eos_token_id": None}
    both = opened.generate(prompt, attention_mask=mask, past_key_values=memory.copy(), **options)
    single = CompressiveMemory(opened, [state.rows([0]) for state in memory.state])
    alone = opened.generate(ids(WORDS[30:36]), past_key_values=single, **options)
    assert both[0, 8:].tolist() == alone[0, 6:].tolist()


def test_generate_leaves_the_memory_that_was_copied(opened):
    memory = CompressiveMemory(opened)
    fold(memory, opened, ids(WORDS[:30]))
    prompt = ids(WORDS[30:36])
    options = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": 2, "eos_token_id": None}
    first = opened.generate(prompt, past_key_values=memory.copy(), **options)
    again = opened.generate(prompt, past_key_values=memory.copy(), **options)
    plain = opened.generate(prompt, **options)
    assert first.tolist() == again.tolist()
    assert memory.get_seq_length() == 0
    # greedy decoding by hand, without a window to go on from
    tokens = prompt
    for _ in range(8):
        logits = opened(tokens, past_key_values=memory.copy()).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    assert first.tolist() == tokens.tolist()
    assert first.tolist() != plain.tolist()  # it reads


def test_a_copy_fills_its_own_window(opened):
    """What is generated with a copy of a half-filled window is not folded into the original."""
    memory = CompressiveMemory(opened)
    opened(ids(WORDS[:10]), past_key_values=memory)
    opened(ids(WORDS[10:20]), past_key_values=memory.copy())
    memory.fold()
    once = CompressiveMemory(opened)
    fold(once, opened, ids(WORDS[:10]))
    assert memory.state[0].tokens.tolist() == [10]
    assert torch.equal(memory.state[0].association, once.state[0].association)


def test_beam_search_and_several_answers_carry_their_memory(opened):
    memory = CompressiveMemory(opened)
    fold(memory, opened, ids(WORDS[:30]))
    options = {"max_new_tokens": 5, "pad_token_id": 2, "eos_token_id": None, "do_sample": False}
    beams = opened.generate(ids(WORDS[30:36]), past_key_values=memory.copy(), num_beams=3, **options)
    assert beams.shape == (1, 11)


def test_a_saved_state_gives_the_same_logits(opened):
    memory = CompressiveMemory(opened)
    fold(memory, opened, ids(WORDS[:30]))
    fold(memory, opened, ids(WORDS[10:40]))
    named = {f"{i}.{key}": value for i, state in enumerate(memory.state) for key, value in state.tensors().items()}
    loaded = load(save(named))
    states = [State(*(loaded[f"{i}.{key}"] for key in memory.state[0].tensors())) for i in range(len(memory.state))]
    prompt = ids(WORDS[40:50])
    expected = opened(prompt, past_key_values=memory).logits
    assert torch.equal(opened(prompt, past_key_values=CompressiveMemory(opened, states)).logits, expected)


def test_a_merged_memory_is_the_memory_of_both_documents(tiny):
    model = load_model(tiny)
    attach(model, "least_squares")
    open_gates(model)
    memories = [CompressiveMemory(model) for _ in range(2)]
    fold(memories[0], model, ids(WORDS[:20]))
    fold(memories[1], model, ids(WORDS[20:40]))
    a, b = (memory.state for memory in memories)
    merged = [x + y for x, y in zip(a, b, strict=True)]
    side_by_side = CompressiveMemory(model)
    fold(side_by_side, model, ids(WORDS[:20], WORDS[20:40]))
    prompt = ids(WORDS[40:50])
    total = [state.total() for state in side_by_side.state]
    logits = [model(prompt, past_key_values=CompressiveMemory(model, state)).logits for state in (merged, total)]
    torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-4)
    taken_out = [x - y for x, y in zip(merged, b, strict=True)]
    logits = [model(prompt, past_key_values=CompressiveMemory(model, state)).logits for state in (taken_out, a)]
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-5)


def test_gradients_flow_through_several_segments(opened):
    """From the loss in the third segment to the gates, and to what was written in the first."""
    opened.requires_grad_(True)
    memory = CompressiveMemory(opened)
    embedded = opened.model.embed_tokens(ids(WORDS[:12])).detach().requires_grad_()
    opened(inputs_embeds=embedded, past_key_values=memory)
    memory.fold()
    fold(memory, opened, ids(WORDS[12:24]))
    target = ids(WORDS[24:36])
    opened(target, past_key_values=memory, labels=target).loss.backward()
    assert embedded.grad.abs().sum() > 0
    for module in attention_modules(opened):
        assert module.infini.gate_bias.grad.abs().sum() > 0
        assert torch.isfinite(module.infini.gate_weight.grad).all()


def test_folding_cannot_be_undone(opened):
    memory = CompressiveMemory(opened)
    fold(memory, opened, ids(WORDS[:12]))
    assert not memory.layers[0].is_croppable
    assert memory.get_seq_length() == 0


def test_half_precision_models_keep_an_exact_memory(tiny):
    model = load_model(tiny).bfloat16()
    attach(model)
    open_gates(model)
    memory = CompressiveMemory(model)
    fold(memory, model, ids(WORDS[:30]))
    assert memory.state[0].association.dtype == torch.float64
    assert model(ids(WORDS[30:40]), past_key_values=memory).logits.dtype == torch.bfloat16


def test_mistakes_are_named(tiny):
    model = load_model(tiny)
    with pytest.raises(ValueError, match="attach"):
        CompressiveMemory(model)
    with pytest.raises(ValueError, match="unknown kernel 'quadratic'"):
        attach(model, "quadratic")


@pytest.mark.real
def test_the_real_model_is_unchanged_by_an_empty_memory_and_by_closed_gates(real_base):
    import copy

    model = copy.deepcopy(real_base.model)
    prompt = torch.tensor([real_base.encode("The reading room opens at ten on Saturdays, and")])
    base = model(prompt).logits
    attach(model)
    memory = CompressiveMemory(model)
    assert torch.equal(model(prompt, past_key_values=memory).logits, base)
    memory.fold()
    assert torch.equal(model(prompt, past_key_values=memory).logits, base)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("tokens", [1, 127, 128, 300])
@pytest.mark.parametrize(("kv_heads", "before"), [(2, 0), (6, 0), (2, 50)])
def test_blocked_causal_attention_is_causal_attention(dtype, tolerance, tokens, kv_heads, before):
    torch.manual_seed(0)
    query = torch.randn(2, 6, tokens, 16)
    key, value = (torch.randn(2, kv_heads, before + tokens, 16) for _ in range(2))
    mask = torch.ones(tokens, before + tokens, dtype=torch.bool).tril(before)
    expected = F.scaled_dot_product_attention(query, key, value, mask, enable_gqa=True, scale=0.3)
    found = causal_attention(query.to(dtype), key.to(dtype), value.to(dtype), 0.3)
    torch.testing.assert_close(found.float(), expected.transpose(1, 2), rtol=0, atol=tolerance)


def layers_run(model):
    """Which layers' MLPs run from now on."""
    seen = []
    for number, layer in enumerate(model.get_decoder().layers):
        layer.mlp.register_forward_hook(lambda *_, number=number: seen.append(number))
    return seen


@pytest.mark.parametrize(("remember", "expected"), [(None, [0, 1]), (range(0), [0])])
def test_a_single_pass_runs_nothing_above_what_is_needed_and_leaves_the_same(tiny, remember, expected):
    model = load_base(str(tiny)).model
    attach(model)
    ids = torch.randint(3, 300, (2, 40))
    whole = CompressiveMemory(model)
    entering = []
    hook = (
        model.get_decoder()
        .layers[1]
        .self_attn.register_forward_pre_hook(
            lambda _, args, kwargs: entering.append(kwargs["hidden_states"]), with_kwargs=True
        )
    )
    logits = model(ids, past_key_values=whole).logits
    hook.remove()
    whole.fold()
    seen = layers_run(model)
    memory = single_pass(model, ids, tap=1, remember=remember)
    assert seen == expected
    assert torch.equal(memory.layers[1].entering, entering[0])
    memory.fold()
    assert (memory.state is not None) == (remember is None)
    for mine, theirs in zip(memory.state or [], whole.state if remember is None else [], strict=True):
        assert torch.equal(mine.association, theirs.association)
        assert torch.equal(mine.normaliser, theirs.normaliser)
    assert torch.equal(model(ids, past_key_values=CompressiveMemory(model)).logits, logits)
