"""What a provider tells afterwards of one message: normalised, whatever its own words were.

Types and reasons are one list for all providers; what it said itself stays beside them in `raw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal


class EventType(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"  # the provider took it
    DELIVERED = "delivered"  # the mailbox took it
    DEFERRED = "deferred"  # the provider tries again
    BOUNCED = "bounced"  # the mailbox refused it; `permanent` says whether for good
    REJECTED = "rejected"  # the provider would not send it: its own list, or our content
    FAILED = "failed"  # the provider could not send it, and that is not the address's fault
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    IGNORED = "ignored"  # known to mean nothing for us, or not known at all


Reason = Literal["", "bounce", "invalid", "block", "authentication", "complaint", "unsubscribe"]
"""Why, where it matters: `block` is about us, not the address; `authentication` that our own is broken."""


UNTOLD = datetime.fromtimestamp(0, UTC)
"""The time of an event that tells of none: it is taken to happen when it is told."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to one message.

    `event_id` is unique for the provider: its own id, or a hash of the fields that tell two events apart.
    `key` is the delivery's, when the event carries it. `permanent` is None where it makes no sense.
    """

    type: EventType
    event_id: str
    at: datetime
    email: str | None = field(default=None, repr=False)
    permanent: bool | None = None
    reason: Reason = ""
    message_id: str | None = None
    key: str | None = None
    way_out: str | None = field(default=None, repr=False)  # the credential of our unsubscribe link, where it is told
    url: str | None = field(default=None, repr=False)
    machine: bool | None = None  # an open or click that was surely no person's
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ParseError:
    """One event of a body that could not be read; the others stand. `what` holds no address."""

    what: str
    raw: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Raw:
    """A webhook request as it came, after its signature was found right. `key` tells two requests apart."""

    provider: str
    key: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    ignored: str = ""  # why nobody is to read it


@dataclass(frozen=True)
class Heard:
    """An event as it is kept: what `newsletter events` tells."""

    provider: str
    type: EventType
    email: str | None = field(repr=False)
    permanent: bool | None
    reason: str
    message_id: str | None
    campaign: str | None
    at: datetime
    matched: bool = True  # whether it is about somebody we know
