"""Base models in memory, for collections that share them."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch and transformers take seconds to import: only what runs the model does
    from infinidoc.model.adapters import Adapter
    from infinidoc.model.base import BaseModel
    from infinidoc.reading.readers.reader import Reader


class Turn:
    """A lock that goes to whoever has waited longest; the thread that has it may take it again."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._line: deque[int] = deque()  # of threads; the first one has the turn
        self._depth = 0

    def __enter__(self) -> None:
        me = get_ident()
        with self._changed:
            if self._line and self._line[0] == me:
                self._depth += 1
                return
            self._line.append(me)
            try:
                self._changed.wait_for(lambda: self._line[0] == me)
            except BaseException:  # Ctrl-C
                self._line.remove(me)
                self._changed.notify_all()
                raise
            self._depth = 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._depth -= 1
            if not self._depth:
                self._line.popleft()
                self._changed.notify_all()

    @contextmanager
    def of_others(self) -> Iterator[None]:
        """Lets other threads go on meanwhile: those that have waited have been there when it ends."""
        depth, self._depth = self._depth, 1
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
            self._depth = depth


@dataclass(frozen=True)
class Loaded:
    """A base model as it was asked for by name, with the adapter that was wanted for it and the one that it got; if it
    is `bare`, neither a reader nor a memory of that one is attached."""

    model: str
    wanted: str | None
    base: "BaseModel"
    adapter: "Adapter | None"
    bare: bool


class Models:
    """Loaded base models, `most` at once; the one that was not used for longest is let go for another.

    Collections that are opened with the same one share its models and its readers, and take turns.
    """

    def __init__(self, most: int = 1):
        self.turn = Turn()
        self.readers: dict[str, Reader] = {}
        self.plain: dict[str, BaseModel] = {}  # without anything attached: tasks are predicted with these
        self.loaded: list[Loaded] = []  # the one that was used last is the last
        self._most = most

    def find(self, suits: Callable[[Loaded], bool]) -> Loaded | None:
        found = next(filter(suits, self.loaded), None)
        if found:
            self.loaded.remove(found)
            self.loaded.append(found)
        return found

    def load(self, model: str, adapter: str | None, to_read: bool, precision: str, bare: bool) -> Loaded:
        """See `infinidoc.model.loading.load`."""
        from infinidoc.model.loading import load

        del self.loaded[: max(0, len(self.loaded) + 1 - self._most)]  # first: one more at once would take more memory
        found = load(model, adapter, to_read=to_read, precision=precision, bare=bare)
        loaded = Loaded(model, adapter, *found, bare)
        self.loaded.append(loaded)
        return loaded
