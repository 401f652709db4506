"""The long-context benchmarks, from a loaded model to a result that can be printed, written and drawn."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infinidoc.evaluation import results
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext import footprint, prose, published
from infinidoc.evaluation.longcontext.haystack import filler
from infinidoc.evaluation.longcontext.hidden import (
    BenchProgress,
    Group,
    Hidden,
    babi_groups,
    needle_groups,
    passkey_groups,
)
from infinidoc.evaluation.longcontext.perplexity import Perplexity
from infinidoc.evaluation.longcontext.prose import Prose
from infinidoc.evaluation.longcontext.published import Published
from infinidoc.evaluation.longcontext.reader import Reader
from infinidoc.evaluation.longcontext.streamed import Streamed
from infinidoc.evaluation.results import Result
from infinidoc.model import adapters
from infinidoc.model.adapters import Adapter
from infinidoc.model.base import BaseModel
from infinidoc.model.loading import load
from infinidoc.model.slots import KEEP


@dataclass(frozen=True)
class Bench:
    """What the benchmarks of a loaded model have in common. Each method runs one, or goes on with it, and returns
    {"rows": […], "benchmark", "model", "adapter", "kernel", "version", "samples", "seed", …, "published", …}.

    With `slots`, memories of so many slots, kept by `keep`, are measured: beside the sum, or, where something is
    hidden, in its place, in rows with a further column "slots". With an adapter whose kernel isn't additive they raise
    InfinidocError, and so do those that need prose if there is too little of it.
    """

    base: BaseModel
    adapter: Adapter | None
    lengths: Sequence[int]
    samples: int = 20
    seed: int = 0
    notify: Callable[[BenchProgress], None] = lambda progress: None
    slots: Sequence[int] = ()
    keep: Sequence[str] = KEEP

    def passkey(self) -> Result:
        """Five digits in repeated filler. Rows {"length", "depth", "accuracy", "n"}."""
        return self._hidden("passkey", filler(self.base.encode), passkey_groups(), published.PASSKEY)

    def needle(self, text: Prose) -> Result:
        """A fact in real prose. Rows {"length", "depth", "accuracy", "n"}."""
        prose.require(text, self.lengths)
        return self._hidden("needle", text.tokens, needle_groups(), published.NEEDLE, prose=_about(text))

    def babi(self, text: Prose) -> Result:
        """bAbI QA1 to QA5, the facts scattered in real prose. Rows {"length", "task", "accuracy", "n"}."""
        prose.require(text, self.lengths)
        return self._hidden("babi", text.tokens, babi_groups(), published.BABI, prose=_about(text))

    def perplexity(self, text: Prose) -> Result:
        """The loss of segments of long documents, after so much of them was read. Rows: see `Perplexity.run`."""
        began, settings = time.perf_counter(), self._settings("perplexity", prose=_about(text))
        ledger = Ledger(settings)
        options = self.notify, self.slots, self.keep, self._with_slots()
        run = Perplexity(Reader(self.base), text, self.samples, self.seed, ledger, *options)
        return _result(run.run(self.lengths), settings, began, run.progress, published.PERPLEXITY)

    def _settings(self, benchmark: str, **more: Any) -> dict[str, Any]:
        if self.slots:
            more |= {"slots": list(self.slots), "keep": list(self.keep)}
            if self.adapter and adapters.SLOTS in self.adapter.card.parts:
                more["slots_part"] = adapters.digest(self.adapter.card, adapters.SLOTS_FILE)
        return results.identity(benchmark, self.base, self.adapter, samples=self.samples, seed=self.seed, **more)

    def _with_slots(self) -> BaseModel:
        """The model that slots are read with: another one where the adapter has a part for them."""
        if not self.slots or not self.adapter or adapters.SLOTS not in self.adapter.card.parts:
            return self.base
        return load(self.base.name, self.adapter.card.reference, self.base.precision, slots=True)[0]

    def _hidden(
        self,
        benchmark: str,
        tokens: Callable[[int, int], list[int]],
        groups: list[Group],
        others: Published,
        **more: Any,
    ) -> Result:
        began, settings = time.perf_counter(), self._settings(benchmark, **more)
        reader, ledger = Reader(self._with_slots()), Ledger(settings)
        run: Hidden
        if self.slots:
            groups = [replace(group, slots=slots) for slots in self.slots for group in groups]
            run = Streamed(reader, tokens, groups, self.samples, self.seed, ledger, self.notify, self.keep)
        else:
            run = Hidden(reader, tokens, groups, self.samples, self.seed, ledger, self.notify)
        rows = list(run.run(self.lengths))
        examples = [row.pop("example") for row in rows]
        return _result(rows, settings, began, run.progress, others) | {"examples": examples}


def memory(model: str | None, adapter: str | None, lengths: Sequence[int]) -> Result:
    """Bytes kept, by formulas. Rows {"length", "system", "numbers", "bytes"}; "paper" recomputes the paper's 114 times.

    Raises InfinidocError for a model or an adapter that isn't here.
    """
    shape, own, settings = footprint.of(model, adapter)
    paper = {"paper": footprint.paper_check(), "published": published.MEMORY}
    return {"rows": footprint.rows(shape, own, lengths), **settings, **paper, **results.surroundings()}


def _result(
    rows: list[dict[str, Any]], settings: dict[str, Any], began: float, progress: BenchProgress, others: Published
) -> Result:
    spent = {"seconds": round(time.perf_counter() - began, 1), "tokens_read": progress.read}  # in this run
    return {"rows": rows, **settings, **spent, "published": others, **results.surroundings()}


def _about(text: Prose) -> dict[str, Any]:
    return {"documents": len(text.names), "tokens": len(text), "digest": text.digest}
