"""Spoiling a model, and hearing of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infinidoc.errors import InfinidocError


def edit(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


def complaint(act: Callable[[], object]) -> str:
    """The one line that it fails with."""
    with pytest.raises(InfinidocError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return message
