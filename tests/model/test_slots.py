"""Slots: against the naive twin, which pairs stay, constant size, and everything that a memory can do, with them."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save
from transformers import AutoModelForCausalLM

from infinidoc.errors import InfinidocError
from infinidoc.model import naive
from infinidoc.model.attention import CompressiveMemory, attach, attention_modules
from infinidoc.model.base import load_base
from infinidoc.model.decoding import generate, go_on, read
from infinidoc.model.slots import DECAY, KEEP, LATE, RIDGE, SAMPLED, SINKS, choose, rule, sampled
from tests.tiny import FAMILIES, tiny_model

WORDS = torch.arange(3, 400)
OPTIONS = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": 2, "eos_token_id": None}
WAYS = {
    "attention": ("attention",),
    "late": ("late",),
    "learnt": ("learnt",),
    "residual": ("residual",),
    "attention and residual": ("attention", "residual"),
    "recent": ("recent",),
    "sampled": ("sampled",),
    "sampled and residual": ("sampled", "residual"),
}


def open_model(folder, first_layer=0, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval().requires_grad_(False)
    attach(model, first_layer=first_layer)
    for module in attention_modules(model):  # as if it had been learnt
        module.infini.keep_weight.normal_(generator=torch.Generator().manual_seed(1))
        module.infini.keep_bias.fill_(0)
    return model


def open_gates(model):
    for module in attention_modules(model):
        module.infini.gate_bias.fill_(0)
        module.infini.write_bias.fill_(0)


def words(*bounds):
    """Rows of tokens, one for each (start, stop)."""
    return torch.stack([WORDS[start:stop] for start, stop in bounds])


def tell(model, memory, *segments, masks=None):
    """Logits of each segment, all of which are folded."""
    found = []
    for segment, mask in zip(segments, masks or [None] * len(segments), strict=True):
        found.append(model(segment, past_key_values=memory).logits)
        memory.fold(mask)
    return found


def naively(memory):
    """The same memory with the naive twin for slots."""
    for layer in memory.layers:
        layer.slots = naive.LayerSlots(layer.slots.size, layer.slots.keep, layer.slots.turn)
        layer.slots.held = [[[] for _ in range(2)] for _ in range(2)]  # so that it is asked from the beginning
    return memory


def assert_same_slots(memory, oracle):
    for layer, twin in zip(memory.layers, oracle.layers, strict=True):
        held = layer.slots.held
        for b, row in enumerate(twin.slots.held):
            present = held.present[b]
            for k, pairs in enumerate(row):
                for name in ("keys", "values"):
                    expected = torch.stack([getattr(pair, name[:-1]) for pair in pairs])
                    torch.testing.assert_close(getattr(held, name)[b, k, present], expected, rtol=1e-3, atol=1e-4)
                if {"attention", "sampled"} & set(layer.slots.keep):
                    expected = torch.tensor([float(pair.received) for pair in pairs])
                    torch.testing.assert_close(held.received[b, k, present], expected, rtol=1e-3, atol=1e-4)


@pytest.fixture(params=FAMILIES)
def family(request, tmp_path):
    """A sliding window that is shorter than what is read, where the family has one."""
    narrow = {} if request.param in ("llama", "smollm3", "granite", "olmo2") else {"sliding_window": 14}
    if request.param in ("qwen2", "qwen3"):
        narrow |= {"use_sliding_window": True, "max_window_layers": 1}
    if request.param == "gemma3":
        narrow["tie_word_embeddings"] = False  # tied and untrained, it says its last token for ever
    return tiny_model(tmp_path / request.param, request.param, **narrow)


def compared(model, size, keep, segments, masks=None):
    memory, oracle = (CompressiveMemory(model, slots=size, keep=keep) for _ in range(2))
    found, expected = tell(model, memory, *segments, masks=masks), tell(model, naively(oracle), *segments, masks=masks)
    for mine, theirs, mask in zip(found, expected, masks or map(torch.ones_like, segments), strict=True):
        torch.testing.assert_close(mine[mask.bool()], theirs[mask.bool()], rtol=1e-3, atol=1e-3)
    assert_same_slots(memory, oracle)
    return memory


def test_every_family_does_what_the_naive_twin_does(family):
    """Positions 0 … S − 1 and the window from S on, there word for word; sliding windows narrower than the text."""
    segments = [words((0, 11), (100, 111)), words((20, 24), (120, 124)), words((40, 48), (140, 148))]
    compared(open_model(family), 12, ("attention",), segments)


@pytest.mark.parametrize("keep", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("first_layer", [0, 2])
def test_every_way_keeps_what_the_naive_twin_keeps_whatever_the_padding(tiny, keep, first_layer, monkeypatch):
    from infinidoc.model import slots

    for module in (slots, naive):
        monkeypatch.setattr(module, "LATE", 5)
        monkeypatch.setattr(module, "SAMPLED", 4)
    monkeypatch.setattr(slots, "BLOCK", 4)
    segments = [words((0, 12), (100, 112)), words((20, 30), (120, 130)), words((40, 52), (140, 152))]
    masks = [torch.ones(2, 12), torch.ones(2, 10), torch.ones(2, 12)]
    masks[0][1, 7:] = 0
    masks[1][0, 3:] = 0
    model = open_model(tiny, first_layer=first_layer)
    open_gates(model)
    memory = compared(model, 16, keep, segments, masks)
    assert [slots.present.shape for slots in memory.slots] == [(2, 16)] * 3


@pytest.mark.parametrize("size", [1, 4, 7, 16])
def test_the_size_is_constant_however_long_the_text(tiny, size):
    model = open_model(tiny)
    memory, sizes = CompressiveMemory(model, slots=size), set()
    for start in range(0, 300, 20):
        tell(model, memory, words((start, start + 20)))
        sizes.add(sum(t.numel() * t.element_size() for t in memory.tensors().values()))
        assert all(slots.keys.shape == (1, 2, min(size, 20), 16) for slots in memory.slots)
    assert len(sizes) == 1


def test_more_slots_than_text_are_full_attention(family):
    """However it is cut into segments, nothing is lost: the model's own logits over all of it."""
    model = open_model(family)
    text = words((0, 40), (200, 240))
    memory = CompressiveMemory(model, slots=64)
    found = tell(model, memory, *text.split([15, 1, 11, 13], 1))
    torch.testing.assert_close(torch.cat(found, 1), model(text).logits, rtol=1e-3, atol=1e-3)
    assert all(slots.present.shape == (2, 40) for slots in memory.slots)


def test_no_slots_are_the_memory_as_it_was_and_empty_ones_change_nothing(family):
    model, prompt = open_model(family), words((0, 20), (30, 50))
    base = model(prompt).logits
    for size in (0, 16):
        memory = CompressiveMemory(model, slots=size)
        assert torch.equal(model(prompt, past_key_values=memory).logits, base)
    memory.clear()
    memory.fold()
    assert memory.slots == []
    none = CompressiveMemory(model, slots=0)
    tell(model, none, words((50, 80), (80, 110)))
    assert torch.equal(model(prompt, past_key_values=none).logits, base)  # gates are closed
    assert none.slots == []
    tell(model, memory, words((50, 80), (80, 110)))
    assert (model(prompt, past_key_values=memory).logits - base).abs().max() > 1e-3


def test_the_first_and_the_last_stay_and_the_others_by_their_score():
    present = torch.ones(1, 40, dtype=torch.bool)
    score, other = torch.zeros(1, 1, 40), torch.zeros(1, 1, 40)
    score[..., [10, 20, 21, 22]] = torch.tensor([4.0, 3.0, 2.0, 1.0])
    other[..., [10, 30, 31]] = torch.tensor([9.0, 8.0, 7.0])

    def stay(scores, size):
        return choose(scores, present, size)[0, 0].tolist()[-size:]

    assert stay([score], 18) == [0, 1, 2, 3, 4, 10, 20, 21, 22, *range(31, 40)]
    assert stay([score], 17) == [0, 1, 2, 3, 4, 10, 20, 21, 22, *range(32, 40)]
    assert stay([score, other], 16) == [0, 1, 2, 3, 10, 20, 30, 31, *range(32, 40)]
    assert stay([score], 7) == [0, 1, 2, 3, 37, 38, 39]
    assert stay([score], 3) == [0, 1, 2]
    present[:, 5:] = False
    assert stay([score], 12) == [*range(33, 40), 0, 1, 2, 3, 4]  # what isn't there comes first


def test_the_rule_has_another_version_wherever_it_chooses_other_pairs():
    """What was kept by a rule that has changed would be read as if it were of this one. So a change that fails here
    gives `VERSION` another text, and puts what belongs to that here."""
    chosen = choose([*(step * torch.arange(64.0)[None, None] % 64 for step in (37, 11))], torch.ones(1, 64).bool(), 20)
    numbers = (SINKS, DECAY, LATE, SAMPLED, RIDGE)
    assert (rule(256, KEEP), numbers, chosen[..., -20:].flatten().tolist()) == (
        "256 by sampled and residual, half of them recent",
        (4, 0.5, 128, 16, 0.1),
        [0, 1, 2, 3, 12, 19, 23, 29, 38, 52, *range(54, 64)],
    )


def test_attention_received_long_ago_counts_less(tiny):
    model, segments = open_model(tiny), words((0, 45)).split([15, 15, 15], 1)
    received = []
    for keep in (("attention",), ("sampled",)):
        memory, forgetful = (CompressiveMemory(model, slots=64, keep=keep) for _ in range(2))
        for each in (memory, forgetful):
            tell(model, each, segments[0])
        earlier = [slots.received for slots in memory.slots]
        for layer in forgetful.layers:
            layer.slots.set(replace(layer.slots.held, received=torch.zeros_like(layer.slots.held.received)))
        for each in (memory, forgetful):
            tell(model, each, *segments[1:])
        for own, other, first in zip(memory.slots, forgetful.slots, earlier, strict=True):
            torch.testing.assert_close(own.received[..., :15], other.received[..., :15] + first / 4)
        received.append(torch.stack([slots.received for slots in memory.slots]))
    torch.testing.assert_close(*received)  # of so few tokens, every one is asked


def test_few_of_many_queries_say_what_all_would(tiny):
    """Of 200 queries 16 are asked, evenly; what they say is scaled up to all."""
    model, totals = open_model(tiny), []
    for keep in (("attention",), ("sampled",)):
        memory = CompressiveMemory(model, slots=256, keep=keep)
        tell(model, memory, words((0, 200)))
        totals.append(torch.stack([slots.received for slots in memory.slots]))
    exact, estimated = totals
    torch.testing.assert_close(estimated.sum(-1), exact.sum(-1))
    counts = sampled(torch.tensor([[True] * 100, [False] * 60 + [True] * 40]))
    assert (counts > 0).sum(-1).tolist() == [16, 16]
    torch.testing.assert_close(counts.sum(-1), torch.tensor([100.0, 40.0]))
    assert counts[:, -1].tolist() == [100 / 16, 40 / 16]


def test_what_leaves_the_slots_goes_into_the_sum(tiny):
    """Sum and slots together hold what a memory without slots sums up: of the first layer, which sees no memory."""
    model = open_model(tiny)
    open_gates(model)
    masks = [None, torch.tensor([[1] * 9, [1] * 3 + [0] * 6]), torch.tensor([[1] * 14, [0] * 14])]
    segments = words((0, 12), (100, 112)), words((20, 29), (120, 129)), words((40, 54), (140, 154))
    memory, sums = CompressiveMemory(model, slots=10), CompressiveMemory(model)
    tell(model, memory, segments[0][:, :10])
    assert memory.state[0].tokens.tolist() == [0, 0]
    memory = CompressiveMemory(model, slots=10)
    for each in (memory, sums):
        tell(model, each, *segments, masks=masks)
    assert memory.state[0].tokens.tolist() == [25, 5]
    held, layer = memory.slots[0], memory.layers[0]
    arguments = held.keys, held.values, held.weights, held.present.float()
    for name, expected in sums.state[0].tensors().items():
        found = getattr(layer.kernel.write(memory.state[0], *arguments), name)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_no_sum_is_kept_behind_slots_where_no_gate_would_read_it(tiny):
    model = open_model(tiny)
    memory = CompressiveMemory(model, slots=10)
    tell(model, memory, words((0, 12)))
    assert memory.state is None
    open_gates(model)
    attention_modules(model)[1].infini.gate_bias.fill_(float("-inf"))
    tell(model, memory, words((0, 12)))
    assert [layer.state is None for layer in memory.layers] == [False, True, False]


def test_a_row_is_what_it_is_alone(family):
    """Padding in what is told, and a row that has read nothing."""
    model = open_model(family)
    masks = [torch.tensor([[1] * 12, [1] * 5 + [0] * 7, [0] * 12]), torch.tensor([[1] * 9, [1] * 9, [0] * 9])]
    memory = CompressiveMemory(model, slots=10)
    tell(model, memory, words((0, 12), (100, 112), (0, 12)), words((20, 29), (120, 129), (0, 9)), masks=masks)
    prompt = words((300, 308))
    found = model(prompt.expand(3, -1), past_key_values=memory).logits
    for row, told in enumerate([[(0, 12), (20, 29)], [(100, 105), (120, 129)], []]):
        alone = CompressiveMemory(model, slots=10)
        tell(model, alone, *(words(bounds) for bounds in told))
        expected = model(prompt, past_key_values=alone).logits[0]
        torch.testing.assert_close(found[row], expected, rtol=1e-3, atol=1e-3)


def test_left_padding_is_not_told_either(family):
    model = open_model(family)
    padded, mask = words((0, 12), (100, 112)), torch.tensor([[1] * 12, [0] * 5 + [1] * 7])
    memory, alone = (CompressiveMemory(model, slots=10, keep=("attention", "late")) for _ in range(2))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    for _ in range(2):
        model(padded, attention_mask=mask, position_ids=positions, past_key_values=memory)
        memory.fold(mask)
        tell(model, alone, words((105, 112)))
    for mine, theirs in zip(memory.slots, alone.slots, strict=True):
        torch.testing.assert_close(mine.keys[1], theirs.keys[0], rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(mine.received[1], theirs.received[0], rtol=1e-3, atol=1e-3)


def test_gradients_are_those_of_full_attention_where_all_is_kept(family):
    """From a loss behind two folds to the embeddings of the first segment."""
    model, text = open_model(family), words((0, 30))
    embedded = model.get_input_embeddings()(text[:, :12]).requires_grad_()

    def gradient(logits):
        return torch.autograd.grad(logits.log_softmax(-1)[..., 7].sum(), embedded)[0]

    rest = model.get_input_embeddings()(text[:, 12:])
    expected = gradient(model(inputs_embeds=torch.cat([embedded, rest], 1)).logits[:, 20:])
    for size in (64, 8):
        memory = CompressiveMemory(model, slots=size)
        model(inputs_embeds=embedded, past_key_values=memory)
        memory.fold()
        tell(model, memory, text[:, 12:20])
        found = gradient(model(text[:, 20:], past_key_values=memory).logits)
        if size == 64:
            torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max()))
        assert found.abs().sum() > 0


def test_saved_and_loaded_sum_and_slots_give_the_same_logits(family):
    model = open_model(family)
    open_gates(model)
    memory = CompressiveMemory(model, slots=12)
    masks = [None, torch.tensor([[1] * 10, [1] * 4 + [0] * 6])]
    tell(model, memory, words((0, 12), (100, 112)), words((20, 30), (120, 130)), masks=masks)
    loaded = CompressiveMemory(model, slots=12)
    loaded.load_tensors(load(save(memory.tensors())))
    for _ in range(2):  # and it goes on alike
        found, expected = (tell(model, each, words((40, 52), (140, 152)))[0] for each in (loaded, memory))
        assert torch.equal(found, expected)
    loaded.load_tensors({})
    assert loaded.slots == []
    assert loaded.state is None


def test_a_copy_and_a_choice_of_rows_are_their_own(tiny):
    model = open_model(tiny)
    memory = CompressiveMemory(model, slots=12)
    tell(model, memory, words((0, 20), (100, 120)))
    twin, prompt = memory.copy(), words((40, 50), (60, 70))
    expected = model(prompt, past_key_values=memory.copy()).logits
    tell(model, twin, words((200, 220), (220, 240)))
    assert torch.equal(model(prompt, past_key_values=memory.copy()).logits, expected)
    memory.reorder_cache(torch.tensor([1, 0]))
    assert torch.equal(model(prompt[[1, 0]], past_key_values=memory).logits, expected[[1, 0]])
    for layer in memory.layers:
        layer.reset()
    assert torch.equal(model(prompt, past_key_values=memory).logits, model(prompt).logits)


def test_generation_reads_the_slots(family):
    """Greedy decoding behind slots is that of one token after the other by hand; also with a padded prompt."""
    model = open_model(family)
    memory = CompressiveMemory(model, slots=12)
    tell(model, memory, words((0, 20), (0, 20)))
    prompt = words((30, 36), (50, 56))
    said = model.generate(prompt, past_key_values=memory.copy(), **OPTIONS)
    tokens = prompt
    for _ in range(8):
        logits = model(tokens, past_key_values=memory.copy()).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    assert said.tolist() == tokens.tolist()
    assert said.tolist() != model.generate(prompt, **OPTIONS).tolist()
    left = torch.cat([torch.full((1, 2), 2), prompt[:1, :4]], 1)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1] * 6])
    both = model.generate(torch.cat([left, prompt[1:]]), attention_mask=mask, past_key_values=memory.copy(), **OPTIONS)
    memory.reorder_cache(torch.tensor([0]))
    alone = model.generate(prompt[:1, :4], past_key_values=memory, **OPTIONS)
    assert both[0, 6:].tolist() == alone[0, 4:].tolist()


@pytest.mark.parametrize("name", ["llama", "qwen2"])
@torch.no_grad()
def test_our_decoder_does_and_says_what_transformers_does_and_says(name, tmp_path):
    folder = tiny_model(tmp_path / "model", name)
    base, theirs = load_base(str(folder)), open_model(folder)
    attach(base.model)
    prompts = torch.stack([WORDS[first : first + 12] for first in (20, 110, 200, 290)])
    told = [words(*((9 * row, 9 * row + 30) for row in range(4))), prompts + 5]
    masks = [torch.ones(4, 30), torch.ones(4, 12)]
    masks[0][1, 6:] = 0
    mine, other = (CompressiveMemory(model, slots=20, keep=("late", "residual")) for model in (base.model, theirs))
    for a, b in zip(tell(base.model, mine, *told, masks=masks), tell(theirs, other, *told, masks=masks), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    said = theirs.generate(prompts, past_key_values=other.copy(), **OPTIONS)[:, 12:].tolist()
    expected = [[t for i, t in enumerate(row) if not set(row[: i + 1]) & set(base.stops)] for row in said]
    assert generate(base, prompts, mine.copy(), 8) == expected
    filled = mine.copy()
    first = read(base, prompts, filled).argmax(-1)
    for _ in range(2):  # what the window holds stays as it is
        assert go_on(base, first, filled, 8, base.stops) == expected
    assert generate(base, prompts, CompressiveMemory(base.model), 8) != expected


def test_half_precision_is_kept(tiny):
    model = open_model(tiny, dtype=torch.bfloat16)
    memory = CompressiveMemory(model, slots=12, keep=("attention", "residual"))
    tell(model, memory, words((0, 20)))
    assert {slots.keys.dtype for slots in memory.slots} == {torch.bfloat16}
    assert model(words((30, 40)), past_key_values=memory).logits.isfinite().all()


def test_mistakes_are_named(tiny):
    model = open_model(tiny)
    attention_modules(model)[1].infini.keep_bias.fill_(float("-inf"))
    with pytest.raises(InfinidocError, match="no write gate"):
        CompressiveMemory(model, slots=8, keep=("learnt",))
    for mistake in ({"slots": -1}, {"slots": 8, "keep": ("luck",)}, {"slots": 8, "keep": ()}):
        with pytest.raises(ValueError, match="choose 0 or more, by attention, sampled, late, learnt, residual, recent"):
            CompressiveMemory(model, **mistake)
    memory = CompressiveMemory(model, slots=8)
    tell(model, memory, words((0, 20)))
    tensors = {name: tensor for name, tensor in memory.tensors().items() if "slots.2" not in name}
    with pytest.raises(ValueError, match="zip"):
        CompressiveMemory(model, slots=8).load_tensors(tensors)
