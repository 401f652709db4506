"""Exact search over several address files, against the naive score; over small addresses; and what a document's opening
adds to it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from infinidoc.memory.records import AddressBlock
from infinidoc.model import codes, naive
from infinidoc.model.addresses import question_vectors
from infinidoc.reading import recall as recalling
from infinidoc.reading.collection import Collection
from infinidoc.reading.recall import recall
from tests.reading.library import write_library


@pytest.fixture
def blocks():
    """Five files of four passages, each of which is a document of its own."""
    torch.manual_seed(0)
    passages = [[100 * number + index for index in range(4)] for number in range(5)]
    return [
        AddressBlock(torch.randint(-127, 128, (40, 128), dtype=torch.int8), own, [0, 7, 8, 25], own) for own in passages
    ]


@pytest.fixture
def question():
    torch.manual_seed(1)
    return F.normalize(torch.randn(5, 128), dim=-1), torch.rand(5).softmax(0)


def assert_found(found, scores):
    best = sorted(scores, key=lambda passage: -scores[passage])[: len(found)]
    assert [recalled.passage for recalled in found] == best
    torch.testing.assert_close(torch.tensor([r.score for r in found]), torch.tensor([scores[p] for p in best]))


def test_the_best_passages_of_all_blocks_best_first(blocks, question):
    scores = {}
    for block in blocks:
        own = naive.score(*question, block.addresses, block.rows).tolist()
        scores |= dict(zip(block.passages, own, strict=True))
    assert_found(recall(blocks, *question, 6), scores)
    assert len(recall(blocks, *question, 50)) == 20
    assert recall([], *question, 4) == []
    only = {0, 3, 201, 402}
    assert_found(recall(blocks, *question, 50, only), {passage: scores[passage] for passage in only})
    assert recall(blocks, *question, 4, {7}) == []


def naive_scores(blocks, question, weights):
    """Of all passages by id, each in the light of its document's opening."""
    cosines, opens = {}, {}
    for block in blocks:
        tokens = [naive.score(token[None], torch.ones(1), block.addresses, block.rows) for token in question]
        cosines |= dict(zip(block.passages, torch.stack(tokens, 1), strict=True))
        opens |= dict(zip(block.passages, block.openings, strict=True))
    first = torch.stack([cosines.get(opens[passage], own) for passage, own in cosines.items()], 1)
    scores = naive.introduced(weights, torch.stack(list(cosines.values()), 1), first)
    return dict(zip(cosines, scores.tolist(), strict=True))


def test_what_the_opening_has_counts_for_passages_that_add_to_it(blocks, question):
    """Whichever file it is in, and wherever in it; an opening that isn't searched counts for nothing."""
    alone = naive_scores(blocks, *question)
    opens = {0: 302, 1: 302, 2: 302, 302: 302, 103: 203, 203: 203, 400: 9999}
    blocks = [replace(block, openings=[opens.get(p, p) for p in block.passages]) for block in blocks]
    scores = naive_scores(blocks, *question)
    assert {passage for passage in scores if scores[passage] > alone[passage] + 1e-4} == {0, 1, 2, 103}
    assert_found(recall(blocks, *question, 20), scores)
    assert_found(recall(blocks, *question, 20, {0, 1, 2, 302}), {p: scores[p] for p in (0, 1, 2, 302)})


@pytest.mark.parametrize("top", [1, 10])
def test_rounding_first_finds_the_same(tiny, tmp_path, monkeypatch, top):
    """Documents that are one another's, but for some numbers of their addresses, so that many scores are close."""
    torch.manual_seed(0)
    compared = []
    exactly = recalling.best_cosines
    monkeypatch.setattr(
        recalling, "best_cosines", lambda q, a, rows, only: compared.append(len(only)) or exactly(q, a, rows, only)
    )
    with Collection.open("some", str(tiny)) as collection:
        collection.ingest([write_library(tmp_path / "docs")])
        blocks = collection.store.addresses()
        for copy in range(1, 6):
            for block in collection.store.addresses():
                noisy = F.normalize(block.addresses / 127 + 0.004 * copy * torch.randn(block.addresses.shape), dim=-1)
                passages, openings = ([1000 * copy + one for one in of] for of in (block.passages, block.openings))
                addresses = (127 * noisy).round().to(torch.int8)
                blocks.append(AddressBlock(addresses, passages, block.rows, openings))
        count = sum(len(block.passages) for block in blocks)
        for text in ("What was repaired on the ship, and when?", "the lighthouse", "a " * 40):
            vectors, weights = question_vectors(collection.load(), collection.head, text)
            monkeypatch.setattr(recalling, "FAST_INTEGERS", ())
            expected = recall(blocks, vectors, weights, top)
            compared.clear()
            monkeypatch.setattr(recalling, "FAST_INTEGERS", (torch.backends.cpu.get_cpu_capability(),))
            found = recall(blocks, vectors, weights, top)
            assert [one.passage for one in found] == [one.passage for one in expected]
            assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-6)
            assert sum(compared) < count / 2


def test_a_document_is_not_found_with_its_opening():
    """What says nothing of its own about the question stays where it was; what adds to the opening passes it."""
    name, told, other = torch.eye(128)[:3]
    question, weights = torch.stack([name, told]), torch.tensor([0.5, 0.5])
    addresses = (torch.stack([name, other, (told + other) / 2**0.5]) * 127).round().to(torch.int8)
    found = recall([AddressBlock(addresses, [1, 2, 3], [0, 1, 2], [1, 1, 1])], question, weights, 3)
    assert [(one.passage, round(one.score, 2)) for one in found] == [(3, 0.8), (1, 0.5), (2, 0.0)]


def test_a_collection_of_small_addresses_finds_keeps_and_forgets(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(codes, "LEAST", 100)
    docs = write_library(tmp_path / "docs")
    text = sorted(docs.glob("log-0*.txt"))[3].read_text(encoding="utf-8")
    with Collection.open("small", str(tiny), small_addresses=True) as collection:
        collection.ingest([docs])
        kept = collection.store.counts()
        assert kept["address_bytes"] == 16 * kept["tokens"]
        found = collection.search(text, 3)[0].document
        assert text == Path(docs / found).read_text(encoding="utf-8")
        collection.remove(collection.find(found))
        assert found not in {source.document for source in collection.search(text, 50)}
    with Collection.open("small", str(tiny)) as again:  # the collection knows
        again.ingest([docs])
        assert again.store.counts()["address_bytes"] == 16 * kept["tokens"]
        assert again.search(text, 3)[0].document == found
