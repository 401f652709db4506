"""A base model, its adapter and its precision, put together in one place."""

from infinidoc.model import adapters
from infinidoc.model.adapters import Adapter
from infinidoc.model.base import BaseModel, load_base
from infinidoc.model.precision import INT8, dtype_of, wanted


def load(
    model: str | None = None,
    adapter: str | None = None,
    precision: str | None = None,
    to_read: bool = False,
    bare: bool = False,
    slots: bool = False,
) -> tuple[BaseModel, Adapter | None]:
    """A base model with infini-attention attached, and its adapter, if it has one (see `adapters.choose`).

    By default the model is as documents are read in: with the adapter's memory. `to_read` gives it the adapter's reader
    instead, with nothing behind its window (see `has_own_reader`); an adapter without one of its own answers as it is.
    `bare` leaves both out, which is loaded in half the time and finds passages as any other does.
    `slots` adds what the adapter has for memories with slots, if anything: such a model is for these alone.
    `precision`: fp32, bf16 or int8 (which only reading documents can be in); else `INFINIDOC_PRECISION`, else what
    `load_base` chooses. Raises InfinidocError if either can't be had, or they don't fit.
    """
    from infinidoc.model.threads import at_most

    with at_most(1):  # what there is to compute takes less time than threads that wait for each other
        return _load(model, adapter, precision or wanted(), to_read, bare, slots)


def _load(
    model: str | None, adapter: str | None, precision: str | None, to_read: bool, bare: bool, slots: bool
) -> tuple[BaseModel, Adapter | None]:
    from infinidoc.model.attention import attach

    base = load_base(model, dtype=dtype_of(precision) if precision else None)
    card = adapters.choose(base.digest, adapter)
    found = adapters.load(card) if card else None
    if bare:
        attach(base.model)
    elif card and to_read and card.reader_layer is not None:
        adapters.attach_reader(base, card)
    elif found and found.tensors:
        adapters.attach_adapter(base, found)
    else:
        attach(base.model)
    if card and slots and adapters.SLOTS in card.parts:
        adapters.attach_slots(base, card)
    if precision == INT8:
        from infinidoc.model.quantization import quantise

        quantise(base.model)
    return base, found


def has_own_reader(base: BaseModel) -> bool:
    """Whether a reader of its own is merged into this model: it is asked as it was trained, without a memory."""
    return bool(getattr(base.model.config, "infini_reads", False))


def merged(base: BaseModel) -> str:
    """The digest of what was merged into this model's weights, a reader or an adapter; empty for the bare model."""
    return str(getattr(base.model.config, "infini_merged", ""))


def is_closed(base: BaseModel) -> bool:
    """Whether nothing of a memory is read, because no trained adapter has opened the gates."""
    from infinidoc.model.attention import attention_modules

    return all(module.infini.is_closed() for module in attention_modules(base.model))
