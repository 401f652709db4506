"""The systems of a comparison: each reads the documents and answers the questions in a process of its own.

    python -m infinidoc.evaluation.contest.systems < job.json

A process each, so that the peak memory is the system's own. Progress goes to standard output, a JSON object per line.
Every answer is on the disk before the next question is asked.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from infinidoc.documents.discovery import File, discover
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.errors import InfinidocError
from infinidoc.files import write_json
from infinidoc.model import loading

if TYPE_CHECKING:  # the parent process only describes jobs; torch is for those that do them
    from infinidoc.baselines.rag import Method
    from infinidoc.model.base import BaseModel
    from infinidoc.reading.answers import Answer
    from infinidoc.reading.summary import IngestProgress, Summary

OURS = ("memory", "memory+recall")
RAG = ("rag-bm25", "rag-dense", "rag-hybrid")
WINDOW = ("full-context", "no-context")
LONG = ("whole", "truncated")  # for questions about whole documents; only where they are asked for by name
NAMES = (*OURS, *RAG, *WINDOW, *LONG)
RANKED_PASSAGES, RANKED_DOCUMENTS = 50, 10  # how far a ranking goes, and how many different documents of it are kept
SAVE_SECONDS = 1.0
CHARACTERS = 16  # a token has fewer
SPARE = 16  # tokens: a text that is cut and encoded again may have a few more

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """What a process does: `stage` is "ingest" or "answer"; questions are (id, text)."""

    stage: str
    system: str
    out: str
    paths: list[str]
    model: str
    embedder: str
    questions: list[tuple[str, str]]

    @property
    def ingested(self) -> Path:
        return ingested_file(Path(self.out), self.system)

    @property
    def answers(self) -> Path:
        return Path(self.out) / "answers" / f"{self.system}.jsonl"


def ingested_file(out: Path, system: str) -> Path:
    """What is known of a system's ingest. The two that share a collection share this too."""
    return out / "ingested" / ("collection.json" if system in OURS else f"{system}.json")


class System(Protocol):
    """What the comparison needs of a system.

    `kept` counts the bytes that it keeps, by what they are; `unfit` says why it can't answer these questions; `note`
    says what a reader of its figures should know.
    """

    base: "BaseModel"
    second_model_bytes: int

    def ingest(self, notify: "Callable[[IngestProgress], None]") -> "Summary": ...
    def kept(self) -> dict[str, int]: ...
    def unfit(self, questions: Iterable[str]) -> str | None: ...
    def note(self) -> str | None: ...
    def ask(self, question: str) -> "Answer": ...
    def ranking(self, question: str) -> list[str] | None: ...


class Ours:
    """infinidoc itself: a collection, asked with recall or without."""

    second_model_bytes = 0

    def __init__(self, job: Job):
        from infinidoc.memory.places import Place
        from infinidoc.reading.collection import Collection

        self.paths, self.memory_only = job.paths, job.system == "memory"
        self.collection = Collection(
            Place("comparison", Path(job.out) / "collection"), job.model, memory=self.memory_only
        )
        self.base = self.collection.load()

    def ingest(self, notify: "Callable[[IngestProgress], None]") -> "Summary":
        return self.collection.ingest(self.paths, notify=notify)

    def kept(self) -> dict[str, int]:
        counts = self.collection.store.counts()
        return {part: counts[f"{part}_bytes"] for part in ("state", "address", "text")}

    def unfit(self, questions: Iterable[str]) -> str | None:
        return None

    def note(self) -> str | None:
        return "no adapter opens the gates: the memory is not read" if self.collection.gates_are_closed() else None

    def ask(self, question: str) -> "Answer":
        return self.collection.ask(question, memory_only=self.memory_only)

    def ranking(self, question: str) -> list[str] | None:
        if self.memory_only:
            return None
        return [source.path for source in self.collection.search(question, RANKED_PASSAGES)]


class Whole(Ours):
    """Each document read from start to end; asked is the one that a question recalls first."""

    def ingest(self, notify: "Callable[[IngestProgress], None]") -> "Summary":
        from infinidoc.reading.through import read_documents

        summary, began = super().ingest(notify), time.perf_counter()
        for document in filter(lambda document: document.tokens, self.collection.documents()):
            read_documents(self.collection.store, self.base, [document])
        return replace(summary, seconds=summary.seconds + time.perf_counter() - began)

    def kept(self) -> dict[str, int]:
        return super().kept() | {"state": self.collection.store.memory_bytes()}

    def note(self) -> str | None:
        return "answers in sentences, from the document that is recalled first"

    def ask(self, question: str) -> "Answer":
        from infinidoc.reading.whole_documents import WholeDocuments

        first, *_ = self.collection.search(question, 1)
        return WholeDocuments(self.collection, [first.path]).ask(question)


class Pipeline:
    """RAG, by one of its methods."""

    def __init__(self, job: Job):
        from infinidoc.baselines.rag import Rag
        from infinidoc.baselines.retrieval import Embedder

        self.paths = job.paths
        self.base, _ = loading.load(job.model, to_read=True)
        method = cast("Method", job.system.removeprefix("rag-"))
        embed = None if method == "bm25" else Embedder(job.embedder, str(self.base.device))
        self.second_model_bytes = embed.nbytes if embed else 0
        self.rag = Rag(Path(job.out) / "indexes" / method, self.base, method, embed)

    def ingest(self, notify: "Callable[[IngestProgress], None]") -> "Summary":
        return self.rag.ingest(self.paths, notify)

    def kept(self) -> dict[str, int]:
        return {"index": self.rag.index.nbytes()}

    def unfit(self, questions: Iterable[str]) -> str | None:
        return None

    def note(self) -> str | None:
        return "nothing is refused but by the reader"

    def ask(self, question: str) -> "Answer":
        return self.rag.ask(question)

    def ranking(self, question: str) -> list[str] | None:
        return [source.path for source in self.rag.search(question, RANKED_PASSAGES)]


class Window:
    """The reader alone: with all documents in its window, with as much of them as fits, or with none."""

    second_model_bytes = 0

    def __init__(self, job: Job):
        self.paths, self.full, self.cut = job.paths, job.system == "full-context", job.system == "truncated"
        self.base, _ = loading.load(job.model, to_read=True)
        self._texts: list[str] | None = None

    def ingest(self, notify: "Callable[[IngestProgress], None]") -> "Summary":
        from infinidoc.reading.summary import Summary

        began = time.perf_counter()
        tokens = sum(len(self.base.encode(text)) for text in self.texts)
        return Summary(added=len(self.texts), seconds=time.perf_counter() - began, collection={"tokens": tokens})

    @property
    def texts(self) -> list[str]:
        if self._texts is None:
            self._texts = list(texts(self.paths)) if self.full or self.cut else []
        return self._texts

    def kept(self) -> dict[str, int]:
        return {"text": sum(len(text.encode("utf-8", "surrogatepass")) for text in self.texts)}

    def unfit(self, questions: Iterable[str]) -> str | None:
        from infinidoc.reading.answering import prompt
        from infinidoc.reading.collection import MAX_TOKENS

        window = window_of(self.base)
        longest = max(questions, key=lambda question: len(self.base.encode(question)), default="")
        tokens = len(prompt(self.base, longest, [("", text) for text in self.texts])) + MAX_TOKENS
        return f"{tokens:,} tokens don't fit its window of {window:,}" if self.full and tokens > window else None

    def note(self) -> str | None:
        if self.cut:
            return "the documents' beginning, as much as fits, is read anew for every question"
        return "everything is read anew for every question" if self.full else None

    def ask(self, question: str) -> "Answer":
        from infinidoc.reading.answering import fitting_prompt, generate, refuses
        from infinidoc.reading.answers import Answer
        from infinidoc.reading.collection import MAX_TOKENS
        from infinidoc.reading.phrases import NO_ANSWER

        began, first = time.perf_counter(), 0.0

        def emit(text: str) -> None:
            nonlocal first
            first = first or time.perf_counter() - began

        # The prompt has the best passage last; documents have no order but their own.
        shown = [beginning(self.base, question, self.texts, MAX_TOKENS)] if self.cut else self.texts
        ids, _ = fitting_prompt(self.base, question, [("", text) for text in shown[::-1]], MAX_TOKENS)
        text = generate(self.base, ids, None, MAX_TOKENS, emit)
        total = time.perf_counter() - began
        timings = {"recall": 0.0, "first_token": first or total, "total": total}
        return Answer(question, text or NO_ANSWER, not refuses(text), False, [], timings)

    def ranking(self, question: str) -> list[str] | None:
        return None


def window_of(base: "BaseModel") -> int:
    """How many tokens a model was made for at once."""
    return int(base.model.config.get_text_config(decoder=True).max_position_embeddings)


def beginning(
    base: "BaseModel", question: str, texts: Iterable[str], max_tokens: int, window: int | None = None, style: str = ""
) -> str:
    """What of texts, in their order, fits a window (default: the model's own) with a question and its answer."""
    from infinidoc.model.prompts import ANSWER
    from infinidoc.reading.answering import prompt

    asked = len(prompt(base, question, [("", "x")], style or ANSWER))
    room = (window or window_of(base)) - max_tokens - asked - SPARE
    ids: list[int] = []
    for text in texts:
        ids += base.encode(text[: room * CHARACTERS] + "\n\n")
        if len(ids) >= room:
            break
    return base.decode(ids[:room])


def texts(paths: list[str]) -> Iterable[str]:
    for item in discover(paths):
        if isinstance(item, File):
            try:
                yield read_document(item.name, load(item.path)).text
            except Unreadable:  # the systems that keep something report these
                continue


def system(job: Job) -> System:
    if job.system == "whole":
        return Whole(job)
    if job.system in OURS:
        return Ours(job)
    return Pipeline(job) if job.system in RAG else Window(job)


def work(job: Job, emit: Emit) -> None:
    """Does a job, going on where an earlier attempt stopped."""
    (ingest if job.stage == "ingest" else answer)(job, system(job), emit)


def ingest(job: Job, chosen: System, emit: Emit) -> None:
    """Reads the documents, and notes what that cost; the seconds of attempts that were cut short count too."""
    import torch

    job.ingested.parent.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(job.ingested.read_text())["seconds"] if job.ingested.exists() else 0.0
    began = saved = time.perf_counter()

    def notify(progress: "IngestProgress") -> None:
        nonlocal saved
        done = {"done": progress.bytes_done, "total": progress.bytes_total, "tokens": progress.tokens}
        emit({**done, "name": progress.name})
        if time.perf_counter() - saved > SAVE_SECONDS:
            saved = time.perf_counter()
            write_json(job.ingested, {"seconds": earlier + saved - began, "whole": False})

    summary = chosen.ingest(notify)
    facts = {
        "whole": True,
        "seconds": earlier + summary.seconds,
        "tokens": summary.collection["tokens"],
        "skipped": [asdict(skipped) for skipped in summary.skipped],
        "kept": chosen.kept(),
        "second_model_bytes": chosen.second_model_bytes,
        "peak_bytes": peak_memory(),
        "note": chosen.note(),
        "device": str(chosen.base.device),
        "dtype": str(chosen.base.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }
    write_json(job.ingested, facts)


def answer(job: Job, chosen: System, emit: Emit) -> None:
    """Answers the questions that have no answer on the disk yet."""
    from infinidoc.reading.answering import generate, prompt

    job.answers.parent.mkdir(parents=True, exist_ok=True)
    known = {record["id"] for record in read_records(job.answers)}
    missing = [(identifier, text) for identifier, text in job.questions if identifier not in known]
    if (reason := chosen.unfit([text for _, text in job.questions])) is not None:
        emit({"unfit": reason})
        return
    if missing:  # what is loaded at the first need would be charged to the first question
        chosen.ranking(missing[0][1])
        generate(chosen.base, prompt(chosen.base, "Ready?", []), None, 2, lambda text: None)
    with open(job.answers, "a", encoding="utf-8") as file:
        for number, (identifier, text) in enumerate(missing):
            emit({"done": len(job.questions) - len(missing) + number, "total": len(job.questions), "name": text})
            given = chosen.ask(text)
            ranking = chosen.ranking(text)
            record = {
                "id": identifier,
                "question": text,
                "answer": given.text,
                "answered": given.answered,
                "ranking": list(dict.fromkeys(ranking))[:RANKED_DOCUMENTS] if ranking is not None else None,
                "read": [
                    {"document": source.document, "place": source.place, "text": source.text}
                    for source in given.sources
                ],
                "timings": given.timings,
                "peak_bytes": peak_memory(),
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    emit({"done": len(job.questions), "total": len(job.questions), "name": ""})


def read_records(file: Path) -> list[dict[str, Any]]:
    """The answers on the disk. A last line that was cut short is cut off."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(file, len(whole))
    return [json.loads(line) for line in whole.splitlines()]


def peak_memory() -> int | None:
    """The most memory (resident bytes) that this process has had, or None on a system that doesn't tell.

    Linux's `ru_maxrss` would begin with that of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main() -> None:
    job = Job(**json.load(sys.stdin))
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print belongs into the log

    def emit(event: dict[str, Any]) -> None:
        events.write(json.dumps(event, ensure_ascii=False) + "\n")
        events.flush()

    try:
        work(job, emit)
    except InfinidocError as error:
        emit({"error": str(error)})
    except (KeyboardInterrupt, BrokenPipeError):  # the parent was interrupted too, or is gone
        sys.exit(130)


if __name__ == "__main__":
    main()
