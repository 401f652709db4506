"""What is sent and what comes back, as the OpenAPI document describes it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from infinidoc.memory.records import StoredDocument
from infinidoc.reading.answers import Source
from infinidoc.reading.collection import SEARCHED, TOP
from infinidoc.reading.followups import Turn
from infinidoc.reading.quoting import Quote
from infinidoc.reading.scope import Scope, day
from infinidoc.reading.summary import IngestProgress, Summary
from infinidoc.serving.errors import Problem
from infinidoc.serving.pages import Box
from infinidoc.serving.places import Line

Pattern = Annotated[str, Field(max_length=1_000)]
Patterns = Annotated[list[Pattern], Field(max_length=100)]
Top = Annotated[int, Field(ge=1, le=50)]


class Body(BaseModel):
    """What clients send: a number is no string, and no truth; a field that isn't there is a mistake."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Within(Body):
    """Which documents are searched: all, if nothing is said."""

    in_: Patterns = Field([], alias="in", description="Only files that match one of these gitignore patterns.")
    type: Patterns = Field([], description='Only these formats, as the list of documents has them: "pdf".')
    since: str | None = Field(
        None, max_length=40, description="Only files changed since a day: 2024-05-31, 2024-05 or 2024."
    )

    def scope(self) -> Scope:
        """Raises InfinidocError for what is no date."""
        return Scope(tuple(self.in_), tuple(self.type), day(self.since) if self.since else None)


class SearchRequest(Within):
    question: str = Field(description="What is looked for.", examples=["When is the boiler serviced?"])
    top: Top = Field(SEARCHED, description="How many passages.")


class Passages(BaseModel):
    passages: list[Source] = Field(description="Best first.")


class Options(Within):
    """How an answer is found."""

    top: Top = Field(TOP, description="How many passages are read again.")
    long: bool = Field(False, description="One to three sentences with [numbers] of sources, rather than a few words.")


class Earlier(Body):
    """A question that was asked before, its answer, and the passage that this was read from."""

    question: str
    answer: str = ""
    read: str = ""

    def turn(self) -> Turn:
        return Turn(self.question, self.answer, self.read)


class AskRequest(Options):
    question: str = Field(examples=["When is the boiler serviced?"])
    earlier: list[Earlier] = Field([], max_length=100, description="Oldest first: what the question may lean on.")
    stream: bool = Field(False, description="Server-sent events: `text` as it comes, then `answer`, or `error`.")


class AnswerBody(BaseModel):
    """As `infinidoc ask --json` has it."""

    question: str = Field(description="As the collection was asked: with what it leans on, if it does.")
    answer: str
    answered: bool = Field(description="False where nothing in the collection bears on the question.")
    memory_only: bool
    sources: list[Source] = Field(description="The passages that were read, best first.")
    timings: dict[str, float] = Field(description="Seconds.")
    reader: str
    quotes: list[Quote] = Field(description="The sentences that it was read from.")
    verbatim: bool | None
    notes: list[str]
    counted: int | None = Field(
        description="How many documents have the words of a question that counts or lists some."
    )


class LogEntry(BaseModel):
    question: str
    answer: str = Field(description="Empty once a document that it was given from has been removed.")
    answered: bool
    memory_only: bool
    sources: list[Source]
    timings: dict[str, float]
    reader: str
    notes: list[str]
    asked_at: str = Field(description="UTC, ISO 8601.")
    model: str


class Log(BaseModel):
    entries: list[LogEntry] = Field(description="Newest first.")


class CollectionRow(BaseModel):
    id: str = Field(description="What addresses and the OpenAI-style API call it.")
    name: str = Field(description="What people call it.")
    model: str = Field(description="The base model that it was read with.")
    documents: int
    pages: int
    tokens: int
    error: str | None = Field(None, description="Why it can't be used, if it can't.")


class Collections(BaseModel):
    collections: list[CollectionRow]


class DocumentRow(BaseModel):
    id: int
    document: str = Field(description="Its name: the path that it was uploaded with, or that of the file.")
    path: str = Field(description="Where its file is on the server.")
    format: str
    pages: int = Field(description="Pages, slides or sheets; 0 where the format has none.")
    tokens: int
    bytes: int
    ingested_at: str
    complete: bool
    notes: list[str] = Field(description="What of it could not be read.")
    copies: list[str] = Field(description="Other files with the same text.")

    @classmethod
    def of(cls, stored: StoredDocument, name: str) -> "DocumentRow":
        known = {field: getattr(stored, field) for field in cls.model_fields if field != "document"}
        return cls(**known, document=name)


class Documents(BaseModel):
    documents: list[DocumentRow] = Field(description="By path.")


class PlaceBody(BaseModel):
    """Where a range of a document stands: on a page to be drawn, with `boxes` from 0 to 1 of it, or in `lines`."""

    kind: Literal["page", "text"]
    document: str
    format: str
    place: str
    note: str = Field(description="What isn't shown as it stands in the file, in a sentence.")
    page: int = Field(description="From 1; 0 where it is text.")
    pages: int
    boxes: list[Box]
    lines: list[Line]
    before: int | None = Field(description="An offset at which more text is, before these lines.")
    after: int | None = Field(description="And after them.")


class JobBody(BaseModel):
    """Files on their way into a collection."""

    job: str
    collection: str
    state: Literal["waiting", "reading", "done", "stopped", "failed"]
    progress: IngestProgress
    summary: Summary | None = Field(description="What it did, once it has ended.")
    error: Problem | None


class JobList(BaseModel):
    jobs: list[JobBody] = Field(description="Newest first: all that go on, and the last hundred that have ended.")


class TextPart(Body):
    type: Literal["text"]
    text: str
    cache_control: Any = None
    prompt_cache_breakpoint: Any = None


class TextFormat(Body):
    type: Literal["text"]


class Message(Body):
    """Beside a role and what was said, what OpenAI's API and its clients put into a message of their own."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None
    name: Any = None
    refusal: Any = None
    annotations: Any = None
    audio: Any = None
    function_call: Any = None
    tool_calls: Any = None
    reasoning_content: Any = None

    @property
    def text(self) -> str:
        parts = self.content or ""
        return parts if isinstance(parts, str) else "".join(part.text for part in parts)


class StreamOptions(Body):
    include_usage: bool = False
    include_obfuscation: Any = None


class PassedOver(Body):
    """What OpenAI's clients send, or those of servers in its style, and an answer from documents has no use for."""

    audio: Any = None
    cache_prompt: Any = None
    chat_template_kwargs: Any = None
    frequency_penalty: Any = None
    function_call: Any = None
    functions: Any = None
    logit_bias: Any = None
    logprobs: Any = None
    metadata: Any = None
    min_p: Any = None
    modalities: Any = None
    moderation: Any = None
    parallel_tool_calls: Any = None
    prediction: Any = None
    presence_penalty: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    reasoning_effort: Any = None
    repeat_penalty: Any = None
    repetition_penalty: Any = None
    safety_identifier: Any = None
    seed: Any = None
    service_tier: Any = None
    stop: Any = None
    store: Any = None
    temperature: Any = None
    tool_choice: Any = None
    tools: Any = None
    top_k: Any = None
    top_logprobs: Any = None
    top_p: Any = None
    user: Any = None
    verbosity: Any = None
    web_search_options: Any = None


class ChatRequest(PassedOver):
    """As OpenAI's API has it. The last user message is the question; those before are what it may lean on. System
    messages, tools and sampling options are not looked at: the answer is read from the documents."""

    model: str = Field(description="A collection.")
    messages: list[Message] = Field(min_length=1, max_length=1_000)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, description="At most 4,096 are given.")
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None
    response_format: TextFormat | None = Field(None, description="Answers are text.")
    infinidoc: Options = Field(default_factory=lambda: Options.model_validate({}), description="How it is answered.")


class Usage(BaseModel):
    """In tokens of the collection's own model: those of the question and of the passages that were read; those of the
    answer, without its footnotes."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str = Field(description="The answer, with its sources as footnotes.")


Finish = Literal["stop", "length"]


class Choice(BaseModel):
    index: int = 0
    message: ChatMessage
    finish_reason: Finish
    logprobs: None = None


class ChatResponse(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    infinidoc: AnswerBody


class ModelRow(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "infinidoc"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelRow]
