"""A library that was read by a tiny model, to which every passage bears on every question."""

import pytest

from infinidoc.reading import asking
from infinidoc.reading.collection import Collection
from tests.reading.library import write_library


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "work" / "docs")


@pytest.fixture
def collection(tiny, docs, monkeypatch):
    monkeypatch.setattr(asking, "WORTH_READING", -float("inf"))  # a random model can't tell either
    with Collection.open(model=str(tiny), memory=True) as collection:
        collection.ingest([docs])
        collection.head.__dict__["threshold"] = -2.0  # a random model knows nothing of relevance
        yield collection
