"""A letter before it goes, behind a link: GET shows it, POST approves, stops, lets go on, mails (promise 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, Response

from newsletter.flows import approve
from newsletter.flows.approve import Shown
from newsletter.web import headers
from newsletter.web.door import Door, get
from newsletter.web.review import Sheet

_PAGE = {"content": {"text/html": {}}, "description": "A page that says why not"}


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    desk = door.desk
    deeds: dict[str, Callable[[str], Shown]] = {
        "stop": lambda token: approve.stop(token, desk),
        "resume": lambda token: approve.resume(token, desk),
        "mail": lambda token: approve.mail(token, desk),
    }

    def answer(sheet: Sheet) -> Response:
        policy = headers.policy(sheet.style) + "; frame-src 'self'"
        return HTMLResponse(sheet.page(), headers={"Content-Security-Policy": policy, **headers.PRIVATE})

    @get(app, "/approve/{token}", summary="A letter before it goes", responses={404: _PAGE})
    def show(token: str, view: str = "", version: str = "") -> Response:
        return answer(Sheet.of(approve.look(token, desk), door.pages, token, view, version))

    @get(app, "/approve/{token}/mail", summary="The letter itself, for the frame", responses={404: _PAGE})
    def letter(token: str, view: str = "", version: str = "") -> Response:
        sheet = Sheet.of(approve.letter(token, desk), door.pages, token, view, version)
        return HTMLResponse(sheet.frame(), headers={"Content-Security-Policy": sheet.policy(), **headers.PRIVATE})

    @app.post(
        "/approve/{token}",
        summary="Approve a letter, stop it, let it go on, or have it mailed",
        response_class=HTMLResponse,
        responses={404: _PAGE, 422: _PAGE},
    )
    def act(
        token: str,
        do: Annotated[str, Form()] = "",
        audience: Annotated[int, Form()] = -1,
        seen: Annotated[int, Form()] = 0,
    ) -> Response:
        if do == "approve":
            shown = approve.approve(token, desk, audience=audience, seen=seen)
        else:
            shown = deeds[do](token) if do in deeds else approve.look(token, desk)
        door.wake()
        return answer(Sheet.of(shown, door.pages, token))
