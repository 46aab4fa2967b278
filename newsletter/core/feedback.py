"""What an event means for the subscriber it is about. Most mean nothing: only a few may end a subscription.

A mailbox that is full, or a server that is away, says nothing about the address until it has said so often; a
refusal that is about us (our content, our reputation, our own authentication) never does.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from newsletter.core.consent import Change, Reason
from newsletter.core.event import Event, EventType

SOFT_BOUNCES = 3
"""Soft bounces, on as many different days within `SOFT_SPAN`, after which an address is taken as gone."""

SOFT_SPAN = timedelta(days=30)

_ABOUT_US = {"block", "authentication"}
_ADDRESS_GONE = {"bounce", "invalid"}


def change_of(event: Event) -> Change | None:
    """The change of state an event asks for by itself; None for all that is told and no more.

    A provider that will not send because of its own list (`rejected`) repeats what it was told before.
    """
    if event.type is EventType.COMPLAINED:
        return Change.COMPLAINT
    if event.type is EventType.UNSUBSCRIBED:
        return Change.UNSUBSCRIBE
    if event.type is EventType.BOUNCED and event.permanent and event.reason not in _ABOUT_US:
        return Change.BOUNCE
    if event.type is EventType.REJECTED:
        if event.reason in _ADDRESS_GONE:
            return Change.BOUNCE
        return {"complaint": Change.COMPLAINT, "unsubscribe": Change.UNSUBSCRIBE}.get(event.reason)
    return None


def is_soft(event: Event) -> bool:
    """Whether an event counts toward a bounce: the address, not us, and not for good."""
    return event.type is EventType.BOUNCED and not event.permanent and event.reason not in _ABOUT_US


def enough(moments: Collection[datetime], now: datetime) -> bool:
    """Whether soft bounces of an address, by when they happened, are as good as a hard one."""
    recent = {moment.date() for moment in moments if now - moment <= SOFT_SPAN}
    return len(recent) >= SOFT_BOUNCES


REASONS = {Change.BOUNCE: Reason.BOUNCED, Change.COMPLAINT: Reason.COMPLAINED, Change.UNSUBSCRIBE: Reason.UNSUBSCRIBED}
"""Why the address is suppressed after a change."""
