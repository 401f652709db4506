"""Questions about whole documents: what is it worth to have read all of one?

Data are two files of JSON Lines, perhaps xz-compressed: DIR/SET.jsonl with `question`, `answers`, `doc`, and `context`
(empty where the question is about all of the document); DIR/documents/SET.jsonl with `id` and `text`. The systems have
the same reader, and know which document is asked about:
- "truncated" has so much of the document's start in its window as fits;
- "recall" has the passages that the question recalls, as `ask --long`;
- "whole" is `ask --whole`; "whole, no memory" the same with an empty memory, which shows what that is worth where it is
  used: for questions that ask for the main points;
- "start" has no reader: as many of the document's first words as "whole" says. Long answers overlap more by themselves.
"""

import json
import lzma
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.evaluation import metrics, results
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext.hidden import BenchProgress
from infinidoc.evaluation.results import Result
from infinidoc.memory.places import Place
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.loading import merged
from infinidoc.model.prompts import EXPLANATION
from infinidoc.reading.answering import fitting_prompt, refuses, titled
from infinidoc.reading.collection import Collection
from infinidoc.reading.scope import Scope
from infinidoc.reading.through import KEEP, SLOTS
from infinidoc.reading.whole_documents import MAX_TOKENS, TOP, WholeDocuments, plain, told

WHOLE, TRUNCATED, RECALL, NO_MEMORY, START = "whole", "truncated", "recall", "whole, no memory", "start"
SYSTEMS = (TRUNCATED, RECALL, WHOLE, NO_MEMORY, START)
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
    chosen = random.Random(seed).sample(sorted(texts), min(documents, len(texts)))
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
    """A run of the benchmark: `documents` of each set, up to `questions` of each; truncated to `window` tokens."""

    data: Path
    sets: Sequence[str]
    documents: int = 10
    questions: int = 3
    window: int = 2_048
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
        size = self.documents, self.questions, self.seed
        sets = [read_set(self.data, name, *size) for name in self.sets]
        # In turn, so that of what is interrupted there is something of each.
        asked = [one for those in zip_longest(*sets) for one in those if one]
        began = time.perf_counter()
        with TemporaryDirectory(prefix="infinidoc-") as directory:
            place = Place("bench", Path(directory) / "collection")
            with Collection(place, self.model, self.adapter, memory=False) as collection:
                base = collection.load()
                settings = results.identity("whole", base, None, **self._settings(merged(base)))
                ledger = Ledger(settings)
                self.progress.total = sum(len(one.questions) for one in asked)
                for number, one in enumerate(asked):
                    self._answer(collection, Path(directory) / f"{number}.txt", one, ledger)
                kept = {one.name: [ledger.get(_key(one, question)) for question, _ in one.questions] for one in asked}
        rows, pairs = self._summary(asked, kept)
        spent = {"seconds": round(time.perf_counter() - began, 1)}
        examples = [{"question": one.questions[0][0], **kept[one.name][0]["answers"]} for one in asked]
        more = {"rows": rows, "pairs": pairs, "examples": examples}
        return {**settings, **more, **spent, **results.surroundings()}

    def _settings(self, reader: str) -> dict[str, Any]:
        return {
            "sets": list(self.sets),
            "documents": self.documents,
            "questions": self.questions,
            "window": self.window,
            "reader": reader,
            "slots": SLOTS,
            "keep": list(KEEP),
            "samples": self.documents,
            "seed": self.seed,
        }

    def _answer(self, collection: Collection, file: Path, one: Asked, ledger: Ledger) -> None:
        """Answers of all systems to the questions of a document that have none yet."""
        todo = [asked for asked in one.questions if ledger.get(_key(one, asked[0])) is None]
        self.progress.done += len(one.questions) - len(todo)
        self.progress.name = one.name
        self.notify(self.progress)
        if not todo:
            return
        file.write_text(one.text, encoding="utf-8")
        collection.ingest([file])
        systems = self._systems(WholeDocuments(collection, [str(file)]), str(file), one.text)
        for question, answers in todo:
            said, seconds = {}, {}
            for system, answer in systems.items():
                began = time.perf_counter()
                said[system] = answer(question)
                seconds[system] = time.perf_counter() - began
            said[START] = " ".join(one.text.split()[: len(said[WHOLE].split())])
            scored = {
                system: {"rouge_l": rouge_l(text, answers), "f1": 100 * metrics.f1(text, answers)}
                for system, text in said.items()
            }
            ledger.put(_key(one, question), {"answers": said, "scores": scored, "seconds": seconds})
            self.progress.done += 1
            self.progress.read += 1
            self.notify(self.progress)

    def _systems(self, whole: WholeDocuments, path: str, text: str) -> dict[str, Callable[[str], str]]:
        collection, base, memory = whole.collection, whole.base, whole.memory
        empty = CompressiveMemory(base.model).read_only()
        begin = base.decode(base.encode(text[: self.window * 16])[: self.window - MAX_TOKENS])

        def read(question: str, shown: list[tuple[str, str]]) -> str:
            ids, _ = fitting_prompt(base, question, shown, MAX_TOKENS, EXPLANATION)
            answer = told(base, ids, MAX_TOKENS, lambda text: None)
            return "" if refuses(answer) else answer

        def recalled(question: str) -> str:
            found = collection.search(question, TOP, Scope(within=(path,)))
            return read(question, [(titled(one.document, one.place), one.text) for one in found])

        def with_memory(question: str, behind: CompressiveMemory) -> str:
            whole.memory = behind  # that of another system, a moment ago
            answer = whole.ask(question)
            return plain(answer.text) if answer.answered else ""

        return {
            TRUNCATED: lambda question: read(question, [("", begin)]),
            RECALL: recalled,
            WHOLE: lambda question: with_memory(question, memory),
            NO_MEMORY: lambda question: with_memory(question, empty),
        }

    def _summary(self, asked: Sequence[Asked], kept: dict[str, list[Any]]) -> tuple[list[Any], list[Any]]:
        """Means over documents: the questions of one are not independent. Differences are of the same documents."""
        rows, pairs = [], []
        for name in self.sets:
            those = [kept[one.name] for one in asked if one.set == name]
            means = {
                system: {m: [_mean([a["scores"][system][m] for a in answers]) for answers in those] for m in MEASURES}
                for system in SYSTEMS
            }
            for system in SYSTEMS:
                row: dict[str, Any] = {"set": name, "system": system, "documents": len(those)}
                row["questions"] = sum(map(len, those))
                for measure in MEASURES:
                    row[measure] = _mean(means[system][measure])
                    row[f"{measure}_interval"] = metrics.interval(means[system][measure], self.seed)
                given = [answer for answers in those for answer in answers]
                row["words"] = _mean([len(answer["answers"][system].split()) for answer in given])
                row["seconds"] = _mean([answer["seconds"].get(system, 0.0) for answer in given])
                rows.append(row)
            for other in SYSTEMS:
                if other != WHOLE:
                    for measure in MEASURES:
                        pair = metrics.paired(means[WHOLE][measure], means[other][measure], self.seed)
                        pairs.append({"set": name, "second": other, "measure": measure, **vars(pair)})
        return rows, pairs


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


def _key(one: Asked, question: str) -> str:
    return f"{one.name}: {question}"
