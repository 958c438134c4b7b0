"""Answers errors as application/problem+json (RFC 9457): a sentence for people and a type for machines."""

import http
import logging
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "A word for machines, or about:blank", "examples": ["same_person"]},
        "title": {"type": "string", "description": "The status in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people: what was wrong, what to do"},
    },
}

RECORDS_UNAVAILABLE = (
    "Central cannot write or read its records just now. To lock a school, press a panic button there: "
    "it locks without central. Then try again here."
)

_MEANINGS = {
    401: "Nobody is signed in, or the session is over",
    403: "The role does not give this right",
    404: "There is no such thing",
    409: "Its present state does not allow it; the type says why",
    413: "The request is larger than any sensible one",
    422: "A field is missing, or has a value that cannot be used; the detail names it",
    429: "Too many attempts; Retry-After says how long to wait",
    500: "A fault of central's own; its log says more",
    503: "There is no broker just now, or central's records cannot be written or read",
}


class HttpProblem(Exception):  # noqa: N818 - an answer, not a fault
    """Raise this to answer with a problem."""

    def __init__(
        self, status: int, detail: str, kind: str = "about:blank", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = dict(headers or {})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these problems."""
    return {
        status: {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": SCHEMA}}} for status in statuses
    }


ANYWHERE = documented(422, 500, 503)
"""Any route may answer these: an address with a NUL, a fault of central's own, records it cannot reach."""


class NoSuchRoute:
    """Answers requests that no route of the API serves: 404, or 405 with every method of the address. Starlette would
    name the methods of the address's first route alone, or those of the console's files.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods: set[str] = set()
        for route in iter_route_contexts(self._app.routes):
            if route.endpoint is not self and route.path_regex.match(scope["path"]):
                methods |= route.methods or set()
        if not methods:
            raise HTTPException(404)
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})


def answer(status: int, detail: str, kind: str = "about:blank", headers: Mapping[str, str] | None = None) -> Response:
    """Build the response of a problem."""
    content = {"type": kind, "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(msgspec.json.encode(content), status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have an application answer every error with a problem."""

    @app.exception_handler(HttpProblem)
    async def problem(_: Request, error: HttpProblem) -> Response:
        return answer(error.status, error.detail, error.kind, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return answer(422, _sentence(error), "invalid")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return answer(error.status_code, f"{error.detail}.", headers=error.headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    async def unavailable(request: Request, error: Exception) -> Response:
        log.error("the records are not to be had at %s %s", request.method, request.url.path, exc_info=error)
        return answer(503, RECORDS_UNAVAILABLE, "records_unavailable")

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        log.error("a fault of ours at %s %s", request.method, request.url.path, exc_info=error)
        return answer(500, "A fault of central's own; its log says more. Try again, and report it if it stays.")


def _sentence(error: RequestValidationError) -> str:
    found = []
    for one in error.errors():
        if one["type"] == "json_invalid":
            return f"the body: {one['ctx']['error']}"
        where = ".".join(str(part) for part in one["loc"] if part not in {"body", "query", "path"})
        says = re.sub(r"<\w+\.\w+: ('\w+')>", r"\1", one["msg"])  # an enum member as in JSON, not as in Python
        found.append(f"{where or 'the body'}: {says[:1].lower()}{says[1:]}")
    return "; ".join(found)
