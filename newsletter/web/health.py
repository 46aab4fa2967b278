"""For whoever watches the service."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from newsletter.web import headers
from newsletter.web.door import Door, get


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""

    @get(app, "/healthz", answers=PlainTextResponse, summary="The process answers")
    def alive() -> Response:
        return PlainTextResponse("ok\n", headers=headers.PRIVATE)

    @get(
        app,
        "/readyz",
        answers=PlainTextResponse,
        summary="The database can be read",
        responses={503: {"content": {"text/plain": {}}, "description": "It cannot"}},
    )
    def ready() -> Response:
        try:
            with door.desk.store.read() as tx:
                tx.campaigns.paused_all()
        except Exception:  # noqa: BLE001 -- whatever it is, the answer is no
            return PlainTextResponse("the database cannot be read\n", 503, headers.PRIVATE)
        return PlainTextResponse("ready\n", headers=headers.PRIVATE)
