"""A copy of the database comes back: nobody is mailed twice, and nobody who left since is mailed.

    hold     before it takes its place: all sending waits, what was still to go is uncertain, leavers leave again
    accept   somebody has looked: providers' lists are read in, letters that may have gone are set apart, all goes on

In: the store of the copy, the journal of leavers; the desk. Out: what was done, in numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from newsletter.content import library
from newsletter.core.consent import Change, Evidence, Reason, State, step
from newsletter.core.schedule import zone
from newsletter.core.vitals import CAME_BACK
from newsletter.errors import ContentError, NotApproved, NothingToDo, WorkLeft
from newsletter.flows import suppressions
from newsletter.flows.desk import Desk
from newsletter.flows.suppressions import Synced
from newsletter.ports import Store, Transaction

DOUBTFUL, ACCEPTED, UNSENT = "doubtful_issues", "accepted_on", "unsent_issues"
"""Facts: which issues may have gone after the copy was made; the day it was accepted; which surely did not go."""

MARGIN = timedelta(minutes=1)
"""The journal is read from a little before the copy: who left just then may not be in it yet."""

Line = tuple[datetime, Reason, str]


@dataclass(frozen=True)
class Recovered:
    """What was made uncertain, and who left again."""

    batches: int
    mails: int
    leavers: int


def hold(store: Store, made_at: datetime, journal: Iterable[Line], *, now: datetime) -> Recovered:
    """Hold everything, doubt what is open, let everybody leave who did since; all of it or nothing.

    In: the copy, before anybody can send from it; of when it is.
    """
    with store.begin() as tx:
        tx.facts.set(CAME_BACK, made_at.isoformat())
        tx.campaigns.pause_all(now)
        tx.recovery.skip_numbers()
        batches, mails = tx.recovery.doubt()
        leavers = sum(_leaves(tx, line) for line in journal)
    return Recovered(batches, mails, leavers)


_CHANGES = {
    Reason.UNSUBSCRIBED: Change.UNSUBSCRIBE,
    Reason.BOUNCED: Change.BOUNCE,
    Reason.COMPLAINED: Change.COMPLAINT,
}


def _leaves(tx: Transaction, line: Line) -> bool:
    """Let one leave again; whether they had come back with the copy."""
    at, reason, hmac = line
    who = tx.audience.by_hmac(hmac, held=True)
    was_here = who is not None and tx.audience.suppression(hmac) is None
    tx.audience.suppress(hmac, reason, at, "restore")
    if who is None:
        return was_here
    if reason is Reason.ERASED:
        tx.audience.erase(who)
    elif reason in _CHANGES and (taken := step(who.state, _CHANGES[reason])).record is not None:
        tx.audience.move(who.id, taken.state, at, ends_links=taken.ends_links)
        tx.audience.record([Evidence(who.pid, taken.record, at, method="restore", source="journal")])
        if taken.state is not State.ACTIVE:
            tx.audience.drop_topics(who.id)
    return was_here


def refuse(tx: Transaction, key: str = "", day: date | None = None) -> None:
    """Refuse to send from a copy that was not accepted, or a letter that may have gone after it was made.

    In: the letter's key and day, when it is about one. Raises: NotApproved.
    """
    since = tx.facts.get(CAME_BACK)
    if since is not None:
        raise NotApproved(
            f"This database is a copy of {datetime.fromisoformat(since):%Y-%m-%d %H:%M} UTC; what came after is lost.",
            "See docs/backups.md, then: newsletter db restore --accept",
        )
    if key and _may_have_gone(tx, key, day):
        raise NotApproved(
            f"{key} may have gone out after the backup this database came from.",
            f"Look at the provider. If it did not: newsletter db restore --unsent {key}",
        )


def _may_have_gone(tx: Transaction, key: str, day: date | None) -> bool:
    """Whether a letter the ledger does not know may be one it has forgotten: it was ready then, or is as old."""
    accepted = tx.facts.get(ACCEPTED)
    if accepted is None or key in _listed(tx, UNSENT) or tx.campaigns.by_key(key) is not None:
        return False
    return key in _listed(tx, DOUBTFUL) or day is None or day.isoformat() <= accepted


def _listed(tx: Transaction, fact: str) -> list[str]:
    found: list[str] = json.loads(tx.facts.get(fact) or "[]")
    return found


@dataclass(frozen=True)
class Accepted:
    """What accepting led to: which issues are set apart, and what the providers' lists said."""

    doubtful: Sequence[str]
    lists: Sequence[Synced]


def accept(desk: Desk, *, without_lists: bool = False) -> Accepted:
    """Let sending go on. Raises: NothingToDo when nothing waits for it; WorkLeft when a provider's list says nothing.

    What providers' lists say is obeyed first, as only they may know who left since; `without_lists` goes on without one
    that does not answer. Letters the ledger does not know, and that were ready by now, stay refused until somebody
    knows better (`unsent`).
    """
    with desk.store.read() as tx:
        if tx.facts.get(CAME_BACK) is None:
            raise NothingToDo("This database waits for nobody.", "See: newsletter status")
    lists = suppressions.sync(desk, everything=True)
    silent = [one for one in lists if one.trouble]
    if silent and not without_lists:
        raise WorkLeft(
            f"{silent[0].trouble} Nothing is sent yet: its list may know who left since the backup.",
            "Run it again when it answers, or go on without it: newsletter db restore --accept --without-lists",
        )
    ready, today = _ready(desk), desk.now().astimezone(zone(desk.publication.timezone)).date()
    with desk.store.begin() as tx:
        unknown = [key for key in ready if tx.campaigns.by_key(key) is None]
        tx.facts.set(DOUBTFUL, json.dumps(sorted({*_listed(tx, DOUBTFUL), *unknown})))
        tx.facts.set(ACCEPTED, today.isoformat())
        tx.facts.set(CAME_BACK, None)
        tx.campaigns.pause_all(None)
    return Accepted(unknown, lists)


def _ready(desk: Desk) -> list[str]:
    """The keys of issues that may have gone, early ones too. One that cannot be read cannot go either."""
    first = desk.publication.first_send
    found = []
    for path in library.issues(desk.root):
        try:
            issue = library.load(path, desk.publication, desk.root)
        except ContentError:
            continue
        archive = first is not None and issue.date is not None and issue.date < first
        if not issue.draft and not archive:
            found.append(issue.key)
    return found


def unsent(desk: Desk, key: str) -> bool:
    """Somebody knows that a letter did not go; whether it was in doubt."""
    with desk.store.begin() as tx:
        if tx.facts.get(ACCEPTED) is None or key in _listed(tx, UNSENT):
            return False
        tx.facts.set(UNSENT, json.dumps(sorted({*_listed(tx, UNSENT), key})))
    return True
