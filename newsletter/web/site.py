"""The web side as one application: routes, pages, headers, and a worker for what is due.

In: a desk. Out: an ASGI application (`newsletter.web.serve` runs it). It keeps no session, sets no cookie
and loads nothing from elsewhere; what it does is in the flows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import newsletter
from newsletter.core.hand import Hand
from newsletter.flows import hear, mail
from newsletter.flows.desk import Desk
from newsletter.flows.tick import errands, promptly
from newsletter.web import (
    api,
    approve,
    archive,
    confirm,
    download,
    elsewhere,
    embed,
    errors,
    feed,
    free,
    health,
    icon,
    images,
    leave,
    preferences,
    signup,
    stop,
    webhooks,
)
from newsletter.web.door import Door
from newsletter.web.guard import Guard
from newsletter.web.headers import Headers
from newsletter.web.limit import Limit
from newsletter.web.pages import Pages
from newsletter.web.press import Press
from newsletter.web.worker import Worker

_READ = (signup, embed, free, confirm, download, leave, preferences, archive, feed, images, icon)
ROUTES = (*_READ, health, webhooks, stop, approve, api, elsewhere)
_REST = 0.25  # seconds: nobody waits for so long at a mailbox, and what comes meanwhile is claimed together
_ERRANDS = 30.0  # seconds between looks whether somebody else is to be asked for something


def site(desk: Desk, *, tick_seconds: float = 1.0) -> FastAPI:
    """Build it.

    In: the desk; how often, in seconds, the worker looks for what is due when nothing wakes it.
    Raises: SettingsError for a theme or template that cannot be used.
    """
    hand = Hand.of(desk.transactional.capabilities)
    ear = Worker(lambda: hear.read(desk), tick_seconds, rest=_REST)
    lanes = Lanes(
        Worker(lambda: mail.empty(desk, hand=hand), tick_seconds, rest=_REST),
        Worker(lambda: promptly(desk, post=False), tick_seconds),
        Worker(lambda: errands(desk), max(tick_seconds, _ERRANDS)),
        Press(desk, tick_seconds),
        ear,
    )
    door = Door(desk, Pages(desk, desk.publication.language), lanes.wake, lanes.post, ear.wake)
    app = FastAPI(
        title=desk.publication.name,
        version=newsletter.__version__,
        docs_url=None,  # its pages load scripts of a third party
        redoc_url=None,
        redirect_slashes=False,  # a redirect would break one-click leaving (RFC 8058, 3.2)
        lifespan=_lifespan(lanes),
    )
    for part in ROUTES:
        part.routes(app, door)
    errors.install(app, door)
    api.document.install(app)
    app.add_middleware(
        Limit,
        refused=lambda scope, status: errors.refuse(door, scope, errors.STATUS[status]),
        events=webhooks.PATH,
        letters=api.campaigns.PATHS,
    )
    app.add_middleware(Guard, broken=lambda scope: errors.refuse(door, scope, errors.BROKEN))
    app.add_middleware(embed.Shared, path=embed.API, origins=embed.origins(desk.publication))
    app.add_middleware(Headers, https=desk.links.base_url.startswith("https:"))  # the last added is the outermost
    return app


class Lane(Protocol):
    """A thread that works, and can be woken."""

    def start(self) -> None:
        """Begin."""
        ...

    def wake(self) -> None:
        """There is something to do."""
        ...

    def stop(self) -> object:
        """End."""
        ...


class Lanes:
    """A thread for each: a confirmation never queues behind what providers tell by the thousand, nor behind a campaign,
    and none of them behind a mailbox or a list that somebody else is asked for.
    """

    def __init__(self, *workers: Lane) -> None:
        self._workers = workers

    def start(self) -> None:
        """Begin all."""
        for worker in self._workers:
            worker.start()

    def wake(self) -> None:
        """There is something to do."""
        for worker in self._workers:
            worker.wake()

    def post(self) -> None:
        """There is mail to send: the first of them does that."""
        self._workers[0].wake()

    def stop(self) -> None:
        """End all."""
        for worker in self._workers:
            worker.stop()


def _lifespan(worker: Lanes):  # type: ignore[no-untyped-def]  # noqa: ANN202
    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        try:
            yield
        finally:
            await run_in_threadpool(worker.stop)

    return running
