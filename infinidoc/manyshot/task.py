"""A task as people use it: open it, learn examples, predict."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from infinidoc.errors import InfinidocError
from infinidoc.manyshot import DEFAULT_TASK, places
from infinidoc.manyshot.store import LABELS, Example, TaskStore
from infinidoc.manyshot.tables import read
from infinidoc.memory.opened import Opened
from infinidoc.reading.models import Models

if TYPE_CHECKING:  # torch and transformers take seconds to import: only what runs the model does
    from torch import Tensor

    from infinidoc.manyshot.generation import Generated
    from infinidoc.manyshot.keys import Keys
    from infinidoc.manyshot.labels import Classifier, Prediction
    from infinidoc.manyshot.learning import LearningProgress, Summary
    from infinidoc.model.base import BaseModel

TOP = 5
BATCH = 64  # texts that are predicted together
MAX_TOKENS = 64


class Task(Opened[TaskStore]):
    """Examples on the disk, and the model that reads them. The model is loaded when it is first needed.

    >>> task = Task.open("banking")
    >>> task.learn("train.csv", input="text", output="category")
    >>> print(task.predict(["I lost my card"])[0].label)
    """

    def __init__(
        self,
        name: str,
        model: str | None = None,
        directory: Path | None = None,
        models: Models | None = None,
    ):
        self.name, self.directory = name, directory or places.directory(name)
        self._wanted_model = model
        self._models = models or Models()
        self._warm: Warm | None = None

    @classmethod
    def open(
        cls,
        name: str = DEFAULT_TASK,
        model: str | None = None,
        create: bool = True,
        models: Models | None = None,
    ) -> Self:
        """A task by name. `model` names the base model of a new one (`INFINIDOC_MODEL`, else the embedded one).

        With `create` the task is made by the first examples; without it, raises InfinidocError if there is none.
        Tasks that are opened with the same `models` share what they load.
        """
        if not create:
            places.existing(name)
        return cls(name, model, models=models)

    def _open(self) -> TaskStore:
        places.require(self.name, self.directory)
        return TaskStore.open(self.directory)

    @property
    def model(self) -> str:
        """The name of the base model: the one asked for, else the one that the task was learnt with."""
        from infinidoc.model.catalogue import base_name

        return base_name(self._wanted_model, self.store.identity.model if TaskStore.exists(self.directory) else None)

    def load(self) -> "BaseModel":
        """Loads the base model now (pulling it first if need be), rather than at the first need.

        Raises InfinidocError if the task was learnt with another model.
        """
        base = self._models.plain.get(self.model)
        from infinidoc.model.base import load_base
        from infinidoc.model.catalogue import base_digest, ensure

        if base is None:
            ensure(self.model)
        identity = self.store.identity if TaskStore.exists(self.directory) else None
        found = base.digest if base else base_digest(self.model)
        if identity and found != identity.model_digest:
            raise InfinidocError(
                f"the task {self.name} was learnt with the model {identity.model} ({identity.model_digest[:12]}), "
                f"not with {self.model} ({found[:12]})",
                "use that model, or learn another task",
            )
        if base is None:
            base = self._models.plain[self.model] = load_base(self.model)
        return base

    @cached_property
    def keys(self) -> "Keys":
        """What makes keys of texts, with the model, which is loaded for it."""
        from infinidoc.manyshot.keys import Keys

        return Keys(self.load())

    def learn(
        self,
        path: str | Path,
        input: str,
        output: str,
        kind: str | None = None,
        notify: "Callable[[LearningProgress], None]" = lambda reached: None,
    ) -> "Summary":
        """Learns the rows of a CSV, TSV, JSONL or Parquet file: `input` and `output` are columns.

        Examples that the task has already are passed over, so that an interrupted `learn` goes on where it was. `kind`
        is "labels" (outputs from a fixed set) or "text" (generated); by default the first rows tell.
        Raises InfinidocError for a file that isn't there or lacks a column, if no row is an example, or another process
        is writing; rows that can't be used are counted in the summary.
        """
        from infinidoc.manyshot.learning import learn

        return learn(self, read(Path(path), (input, output)), (input, output), kind, notify)

    def add(
        self,
        examples: Iterable[tuple[str, str]],
        kind: str | None = None,
        notify: "Callable[[LearningProgress], None]" = lambda reached: None,
    ) -> "Summary":
        """Learns (input, output) pairs, as `learn` does those of a file."""
        from infinidoc.manyshot.learning import learn, rows_of_pairs

        return learn(self, rows_of_pairs(examples), ("input", "output"), kind, notify)

    def remove(self, examples: Sequence[Example]) -> None:
        """Takes examples out: afterwards the task is as if they had never been learnt."""
        if examples:
            with self.store.writing() as store:
                store.remove([example.id for example in examples])
                self.fit()

    def examples(self) -> list[Example]:
        """All examples."""
        return self.store.examples()

    def find(self, wanted: str) -> list[Example]:
        """The examples with this input, or the one with this number. Raises InfinidocError if there is none."""
        found = self.store.examples(wanted)
        if not found and wanted.isdecimal() and (example := self.store.example(int(wanted))):
            found = [example]
        if not found:
            raise InfinidocError(f"no example {wanted!r} in {self.name}", "give its whole text or its number")
        return found

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the task."""
        outputs = self.store.outputs()
        identity = self.store.identity
        return {
            "name": self.name,
            "directory": str(self.directory),
            "kind": identity.kind,
            "examples": self.store.count(),
            "outputs": len(outputs),
            "contradictions": self.store.contradictions(),
            "input": identity.input,
            "output": identity.output,
            "bytes": self.store.nbytes(),
            "model": identity.model,
            "model_digest": identity.model_digest,
        }

    def predict(
        self,
        texts: str | Sequence[str],
        top: int = TOP,
        max_tokens: int = MAX_TOKENS,
        notify: Callable[[int], None] = lambda done: None,
    ) -> "list[Prediction] | list[Generated]":
        """A prediction per text, in order: a `Prediction` with a label, or `Generated` text, as the task is.

        One text is taken for a list of one. `top` is how many examples are named as having decided it, or shown to the
        model that generates. An empty text gets an empty prediction. Raises InfinidocError for a task without examples.
        """
        from infinidoc.manyshot.generation import Generated, generate
        from infinidoc.manyshot.labels import Prediction

        texts = [texts] if isinstance(texts, str) else texts
        warm = self._warmed()
        if not warm.examples:
            raise InfinidocError(f"the task {self.name} has no examples", "learn some: infinidoc learn FILE")
        done: list[Any] = []
        for first in range(0, len(texts), BATCH):
            batch = texts[first : first + BATCH]
            full = [text for text in batch if text.strip()]
            found: Iterator[Any] = iter(())
            if full and warm.readout is None:
                found = generate(self.load(), full, warm.nearest(self.keys(full), top), max_tokens)
            elif full:
                found = iter(warm.predict(full, self.keys(full), top))
            empty = Generated if warm.readout is None else Prediction
            for text in batch:
                done.append(next(found) if text.strip() else empty(text))
                notify(len(done))
        return done

    def fit(self) -> None:
        """Fits the examples as they are now, and keeps the result. Belongs inside the store's `writing()`."""
        warm = Warm.read(self.store)
        if warm.readout is not None:
            self.store.keep_fitted(warm.readout.tensors(), warm.revision)
        self._warm = warm

    def _warmed(self) -> "Warm":
        """Examples, keys and what was fitted to them, read again only when the task has changed."""
        if self._warm is None or self._warm.revision != self.store.revision:
            if self.store.count() and self.store.identity.kind == LABELS and self.store.fitted() is None:
                # A `learn` was interrupted; or somebody is still at it, and will keep the result.
                with suppress(InfinidocError), self.store.writing():
                    self.fit()
            self._warm = Warm.read(self.store)
        return self._warm


@dataclass(frozen=True)
class Warm:
    """What predicting keeps between texts, as of one revision of the task: examples, their keys (N, D), and for labels
    their names and the readout."""

    revision: int
    examples: list[Example]
    keys: "Tensor"
    labels: list[str]
    readout: "Classifier | None"

    @classmethod
    def read(cls, store: TaskStore) -> "Warm":
        """Fits anew what wasn't kept for this revision."""
        from infinidoc.manyshot.labels import Classifier, fit

        while True:
            revision, examples, keys, fitted = store.revision, store.examples(), store.keys(), store.fitted()
            labels = sorted(store.outputs()) if store.identity.kind == LABELS else []
            if revision == store.revision:  # nobody has written meanwhile
                break
        readout = None
        if fitted:
            readout = Classifier.from_tensors(fitted)
        elif labels:
            number = {label: index for index, label in enumerate(labels)}
            readout = fit(keys, [number[example.output] for example in examples], len(labels))
        return cls(revision, examples, keys, labels, readout)

    def predict(self, texts: Sequence[str], queries: "Tensor", top: int) -> "list[Prediction]":
        """A label for each text, whose keys `queries` (B, D) are."""
        from infinidoc.manyshot.labels import Deciding, Prediction
        from infinidoc.manyshot.ridge import similarities

        assert self.readout is not None
        similar = similarities(queries, self.keys)
        scores = self.readout.scores(similar)
        probabilities, chosen = self.readout.probabilities(scores).max(-1)
        passed = scores.max(-1).values >= self.readout.threshold
        found = []
        for row, text in enumerate(texts):
            label = int(chosen[row])
            decided = zip(*self.readout.decided(similar[row], label, top), strict=True)
            examples = [
                Deciding(self.examples[place].input, self.examples[place].output, round(weight, 4))
                for place, weight in decided
            ]
            probability = round(float(probabilities[row]), 4)
            found.append(Prediction(text, self.labels[label], probability, bool(passed[row]), examples))
        return found

    def nearest(self, queries: "Tensor", top: int) -> list[list[Example]]:
        """The examples with the nearest inputs to each query (B, D), nearest first."""
        similarities = queries @ self.keys.float().T
        rows = similarities.topk(min(top, len(self.keys))).indices.tolist()
        return [[self.examples[place] for place in row] for row in rows]
