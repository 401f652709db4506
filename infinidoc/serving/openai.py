"""The OpenAI-style API, below /v1: a collection is a model. https://platform.openai.com/docs/api-reference/chat"""

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from infinidoc.reading.answers import Answer
from infinidoc.reading.collection import MAX_TOKENS
from infinidoc.reading.followups import Turn
from infinidoc.serving.answering import answering, event, failure
from infinidoc.serving.api import STREAM, TheDesk, TheLibrary, errors
from infinidoc.serving.desk import EventStream
from infinidoc.serving.errors import Refused
from infinidoc.serving.shapes import (
    AnswerBody,
    ChatMessage,
    ChatRequest,
    ChatResponse,
    Choice,
    Finish,
    Message,
    ModelList,
    ModelRow,
    Usage,
)

MOST_TOKENS = 4_096  # of an answer
SOURCES = "\n\nSources\n"  # between an answer and its footnotes

router = APIRouter(prefix="/v1", tags=["OpenAI style"])


@router.get("/models", responses=errors())
def models(library: TheLibrary) -> ModelList:
    """The collections."""
    return ModelList(data=[ModelRow(id=name) for name in library.places()])


@router.get("/models/{model}", responses=errors(404))
def model(model: Annotated[str, PathParameter(description="A collection's id.")], library: TheLibrary) -> ModelRow:
    """One collection."""
    library.place(model)
    return ModelRow(id=model)


@router.post("/chat/completions", response_model=ChatResponse, responses=STREAM | errors(400, 404, 502, 503, 504))
async def chat_completions(
    request: Request, wanted: ChatRequest, library: TheLibrary, desk: TheDesk
) -> ChatResponse | EventStream:
    """Answers the last user message from a collection, with its sources as footnotes and in the field `infinidoc`."""
    question, earlier = conversation(wanted.messages)
    most = min(wanted.max_completion_tokens or wanted.max_tokens or MAX_TOKENS, MOST_TOKENS)
    work = await run_in_threadpool(answering, library, wanted.model, question, earlier, wanted.infinidoc, most)
    chat: dict[str, Any] = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "created": int(time.time()),
        "model": wanted.model,
    }

    def finish(usage: Usage) -> Finish:
        return "length" if usage.completion_tokens >= most else "stop"

    if not wanted.stream:
        answer, usage = await desk.result(request, work)
        message = ChatMessage(content=answer.text + footnotes(answer))
        body = AnswerBody.model_validate(answer.to_dict())
        choice = Choice(message=message, finish_reason=finish(usage))
        return ChatResponse(**chat, choices=[choice], usage=usage, infinidoc=body)
    directory = library.place(wanted.model).directory
    with_usage = wanted.stream_options is not None and wanted.stream_options.include_usage

    def chunk(delta: dict[str, str], finished: Finish | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finished, "logprobs": None}
        usage = {"usage": None} if with_usage else {}
        return event(None, {**chat, "object": "chat.completion.chunk", "choices": [choice], **usage, **more})

    def end(result: tuple[Answer, Usage]) -> Iterator[bytes]:
        answer, usage = result
        yield chunk({"content": footnotes(answer)})
        yield chunk({}, finish(usage), infinidoc=answer.to_dict())
        if with_usage:
            yield event(None, {**chat, "object": "chat.completion.chunk", "choices": [], "usage": usage.model_dump()})
        yield b"data: [DONE]\n\n"

    return await desk.events(
        request,
        work,
        lambda text: chunk({"role": "assistant", "content": text}),
        end,
        lambda error: event(None, failure(error, directory)),
    )


def conversation(messages: Sequence[Message]) -> tuple[str, list[Turn]]:
    """The question, and the turns before it. Raises Refused if the last message is none of a user's."""
    said = [message for message in messages if message.role in ("user", "assistant")]
    if not said or said[-1].role != "user":
        raise Refused(422, "the last message must be a user's: it is the question")
    turns: list[Turn] = []
    for message in said[:-1]:
        if message.role == "user":
            turns.append(Turn(message.text))
        elif turns:
            answer, _, notes = message.text.partition(SOURCES)
            turns[-1] = Turn(turns[-1].question, answer.strip(), notes)
    return said[-1].text, turns


def footnotes(answer: Answer) -> str:
    """Where an answer stands: its sources, and the sentences that it was read from."""
    if not answer.answered or not answer.sources:
        return ""
    lines = []
    for number, source in enumerate(answer.sources):
        lines.append(f"[{number + 1}] {source.document}, {source.place}")
        quotes = [" ".join(quote.text.split()) for quote in answer.quotes if quote.source == number]
        lines += [f"    “{quote}”" for quote in quotes]
    return SOURCES + "\n".join(lines)
