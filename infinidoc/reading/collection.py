"""A collection as people use it: open it, ingest files, ask questions."""

import os
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import nullcontext
from fnmatch import fnmatch
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Self, TypeVar

from infinidoc.documents.charset import clean
from infinidoc.documents.discovery import File, Skipped, discover
from infinidoc.errors import InfinidocError
from infinidoc.memory.opened import Opened
from infinidoc.memory.places import Place, existing, place, require
from infinidoc.memory.records import Identity, StoredDocument
from infinidoc.memory.store import Store
from infinidoc.reading.answers import Answer, Logged, Source
from infinidoc.reading.listing import Listing, Wanted, counts, list_documents, to_list
from infinidoc.reading.log import log_entry, logged
from infinidoc.reading.making import check, make
from infinidoc.reading.models import Models
from infinidoc.reading.own_model import OwnModel
from infinidoc.reading.readers.choice import OWN, open_reader
from infinidoc.reading.readers.endpoint import Endpoint
from infinidoc.reading.scope import EVERYWHERE, Scope

if TYPE_CHECKING:  # torch and transformers take seconds to import: only what runs the model does
    from infinidoc.model.addresses import AddressHead
    from infinidoc.model.base import BaseModel
    from infinidoc.model.encoding import Encoder
    from infinidoc.reading.cluster import Cluster
    from infinidoc.reading.readers.reader import Reader
    from infinidoc.reading.search import Found, Warm
    from infinidoc.reading.summary import IngestProgress, Summary

TOP = 4
SEARCHED = 10
MAX_TOKENS = 128
QUESTION_TOKENS = 1_024  # more than a page: seconds on a slow machine, and no question any more

P = ParamSpec("P")
R = TypeVar("R")


def in_turn(method: Callable[Concatenate["Collection", P], R]) -> Callable[Concatenate["Collection", P], R]:
    """Has a thread wait until no other one is in such a method of the same collection."""

    @wraps(method)
    def waiting(self: "Collection", *args: P.args, **options: P.kwargs) -> R:
        with self._models.turn:
            return method(self, *args, **options)

    return waiting


class Collection(Opened[Store]):
    """A memory on the disk, and the model that reads it. The model is loaded when it is first needed.

    Threads may share one: they take turns, and none waits while an endpoint reads. Ask while another one ingests with a
    collection of your own.

    >>> collection = Collection.open("manuals")
    >>> collection.ingest(["./docs"])
    >>> print(collection.ask("How is the filter changed?").text)
    """

    def __init__(
        self,
        place: Place,
        model: str | None = None,
        adapter: str | None = None,
        precision: str | None = None,
        memory: bool = False,
        models: Models | None = None,
        small_addresses: bool = False,
    ):
        self.place, self.directory = place, place.directory
        self._models = models or Models()
        self._own = OwnModel(model, adapter, precision, self._models)
        self._made_with = (memory, small_addresses)
        self._head: AddressHead | None = None
        self._warm: Warm | None = None

    @classmethod
    def open(
        cls,
        name: str | None = None,
        model: str | None = None,
        create: bool = True,
        adapter: str | None = None,
        precision: str | None = None,
        memory: bool = False,
        models: Models | None = None,
        small_addresses: bool = False,
    ) -> Self:
        """A collection by name; None or "." is the working directory's own.

        `model` names the base model of a new collection (`INFINIDOC_MODEL`, else the embedded one), `adapter` its
        adapter (else the one chosen or shipped for that model; "none" for none), `precision` what its documents are
        read in (fp32, bf16 or int8; else `INFINIDOC_PRECISION`, else the faster one here). With `memory` a new one also
        folds them into a compressive memory, which `memory_only` answers from: that takes several times as long. With
        `small_addresses` it keeps 16 bytes a token to find passages by rather than 128, and finds a little less.

        With `create` the collection is made by the first `ingest`; without it, raises InfinidocError if there is none.
        Collections that are opened with the same `models` share those, and take turns.
        """
        return cls(
            place(name) if create else existing(name), model, adapter, precision, memory, models, small_addresses
        )

    def _open(self) -> Store:
        require(self.place)
        return Store.open(self.directory)

    @in_turn
    def close(self) -> None:
        """Lets the files go; what is asked next opens them again."""
        super().close()

    @property
    def model(self) -> str:
        """The name of the base model: the one asked for, else the one that the collection was read with."""
        return self._own.name(self._identity)

    @in_turn
    def load(self, to_write: bool = False, to_remember: bool = False, to_search: bool = False) -> "BaseModel":
        """Loads the base model and its adapter now (pulling it first if need be), rather than at the first need.

        `to_write` loads it as the collection's documents are read in; questions are asked in the faster one of fp32 and
        bf16, with the adapter's reader, or, `to_remember`, with the memory behind the window. `to_search` is content
        with any that is loaded, and else loads neither. Raises InfinidocError if the collection was read with another
        model, adapter or precision, or, `to_write`, made without what was asked for.
        """
        if to_write and Store.exists(self.directory):
            check(self.store, *self._made_with)
        return self._own.load(self._identity, to_write, to_remember, to_search)

    @property
    def _identity(self) -> Identity | None:
        """None before anything was ingested."""
        return self.store.identity if Store.exists(self.directory) else None

    @property
    def adapter_digest(self) -> str:
        """That of the adapter that is attached to the loaded model; empty without one."""
        return self._own.adapter.digest if self._own.adapter else ""

    def gates_are_closed(self) -> bool:
        """Whether the model can't read its compressive memory yet: no trained adapter has opened the gates."""
        from infinidoc.model.loading import is_closed

        return is_closed(self.load(to_remember=True))

    @property
    def head(self) -> "AddressHead":
        """What makes this collection's addresses. Raises InfinidocError before anything was ingested."""
        from infinidoc.model.addresses import AddressHead

        if self._head is None:
            self._head = AddressHead.from_tensors(self.store.address_head())
        return self._head

    @in_turn
    def ingest(
        self,
        paths: Sequence[str | Path],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        sync: bool = False,
        notify: "Callable[[IngestProgress], None] | None" = None,
        engine: Literal["here", "ray"] = "here",
        changed: Set[str] | None = None,
    ) -> "Summary":
        """Reads files, directories and globs into the collection; "-" is standard input.

        They can then be asked about, also from other processes. Of a collection with a compressive memory that is the
        first of two passes: the second fills it, can be cut short, and is taken up by the next `ingest`.

        Unchanged files are passed over, changed ones replaced; `sync` also drops what is gone from the disk. Where
        `changed` paths (absolute) are given, only files at or below them are looked at, which may be gone.
        `include` and `exclude` are gitignore patterns. The engine "ray" reads on the Ray cluster that runs here or that
        `RAY_ADDRESS` names, else on the processors of this machine, one document beside the other.
        Raises InfinidocError if a path doesn't exist, another process is writing, the collection was renamed or removed
        since it was opened, or Ray fails; a file that can't be read is only reported, in `Summary.skipped`.
        """
        from infinidoc.reading.ingest import ingest

        if changed is None:
            self.discover(paths, include, exclude, sync)  # complains before the model is loaded and anything is made
        base = self.load(to_write=True)
        if not Store.exists(self.directory):
            if self._opened:
                raise self._opened.gone()
            make(self.directory, base, self._own.adapter, *self._made_with)
        with self._reader(base, engine) as reader:
            told = notify or (lambda progress: None)
            return ingest(self.store, base, reader, paths, include, exclude, sync, told, changed)

    def _reader(self, base: "BaseModel", engine: str) -> "Encoder | Cluster":
        identity = self.store.identity
        if engine == "here":
            from infinidoc.model.encoding import Encoder

            return Encoder(base, self.head)
        from infinidoc.reading.cluster import Cluster

        return Cluster(base, identity, self.head)

    def discover(
        self, paths: Sequence[str | Path], include: Sequence[str] = (), exclude: Sequence[str] = (), sync: bool = False
    ) -> Iterator[File | Skipped]:
        """What `ingest` would read. Raises InfinidocError if a path doesn't exist; with `sync`, unless the collection
        holds what was there."""
        known = self.store.files_read() if sync and Store.exists(self.directory) else ()
        return discover(paths, include, exclude, known)

    @in_turn
    def ask(
        self,
        question: str,
        top: int = TOP,
        max_tokens: int = MAX_TOKENS,
        memory_only: bool = False,
        on_text: Callable[[str], None] = lambda text: None,
        reader: str = OWN,
        long: bool = False,
        scope: Scope = EVERYWHERE,
    ) -> Answer:
        """Answers from the collection, with its sources; `on_text` gets the answer piece by piece ("" while there is
        nothing to say yet), and may raise an exception to end the reading.

        Recalls the `top` passages that the question needs and has a `reader` read them again, word for word: see
        `reader`. `memory_only` recalls nothing, and answers from the compressive memory. `long` wants one to three
        sentences instead of a few words, each with the [number] of the source that says so, counted from 1. Only
        documents in `scope` are searched. A question that counts or lists documents is answered by those that have its
        words, and no reader guesses: see `infinidoc.reading.listing`. Every answer goes into the collection's log.
        Raises InfinidocError for an empty collection, another model, a scope that no document is in, or a question that
        is empty or doesn't fit the model's window; Unanswered if the reader fails.
        """
        question = self._cleaned(question)
        if memory_only:
            self._check_memory(reader, scope)
        elif wanted := counts(question):
            return self._counted(question, wanted, top, scope, on_text)
        from infinidoc.reading.asking import Asking

        part = self._warmed().part(self.store, scope)
        chosen = self.reader(reader, memory_only)
        self._check(question)
        asking = Asking(question, on_text, memory_only)
        if not memory_only:
            asking.recall(lambda: self._find(question, top, scope), self.head.threshold)
        let_others = isinstance(chosen, Endpoint)
        asking.read(chosen, max_tokens, long, self._models.turn.of_others() if let_others else nullcontext())
        noted = [one for one in self.store.noted() if part is None or one.id in part.paths]
        answer = asking.answer(lambda found: self._likeness(question, found), noted)
        answer.notes.extend(self._how_far(reader, memory_only))
        self.store.log_answer(log_entry(answer))
        return answer

    def _counted(self, question: str, wanted: Wanted, top: int, scope: Scope, on_text: Callable[[str], None]) -> Answer:
        began = time.perf_counter()
        found = list_documents(self.store, wanted, scope)
        text, sources = str(found), found.documents[:top]
        on_text(text)
        timings = dict.fromkeys(("recall", "first_token", "total"), time.perf_counter() - began)
        counted = len(found.documents)
        answer = Answer(question, text, bool(counted), False, sources, timings, counted=counted)
        self.store.log_answer(log_entry(answer))
        return answer

    @in_turn
    def listing(self, text: str, scope: Scope = EVERYWHERE) -> Listing:
        """The documents in `scope` that have all words of a text ("invoices from 2024"), in text or file name; a
        question that counts documents will do as well. No model is needed. Raises InfinidocError as `ask` does."""
        return list_documents(self.store, to_list(self._cleaned(text)), scope)

    def reader(self, name: str = OWN, memory_only: bool = False) -> "Reader":
        """What answers questions: "own" is the collection's model, with its adapter's reader (or, if it has none or for
        `memory_only`, with the memory behind the window); else another base model with the adapter that is chosen or
        shipped for it, or an OpenAI-style endpoint (`URL#MODEL`).

        It is loaded at the first call. Raises InfinidocError if it can't be had.
        """
        if name == OWN:
            from infinidoc.model.loading import has_own_reader
            from infinidoc.reading.readers.local import LocalReader

            base = self.load(to_remember=memory_only)
            return LocalReader(base, None if has_own_reader(base) else self._warmed().state)
        readers = self._models.readers
        if name not in readers:
            readers[name] = open_reader(name)
        return readers[name]

    @in_turn
    def search(self, question: str, top: int = SEARCHED, scope: Scope = EVERYWHERE) -> list[Source]:
        """The passages of documents in `scope` that a question needs, best first, whether or not they bear on it: no
        answer, no log. Raises InfinidocError as `ask` does."""
        question = self._cleaned(question)
        self._check(question)
        return [found.source for found in self._find(question, top, scope)]

    def _cleaned(self, question: str) -> str:
        """Raises InfinidocError if there is nothing to ask, or nothing to ask it of."""
        question = clean(question).strip()
        if not question:
            raise InfinidocError("the question is empty", 'ask something: infinidoc ask "What is …?"')
        if self.store.is_empty():
            raise InfinidocError("this collection is empty", "fill it with: infinidoc ingest PATH")
        return question

    def _check_memory(self, reader: str, scope: Scope) -> None:
        """Raises InfinidocError if the compressive memory alone can't be asked."""
        if not self.store.identity.remembers:
            raise InfinidocError(
                "this collection has no compressive memory",
                "ask without --memory-only, or make a new collection with infinidoc ingest --memory",
            )
        if reader != OWN:
            raise InfinidocError("only a collection's own model reads its memory", "ask without --reader")
        if scope != EVERYWHERE:
            raise InfinidocError("the compressive memory is of all documents", "ask without --memory-only")

    def _check(self, question: str) -> None:
        """Raises InfinidocError for a question that would take minutes."""
        begin = question[: QUESTION_TOKENS * 10]  # of more than this nobody needs to know how many tokens it has
        if len(begin) < len(question) or len(self.load(to_search=True).encode(begin)) > QUESTION_TOKENS:
            raise InfinidocError(
                f"the question is too long: {len(question):,} characters, more than {QUESTION_TOKENS:,} tokens",
                "ask for one thing; a text that is to be read goes in with: infinidoc ingest",
            )

    def _find(self, question: str, top: int, scope: Scope) -> "list[Found]":
        from infinidoc.reading.search import search

        return search(self.store, self._warmed(), self.load(to_search=True), self.head, question, top, scope)

    def _likeness(self, question: str, found: "Sequence[Found]") -> list[float]:
        from infinidoc.reading.search import alike_in

        return alike_in(self.store, self.load(to_search=True), self.head, question, found)

    def _how_far(self, reader: str, memory_only: bool) -> list[str]:
        """A line on what the compressive memory has not read yet, if it had a part in the answer."""
        from infinidoc.model.loading import has_own_reader
        from infinidoc.reading.remembering import how_far

        behind = reader == OWN and not has_own_reader(self.load(to_remember=memory_only))
        return [line] if behind and (line := how_far(self.store)) else []

    def _warmed(self) -> "Warm":
        """The addresses and the memory, read again only when the collection has changed."""
        from infinidoc.reading.search import Warm

        if self._warm is None or self._warm.revision != self.store.revision:
            self._warm = Warm.of(self.store)
        return self._warm

    @in_turn
    def log(self, last: int | None = None) -> list[Logged]:
        """What was asked, newest first. Passages are looked up in the documents: the log keeps their places only."""
        return logged(self.store, last)

    @in_turn
    def documents(self) -> list[StoredDocument]:
        """The documents in the collection, by path."""
        return self.store.documents()

    @in_turn
    def find(self, name: str) -> list[StoredDocument]:
        """The documents that a path, the end of one ("guide.pdf") or a glob means, each at the path that is meant; its
        other files are `copies`. Raises InfinidocError if there is none."""
        absolute = os.path.abspath(name)
        documents = {path: document for document in self.documents() for path in document.paths}
        exact = [path for path in documents if path in (name, absolute)]
        ending = [path for path in documents if path.endswith(os.sep + name)]
        globbed = [path for path in documents if fnmatch(path, name) or fnmatch(path, absolute)]
        found = [documents[path].at(path) for path in exact or ending or globbed]
        if not found:
            raise InfinidocError(f"no document {name} in this collection", "see: infinidoc documents list")
        return found

    @in_turn
    def remove(self, documents: Sequence[StoredDocument]) -> None:
        """Takes documents out of the memory, the addresses, the text and the log.

        Of a document with copies only the file at its `path` is taken out, and the rest stays.
        """
        from infinidoc.reading.removal import forget

        if documents:
            forget(self.store, self.load(to_write=True), documents)
