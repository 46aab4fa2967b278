"""The one table from what a flow may raise to what a visitor sees: a status and a page.

A program reading JSON gets the same as `application/problem+json` (RFC 9457).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from newsletter.errors import (
    AccessRefused,
    AddressRefused,
    FileRefused,
    KeysAway,
    LinkExpired,
    LinkRefused,
    NewsletterError,
    NotFound,
    ScopeRefused,
    WorkLeft,
)
from newsletter.flows import press
from newsletter.web import headers
from newsletter.web.door import Door
from newsletter.web.guard import route, told
from newsletter.web.pages import Pages, Trouble

log = logging.getLogger("newsletter.web")


@dataclass(frozen=True)
class Answer:
    """How an error looks: the key of its title, whether its own words are for visitors, what helps.

    `lines` are keys. With `own`, the error says it better itself; its words are English, so on other pages the lines
    stand all the same.
    """

    status: int
    title: str
    lines: tuple[str, ...] = ()
    own: bool = False
    form: bool = False
    back: str = ""
    back_words: str = "page.home"
    broken: bool = False


BUSY = Answer(503, "page.broken_title", ("page.broken",), broken=True)
BROKEN = Answer(500, "page.broken_title", ("page.broken",), broken=True)

TABLE: tuple[tuple[type[NewsletterError], Answer], ...] = (
    (LinkExpired, Answer(410, "page.expired_title", ("page.expired",), own=True, form=True)),
    (LinkRefused, Answer(404, "page.refused_title", ("page.refused",), own=True, form=True)),
    (AddressRefused, Answer(400, "page.form_title", ("page.form",), own=True)),  # the signup shows its form again
    (NotFound, Answer(404, "page.missing_title", ("page.missing",), own=True)),
    (WorkLeft, BUSY),  # the database is locked, full or away
    (NewsletterError, BROKEN),  # its words are for whoever runs this, not for visitors
)
"""The first row that fits decides."""

STATUS: Mapping[int, Answer] = {
    400: Answer(400, "page.form_title", ("page.form",)),
    403: Answer(403, "page.foreign_title", ("page.foreign",), back="/", back_words="page.foreign_link"),
    404: Answer(404, "page.missing_title", ("page.missing",)),
    405: Answer(405, "page.method_title", ("page.method",)),
    408: Answer(408, "page.form_title", ("page.form",)),
    413: Answer(413, "page.large_title", ("page.large",)),
    422: Answer(422, "page.form_title", ("page.form",)),
    431: Answer(431, "page.large_title", ("page.head",)),
}
"""For what is refused before a flow is asked."""

API = "/api/"


def answer_to(error: NewsletterError) -> Answer:
    """The row of the table."""
    return next(answer for kind, answer in TABLE if isinstance(error, kind))


def respond(door: Door, pages: Pages, answer: Answer, error: NewsletterError | None = None) -> Response:
    """The page of an answer, in the language of `pages`."""
    return door.answer(pages.trouble(trouble(pages, answer, error)), answer.status, private=True)


def refuse(door: Door, scope: Scope, answer: Answer) -> Response:
    """The answer to a request that no route saw."""
    if scope["path"].startswith(API):
        return problem(answer.status)
    return respond(door, door.speaking(Headers(scope=scope)), answer)


def trouble(pages: Pages, answer: Answer, error: NewsletterError | None = None) -> Trouble:
    """What the page of an answer says, in the pages' language."""
    told = (error.what, error.todo) if error and answer.own and pages.english else ()
    return Trouble(
        title=pages.say(answer.title),
        lines=tuple(line for line in told if line) or tuple(pages.say(key) for key in answer.lines),
        form=answer.form,
        back=answer.back,
        back_words=answer.back_words,
        broken=answer.broken,
    )


def problem(
    status: int, detail: str = "", heads: Mapping[str, str] | None = None, *, kind: str = "", **more: object
) -> JSONResponse:
    """The same for a program. It never repeats what was sent. In: `kind`, a word for what went wrong."""
    type_ = f"{KIND}{kind}" if kind else "about:blank"
    body = {"type": type_, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, {**headers.PRIVATE, **(heads or {})}, media_type="application/problem+json")


KIND = "urn:newsletter:problem:"
"""How the type of a problem begins (RFC 9457, 3.1.1); what follows is a word of `flows/press.py`."""

OF_API: tuple[tuple[type[NewsletterError], int], ...] = (
    (ScopeRefused, 403),
    (AccessRefused, 401),
    (LinkExpired, 410),
    (LinkRefused, 404),
    (AddressRefused, 400),
    (NotFound, 404),
    (FileRefused, 422),
    (WorkLeft, 503),
    (NewsletterError, 409),  # what is asked does not fit how things stand; the kind says how
)
"""The first row that fits decides."""

_CHALLENGE = {401: {"WWW-Authenticate": "Bearer"}, 403: {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}}
_LATER = {"Retry-After": "30"}


def in_full(error: NewsletterError) -> JSONResponse:
    """An error as the owner's own program gets it: in the words a terminal would show."""
    status = next(status for kind, status in OF_API if isinstance(error, kind))
    heads = _LATER if status == BUSY.status else _CHALLENGE.get(status, {})
    more = {"todo": error.todo} if error.todo else {}
    return problem(status, error.what, heads, kind=press.kind(error), **more)


def _at_the_door(_request: Request, error: Exception) -> Response:
    assert isinstance(error, (AccessRefused, KeysAway))
    return in_full(error)


def install(app: FastAPI, door: Door) -> None:
    """Answer every error of this application by the tables."""

    def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, NewsletterError)
        answer = answer_to(error)
        if answer.broken:
            log.error("%s %s broke: %s", request.method, route(request.scope), told(error))
        api = request.url.path.startswith(API)
        pages = door.speaking(request.headers)
        detail = "" if answer.broken else error.what
        response = problem(answer.status, detail) if api else respond(door, pages, answer, error)
        if answer is BUSY:
            response.headers.update(_LATER)
        return response

    def theirs(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        answer = STATUS.get(error.status_code, BROKEN if error.status_code >= BROKEN.status else STATUS[400])
        if answer.broken:
            log.error("%s %s broke: %s", request.method, route(request.scope), told(error))
        api = request.url.path.startswith(API)
        said = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
        if api:
            response: Response = problem(error.status_code, said, error.headers)
        else:
            response = respond(door, door.speaking(request.headers), answer)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = allowed(app, request)
        return response

    def shape(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if request.url.path.startswith(API):
            wrong = sorted({".".join(str(part) for part in found["loc"][1:]) for found in error.errors()})
            return problem(422, f"Please look at: {', '.join(wrong)}." if any(wrong) else "This is not what we expect.")
        return respond(door, door.speaking(request.headers), STATUS[422])

    app.add_exception_handler(NewsletterError, ours)
    app.add_exception_handler(AccessRefused, _at_the_door)
    app.add_exception_handler(KeysAway, _at_the_door)
    app.add_exception_handler(HTTPException, theirs)
    app.add_exception_handler(RequestValidationError, shape)


def allowed(app: FastAPI, request: Request) -> str:
    """Every method of a path (RFC 9110, 15.5.6); the framework names those of one route alone."""
    path = request.scope["path"]
    fitting = [route for route in app.routes if isinstance(route, Route) and route.path_regex.match(path)]
    return ", ".join(sorted({method for route in fitting for method in route.methods or ()}))
