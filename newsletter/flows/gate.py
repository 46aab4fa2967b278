"""Who comes to the door: people pass, programs wait or are let talk.

In: what a form brought beside its fields, and from where. Out: a lane. Nobody is refused for what cannot be known:
whoever might be a person gets the same page and the same mail, and with many before them in their lane, a little
later. Touches the counters.

The lanes share the hourly and daily caps on confirmation mail. A slower lane may use only a part of them, so that a
flood in it leaves room for those who opened our page. While half of a cap is used the door is pressed: the slower
lanes get less, and a page whose browser shows that it worked for it goes before all others (`core/proof.py`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from math import ceil

from newsletter.core import ids, proof
from newsletter.core.address import LARGE, Address
from newsletter.core.consent import Signup
from newsletter.core.links import LIFETIME, Purpose
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
_NONCE = 6  # bytes: a stamp's own number, exact in every JSON
_TOLD = "full_told_at"

FULL = "full"
"""The kind of notice that tells of it."""


CONFIRMATIONS = "confirmations"
"""The counter of all of them."""


class Lane(IntEnum):
    """In which queue the mail of a signup waits."""

    KNOWN = 0  # the house's own hand; or a page whose browser worked for it while the door was pressed
    USUAL = 1  # our own page was opened, and read for a moment
    SLOW = 2  # nothing tells: a copied form, a program's call, a page left open for days
    LAST = 3  # one network asks more often than people do


OPEN = 80
"""Percent of the caps for all lanes together; what is over is for those who are known."""

CALM = {Lane.SLOW: OPEN, Lane.LAST: 15}
PRESSED = {Lane.SLOW: 40, Lane.LAST: 10}
"""How much of the caps a slow lane may use together with the one behind it, in percent, rounded up."""

_PRESSING = 50  # percent of a cap


class Trapped(Exception):
    """A program filled what no person sees, or forged a stamp: it gets the usual page, and nothing is kept."""


@dataclass(frozen=True)
class Visit:
    """What comes with a form, and tells nothing about a person. `network`: of `core/network.py`, empty = unknown."""

    stamp: str = ""
    trap: str = ""
    network: str = ""
    proof: str = ""  # the number a browser found for the stamp


def stamp(desk: Desk, *, once: bool = False) -> str:
    """What a form of ours carries: when it was made, signed; with `once`, a number of its own, to be worked for."""
    own = [int.from_bytes(desk.entropy(_NONCE))] if once else []
    return desk.links.sign(Purpose.FORM, own, desk.now())


def lane(visit: Visit | None, desk: Desk, now: datetime) -> Lane:
    """The lane by what came with the form. Raises: Trapped."""
    if visit is None:
        return Lane.KNOWN
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


def crowd(tx: Transaction, visit: Visit | None, desk: Desk, now: datetime) -> bool:
    """Whether too many came from there; counts this one. What is kept is a keyed hash that changes every day."""
    if visit is None or not visit.network:
        return False
    name = f"newsletter.network:{now.date()}:{visit.network}".encode()
    counter = "network:" + hmac.digest(desk.suppression_key, name, "sha256")[:_HALF].hex()
    (brief, few), (long, many) = CROWD
    today = tx.audience.hits(counter, now - long)
    if today >= many:
        return True  # not counted any more: a flood writes nothing here
    tx.audience.hit(counter, now)
    return today >= few and tx.audience.hits(counter, now - brief) > few


def pressed(tx: Transaction, limits: Limits, now: datetime) -> bool:
    """Whether so many ask that people and programs must be told apart."""
    return _used_up(tx, CONFIRMATIONS, _PRESSING, limits, now)


def under_pressure(desk: Desk) -> bool:
    """The same, for a page that is about to be shown."""
    with desk.store.read() as tx:
        return pressed(tx, desk.publication.limits, desk.now())


def works(visit: Visit | None) -> bool:
    """Whether a browser worked for its stamp. Takes a millisecond where it says so; reads nothing."""
    return visit is not None and bool(visit.proof) and proof.holds(visit.stamp, visit.proof)


def spent(tx: Transaction, visit: Visit, desk: Desk, now: datetime) -> bool:
    """Take the number of a stamp that was worked for: once, as whoever copies it pays nothing.

    False when it has none of its own, or was here before.
    """
    own = desk.links.read(Purpose.FORM, visit.stamp, now)
    counter = f"proof:{own[0]:x}" if own else ""
    if not counter or tx.audience.hits(counter, now - LIFETIME[Purpose.FORM]):
        return False
    tx.audience.hit(counter, now)
    return True


def held_up(tx: Transaction, asked: Signup, who: Address, desk: Desk, now: datetime, *, gently: bool = False) -> bool:
    """Whether a confirmation must wait: for all of them, for its lane, or for those at one domain the hour is full.

    `gently`: a reminder, which waits while the door is pressed at all.
    """
    limits = desk.publication.limits
    whole = _PRESSING if gently else 100 if asked.lane == Lane.KNOWN else OPEN
    if _used_up(tx, CONFIRMATIONS, whole, limits, now):
        return True
    part = PRESSED if pressed(tx, limits, now) else CALM
    if any(_used_up(tx, _used(slower), part[slower], limits, now) for slower in _counted(asked)):
        return True
    counter = _domain(who, asked, desk)
    return bool(counter) and tx.audience.hits(counter, now - _HOUR) >= limits.confirmations_per_domain


def passed(tx: Transaction, asked: Signup, who: Address, desk: Desk, now: datetime) -> None:
    """A confirmation goes out: count it, also for its lane and those it is part of, and for its domain."""
    for counter in _counters(asked, who, desk):
        tx.audience.hit(counter, now)


def came_back(tx: Transaction, asked: Signup, who: Address, desk: Desk) -> None:
    """One that was counted did not go out."""
    for counter in _counters(asked, who, desk):
        tx.audience.unhit(counter)


def _counters(asked: Signup, who: Address, desk: Desk) -> list[str]:
    counted = (CONFIRMATIONS, *(_used(slower) for slower in _counted(asked)), _domain(who, asked, desk))
    return [counter for counter in counted if counter]


def tell(tx: Transaction, desk: Desk, now: datetime) -> None:
    """Let the owner be told that confirmations wait, once a day."""
    last = tx.facts.get(_TOLD)
    if last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < _DAY:
        return
    limits = desk.publication.limits
    said = f"{limits.confirmations_per_hour} / {limits.confirmations_per_day}"
    tx.facts.set(_TOLD, now.isoformat())
    tx.brake.notice(ids.pid(desk.entropy), None, FULL, said, now)


def _used_up(tx: Transaction, counter: str, part: int, limits: Limits, now: datetime) -> bool:
    """Whether a counter has reached its part, in percent, of the caps of an hour or a day."""
    spans = ((_HOUR, limits.confirmations_per_hour), (_DAY, limits.confirmations_per_day))
    return any(tx.audience.hits(counter, now - span) >= ceil(most * part / 100) for span, most in spans)


def _domain(who: Address, asked: Signup, desk: Desk) -> str:
    """The counter of a domain, as a keyed hash; none for the providers where most people have their mail.

    Who opened our page is counted apart from who did not, so that a flood at their domain holds up none of them.
    """
    if who.domain in LARGE:
        return ""
    name = f"newsletter.domain:{asked.lane <= Lane.USUAL}:{who.domain}".encode()
    return f"{CONFIRMATIONS}:at:{hmac.digest(desk.suppression_key, name, 'sha256')[:_HALF].hex()}"


def _counted(asked: Signup) -> list[Lane]:
    """The lanes with a part of their own that a signup counts in."""
    return [slower for slower in Lane if Lane.USUAL < slower <= asked.lane]


def _used(lane: Lane) -> str:
    return f"{CONFIRMATIONS}:{lane.name.lower()}"
