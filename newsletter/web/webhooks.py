"""What providers tell afterwards: kept before it is answered, read by the worker.

200 for a request that is kept, also the second time; 403 for one that the provider did not sign; 404 for a provider
that is not set up; 503 when too many wait, the database is busy, or a signature cannot be judged now: the provider
comes again, and nothing that was answered with 200 is lost.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from newsletter.errors import BadSignature, NotFound, ProviderError, WorkLeft
from newsletter.flows import hear
from newsletter.web.door import Door

PATH = "/webhooks/"
MOST_WAITING = 500
"""Requests in hand at once; more are asked to come again."""


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    intake = hear.Intake(door.desk)
    in_hand: set[Request] = set()

    def keep(provider: str, headers: dict[str, str], body: bytes) -> Response:
        try:
            intake.keep(hear.verified(provider, headers, body, door.desk))
        except BadSignature:
            return _said(HTTPStatus.FORBIDDEN)
        except NotFound:
            return _said(HTTPStatus.NOT_FOUND)
        except (WorkLeft, ProviderError):
            return _said(HTTPStatus.SERVICE_UNAVAILABLE)
        door.heard()
        return _said(HTTPStatus.OK)

    async def hook(provider: str, request: Request) -> Response:
        if len(in_hand) >= MOST_WAITING:
            return _said(HTTPStatus.SERVICE_UNAVAILABLE)
        in_hand.add(request)
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            return await run_in_threadpool(keep, provider, headers, await request.body())
        finally:
            in_hand.discard(request)

    app.post(
        PATH + "{provider}",
        summary="Events of a mail provider",
        response_class=PlainTextResponse,
        responses=dict.fromkeys((403, 404, 503), _PLAIN),
    )(hook)


_PLAIN: dict[str, Any] = {"content": {"text/plain": {}}, "description": "The status in words"}


def _said(status: HTTPStatus) -> Response:
    retry = {"Retry-After": "30"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return PlainTextResponse(f"{status.phrase}\n", status, retry)
