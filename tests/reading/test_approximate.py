"""An index over the addresses: proposes what an exact search finds, and never outlives what it indexed."""

import pytest
import torch

from infinidoc.documents.document import Document
from infinidoc.memory.records import Identity, NewDocument, PassageRow
from infinidoc.memory.store import INDEX_SUFFIX, Store
from infinidoc.reading import approximate
from infinidoc.reading.approximate import open_index, recall_with
from infinidoc.reading.collection import Collection
from infinidoc.reading.recall import recall
from tests.reading.library import write_library


def document(store, path, addresses, sizes):
    file = store.write_addresses(addresses)
    rows = [PassageRow(n, n + 1, file, sum(sizes[:n]), size) for n, size in enumerate(sizes)]
    return NewDocument(path, path, len(sizes), Document("x" * len(sizes), "txt", (), 0), rows)


def fill(store, documents, seed=0):
    """Documents of ten passages of twelve tokens each, which lie around a place of their own."""
    generator = torch.Generator().manual_seed(seed)
    for number in range(documents):
        centres = torch.nn.functional.normalize(torch.randn(10, 1, 128, generator=generator), dim=-1)
        vectors = torch.nn.functional.normalize(centres + 0.05 * torch.randn(10, 12, 128, generator=generator), dim=-1)
        addresses = (vectors.flatten(0, 1) * 127).round().to(torch.int8)
        store.commit([document(store, f"/{seed}-{number}", addresses, [12] * 10)], [], None)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(approximate, "CODE", "SQ8")  # learning to quantise products takes seconds


@pytest.fixture
def store(tmp_path):
    identity = Identity("m", "d", "none", "", "none")
    with Store.create(tmp_path / "c", identity, {"projection": torch.zeros(4, 128)}) as store:
        yield store


def questions(store, count):
    """Some tokens of a passage, made unlike, and which passage it was."""
    generator = torch.Generator().manual_seed(5)
    places = [(block, index) for block in store.addresses() for index in range(len(block.passages))]
    for which in torch.randperm(len(places), generator=generator)[:count].tolist():
        block, index = places[which]
        tokens = block.addresses[block.rows[index] : block.rows[index] + 4].float()
        noisy = tokens / 127 + 0.05 * torch.randn(tokens.shape, generator=generator)
        yield torch.nn.functional.normalize(noisy, dim=-1), torch.full((4,), 0.25), block.passages[index]


def test_it_proposes_what_an_exact_search_finds_with_the_same_scores(store):
    with store.writing():
        fill(store, 200)
        approximate.build(store)
    index = open_index(store)
    assert index is not None
    assert store.addresses(after=index.until) == []
    same = 0
    for question, weights, passage in questions(store, 40):
        exact = recall(store.addresses(), question, weights, 3)
        found = recall_with(index, store, [], question, weights, 3)
        assert found[0].passage == exact[0].passage == passage
        assert found[0].score == pytest.approx(exact[0].score, abs=1e-5)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert len(index.candidates(store, question, weights)) < 2000 / 2
        same += found == exact
    assert same >= 30


def test_later_passages_are_found_and_moved_ones_still_are(store):
    with store.writing():
        fill(store, 20)
        approximate.build(store)
        fill(store, 5, seed=1)
        store.merge_small_files()
    index = open_index(store)
    later = store.addresses(after=index.until)
    for question, weights, passage in questions(store, 50):
        assert recall_with(index, store, later, question, weights, 1)[0].passage == passage


def test_a_removed_document_takes_the_index_with_it(store):
    with store.writing():
        fill(store, 20)
        approximate.build(store)
        [file] = store.directory.glob(f"*{INDEX_SUFFIX}")
        assert store.counts()["index_bytes"] == file.stat().st_size > 200 * 12 * 16
        store.commit([], [store.documents()[0].id], None)
    assert list(store.directory.glob(f"*{INDEX_SUFFIX}")) == []
    assert (store.index, store.indexed_until, open_index(store)) == (None, 0, None)


def test_a_new_index_replaces_the_old_one_and_what_nobody_names_is_swept_up(store):
    with store.writing():
        fill(store, 20)
        approximate.build(store)
        fill(store, 5, seed=1)
        approximate.build(store)
    assert [store.index] == list(store.directory.glob(f"*{INDEX_SUFFIX}"))
    (store.directory / f"index-0-0{INDEX_SUFFIX}").write_bytes(b"left by a crash")
    with store.writing():
        pass
    assert [store.index] == list(store.directory.glob(f"*{INDEX_SUFFIX}"))


def test_a_damaged_index_or_none_installed_means_an_exact_search(store, monkeypatch):
    with store.writing():
        fill(store, 20)
        approximate.build(store)
    monkeypatch.setattr(approximate, "EXACT_TOKENS", 100)
    assert not approximate.is_due(store)
    monkeypatch.setattr(approximate, "installed", lambda: False)
    assert open_index(store) is None
    monkeypatch.undo()
    store.index.write_bytes(b"no index")
    assert open_index(store) is None


def test_ingest_builds_one_when_it_is_due_and_answers_cite_the_same_sources(tiny, tmp_path, monkeypatch):
    docs = write_library(tmp_path / "work" / "docs")
    question = "Which ship carries 12 tons of salt?"
    with Collection.open(model=str(tiny)) as collection:
        collection.ingest([docs])
        exact = collection.search(question, 5)
        monkeypatch.setattr(approximate, "EXACT_TOKENS", 100)
        collection.ingest([docs])
        assert collection.store.index is not None
        assert collection.search(question, 5) == exact
        collection.remove(collection.find("log-03.txt"))
        assert collection.store.index is None
        assert "log-03.txt" not in {source.document for source in collection.search(question, 50)}


def test_a_passage_is_found_by_what_its_document_opens_with(store):
    """All documents tell the same, each of someone whom only its first passage names."""
    generator = torch.Generator().manual_seed(3)
    told = torch.nn.functional.normalize(torch.randn(9, 1, 128, generator=generator), dim=-1)
    named = torch.nn.functional.normalize(torch.randn(15, 128, generator=generator), dim=-1)
    with store.writing():
        for number, name in enumerate(named):
            passages = torch.cat([name.expand(1, 12, 128), told.expand(9, 12, 128)])
            addresses = (passages.flatten(0, 1) * 127).round().to(torch.int8)
            store.commit([document(store, f"/{number}", addresses, [12] * 10)], [], None)
        approximate.build(store)
    index = open_index(store)
    rows = {stored.path: [row.start for row in store.passages(stored.id)] for stored in store.documents()}
    assert len(rows) == 15
    for number in (0, 7, 14):
        question = torch.stack([named[number], told[4, 0]])
        asked = question, torch.tensor([0.5, 0.5]), 2
        exact, found = recall(store.addresses(), *asked), recall_with(index, store, [], *asked)
        assert exact == found
        best, start, _ = store.passage(exact[0].passage)
        assert (store.stored(best).path, start) == (f"/{number}", 5)
