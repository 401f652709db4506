"""The systems of a comparison: each reads documents, and answers questions about them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from infinidoc.documents.discovery import File, discover
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.evaluation.contest.jobs import OURS, RAG, Job
from infinidoc.model import loading

if TYPE_CHECKING:
    from infinidoc.baselines.rag import Method
    from infinidoc.model.base import BaseModel
    from infinidoc.reading.answers import Answer
    from infinidoc.reading.summary import IngestProgress, Summary

RANKED_PASSAGES = 50  # how far a ranking goes
CHARACTERS = 16  # a token has fewer
SPARE = 16  # tokens: a text that is cut and encoded again may have a few more


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
