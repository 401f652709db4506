"""Reading documents takes minutes: a job does it, one after the other, and tells how far it is."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Collection
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

    def __init__(self, collection: str, directory: Path, files: list[Path], size: int):
        self.id, self.collection, self.files = secrets.token_urlsafe(12), collection, files
        self._directory = directory
        self.state: State = "waiting"
        self.progress = IngestProgress(files=len(files), bytes_total=size)
        self.summary: Summary | None = None
        self.error: dict[str, Any] | None = None
        self._stop = Event()

    @property
    def ended(self) -> bool:
        return self.state in ("done", "stopped", "failed")

    def stop(self) -> None:
        """Ends it soon: what was read by then stays."""
        self._stop.set()
        if self.state == "waiting":
            self.state = "stopped"

    def run(self, library: Library) -> None:
        """In a thread of its own."""
        if self._stop.is_set():
            self.state = "stopped"
            return
        self.state = "reading"

        def notify(progress: IngestProgress) -> None:
            self.progress = replace(progress)
            if self._stop.is_set():
                raise KeyboardInterrupt
            with library.models.turn.of_others():  # questions go first
                pass

        end: State = "stopped"
        try:
            with library.open(self.collection, create=True) as collection:
                self.summary, end = collection.ingest(self.files, notify=notify), "done"
        except Stopped as stopped:
            self.summary = stopped.summary
        except KeyboardInterrupt:  # before anything was read
            pass
        except Exception as error:
            (_, self.error), end = described(error), "failed"
        self._discard_unread()
        self.state = end

    def _discard_unread(self) -> None:
        """Of its files only those stay that are documents now."""
        held: Collection[str] = ()
        with suppress(InfinidocError):  # nobody knows what it holds: nothing is lost
            if Store.exists(self._directory):
                with Store.open(self._directory) as store:
                    held = set(map(file_of, store.files_read()))
            uploads.discard(self._directory, [file for file in self.files if str(file) not in held])

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

    def begin(self, collection: str, directory: Path, files: list[Path], size: int) -> Job:
        job = Job(collection, directory, files, size)
        self._jobs[job.id] = job
        self._pool.submit(job.run, self._library)
        for old in [one for one in self._jobs.values() if one.ended][:-KEPT]:
            del self._jobs[old.id]
        return job

    def check(self) -> None:
        """Raises Refused if too many wait already."""
        if sum(not job.ended for job in self._jobs.values()) >= WAITING:
            raise busy(f"{WAITING} uploads are waiting already")

    def find(self, identifier: str) -> Job:
        """Raises Unknown."""
        if identifier not in self._jobs:
            raise Unknown(f"there is no job {identifier!r}", "those of the last hundred uploads are known")
        return self._jobs[identifier]

    def reads_into(self, collection: str) -> bool:
        return any(job.collection == collection and not job.ended for job in self._jobs.values())

    def do(self, work: Callable[[], None]) -> "asyncio.Future[None]":
        """Has something else done that changes a collection."""
        return asyncio.wrap_future(self._others.submit(work))

    def close(self) -> None:
        for job in self._jobs.values():
            job.stop()
        for pool in (self._pool, self._others):
            pool.shutdown(cancel_futures=True)
