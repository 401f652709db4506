"""Many-shot learning, measured: what memory, recall and both make of examples, beside what people use today."""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.baselines import retrieval
from infinidoc.errors import InfinidocError
from infinidoc.evaluation import results
from infinidoc.evaluation.intents import Dataset, Texts
from infinidoc.manyshot.compressive import LabelMemory
from infinidoc.manyshot.labels import Prediction, fit
from infinidoc.manyshot.learning import LearningProgress
from infinidoc.manyshot.ridge import similarities
from infinidoc.manyshot.task import Task

SIZES = (1, 10, 50, 100, 500, 1_000)
NEAREST = 10  # examples that vote
Notify = Callable[[str, int, int], None]

PUBLISHED = {
    "source": "Bertsch et al. 2024, In-Context Learning with Long-Context Models (arXiv 2405.00200)",
    "note": "Llama-2-7B with 80K tokens of examples in its window; accuracy, %",
    "columns": ["dataset", "1,500 random examples", "retrieved examples"],
    "rows": [["Banking77", "88.1", "93.2"], ["CLINC150", "", "93.8"]],
}


def measure(
    datasets: Sequence[Dataset],
    sizes: Sequence[int] = SIZES,
    rag: bool = False,
    model: str | None = None,
    notify: Notify = lambda what, done, total: None,
) -> dict[str, Any]:
    """Learns each data set and predicts its test. Returns the benchmark's result: for each, a row per system, how texts
    outside of the task are told apart, and accuracy by number of examples (the first of one random order).

    `rag` adds the systems that need the extra, and raises InfinidocError without it. Rates are examples and texts per
    second, keys included.
    """
    if rag:
        retrieval.require()
    return {
        "benchmark": "manyshot",
        "version": version("infinidoc"),
        "tasks": [_measure(dataset, sizes, rag, model, notify) for dataset in datasets],
        "published": PUBLISHED,
        "surroundings": results.surroundings(),
    }


def _measure(dataset: Dataset, sizes: Sequence[int], rag: bool, model: str | None, notify: Notify) -> dict[str, Any]:
    train, test, outside = dataset.train, dataset.test, dataset.outside
    train = train.part([place for place, label in enumerate(train.labels) if label != outside])
    strangers = test.part([place for place, label in enumerate(test.labels) if label == outside])
    test = test.part([place for place, label in enumerate(test.labels) if label != outside])
    with tempfile.TemporaryDirectory() as directory, Task("bench", model, Path(directory) / "task") as task:
        task.load()
        began = time.perf_counter()

        def learning(progress: LearningProgress) -> None:
            notify(f"{dataset.name}: learning", progress.added, len(train.inputs))

        task.add(zip(train.inputs, train.labels, strict=True), "labels", learning)
        learnt = time.perf_counter() - began
        began = time.perf_counter()

        def predicting(done: int) -> None:
            notify(f"{dataset.name}: predicting", done, len(test.inputs))

        found = cast(list[Prediction], task.predict(test.inputs, notify=predicting))
        predicted = time.perf_counter() - began
        held = cast(list[Prediction], task.predict(strangers.inputs))
        right = [one.label == label for one, label in zip(found, test.labels, strict=True)]
        both = {"system": "memory and recall (predict)", "accuracy": _share(right)}
        both |= {"learnt_per_second": len(train.inputs) / learnt, "texts_per_second": len(test.inputs) / predicted}
        scope = _scope([one.in_scope for one in found], right, [one.in_scope for one in held])
        learnt_labels = [example.output for example in task.examples()]
        keys = Keyed(task.store.keys().float(), learnt_labels, task.keys(test.inputs), test.labels)
        base = task.load()
    everything = list(range(len(keys.labels)))
    memory = {"system": "compressive memory alone", "accuracy": keys.memory(everything)}
    recall = {"system": f"recall alone: the {NEAREST} nearest vote", "accuracy": keys.recall(everything)}
    if rag:
        notify(f"{dataset.name}: other systems", 0, 0)
    rows = [memory, recall, both, *(others(train, test) if rag else [])]
    random.Random(0).shuffle(everything)
    curve = []
    for size in sorted({size for size in sizes if size < len(everything)}):
        notify(f"{dataset.name}: curve", size, len(everything))
        some = everything[:size]
        curve.append(
            {"examples": size, "memory": keys.memory(some), "recall": keys.recall(some), "both": keys.both(some)}
        )
    ends = {"memory": memory["accuracy"], "recall": recall["accuracy"], "both": both["accuracy"]}
    return {
        "name": dataset.name,
        "model": {"name": base.name, "digest": base.digest, "precision": base.precision},
        "examples": len(train.inputs),
        "labels": len(set(train.labels)),
        "texts": len(test.inputs),
        "rows": rows,
        "scope": scope if strangers.inputs else None,
        "curve": [*curve, {"examples": len(everything), **ends}],
    }


def _scope(passed: Sequence[bool], right: Sequence[bool], strangers: Sequence[bool]) -> dict[str, Any]:
    """How the threshold tells the task's texts from others: `precision` is the share of right labels among the task's
    own texts that pass, `precision_of_all` the share of the task's texts among all that pass."""
    own = [was for was, let in zip(right, passed, strict=True) if let]
    through = len(own) + sum(strangers)
    return {
        "texts_outside": len(strangers),
        "recall_outside": _share([not let for let in strangers]),
        "kept_inside": _share(passed),
        "precision": _share(own),
        "precision_of_all": len(own) / through if through else 0.0,
    }


def _share(of: Sequence[bool]) -> float:
    return sum(of) / len(of) if of else 0.0


@dataclass(frozen=True)
class Keyed:
    """Keys (N, D) and labels of the examples, keys (T, D) and labels of the test: what our own readouts start from."""

    keys: Tensor
    labels: list[str]
    queries: Tensor
    wanted: list[str]

    def memory(self, some: Sequence[int]) -> float:
        """Accuracy of the compressive memory alone."""
        keys, numbers, names = self._chosen(some)
        memory = LabelMemory.empty(keys.shape[1], len(names)).write(keys, F.one_hot(numbers, len(names)).float())
        return self._accuracy(memory.read(self.queries), names)

    def recall(self, some: Sequence[int]) -> float:
        """Accuracy of the nearest examples' vote, by cosine."""
        keys, numbers, names = self._chosen(some)
        return self._accuracy(vote(self.queries @ keys.T, numbers, len(names)), names)

    def both(self, some: Sequence[int]) -> float:
        """Accuracy of what `predict` does."""
        keys, numbers, names = self._chosen(some)
        return self._accuracy(fit(keys, numbers.tolist(), len(names)).scores(similarities(self.queries, keys)), names)

    def _chosen(self, some: Sequence[int]) -> tuple[Tensor, Tensor, list[str]]:
        labels = [self.labels[place] for place in some]
        names = sorted(set(labels))
        return self.keys[list(some)], torch.tensor([names.index(label) for label in labels]), names

    def _accuracy(self, scores: Tensor, names: Sequence[str]) -> float:
        chosen = scores.argmax(-1).tolist()
        return _share([names[number] == label for number, label in zip(chosen, self.wanted, strict=True)])


def vote(similarities: Tensor, labels: Tensor, count: int) -> Tensor:
    """The sum of the nearest examples' similarities (T, N) by label: (T, count)."""
    nearest = similarities.topk(min(NEAREST, similarities.shape[1]))
    scores = torch.zeros(len(similarities), count)
    return scores.scatter_add_(1, labels[nearest.indices], nearest.values.clamp(min=0))


def others(train: Texts, test: Texts) -> list[dict[str, Any]]:
    """What people use today, on the same examples: BM25 and all-MiniLM-L6-v2, whose nearest examples vote, and logistic
    regression on MiniLM's vectors."""
    from sklearn.linear_model import LogisticRegression

    names = sorted(set(train.labels))
    numbers = torch.tensor([names.index(label) for label in train.labels])

    def row(system: str, scores: Tensor, began: float, learnt: float) -> dict[str, Any]:
        done = time.perf_counter()
        right = [names[chosen] == label for chosen, label in zip(scores.argmax(-1).tolist(), test.labels, strict=True)]
        rates = {
            "learnt_per_second": len(train.labels) / (learnt - began),
            "texts_per_second": len(test.labels) / (done - learnt),
        }
        return {"system": system, "accuracy": _share(right), **rates}

    began = time.perf_counter()
    bm25 = retrieval.Bm25.build(train.inputs)
    learnt = time.perf_counter()
    similarities = torch.stack([torch.from_numpy(bm25.scores(text)) for text in test.inputs]).nan_to_num(neginf=0.0)
    rows = [row(f"BM25: the {NEAREST} nearest vote", vote(similarities, numbers, len(names)), began, learnt)]
    embed = retrieval.Embedder()
    began = time.perf_counter()
    vectors = embed(train.inputs)
    learnt = time.perf_counter()
    queries = embed(test.inputs)
    scores = vote(torch.from_numpy(queries @ vectors.T), numbers, len(names))
    rows.append(row(f"MiniLM: the {NEAREST} nearest vote", scores, began, learnt))
    embedded = time.perf_counter() - learnt
    regression = LogisticRegression(C=10, max_iter=1_000).fit(vectors, numbers.numpy())
    learnt = time.perf_counter() - embedded  # embedding the test counts as predicting
    scores = torch.zeros(len(queries), len(names))
    scores[:, regression.classes_] = torch.from_numpy(regression.predict_proba(queries)).float()
    rows.append(row("logistic regression on MiniLM", scores, began, learnt))
    return rows


def draw(directory: Path, result: dict[str, Any]) -> Path:
    """Draws the curves into DIRECTORY/manyshot.png. Raises InfinidocError if matplotlib isn't installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InfinidocError("no plot without matplotlib", "pip install 'infinidoc[bench]'") from error
    tasks = result["tasks"]
    figure = Figure(figsize=(1 + 5.5 * len(tasks), 4.2), layout="constrained")
    names = {"both": "memory and recall", "memory": "compressive memory alone", "recall": "recall alone"}
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        for series, name in names.items():
            points = [(point["examples"], 100 * point[series]) for point in task["curve"]]
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        title = f"{task['name']}: {task['labels']} labels, {task['texts']:,} texts"
        axes.set(xscale="log", xlabel="examples", ylabel="right labels, %", ylim=(0, 100), title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    file = directory / "manyshot.png"
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    return file
