"""A model that a test may spoil."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny llama that a test may spoil."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))
