"""What a kill, an interrupt and a crash leave of an ingest."""

import subprocess
import sys

import pytest

from infinidoc.model import encoding as encoding_module
from infinidoc.reading.collection import Collection
from infinidoc.reading.summary import Stopped
from tests.reading.ingest.memories import assert_same_memory, sums
from tests.reading.library import content, write_library

INGEST = """
import os, random, signal, sys
import torch
torch.set_num_threads(1)
from infinidoc.model import encoding
from infinidoc.reading.collection import Collection
encoding.WINDOW_TOKENS["cpu"] = 150
docs, model = sys.argv[1:]
random.seed(1)
with Collection.open("x", model, memory=True) as warm:
    warm.load()

def run(name, kill_at=None):
    # Ingest in a process of its own. Returns how many calls it made, or nothing if it was killed: in the millisecond
    # after that many calls, wherever it is. SIGALRM's default ends a process as kill -9 does.
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        calls = 0
        def count(frame, event, arg):
            nonlocal calls
            calls += 1
            if calls == kill_at:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 1e-3))
        collection = Collection.open(name, model, models=warm._models, memory=True)
        sys.setprofile(count)
        collection.ingest([docs])
        sys.setprofile(None)
        os.write(theirs, str(calls).encode())
        os._exit(0)
    os.close(theirs)
    with open(ours) as pipe:
        calls = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return None if os.WIFSIGNALED(status) else int(calls)

whole = run("undisturbed")
for name in ("killed", "killed-too"):
    kills = 0
    while kills < 12 and run(name, random.randrange(1, whole // 5)) is None:
        kills += 1
    assert kills >= 4, kills  # no run gets further than a fifth
    assert run(name)
"""


def test_killed_at_many_random_moments_the_result_is_that_of_an_undisturbed_run(docs, tiny, home):
    """A real process, killed again and again until one run gets through: equal to the last address and state bit.

    Moments are chosen by how far the run is and not by a clock, so that a slow machine sees the same ones.
    """
    docs = write_library(docs, count=40)
    done = subprocess.run([sys.executable, "-c", INGEST, str(docs), str(tiny)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    undisturbed = home / "collections" / "undisturbed"
    for name in ("killed", "killed-too"):
        killed = home / "collections" / name
        assert content(killed) == content(undisturbed)
        assert not list(killed.glob(".*.tmp"))
        assert len(list(killed.glob("*.safetensors"))) == len(list(undisturbed.glob("*.safetensors")))


def interrupting(at):
    """A `notify` that raises KeyboardInterrupt once so many tokens have been read."""

    def notify(progress):
        if progress.tokens >= at:
            raise KeyboardInterrupt

    return notify


def test_an_interrupted_ingest_keeps_what_was_read_of_a_long_document_and_goes_on(tmp_path, tiny, monkeypatch):
    monkeypatch.setitem(encoding_module.WINDOW_TOKENS, "cpu", 600)
    folder = write_library(tmp_path / "long", count=3, longest=600)
    with (
        Collection.open("whole", str(tiny), memory=True) as whole,
        Collection.open("parts", str(tiny), memory=True) as parts,
    ):
        total = whole.ingest([folder]).tokens
        kept = []
        for at in (1500, 1300, 2500, 400):  # the last one before anything was committed
            with pytest.raises(Stopped) as stopped:
                parts.ingest([folder], notify=interrupting(at))
            summary = stopped.value.summary
            assert at - 1300 <= summary.tokens <= at
            (share,) = summary.partial.values()
            assert 0 < share < 1
            kept.append(summary.collection["tokens"])
            assert parts.search("What does the Amalia carry?")  # what is there can be asked
        assert kept[0] < kept[1] < kept[2] == kept[3]
        last = parts.ingest([folder])
        assert last.partial == {}
        assert last.tokens == total - kept[-1]
        assert content(parts.directory) == content(whole.directory)
        assert parts.ingest([folder]).unchanged == 3


def test_a_part_of_a_document_is_replaced_and_removed_like_a_whole_one(tmp_path, tiny, monkeypatch):
    monkeypatch.setitem(encoding_module.WINDOW_TOKENS, "cpu", 600)
    folder = write_library(tmp_path / "long", count=2, longest=600)
    with Collection.open("parts", str(tiny), memory=True) as parts:
        parts.ingest([folder / "log-01.txt"])
        before = sums(parts)
        with pytest.raises(Stopped):
            parts.ingest([folder], notify=interrupting(1500))
        (part,) = parts.find("log-00.txt")
        assert not part.complete
        parts.remove([part])
        assert_same_memory(sums(parts), before, tolerance=1e-11)
        with pytest.raises(Stopped):
            parts.ingest([folder], notify=interrupting(1500))
        (folder / "log-00.txt").write_text("The Zephyr sank.")
        summary = parts.ingest([folder])
        assert (summary.added, summary.replaced, summary.unchanged) == (0, 1, 1)
        (short,) = parts.find("log-00.txt")
        assert (short.complete, short.tokens) == (True, summary.tokens)
