"""Who asks, whether they may, and whether they have asked before: the same for every route of the API.

A request that may be repeated names itself (`Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header): its answer
is kept for a day, and given again. No answer that is kept holds an address.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from newsletter.core import network
from newsletter.core.keys import Scope
from newsletter.errors import AccessRefused, NewsletterError
from newsletter.flows.keys import Caller, identify
from newsletter.web import errors, headers
from newsletter.web.door import Door

KEPT = timedelta(hours=24)
_DEAD = timedelta(minutes=5)  # whoever took a request in hand so long ago gives no answer any more
MOST_WRONG, PER = 30, 60.0
"""Wrong keys from one network within so many seconds, after which it waits."""

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]{1,8000})", re.IGNORECASE)


@dataclass
class Tries:
    """How often each network gave a wrong key lately. In memory: a restart forgives."""

    clock: Callable[[], float] = time.monotonic
    _wrong: dict[str, deque[float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wrong(self, where: str) -> bool:
        """Count one. Out: whether there were too many."""
        now = self.clock()
        with self._lock:
            self._wrong = {name: times for name, times in self._wrong.items() if times[-1] > now - PER}
            times = self._wrong.setdefault(where, deque(maxlen=MOST_WRONG + 1))
            times.append(now)
            return len(times) > MOST_WRONG and times[0] > now - PER


@dataclass(frozen=True)
class Write:
    """A request that changes something."""

    caller: Caller
    door: Door
    key: str
    request: str  # a keyed hash of what is asked: a plain one of an address could be guessed

    def once(self, act: Callable[[], Response]) -> Response:
        """Do it; or, when it was done under this key before, give the answer of then."""
        if not self.key:
            return act()
        desk = self.door.desk
        now, digest = desk.now(), hashlib.sha256(f"{self.caller.account}\n{self.key}".encode()).hexdigest()
        with desk.store.begin() as tx:
            tx.answers.forget(now - KEPT, now - _DEAD)
            fresh = tx.answers.begin(digest, self.request, now)
            kept = None if fresh else tx.answers.of(digest)
        if kept is not None:
            if kept.request != self.request:
                return errors.problem(422, "This Idempotency-Key was used for another request.", kind="key-reused")
            if kept.status is None:
                return errors.problem(
                    409, "The same request is being answered.", {"Retry-After": "5"}, kind="in-progress"
                )
            again = {**headers.PRIVATE, "Idempotent-Replayed": "true"}
            kind = "application/json" if kept.body else None
            return Response(kept.body or None, kept.status, again, media_type=kind)
        try:
            response = act()
        except BaseException:
            with desk.store.begin() as tx:
                tx.answers.drop(digest)
            raise
        with desk.store.begin() as tx:
            tx.answers.keep(digest, response.status_code, bytes(response.body).decode())
        return response


def _given(request: Request) -> str:
    found = _BEARER.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise AccessRefused("This needs a key.", "Send one: Authorization: Bearer nl_... (newsletter keys)")
    return found[1]


async def _json(request: Request) -> bytes:
    """The body, which is JSON or nothing. Raises: HTTPException 415."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise HTTPException(415)
    return body


_BODY = Depends(_json)
_AGAIN = Header(
    None,
    alias="Idempotency-Key",
    max_length=255,
    pattern="^[!-~]+$",
    description="A name of your own for this request, 1 to 255 characters of ASCII: sent again within a day, it is"
    " answered as it was, and nothing is done twice.",
    examples=["import-2026-12-01-0001"],
)


class Asking:
    """Makes what routes depend on."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._tries = Tries()

    def may(self, scope: Scope) -> Any:
        """A dependency: the caller, who has this scope."""

        def caller(request: Request) -> Caller:
            given = _given(request)
            try:
                who = identify(given, self._door.desk)
            except AccessRefused:
                if self._tries.wrong(network.of(request.client.host) if request.client else ""):
                    raise HTTPException(429, headers={"Retry-After": str(int(PER))}) from None
                raise
            who.may(scope)
            return who

        return Depends(caller)

    def write(self, scope: Scope) -> Any:
        """A dependency: a request that changes something, by a caller with this scope."""
        caller = self.may(scope)

        def write(request: Request, caller: Caller = caller, body: bytes = _BODY, named: str | None = _AGAIN) -> Write:
            asked = f"{request.method} {request.url.path}\n".encode() + body
            request_ = hmac.new(self._door.desk.suppression_key, asked, hashlib.sha256).hexdigest()
            return Write(caller, self._door, named or "", request_)

        return Depends(write)


def answer(value: Any, status: int = 200) -> JSONResponse:
    """Something for one program alone."""
    return JSONResponse(value, status, headers.PRIVATE)


def told(act: Callable[[], Response]) -> Response:
    """Do it; what goes wrong is told to the owner's program in full, as it would be on a terminal."""
    try:
        return act()
    except NewsletterError as problem:
        return errors.in_full(problem)


def needs(scope: Scope, more: str = "") -> dict[str, Any]:
    """What a route says of its scope in the OpenAPI document: a sentence, with `more` after it, and the requirement."""
    return {
        "description": f"Needs a key with the scope `{scope}`. {more}".strip(),
        "openapi_extra": {"security": [{"key": [scope]}]},
    }
