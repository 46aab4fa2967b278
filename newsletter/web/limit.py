"""How much one request may bring, and how long it may take: read here, before anything parses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 64 * 1024  # bytes
MOST_EVENTS = 4 * 1024 * 1024  # bytes of a webhook: some providers tell a thousand events at once
MOST_LETTERS = 8 * 1024 * 1024  # bytes of a letter that is rendered elsewhere: of up to sixteen versions of it
MOST_HEAD = 8 * 1024  # bytes of path, names and values: what the usual proxies let through
MOST_FIELDS = 100
PATIENCE = 30.0  # seconds until the last byte is here
_HEARD_OUT = 32 * 1024 * 1024  # a client that is still sending does not listen: let it finish, and keep nothing


class Limit:
    """Reads the body, at most `MOST` bytes of it, and hands it on; whatever is larger, or slower, is refused.

    In: `refused`, the answer to a request by its status (408, 413, 431); `events`, how the paths begin where providers
    report: theirs may be larger; `letters`, the paths where rendered letters arrive: larger still.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        refused: Callable[[Scope, int], Response],
        events: str,
        letters: Collection[str] = (),
        patience: float = PATIENCE,
    ) -> None:
        self._app = app
        self._refused = refused
        self._events = events
        self._letters = frozenset(letters)
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body whole; or refuse it. A client that goes away before its end asked nothing."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MOST_EVENTS if scope["path"].startswith(self._events) else MOST
        most = MOST_LETTERS if scope["path"] in self._letters else most
        try:
            async with asyncio.timeout(self._patience):
                body = await _read(receive, most)
        except ClientDisconnect:
            return
        except TimeoutError:
            await self._refuse(408, scope, receive, send)
            return
        if body is None or _too_long(scope):
            await self._refuse(413 if body is None else 431, scope, receive, send)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._refused(scope, status)
        response.headers["Connection"] = "close"  # nothing more of it is read
        await response(scope, receive, send)


def _too_long(scope: Scope) -> bool:
    """Whether the head is: RFC 6585, 5 leaves it to us where it ends."""
    fields = scope.get("headers", ())
    size = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    return len(fields) > MOST_FIELDS or size + sum(len(name) + len(value) for name, value in fields) > MOST_HEAD


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
