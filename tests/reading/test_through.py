"""Documents that are read from start to end: what is left has a constant size, is kept, and goes with the document."""

import gc
import random

import pytest
import torch

from infinidoc.memory.places import Place
from infinidoc.memory.records import PassageRow
from infinidoc.model import slots
from infinidoc.reading import through
from infinidoc.reading.collection import Collection
from infinidoc.reading.through import parts, read_documents, side_by_side
from tests.reading.library import sentence


def text_of(sentences: int, seed: int = 3) -> str:
    rng = random.Random(seed)
    return "\n\n".join(" ".join(sentence(rng) for _ in range(4)) for _ in range(sentences // 4))


@pytest.fixture
def collection(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(through, "SLOTS", 32)
    (tmp_path / "long.txt").write_text(text_of(160))
    (tmp_path / "short.txt").write_text(text_of(40, seed=4))
    with Collection(Place("mine", tmp_path / "mine"), str(tiny), memory=False) as made:
        made.ingest([tmp_path / "long.txt", tmp_path / "short.txt"])
        yield made


def named(collection, name):
    (found,) = collection.find(name)
    return found


def files(collection):
    return sorted(path.name for path in collection.directory.glob("memory-*"))


def equal(one, other):
    first, second = one.tensors(), other.tensors()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_parts_are_all_of_a_text_in_order_and_none_is_longer_than_a_segment():
    rows = [PassageRow(10 * i, 10 * i + 8, "", 0, 200) for i in range(7)]
    text = "".join(f"{i:08}  " for i in range(7))
    found = list(parts(text, rows))
    assert "".join(part for _, part, _ in found) == text.rstrip()
    assert [(stop, tokens) for stop, _, tokens in found] == [(20, 400), (40, 400), (60, 400), (68, 200)]
    assert list(parts("", [])) == []


def test_what_is_left_has_the_same_size_however_long_a_document_is(collection):
    base = collection.load()
    long, short = (named(collection, name) for name in ("long.txt", "short.txt"))
    assert long.tokens > 3 * short.tokens > 3 * through.SLOTS
    sizes = []
    for document in (long, short):
        tensors = read_documents(collection.store, base, [document]).tensors()
        sizes.append({name: tensor.shape for name, tensor in tensors.items()})
    assert sizes[0] == sizes[1]
    assert {shape[2] for name, shape in sizes[0].items() if name.endswith(".keys")} == {through.SLOTS}


def test_what_is_held_while_a_document_is_read_does_not_grow(collection, monkeypatch):
    further, held = through._further, []

    def weighed(base, memory, ids):
        read_on = further(base, memory, ids)
        gc.collect()
        held.append(sum(one.nbytes for one in gc.get_objects() if issubclass(type(one), torch.Tensor)))
        return read_on

    base = collection.load()
    monkeypatch.setattr(through, "_further", weighed)
    memory = read_documents(collection.store, base, [named(collection, "long.txt")])
    assert len(held) > 6
    assert max(held[2:]) - min(held[2:]) < sum(tensor.nbytes for tensor in memory.tensors().values()) / 4


def test_a_document_is_read_once_and_its_memory_goes_with_it(collection):
    base, long = collection.load(), named(collection, "long.txt")
    told = []
    first = read_documents(collection.store, base, [long], lambda progress: told.append((progress.done, progress.read)))
    assert told[-1] == (long.tokens, long.tokens)
    assert len(files(collection)) == 1
    told.clear()
    again = read_documents(collection.store, base, [long], lambda progress: told.append((progress.done, progress.read)))
    assert told == [(long.tokens, 0)]
    assert equal(first, again)
    collection.remove([named(collection, "short.txt")])
    assert len(files(collection)) == 1
    collection.remove([long])
    assert files(collection) == []
    assert collection.store._query("SELECT * FROM memories") == []


def test_what_was_kept_is_known_by_the_rule_of_its_slots(collection, monkeypatch):
    base, long = collection.load(), named(collection, "long.txt")
    read_documents(collection.store, base, [long])
    as_ever = "32 by sampled and residual, half of them recent"  # as collections have had it since slots are chosen so
    assert collection.store._query("SELECT slots FROM memories") == [(as_ever,)]
    own, told = slots.VERSION, []
    for version in ("another version", own):
        monkeypatch.setattr(slots, "VERSION", version)
        read_documents(collection.store, base, [long], lambda progress: told.append((progress.done, progress.read)))
    assert told[0] == (0, 0)  # nothing of it was taken over
    assert told[-2:] == [(long.tokens, long.tokens), (long.tokens, 0)]  # nor had it done any harm


def test_a_changed_document_has_no_memory_any_more(collection, tmp_path):
    read_documents(collection.store, collection.load(), [named(collection, "long.txt")])
    (tmp_path / "long.txt").write_text(text_of(20, seed=9))
    collection.ingest([tmp_path / "long.txt"])
    assert files(collection) == []


def test_a_reading_that_was_cut_short_goes_on_where_it_stopped(collection):
    base, long = collection.load(), named(collection, "long.txt")

    def cut(progress):
        if progress.read > long.tokens // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_documents(collection.store, base, [long], cut)
    told = []
    found = read_documents(collection.store, base, [long], lambda progress: told.append((progress.done, progress.read)))
    assert told[0][0] > long.tokens // 2
    assert told[-1][0] == long.tokens
    assert 0 < told[-1][1] < long.tokens // 2
    collection.store._query("DELETE FROM memories")
    assert equal(found, read_documents(collection.store, base, [long]))


def test_a_file_that_is_gone_is_read_again_and_what_no_row_names_is_swept(collection):
    base, long = collection.load(), named(collection, "long.txt")
    first = read_documents(collection.store, base, [long])
    (name,) = files(collection)
    (collection.directory / name).unlink()
    assert equal(first, read_documents(collection.store, base, [long]))
    assert files(collection) == [name]
    collection.store._query("DELETE FROM memories")
    with collection.store.writing():
        assert files(collection) == []


def test_memories_stand_side_by_side_in_the_order_of_their_documents(collection):
    base = collection.load()
    both = [named(collection, name) for name in ("long.txt", "short.txt")]
    one, other = (read_documents(collection.store, base, [document]) for document in both)
    joined = side_by_side([one, other])
    for mine, first, second in zip(joined.slots, one.slots, other.slots, strict=True):
        assert torch.equal(mine.keys, torch.cat([first.keys, second.keys], 2))
        assert mine.present.shape == (1, 2 * through.SLOTS)
    assert len(one.slots[0].present[0]) == through.SLOTS  # as it was
    assert equal(joined, read_documents(collection.store, base, both))


def test_another_precision_reads_what_was_kept(collection, monkeypatch):
    long = named(collection, "long.txt")
    read_documents(collection.store, collection.load(), [long])
    monkeypatch.setenv("INFINIDOC_PRECISION", "bf16")
    with Collection(collection.place) as other:
        base = other.load()
        assert base.precision == "bf16"
        told = []
        memory = read_documents(other.store, base, [long], lambda progress: told.append(progress.read))
        assert told == [0]
        assert memory.slots[0].keys.dtype == torch.bfloat16
        assert memory.slots[0].received.dtype == torch.float32
