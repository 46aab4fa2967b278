"""What is a reader's own: topics and language, a copy of all we hold, to be erased. GET shows, POST acts (promise 5).

The token is the credential of a letter, or that of a link which was mailed to the address; `flows/preferences.py`
says which opens what.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, Response

from newsletter.core.consent import Mail
from newsletter.core.links import Purpose
from newsletter.errors import LinkExpired, LinkRefused
from newsletter.flows import preferences
from newsletter.web import errors, headers
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_ASKED = {"export": Mail.EXPORT, "erase": Mail.ERASE}
_FILE = "what-we-hold.json"
_AGAIN = ("prefs.again",)
_LATE = errors.Answer(410, "page.expired_title", _AGAIN)
_WRONG = errors.Answer(404, "page.refused_title", _AGAIN)


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    desk = door.desk

    @get(app, "/preferences/{token}", summary="What a reader can choose", responses={404: _PAGE, 410: _PAGE})
    def show(request: Request, token: str) -> Response:
        return _answered(lambda: look(token), request, door)

    def look(token: str) -> Response:
        link = preferences.mailed(token, desk)
        if link is None:
            chosen = preferences.look(token, desk)
            return door.answer(door.pages.within(chosen.lang).preferences(token, chosen), private=True)
        pages = door.pages.within(link.lang)
        return door.answer(pages.export() if link.purpose is Purpose.EXPORT else pages.erase(), private=True)

    @app.post(
        "/preferences/{token}",
        summary="Save the choice, ask for a link, or use one that was mailed",
        response_class=HTMLResponse,
        responses={404: _PAGE, 410: _PAGE, 422: _PAGE},
    )
    def act(
        request: Request,
        token: str,
        topic: Annotated[list[str] | None, Form()] = None,
        lang: Annotated[str, Form()] = "",
        do: Annotated[str, Form()] = "",
    ) -> Response:
        return _answered(lambda: done(token, topic or [], lang, do), request, door)

    def done(token: str, topics: list[str], lang: str, do: str) -> Response:
        link = preferences.mailed(token, desk)
        if link and link.purpose is Purpose.EXPORT:
            return _file(preferences.export(link, desk))
        if link:
            preferences.erase(link, desk)
            return door.answer(door.pages.within(link.lang).erased(), private=True)
        if do in _ASKED:
            spoken = preferences.ask(token, _ASKED[do], desk)
            door.post()
            return door.answer(door.pages.within(spoken).asked(), private=True)
        chosen = preferences.change(token, topics, lang, desk)
        page = door.pages.within(chosen.lang).preferences(token, chosen, saved=chosen.reads)
        return door.answer(page, private=True)


def _answered(answer: Callable[[], Response], request: Request, door: Door) -> Response:
    """The answer, or the page that says where a new link is had: not by the signup form here."""
    try:
        return answer()
    except LinkRefused as refused:
        known = _LATE if isinstance(refused, LinkExpired) else _WRONG
        return errors.respond(door, door.speaking(request.headers), known)


def _file(found: object) -> Response:
    text = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
    kept = {**headers.PRIVATE, "Content-Disposition": f'attachment; filename="{_FILE}"'}
    return Response(text, media_type="application/json", headers=kept)
