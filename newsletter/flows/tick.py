"""One pass of everything that is due. `serve` runs it by itself; `newsletter tick` runs it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.flows import hear, lift, mail, owner, retention
from newsletter.flows.desk import Desk

_LONGEST_LIMIT = timedelta(days=8)
_BRIEF = 0.05  # seconds: whoever writes waits meanwhile, and the next pass tries again
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class Pass:
    """What a pass did."""

    mails: int
    forgotten: int
    events: int = 0


def tick(desk: Desk) -> Pass:
    """Read what providers told; send the mail that waits; tell the owner; forget what is kept no longer."""
    heard = hear.read(desk)
    sent = mail.empty(desk)
    lift.lift(desk)
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
