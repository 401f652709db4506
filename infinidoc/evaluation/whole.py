"""Questions about whole documents: what is it worth to have read all of one?

Data are two files of JSON Lines, perhaps xz-compressed: DIR/SET.jsonl with `question`, `answers`, `doc`, and `context`
(empty where the question is about all of the document); DIR/documents/SET.jsonl with `id` and `text`. The systems have
the same reader, and know which document is asked about:
- "truncated to N" has the document's first tokens in its window, as many as fit into N beside an answer;
- "recall" has the passages that the question recalls, as `ask --long`;
- "whole" is `ask --whole`; "whole, no memory" the same with an empty memory, which shows what that is worth where it is
  used: for questions that ask for the main points;
- "first words" and "recalled words" have no reader: as many words as "whole" says, of the document, or of the passages
  that are recalled. Long answers overlap more by themselves.
"""

import json
import lzma
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import takewhile, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.evaluation import metrics, results
from infinidoc.evaluation.contest.systems import beginning
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext.hidden import BenchProgress
from infinidoc.evaluation.results import Result
from infinidoc.memory.places import Place
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.loading import merged
from infinidoc.model.prompts import EXPLANATION, Titled
from infinidoc.model.slots import KEEP
from infinidoc.reading.answering import fitting_prompt, refuses, titled
from infinidoc.reading.answers import Source
from infinidoc.reading.collection import Collection
from infinidoc.reading.scope import Scope
from infinidoc.reading.through import SLOTS
from infinidoc.reading.whole_documents import MAX_TOKENS, TOP, WholeDocuments, plain, told

RECALL, WHOLE, NO_MEMORY, START, RECALLED = "recall", "whole", "whole, no memory", "first words", "recalled words"
BY_LENGTH = (START, RECALLED)
MEASURES = ("rouge_l", "f1")


@dataclass(frozen=True)
class Asked:
    """A document, and what is asked of it: questions, each with its right answers."""

    set: str
    name: str
    text: str
    questions: list[tuple[str, tuple[str, ...]]]


def read_set(directory: Path, name: str, documents: int, questions: int, seed: int) -> list[Asked]:
    """So many documents of a set, at random, each with its first so many questions about all of it.

    Raises InfinidocError for a set that isn't there, or has no such questions.
    """
    asked = defaultdict(list)
    for row in _rows(directory, name):
        if not row.get("context") and row["answers"]:
            asked[row["doc"]].append((row["question"], tuple(row["answers"])))
    texts = {row["id"]: row["text"] for row in _rows(directory / "documents", name) if row["id"] in asked}
    if not texts:
        raise InfinidocError(f"{name} in {directory} asks nothing about whole documents", "see docs/how-to/whole.md")
    chosen = random.Random(seed).sample(sorted(texts), len(texts))[:documents]  # more of them begin with the same
    return [Asked(name, one, texts[one], asked[one][:questions]) for one in chosen]


def _rows(directory: Path, name: str) -> list[dict[str, Any]]:
    for file, opened in ((directory / f"{name}.jsonl.xz", lzma.open), (directory / f"{name}.jsonl", open)):
        if file.is_file():
            try:
                with opened(file, "rt", encoding="utf-8") as lines:
                    return [json.loads(line) for line in lines]
            except (lzma.LZMAError, ValueError) as error:
                raise InfinidocError(f"{file} can't be read ({error})") from error
    raise InfinidocError(f"no {name}.jsonl in {directory}", "give the directory with --data")


@dataclass
class WholeBench:
    """A run of the benchmark: `documents` of each set, up to `questions` of each; truncated to each of `windows`."""

    data: Path
    sets: Sequence[str]
    documents: int = 10
    questions: int = 3
    windows: Sequence[int] = (2_048,)
    seed: int = 0
    model: str | None = None
    adapter: str | None = None
    notify: Callable[[BenchProgress], None] = lambda progress: None
    progress: BenchProgress = field(default_factory=BenchProgress, init=False)

    def run(self) -> Result:
        """{"rows": a row per set and system, "pairs": whole against the others, …}. Goes on where it was interrupted.

        Raises InfinidocError for data that isn't there, or without rouge-score.
        """
        rouge_l("", ("",))
        sets = [read_set(self.data, name, self.documents, self.questions, self.seed) for name in self.sets]
        # In turn, so that of what is interrupted there is something of each.
        asked = [one for those in zip_longest(*sets) for one in those if one]
        began = time.perf_counter()
        with TemporaryDirectory(prefix="infinidoc-") as directory:
            place = Place("bench", Path(directory) / "collection")
            with Collection(place, self.model, self.adapter) as collection:
                base = collection.load()
                measured = {"reader": merged(base), "slots": SLOTS, "keep": list(KEEP)}
                settings = results.identity("whole", base, None, **measured)
                ledger = Ledger(settings)  # of more documents, questions or windows only what is new is asked
                self.progress.total = sum(len(one.questions) for one in asked)
                for number, one in enumerate(asked):
                    self._answer(collection, Path(directory) / f"{number}.txt", one, ledger)
                rows, pairs = self._summary(asked, ledger)
        spent = {"seconds": round(time.perf_counter() - began, 1)}
        firsts = [(one, one.questions[0][0]) for one in asked]
        examples = [
            {"question": question}
            | {system: ledger.get(_key(one, question, system))["answer"] for system in self.systems}
            for one, question in firsts
        ]
        size = {"sets": list(self.sets), "samples": self.documents, "questions": self.questions, "seed": self.seed}
        more = {**size, "rows": rows, "pairs": pairs, "examples": examples}
        return {**settings, **more, **spent, **results.surroundings()}

    def _answer(self, collection: Collection, file: Path, one: Asked, ledger: Ledger) -> None:
        """Answers of all systems to the questions of a document, where there are none yet."""
        todo = [asked for asked in one.questions if any(ledger.get(key) is None for key in self._keys(one, asked[0]))]
        self.progress.done += len(one.questions) - len(todo)
        self.progress.name = one.name
        self.notify(self.progress)
        if not todo:
            return
        file.write_text(one.text, encoding="utf-8")
        collection.ingest([file])
        systems = self._systems(collection, str(file), one.text)
        for question, answers in todo:
            for system, key in zip(self.systems, self._keys(one, question), strict=True):
                if ledger.get(key) is None:
                    began = time.perf_counter()
                    if system in BY_LENGTH:
                        words = len(ledger.get(_key(one, question, WHOLE))["answer"].split())
                        said = " ".join(systems[system](question).split()[:words])
                    else:
                        said = systems[system](question)
                    seconds = time.perf_counter() - began
                    scores = {"rouge_l": rouge_l(said, answers), "f1": 100 * metrics.f1(said, answers)}
                    ledger.put(key, {"answer": said, "seconds": seconds, **scores})
            self.progress.done += 1
            self.progress.read += 1
            self.notify(self.progress)

    @property
    def systems(self) -> list[str]:
        return [*(truncated(window) for window in self.windows), RECALL, WHOLE, NO_MEMORY, *BY_LENGTH]

    def _keys(self, one: Asked, question: str) -> list[str]:
        return [_key(one, question, system) for system in self.systems]

    def _systems(self, collection: Collection, path: str, text: str) -> dict[str, Callable[[str], str]]:
        """What each says to a question about a document."""
        whole, forgetful = (WholeDocuments(collection, [path]) for _ in range(2))
        base = whole.base
        forgetful.memory = CompressiveMemory(base.model).read_only()

        def recalled(question: str) -> list[Source]:
            return collection.search(question, TOP, Scope(within=(path,)))

        def recall(question: str) -> str:
            found = [(titled(one.document, one.place), one.text) for one in recalled(question)]
            return _read(base, _prompt(base, question, found))

        return {
            **{truncated(window): Truncated(base, text, window).ask for window in self.windows},
            RECALL: recall,
            WHOLE: partial(_ask, whole),
            NO_MEMORY: partial(_ask, forgetful),
            START: lambda question: text,
            RECALLED: lambda question: " ".join(one.text for one in recalled(question)),
        }

    def _summary(self, asked: Sequence[Asked], ledger: Ledger) -> tuple[list[Any], list[Any]]:
        """Means over documents: the questions of one are not independent. Differences are of the same documents."""
        rows, pairs = [], []
        for name in self.sets:
            those = [one for one in asked if one.set == name]
            given = {
                system: [[ledger.get(_key(one, question, system)) for question, _ in one.questions] for one in those]
                for system in self.systems
            }
            means = {
                system: {m: [_mean([one[m] for one in answers]) for answers in documents] for m in MEASURES}
                for system, documents in given.items()
            }
            for system in self.systems:
                answers = [one for document in given[system] for one in document]
                row: dict[str, Any] = {"set": name, "system": system, "documents": len(those)}
                row["questions"] = len(answers)
                for measure in MEASURES:
                    row[measure] = _mean(means[system][measure])
                    row[f"{measure}_interval"] = metrics.interval(means[system][measure], self.seed)
                row["words"] = _mean([len(one["answer"].split()) for one in answers])
                row["seconds"] = _mean([one["seconds"] for one in answers])
                rows.append(row)
            for other in self.systems:
                if other != WHOLE:
                    for measure in MEASURES:
                        pair = metrics.paired(means[WHOLE][measure], means[other][measure], self.seed)
                        pairs.append({"set": name, "second": other, "measure": measure, **vars(pair)})
        return rows, pairs


class Truncated:
    """A document's first tokens in a window. What stood there for the last question, too, is not read anew."""

    def __init__(self, base: BaseModel, text: str, window: int):
        self.base, self.text, self.window = base, text, window
        self._ids: list[int] = []
        self._memory = CompressiveMemory(base.model).read_only()

    def ask(self, question: str) -> str:
        shown = beginning(self.base, question, [self.text], MAX_TOKENS, self.window, EXPLANATION)
        ids = _prompt(self.base, question, [("", shown)])
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(self._ids, ids[:-1], strict=False))
        known = sum(1 for _ in alike)
        self._ids = ids
        self._memory = self._memory.begin(known) if known else CompressiveMemory(self.base.model).read_only()
        return _read(self.base, ids[known:], self._memory)


def _ask(documents: WholeDocuments, question: str) -> str:
    answer = documents.ask(question)
    return plain(answer.text) if answer.answered else ""


def _prompt(base: BaseModel, question: str, shown: Sequence[Titled]) -> list[int]:
    return fitting_prompt(base, question, shown, MAX_TOKENS, EXPLANATION)[0]


def _read(base: BaseModel, ids: list[int], memory: CompressiveMemory | None = None) -> str:
    """What the reader says; nothing, where it refuses."""
    answer = told(base, ids, MAX_TOKENS, lambda text: None, memory)
    return "" if refuses(answer) else answer


def truncated(window: int) -> str:
    return f"truncated to {window:,}"


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """ROUGE-L (F, percent, with stemming) of the official measure's port in Python, rouge-score; the best of several
    right answers. Raises InfinidocError if that isn't installed."""
    return 100 * max(_scorer().score(gold, answer)["rougeL"].fmeasure for gold in golds)


@cache
def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise InfinidocError("no ROUGE without rouge-score", "pip install 'infinidoc[bench]'") from error
    return RougeScorer(["rougeL"], use_stemmer=True)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _key(one: Asked, question: str, system: str) -> str:
    return f"{one.name}: {question}: {system}"
