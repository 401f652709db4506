"""Documents into a collection's memory."""

import sys
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from infinidoc.documents.discovery import STDIN, File, Skipped, discover, roots_of
from infinidoc.memory.store import Store
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Encoder
from infinidoc.reading import approximate
from infinidoc.reading.remembering import remember
from infinidoc.reading.run import Run
from infinidoc.reading.summary import IngestProgress, Stopped, Summary

if TYPE_CHECKING:
    from infinidoc.reading.cluster import Cluster


def ingest(
    store: Store,
    base: BaseModel,
    reader: "Encoder | Cluster",
    paths: Sequence[str | Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    sync: bool = False,
    notify: Callable[[IngestProgress], None] = lambda progress: None,
    changed: Set[str] | None = None,
) -> Summary:
    """Reads files into a collection: new ones, and changed ones in place of what they were.

    A first pass makes all of them ready to be asked about; a second one then reads them into the compressive memory,
    if the collection has one, and with them what an earlier ingest has left.

    `sync` also drops documents below `paths` whose files are gone. What can't be read is skipped and reported, and what
    was read from it before is dropped; only where it may be readable again, that stays.
    Only files at or below the `changed` paths are looked at, where those are given: they may be gone.
    The model runs in the `reader`, here or on a cluster; the result is the same.
    Every window is committed as soon as it is read, in either pass, in the middle of a document if need be: an ingest
    that was cut short goes on from there when it is repeated.
    Raises InfinidocError if a path doesn't exist, or another process is writing to the collection; `Stopped`, which is
    a KeyboardInterrupt, when it is interrupted.
    """
    began = time.perf_counter()
    known = set(store.files_read()) if sync else set()
    found = list(discover(paths, include, exclude, known, changed))
    files = [item for item in found if isinstance(item, File)]
    summary = Summary()
    progress = IngestProgress(files=len(files), bytes_total=sum(file.size for file in files))
    try:
        with store.writing():
            run = Run(store, base, summary, progress, notify, reader)
            for item in found:
                if isinstance(item, Skipped):
                    run.skip(item)
            run.drop_unreadable()
            if any(str(path) == STDIN for path in paths):
                run.take_stdin(sys.stdin.buffer)
            for file in files:
                run.take(file)
            run.finish()
            if sync:
                run.drop_vanished(roots_of(paths), known, changed)
            store.compress_addresses()
            store.merge_small_files()
            if approximate.is_due(store):
                progress.name = "an index of the addresses"
                notify(progress)
                approximate.build(store)
            summary.ready_seconds = time.perf_counter() - began
            remember(store, base, reader, summary, progress, notify)
    except KeyboardInterrupt as interrupt:
        raise Stopped(_closed(summary, store, began)) from interrupt
    return _closed(summary, store, began)


def _closed(summary: Summary, store: Store, began: float) -> Summary:
    summary.seconds = time.perf_counter() - began
    summary.collection = store.counts()
    return summary
