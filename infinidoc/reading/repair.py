"""Mending a damaged collection: what can be read stays, and what was lost is read again from the text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infinidoc.memory.check import Faults, check, forget_damaged, salvage

if TYPE_CHECKING:
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.summary import IngestProgress


@dataclass(frozen=True)
class Repaired:
    """What was wrong; the documents (paths) that were read again, and those that couldn't be saved."""

    faults: list[str]
    read_again: list[str]
    lost: list[str]


def repair(collection: "Collection", notify: "Callable[[IngestProgress], None]" = lambda progress: None) -> Repaired:
    """Makes a collection whole again, as far as its text is there. Loads the model only if something has to be read.

    Raises InfinidocError if another process is writing, and Damaged if nothing can be saved.
    """
    lost = salvage(collection.directory)
    store = collection.store
    with store.writing():
        faults = check(store)
        if not faults and lost is None:
            return Repaired([], [], [])
        forget_damaged(store, faults)
        again = _mend(collection, faults, lost is not None, notify)
    lines = faults.lines if lost is None else ["the manifest was damaged", *faults.lines]
    return Repaired(lines, again, lost or [])


def _mend(
    collection: "Collection", faults: Faults, without_state: bool, notify: "Callable[[IngestProgress], None]"
) -> list[str]:
    from infinidoc.model.encoding import Encoder
    from infinidoc.reading.remembering import remember
    from infinidoc.reading.removal import state_of
    from infinidoc.reading.run import Run
    from infinidoc.reading.summary import IngestProgress, Summary

    store, documents = collection.store, collection.store.documents()
    if store.index and store.index.name in faults.files:
        store.forget_index()
    store.forget_begun(faults.files)
    store.forget_memories(faults.files)
    damaged = [document for document in documents if {p.file for p in store.passages(document.id)} & set(faults.files)]
    stateless = without_state or store.meta("state") in faults.files
    if not damaged and not (stateless and documents and store.identity.remembers):
        if stateless:
            store.commit([], [], None)
        return []
    base = collection.load(to_write=True)
    with Encoder(base, collection.head) as reader:
        if stateless:
            store.commit([], [], state_of(store, base, reader, documents) if store.identity.remembers else None)
        progress = IngestProgress(files=len(damaged), bytes_total=sum(document.bytes for document in damaged))
        summary = Summary()
        run = Run(store, base, summary, progress, notify, reader)
        for document in damaged:
            run.take_again(document)
        run.finish()
        remember(store, base, reader, summary, progress, notify)
    return [document.path for document in damaged]
