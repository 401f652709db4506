"""What agents are offered over the Model Context Protocol (https://modelcontextprotocol.io): tools that look into
collections, and change nothing."""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Annotated, Any, TypeVar

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field, ValidationError

from infinidoc.errors import InfinidocError
from infinidoc.memory.places import HERE
from infinidoc.memory.records import StoredDocument
from infinidoc.reading.answers import Answer, Source
from infinidoc.reading.collection import Collection
from infinidoc.reading.scope import Scope, day
from infinidoc.serving.excerpts import (
    QUOTED,
    Quoting,
    around,
    at_place,
    name,
    onwards,
    paragraphs,
    shortened,
)
from infinidoc.serving.library import PROJECT, Library, shown
from infinidoc.serving.mcp_shapes import (
    Answered,
    CollectionName,
    DocumentName,
    Documents,
    In,
    Listed,
    Part,
    Passage,
    Passages,
    Question,
    Sentence,
    Since,
    Type,
)

TOTAL = 12_000  # characters of documents in one result
LISTED = 50  # documents on a page of the list
LONGEST_NAME = 300  # characters
ALIVE = 1.0  # seconds between two signs of life

INSTRUCTIONS = f"""Looks into the user's own documents, which infinidoc has read. `search` finds passages; `read` shows
a page, or more of what surrounds a passage; `ask` has a small local model answer in a few words, with the sentences
that it read: check those; `summarize` gives the main points of a document; `list_documents` says what there is. Cite
the document and the place. {QUOTED}"""

T = TypeVar("T")


class Left(Exception):
    """Nobody waits for this any more."""


class Tools:
    """What the server's tools do, with a library. Each is a method of the tool's name."""

    def __init__(self, library: Library):
        self._library = library

    async def search(
        self,
        context: Context,
        question: Question,
        collection: CollectionName = None,
        top: Annotated[int, Field(ge=1, le=20, description="How many passages.")] = 5,
        in_: In = [],  # noqa: B006
        type: Type = [],  # noqa: B006
        since: Since = None,
    ) -> Annotated[CallToolResult, Passages]:
        """Finds the passages of the user's documents that bear on a question, by meaning and by words. Each comes with
        its document and place, and with what `read` wants to show more of it."""
        scope, called = _scope(in_, type, since), self._called(collection)
        opened = self._library.to_ask(called)
        sources = await _working(context, "searching", lambda _: opened.search(question, top, scope))
        passages = _passages(sources, opened, TOTAL // top)
        found = Passages(collection=called, passages=passages)
        head = f"{len(passages)} passages of the collection {name(called)}, best first. {QUOTED}"
        return _result(found, head if passages else "No passage was found.", *_shown(passages))

    async def ask(
        self,
        context: Context,
        question: Question,
        collection: CollectionName = None,
        long: Annotated[bool, Field(description="One to three sentences, rather than a few words.")] = False,
        in_: In = [],  # noqa: B006
        type: Type = [],  # noqa: B006
        since: Since = None,
    ) -> Annotated[CallToolResult, Answered]:
        """Answers a question from the user's documents, with the sentences that the answer was read from. A small local
        model answers: for anything but a plain fact, search and read yourself."""
        scope, called = _scope(in_, type, since), self._called(collection)
        opened, reader = self._library.to_ask(called), self._library.reader

        def work(say: Callable[[str], None]) -> Answer:
            return opened.ask(question, on_text=say, reader=reader, long=long, scope=scope)

        return _answered(called, opened, await _working(context, "answering", work))

    async def summarize(
        self,
        context: Context,
        document: DocumentName,
        collection: CollectionName = None,
        question: Annotated[
            str | None, Field(description="What is asked of all of it: how it ends, say. Default: its main points.")
        ] = None,
    ) -> Annotated[CallToolResult, Answered]:
        """Gives the main points of one of the user's documents, in its own sentences, from its start to its end. It is
        read from start to end the first time, which takes a minute for twenty pages or so."""
        from infinidoc.reading.whole_documents import WholeDocuments

        called = self._called(collection)
        opened, turn = self._library.to_ask(called), self._library.models.turn

        def work(say: Callable[[str], None]) -> Answer:
            def reached(_: object) -> None:
                with turn.of_others():  # a book takes long, and others have short questions
                    say("")

            with turn:
                whole = WholeDocuments(opened, [_one(opened, document).path], notify=reached)
                return whole.ask(question, on_text=say) if question else whole.summarize(on_text=say)

        return _answered(called, opened, await _working(context, "reading the document", work))

    async def read(
        self,
        context: Context,
        document: DocumentName,
        collection: CollectionName = None,
        place: Annotated[str | None, Field(max_length=500, description='A place in it: "page 3", "line 120".')] = None,
        start: Annotated[int | None, Field(ge=0, description="Of a passage; alone: read on from here.")] = None,
        end: Annotated[
            int | None, Field(ge=0, description="Of a passage, which is shown with its surroundings.")
        ] = None,
    ) -> Annotated[CallToolResult, Part]:
        """Shows a part of one of the user's documents, as it was read: a page or another place, a passage with what
        surrounds it, or, with neither, its beginning. `before` and `after` say where to read on."""
        called = self._called(collection)

        def work(_: Callable[[str], None]) -> Part:
            with self._library.open(called) as opened:
                stored = _one(opened, document)
                whole, known_as = opened.store.document(stored.id), shown(stored.path, opened.directory)
            try:
                if place is not None:
                    excerpt = at_place(whole, place)
                else:
                    excerpt = onwards(whole, start or 0) if end is None else around(whole, start or 0, end)
            except InfinidocError as error:
                raise InfinidocError(f"{name(known_as)}: {error}") from error
            return Part(
                collection=called,
                document=known_as,
                document_id=stored.id,
                place=whole.locate(excerpt.start),
                characters=len(whole.text),
                **asdict(excerpt),
            )

        found = await _working(context, "reading", work)
        head = f"{name(found.document)} (document_id={found.document_id}), from {name(found.place)}: "
        head += f"characters {found.start} to {found.end} of {found.characters}. {QUOTED}"
        rest = "This is where it ends." if found.after is None else f"Read on with start={found.after}."
        return _result(found, head, Quoting()(found.text), rest)

    async def list_documents(
        self,
        context: Context,
        collection: CollectionName = None,
        in_: In = [],  # noqa: B006
        type: Type = [],  # noqa: B006
        since: Since = None,
        offset: Annotated[int, Field(ge=0, description="How many to pass over.")] = 0,
        limit: Annotated[int, Field(ge=1, le=2 * LISTED)] = LISTED,
    ) -> Annotated[CallToolResult, Documents]:
        """Lists the user's documents by path, and names the collections that there are."""
        scope, called = _scope(in_, type, since), self._called(collection)

        def work(_: Callable[[str], None]) -> tuple[list[StoredDocument], Path]:
            with self._library.open(called) as opened:
                files = scope.files(opened.store)
                documents = [one for one in opened.documents() if files is None or one.id in files]
                return [one.at(files[one.id]) if files else one for one in documents], opened.directory

        documents, directory = await _working(context, "listing", work)
        listed = [
            Listed(
                document=shortened(shown(one.path, directory), LONGEST_NAME),
                document_id=one.id,
                format=one.format,
                pages=one.pages,
                tokens=one.tokens,
            )
            for one in documents[offset : offset + limit]
        ]
        total, end = len(documents), offset + len(listed)
        found = Documents(
            collection=called,
            collections=list(self._library.places()),
            documents=listed,
            total=total,
            next=end if end < total else None,
        )
        head = f"{total:,} documents in the collection {name(called)}"
        rows = [f"{one.document_id}\t{name(one.document)}\t{one.format}\t{one.tokens} tokens" for one in listed]
        more = f"More with offset={end}." if end < total else ""
        others = f"Collections: {', '.join(map(name, found.collections))}"
        return _result(
            found, f"{head}, from number {offset + 1}:" if listed else f"{head}.", "\n".join(rows), more, others
        )

    def _called(self, wanted: str | None) -> str:
        """What clients call a collection. Raises InfinidocError, which names those that there are, if there is none."""
        there = self._library.places()
        called = PROJECT if wanted == HERE else wanted or next(iter(there), PROJECT)
        if called not in there:
            names = ", ".join(map(name, there)) or "none: make one with infinidoc ingest PATH"
            raise InfinidocError(f"there is no collection {name(called)}", f"there are {names}")
        return called


class Server(MCPServer):
    """The SDK's, but that arguments which make no sense are one line for the agent."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context | None = None) -> Any:
        known = {tool.name: tool.input_schema["properties"] for tool in await self.list_tools()}
        if unknown := sorted(arguments.keys() - known.get(name, arguments).keys()):
            raise ToolError(f"{name} knows no {', '.join(unknown)}: it takes {', '.join(known[name])}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.__cause__.errors())
            raise ToolError("; ".join(wrong)) from error


def create(library: Library) -> Server:
    """A server of these tools."""
    server = Server("infinidoc", version=version("infinidoc"), instructions=INSTRUCTIONS, log_level="WARNING")
    looks = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)
    tools = Tools(library)
    for tool in (tools.search, tools.ask, tools.summarize, tools.read, tools.list_documents):
        server.add_tool(_offered(tool), annotations=looks)
    return server


def _offered(tool: Callable[..., Awaitable[CallToolResult]]) -> Callable[..., Awaitable[CallToolResult]]:
    """A tool as the SDK wants it: `in` can't name a parameter in Python; what goes wrong is one line for the agent."""

    @wraps(tool)
    async def offered(**arguments: Any) -> CallToolResult:
        if "in" in arguments:
            arguments["in_"] = arguments.pop("in")
        try:
            return await tool(**arguments)
        except InfinidocError as error:
            raise ToolError(str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise ToolError(f"the collection can't be used: {error}") from error

    return offered


async def _working(context: Context, doing: str, work: Callable[[Callable[[str], None]], T]) -> T:
    """Has a thread do it, and tells the client meanwhile that it goes on. Ends it at the next word of an answer if the
    client leaves."""
    left, done = Event(), anyio.Event()
    outcome: list[T | Exception] = []

    def say(text: str) -> None:
        if left.is_set():
            raise Left

    def run() -> T:
        return work(say)

    async def tell() -> None:
        seconds = 0.0
        while not done.is_set():
            with anyio.move_on_after(ALIVE):
                await done.wait()
                return
            seconds += ALIVE
            await context.report_progress(seconds, None, f"{doing}; the first time, the model is loaded")

    async with anyio.create_task_group() as group:
        group.start_soon(tell)
        try:
            outcome.append(await anyio.to_thread.run_sync(run, abandon_on_cancel=True))
        except Exception as error:
            outcome.append(error)
        finally:
            left.set()
            done.set()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _scope(within: list[str], kinds: list[str], since: str | None) -> Scope:
    return Scope(tuple(within), tuple(kinds), day(since) if since else None)


def _one(collection: Collection, document: int | str) -> StoredDocument:
    """The document that an agent means. Raises InfinidocError if that is none, or not the only one."""
    identifier = int(document) if str(document).isdecimal() else None
    documents = collection.documents()
    if identifier is not None and (known := [one for one in documents if one.id == identifier]):
        return known[0]
    try:
        found = collection.find(str(document))
    except InfinidocError as error:
        raise InfinidocError(f"there is no document {name(str(document))}", "list_documents lists them") from error
    if len(found) > 1:
        some = ", ".join(f"{one.id} {name(shown(one.path, collection.directory))}" for one in found[:5])
        raise InfinidocError(f"{len(found)} documents are called so", f"name one by its document_id: {some}")
    return found[0]


def _answered(called: str, opened: Collection, answer: Answer) -> CallToolResult:
    sources = _passages(answer.sources, opened, TOTAL // 20)
    sentences = [
        Sentence(text=shortened(one.text, TOTAL // 10), document=sources[one.source].document, place=one.place)
        for one in answer.quotes
    ]
    found = Answered(
        collection=called,
        answer=answer.text,
        answered=answer.answered,
        verbatim=answer.verbatim,
        sentences=sentences,
        sources=sources,
        unread=[shortened(note, 300) for note in answer.notes[:10]],
    )
    quoted = Quoting()
    read = [f"Read from {name(one.document)}, {name(one.place)}:\n{quoted(one.text)}" for one in sentences]
    warning = "Not all of these words stand in the documents: check them." if answer.verbatim is False else ""
    unread = "Not read: " + "; ".join(map(name, found.unread)) if found.unread else ""
    sources_ = ["Sources. " + QUOTED] * bool(sources) + _shown(sources, quoted)
    return _result(found, f"The answer:\n{quoted(answer.text)}", warning, *read, *sources_, unread)


def _passages(sources: list[Source], collection: Collection, characters: int) -> list[Passage]:
    return [
        Passage(
            document=shown(one.path, collection.directory),
            document_id=one.id,
            place=one.place,
            start=one.start,
            end=one.end,
            score=round(one.score, 4),
            text=shortened(one.text, characters),
        )
        for one in sources
    ]


def _shown(passages: list[Passage], quoted: Quoting | None = None) -> list[str]:
    quoted = quoted or Quoting()
    return [
        f"{number}. {name(one.document)}, {name(one.place)}  "
        f"(document_id={one.document_id}, start={one.start}, end={one.end}; score {one.score:.2f})\n{quoted(one.text)}"
        for number, one in enumerate(passages, 1)
    ]


def _result(found: BaseModel, *parts: str) -> CallToolResult:
    """For agents that read text, and for programs that read JSON."""
    text = TextContent(type="text", text=paragraphs(parts))
    return CallToolResult(content=[text], structured_content=found.model_dump(mode="json"))
