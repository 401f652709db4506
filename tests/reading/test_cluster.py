"""Ingest on a local Ray cluster: the result of one process, whatever happens to the workers."""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.model import encoding
from infinidoc.reading import cluster as cluster_module
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


def ingested(name, docs, tiny, **options):
    with Collection.open(name, str(tiny)) as collection:
        summary = collection.ingest([docs], **options)
        return summary, content(collection.directory)


def assert_same(one, other):
    assert one["documents"] == other["documents"]
    assert one["passages"] == other["passages"]  # with their addresses, to the last byte
    for mine, theirs in zip(one["state"], other["state"], strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(torch.tensor(a), torch.tensor(b), rtol=1e-6, atol=1e-6)


def test_the_result_is_that_of_one_process(local_ray, docs, tiny):
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 not really")
    seen = []
    notify = lambda reached: seen.append((reached.files_done, reached.bytes_done, reached.tokens))  # noqa: E731
    expected, alone = ingested("alone", docs, tiny)
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


def workers_at_work():
    """Processes below this one that run the worker's function."""
    parents, titles = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            titles[int(entry.name)] = (entry / "cmdline").read_text()
        except (OSError, IndexError):  # it has ended meanwhile
            continue
    for process, title in titles.items():
        ancestor = process
        while ancestor in parents and ancestor != os.getpid():
            ancestor = parents[ancestor]
        if ancestor == os.getpid() and title.startswith("ray::read"):
            yield process


class Killer(threading.Thread):
    """kill -9, so many times, on workers that are at work."""

    def __init__(self, times):
        super().__init__(daemon=True)
        self.left, self.killed = times, []

    def run(self):
        deadline = time.monotonic() + 120
        while self.left and time.monotonic() < deadline:
            for process in workers_at_work():
                if process not in self.killed and self.left:
                    os.kill(process, signal.SIGKILL)
                    self.killed.append(process)
                    self.left -= 1
            time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_killed_workers_lose_nothing(local_ray, docs, tiny):
    killer = Killer(times=1)
    killer.start()
    _, spread = ingested("spread", docs, tiny, engine="ray")
    killer.join(timeout=1)
    assert killer.killed
    _, alone = ingested("alone", docs, tiny)
    assert_same(spread, alone)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_what_was_committed_before_a_failure_stays_and_the_next_ingest_goes_on(local_ray, docs, tiny, monkeypatch):
    monkeypatch.setattr(cluster_module, "RETRIES", 0)
    killer = Killer(times=1)
    killer.start()
    with pytest.raises(InfinidocError, match="a worker failed") as failed:
        ingested("spread", docs, tiny, engine="ray")
    killer.join(timeout=1)
    assert killer.killed
    assert "\n" not in str(failed.value)
    ingested("spread", docs, tiny, engine="ray")
    ingested("alone", docs, tiny)
    with Collection.open("alone") as one, Collection.open("spread") as other:
        assert_same(content(one.directory), content(other.directory))


def test_a_worker_with_another_adapter_stops_the_ingest(local_ray, docs, tiny, monkeypatch):
    own = Collection.adapter_digest
    monkeypatch.setattr(Collection, "adapter_digest", property(lambda self: "0" * 64))
    base = Collection.open("x", str(tiny)).load()
    identity = cluster_module.Identity(str(tiny), base.digest, "none", "", "least_squares")
    with pytest.raises(InfinidocError, match="same model and adapter"):
        cluster_module._loaded(identity, "fp32")
    monkeypatch.setattr(Collection, "adapter_digest", own)
    assert cluster_module._loaded(identity, "fp32").digest == base.digest


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
