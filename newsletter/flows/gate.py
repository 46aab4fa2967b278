"""Who comes to the door: people pass, programs wait or are let talk.

In: what a form brought beside its fields, and from where. Out: a lane. Nobody is refused for what cannot be known:
whoever might be a person gets the same page and the same mail, and with many before them in their lane, a little
later. Touches the counters.

The lanes share the hourly and daily caps on confirmation mail. A slower lane may use only a part of them, so that a
flood in it leaves room for those who opened our page.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from math import ceil

from newsletter.core.consent import Signup
from newsletter.core.links import Purpose
from newsletter.core.publication import Limits
from newsletter.errors import LinkExpired, LinkRefused
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction

SOONEST = timedelta(seconds=3)
"""People take longer than this to type an address."""

CROWD = ((timedelta(minutes=10), 5), (timedelta(hours=24), 20))
"""So many signups from one network within so long are usual."""

_HOUR, _DAY = timedelta(hours=1), timedelta(hours=24)
_HALF = 16  # bytes of a hash


class Lane(IntEnum):
    """In which queue the mail of a signup waits."""

    USUAL = 0  # our own page was opened, and read for a moment
    SLOW = 1  # nothing tells: a copied form, a program's call, a page left open for days
    LAST = 2  # one network asks more often than people do


PART = {Lane.USUAL: 100, Lane.SLOW: 90, Lane.LAST: 15}
"""How much of the caps a lane may use together with those behind it, in percent, rounded up."""


class Trapped(Exception):
    """A program filled what no person sees, or forged a stamp: it gets the usual page, and nothing is kept."""


@dataclass(frozen=True)
class Visit:
    """What comes with a form, and tells nothing about a person. `network`: of `core/network.py`, empty = unknown."""

    stamp: str = ""
    trap: str = ""
    network: str = ""


def stamp(desk: Desk) -> str:
    """What a form of ours carries: when it was made, signed."""
    return desk.links.sign(Purpose.FORM, [], desk.now())


def lane(visit: Visit | None, desk: Desk, now: datetime) -> Lane:
    """The lane by what came with the form. Raises: Trapped."""
    if visit is None:
        return Lane.USUAL
    if visit.trap:
        raise Trapped
    if not visit.stamp:
        return Lane.SLOW
    try:
        desk.links.read(Purpose.FORM, visit.stamp, now - SOONEST)  # made after that: it is from the future
    except LinkExpired:
        return Lane.SLOW
    except LinkRefused:
        raise Trapped from None
    return Lane.USUAL


def crowd(tx: Transaction, visit: Visit | None, desk: Desk, now: datetime) -> Lane:
    """The lane by how many came from there; counts this one. What is kept is a keyed hash that changes every day."""
    if visit is None or not visit.network:
        return Lane.USUAL
    name = f"newsletter.network:{now.date()}:{visit.network}".encode()
    counter = "network:" + hmac.digest(desk.suppression_key, name, "sha256")[:_HALF].hex()
    (brief, few), (long, many) = CROWD
    today = tx.audience.hits(counter, now - long)
    if today >= many:
        return Lane.LAST  # not counted any more: a flood writes nothing here
    tx.audience.hit(counter, now)
    return Lane.LAST if today >= few and tx.audience.hits(counter, now - brief) > few else Lane.USUAL


def crowded(tx: Transaction, asked: Signup, limits: Limits, now: datetime) -> bool:
    """Whether the lane of a signup has used its part of the caps."""
    spans = ((_HOUR, limits.confirmations_per_hour), (_DAY, limits.confirmations_per_day))
    return any(
        tx.audience.hits(_used(slower), now - span) >= ceil(most * PART[slower] / 100)
        for slower in _counted(asked)
        for span, most in spans
    )


def passed(tx: Transaction, asked: Signup, now: datetime) -> None:
    """A confirmation went out: count it for its lane and for those it is part of."""
    for slower in _counted(asked):
        tx.audience.hit(_used(slower), now)


def _counted(asked: Signup) -> list[Lane]:
    """The lanes with a part of their own that a signup counts in."""
    return [slower for slower in Lane if Lane.USUAL < slower <= asked.lane]


def _used(lane: Lane) -> str:
    return f"confirmations:{lane.name.lower()}"
