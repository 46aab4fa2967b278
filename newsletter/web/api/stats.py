"""Numbers, and nobody's address."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from newsletter.core.keys import Scope
from newsletter.flows import audience
from newsletter.flows.keys import Caller
from newsletter.web.api.asking import Asking, answer, needs
from newsletter.web.api.shapes import Refusals, Shape
from newsletter.web.door import Door, get

_TAG: Any = ["stats"]


class Stats(Shape):
    """How things stand."""

    subscribers: dict[str, int] = Field(
        description="How many stand in each state, and `all`.", examples=[{"active": 311, "pending": 4, "all": 315}]
    )
    campaigns: dict[str, int] = Field(description="How many are in each state.", examples=[{"finished": 12}])


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    reads = Asking(door).may(Scope.STATS_READ)

    @get(
        app,
        "/api/stats",
        answers=JSONResponse,
        tags=_TAG,
        summary="How many subscribers and campaigns there are",
        **needs(Scope.STATS_READ),
        response_model=Stats,
        responses=Refusals.of(401, 403, 429, 503),
    )
    def numbers(_caller: Caller = reads) -> Response:
        with door.desk.store.read() as tx:
            states = [campaign.state.value for campaign in tx.campaigns.all()]
        campaigns = {state: states.count(state) for state in sorted({*states})}
        return answer({"subscribers": audience.stats(door.desk), "campaigns": campaigns})
