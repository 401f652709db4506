"""The model that a collection is read and asked with."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

from infinidoc.errors import InfinidocError
from infinidoc.memory.records import Identity
from infinidoc.model.precision import INT8, checked, wanted
from infinidoc.reading.models import Loaded, Models

if TYPE_CHECKING:  # torch and transformers take seconds to import: only what runs the model does
    from infinidoc.model.adapters import Adapter
    from infinidoc.model.base import BaseModel


class OwnModel:
    """A base model, its adapter and its precision, by what people asked for and the collection's `Identity`, if it has
    one yet. It is kept by `models`, and loaded when it is first needed."""

    def __init__(self, model: str | None, adapter: str | None, precision: str | None, models: Models):
        self._wanted_model, self._wanted_adapter = model, adapter
        self._wanted_precision = precision and checked(precision)
        self._models = models
        self._last: Callable[[], Loaded | None] = lambda: None  # weak, so that `models` can let it go

    @property
    def adapter(self) -> "Adapter | None":
        """That of the model that was loaded last."""
        last = self._last()
        return last.adapter if last else None

    def name(self, identity: Identity | None) -> str:
        """The base model's: the one asked for, else the one that the collection was read with."""
        from infinidoc.model.catalogue import base_name

        return base_name(self._wanted_model, identity.model if identity else None)

    def load(
        self, identity: Identity | None, to_write: bool, to_remember: bool = False, to_search: bool = False
    ) -> "BaseModel":
        """See `Collection.load`."""
        from infinidoc.model.catalogue import base_digest, ensure

        model, adapter = self.name(identity), self._wanted_adapter
        precision, to_read = self._precision(model, identity, to_write), not (to_write or to_remember or to_search)
        adapter = identity.adapter if identity and adapter is None else adapter

        def suits(one: Loaded) -> bool:
            return (one.model, one.wanted) == (model, adapter) and (
                one.base.precision != INT8 if to_search else _suits(one, precision, to_write, to_read)
            )

        loaded = self._models.find(suits)
        if loaded is None:
            ensure(model)
        found = loaded.base.digest if loaded else base_digest(model)
        if identity and found != identity.model_digest:
            raise InfinidocError(
                f"this collection was read with the model {identity.model} ({identity.model_digest[:12]}), "
                f"not with {model} ({found[:12]})",
                "use that model, or ingest into another collection",
            )
        loaded = loaded or self._models.load(model, adapter, to_read, precision, to_search)
        _check(loaded.adapter, identity)
        self._last = ref(loaded)
        return loaded.base

    def _precision(self, model: str, identity: Identity | None, to_write: bool) -> str:
        """What the collection was read in, to write; else the one asked for, or what this machine is faster in."""
        from infinidoc.model.base import choose_device
        from infinidoc.model.catalogue import digest, ensure
        from infinidoc.model.fastest import fastest

        if identity and to_write:
            if self._wanted_precision not in (None, identity.precision):
                raise InfinidocError(
                    f"this collection was read in {identity.precision}, not in {self._wanted_precision}",
                    "leave --precision out, or ingest into another collection",
                )
            return identity.precision
        precision = self._wanted_precision or wanted()
        if precision == INT8 and to_write:
            from infinidoc.model.quantization import overflows

            if overflows():
                raise InfinidocError(
                    "sums of int8 overflow on this processor, which has no VNNI", "leave int8 out, or choose fp32"
                )
        if precision is None or (precision == INT8 and not to_write):
            path = ensure(model)
            return fastest(path, digest(path), choose_device())
        return precision


def _suits(loaded: Loaded, precision: str, to_write: bool, to_read: bool) -> bool:
    """Whether a loaded one is as it is needed. Any precision but int8 will do to ask."""
    from infinidoc.model.loading import has_own_reader

    base, adapter = loaded.base, loaded.adapter
    reads = adapter is not None and adapter.card.reader_layer is not None and to_read
    any_will_do = not (to_write or base.precision == INT8)
    return not loaded.bare and has_own_reader(base) == reads and (base.precision == precision or any_will_do)


def _check(adapter: "Adapter | None", identity: Identity | None) -> None:
    found = adapter.digest if adapter else ""
    if identity and found != identity.adapter_digest:
        was, now = identity.adapter_digest[:12] or "-", found[:12] or "-"
        raise InfinidocError(
            f"this collection was read with the adapter {identity.adapter} ({was}), "
            f"not with {adapter.card.reference if adapter else 'none'} ({now})",
            "use that adapter, or ingest into another collection",
        )
