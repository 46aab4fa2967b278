"""What an event means for whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.core.consent import Change
from newsletter.core.event import Event, EventType
from newsletter.core.feedback import change_of, enough, is_soft

NOW = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)


def event(type_: str, permanent: bool | None = None, reason: str = "") -> Event:
    return Event(EventType(type_), "e1", NOW, permanent=permanent, reason=reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "change", "soft"),
    [
        (event("bounced", True, "bounce"), Change.BOUNCE, False),
        (event("bounced", True), Change.BOUNCE, False),
        (event("bounced", False, "bounce"), None, True),
        (event("bounced"), None, True),
        (event("bounced", True, "block"), None, False),
        (event("bounced", True, "authentication"), None, False),
        (event("bounced", False, "block"), None, False),
        (event("complained"), Change.COMPLAINT, False),
        (event("unsubscribed"), Change.UNSUBSCRIBE, False),
        (event("rejected", None, "bounce"), Change.BOUNCE, False),
        (event("rejected", None, "complaint"), Change.COMPLAINT, False),
        (event("rejected", None, "unsubscribe"), Change.UNSUBSCRIBE, False),
        (event("rejected"), None, False),
        (event("deferred", False), None, False),
        (event("failed"), None, False),
        (event("delivered"), None, False),
        (event("resubscribed"), None, False),
        (event("ignored"), None, False),
    ],
)
def test_what_an_event_asks_for(one: Event, change: Change | None, soft: bool) -> None:
    assert change_of(one) is change
    assert is_soft(one) is soft


def test_soft_bounces_are_enough_on_three_days_within_thirty() -> None:
    def days(*ago: float) -> list[datetime]:
        return [NOW - timedelta(days=number) for number in ago]

    assert enough(days(0, 3, 29), NOW)
    assert not enough(days(0, 3, 31), NOW)
    assert not enough(days(0, 0.1, 0.2, 3), NOW)
    assert not enough([], NOW)
