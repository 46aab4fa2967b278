"""Those of a file who left where they come from: none of them is written to here.

In: rows of a file, a transaction. Out: what is decided of each, and then done. Touches suppressions, and whoever is a
subscriber of ours already. A word that somebody gave us by their own mailbox later than they left there holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from newsletter.core.columns import worst
from newsletter.core.consent import Change, Evidence, Kind, Reason, State, step
from newsletter.flows.consent import withdraw
from newsletter.flows.desk import Desk
from newsletter.flows.roster import Row
from newsletter.ports import Transaction

_OPEN = (State.ACTIVE, State.PENDING)


@dataclass(frozen=True)
class Leaver:
    """Somebody a file says is gone: the row that says it, and what follows."""

    row: Row
    reason: Reason
    known: bool  # a subscriber of ours, whom letters would reach
    newer: bool  # they came to us after that

    def decision(self, row: Row, suppressed: Collection[str]) -> str:
        """What one of their rows is counted as; only the row that decides is counted as leaving."""
        if row is not self.row:
            return "doubled"
        if self.newer:
            return "known"
        if row.hmac in suppressed:
            return "suppressed"
        return "withdrawn" if self.known else "left"


def of(rows: Sequence[Row], known: Mapping[str, State], tx: Transaction) -> dict[str, Leaver]:
    """Who of some rows left, by the address's fingerprint; the worst that is said of somebody holds."""
    said: dict[str, list[Row]] = {}
    for row in rows:
        if row.standing.reason is not None:
            said.setdefault(row.hmac, []).append(row)
    return {hmac: _leaver(theirs, known.get(hmac), tx) for hmac, theirs in said.items()}


def _leaver(theirs: Sequence[Row], state: State | None, tx: Transaction) -> Leaver:
    standing = worst([row.standing for row in theirs])
    row = next(row for row in theirs if row.standing is standing)
    reason = standing.reason
    assert reason is not None
    is_known = state in _OPEN
    return Leaver(row, reason, is_known, newer=state is State.ACTIVE and _came_later(row, reason, tx))


def _came_later(row: Row, reason: Reason, tx: Transaction) -> bool:
    """Whether somebody confirmed by their own mailbox after what the file tells; without a time, nobody can say so."""
    who = tx.audience.by_hmac(row.hmac)
    if who is None or row.left_at is None or reason in {Reason.COMPLAINED, Reason.OWNER}:
        return False
    confirmed = (event["at"] for event in tx.audience.evidence(who.pid) if event["kind"] == Kind.CONFIRM)
    return max(confirmed, default=row.left_at) > row.left_at


def obey(leavers: Mapping[str, Leaver], tx: Transaction, desk: Desk, *, source: str) -> None:
    """Do it: suppress them all, and end what is open of those we know."""
    now = desk.now()
    gone = [leaver for leaver in leavers.values() if not leaver.newer]
    for leaver in gone:
        if leaver.known:
            _end(leaver, tx, desk, source)
    tx.moving.suppress(((one.row.hmac, one.reason, one.row.left_at or now) for one in gone), f"import: {source}")


_CHANGES = {Reason.BOUNCED: Change.BOUNCE, Reason.COMPLAINED: Change.COMPLAINT}


def _end(leaver: Leaver, tx: Transaction, desk: Desk, source: str) -> None:
    who, now = tx.audience.by_hmac(leaver.row.hmac, held=True), desk.now()
    if who is None:
        return
    change = _CHANGES.get(leaver.reason)
    if change is None:
        withdraw(tx, who, now, method="import", source=source)
        return
    taken = step(who.state, change)
    if taken.record is not None:
        tx.audience.move(who.id, taken.state, now, ends_links=taken.ends_links)
        tx.audience.record([Evidence(who.pid, taken.record, now, method="import", source=source)])
