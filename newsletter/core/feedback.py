"""What an event means for the subscriber it is about. Most mean nothing: only a few may end a subscription.

A mailbox that is full, or a server that is away, says nothing about the address until it has said so often; a
refusal that is about us (our content, our reputation, our own authentication) never does. That is one rule, whoever
tells: a provider by webhook, a mail server by mail, a provider's list.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from newsletter.core import event
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


# --- the words of a mail server --------------------------------------------------------------------


def judged(words: str, permanent: bool, reason: event.Reason) -> tuple[bool, event.Reason]:
    """What a provider calls a bounce, corrected by the mail server's own words where these are clear.

    In: the words with their status codes (RFC 3463), the server's own first; the provider's verdict. A provider calls
    much of it hard: a mailbox that is full (X.2.2), a policy (X.7.X), a fault of ours. What says that the address is
    no more stays.
    """
    codes = codes_of(words)
    if any(map(is_ours, codes)):
        return False, "authentication"
    code = codes[0] if codes else "0.0"
    if not permanent or code in GONE_FOR_SURE:
        return permanent, reason
    if is_full(code, words):
        return False, "bounce"
    if about(code, words, for_good=True) in {"block", "ours"}:
        return False, "block"
    return permanent, reason


def about(code: str, said: str, *, for_good: bool) -> Literal["invalid", "bounce", "block", "authentication", "ours"]:
    """Whose fault a failure is: the address's, its mailbox's, ours by reputation, by authentication, or by content.

    In: subject and detail of the status code ("1.1"; "0.0" where there is none), the server's words, and whether it
    refused for good.
    """
    subject = code.partition(".")[0]
    if is_ours(code):
        return "authentication"
    if code in _BAD_SENDER or (code not in GONE_FOR_SURE and _ABOUT_SENDER.search(said)):
        return "block"
    if code in _NO_SUCH_MAILBOX or (for_good and says_gone(said)):
        return "invalid"
    if subject == "7" or _BLOCKED.search(said):
        return "block"
    return "ours" if subject in {"5", "6"} or code in _TOO_LARGE else "bounce"


def is_full(code: str, said: str) -> bool:
    """Whether a code or the words say that the mailbox is full."""
    return code in FULL or _FULL_WORDS.search(said) is not None


def codes_of(words: str) -> list[str]:
    """Subject and detail of each status code in a server's words: "1.1" of "5.1.1". Success is none, nor X.0.0."""
    return [f"{subject}.{detail}" for subject, detail in _CODE.findall(words) if (subject, detail) != ("0", "0")]


def is_authentication(words: str) -> bool:
    """Whether a mail server's refusal says that our own authentication is broken: it means nobody's address."""
    return any(map(is_ours, codes_of(words)))


def is_ours(code: str) -> bool:
    """Whether a code says that SPF, DKIM or DMARC fail.

    5.7.509 and 5.7.515 are Outlook's, 5.7.26 to 5.7.32 are Gmail's; 5.7.20 to 5.7.24 and 5.7.26 stand in RFC 7372 3.
    """
    return code in _OUR_AUTHENTICATION


def says_gone(words: str) -> bool:
    """Whether a server says in words that there is no such address."""
    return _GONE.search(words) is not None


_CODE = re.compile(r"(?<![\d.])[45]\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_OUR_AUTHENTICATION = {"7.509", "7.515", *(f"7.{detail}" for detail in (*range(20, 25), *range(26, 33)))}
GONE_FOR_SURE = {"1.1", "1.10"}
FULL = {"2.2", "3.1"}
_NO_SUCH_MAILBOX = {"1.0", "1.1", "1.2", "1.3", "1.4", "1.6", "1.10", "2.1"}
_BAD_SENDER = {"1.7", "1.8"}  # RFC 3463 3.2
_ABOUT_SENDER = re.compile(
    r"sender (?:address )?rejected|not allowed to send|spamhaus|too many|at a rate|rate limit"
    r"|<[^>]*>\.{3} access denied",
    re.IGNORECASE,
)
_TOO_LARGE = {"2.3", "3.4"}
_FULL_WORDS = re.compile(
    r"quota|(?:mailbox|inbox|storage).{0,20}full|insufficient.{0,12}(?:space|storage)", re.IGNORECASE
)
_BLOCKED = re.compile(
    r"\bspam\b|blacklist|block ?list|blocklisted|blocked|\brbl\b|dnsbl|reputation|policy|denied|rejected due to|"
    r"spf|dkim|dmarc|poor reputation|banned|refused your",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"(?:user|mailbox|account|recipient|address|alias)[^.\n]{0,40}"
    r"(?:unknown|not (?:found|exist)|doesn'?t exist|does not exist|no longer|invalid|unavailable|disabled|inactive)"
    r"|no such (?:user|recipient|mailbox|account|person|address)|unknown (?:user|recipient|local)|not our customer"
    r"|recipient address rejected: access denied|(?:invalid|unknown) recipient|domain is not reachable"
    r"|unrouteable address|host (?:or domain )?(?:name )?(?:unknown|not found)|domain not found"
    r"|doesn'?t have an? .{0,20}account",
    re.IGNORECASE,
)

# --- what it leads to ------------------------------------------------------------------------------

REASONS = {Change.BOUNCE: Reason.BOUNCED, Change.COMPLAINT: Reason.COMPLAINED, Change.UNSUBSCRIBE: Reason.UNSUBSCRIBED}
"""Why the address is suppressed after a change."""
