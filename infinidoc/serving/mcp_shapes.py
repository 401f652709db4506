"""What agents send to the tools of the MCP server, and what comes back, as their schemas describe it."""

from typing import Annotated

from pydantic import BaseModel, Field

from infinidoc.serving.excerpts import QUOTED

CollectionName = Annotated[
    str | None, Field(max_length=200, description="A collection; list_documents names them. Default: the first.")
]
DocumentName = Annotated[int | str, Field(description="Its document_id, or its name or path.")]
In = Annotated[
    list[str], Field(alias="in", max_length=100, description='Only files that match one of these: "mail/", "*.pdf".')
]
Type = Annotated[list[str], Field(max_length=100, description='Only these formats: "pdf", "docx".')]
Since = Annotated[
    str | None, Field(max_length=40, description="Only files changed since: 2024-05-31, 2024-05 or 2024.")
]
Question = Annotated[str, Field(description="What is looked for, in the user's words.")]


class Passage(BaseModel):
    """A passage: `text` is [start:end] of the document with the id `document_id`, cut if it ends with …"""

    document: str
    document_id: int
    place: str
    start: int
    end: int
    score: float
    text: str


class Passages(BaseModel):
    collection: str
    passages: list[Passage] = Field(description="Best first.")
    note: str = QUOTED


class Sentence(BaseModel):
    text: str
    document: str
    place: str


class Answered(BaseModel):
    collection: str
    answer: str
    answered: bool = Field(description="False where nothing in the collection bears on the question.")
    verbatim: bool | None = Field(description="Whether the answer's words stand in the sentences; null for yes or no.")
    sentences: list[Sentence] = Field(description="What the answer was read from.")
    sources: list[Passage]
    unread: list[str] = Field(description="Where else an answer may stand: what could not be read of documents.")
    note: str = QUOTED


class Part(BaseModel):
    """`text` is [start:end] of a document's `characters`."""

    collection: str
    document: str
    document_id: int
    place: str = Field(description="Where it begins.")
    start: int
    end: int
    characters: int
    before: int | None = Field(description="A start to read what comes before with, if something does.")
    after: int | None = Field(description="A start to read on with, if there is more.")
    text: str
    note: str = QUOTED


class Listed(BaseModel):
    document: str
    document_id: int
    format: str
    pages: int = Field(description="Pages, slides or sheets; 0 where the format has none.")
    tokens: int


class Documents(BaseModel):
    collection: str
    collections: list[str] = Field(description="All that there are.")
    documents: list[Listed] = Field(description="By path.")
    total: int
    next: int | None = Field(description="The offset of the next ones, if there are more.")
