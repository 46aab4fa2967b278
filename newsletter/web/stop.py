"""The owner's Stop, from a mail: GET shows the letter and one button, POST stops it (promise 5)."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from newsletter.flows import brake
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page that says why not"}


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""

    @get(app, "/stop/{token}", summary="What a Stop link is for", responses={404: _PAGE})
    def show(request: Request, token: str, lang: str = "") -> Response:
        return door.answer(door.speaking(request.headers, lang).stop(brake.look(token, door.desk)), private=True)

    @app.post("/stop/{token}", summary="Stop a letter that goes", response_class=HTMLResponse, responses={404: _PAGE})
    def act(request: Request, token: str, lang: str = "") -> Response:
        return door.answer(door.speaking(request.headers, lang).stop(brake.press(token, door.desk)), private=True)
