"""What is done for a client while it has its turn: the same as `ask` and `chat` do."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.sse import format_sse_event

from infinidoc.reading.answers import Answer, Source, Unanswered
from infinidoc.reading.collection import MAX_TOKENS
from infinidoc.reading.conversation import Conversation
from infinidoc.reading.followups import Turn
from infinidoc.serving.desk import Say
from infinidoc.serving.errors import described
from infinidoc.serving.library import Library, shown
from infinidoc.serving.shapes import Options, Usage


def answering(
    library: Library,
    name: str,
    question: str,
    earlier: Sequence[Turn],
    options: Options,
    max_tokens: int = MAX_TOKENS,
) -> "Callable[[Say], tuple[Answer, Usage]]":
    """Work for the desk. Raises InfinidocError, there and here, for what can't be asked."""
    collection, scope = library.to_ask(name), options.scope()

    def work(say: Say) -> tuple[Answer, Usage]:
        conversation = Conversation(collection)
        conversation.turns = list(earlier)
        with library.models.turn:
            say("")  # the client may have left while it waited
            answer = conversation.ask(question, options.top, max_tokens, say, library.reader, options.long, scope)
            encode = collection.load().encode
            read = [answer.question, *(source.text for source in answer.sources)]
            prompt, completion = sum(len(encode(text)) for text in read), len(encode(answer.text))
        usage = Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
        return named(answer, collection.directory), usage

    return work


def named(answer: Answer, directory: Path) -> Answer:
    """The same, with its documents called what clients call them."""
    sources = [source_named(source, directory) for source in answer.sources]
    quotes = [replace(quote, document=sources[quote.source].document) for quote in answer.quotes]
    return replace(answer, sources=sources, quotes=quotes)


def source_named(source: Source, directory: Path) -> Source:
    return replace(source, document=shown(source.path, directory))


def event(name: str | None, data: Any) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data))


def failure(error: Exception, directory: Path) -> dict[str, Any]:
    """What a client is told of an error after the first words: with the sources, where the reader failed."""
    body: dict[str, Any] = {"error": described(error)[1]}
    if isinstance(error, Unanswered):
        body["sources"] = [source_named(source, directory).__dict__ for source in error.sources]
    return body
