"""What went wrong, in the shape that OpenAI's clients know; never a traceback."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from infinidoc.errors import Damaged, InfinidocError, Unwritable
from infinidoc.reading.answers import Unanswered
from infinidoc.serving.library import Unknown

BUSY_SECONDS = 5  # until a client that was turned away may try again

log = logging.getLogger("uvicorn.error")


class Problem(BaseModel):
    """One thing that is wrong, and what to do."""

    message: str = Field(description="One line for people.")
    type: str = Field(description="invalid_request_error, authentication_error or server_error.")
    param: str | None = Field(None, description="The field that is wrong, where it is one.")
    code: str | None = Field(None, description="The HTTP status as a name: not_found, …")


class ErrorBody(BaseModel):
    """As OpenAI's API has it."""

    error: Problem


class Refused(Exception):
    """Answered with a status and one line."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, headers


def busy(what: str) -> Refused:
    return Refused(503, f"{what}: try again in a while", {"Retry-After": str(BUSY_SECONDS)})


CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    421: "misdirected_request",
    422: "invalid",
    499: "client_left",
    500: "internal",
    502: "reader_failed",
    503: "busy",
    504: "timeout",
}

NO_JSON = "the body is no JSON that can be read, in UTF-8"
NO_OBJECT = "the body must be a JSON object, sent with Content-Type: application/json"
UNREADABLE = "There was an error parsing the body"  # FastAPI's words for letters that are none, and for endless nesting
PLAIN = {  # pydantic's words are for people who write Python
    "extra_forbidden": "there is no such field: /openapi.json describes those that there are",
    "model_attributes_type": "Input should be an object",
    "value_error": "Input should be a file with a name, as curl -F 'files=@report.pdf' sends it",
}


def problem(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    kind = "authentication_error" if status == 401 else "server_error" if status >= 500 else "invalid_request_error"
    return {"message": message, "type": kind, "param": param, "code": CODES.get(status)}


def status_of(error: InfinidocError) -> int:
    kinds = ((Unknown, 404), (Unwritable, 409), (Unanswered, 502), (Damaged, 500))
    return next((status for kind, status in kinds if isinstance(error, kind)), 422)


def described(error: Exception) -> tuple[int, dict[str, Any]]:
    """The status and the problem of whatever was raised. What nobody foresaw goes into the server's log."""
    if isinstance(error, Refused):
        return error.status, problem(error.status, str(error))
    if isinstance(error, InfinidocError):
        return status_of(error), problem(status_of(error), str(error))
    if isinstance(error, TimeoutError):
        return 504, problem(504, "it took too long: ask for less, or when fewer others ask")
    log.error("unforeseen", exc_info=error)
    return 500, problem(500, "something went wrong here: see the server's log")


def respond(status: int, found: dict[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": found}, status, dict(headers or {}))


def install(app: FastAPI) -> None:
    """Has the application answer every error in one shape."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = max(error.errors(), key=lambda one: len(one["loc"]))  # of a union's: the one that came furthest
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        if first["type"] == "json_invalid":
            return respond(422, problem(422, f"{NO_JSON}: see character {where}"))
        if not where:  # nothing, or something else than an object, or not called JSON
            return respond(422, problem(422, NO_OBJECT))
        what = PLAIN.get(first["type"], str(first["msg"]))
        return respond(422, problem(422, f"{where}: {what}", where))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = {**(error.headers or {}), **({"Allow": _allowed(request)} if error.status_code == 405 else {})}
        detail = NO_JSON if error.detail == UNREADABLE else str(error.detail)
        return respond(error.status_code, problem(error.status_code, detail), headers)

    async def other(_: Request, error: Exception) -> JSONResponse:
        return respond(*described(error), getattr(error, "headers", None))

    for kind in (Refused, InfinidocError, TimeoutError, Exception):
        app.add_exception_handler(kind, other)


def _allowed(request: Request) -> str:
    """The methods of all routes to a place, not of the first one only."""
    paths = request.app.openapi()["paths"]
    routes = [compile_path(path)[0] for path in paths]
    found = [paths[path] for path, route in zip(paths, routes, strict=True) if route.match(request.url.path)]
    return ", ".join(sorted(method.upper() for operations in found for method in operations))
