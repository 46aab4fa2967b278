"""After a copy of the database came back: nobody is mailed twice, and nobody who left since is mailed.

    recovered   right after the restore: all sending waits, what was still to go is uncertain, leavers leave again
    accept      somebody has looked: providers' lists are read in, issues that may have gone are set apart, all goes on

In: the desk on the restored database, the journal of leavers. Out: what was done, in numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.content import library
from newsletter.core.consent import Change, Evidence, Reason, State, step
from newsletter.errors import ContentError, NotApproved, NothingToDo
from newsletter.flows import suppressions
from newsletter.flows.desk import Desk
from newsletter.flows.doctor.database import CAME_BACK
from newsletter.flows.suppressions import Synced
from newsletter.ports import Transaction

DOUBTFUL = "doubtful_issues"
"""The fact of which issues may have gone after the copy was made."""

Line = tuple[datetime, Reason, str]


@dataclass(frozen=True)
class Recovered:
    """What was made uncertain, and who left again."""

    batches: int
    mails: int
    leavers: int


def recovered(desk: Desk, made_at: datetime, journal: Iterable[Line]) -> Recovered:
    """Hold everything, doubt what is open, let everybody leave who did since. In: of when the copy is."""
    with desk.store.begin() as tx:
        tx.facts.set(CAME_BACK, made_at.isoformat())
        tx.campaigns.pause_all(desk.now())
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


def refuse(tx: Transaction, key: str = "") -> None:
    """Refuse to send from a database that came back and was not accepted, or an issue that may have gone.

    Raises: NotApproved.
    """
    since = tx.facts.get(CAME_BACK)
    if since is not None:
        raise NotApproved(
            f"This database is a copy of {datetime.fromisoformat(since):%Y-%m-%d %H:%M} UTC; what came after is lost.",
            "See docs/backups.md, then: newsletter db restore --accept",
        )
    if key and key in doubtful(tx):
        raise NotApproved(
            f"{key} may have gone out after the backup this database came from.",
            f"Look at the provider. If it did not: newsletter db restore --unsent {key}",
        )


def doubtful(tx: Transaction) -> list[str]:
    """The issues that may have gone after the copy was made."""
    found: list[str] = json.loads(tx.facts.get(DOUBTFUL) or "[]")
    return found


@dataclass(frozen=True)
class Accepted:
    """What accepting led to: which issues are set apart, and what the providers' lists said."""

    doubtful: Sequence[str]
    lists: Sequence[Synced]


def accept(desk: Desk) -> Accepted:
    """Let sending go on. Raises: NothingToDo when nothing waits for it.

    Issues that are ready and that the ledger does not know may have gone after the copy was made: each stays refused
    until somebody knows better (`unsent`). What providers' lists say is obeyed first.
    """
    with desk.store.read() as tx:
        if tx.facts.get(CAME_BACK) is None:
            raise NothingToDo("This database waits for nobody.", "See: newsletter status")
    lists = suppressions.sync(desk, everything=True)
    ready = _ready(desk)
    with desk.store.begin() as tx:
        unknown = [key for key in ready if tx.campaigns.by_key(key) is None]
        tx.facts.set(DOUBTFUL, json.dumps(sorted({*doubtful(tx), *unknown})))
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
    """Somebody knows that an issue did not go; whether it was in doubt."""
    with desk.store.begin() as tx:
        known = doubtful(tx)
        if key not in known:
            return False
        tx.facts.set(DOUBTFUL, json.dumps([one for one in known if one != key]))
    return True
