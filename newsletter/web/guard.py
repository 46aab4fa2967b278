"""The last net: whatever nobody foresaw becomes a page, and a line in the log that tells no secret.

An exception's message may hold an address (a database quotes its parameters), so the log gets the name of
its class and the places it came through, and no more (promise 12).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("newsletter.web")


class Guard:
    """Answers for a handler that broke."""

    def __init__(self, app: ASGIApp, *, broken: Callable[[Scope], Response]) -> None:
        self._app = app
        self._broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; catch what falls."""
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as problem:  # noqa: BLE001 -- this is the net
            log.error("%s %s broke: %s", scope.get("method", ""), route(scope), told(problem))  # noqa: TRY400
            if not begun and scope["type"] == "http":
                await self._broken(scope)(scope, receive, send)


def told(problem: BaseException) -> str:
    """An exception without its message: its class, and where it came through, the innermost first."""
    frames = traceback.extract_tb(problem.__traceback__)[-4:]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)]
    return f"{type(problem).__name__} at {' < '.join(places)}"


def route(scope: Scope) -> str:
    """The route's pattern, never the path: a path can be somebody's key."""
    return str(getattr(scope.get("route"), "path", "?"))
