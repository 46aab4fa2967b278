"""What an event means for whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.core.bouncemail import meaning
from newsletter.core.consent import Change
from newsletter.core.event import Event, EventType, Reason
from newsletter.core.feedback import change_of, enough, is_authentication, is_soft, judged

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


# --- the words of a mail server -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "550 5.7.515 Access denied, sending domain example.org does not meet the required level",
        "smtp;550-5.7.26 This mail has been blocked",
        "421-4.7.32 not aligned",
        "5.7.30",
    ],
)
def test_our_own_authentication_is_broken(words: str) -> None:
    assert is_authentication(words)


@pytest.mark.parametrize(
    "words", ["550 5.1.1 unknown", "5.7.1 blocked", "5.7.25 no PTR", "5.7.33", "5.7.260", "15.7.26", "2.5.7.26", ""]
)
def test_it_is_something_else(words: str) -> None:
    assert not is_authentication(words)


@pytest.mark.parametrize(
    ("words", "given", "want"),
    [
        ("550 5.1.1 no such user", (True, "bounce"), (True, "bounce")),
        ("550 unknown recipient", (True, "bounce"), (True, "bounce")),
        ("552-5.2.2 over quota", (True, "bounce"), (False, "bounce")),
        ("550 5.7.1 refused by policy", (True, "bounce"), (False, "block")),
        ("550 5.7.1 user unknown", (True, "bounce"), (True, "bounce")),
        ("550 5.7.26 unauthenticated", (True, "bounce"), (False, "authentication")),
        ("421-4.7.26 unauthenticated", (False, "block"), (False, "authentication")),
        ("5.0.0 550 5.1.1 gone", (True, "bounce"), (True, "bounce")),
        ("delivered over 10.5.2.2", (True, "bounce"), (True, "bounce")),
        ("552 5.2.2 over quota", (False, "block"), (False, "block")),
        ("552 Mailbox full", (True, "bounce"), (False, "bounce")),
        ("550 5.1.8 <us@y.test>: Sender address rejected: Domain not found", (True, "bounce"), (False, "block")),
        ("553 5.1.8 Domain of sender address us@y.test does not exist", (True, "bounce"), (False, "block")),
        ("554 Client host [192.0.2.1] blocked using zen.spamhaus.org", (True, "bounce"), (False, "block")),
        ("552 5.3.4 too big", (True, "bounce"), (False, "block")),
        ("550 5.6.0 content refused", (True, "bounce"), (False, "block")),
        ("550 5.7.509 sending domain does not pass DMARC", (True, "bounce"), (False, "authentication")),
        ("550 5.4.14 hop count exceeded", (True, "bounce"), (True, "bounce")),
        ("", (True, "invalid"), (True, "invalid")),
    ],
)  # fmt: skip
def test_a_providers_verdict_gives_way_to_the_servers_clear_words(
    words: str, given: tuple[bool, Reason], want: tuple[bool, str]
) -> None:
    assert judged(words, *given) == want


@pytest.mark.parametrize(
    "words",
    [
        "552 5.2.2 mailbox full",
        "552 Mailbox full",
        "550 5.7.1 not accepted here",
        "550 5.1.8 Sender address rejected: Domain not found",
        "554 blocked using zen.spamhaus.org",
        "552 5.3.4 too big",
        "550 5.1.1 no such user",
    ],
)
def test_a_refusal_means_the_same_whoever_tells_it(words: str) -> None:
    """By mail (RFC 3464), and by the providers that call each of these hard."""
    type_, permanent, reason = meaning("failed", "5.0.0", words)
    by_mail = change_of(Event(type_, "e1", NOW, permanent=permanent, reason=reason))
    permanent, reason = judged(words, True, "bounce")
    by_webhook = change_of(Event(EventType.BOUNCED, "e1", NOW, permanent=permanent, reason=reason))
    assert by_mail is by_webhook is (Change.BOUNCE if "5.1.1" in words else None)
