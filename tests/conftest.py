"""Every test has a home and a working directory of its own; the real base model is shared."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
import torch

from infinidoc.model.base import load_base
from tests.tiny import REAL_HOME, share_real_models, tiny_model


def pytest_collection_modifyitems(items):
    """The files that take longest come first, so that no core waits for the other one's at the end."""
    items.sort(key=lambda item: item.path.parent.name != "training")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An INFINIDOC_HOME that is empty but for the real models, and an empty working directory."""
    folder = tmp_path / "home"
    share_real_models(folder)
    monkeypatch.setenv("INFINIDOC_HOME", str(folder))
    monkeypatch.delenv("INFINIDOC_MODEL", raising=False)
    monkeypatch.setenv("INFINIDOC_PRECISION", "fp32")  # the same on every machine
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny tensors only lose time to threads, and two test runs at once would collapse."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Tests that a shell runs in the background ignore SIGINT, and so would the processes that they start and end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The directory of a tiny random llama."""
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def real_base():
    """The embedded base model, loaded once. Tests must leave it as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFINIDOC_HOME", str(REAL_HOME))
        patch.delenv("INFINIDOC_MODEL", raising=False)
        return load_base()


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
