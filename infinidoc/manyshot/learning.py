"""Examples into a task: streamed in batches, each of which is on the disk before the next is read."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from infinidoc.errors import InfinidocError
from infinidoc.manyshot.store import LABELS, TEXT, TaskIdentity, TaskStore, digest
from infinidoc.manyshot.tables import Row

if TYPE_CHECKING:
    from infinidoc.manyshot.task import Task

BATCH = 1_024  # rows: what is done again after an interruption, and enough to tell what kind of task it is
SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class LearningProgress:
    """How far `learn` has come; `share` of the file is 0 to 1, or None where nobody knows how much there is."""

    rows: int
    added: int
    share: float | None


@dataclass
class Summary:
    """What became of every row, and what the task holds now.

    rows = added + known (in the task before) + repeated (in this file before) + empty (no input, or no output) +
    unreadable, the first of which stand in `problems`. `contradictions` counts inputs with several outputs.
    """

    rows: int = 0
    added: int = 0
    known: int = 0
    repeated: int = 0
    empty: int = 0
    unreadable: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    kind: str = ""
    examples: int = 0
    outputs: int = 0
    contradictions: int = 0


def rows_of_pairs(examples: Iterable[tuple[str, str]]) -> Iterator[Row]:
    for number, (input, output) in enumerate(examples, 1):
        yield Row(number, (input.strip(), output.strip()), None)


def learn(
    task: "Task",
    rows: Iterable[Row],
    columns: tuple[str, str],
    kind: str | None,
    notify: Callable[[LearningProgress], None],
) -> Summary:
    """Adds the rows that are examples and that the task doesn't have yet, then fits the task."""
    began, summary = time.perf_counter(), Summary()
    batches = _batches(_usable(rows, summary))
    first = next(batches, None)
    if first is None:
        raise InfinidocError(f"no examples in {summary.rows:,} rows", "a row needs both an input and an output")
    base = task.load()
    if not TaskStore.exists(task.directory):
        chosen = kind or guess_kind([row.values[1] for row in first])
        TaskStore.create(task.directory, TaskIdentity(base.name, base.digest, *columns, chosen)).close()
    store = task.store
    if kind and kind != store.identity.kind:
        raise InfinidocError(f"the outputs of {task.name} are {store.identity.kind}, not {kind}", "learn another task")
    fresh: set[int] = set()  # the beginnings of the digests that this run added: a few bytes for each
    reached: float | None = 0.0
    with store.writing():
        store.remember_columns(*columns)
        for batch in chain([first], batches):
            new = _new(store, batch, summary, fresh)
            if new:
                inputs = list(dict.fromkeys(input for input, _ in new))
                place = {input: row for row, input in enumerate(inputs)}
                keys = task.keys(inputs, _meanwhile(notify, summary, len(new), reached, batch[-1].done))
                store.add(new, keys[[place[input] for input, _ in new]])
                summary.added += len(new)
            reached = batch[-1].done
            notify(LearningProgress(summary.rows, summary.added, reached))
        store.merge_small_files()
        if store.fitted() is None:
            task.fit()
    summary.kind, summary.examples = store.identity.kind, store.count()
    summary.outputs, summary.contradictions = len(store.outputs()), store.contradictions()
    summary.seconds = time.perf_counter() - began
    return summary


def _meanwhile(
    notify: Callable[[LearningProgress], None], summary: Summary, adding: int, before: float | None, after: float | None
) -> Callable[[float], None]:
    """Tells `notify` how far a batch has come, given the share of its work that is done."""

    def tell(part: float) -> None:
        share = None if before is None or after is None else before + part * (after - before)
        notify(LearningProgress(summary.rows, summary.added + int(part * adding), share))

    return tell


def guess_kind(outputs: Sequence[str]) -> str:
    """ "text" if most outputs stand there once only and have several words, or nearly all of very many do; else
    "labels"."""
    once = len(set(outputs)) / len(outputs)
    words = sum(len(output.split()) for output in outputs) / len(outputs)
    return TEXT if (once > 0.5 and words >= 3) or (once > 0.9 and len(outputs) >= 200) else LABELS


def _usable(rows: Iterable[Row], summary: Summary) -> Iterator[Row]:
    """The rows that have an input and an output; all are counted."""
    for row in rows:
        summary.rows += 1
        if row.problem:
            summary.unreadable += 1
            if len(summary.problems) < SHOWN_PROBLEMS:
                summary.problems.append(f"row {row.number}: {row.problem}")
        elif not all(row.values):
            summary.empty += 1
        else:
            yield row


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _new(store: TaskStore, batch: Sequence[Row], summary: Summary, fresh: set[int]) -> list[tuple[str, str]]:
    """The pairs of a batch that the task doesn't have, each once; the others are counted."""
    digests = [digest(*row.values) for row in batch]
    known = store.known(digests)
    new = []
    for row, name in zip(batch, digests, strict=True):
        number = int(name[:16], 16)
        if number in fresh:
            summary.repeated += 1
        elif name in known:
            summary.known += 1
        else:
            fresh.add(number)
            new.append((row.values[0], row.values[1]))
    return new
