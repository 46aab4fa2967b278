"""Leaving: one click, for ever, for anyone who holds the link; and half an hour to think again.

In: the credential of an unsubscribe link. Out: nothing, for any credential the same (RFC 8058; no oracle).
Touches the subscriber, the evidence and the suppression of the address the link was made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from newsletter.core import elsewhere, ids
from newsletter.core.consent import Change, Evidence, Kind, Reason, State, Subscriber, step
from newsletter.core.links import Purpose
from newsletter.errors import LinkRefused
from newsletter.flows.consent import withdraw
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction

UNDO = timedelta(minutes=30)
"""So long a withdrawal can be taken back by the same link, and a reason be given for it."""

REASONS = ("often", "other", "enough", "never")
"""What may be said of leaving: too often, something else was expected, enough for now, never asked for it."""

DOCTOR = "doctor_at"
"""The fact that says when a doctor's link was last answered."""

_SOURCE = "/unsubscribe"
_STOOD = frozenset({Kind.CONFIRM, Kind.IMPORT, Kind.UNDO})
_TURNS = _STOOD | {Kind.WITHDRAW, Kind.LIFT, Kind.BOUNCE, Kind.COMPLAINT}


def leave(token: str, desk: Desk, *, method: str) -> None:
    """Unsubscribe whoever has, now, the address this link was made for. Unknown links do nothing.

    `method`: "one-click" (the mail program's POST) or "page" (the button).
    """
    now = desk.now()
    with desk.store.begin() as tx:
        if _is_doctor(token, desk, now):
            tx.facts.set(DOCTOR, now.isoformat())
            return
        who = behind(tx, token, desk, held=True)
        if who is not None:
            withdraw(tx, who, now, method=method, source=_SOURCE)


def _is_doctor(token: str, desk: Desk, now: datetime) -> bool:
    """Whether `newsletter doctor` asks if this way out works, on this database and with these keys."""
    if "." not in token:  # a reader's has no dot, a signed one has
        return False
    try:
        desk.links.read(Purpose.DOCTOR, token, now)
    except LinkRefused:
        return False
    return True


def undo(token: str, desk: Desk) -> None:
    """Take a withdrawal of the last half hour back: the same topics as before. Else nothing happens.

    Only who was a subscriber by a confirmed word becomes one again, and nothing else that speaks against the
    address (a complaint, a bounce, the owner's word) is touched.
    """
    now = desk.now()
    with desk.store.begin() as tx:
        who = behind(tx, token, desk, held=True)
        left = _left(tx, who, now) if who else None
        if who is None or left is None or tx.audience.suppression(who.hmac) is not Reason.UNSUBSCRIBED:
            return
        taken, topics = step(who.state, Change.UNDO), tuple(left["topics"])
        assert taken.record is not None
        tx.audience.lift(who.hmac, {Reason.UNSUBSCRIBED})
        tx.brake.lift(who.id, now)  # from the provider's own list too
        tx.audience.move(who.id, taken.state, now)
        tx.audience.give_topics(who.id, topics)
        tx.audience.record([Evidence(who.pid, taken.record, now, method="page", topics=topics, source=_SOURCE)])


def explain(token: str, reason: str, desk: Desk) -> None:
    """Keep why somebody left: one of `REASONS`, once, within half an hour. Else nothing happens."""
    now = desk.now()
    with desk.store.begin() as tx:
        who = behind(tx, token, desk, held=True)
        if who is None or reason not in REASONS or _left(tx, who, now) is None:
            return
        if tx.audience.evidence(who.pid)[-1]["kind"] != Kind.REASON:
            tx.audience.record([Evidence(who.pid, Kind.REASON, now, method="page", source=_SOURCE, note=reason)])


def behind(tx: Transaction, token: str, desk: Desk, *, held: bool = False) -> Subscriber | None:
    """Who has, now, the address an unsubscribe link was made for, here or where they came from; `held` to act on them.

    In: our credential, or the id that links of the system before us end in.
    """
    hmac = tx.audience.address_of_link(ids.digest(token))
    if hmac is None and (old := elsewhere.bare(token)):
        hmac = tx.moving.address_of(elsewhere.keyed(old, desk.suppression_key))
    return tx.audience.by_hmac(hmac, held=held) if hmac else None


def _left(tx: Transaction, who: Subscriber, now: datetime) -> Mapping[str, Any] | None:
    """The withdrawal that just ended somebody's subscription; None when it is another story."""
    turns = [event for event in tx.audience.evidence(who.pid) if event["kind"] in _TURNS]
    if who.state is not State.UNSUBSCRIBED or len(turns) < 2:  # noqa: PLR2004 -- before, and after
        return None
    before, last = turns[-2:]
    recent = last["kind"] == Kind.WITHDRAW and now - last["at"] <= UNDO
    return last if recent and before["kind"] in _STOOD else None
