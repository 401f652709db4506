"""A collection that stays in step with files and directories: what is saved there is read, what is moved keeps its
addresses, what is deleted goes.

The system tells of changes; what it doesn't tell (of other machines' files on a network drive, of more directories than
it can watch) a look at all files finds, every now and then. Nothing is read before it has rested for a moment.
"""

import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Literal

from infinidoc.documents.discovery import STDIN, Root, Skipped, is_among, is_passed_over, roots_of, walk
from infinidoc.errors import InfinidocError, Unwritable
from infinidoc.memory.records import StoredFile
from infinidoc.memory.store import Store
from infinidoc.reading.changes import Change, changes_between
from infinidoc.reading.collection import Collection
from infinidoc.reading.summary import IngestProgress, Stopped, Summary

KEPT = "its documents are kept"

# Seconds.
TICK = 0.2  # between looks at what has changed
LISTEN = 2.0  # between looks while the memory is being read
RESTS = 0.5  # that a file stays as it is before it is read: it may be half written
GONE = 1.5  # that it is away before it is dropped: many programs save by deleting
PATIENCE = 2.0  # that what rests waits for what doesn't, so that a move is seen as one
LONGEST = 10.0  # that a directory in which something always changes is waited for
LOOK = 30.0  # between looks at all files, where the system tells of changes
POLL = 2.0  # and where it doesn't
SHARE = 0.05  # of the time, at most, goes into looking at all files
AGAIN = 2.0  # between tries to write

MOMENT = 1  # milliseconds that the system gets to tell of changes
STORM = 1_000  # changes at once: the system may have told of more than it could keep

Mark = tuple[int, int, int, int]  # device, inode, time of change in ns, bytes: while they stay, so does the file


@dataclass(frozen=True)
class Step:
    """Changes that were dealt with together; the first one is the start, when everything is looked at."""

    changes: list[Change]
    summary: Summary


@dataclass(frozen=True)
class Notice:
    """What else people should know, in a line: a path is `absent` or `back`, the system's help is missing (`polling`),
    or the collection can't be written to now (`waiting`)."""

    what: Literal["absent", "back", "polling", "waiting"]
    text: str


@dataclass
class _Pending:
    """How a path looks where something has happened; since when it has looked so, and when that began."""

    mark: Mark | None
    since: float
    began: float


@dataclass
class _Place:
    """A path that was given, and the `directory` that has to be there for it: the path, or the one that a file is in.

    `identity` is that of the directory, None while it is absent, as `told` says; `files` is what was seen there, None
    before anything was; `holds` says whether the collection has documents from there.
    """

    root: Root
    directory: str
    holds: bool
    identity: tuple[int, int] | None = None
    told: bool = True
    files: dict[str, Mark] | None = None

    @property
    def is_directory(self) -> bool:
        return self.directory == self.root.path

    def find(self) -> tuple[int, int] | None:
        """The directory's identity now. An empty one that is another one than before is what a drive leaves behind."""
        found = _identity(self.directory)
        if found and found != self.identity and self.holds and _is_empty(self.directory):
            return None
        return found

    def look(self) -> set[str]:
        """Where something has changed since the last look. What went with a drive that is mounted below isn't gone."""
        marks = ((path, _mark(path)) for path, _ in walk(self.root.path, self.root.glob))
        found, before = {path: mark for path, mark in marks if mark}, self.files or {}
        changed = {path for path, mark in found.items() if before.get(path) != mark}
        for path in before.keys() - found.keys():
            if _device_at(path) == before[path][0]:
                changed.add(path)
            else:
                found[path] = before[path]
        self.files = found
        return changed


class _MemoryCanWait(KeyboardInterrupt):
    """Ends an ingest whose files have all been read: there is something better to do than to read the memory."""


class Watcher:
    """Keeps a collection in step with `paths`, by the rules of `ingest`, until `stop` is set. The compressive memory is
    read when nothing else is to be done, and again let be as soon as something has changed.

    The collection should be its own (see `Collection`). `notify` hears of long readings as they go.

    >>> for step in Watcher(Collection.open("notes"), ["./notes"]).run():
    ...     print(step)
    """

    def __init__(
        self,
        collection: Collection,
        paths: Sequence[str | Path],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        stop: Event | None = None,
        notify: Callable[[IngestProgress], None] = lambda progress: None,
    ):
        self.collection, self.paths, self.include, self.exclude = collection, paths, include, exclude
        self.stop, self.notify = stop or Event(), notify
        self._places: list[_Place] = []
        self._pending: dict[str, _Pending] = {}
        self._notices: list[Notice] = []
        self._skipped: set[Skipped] = set()  # that were told of
        self._waits: Notice | None = None
        self._polling = False
        self._behind = False  # whether the memory doesn't hold everything yet
        self._told: Iterator[set[str]] = iter(())
        self._next_look = self._next_try = self._next_listening = 0.0

    def check(self) -> None:
        """Raises InfinidocError for paths that can't be watched, before seconds go into loading the model."""
        if STDIN in map(str, self.paths):
            raise InfinidocError("standard input can't be watched", "name files and directories")
        if find_spec("watchfiles") is None:
            raise InfinidocError("watching needs watchfiles", "pip install 'infinidoc[watch]'")
        self.collection.discover(self.paths, self.include, self.exclude, sync=True)

    def run(self) -> Iterator[Step | Notice]:
        """Reads what is there, as `ingest` with `sync` does, and then what changes. A path that is absent, or becomes
        so, keeps its documents.

        Raises InfinidocError as `Collection.ingest` does, but for a collection that can't be written to now: that is
        waited for. KeyboardInterrupt may come at any time, and loses nothing.
        """
        self.check()
        known = self._known()
        for root in roots_of(self.paths):
            is_file = os.path.isfile(root.path) or root.path in known
            directory = os.path.dirname(root.path) if is_file else root.path
            self._places.append(_Place(root, directory, any(map(root.covers, known))))
        try:
            while not self.stop.is_set():
                self._find_places()
                with closing(self._tell()) as self._told:
                    while self._listen():
                        yield from self._tick()
                        if any(place.find() != place.identity for place in self._places):
                            break
                        self.stop.wait(TICK)
        except Stopped:
            if not self.stop.is_set():
                raise

    def _known(self) -> Mapping[str, StoredFile]:
        """The files that the collection has."""
        return self.collection.store.files_read() if Store.exists(self.collection.directory) else {}

    # -- what has changed ----------------------------------------------------------------------------------------

    def _find_places(self) -> None:
        """Which places are there now."""
        for place in self._places:
            place.identity = place.find()
            there = place.identity is not None
            if there != place.told:
                text = f"{place.root.given} is there again" if there else f"{place.root.given} is not there"
                self._notices.append(Notice("back", text) if there else Notice("absent", f"{text}: {KEPT}"))
                place.told = there
            if there and place.files is None:
                self._pending[place.root.path] = _Pending(_mark(place.root.path), -math.inf, time.monotonic())
        self._next_look = 0.0

    def _place_of(self, path: str) -> _Place | None:
        """Where a path belongs, if that is there."""
        return next((one for one in self._places if one.identity and is_among(path, {one.root.path})), None)

    def _listen(self) -> bool:
        """Notes what has changed since the last time; False if that can't be told any more."""
        changed = next(self._told, None)
        for path in changed or ():
            self._note(path)
        self._look()
        return changed is not None

    def _tell(self) -> Generator[set[str]]:
        """Each time the paths that the system says have changed since the last; none where it doesn't say."""
        try:
            if not self._polling:
                yield from self._told_by_system()
                return
        except FileNotFoundError:  # it was there a moment ago
            self.stop.wait(TICK)
            return
        except (OSError, RuntimeError) as error:  # more directories than it can watch, or one that is locked
            self._polling = True
            reason = str(error).partition(" about [")[0]
            text = f"the system can't tell of every change ({reason}): looking for them every {POLL:.0f} s"
            self._notices.append(Notice("polling", text))
        while not self.stop.is_set():
            yield set()

    def _told_by_system(self) -> Iterator[set[str]]:
        from watchfiles import Change as Kind
        from watchfiles import watch

        directories = [place.directory for place in self._places if place.identity and place.is_directory]
        given = {os.path.realpath(directory): directory for directory in directories}
        own = {os.path.realpath(self.collection.directory)}
        changes_told = watch(
            *given,
            watch_filter=None,
            debounce=MOMENT,
            step=MOMENT,
            rust_timeout=MOMENT,
            yield_on_timeout=True,
            stop_event=self.stop,
        )
        with closing(changes_told) as told:
            for changes in told:
                paths = {path for kind, path in changes if kind != Kind.modified or not os.path.isdir(path)}
                yield {_as_given(path, given) for path in paths if not is_among(path, own)}

    def _note(self, path: str) -> None:
        """Something has happened at a path. Below a directory that is pending already, that waits on."""
        place = self._place_of(path)
        if os.path.basename(path) == ".gitignore":
            path = os.path.dirname(path)
        if place is None or any(map(is_passed_over, Path(path).relative_to(place.root.path).parts)):
            return
        now = time.monotonic()
        path = next((above for above in (path, *map(str, Path(path).parents)) if above in self._pending), path)
        began = self._pending[path].began if path in self._pending else now
        self._pending[path] = _Pending(_mark(path), now, began)

    def _look(self) -> None:
        """Looks at all files, when it is time, and always at those that were given by name."""
        began = time.monotonic()
        is_time = began >= self._next_look
        for place in self._places:
            if place.identity and place.files is not None and (is_time or not place.is_directory):
                for path in place.look():
                    self._note(path)
        if is_time:
            ended = time.monotonic()
            self._next_look = ended + max(POLL if self._polling else LOOK, (ended - began) / SHARE)

    def _rested(self) -> set[str]:
        """What may be read now: nothing, as long as it is worth waiting for something that still changes."""
        now, overdue, rested = time.monotonic(), False, set()
        pending = {path: one for path, one in self._pending.items() if self._place_of(path)}
        for path, one in pending.items():
            mark = _mark(path)
            if mark != one.mark:
                one.mark, one.since = mark, now
            waited = now - one.since
            if waited >= (RESTS if mark else GONE) or (now - one.began >= LONGEST and os.path.isdir(path)):
                rested.add(path)
                overdue = overdue or waited >= PATIENCE
        return rested if overdue or len(rested) == len(pending) else set()

    # -- what is done about it -----------------------------------------------------------------------------------

    def _tick(self) -> Iterator[Step | Notice]:
        if time.monotonic() >= self._next_try:
            if changed := self._rested():
                yield from self._read(changed)
            elif self._behind:
                self._ingest(changed)
        while self._notices:
            yield self._notices.pop(0)

    def _read(self, changed: set[str]) -> Iterator[Step]:
        for place in self._places:
            if place.identity and place.files is None:
                place.look()  # what changes from here on is found the next time
        before, pending = self._known(), {path: self._pending.pop(path) for path in changed}
        summary = self._ingest(changed)
        if summary is None:
            self._pending = pending | self._pending
            return
        if len(changed) >= STORM:
            self._next_look = 0.0
        after = self._known()
        for place in self._places:
            place.holds = any(map(place.root.covers, after))
        skipped = {one for one in summary.skipped if one.path in changed or one not in self._skipped}
        self._skipped |= skipped
        changes = [
            change for change in changes_between(before, after) if change.path not in {one.path for one in skipped}
        ]
        changes += [Change("skipped", one.path or one.name, reason=one.reason) for one in skipped]
        changes += [Change("noted", one.name, reason=one.note) for one in summary.notes]
        yield Step(changes, summary)

    def _ingest(self, changed: set[str]) -> Summary | None:
        """Reads what has changed; where nothing has, the memory. None if the collection can't be written to now."""

        def hear(progress: IngestProgress) -> None:
            if self.stop.is_set():
                raise KeyboardInterrupt
            if progress.to_remember and (changed or self._is_wanted()):
                raise _MemoryCanWait
            self.notify(progress)

        given = [place.root.given for place in self._places if place.identity and changed]
        try:
            summary = self.collection.ingest(given, self.include, self.exclude, sync=True, notify=hear, changed=changed)
        except Stopped as stopped:
            if not isinstance(stopped.__cause__, _MemoryCanWait):
                raise
            summary = stopped.summary
        except Unwritable as reason:
            self._next_try = time.monotonic() + AGAIN
            waits, self._waits = self._waits, Notice("waiting", str(reason))
            self._notices += [self._waits] * (waits != self._waits)
            return None
        self._waits = None
        self._behind = self.collection.store.pending_tokens() > 0
        return summary

    def _is_wanted(self) -> bool:
        """Whether there is something to read now; looks every now and then."""
        if time.monotonic() < self._next_listening:
            return False
        self._listen()
        self._next_listening = time.monotonic() + (RESTS if self._pending else LISTEN)
        return bool(self._rested())


def _as_given(path: str, given: Mapping[str, str]) -> str:
    """A path that the system told of, by the name that the directory was given by."""
    real = next((real for real in given if is_among(path, {real})), None)
    return path if real is None else given[real] + path.removeprefix(real)


def _mark(path: str) -> Mark | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _identity(directory: str) -> tuple[int, int] | None:
    mark = _mark(directory) if os.path.isdir(directory) else None
    return mark and mark[:2]


def _is_empty(directory: str) -> bool:
    try:
        return not os.listdir(directory)
    except OSError:
        return False


def _device_at(path: str) -> int:
    """The device of the nearest directory above a path that is there, or of the path itself."""
    while (mark := _mark(path)) is None and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return mark[0] if mark else -1
