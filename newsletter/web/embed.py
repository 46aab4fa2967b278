"""A form of ours in somebody's own site: the script it may use, and who may read the answers of the API.

Which sites those are stands in `newsletter.yml`, with each form. Nothing of a visitor is sent along: no cookie, no
credential.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.content import templates
from newsletter.core.publication import Publication
from newsletter.web import headers
from newsletter.web.door import Door, get

API = "/api/subscribe"
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400", "Cross-Origin-Resource-Policy": "cross-origin"}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "86400",
}


class _Script(Response):
    media_type = "text/javascript"


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    text = templates.find("embed/embed.js", door.desk.root).read_text("utf-8")

    @get(app, "/embed.js", answers=_Script, summary="For a copied form: answers in the page instead of leaving it")
    def script() -> Response:
        return _Script(text, headers=_FOR_A_DAY)


def origins(publication: Publication) -> tuple[str, ...]:
    """Every origin that a form names."""
    return headers.origins(origin for form in publication.forms.values() for origin in form.origins)


class Shared:
    """Lets the pages of some origins read the answers of one path, errors too (Fetch standard, 3.2).

    Who may sign up with which form is decided behind it; this only opens the answer to the page that asked.
    """

    def __init__(self, app: ASGIApp, *, path: str, origins: Iterable[str]) -> None:
        self._app = app
        self._path = path
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its answer opened; a question beforehand (preflight) is answered here."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        origin = asked.get("origin", "")
        listed = origin.lower() in self._origins
        if listed and scope["method"] == "OPTIONS" and "access-control-request-method" in asked:
            allowed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin", **_PREFLIGHT}
            await Response(status_code=204, headers=allowed)(scope, receive, send)
            return

        async def opened(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if listed:
                    answer["Access-Control-Allow-Origin"] = origin
            await send(message)

        await self._app(scope, receive, opened)
