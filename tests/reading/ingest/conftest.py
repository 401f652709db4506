"""A library to read, and a collection with a memory that reads it."""

import pytest

from infinidoc.reading.collection import Collection
from tests.reading.library import write_library


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "docs")


@pytest.fixture
def collection(tiny):
    with Collection.open(model=str(tiny), memory=True) as collection:
        yield collection
