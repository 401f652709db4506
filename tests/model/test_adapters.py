"""Adapters on the disk, on a base model, and in a collection."""

import json

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.model import adapters
from infinidoc.model.addresses import untrained_head
from infinidoc.model.attention import CompressiveMemory, attention_modules
from infinidoc.model.base import load_base
from infinidoc.reading.collection import Collection
from infinidoc.training.trainer import Settings, Trainer

IDS = torch.arange(5, 25)[None]


def an_adapter(tiny, directory, seed=0, parts="address-head reader memory", **metadata):
    """As training would leave one: random LoRA factors from layer 1 on, open gates, an address head."""
    base = load_base(str(tiny))
    head = untrained_head(base)
    trainer = Trainer(base, Settings(rank=2, first_layer=1, tasks={"facts": 1.0}), {"facts": None}, directory)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in trainer.parameters.values():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    tensors = trainer.tensors() | {adapters.HEAD + name: tensor for name, tensor in head.tensors().items()}
    about = {"model": base.name, "model_digest": base.digest, "kernel": "least_squares", "first_layer": 1}
    return trainer, adapters.save(directory, tensors, {**about, "parts": parts, **metadata})


@torch.no_grad()
def test_what_training_left_is_what_reading_gets(tiny, tmp_path):
    trainer, card = an_adapter(tiny, tmp_path / "mine")
    fresh = load_base(str(tiny))
    adapters.attach_adapter(fresh, adapters.load(card))
    said = []
    for base in (trainer.base, fresh):
        memory = CompressiveMemory(base.model)
        base.model(IDS, past_key_values=memory)
        memory.fold()
        assert len(memory.state) == 2  # the first layer doesn't remember
        said.append(base.model(IDS + 3, past_key_values=memory).logits)
    torch.testing.assert_close(said[1], said[0], rtol=0.03, atol=0.03)  # the factors are kept in bfloat16
    plain = load_base(str(tiny)).model(IDS + 3).logits
    assert not torch.allclose(said[1], plain, atol=0.3)


def test_layers_below_the_first_give_the_same_early_states(tiny, tmp_path):
    """The address head reads them: it must not matter which adapter was attached."""
    _, card = an_adapter(tiny, tmp_path / "mine")
    base = load_base(str(tiny))
    before = untrained_head(base, layer=1)
    adapters.attach_adapter(base, adapters.load(card))
    assert torch.equal(untrained_head(base, layer=1).mean, before.mean)
    assert all(module.infini.is_closed() for module in attention_modules(base.model)[:1])
    assert not any(module.infini.is_closed() for module in attention_modules(base.model)[1:])


def test_another_base_model_is_refused(tiny, tmp_path):
    _, card = an_adapter(tiny, tmp_path / "mine", model_digest="0123456789abcdef", model="other/model")
    with pytest.raises(InfinidocError, match=r"the adapter mine was trained on other/model \(0123456789ab\), not on"):
        adapters.attach_adapter(load_base(str(tiny)), adapters.load(card))


def test_finding_by_name_and_by_path(tiny, tmp_path):
    _, mine = an_adapter(tiny, home() / "adapters" / "mine")
    _, run = an_adapter(tiny, tmp_path / "run")
    assert adapters.find("mine") == mine
    assert adapters.find(str(tmp_path / "run")) == run
    assert mine in adapters.available()
    assert mine.parts == ["address-head", "reader", "memory"]
    with pytest.raises(InfinidocError, match="no adapter nobody: see: infinidoc adapters list"):
        adapters.find("nobody")


def test_which_one_a_new_collection_uses(tiny, tmp_path, monkeypatch):
    _, mine = an_adapter(tiny, home() / "adapters" / "mine")
    digest = mine.model_digest
    assert adapters.default_for(digest) is None  # none is shipped for this model
    adapters.use(digest, "mine")
    assert adapters.default_for(digest) == mine
    assert adapters.default_for("another model") is None
    monkeypatch.setenv("INFINIDOC_ADAPTER", "none")
    assert adapters.default_for(digest) is None
    assert adapters.choose(digest, "mine") == mine
    assert adapters.choose(digest, "none") is None


@pytest.mark.parametrize("content", [b"", b"not safetensors", b'\x08\0\0\0\0\0\0\0{"a":{}}'])
def test_a_file_that_is_no_adapter(tmp_path, content):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / adapters.FILE).write_bytes(content)
    with pytest.raises(InfinidocError, match=r"adapter\.safetensors"):
        adapters.find(str(tmp_path / "bad"))


def test_a_damaged_choice_is_no_choice(tmp_path):
    file = home() / "adapters" / "chosen.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{half", encoding="utf-8")
    assert adapters.choices() == {}
    adapters.use("digest", "none")
    assert json.loads(file.read_text(encoding="utf-8")) == {"digest": "none"}


def test_a_collection_keeps_to_the_adapter_it_was_read_with(tiny, tmp_path):
    _, card = an_adapter(tiny, tmp_path / "mine")
    (tmp_path / "a.txt").write_text("The Amalia carries grain and wine.", encoding="utf-8")
    with Collection.open("x", str(tiny), adapter=str(tmp_path / "mine"), memory=True) as collection:
        collection.ingest([tmp_path / "a.txt"])
        assert not collection.gates_are_closed()
        assert collection.store.identity.adapter_digest == adapters.load(card).digest
    with Collection.open("x") as again:  # without being told which one
        again.load()
        assert not again.gates_are_closed()
    with Collection.open("x", adapter="none") as other, pytest.raises(InfinidocError, match="read with the adapter"):
        other.load()
    an_adapter(tiny, tmp_path / "mine", seed=1)  # trained again: another one under the same name
    with Collection.open("x") as changed, pytest.raises(InfinidocError, match="read with the adapter"):
        changed.load()


def test_a_new_head_is_for_new_collections(tiny, tmp_path):
    """What was read stays readable, and is searched with the head that it was read with."""
    _, card = an_adapter(tiny, tmp_path / "mine")
    (tmp_path / "a.txt").write_text("The Amalia carries grain and wine.", encoding="utf-8")
    with Collection.open("old", str(tiny), adapter=str(card.path), memory=True) as collection:
        collection.ingest([tmp_path / "a.txt"])
        before = collection.search("grain")
    head = untrained_head(load_base(str(tiny)), layer=2)
    tensors = {adapters.HEAD + name: tensor for name, tensor in head.tensors().items()}
    about = {"model": card.model, "model_digest": card.model_digest, "first_layer": 0, "parts": adapters.ADDRESS_HEAD}
    renewed = adapters.save(card.path, tensors, about, adapters.HEAD_FILE)
    assert renewed.parts == card.parts
    assert renewed.size > card.size
    with Collection.open("old") as old:
        assert old.head.layer != 2
        assert old.search("grain") == before
        (tmp_path / "b.txt").write_text("The Zephyr carries salt.", encoding="utf-8")
        assert old.ingest([tmp_path / "b.txt"]).added == 1
    with Collection.open("new", str(tiny), adapter=str(card.path), memory=True) as new:
        new.ingest([tmp_path / "a.txt"])
        assert new.head.layer == 2
        assert new.store.identity.adapter_digest == adapters.load(card).digest


def test_a_head_alone_is_an_adapter_that_no_collection_depends_on(tiny, tmp_path):
    base = load_base(str(tiny))
    tensors = {adapters.HEAD + name: tensor for name, tensor in untrained_head(base, layer=2).tensors().items()}
    about = {"model": base.name, "model_digest": base.digest, "first_layer": 0, "parts": adapters.ADDRESS_HEAD}
    card = adapters.save(tmp_path / "head", tensors, about, adapters.HEAD_FILE)
    (tmp_path / "a.txt").write_text("The Amalia carries grain and wine.", encoding="utf-8")
    with Collection.open("x", str(tiny), adapter=str(card.path), memory=True) as collection:
        collection.ingest([tmp_path / "a.txt"])
        assert collection.head.layer == 2
        before = collection.search("grain")
    with Collection.open("x", adapter="none") as bare:
        assert bare.search("grain") == before


def test_a_memory_that_does_not_add_up_is_refused_before_anything_is_read(tiny, tmp_path):
    _, card = an_adapter(tiny, tmp_path / "delta", kernel="delta")
    (tmp_path / "note.txt").write_text("The Zephyr sank.")
    with (
        Collection.open(model=str(tiny), adapter=str(card.path), memory=True) as collection,
        pytest.raises(InfinidocError, match=r"kernel delta\) does not add up over documents: ingest without --memory"),
    ):
        collection.ingest([tmp_path / "note.txt"])
    assert not collection.directory.exists()
    with Collection.open(model=str(tiny), adapter=str(card.path), memory=False) as collection:
        assert collection.ingest([tmp_path / "note.txt"]).added == 1


def test_layers_above_the_last_neither_remember_nor_answer_and_older_collections_go_on(tiny, tmp_path):
    _, card = an_adapter(tiny, tmp_path / "mine")
    texts = {"a": "The Amalia carries grain and wine.", "b": "The Zephyr carries salt.", "c": "The Thetis sank."}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    with Collection.open("old", str(tiny), adapter=str(card.path), memory=True) as old:
        old.ingest([tmp_path / "a.txt", tmp_path / "b.txt"])
        assert len(old.store.state()) == 2
    (card.path / adapters.MEMORY_FILE).write_text('{"last_layer": 1}', encoding="utf-8")
    assert adapters.describe(card.path).last_layer == 1
    with Collection.open("old") as old, Collection.open("new", str(tiny), adapter=str(card.path), memory=True) as new:
        assert old.ask("What does the Zephyr carry?", memory_only=True, max_tokens=4).answered
        old.ingest([tmp_path / "c.txt"])
        old.remove(old.find(str(tmp_path / "a.txt")))
        new.ingest([tmp_path / "b.txt", tmp_path / "c.txt"])
        for mine, theirs in zip(old.store.state(), new.store.state(), strict=True):
            torch.testing.assert_close(mine.normaliser, theirs.normaliser, rtol=0, atol=1e-4)
            assert mine.tokens == theirs.tokens
        assert len(new.store.state()) == 1
    for wrong in ("{}", '{"last_layer": -1}', "no JSON"):
        (card.path / adapters.MEMORY_FILE).write_text(wrong, encoding="utf-8")
        with pytest.raises(InfinidocError, match=r'memory.json is not {"last_layer": NUMBER}'):
            adapters.describe(card.path)
