"""The model and the adapter that a benchmark measures."""

from infinidoc.model import adapters
from infinidoc.model.adapters import Adapter
from infinidoc.model.base import BaseModel, load_base
from infinidoc.model.precision import INT8, wanted

UNTRAINED_KERNEL = "least_squares"  # where there is no adapter to name one


def load(model: str | None = None, adapter: str | None = None) -> tuple[BaseModel, Adapter | None]:
    """A base model with infini-attention attached, and its adapter, if it has one (see `adapters.choose`).

    With `INFINIDOC_PRECISION` int8 all of it computes in int8, the answers too, so that its effect can be measured.
    Raises InfinidocError if either can't be had, or they don't fit.
    """
    from infinidoc.model.attention import attach
    from infinidoc.model.quantization import quantise

    base = load_base(model)
    card = adapters.choose(base.digest, adapter)
    found = adapters.load(card) if card else None
    if found:
        adapters.attach_adapter(base, found)
    else:
        attach(base.model, UNTRAINED_KERNEL)
    if wanted() == INT8:
        quantise(base)
    return base, found


def is_closed(base: BaseModel) -> bool:
    """Whether nothing of a memory is read, because no trained adapter has opened the gates."""
    from infinidoc.model.attention import attention_modules

    return all(module.infini.is_closed() for module in attention_modules(base.model))
