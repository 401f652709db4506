"""Retrieval-augmented generation beside infinidoc: the same documents, reader, prompt and budget of passage tokens.

What differs is how passages are found, and that nothing stands behind the window: no compressive memory.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self, get_args

from infinidoc.baselines.chunking import CHUNK_TOKENS, DEPTH, OVERLAP_TOKENS, split_into_chunks
from infinidoc.baselines.index import Hit, Index, NewDocument
from infinidoc.baselines.retrieval import Embedder
from infinidoc.documents.discovery import File, Skipped, discover
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.documents.segmentation import PASSAGE_TOKENS
from infinidoc.errors import InfinidocError
from infinidoc.model.base import BaseModel
from infinidoc.reading.answering import refuses
from infinidoc.reading.answers import Answer, Source, display
from infinidoc.reading.collection import MAX_TOKENS, TOP
from infinidoc.reading.phrases import NO_ANSWER
from infinidoc.reading.readers.local import LocalReader
from infinidoc.reading.readers.reader import Piece
from infinidoc.reading.summary import IngestProgress, Summary

Method = Literal["bm25", "dense", "hybrid"]
METHODS: tuple[str, ...] = get_args(Method)

BUDGET_TOKENS = TOP * PASSAGE_TOKENS  # what recall may put into the prompt
BATCH_CHUNKS = 64  # embedded and committed together: at most this much is done again after an interruption
SHORTEST = 16  # tokens: a chunk of which the budget leaves less isn't worth reading


class Rag:
    """A RAG pipeline on the disk: fill it with `ingest`, question it with `ask`.

    `base` is the reader, with infini-attention attached (only its window is used). `embed` serves the methods that need
    vectors; without one they load all-MiniLM-L6-v2. Raises InfinidocError without the extra, or for an index on the
    disk that was made with other settings.
    """

    def __init__(
        self,
        directory: Path,
        base: BaseModel,
        method: Method,
        embed: Embedder | None = None,
        chunk_tokens: int = CHUNK_TOKENS,
        overlap_tokens: int = OVERLAP_TOKENS,
    ):
        self.base, self.chunk_tokens, self.overlap_tokens = base, chunk_tokens, overlap_tokens
        self.embed = None if method == "bm25" else embed or Embedder(device=str(base.device))
        settings = {"model": base.digest, "chunk_tokens": chunk_tokens, "overlap_tokens": overlap_tokens}
        self.index = Index(directory, method != "dense", self.embed, settings)

    def close(self) -> None:
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ingest(
        self, paths: Sequence[str | Path], notify: Callable[[IngestProgress], None] = lambda progress: None
    ) -> Summary:
        """Makes the index hold what `paths` hold now: reads what is new or changed, drops what is gone.

        Raises InfinidocError if a path doesn't exist; a file that can't be read is only reported.
        """
        began = time.perf_counter()
        found = list(discover(paths))
        files = [item for item in found if isinstance(item, File)]
        summary = Summary(skipped=[item for item in found if isinstance(item, Skipped)])
        progress = IngestProgress(files=len(files), bytes_total=sum(file.size for file in files))
        known = self.index.digests()
        gone = sorted(set(known) - {str(file.path) for file in files})
        self.index.remove(gone)
        summary.removed = len(gone)
        batch: list[NewDocument] = []
        for file in files:
            progress.name = file.name
            notify(progress)
            try:
                new = self._parse(file, known)
            except Unreadable as reason:
                summary.skipped.append(Skipped(file.name, str(reason)))
            else:
                if new is None:
                    summary.unchanged += 1
                else:
                    batch.append(new)
                    summary.replaced += new.path in known
                    summary.added += new.path not in known
                    summary.tokens += new.tokens
                    summary.pages += new.document.pages
            if sum(len(new.chunks) for new in batch) >= BATCH_CHUNKS:
                self.index.add(batch)
                batch = []
            progress.files_done += 1
            progress.bytes_done += file.size
            progress.tokens = summary.tokens
            notify(progress)
        self.index.add(batch)
        self.index.finish()
        summary.seconds = time.perf_counter() - began
        summary.collection = self.index.counts()
        return summary

    def _parse(self, file: File, known: dict[str, str]) -> NewDocument | None:
        """None for what is indexed already. Raises Unreadable."""
        data = load(file.path)
        digest = hashlib.sha256(data).hexdigest()
        if known.get(str(file.path)) == digest:
            return None
        document = read_document(file.name, data)
        chunks = split_into_chunks(document, self.base.encode, self.chunk_tokens, self.overlap_tokens)
        if not chunks:
            raise Unreadable("empty")
        return NewDocument(str(file.path), digest, len(self.base.encode(document.text)), document, chunks)

    def search(self, question: str, top: int) -> list[Source]:
        """The best `top` chunks, best first."""
        return [_source(hit) for hit in self.index.search(question, top)]

    def ask(
        self,
        question: str,
        depth: int = DEPTH,
        budget: int = BUDGET_TOKENS,
        max_tokens: int = MAX_TOKENS,
        on_text: Callable[[str], None] = lambda text: None,
    ) -> Answer:
        """Answers from the best `depth` chunks, as many as `budget` tokens hold; the last one may be cut.

        Whether the question can be answered at all is left to the reader. Raises InfinidocError if the index is empty
        or the question doesn't fit the model's window.
        """
        if not self.index.counts()["documents"]:
            raise InfinidocError("this index is empty", "ingest something first")
        began = time.perf_counter()
        timings: dict[str, float] = {}
        sources = self.within(budget, self.search(question, depth))
        timings["recall"] = time.perf_counter() - began

        def emit(text: str) -> None:
            timings.setdefault("first_token", time.perf_counter() - began)
            on_text(text)

        passages = [Piece(source.document, source.place, source.text) for source in sources]
        reader = LocalReader(self.base)
        shown = reader.fits(question, passages, max_tokens)
        text = reader.read(question, passages, max_tokens, emit)
        answered = not refuses(text)
        if not text:
            text = NO_ANSWER
            emit(text)
        timings["total"] = time.perf_counter() - began
        return Answer(question, text, answered, False, sources[:shown], timings)

    def within(self, budget: int, sources: Sequence[Source]) -> list[Source]:
        """The best of the sources, cut to so many tokens together."""
        kept: list[Source] = []
        for source in sources:
            tokens = len(self.base.encode(source.text))
            if tokens > budget:
                text = self._cut(source.text, budget) if budget >= SHORTEST else ""
                if text:
                    kept.append(Source(source.document, source.path, source.place, source.score, text))
                break
            kept.append(source)
            budget -= tokens
        return kept

    def _cut(self, text: str, budget: int) -> str:
        """As many of the text's first words as have at most so many tokens."""
        while len(ids := self.base.encode(text)) > budget:
            shorter = text[: min(len(text) * budget // len(ids), len(text) - 1)]
            text = shorter.rpartition(" ")[0].rstrip()
        return text


def _source(hit: Hit) -> Source:
    return Source(display(hit.path), hit.path, hit.place, round(hit.score, 4), hit.text)
