"""The OpenAPI document: what FastAPI knows of the routes, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from newsletter.web.api.shapes import Problem, Refusals
from newsletter.web.limit import MOST

_ABOUT = """The web side of a newsletter. Pages are for people; what lies under `/api/` is for programs.

Programs of the owner send a key: `Authorization: Bearer nl_...` (`newsletter keys create`). Each needs the scopes that
its routes name. Errors are `application/problem+json` (RFC 9457). A request that changes something may carry an
`Idempotency-Key`: sent again within a day, it is answered as it was. Lists give a cursor, `next`, for what follows.
"""
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_EVERYWHERE = {
    "405": "This is asked in another way: see Allow",
    "408": "The body took too long to come",
    "413": f"The body is larger than {MOST // 1024} KB",
    "431": "The head of the request is too large",
    "500": "It broke here",
    "503": "Not now: see Retry-After",
}


def install(app: FastAPI) -> None:
    """Let the application tell all of it."""

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = whole  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):  # what FastAPI itself would say
        parts["schemas"].pop(name, None)
    parts["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of this publication (`newsletter keys create`); to send, also a workflow's token.",
        }
    }
    for path, method, operation in _operations(document):
        _answers(path, method, operation)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _answers(path: str, method: str, operation: dict[str, Any]) -> None:
    """Every status an operation may answer with, and in which form."""
    given = operation["responses"]
    api = path.startswith("/api/")
    takes = "422" in given
    if api:
        if takes:
            given["422"] = Refusals.one(422)
        for number in (405, 408, 413, 431, 500, 503, *(() if method == "get" else (400, 415, 422))):
            given[str(number)] = Refusals.one(number)
        given.get("204", {}).pop("content", None)
        return
    if takes:
        given["422"] = {"description": "Something in the request is not what is asked for", "content": _PAGE}
    missing = {"404": "There is no such thing"} if "{" in path else {}
    for status, said in {**_EVERYWHERE, **missing}.items():
        given.setdefault(status, {"description": said, "content": _PAGE})
