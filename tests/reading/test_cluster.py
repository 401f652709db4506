"""Ingest on a local Ray cluster: the result of one process, whatever happens to the workers."""

import contextlib
import itertools
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.memory.records import Identity
from infinidoc.model import encoding
from infinidoc.model.catalogue import base_digest
from infinidoc.reading import cluster as cluster_module
from infinidoc.reading.cluster import read
from infinidoc.reading.collection import Collection
from tests.reading.library import content, write_library


@pytest.fixture(scope="module")
def local_ray():
    """Two workers for all tests of this file; starting Ray takes seconds."""
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'infinidoc[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
        yield ray
        ray.shutdown()


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.setitem(encoding.WINDOW_TOKENS, "cpu", 150)
    return write_library(tmp_path / "docs", count=40)


@pytest.fixture(scope="module")
def alone(tiny, tmp_path_factory):
    """What one process makes of those documents."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFINIDOC_HOME", str(folder))
        patch.setenv("INFINIDOC_PRECISION", "fp32")
        patch.setitem(encoding.WINDOW_TOKENS, "cpu", 150)
        return ingested("alone", write_library(folder / "docs", count=40), tiny)[1]


def ingested(name, docs, tiny, **options):
    with Collection.open(name, str(tiny), memory=True) as collection:
        summary = collection.ingest([docs], **options)
        return summary, content(collection.directory)


def assert_same(one, other):
    assert one["documents"] == other["documents"]
    assert one["passages"] == other["passages"]  # with their addresses, to the last byte
    for mine, theirs in zip(one["state"], other["state"], strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(torch.tensor(a), torch.tensor(b), rtol=1e-6, atol=1e-6)


def test_the_result_is_that_of_one_process(local_ray, docs, tiny, alone):
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 not really")
    seen = []
    notify = lambda reached: seen.append((reached.files_done, reached.bytes_done, reached.tokens))  # noqa: E731
    expected, _ = ingested("alone", docs, tiny)
    summary, spread = ingested("spread", docs, tiny, notify=notify, engine="ray")
    assert_same(spread, alone)
    assert (summary.added, summary.tokens) == (expected.added, expected.tokens) == (40, summary.collection["tokens"])
    assert [skipped.name for skipped in summary.skipped] == [skipped.name for skipped in expected.skipped]
    assert seen[-1] == (41, pytest.approx(sum(file.stat().st_size for file in docs.iterdir())), summary.tokens)
    (docs / "log-07.txt").write_text("The Zephyr sank.")
    (docs / "log-09.txt").unlink()
    for name, engine in (("alone", "here"), ("spread", "ray")):
        changed, _ = ingested(name, docs, tiny, sync=True, engine=engine)
        assert (changed.replaced, changed.removed, changed.unchanged) == (1, 1, 38)
    with Collection.open("alone") as one, Collection.open("spread") as other:
        assert_same(content(one.directory), content(other.directory))


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """The worker that gets the eighth window is killed, once. Tells whether it was."""
    windows = tmp_path / "windows"
    windows.mkdir()

    def read_or_die(*window):
        for number in itertools.count(1):  # workers count together: whoever makes a file has its number
            with contextlib.suppress(FileExistsError):
                (windows / str(number)).touch(exist_ok=False)
                break
        if number == 8:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(*window)

    monkeypatch.setattr(cluster_module, "read", read_or_die)
    return (windows / "8").exists


def test_killed_workers_lose_nothing(local_ray, docs, tiny, alone, killed):
    _, spread = ingested("spread", docs, tiny, engine="ray")
    assert killed()
    assert_same(spread, alone)


def test_what_was_committed_before_a_failure_stays_and_the_next_ingest_goes_on(
    local_ray, docs, tiny, alone, killed, monkeypatch
):
    monkeypatch.setattr(cluster_module, "RETRIES", 0)
    with pytest.raises(InfinidocError, match="a worker failed") as failed:
        ingested("spread", docs, tiny, engine="ray")
    assert killed()
    assert "\n" not in str(failed.value)
    with Collection.open("spread") as collection:
        assert collection.documents()
    _, spread = ingested("spread", docs, tiny, engine="ray")
    assert_same(spread, alone)


@pytest.mark.parametrize("other", [{"model_digest": "0" * 64}, {"adapter_digest": "0" * 64}])
def test_a_worker_with_another_model_or_adapter_stops_the_ingest(tiny, other):
    digest = base_digest(str(tiny))
    identity = Identity(str(tiny), digest, "none", "", "least_squares")
    assert cluster_module.loaded(identity, "fp32").digest == digest
    with pytest.raises(InfinidocError, match="same model and adapter"):
        cluster_module.loaded(replace(identity, **other), "fp32")


def test_without_ray_there_is_one_clear_line(docs, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InfinidocError, match=r"infinidoc\[ray\]"):
        ingested("spread", docs, tiny, engine="ray")


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://localhost:{}"])
def test_a_cluster_that_is_not_there_is_named(docs, tiny, monkeypatch, address):
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'infinidoc[ray]'")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address.format(server.getsockname()[1])  # nobody listens there any more
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(InfinidocError, match=f"no Ray cluster at {address} .*refused"):
        ingested("spread", docs, tiny, engine="ray")
