"""Models that collections share, and the turn to use them."""

import threading
import time

import pytest

from infinidoc.reading.collection import Collection
from infinidoc.reading.models import Models, Turn
from tests.reading.library import write_library
from tests.tiny import tiny_model


def test_collections_with_the_same_base_share_one_model(tiny, tmp_path):
    docs, models = write_library(tmp_path / "docs", count=1), Models()
    with Collection.open("a", str(tiny), models=models) as a, Collection.open("b", str(tiny), models=models) as b:
        a.ingest([docs])
        b.ingest([docs])
        assert a.load() is b.load() is a.load(to_write=True)
        with Collection.open("b", str(tiny)) as other:
            assert other.load() is not a.load()


@pytest.mark.parametrize("most", [1, 2])
def test_only_so_many_models_are_held_at_once(most, tiny, tmp_path):
    docs, models = write_library(tmp_path / "docs", count=1), Models(most)
    second = str(tiny_model(tmp_path / "second", seed=1))
    with Collection.open("a", str(tiny), models=models) as a, Collection.open("b", second, models=models) as b:
        a.ingest([docs])
        b.ingest([docs])
        first = a.load()
        b.load()
        assert (a.load() is first) == (most == 2)


def test_a_turn_goes_to_whoever_has_waited_longest():
    turn, order = Turn(), []

    def take(name):
        with turn, turn:  # the thread that has it may take it again
            order.append(name)

    threads = []
    with turn, turn:
        for name in range(5):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            while len(turn._line) < name + 2:
                time.sleep(0.001)
        with turn.of_others():  # all of them have waited longer
            pass
        assert order == [0, 1, 2, 3, 4]
    for thread in threads:
        thread.join()
    assert not turn._line
