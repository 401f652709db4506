"""A new collection, and whether one that is there was made as people want it: that can't be changed later."""

from pathlib import Path
from typing import TYPE_CHECKING

from infinidoc.errors import InfinidocError
from infinidoc.memory.records import NO_KERNEL, Identity
from infinidoc.memory.store import Store

if TYPE_CHECKING:  # torch takes seconds to import
    from infinidoc.model.adapters import Adapter
    from infinidoc.model.base import BaseModel


def make(directory: Path, base: "BaseModel", adapter: "Adapter | None", memory: bool, small_addresses: bool) -> None:
    """Makes an empty collection that `base` will read. Raises InfinidocError for a memory that does not add up."""
    from infinidoc.model.adapters import NONE
    from infinidoc.model.addresses import untrained_head
    from infinidoc.model.kernels import KERNELS

    head = (adapter.head() if adapter else None) or untrained_head(base)
    name, digest = (adapter.card.reference, adapter.digest) if adapter else (NONE, "")
    kernel = base.model.config.infini_kernel if memory else NO_KERNEL
    if kernel != NO_KERNEL and not KERNELS[kernel].additive:
        raise InfinidocError(
            f"the memory of the adapter {name} (kernel {kernel}) does not add up over documents",
            "ingest without --memory, or with another adapter",
        )
    identity = Identity(base.name, base.digest, name, digest, kernel, base.precision)
    Store.create(directory, identity, head.tensors(), small_addresses).close()


def check(store: Store, memory: bool, small_addresses: bool) -> None:
    """Raises InfinidocError for a collection that was made without what is wanted."""
    if memory and not store.identity.remembers:
        raise InfinidocError(
            "this collection was made without a compressive memory", "make another one: --collection NAME --memory"
        )
    if small_addresses and not store.small_addresses:
        raise InfinidocError(
            "this collection was made with addresses of 128 bytes",
            "make another one: --collection NAME --small-addresses",
        )
