"""The way out (RFC 8058): POST leaves at once, for any link the same 200 and the same bytes.

The body of a POST is not looked at, no cookie is set, nothing is redirected, and no link is too old.
Only our own buttons come with a query, which no mail program adds: `?by=page` tells the evidence that a page was
seen, `?undo=yes` takes the leaving back, `?why=` says why.
"""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from newsletter.flows import leave
from newsletter.web import elsewhere, headers
from newsletter.web.door import Door, get


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application; also with a slash at the end, as some programs add one."""

    def show(request: Request, token: str, to: str = "") -> Response:
        if to == "preferences":  # the page holds nothing of the link, so the link to the choices is made here
            return RedirectResponse(f"{door.pages.path}/preferences/{quote(token)}", 303, headers.PRIVATE)
        return door.answer(door.speaking(request.headers).leave(), private=True)

    def act(request: Request, token: str, by: str = "", undo: str = "", why: str | None = None) -> Response:
        pages = door.speaking(request.headers)
        if undo:
            leave.undo(token, door.desk)
            return door.answer(pages.undone(), private=True)
        if why is not None:
            leave.explain(token, why, door.desk)
            return door.answer(pages.told(), private=True)
        leave.leave(token, door.desk, method="page" if by == "page" else "one-click")
        return door.answer(pages.left(), private=True)

    old = [path for way in elsewhere.ways(door) if not way.query for path in (way.path, f"{way.path}/")]
    for path, public in (
        ("/unsubscribe/{token}", True),
        ("/unsubscribe/{token}/", False),
        *((one, False) for one in old),
    ):
        get(app, path, summary="One button", include_in_schema=public)(show)
        app.post(path, summary="Leave (RFC 8058)", response_class=HTMLResponse, include_in_schema=public)(act)
