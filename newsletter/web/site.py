"""The web side as one application: routes, pages, headers, and a worker for what is due.

In: a desk. Out: an ASGI application (`newsletter.web.serve` runs it). It keeps no session, sets no cookie
and loads nothing from elsewhere; what it does is in the flows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import newsletter
from newsletter.flows.desk import Desk
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
    metrics,
    preferences,
    signup,
    stop,
    webhooks,
)
from newsletter.web.door import Door
from newsletter.web.guard import Guard
from newsletter.web.headers import Headers
from newsletter.web.lanes import Lanes, everything
from newsletter.web.limit import Limit
from newsletter.web.pages import Pages

_READ = (signup, embed, free, confirm, download, leave, preferences, archive, feed, images, icon)
ROUTES = (*_READ, health, metrics, webhooks, stop, approve, api, elsewhere)


def site(desk: Desk, *, tick_seconds: float = 1.0) -> FastAPI:
    """Build it.

    In: the desk; how often, in seconds, the worker looks for what is due when nothing wakes it.
    Raises: SettingsError for a theme or template that cannot be used.
    """
    lanes = everything(desk, tick_seconds)
    door = Door(desk, Pages(desk, desk.publication.language), lanes.wake, lanes.post, lanes.heard)
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


def _lifespan(worker: Lanes):  # type: ignore[no-untyped-def]  # noqa: ANN202
    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        try:
            yield
        finally:
            await run_in_threadpool(worker.stop)

    return running
