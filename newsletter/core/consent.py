"""Who may be written to, as a state machine, and the evidence of each step.

A subscriber's state says whether the address may get mail; topics say which. Every pair of state and event
that is not in the table is illegal. `gen` goes up whenever consent is withdrawn, so that a link made
before cannot bring anyone back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from newsletter.errors import LinkRefused


class State(StrEnum):
    """Where a subscriber stands. No row at all is `None`."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Change(StrEnum):
    """What happens to a subscriber."""

    SIGNUP = "signup"
    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    UNDO = "undo"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"


class Kind(StrEnum):
    """What a consent event records."""

    REQUEST = "request"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"
    UNDO = "undo"
    REASON = "reason"
    PREFERENCES = "preferences"
    IMPORT = "import"
    ERASE = "erase"
    LIFT = "lift"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"


class Mail(StrEnum):
    """The transactional mails of the front door."""

    CONFIRM = "confirm"
    REMIND = "remind"
    ASK = "ask"  # whom an import brought without proof
    WORKBOOK = "workbook"
    ALREADY = "already"
    EXPORT = "export"
    ERASE = "erase"


@dataclass(frozen=True)
class Step:
    """What a change leads to: the new state, what is recorded, what is mailed, whether old links end."""

    state: State
    record: Kind | None = None
    mail: Mail | None = None
    ends_links: bool = False


_P, _A, _U, _B, _C = State.PENDING, State.ACTIVE, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED

TABLE: dict[tuple[State | None, Change], Step] = {
    (None, Change.SIGNUP): Step(_P, Kind.REQUEST, Mail.CONFIRM),
    (_P, Change.SIGNUP): Step(_P, Kind.REQUEST, Mail.CONFIRM),
    (_A, Change.SIGNUP): Step(_A, Kind.REQUEST, Mail.ALREADY),
    (_U, Change.SIGNUP): Step(_U, Kind.REQUEST, Mail.CONFIRM),
    (_B, Change.SIGNUP): Step(_B, Kind.REQUEST, Mail.CONFIRM),
    (_C, Change.SIGNUP): Step(_C),
    (_P, Change.CONFIRM): Step(_A, Kind.CONFIRM, Mail.WORKBOOK),
    (_A, Change.CONFIRM): Step(_A, Kind.CONFIRM, Mail.WORKBOOK),
    (_U, Change.CONFIRM): Step(_A, Kind.CONFIRM, Mail.WORKBOOK),
    (_B, Change.CONFIRM): Step(_A, Kind.CONFIRM, Mail.WORKBOOK),
    (_P, Change.UNSUBSCRIBE): Step(_U, Kind.WITHDRAW, ends_links=True),
    (_A, Change.UNSUBSCRIBE): Step(_U, Kind.WITHDRAW, ends_links=True),
    (_U, Change.UNSUBSCRIBE): Step(_U),
    (_B, Change.UNSUBSCRIBE): Step(_U, Kind.WITHDRAW, ends_links=True),
    (_C, Change.UNSUBSCRIBE): Step(_C),
    (_U, Change.UNDO): Step(_A, Kind.UNDO),
    (_P, Change.BOUNCE): Step(_B, Kind.BOUNCE, ends_links=True),
    (_A, Change.BOUNCE): Step(_B, Kind.BOUNCE, ends_links=True),
    (_U, Change.BOUNCE): Step(_B, Kind.BOUNCE, ends_links=True),
    (_B, Change.BOUNCE): Step(_B),
    (_C, Change.BOUNCE): Step(_C),
    (_P, Change.COMPLAINT): Step(_C, Kind.COMPLAINT, ends_links=True),
    (_A, Change.COMPLAINT): Step(_C, Kind.COMPLAINT, ends_links=True),
    (_U, Change.COMPLAINT): Step(_C, Kind.COMPLAINT, ends_links=True),
    (_B, Change.COMPLAINT): Step(_C, Kind.COMPLAINT, ends_links=True),
    (_C, Change.COMPLAINT): Step(_C),
}


def step(state: State | None, change: Change) -> Step:
    """What the change leads to from here.

    Raises: LinkRefused for a pair the table does not hold (a confirmation for someone who complained, or
    for someone unknown).
    """
    found = TABLE.get((state, change))
    if found is None:
        raise LinkRefused("This link no longer works.", "You can ask for a new one with the form.")
    return found


@dataclass(frozen=True)
class Subscriber:
    """An address that asked, and where it stands. `pid` is public and random; `gen` dates its links."""

    id: int
    pid: str
    hmac: str  # of the address, under the suppression key
    email: str
    state: State
    gen: int
    lang: str
    first_name: str
    last_name: str
    unsubscribe_token: str
    created_at: datetime
    confirmed_at: datetime | None
    topics: tuple[str, ...] = ()


class Newcomer(NamedTuple):
    """A subscriber about to be added. A tuple, as imports make them by the million."""

    email: str
    hmac: str
    pid: str
    unsubscribe_token: str
    state: State
    lang: str
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True)
class Signup:
    """What somebody asked for with a form: it takes effect when the mailbox confirms it."""

    id: int
    subscriber_id: int
    gen: int
    form: str
    magnet: str
    topics: tuple[str, ...]
    lang: str
    confirmed_at: datetime | None
    lane: int = 0  # in which queue its mail waits (flows/gate.py)


@dataclass(frozen=True)
class Grant:
    """The right of a subscriber to a lead magnet."""

    id: int
    subscriber_id: int | None  # None: it outlives the row of a reader who wanted this alone
    magnet: str
    downloads: int


@dataclass(frozen=True)
class Evidence:
    """One consent event, append-only. `wording` is the hash of the rendered text the person saw."""

    pid: str
    kind: Kind
    at: datetime
    method: str  # form, page, one-click, import, command, retention
    form: str = ""
    wording: str = ""
    topics: tuple[str, ...] = ()
    magnet: str = ""
    source: str = ""  # where it came from: the path of a page of ours, "cli", the name of a file
    note: str = ""


class Reason(StrEnum):
    """Why an address must not be mailed."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OWNER = "owner"


STRONGEST_FIRST = (Reason.COMPLAINED, Reason.OWNER, Reason.ERASED, Reason.UNSUBSCRIBED, Reason.BOUNCED)
"""An address may have several reasons against it at once; the first of these is the one to tell."""

ENDED_BY_CONSENT = frozenset({Reason.UNSUBSCRIBED, Reason.BOUNCED, Reason.ERASED})
"""Suppressions that the person's own new, confirmed consent lifts. A complaint or the owner's word stays."""
