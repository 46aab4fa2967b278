"""A transactional mail that waits to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.core.consent import Mail


class MailState(StrEnum):
    """Where a queued mail stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    SUBMITTED = "submitted"
    DROPPED = "dropped"  # its reason has gone: left, erased, confirmed meanwhile
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class QueuedMail:
    """What is to be sent and to whom; address and links are looked up when it goes."""

    id: int
    key: str
    kind: Mail
    subscriber_id: int
    signup_id: int | None
    magnet: str
    attempt: int
    created_at: datetime
    asked: int = 0  # how often the provider was asked what became of it


MAX_ATTEMPTS = 8

MAX_ASKED = 8
"""After that a mail stays uncertain: what a provider does not know for some hours, it will not learn."""


def wait(attempt: int) -> timedelta:
    """How long to wait after a refusal that may pass: a minute, doubling, at most an hour."""
    return timedelta(seconds=min(60 * 2 ** max(0, attempt - 1), 3600))
