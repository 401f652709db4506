"""A base model with infini-attention, its adapter and a precision: put together in one place."""

from infinidoc.model import adapters
from infinidoc.model.adapters import Adapter
from infinidoc.model.attention import attach, attention_modules
from infinidoc.model.base import BaseModel, load_base
from infinidoc.model.precision import INT8, dtype_of, wanted
from infinidoc.model.quantization import quantise

UNTRAINED_KERNEL = "least_squares"  # where there is no adapter to name one


def load(
    model: str | None = None, adapter: str | None = None, precision: str | None = None
) -> tuple[BaseModel, Adapter | None]:
    """A base model with infini-attention attached, and its adapter, if it has one (see `adapters.choose`).

    `precision` is fp32, bf16 or int8, in which all of it computes; else what `INFINIDOC_PRECISION` says, else that of
    `load_base`. Raises InfinidocError if either can't be had, or they don't fit.
    """
    base = load_base(model, dtype=dtype_of(precision) if precision else None)
    card = adapters.choose(base.digest, adapter)
    found = adapters.load(card) if card else None
    if found:
        adapters.attach_adapter(base, found)
    else:
        attach(base.model, UNTRAINED_KERNEL)
    if (precision or wanted()) == INT8:
        quantise(base.model)
    return base, found


def is_closed(base: BaseModel) -> bool:
    """Whether nothing of a memory is read, because no trained adapter has opened the gates."""
    return all(module.infini.is_closed() for module in attention_modules(base.model))
