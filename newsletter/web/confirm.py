"""The one click: GET shows what was asked, POST acts. Nothing but a person's press confirms (promise 5)."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, Response

from newsletter.errors import LinkExpired
from newsletter.flows import signup
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page with the form to ask again"}


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""

    @get(app, "/confirm/{token}", summary="What a confirm link is for", responses={404: _PAGE, 410: _PAGE})
    def show(token: str) -> Response:
        asked = signup.look(token, door.desk)
        return door.answer(door.pages.within(asked.lang).confirm(asked), private=True)

    @app.post(
        "/confirm/{token}",
        summary="Confirm; or, with the field `no`, take it back",
        response_class=HTMLResponse,
        responses={404: _PAGE, 410: _PAGE, 422: _PAGE},
    )
    def act(request: Request, token: str, no: Annotated[str, Form()] = "") -> Response:
        if no:
            lang = ""
            with suppress(LinkExpired):  # too old to matter: nothing is sent either way
                lang = signup.refuse(token, door.desk)
            return door.answer(door.speaking(request.headers, lang).refused(), private=True)
        done = signup.confirm(token, door.desk)
        door.post()
        return door.answer(door.pages.within(done.lang).confirmed(done), private=True)
