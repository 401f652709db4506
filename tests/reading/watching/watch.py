"""What a watcher in another thread has told, and what is in its collection."""

import os
import time

from infinidoc.reading.collection import Collection
from infinidoc.reading.watching import Notice, Step

LONG = 120.0  # seconds after which what has to come won't come any more


class Watch:
    """What a watcher in another thread has told so far."""

    def __init__(self, watcher):
        self.watcher, self.told, self.error = watcher, [], None

    @property
    def changes(self):
        """(what, file name) of all changes after the start."""
        steps = [step for step in self.told if isinstance(step, Step)]
        return [(change.what, os.path.basename(change.path)) for step in steps[1:] for change in step.changes]

    @property
    def notices(self):
        return [notice.what for notice in self.told if isinstance(notice, Notice)]

    def until(self, condition):
        """Waits for it, and returns what it says."""
        gives_up = time.monotonic() + LONG
        while not (found := condition()):
            if self.error:
                raise self.error
            assert time.monotonic() < gives_up, self.told
            time.sleep(0.05)
        return found

    def until_changes(self, *expected):
        self.until(lambda: len(self.changes) >= len(expected))
        assert sorted(self.changes) == sorted(expected)

    def until_it_has_looked(self):
        """Until two more looks at all files have found nothing: what will be noticed has been."""
        for _ in range(2):
            was = self.watcher._next_look
            self.until(lambda was=was: self.watcher._next_look > was and not self.watcher._pending)


def paths_in(name="watched"):
    with Collection.open(name, create=False) as collection:
        return {os.path.basename(path) for document in collection.documents() for path in document.paths}
