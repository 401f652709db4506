import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from infinidoc.model import decoding, threads
from infinidoc.model.attention import CompressiveMemory, attach
from infinidoc.model.base import load_base
from tests.tiny import tiny_model


def test_each_computes_on_one_core_and_the_caller_on_as_many_as_before():
    before = torch.get_num_threads()
    with threads.one_core_each(3) as pool:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(9))) == {1}
    assert torch.get_num_threads() == before


def test_interrupted_while_threads_begin_it_leaves_none_behind(monkeypatch):
    class Interrupted(threading.Barrier):
        def wait(self, timeout=None):
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(threads, "Barrier", Interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        threads.one_core_each(3)
    assert threading.active_count() == before


class Machine:
    """Two cores, as Linux counts what they did."""

    def __init__(self, folder):
        self.file, self.now, self.own, self.busy = folder / "stat", 100.0, 5.0, [20.0, 30.0]
        self.time = SimpleNamespace(monotonic=lambda: self.now, process_time=lambda: self.own)
        self.passes(0, 0)

    def passes(self, seconds, others, own=0.0):
        """So much time, in which others computed for so many seconds, and this process did."""
        self.now += seconds
        self.own += own
        self.busy = [core + (others + own) / 2 for core in self.busy]
        ticks = [round(core * os.sysconf("SC_CLK_TCK")) for core in self.busy]
        lines = [f"cpu{core} {count} 0 0 99999 99999 0 0 0 0 0" for core, count in enumerate([*ticks, 7])]
        self.file.write_text(
            "\n".join([f"cpu  {sum(ticks)} 0 0 0 0 0 0 0 0 0", *lines, "intr 12 0 1", "ctxt 5"]) + "\n"
        )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine, before = Machine(tmp_path), torch.get_num_threads()
    monkeypatch.setattr(threads, "COUNTED", machine.file)
    monkeypatch.setattr(threads, "time", machine.time)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.setattr(threads, "_others", threads._Others())
    torch.set_num_threads(2)
    yield machine
    torch.set_num_threads(before)


def taken():
    with threads.on_free_cores():
        inside = torch.get_num_threads()
    assert torch.get_num_threads() == 2
    return inside


def test_one_thread_less_for_each_core_that_others_compute_on(machine):
    machine.passes(1, others=0, own=2)  # what it does itself is no reason
    assert taken() == 2
    machine.passes(1, others=0.9, own=1)
    assert taken() == 1
    machine.passes(1, others=1.9)
    assert taken() == 1  # never none
    machine.passes(1, others=0.2, own=1)
    assert taken() == 2


def test_a_moment_says_nothing(machine):
    machine.passes(threads.LOOK_SECONDS / 2, others=threads.LOOK_SECONDS)
    assert taken() == 2
    machine.passes(threads.LOOK_SECONDS, others=0)
    assert taken() == 1  # both together do


def test_where_nothing_counts_it_takes_what_it_has(machine):
    machine.passes(1, others=2)
    machine.file.unlink()
    assert taken() == 2


def test_never_more_threads_than_it_has(machine):
    torch.set_num_threads(1)
    machine.passes(1, others=0)
    with threads.on_free_cores():
        assert torch.get_num_threads() == 1


def test_a_failure_leaves_the_threads_as_they_were(machine):
    @threads.on_free_cores()
    def fail():
        raise RuntimeError(torch.get_num_threads())

    machine.passes(1, others=1)
    with pytest.raises(RuntimeError, match=r"^1$"):
        fail()
    assert torch.get_num_threads() == 2


def test_an_answer_makes_room_for_what_begins_in_the_middle_of_it(machine, monkeypatch, tmp_path):
    base = replace(load_base(str(tiny_model(tmp_path / "model", "llama"))), stops=())
    attach(base.model)
    computed, said, heard = decoding._Window._next, [], []

    def watched(window, token):
        said.append(torch.get_num_threads())
        return computed(window, token)

    def hear(token):
        machine.passes(1, others=len(heard))  # none after the first token
        heard.append(torch.get_num_threads())

    monkeypatch.setattr(decoding._Window, "_next", watched)
    decoding.generate(base, torch.tensor([[1, 2, 3]]), CompressiveMemory(base.model).read_only(), 4, hear)
    assert said == [2, 1, 1]
    assert heard == [2] * 4
