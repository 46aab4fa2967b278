"""Forget in time: the days that `/privacy` promises; and leave no trace of whoever was erased.

In: the desk. Out: how many rows went. Touches subscribers, what hangs on them, and the database's file. An
address that was entered and never confirmed goes without a trace; of one that left, the suppression stays (a
keyed hash), so that no import brings it back. Of one who wanted a free resource and no letter, what the links in
their mail need stays until those end: it names nobody. What somebody agreed to outlives their row by
`consent_months`, under a number that leads to nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from newsletter.core import ids
from newsletter.core.consent import State
from newsletter.core.links import LIFETIME, Purpose
from newsletter.flows.desk import Desk
from newsletter.flows.remind import LATEST
from newsletter.ports import Forgets, Transaction

_AT_ONCE = 500
_REVIEWS_KEPT = timedelta(days=90)  # of letters that nobody said a word to; those that led to one stay
_MAIL_KEPT = timedelta(days=45)
"""So long a bounce finds whom a mail of the front door went to; servers give up after five days (RFC 5321 4.5.4.1)."""
_MONTH = timedelta(days=365.25 / 12)
_SCRUB_DUE = "scrub_due"


def forget(desk: Desk) -> int:
    """Take away the rows whose time is over, a few hundred in a transaction."""
    kept = desk.publication.retention
    days = {State.PENDING: kept.pending_days, State.UNSUBSCRIBED: kept.unsubscribed_days}
    gone = sum(_forget(desk, state, timedelta(days=number)) for state, number in days.items())
    gone += _forget_magnets_alone(desk, timedelta(days=kept.magnet_only_days))
    gone += _forget_evidence(desk, kept.consent_months * _MONTH)
    with desk.store.begin() as tx:
        tx.audience.forget_grants(desk.now() - LIFETIME[Purpose.DOWNLOAD])
        tx.queue.forget(desk.now() - _MAIL_KEPT)
        tx.reviews.forget(desk.now() - _REVIEWS_KEPT)
        told = tx.events.forget(desk.now() - timedelta(days=kept.raw_webhooks_days))
        if told:
            mark(tx, desk)
    return gone + told


def _forget(desk: Desk, state: State, after: timedelta) -> int:
    now = desk.now()
    # A link that went out a moment ago must find its row, however long that stands there; the last is a reminder's.
    times = (now - after, now - LIFETIME[Purpose.CONFIRM] - (LATEST if state is State.PENDING else timedelta(0)))
    with desk.store.read() as tx:
        due, gone = bool(tx.audience.stale(state, *times, 1)), 0
    while due:
        with desk.store.begin() as tx:
            rows = tx.audience.stale(state, *times, _AT_ONCE)
            for who in rows:
                if state is State.PENDING:
                    tx.audience.erase_traces(who)
                else:
                    tx.audience.erase(who)
            if rows:
                mark(tx, desk)
        unsend(desk, [who.email for who in rows])
        gone += len(rows)
        due = len(rows) == _AT_ONCE
    return gone


def _forget_magnets_alone(desk: Desk, after: timedelta) -> int:
    """Those who confirmed for a free resource, get no letter, and have asked for nothing since."""
    now, gone, rows = desk.now(), 0, _AT_ONCE
    while rows == _AT_ONCE:
        with desk.store.begin() as tx:
            found = tx.audience.stale(State.ACTIVE, now - after, now - after, _AT_ONCE, without_topics=True)
            for who in found:
                tx.audience.keep_grants(who.id, now)
                tx.audience.erase(who)
            if found:
                mark(tx, desk)
        unsend(desk, [who.email for who in found])
        rows = len(found)
        gone += rows
    return gone


def _forget_evidence(desk: Desk, after: timedelta) -> int:
    """What people agreed to whose own rows went long ago: nobody can ask for its proof any more."""
    gone, found = 0, _AT_ONCE
    while found == _AT_ONCE:
        with desk.store.read() as tx:  # it looks at every event: nobody who writes waits for that
            pids = tx.audience.evidence_alone(desk.now() - after, _AT_ONCE)
        if pids:
            with desk.store.begin() as tx:
                tx.audience.forget_evidence(pids)
                mark(tx, desk)
        found = len(pids)
        gone += found
    return gone


def unsend(desk: Desk, addresses: Collection[str]) -> None:
    """Take mail to whoever was erased out of an outbox of ours. Raises: ProviderError."""
    for provider in (desk.provider, desk.transactional):
        if addresses and isinstance(provider, Forgets):
            provider.forget(addresses)


def mark(tx: Transaction, desk: Desk) -> None:
    """Note, in the transaction that erases, that the database's file must be cleaned after it."""
    tx.facts.set(_SCRUB_DUE, ids.pid(desk.entropy))  # of its own, so that an earlier cleaning does not settle it


def clean(desk: Desk, *, patience: float) -> bool:
    """Clean the file when that is due. False: another program reads it for `patience` seconds; try again."""
    with desk.store.read() as tx:
        due = tx.facts.get(_SCRUB_DUE)
    if due is None:
        return True
    if not desk.store.scrub(patience=patience):
        return False
    with desk.store.begin() as tx:
        if tx.facts.get(_SCRUB_DUE) == due:
            tx.facts.set(_SCRUB_DUE, None)
    return True
