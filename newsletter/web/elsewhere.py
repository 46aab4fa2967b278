"""The way out of letters that the system before us sent: its addresses go on working.

Where the id is a step of the path, the pages are those of `leave.py`. Where it is in the query (Ghost), they are
plainer: a form of theirs posts to the very address it was opened by. GET shows, POST leaves at once (RFC 8058), and for
any id the answer is the same 200 and the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from newsletter.core.elsewhere import GHOST, LISTMONK, Way, way
from newsletter.flows import leave
from newsletter.web.door import Door, get


def ways(door: Door) -> Iterator[Way]:
    """All that old letters may link to."""
    yield from (LISTMONK, *GHOST)
    if own := way(door.desk.publication.old_unsubscribe):
        yield own


def routes(app: FastAPI, door: Door) -> None:
    """Add those with the id in the query; `leave.routes` adds the others."""
    for one in ways(door):
        if one.query:
            _route(app, door, one)


def _route(app: FastAPI, door: Door, way_: Way) -> None:
    def show(request: Request) -> Response:
        return door.answer(door.speaking(request.headers).leave(old=True), private=True)

    def act(request: Request) -> Response:
        leave.leave(request.query_params.get(way_.query, ""), door.desk, method="old link")
        return door.answer(door.speaking(request.headers).left(old=True), private=True)

    get(app, way_.path, include_in_schema=False)(show)
    app.post(way_.path, response_class=HTMLResponse, include_in_schema=False)(act)
