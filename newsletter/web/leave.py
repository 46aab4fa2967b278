"""The way out (RFC 8058): POST leaves at once, for any link the same 200 and the same bytes.

The body of a POST is not looked at, no cookie is set, nothing is redirected, and no link is too old.
Only the press of our own button comes with `?by=page`, so that the evidence tells the two apart.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from newsletter.flows.leave import leave
from newsletter.web.door import Door, get


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application; also with a slash at the end, as some programs add one."""

    def show(token: str) -> Response:  # noqa: ARG001 -- the same page for every link
        return door.answer(door.pages.leave(), private=True)

    def act(token: str, by: str = "") -> Response:
        leave(token, door.desk, method="page" if by == "page" else "one-click")
        return door.answer(door.pages.left(), private=True)

    for path, public in (("/unsubscribe/{token}", True), ("/unsubscribe/{token}/", False)):
        get(app, path, summary="One button", include_in_schema=public)(show)
        app.post(path, summary="Leave (RFC 8058)", response_class=HTMLResponse, include_in_schema=public)(act)
