"""What people open and close again: it has a store on the disk, and keeps something of that while it is open."""

from abc import ABC, abstractmethod
from typing import Any, Generic, Self, TypeVar

from infinidoc.memory.manifest import Manifest

S = TypeVar("S", bound=Manifest)


class Opened(ABC, Generic[S]):
    """The store is opened when it is first needed, and again by what comes after `close`."""

    _opened: S | None = None
    _warm: Any = None  # what was read of it

    @abstractmethod
    def _open(self) -> S:
        """Opens the store. Raises InfinidocError if there is none yet, naming those that there are."""

    @property
    def store(self) -> S:
        """What is on the disk. Raises InfinidocError before anything was put there."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def close(self) -> None:
        """Lets the files go; what is asked next opens them again."""
        if self._opened:
            self._opened.close()
        self._opened = self._warm = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
