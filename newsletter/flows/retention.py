"""Forget in time: the days that `/privacy` promises.

In: the desk. Out: how many rows went. Touches subscribers only. An address that was entered and never
confirmed goes without a trace; of one that left, the suppression stays (a keyed hash), so that no import
brings it back.
"""

from __future__ import annotations

from datetime import timedelta

from newsletter.core.consent import State
from newsletter.flows.desk import Desk

_AT_ONCE = 500


def forget(desk: Desk) -> int:
    """Take away the rows whose time is over, a few hundred in a transaction."""
    kept = desk.publication.retention
    days = {State.PENDING: kept.pending_days, State.UNSUBSCRIBED: kept.unsubscribed_days}
    return sum(_forget(desk, state, timedelta(days=number)) for state, number in days.items())


def _forget(desk: Desk, state: State, after: timedelta) -> int:
    before, gone = desk.now() - after, 0
    with desk.store.read() as tx:
        due = bool(tx.audience.stale(state, before, 1))
    while due:
        with desk.store.begin() as tx:
            rows = tx.audience.stale(state, before, _AT_ONCE)
            for who in rows:
                tx.audience.erase(who)
        gone += len(rows)
        due = len(rows) == _AT_ONCE
    if gone:
        desk.store.scrub()
    return gone
