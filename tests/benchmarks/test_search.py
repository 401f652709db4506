"""The benchmark of searches, on a small model and few tokens: what it fills a collection with, and that it counts."""

import pytest

from benchmarks import search
from infinidoc.memory.store import Store
from infinidoc.reading import approximate
from infinidoc.reading.collection import Collection
from tests.reading.library import write_library


@pytest.fixture
def collection(tiny, tmp_path):
    with Collection.open("some", str(tiny)) as collection:
        collection.ingest([write_library(tmp_path / "docs")])
        yield collection


def test_copies_are_of_whole_documents_and_a_little_off(collection, tmp_path):
    source = collection.store
    count = source.counts()["tokens"]
    with Store.create(tmp_path / "c", source.identity, source.address_head()) as store:
        search.fill(store, source, 2 * count)
        assert store.counts()["tokens"] == 2 * count
        assert store.counts()["passages"] == 2 * source.counts()["passages"]
        originals, copies = ([a for a, _ in search.documents(s)] for s in (source, store))
        assert all((one == other).all() for one, other in zip(originals, copies, strict=False))
        cosines = [
            (one.float() * other.float()).sum(1) / 127**2
            for one, other in zip(originals, copies[len(originals) :], strict=True)
        ]
        assert all(0.8 < float(row.mean()) < 0.99 for row in cosines)


def test_scans_and_an_index_are_compared(collection, monkeypatch):
    monkeypatch.setattr(search, "ROUNDS", 1)
    monkeypatch.setattr(approximate, "CODE", "SQ8")  # learning to quantise products takes seconds
    found = search.run(collection, 2 * collection.store.counts()["tokens"], [1], 5, index=True)
    (row,) = found["rows"]
    assert row["same_passages"] == 1
    assert {"scan", "scan_unrounded", "copy"} <= set(row["cpu_seconds"])
    assert found["index"]["first_found"] >= 0.8
    assert found["index"]["bytes_per_token"] > 128
