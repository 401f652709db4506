"""In what documents are read, and that each can be taken out again to the last bit."""

import random

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.model import quantization
from infinidoc.model.addresses import untrained_head
from infinidoc.model.attention import attach
from infinidoc.model.base import load_base
from infinidoc.model.encoding import Encoder, add, encode
from infinidoc.model.precision import dtype_of
from infinidoc.model.quantization import quantise
from infinidoc.reading.collection import Collection
from infinidoc.reading.removal import state_of
from tests.reading.ingest.memories import assert_same_memory, sums
from tests.reading.library import write_library


def test_bfloat16_reads_nearly_the_same(tiny):
    segments = [[3 + (7 * i + j) % 300 for j in range(n)] for i, n in enumerate([300, 20, 7])]
    found, states = {}, {}
    for dtype in (torch.float32, torch.bfloat16):
        base = load_base(str(tiny), dtype=dtype)
        attach(base.model)
        if dtype is torch.float32:
            head = untrained_head(base)
        encoded = encode(base, head, segments)
        found[dtype] = torch.cat(encoded.addresses).float()
        states[dtype] = encoded.state
    cosines = torch.cosine_similarity(found[torch.float32], found[torch.bfloat16], -1)
    assert cosines.min() > 0.99
    for exact, rounded in zip(states[torch.float32], states[torch.bfloat16], strict=True):
        assert (exact.association - rounded.association).norm() < 0.03 * exact.association.norm()
        assert torch.equal(exact.tokens, rounded.tokens)


def test_a_collection_is_read_in_one_precision_and_asked_in_any(docs, tiny):
    with Collection.open("half", str(tiny), precision="bf16", memory=True) as half:
        half.ingest([docs])
    with Collection.open("half") as again:
        assert again.store.identity.precision == "bf16"
        assert again.load().dtype is torch.float32  # as INFINIDOC_PRECISION says
        assert again.ask("What does the Amalia carry?").sources
        before = sums(again)
        (docs / "new.txt").write_text("The Zephyr sank off Cape Wrath in the winter storms of that year.")
        assert again.ingest([docs]).added == 1
        assert again.load().dtype is torch.bfloat16
        again.remove(again.find("new.txt"))
        assert_same_memory(sums(again), before, tolerance=1e-9)  # nothing of it is left, not even a rounding
    with (
        Collection.open("half", precision="fp32") as other,
        pytest.raises(InfinidocError, match="read in bf16, not in fp32"),
    ):
        other.ingest([docs])
    with pytest.raises(InfinidocError, match="choose fp32, bf16 or int8"):
        Collection.open("half", precision="fp8")


@pytest.fixture
def exact_sums(monkeypatch):
    """int8 as processors with VNNI have it."""
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: a.int() @ b.int())


def test_a_new_collection_is_not_read_in_int8_where_sums_overflow(docs, tiny, monkeypatch, exact_sums):
    with Collection.open("old", str(tiny), precision="int8") as old:
        old.ingest([docs / "log-00.txt"])
        monkeypatch.setattr(quantization, "overflows", lambda: True)
        old.ingest([docs])  # goes on as it is
        assert old.search("What does the Amalia carry?")
    with (
        Collection.open("new", str(tiny), precision="int8") as new,
        pytest.raises(InfinidocError, match="sums of int8 overflow on this processor"),
    ):
        new.ingest([docs])


def test_documents_can_be_read_in_int8_and_are_asked_about_without(docs, tiny, monkeypatch, exact_sums):
    with (
        Collection.open("small", str(tiny), precision="int8", memory=True) as small,
        Collection.open("exact", str(tiny), memory=True) as exact,
    ):
        small.ingest([docs])
        exact.ingest([docs])
        assert small.store.identity.precision == "int8"
        assert small.load(to_write=True).precision == "int8"
        assert small.load().precision in ("fp32", "bf16")
        question = "What does the Amalia carry?"
        assert small.search(question)[0].document == exact.search(question)[0].document
        for rounded, whole in zip(small.store.state(), exact.store.state(), strict=True):
            error = (whole.association - rounded.association).norm()
            assert 0 < error < 0.1 * whole.association.norm()
        before = sums(small)
        (docs / "new.txt").write_text("The Zephyr sank off Cape Wrath in the winter storms of that year.")
        small.ingest([docs])
        small.remove(small.find("new.txt"))
        assert_same_memory(sums(small), before, tolerance=1e-9)
    monkeypatch.setenv("INFINIDOC_PRECISION", "int8")
    with Collection.open("exact") as exact:
        assert exact.load().precision in ("fp32", "bf16")


def numbers(rng, count):
    return [rng.randrange(3, 390) for _ in range(count)]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_segment_in_its_seat_gives_the_same_bits_whatever_is_beside_it(tiny, precision):
    base = load_base(str(tiny), dtype=dtype_of(precision))
    attach(base.model)
    if precision == "int8":
        quantise(base.model)
    rng = random.Random(0)
    segments = [numbers(rng, rng.randint(1, 300)) for _ in range(40)]
    together = encode(base, None, segments)
    assert len({seat[:2] for seat in together.seats}) > 3
    apart = None
    with Encoder(base) as encoder:
        for first in range(0, len(segments), 3):
            some = slice(first, first + 3)
            apart = add(apart, encoder.second_pass(segments[some], together.seats[some])(lambda tokens: None))
    for mine, theirs in zip(apart, together.state, strict=True):
        for a, b in zip(mine.tensors().values(), theirs.tensors().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-11)  # float64 sums in another order, and no more


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_one_of_forty_files_of_mixed_length_is_taken_out_without_remainder(tmp_path, tiny, exact_sums, precision):
    """What is left is what the others gave: not one float32 step of any product is off."""
    docs = write_library(tmp_path / "docs", count=40, longest=60)
    with Collection.open("forty", str(tiny), precision=precision, memory=True) as collection:
        collection.ingest([docs])
        store, base = collection.store, collection.load(to_write=True)
        (gone,) = collection.find("log-19.txt")
        others = [document for document in collection.documents() if document.id != gone.id]
        with Encoder(base) as encoder:
            expected = state_of(store, base, encoder, others)
        collection.remove([gone])
        left = collection.store.state()
        assert_same_memory(sums(collection), [t for s in expected for t in s.tensors().values()], tolerance=1e-11)
        for layer in left:
            assert torch.linalg.eigvalsh(layer.normaliser).min() > -1e-9
        assert collection.ask("What does the Amalia carry?").sources
        collection.remove(collection.find("*/log-[0-2]*.txt"))
        collection.remove(collection.documents())
        assert collection.store.state() is None


def test_a_document_that_was_read_before_seats_were_kept_can_still_be_taken_out(collection, docs):
    collection.ingest([docs])
    before = sums(collection)
    (docs / "more.txt").write_text("The Zephyr sank off Cape Wrath.")
    collection.ingest([docs])
    (more,) = collection.find("more.txt")
    collection.store._sql.execute("DELETE FROM segments WHERE document = ?", (more.id,))
    collection.remove([more])
    assert_same_memory(sums(collection), before)
