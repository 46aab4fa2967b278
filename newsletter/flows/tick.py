"""One pass of everything that is due. `serve` runs it by itself; `newsletter tick` runs it once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from newsletter.flows import mail, retention
from newsletter.flows.desk import Desk

_LONGEST_LIMIT = timedelta(days=8)


@dataclass(frozen=True)
class Pass:
    """What a pass did."""

    mails: int
    forgotten: int


def tick(desk: Desk) -> Pass:
    """Send the mail that waits; forget what is kept no longer, and what no limit counts any more."""
    sent = mail.empty(desk)
    forgotten = retention.forget(desk)
    with desk.store.begin() as tx:
        tx.audience.forget_hits(desk.now() - _LONGEST_LIMIT)
    return Pass(mails=sent, forgotten=forgotten)
