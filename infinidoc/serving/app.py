"""The application: its parts put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from infinidoc.reading.readers.endpoint import is_endpoint
from infinidoc.serving import api, errors, openai
from infinidoc.serving.desk import THREADS, Desk
from infinidoc.serving.guard import Guard
from infinidoc.serving.jobs import Jobs
from infinidoc.serving.library import Library

LARGEST_BODY = 1 << 20  # bytes of a question; uploads have a limit of their own
LAST_SECONDS = 3  # for what is being said when the server ends
PAGE = Path(__file__).parent / "page"
DESCRIPTION = """Asks collections of documents, and fills them. Every answer comes with the passages that it was read
from. Errors have one shape: `{"error": {"message", "type", "param", "code"}}`."""


def create(library: Library, host: str = "127.0.0.1", token: str | None = None, desk: Desk | None = None) -> Guard:
    """The server of a library, as it is reached at `host`; with a `token`, only for those who have it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.library = library
        threads = THREADS if is_endpoint(library.reader) else 1
        app.state.desk, app.state.jobs = desk or Desk(threads), Jobs(library)
        app.state.jobs.resume()
        yield
        app.state.jobs.close()
        app.state.desk.close()
        library.close()

    app = FastAPI(
        title="infinidoc",
        version=version("infinidoc"),
        description=DESCRIPTION,
        docs_url=None,  # its page is made of scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        max_body_size=LARGEST_BODY,
        redirect_slashes=False,
    )
    errors.install(app)
    app.include_router(api.router)
    app.include_router(openai.router)
    app.mount("/page", StaticFiles(directory=PAGE))
    app.get("/", include_in_schema=False)(page)
    return Guard(app, host, token)


def config(app: Guard) -> uvicorn.Config:
    """How it is run: quietly, and without waiting long for those who still listen at its end."""
    return uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=LAST_SECONDS
    )


def page() -> FileResponse:
    """The web page."""
    return FileResponse(PAGE / "index.html")
