"""The headers of every answer: what a browser may do with it, and who may keep it.

No page of ours sets a cookie or loads anything from elsewhere, and none runs a script but the signup while it is
flooded (`pages/proof.js`): the browser is told so.
The referrer policy is `same-origin`, never `no-referrer`: with that, Chromium sends `Origin: null` on our
own forms.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
"""For whatever belongs to one person, or answers one."""

_YEAR = 365 * 24 * 3600
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.*-]+(:\d+)?")


class Headers:
    """Adds what every answer needs, unless the answer says otherwise itself."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._always = ALWAYS | ({"Strict-Transport-Security": f"max-age={_YEAR}"} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; complete the head of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, complete)


def page(
    html: str,
    *,
    style: str,
    status: int = 200,
    private: bool = False,
    frames: Iterable[str] = (),
    images: str = "",
    script: str = "",
) -> HTMLResponse:
    """A page as an answer.

    In: the document and the text of its one `<style>`; `private` for pages of one person; `frames`: the
    origins that may show it in a frame; `images`: an origin pictures come from beside our own; `script`: the text of
    its one `<script>`, for the few that have one.
    """
    headers = {"Content-Security-Policy": policy(style, frames=frames, images=images, script=script)}
    return HTMLResponse(html, status, {**headers, **(PRIVATE if private else {"Cache-Control": "no-cache"})})


def policy(style: str, *, frames: Iterable[str] = (), images: str = "", script: str = "") -> str:
    """The Content-Security-Policy (CSP 3) of a page with this style sheet, and this script if any."""
    runs = f" script-src 'sha256-{_digest(script)}';" if script else ""
    framing = " ".join(["'self'", *frames]) if frames else "'none'"
    pictures = f"'self' {images}".strip()
    return (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}';{runs} img-src {pictures};"
        f" form-action 'self'; base-uri 'none'; frame-ancestors {framing}"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def origin(url: str) -> str:
    """Scheme, host and port of a URL, as browsers spell an Origin (RFC 6454); empty when there is none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.scheme and parts.netloc else ""


def origins(given: Iterable[str]) -> tuple[str, ...]:
    """Those of the listed origins that are origins, in the spelling of browsers."""
    tidy = (one.strip().rstrip("/").lower() for one in given)
    return tuple(one for one in tidy if _ORIGIN.fullmatch(one))
