"""Addresses as codes on the disk: made once there are enough, with the same codes ever after, and gone when removed."""

import pytest
import torch
import torch.nn.functional as F

from infinidoc.documents.document import Document
from infinidoc.errors import Damaged
from infinidoc.memory.check import check, forget_damaged
from infinidoc.memory.records import Identity, NewDocument, PassageRow
from infinidoc.memory.store import Store
from infinidoc.model import codes
from infinidoc.model.codes import Codes
from infinidoc.reading.recall import recall

IDENTITY = Identity("m", "d", "none", "", "none")
HEAD = {"projection": torch.zeros(4, 128)}
SIZES = [30] * 5


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(codes, "LEAST", 1_000)
    with Store.create(tmp_path / "c", IDENTITY, HEAD, small_addresses=True) as store:
        yield store


def add(store, *numbers):
    """Documents of five passages, each around a place of its own."""
    for number in numbers:
        generator = torch.Generator().manual_seed(number)
        vectors = (
            torch.randn(len(SIZES), 1, 128, generator=generator) + torch.randn(5, 30, 128, generator=generator) / 4
        )
        file = store.write_addresses((F.normalize(vectors.flatten(0, 1), dim=-1) * 127).round().char())
        rows = [PassageRow(n, n + 1, file, sum(SIZES[:n]), size) for n, size in enumerate(SIZES)]
        store.commit([NewDocument(f"/{number}", "", 5, Document("x" * 5, "txt", (), 0), rows)], [], None)


def finish(store):
    """As an ingest ends."""
    store.compress_addresses()
    store.merge_small_files()


def own(store, number, passage):
    """What asks for a passage of a document, and which one that is."""
    generator = torch.Generator().manual_seed(number)
    place = torch.randn(len(SIZES), 1, 128, generator=generator)[passage]
    [wanted] = [one.id for one in store.documents() if one.path == f"/{number}"]
    found = recall(store.addresses(), F.normalize(place, dim=-1), torch.ones(1), 1)[0]
    document, start, _ = store.passage(found.passage)
    return (document, start) == (wanted, passage)


def test_few_addresses_stay_as_they_are(store):
    with store.writing():
        add(store, 1, 2)
        finish(store)
    [block] = store.addresses()
    assert block.addresses.dtype == torch.int8
    assert store.counts()["address_bytes"] == 300 * 128


def test_enough_of_them_become_codes_and_every_passage_is_still_found(store):
    with store.writing():
        add(store, *range(10))
        before = store.counts()
        finish(store)
    assert before["address_bytes"] == 1_500 * 128
    assert store.counts() == {**before, "address_bytes": 1_500 * 16}
    [block] = store.addresses()
    assert isinstance(block.addresses, Codes)
    assert all(own(store, number, passage) for number in range(10) for passage in range(5))
    assert {path.name for path in store.directory.glob("*.safetensors")} == {path.name for path in store.files()}
    assert not check(store)


def test_later_documents_use_the_same_codes(store):
    with store.writing():
        add(store, *range(10))
        finish(store)
        kept, centroids = store.addresses()[0].addresses, store.meta("centroids")
        add(store, 10, 11)
        mixed = [type(block.addresses) for block in store.addresses()]
        assert all(own(store, number, 3) for number in range(12))
        finish(store)
    assert set(mixed) == {Codes, torch.Tensor}
    assert store.meta("centroids") == centroids
    [block] = store.addresses()
    assert torch.equal(block.addresses.codes[: len(kept)], kept.codes)
    assert all(own(store, number, 3) for number in range(12))


def test_a_removed_document_leaves_the_others_codes_and_none_of_its_own(store):
    with store.writing():
        add(store, *range(10))
        finish(store)
        whole = store.addresses()[0]
        gone = next(one.id for one in store.documents() if one.path == "/4")
        lost = set(store.passages_of([gone]))
        store.commit([], [gone], None)
    [block] = store.addresses()
    ends = [*whole.rows[1:], len(whole.addresses)]
    places = zip(whole.passages, whole.rows, ends, strict=True)
    rest = torch.cat([whole.addresses.codes[a:b] for passage, a, b in places if passage not in lost])
    assert torch.equal(block.addresses.codes, rest)
    assert not set(block.passages) & lost
    assert {path.name for path in store.directory.glob("*.safetensors")} == {path.name for path in store.files()}


def test_what_is_read_into_an_emptied_collection_has_codes_of_its_own(store):
    with store.writing():
        add(store, *range(10))
        finish(store)
        old = store.meta("centroids")
        store.commit([], [one.id for one in store.documents()], None)
        add(store, *range(20, 30))
        finish(store)
    assert store.meta("centroids") != old
    assert not (store.directory / old).exists()
    assert all(own(store, number, 2) for number in range(20, 30))


def test_an_interrupted_change_goes_on_where_it_was(store, monkeypatch):
    with store.writing():
        add(store, *range(10))
        write, written = store._write_rows, []

        def fails(values):
            if len(written) == 4:
                raise KeyboardInterrupt
            written.append(values)
            return write(values)

        monkeypatch.setattr(store, "_write_rows", fails)
        with pytest.raises(KeyboardInterrupt):
            store.compress_addresses()
        monkeypatch.undo()
        monkeypatch.setattr(codes, "LEAST", 10_000)  # it has codes already
        centroids = store.meta("centroids")
        assert all(own(store, number, 1) for number in range(10))
        finish(store)
    assert store.meta("centroids") == centroids
    assert store.counts()["address_bytes"] == 1_500 * 16
    assert all(own(store, number, 1) for number in range(10))


def test_some_documents_together_score_as_they_do_among_all(store):
    with store.writing():
        add(store, *range(10))
        finish(store)
        add(store, 10)  # in full
    generator = torch.Generator().manual_seed(5)
    question, weights = F.normalize(torch.randn(3, 128, generator=generator), dim=-1), torch.full((3,), 1 / 3)
    every = recall(store.addresses(), question, weights, 55)
    some = [one for one in every if store.passage(one.passage)[0] % 3 == 0]
    assert len(some) == 15
    passages = [one.passage for one in some]
    block = store.block_of(passages)
    for found in (
        recall(store.addresses(), question, weights, 55, set(passages)),
        recall([block], question, weights, 55),
    ):  # products of other shapes round differently
        assert [one.passage for one in found] == passages
        assert [one.score for one in found] == pytest.approx([one.score for one in some], abs=1e-6)


def test_damaged_centroids_are_said_to_be(store):
    with store.writing():
        add(store, *range(10))
        finish(store)
        (store.directory / store.meta("centroids")).write_bytes(b"nothing")
        faults = check(store)
        assert faults.files == [store.meta("centroids")]
        with pytest.raises(Damaged, match="the collection's centroids are damaged: remove the collection"):
            forget_damaged(store, faults)


def test_a_collection_that_did_not_ask_for_it_keeps_them_in_full(tmp_path, monkeypatch):
    monkeypatch.setattr(codes, "LEAST", 100)
    with Store.create(tmp_path / "full", IDENTITY, HEAD) as store, store.writing():
        add(store, 1, 2)
        finish(store)
        assert store.counts()["address_bytes"] == 300 * 128
