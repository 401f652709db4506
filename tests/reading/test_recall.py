"""Exact search over several address files, against the naive score; and over small addresses."""

from pathlib import Path

import torch
import torch.nn.functional as F

from infinidoc.memory.records import AddressBlock
from infinidoc.model import codes, naive
from infinidoc.reading.collection import Collection
from infinidoc.reading.recall import recall
from tests.reading.library import write_library


def test_the_best_passages_of_all_blocks_best_first():
    torch.manual_seed(0)
    question, weights = F.normalize(torch.randn(5, 128), dim=-1), torch.rand(5).softmax(0)
    blocks, scores = [], {}
    for number in range(5):
        stored, rows = torch.randint(-127, 128, (40, 128), dtype=torch.int8), [0, 7, 8, 25]
        passages = [100 * number + index for index in range(len(rows))]
        blocks.append(AddressBlock(stored, passages, rows))
        scores |= dict(zip(passages, naive.score(question, weights, stored, rows).tolist(), strict=True))
    found = recall(blocks, question, weights, 6)
    assert [recalled.passage for recalled in found] == sorted(scores, key=lambda passage: -scores[passage])[:6]
    torch.testing.assert_close(torch.tensor([r.score for r in found]), torch.tensor([scores[r.passage] for r in found]))
    assert len(recall(blocks, question, weights, 50)) == 20
    assert recall([], question, weights, 4) == []


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
