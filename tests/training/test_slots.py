"""Training to read through slots, on a tiny model: that it learns, layer by layer, and nothing else depends on it."""

import json
import lzma

import numpy as np
import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.model import adapters
from infinidoc.model.addresses import untrained_head
from infinidoc.model.attention import CompressiveMemory, attach, is_attached
from infinidoc.model.base import load_base
from infinidoc.model.loading import load
from infinidoc.model.lora import Merged, add_lora, loras
from infinidoc.training import books, slots, transfer
from infinidoc.training.books import Books
from infinidoc.training.run import train_slots
from infinidoc.training.slots import Settings, Trainer
from tests.tiny import FAMILIES, tiny_model

SENTENCES = ["The ship {n} carries grain. ", "The keeper wrote {n} into the green book. ", "Wine and grain, {n}. "]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, values in {"WINDOWS": (8, 16), "SIZES": (4, 8), "DEVICE_TOKENS": {"cpu": 64}}.items():
        monkeypatch.setattr(slots, name, values)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Five books of two parts: the fourth is held out."""
    folder = tmp_path_factory.mktemp("library")
    for book in range(5):
        parts = [
            "".join(SENTENCES[(n + book) % 3].format(n=n) for n in range(30 * part, 30 * part + 30)) for part in (0, 1)
        ]
        with lzma.open(folder / f"book{book}.jsonl.xz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps({"title": "A book", "text": part}) + "\n" for part in parts)
    return folder


def trainer(tiny, library, out, **settings):
    base = load_base(str(tiny))
    read = books.tokenised(books.found(library)[0], base.encode)
    return Trainer(base, Settings(**{"rank": 4, "steps": 6, "length": 64} | settings), read, out)


def words(rows, tokens):
    return torch.randint(3, 400, (rows, tokens), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_with_room_for_everything_there_is_nothing_to_learn(family, alone, tmp_path):
    """The lesson is full attention, or, without a window, full attention to all but the window."""
    base = load_base(str(tiny_model(tmp_path / family, family)))
    attach(base.model, first_layer=3)
    add_lora(base.model, 2)
    ids = words(2, 64)

    def loss(size):
        return transfer.learn(base.model, ids, 16, CompressiveMemory(base.model, slots=size), alone)

    assert loss(64) < 1e-9
    assert loss(8) > 0.05


def test_the_lesson_without_a_window_is_what_full_attention_has_before_it(tiny):
    """Each token over all earlier segments and itself, with the positions that they have in the text."""
    base = load_base(str(tiny))
    attach(base.model)
    layer, ids = base.model.model.layers[0], words(1, 48)
    entering = layer.input_layernorm(base.model.model.embed_tokens(ids))
    rotation = base.model.model.rotation(torch.arange(48), torch.float32)
    places = torch.arange(48)
    seen = (places[:, None] // 16 > places // 16) | torch.eye(48, dtype=torch.bool)

    def masked(query, key, value):
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, seen, enable_gqa=True).transpose(
            1, 2
        )

    layer.self_attn._local = masked
    expected = layer.self_attn(entering, rotation, None)[:, 16:]
    del layer.self_attn._local
    heard = []
    memory = CompressiveMemory(base.model, slots=48)
    pupil = transfer._Pupil(base.model, 0, transfer.lessons(base.model, ids)[0], 16, memory, alone=True)
    past = pupil._past_window

    def listening(*args, **kwargs):
        heard.append(past(*args, **kwargs))
        return heard[-1]

    pupil._past_window = listening
    add_lora(base.model, 2)
    pupil(torch.zeros(1, 16, 64), base.model.model.rotation(torch.arange(16), torch.float32), memory)
    torch.testing.assert_close(heard[0], expected, rtol=1e-4, atol=1e-4)


def test_gradients_stay_inside_a_layer(tiny):
    """What one layer gives out wrongly is no matter of the layers below it."""
    base = load_base(str(tiny))
    attach(base.model)
    add_lora(base.model, 2)
    own = [{}, {}, {}]
    for name, lora in loras(base.model):
        own[int(name.split(".")[1])] |= {name + ".down": lora.down, name + ".up": lora.up}

    def gradients():
        base.model.zero_grad()  # what a step leaves is added to
        transfer.learn(base.model, words(1, 48), 16, CompressiveMemory(base.model, slots=8))
        return [{n: p.grad.clone() for n, p in parameters.items()} for parameters in own]

    before = gradients()
    assert all(any(grad.abs().max() > 0 for grad in layer.values()) for layer in before)
    with torch.no_grad():
        for parameter in own[2].values():
            parameter.add_(torch.randn_like(parameter))
    after = gradients()
    assert all(torch.equal(before[layer][n], grad) for layer in (0, 1) for n, grad in after[layer].items())
    assert any(not torch.equal(before[2][n], grad) for n, grad in after[2].items())


def test_no_step_changes_the_frozen_model(tiny, library, tmp_path):
    run = trainer(tiny, library, tmp_path)
    ids = words(1, 64)
    before = transfer.full_attention(run.base.model, ids)
    run.train()
    assert torch.equal(transfer.full_attention(run.base.model, ids), before)
    assert not torch.equal(run.base.model.get_decoder()(input_ids=ids).last_hidden_state, before)


def test_both_stages_learn(tiny, library, tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "WINDOWS", (16,))
    monkeypatch.setattr(slots, "SIZES", (8,))
    monkeypatch.setattr(slots, "DROPPED", 0.0)
    steps = []
    trainer(tiny, library, tmp_path, steps=120, rank=16, rate=1e-2).train(steps.append)
    told = [step.loss for step in steps if step.right is None]
    asked = [step for step in steps if step.right is not None]
    assert len(told) == pytest.approx(80, abs=1)
    assert sum(told[-10:]) < 0.8 * sum(told[:10])
    assert sum(step.loss for step in asked[-10:]) < sum(step.loss for step in asked[:10])
    assert steps[-1].progress == 1


def test_an_interrupted_run_ends_as_if_it_had_not_been(tiny, library, tmp_path):
    whole, halved = (trainer(tiny, library, tmp_path / name) for name in ("whole", "halved"))
    whole.train()
    halved.train(save_every=1, stop_at=2)
    again = trainer(tiny, library, tmp_path / "halved")
    again.train()
    assert again.step == whole.step == 6
    assert all(torch.equal(tensor, again.tensors()[name]) for name, tensor in whole.tensors().items())
    assert any(tensor.abs().max() > 0 for name, tensor in whole.tensors().items() if name.endswith("lora_up"))
    with pytest.raises(InfinidocError, match="other settings"):
        trainer(tiny, library, tmp_path / "halved", rate=1e-2).train()


def test_merged_once_a_step_it_learns_the_same(tiny, library, tmp_path):
    one, other = (trainer(tiny, library, tmp_path / name, steps=12) for name in ("one", "other"))
    other.merged = Merged(other.base.model)
    losses = ([], [])
    for run, found in zip((one, other), losses, strict=True):
        run.train(lambda step, found=found: found.append(step.loss))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert all(lora.merged is None for _, lora in loras(other.base.model))


def test_excerpts_begin_as_texts_do_and_are_a_books_own_words(tiny, library, tmp_path):
    import random

    run = trainer(tiny, library, tmp_path)
    whole = ["".join(map(chr, book.tolist())) for book in run.books]
    for seed in range(10):
        ids = run.excerpts(random.Random(seed))
        assert ids.shape == (1, 64)
        assert ids[0, : len(run.base.start)].tolist() == run.base.start
        assert any("".join(map(chr, ids[0, len(run.base.start) :].tolist())) in book for book in whole)


@pytest.mark.parametrize(
    ("length", "says"),
    [(60, "windows of 16"), (16, "windows of 16"), (4096, "no book is as long"), (8000, "has 4,096 tokens")],
)
def test_lengths_that_cannot_be(tiny, library, tmp_path, length, says):
    with pytest.raises(InfinidocError, match=says):
        trainer(tiny, library, tmp_path, length=length)


def test_every_fourth_book_is_held_out_and_written_to_be_measured_on(tiny, library, tmp_path):
    out = tmp_path / "run"
    card = train_slots(str(tiny), out, library, steps=1, length=64, rank=2)
    assert card.parts == ["slots"]
    assert sorted(Books.load(out / "books.safetensors").ids) == ["book0", "book1", "book2", "book4"]
    (held,) = (out / "held-out").iterdir()
    assert held.name == "book3.txt"
    assert held.read_text(encoding="utf-8") == books.read(library / "book3.jsonl.xz")
    read = Books.load(out / "books.safetensors").ids["book0"]
    text = books.read(library / "book0.jsonl.xz")
    assert text.startswith("The ship 0 carries grain.")
    assert np.array_equal(read, load_base(str(tiny)).encode(text))


@pytest.mark.parametrize("content", [b"no xz", lzma.compress(b'{"title": "no text"}\n'), lzma.compress(b"no json\n")])
def test_what_is_no_book_is_named(tiny, tmp_path, content):
    (tmp_path / "data").mkdir()
    with pytest.raises(InfinidocError, match="no books in"):
        train_slots(str(tiny), tmp_path / "run", tmp_path / "data")
    (tmp_path / "data" / "broken.jsonl.xz").write_bytes(content)
    with pytest.raises(InfinidocError, match=r"broken\.jsonl\.xz is no book"):
        train_slots(str(tiny), tmp_path / "run", tmp_path / "data")


@pytest.fixture
def part(tiny, library, tmp_path):
    """The directory of an adapter with slots, and nothing else."""
    train_slots(str(tiny), tmp_path / "part", library, steps=8, length=64, rank=4, rate=1e-2)
    return tmp_path / "part"


def test_it_is_loaded_for_slots_and_for_nothing_else(tiny, part):
    ids, plain = words(1, 30), load_base(str(tiny))
    expected = plain.model(ids).logits
    for options in ({}, {"to_read": True}, {"bare": True}):
        base, _ = load(str(tiny), str(part), **options)
        assert torch.equal(base.model(ids).logits, expected)
    assert torch.equal(untrained_head(base).mean, untrained_head(plain).mean)
    base, adapter = load(str(tiny), str(part), slots=True)
    assert not torch.allclose(base.model(ids).logits, expected, atol=1e-3)
    assert adapter.digest == ""  # no collection depends on it
    base, _ = load(str(tiny), "none", slots=True)
    assert torch.equal(base.model(ids).logits, expected)


def test_what_training_left_is_what_slots_are_read_with(tiny, library, tmp_path):
    run = trainer(tiny, library, tmp_path / "part", rate=1e-2)
    run.train()
    about = {"model": "tiny", "model_digest": run.base.digest, "first_layer": 0, "parts": "slots"}
    adapters.save(tmp_path / "part", run.tensors(), about, adapters.SLOTS_FILE)
    base, _ = load(str(tiny), str(tmp_path / "part"), slots=True)
    assert is_attached(base.model)
    ids = words(1, 30)
    torch.testing.assert_close(base.model(ids).logits, run.base.model(ids).logits, rtol=0.03, atol=0.03)


def test_another_model_is_refused(tiny, part, tmp_path):
    other = tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(InfinidocError, match="the adapter part was trained on"):
        load(str(other), str(part), slots=True)


def test_what_else_slots_have_stays(tiny, library, part):
    """A write gate is fitted by another command, into the same file."""
    file = part / adapters.SLOTS_FILE
    from safetensors.torch import load_file, save_file

    metadata = adapters.tensor_header(file)[1]
    tensors = load_file(file)
    save_file(tensors | {"layers.0.infini.gate_bias": torch.ones(4)}, file, metadata)
    (part / Trainer.CHECKPOINT).unlink()
    train_slots(str(tiny), part, library, steps=8, length=64, rank=4, rate=1e-2)
    assert load_file(file).keys() == tensors.keys() | {"layers.0.infini.gate_bias"}
    base, _ = load(str(tiny), str(part), slots=True)
    assert base.model.model.layers[0].self_attn.infini.gate_bias.tolist() == [1.0] * 4
