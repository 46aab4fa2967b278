"""The preview's pages. All are GET and change nothing; all are for this machine alone.

In: a room. Out: an ASGI application. A request must name this very host: a page elsewhere whose name was
made to point here (DNS rebinding) is refused. Mail is shown in frames that run no script.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.content import images
from newsletter.errors import NewsletterError, NotFound
from newsletter.web.guard import Guard
from newsletter.web.preview import system
from newsletter.web.preview.drawing import ALWAYS, Asked, Drawing, framed
from newsletter.web.preview.room import Room
from newsletter.web.preview.views import view
from newsletter.web.preview.watch import Bell, watch


def site(room: Room, bell: Bell, *, port: int) -> FastAPI:
    """Build it. In: the room, the bell that rings on changes, the port it is served at."""
    app = FastAPI(title="Preview", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan(room, bell))
    drawing = Drawing(room)
    _letters(app, drawing)
    _everything_else(app, drawing)

    @app.get("/events")
    async def events() -> Response:
        stream = bell.stream(str(room.version))
        return StreamingResponse(stream, media_type="text/event-stream", headers=ALWAYS)

    @app.exception_handler(NewsletterError)
    def trouble(_request: Request, problem: Exception) -> Response:
        assert isinstance(problem, NewsletterError)
        status = 404 if isinstance(problem, NotFound) else 500
        return drawing.page("trouble.html", status, title="Preview", what=problem.what, todo=problem.todo)

    def broken(_scope: Scope) -> Response:
        todo = "The terminal says where it happened; a template of your own may be the reason."
        return drawing.page("trouble.html", 500, title="Preview", what="This could not be drawn.", todo=todo)

    app.add_middleware(Guard, broken=broken)
    app.add_middleware(OnlyHere, port=port)  # the last added is the outermost
    return app


def _letters(app: FastAPI, drawing: Drawing) -> None:
    @app.get("/")
    def first() -> Response:
        lines = drawing.room.lines()
        if not lines:
            return drawing.page("empty.html", title="Preview")
        return RedirectResponse(f"/issue/{next((line.stem for line in lines if line.draft), lines[0].stem)}", 303)

    @app.get("/issue/{stem}")
    def issue(stem: str, request: Request) -> Response:
        return drawing.page("issue.html", **drawing.about(stem, Asked.of(request.query_params)))

    @app.get("/issue/{stem}/pane/{key}")
    def pane(stem: str, key: str, request: Request) -> Response:
        return framed(drawing.pane(stem, view(key), Asked.of(request.query_params)))

    @app.get("/images/{name}")
    def picture(name: str) -> Response:
        path = images.served(drawing.room.root, name)
        if path is None:
            raise NotFound("There is no such picture.")
        return FileResponse(path, headers=ALWAYS)


def _everything_else(app: FastAPI, drawing: Drawing) -> None:
    @app.get("/system")
    def every() -> Response:
        screens = system.screens(drawing.room.root, drawing.room.settings)
        return drawing.page("system.html", title="Mails and pages", screens=screens)

    @app.get("/system/{key}/{scheme}")
    def one(key: str, scheme: str) -> Response:
        return framed(drawing.screen(key, scheme))

    @app.get("/theme")
    def looks() -> Response:
        return drawing.page("theme.html", title="Theme")

    @app.get("/theme/specimen")
    def specimen() -> Response:
        return framed(drawing.specimen())

    @app.get("/help/{code}")
    def explained(code: str) -> Response:
        return drawing.explained(code)


def _lifespan(room: Room, bell: Bell) -> Callable[[FastAPI], Any]:
    @contextlib.asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch(room.root, lambda: bell.ring(str(room.changed()))))
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    return running


class OnlyHere:
    """Refuses requests that name another host, or come from another site's page."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http":
            said = dict(scope["headers"])
            if said.get(b"host", b"").lower() not in self._hosts or said.get(b"sec-fetch-site") == b"cross-site":
                refused = HTMLResponse("The preview is for this machine alone.", 403, ALWAYS)
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)
