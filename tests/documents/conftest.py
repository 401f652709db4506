import os
import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def as_nobody(monkeypatch):
    """A world-readable working directory, and no superuser: root may read everything."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    monkeypatch.chdir(directory)
    root = os.geteuid() == 0
    yield lambda: os.seteuid(65534) if root else None
    if root:
        os.seteuid(0)
    for path in directory.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(directory)
