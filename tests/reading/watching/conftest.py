"""A watcher in another thread."""

import threading
from contextlib import contextmanager

import pytest

from infinidoc.reading import watching
from infinidoc.reading.collection import Collection
from infinidoc.reading.watching import Step, Watcher
from tests.reading.library import write_library
from tests.reading.watching.watch import LONG, Watch


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "docs", count=3)


@pytest.fixture
def watch(tiny, monkeypatch):
    """Watches paths in another thread, from when everything was read."""

    @contextmanager
    def watch(*paths, started=True, look=0.5, **options):
        monkeypatch.setattr(watching, "LOOK", look)
        with Collection.open("watched", str(tiny), memory=True) as collection:
            watcher = Watcher(collection, paths, **options)
            told = Watch(watcher)

            def run():
                try:
                    for step in watcher.run():
                        told.told.append(step)
                except BaseException as error:
                    told.error = error

            thread = threading.Thread(target=run)
            thread.start()
            try:
                if started:
                    told.until(lambda: any(isinstance(step, Step) for step in told.told))
                yield told
            finally:
                watcher.stop.set()
                thread.join(LONG)
                assert not thread.is_alive()

    return watch
