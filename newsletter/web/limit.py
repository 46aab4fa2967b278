"""How much one request may bring: read here, before anything parses it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 64 * 1024  # bytes
MOST_EVENTS = 4 * 1024 * 1024  # bytes of a webhook: some providers tell a thousand events at once
_HEARD_OUT = 32 * 1024 * 1024  # a client that is still sending does not listen: let it finish, and keep nothing


class Limit:
    """Reads the body, at most `MOST` bytes of it, and hands it on; a larger one is answered with 413.

    In: `events`, how the paths begin where providers report; theirs may be larger.
    """

    def __init__(self, app: ASGIApp, *, too_large: Callable[[], Response], events: str) -> None:
        self._app = app
        self._too_large = too_large
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body whole; or refuse it. A client that goes away before its end asked nothing."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(receive, MOST_EVENTS if scope["path"].startswith(self._events) else MOST)
        except ClientDisconnect:
            return
        if body is None:
            await self._too_large()(scope, receive, send)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None when it is too large, after hearing the client out. Raises: ClientDisconnect."""
    body, size, more = bytearray(), 0, True
    while more and size <= _HEARD_OUT:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            body += chunk
        else:
            body.clear()
        more = bool(message.get("more_body", False))
    return bytes(body) if size <= most else None
