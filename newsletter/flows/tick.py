"""One pass of everything that is due. `serve` runs it by itself; `newsletter tick` runs it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.core.vitals import TICKED
from newsletter.flows import bounces, hear, lift, mail, missed, owner, remind, retention, suppressions
from newsletter.flows.desk import Desk

_LONGEST_LIMIT = timedelta(days=8)
_BRIEF = 0.05  # seconds: whoever writes waits meanwhile, and the next pass tries again
_DAY, _HOUR, _MINUTES = timedelta(days=1), timedelta(hours=1), timedelta(minutes=5)


@dataclass(frozen=True)
class Pass:
    """What a pass did."""

    mails: int
    forgotten: int
    events: int = 0


def tick(desk: Desk) -> Pass:
    """All of it: what others are asked for, and what waits on this machine."""
    try:
        errands(desk)
    finally:  # somebody else's trouble holds nothing up here; it is told when all is done
        done = promptly(desk)
    return done


def errands(desk: Desk) -> None:
    """What others are asked for, who may take their time: bounces that lie in a mailbox, the lists of providers."""
    try:
        _every(_MINUTES, "bounces_at", bounces.poll, desk)
    finally:
        _every(_DAY, "lists_at", suppressions.daily, desk)


def promptly(desk: Desk, *, post: bool = True) -> Pass:
    """Read what providers told; remind; send the mail that waits; tell the house; forget what is kept no longer.

    In: `post`, whether the mail is its to send: where another does that, it is done in one place.
    """
    heard = hear.read(desk)
    _every(_MINUTES, "reminded_at", remind.remind, desk)
    sent = mail.empty(desk) if post else 0
    lift.lift(desk)
    _every(_MINUTES, TICKED, missed.look, desk)
    owner.tell(desk)
    forgotten = _every(_DAY, "retention_at", retention.forget, desk)
    _every(_HOUR, "hits_at", _forget_hits, desk)
    retention.clean(desk, patience=_BRIEF)
    return Pass(mails=sent, forgotten=forgotten, events=heard)


def _every(span: timedelta, name: str, work: Callable[[Desk], int], desk: Desk) -> int:
    """Do it when it was not done for so long, by anybody; `name` is the fact that tells when."""
    now = desk.now()
    with desk.store.read() as tx:
        last = tx.facts.get(name)
    if last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < span:
        return 0
    done = work(desk)
    with desk.store.begin() as tx:
        tx.facts.set(name, now.isoformat())
    return done


def _forget_hits(desk: Desk) -> int:
    with desk.store.begin() as tx:
        tx.audience.forget_hits(desk.now() - _LONGEST_LIMIT)
    return 0
