"""The JSON API, below /api."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from infinidoc.errors import InfinidocError
from infinidoc.memory.places import Place
from infinidoc.memory.records import StoredDocument
from infinidoc.memory.store import Store
from infinidoc.memory.uploads import Upload, keep
from infinidoc.reading.answers import Answer
from infinidoc.serving import places
from infinidoc.serving.answering import answering, event, failure, named, source_named
from infinidoc.serving.desk import Desk, EventStream, Say
from infinidoc.serving.errors import ErrorBody, Refused
from infinidoc.serving.jobs import Job, Jobs
from infinidoc.serving.library import Library, Unknown, shown, title
from infinidoc.serving.shapes import (
    AnswerBody,
    AskRequest,
    CollectionRow,
    Collections,
    DocumentRow,
    Documents,
    JobBody,
    JobList,
    Log,
    Passages,
    PlaceBody,
    SearchRequest,
    Usage,
)

MOST_FILES = 1_000  # of one request
MOST_BYTES = 512 << 20
LARGEST_ID = (1 << 63) - 1  # as SQLite has them

Name = Annotated[str, PathParameter(alias="collection", description="A collection's id, as /api/collections has it.")]
Number = Annotated[int, PathParameter(ge=1, le=LARGEST_ID, description="A document's id.")]
JobId = Annotated[str, PathParameter(description="As the upload's answer has it.")]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of errors: those that any request can have, and these."""
    return {status: {"model": ErrorBody} for status in sorted({401, 403, 421, 422, *statuses})}


EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": EVENT}}}}


def library_of(request: Request) -> Library:
    found: Library = request.app.state.library
    return found


def desk_of(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


def jobs_of(request: Request) -> Jobs:
    found: Jobs = request.app.state.jobs
    return found


TheLibrary = Annotated[Library, Depends(library_of)]
TheDesk = Annotated[Desk, Depends(desk_of)]
TheJobs = Annotated[Jobs, Depends(jobs_of)]

router = APIRouter(prefix="/api")


@router.get("/collections", tags=["collections"], responses=errors())
def collections(library: TheLibrary) -> Collections:
    """Which collections there are."""
    return Collections(collections=[_row(name, one) for name, one in library.places().items()])


def _row(name: str, one: Place) -> CollectionRow:
    row = CollectionRow(id=name, name=title(one), model="", documents=0, pages=0, tokens=0, error=None)
    try:
        with Store.open(one.directory) as store:
            counts = store.counts()
            return row.model_copy(update={"model": store.identity.model} | {k: counts[k] for k in COUNTED})
    except InfinidocError as error:
        return row.model_copy(update={"error": str(error)})


COUNTED = ("documents", "pages", "tokens")


@router.post("/collections/{collection}/search", tags=["asking"], responses=errors(400, 404, 503, 504))
async def search(request: Request, name: Name, wanted: SearchRequest, library: TheLibrary, desk: TheDesk) -> Passages:
    """The passages that a question needs, best first: no answer, nothing in the log."""
    collection, scope = await run_in_threadpool(library.to_ask, name), wanted.scope()

    def work(say: Say) -> Passages:
        with library.models.turn:
            say("")  # the client may have left while it waited
            found = collection.search(wanted.question, wanted.top, scope)
        return Passages(passages=[source_named(source, collection.directory) for source in found])

    return await desk.result(request, work)


@router.post(
    "/collections/{collection}/ask",
    tags=["asking"],
    response_model=AnswerBody,
    responses=STREAM | errors(400, 404, 502, 503, 504),
)
async def ask(
    request: Request, name: Name, wanted: AskRequest, library: TheLibrary, desk: TheDesk
) -> AnswerBody | EventStream:
    """An answer with its sources, and the sentences that it was read from."""
    earlier = [one.turn() for one in wanted.earlier]
    work = await run_in_threadpool(answering, library, name, wanted.question, earlier, wanted)
    if not wanted.stream:
        answer, _ = await desk.result(request, work)
        return AnswerBody.model_validate(answer.to_dict())
    directory = library.place(name).directory

    def end(result: tuple[Answer, Usage]) -> list[bytes]:
        return [event("answer", result[0].to_dict())]

    return await desk.events(
        request,
        work,
        lambda text: event("text", {"text": text}),
        end,
        lambda error: event("error", failure(error, directory)),
    )


@router.get("/collections/{collection}/documents", tags=["documents"], responses=errors(404))
def documents(name: Name, library: TheLibrary) -> Documents:
    """The documents of a collection."""
    with library.open(name) as collection:
        rows = [DocumentRow.of(one, shown(one.path, collection.directory)) for one in collection.documents()]
        return Documents(documents=rows)


@router.post(
    "/collections/{collection}/documents",
    tags=["documents"],
    status_code=202,
    max_body_size=MOST_BYTES,
    form_limits={"max_files": MOST_FILES, "max_fields": 100},
    responses=errors(400, 404, 409, 413, 503),
)
def upload(
    name: Name,
    files: Annotated[list[UploadFile], File(description="Their names may have folders: reports/2024/may.pdf.")],
    library: TheLibrary,
    jobs: TheJobs,
) -> JobBody:
    """Has files read into a collection, which is made if there is none of that name.

    A file of the same name takes the place of the one before. How far it is, the job's events tell.
    """
    jobs.check()
    place = library.place(name, create=True)
    parcel = keep(place.directory, [Upload(file.filename or "", file.file) for file in files])
    return _job(jobs.begin(name, place.directory, parcel))


@router.delete(
    "/collections/{collection}/documents/{document}",
    tags=["documents"],
    status_code=204,
    responses=errors(404, 409),
)
async def remove(name: Name, document: Number, library: TheLibrary, jobs: TheJobs) -> Response:
    """Takes a document out of the memory, the addresses, the text and the log. Of its files those go that were
    uploaded; all others stay where they are."""
    if jobs.reads_into(name):
        raise Refused(409, "documents are being read into this collection: try again when that has finished")

    def work() -> None:
        with library.open(name) as collection:
            stored = _stored(collection.documents(), document)
            collection.remove([stored.at(path) for path in stored.paths])

    await jobs.do(work)
    return Response(status_code=204)


@router.get("/collections/{collection}/documents/{document}/place", tags=["documents"], responses=errors(404))
def place(
    name: Name,
    document: Number,
    library: TheLibrary,
    start: Annotated[int, Query(ge=0, description="Where a passage begins in the document's text.")],
    end: Annotated[int, Query(ge=0, description="And where it ends.")],
    at: Annotated[int | None, Query(ge=0, description="Show the text at this offset instead.")] = None,
    as_text: Annotated[bool, Query(description="Lines of text also for a PDF.")] = False,
) -> PlaceBody:
    """Where a passage stands: the page of a PDF and the boxes on it to mark, or lines of text with marks."""
    with library.open(name) as collection:
        _stored(collection.documents(), document)
        found = places.place(collection.store, document, start, end, at, as_text).to_dict()
        path = collection.store.stored(document).path
        return PlaceBody.model_validate({**found, "document": shown(path, collection.directory)})


@router.get(
    "/collections/{collection}/documents/{document}/pages/{page}.png",
    tags=["documents"],
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **errors(404)},
)
def page(
    name: Name, document: Number, page: Annotated[int, PathParameter(ge=1, description="From 1.")], library: TheLibrary
) -> Response:
    """A page of a PDF as a picture."""
    with library.open(name) as collection:
        _stored(collection.documents(), document)
        try:
            return Response(places.page_png(collection.store, document, page), media_type="image/png")
        except InfinidocError as error:
            raise Unknown(str(error)) from error


def _stored(documents: list[StoredDocument], identifier: int) -> StoredDocument:
    for one in documents:
        if one.id == identifier:
            return one
    raise Unknown(f"there is no document {identifier} in this collection", "GET …/documents lists them")


@router.get("/collections/{collection}/log", tags=["asking"], responses=errors(404))
def log(
    name: Name, library: TheLibrary, last: Annotated[int, Query(ge=1, le=1_000, description="How many.")] = 50
) -> Log:
    """What was asked of a collection, and answered."""
    with library.open(name) as collection:
        entries = [
            {**one.to_dict(), "sources": named(one.answer, collection.directory).sources}
            for one in collection.log(last)
        ]
        return Log.model_validate({"entries": entries})


def _job(job: Job) -> JobBody:
    return JobBody.model_validate(job.to_dict())


@router.get("/jobs", tags=["documents"], responses=errors())
def job_list(jobs: TheJobs) -> JobList:
    """Uploads that are read or wait for it, and those that have ended since the server began."""
    return JobList(jobs=[_job(job) for job in jobs.all()])


@router.get("/jobs/{job}", tags=["documents"], responses=errors(404))
def job_state(job: JobId, jobs: TheJobs) -> JobBody:
    """How far an upload is."""
    return _job(jobs.find(job))


@router.post("/jobs/{job}/stop", tags=["documents"], responses=errors(404))
def stop(job: JobId, jobs: TheJobs) -> JobBody:
    """Stops reading an upload: what was read by then stays in the collection."""
    found = jobs.find(job)
    found.stop()
    return _job(found)


@router.get(
    "/jobs/{job}/events", tags=["documents"], response_class=StreamingResponse, responses={**STREAM, **errors(404)}
)
async def job_events(job: JobId, jobs: TheJobs) -> EventStream:
    """How far an upload is, as server-sent events: `progress`, and at last `done` or `error`."""
    found = jobs.find(job)

    async def stream() -> AsyncIterator[bytes]:
        async for _ in found.watch():
            yield event("progress", found.to_dict()["progress"])
        last = found.to_dict()
        yield event("error", {"error": last["error"]}) if last["error"] else event("done", last["summary"])

    return EventStream(stream())
