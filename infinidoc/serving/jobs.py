"""Reading documents takes minutes: a job does it, one after the other, and tells how far it is."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event
from typing import Any, Literal

from infinidoc.documents.packed import file_of
from infinidoc.errors import InfinidocError
from infinidoc.memory import uploads
from infinidoc.memory.store import Store
from infinidoc.reading.summary import IngestProgress, Stopped, Summary
from infinidoc.serving.errors import busy, described
from infinidoc.serving.library import Library, Unknown, shown

WAITING = 16
KEPT = 100  # jobs that are known after their end
LOOK_SECONDS = 0.2
State = Literal["waiting", "reading", "done", "stopped", "failed"]


class Job:
    """Some files on their way into a collection."""

    def __init__(self, collection: str, directory: Path, parcel: uploads.Parcel):
        self.id, self.collection, self.parcel = secrets.token_urlsafe(12), collection, parcel
        self._directory = directory
        self.state: State = "waiting"
        size = sum(file.stat().st_size for file in parcel.files)
        self.progress = IngestProgress(files=len(parcel.files), bytes_total=size)
        self.summary: Summary | None = None
        self.error: dict[str, Any] | None = None
        self._stop, self._postponed = Event(), False

    @property
    def ended(self) -> bool:
        return self.state in ("done", "stopped", "failed")

    def stop(self) -> None:
        """Ends it soon: what was read by then stays."""
        self._stop.set()
        if self.state == "waiting":
            self.state = "stopped"

    def postpone(self) -> None:
        """Ends it soon, and leaves what was not read to the next server."""
        self._postponed = True
        self.stop()

    def run(self, library: Library, others: Callable[[], Set[Path]]) -> None:
        """In a thread of its own. Its files that are no documents then go, but for those that `others` await."""
        end: State = "stopped"
        if not self._stop.is_set():
            self.state = "reading"
            end = self._read(library)
        if not self._postponed:
            with suppress(InfinidocError):  # nobody knows what it holds: nothing is lost
                uploads.discard(self._directory, self._unread(others()))
            self.parcel.settle()
        self.state = end

    def _read(self, library: Library) -> State:
        """How it ended."""

        def notify(progress: IngestProgress) -> None:
            self.progress = replace(progress)
            if self._stop.is_set():
                raise KeyboardInterrupt
            with library.models.turn.of_others():  # questions go first
                pass

        try:
            with library.open(self.collection, create=True) as collection:
                self.summary = collection.ingest(self.parcel.files, notify=notify)
                return "done"
        except Stopped as stopped:
            self.summary = stopped.summary
        except KeyboardInterrupt:  # before anything was read
            pass
        except Exception as error:
            self.error = described(error)[1]
            return "failed"
        return "stopped"

    def _unread(self, others: Set[Path]) -> list[Path]:
        held: set[str] = set()
        if Store.exists(self._directory):
            with Store.open(self._directory) as store:
                held = set(map(file_of, store.files_read()))
        return [file for file in self.parcel.files if str(file) not in held and file not in others]

    def to_dict(self) -> dict[str, Any]:
        return {
            "job": self.id,
            "collection": self.collection,
            "state": self.state,
            "progress": asdict(replace(self.progress, name=self._shown(self.progress.name))),
            "summary": self._named(self.summary) if self.summary else None,
            "error": self.error,
        }

    def _named(self, summary: Summary) -> dict[str, Any]:
        """With files called what clients call them."""
        found = asdict(summary)
        for one in (*found["skipped"], *found["notes"]):
            one["name"] = self._shown(one["name"])
        return {**found, "partial": {self._shown(name): share for name, share in summary.partial.items()}}

    def _shown(self, name: str) -> str:
        return shown(os.path.abspath(name), self._directory) if name else ""

    async def watch(self) -> AsyncIterator[None]:
        """Yields at once, whenever it has gone on, and when it has ended."""
        seen = None
        while seen is None or not seen[1]:
            now = self.progress, self.ended
            if now != seen:
                yield
            seen = now
            if not self.ended:
                await asyncio.sleep(LOOK_SECONDS)


class Jobs:
    """All of them, one after the other, beside the questions; and, beside both, what else changes a collection."""

    def __init__(self, library: Library):
        self._library = library
        self._pool, self._others = ThreadPoolExecutor(1, "job"), ThreadPoolExecutor(1, "change")
        self._jobs: dict[str, Job] = {}

    def resume(self) -> None:
        """Reads what was uploaded to a server that ended, or was ended, before it was read."""
        for name, place in self._library.with_uploads().items():
            with suppress(OSError):  # a directory that may not be written to: nothing is lost
                for parcel in uploads.awaited(place.directory):
                    self.begin(name, place.directory, parcel)

    def begin(self, collection: str, directory: Path, parcel: uploads.Parcel) -> Job:
        job = Job(collection, directory, parcel)
        self._jobs[job.id] = job
        self._pool.submit(job.run, self._library, lambda: self._awaited(job))
        for old in [one for one in self.all() if one.ended][KEPT:]:
            self._jobs.pop(old.id, None)
        return job

    def _awaited(self, but: Job) -> Set[Path]:
        return {file for job in self.all() if job is not but and not job.ended for file in job.parcel.files}

    def check(self) -> None:
        """Raises Refused if too many wait already."""
        if sum(not job.ended for job in self.all()) >= WAITING:
            raise busy(f"{WAITING} uploads are waiting already")

    def all(self) -> list[Job]:
        """Newest first."""
        return list(self._jobs.values())[::-1]

    def find(self, identifier: str) -> Job:
        """Raises Unknown."""
        if identifier not in self._jobs:
            raise Unknown(f"there is no job {identifier!r}", "those of the last hundred uploads are known")
        return self._jobs[identifier]

    def reads_into(self, collection: str) -> bool:
        return any(job.collection == collection and not job.ended for job in self.all())

    def do(self, work: Callable[[], None]) -> "asyncio.Future[None]":
        """Has something else done that changes a collection."""
        return asyncio.wrap_future(self._others.submit(work))

    def close(self) -> None:
        for job in self.all():
            job.postpone()
        for pool in (self._pool, self._others):
            pool.shutdown(cancel_futures=True)
