import threading

import pytest
import torch

from infinidoc.model import threads


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
