"""One email to one address, and what became of it.

A `Batch` is what a provider is handed at once; a `BatchResult` is its answer, one `Outcome` for each
recipient in the same order. Unknown is an answer of its own: it is never guessed into another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal, NamedTuple


class Status(StrEnum):
    """What the provider said of one recipient."""

    __hash__ = str.__hash__  # an enum's own is Python

    SUBMITTED = "submitted"  # it took the message
    REJECTED = "rejected"  # it refused this recipient for good
    SUPPRESSED = "suppressed"  # it will not mail this address (its own list)
    RETRY = "retry"  # surely not sent; may be tried again
    UNKNOWN = "unknown"  # the answer was lost


class Recipient(NamedTuple):  # as is `Outcome`: one for each reader, at a third of what a frozen dataclass costs
    """A row of a batch. `key` is ours, unique for ever, opaque, safe in a file name and a Message-ID."""

    key: str
    address: str
    values: Mapping[str, str]
    unsubscribe_url: str = ""


@dataclass(frozen=True)
class Batch:
    """Recipients of one variant; `at` is the moment of the claim (the message's Date)."""

    recipients: tuple[Recipient, ...]
    at: datetime
    tag: str = ""  # the campaign's key, for providers with tags


class Outcome(NamedTuple):
    """The answer for one recipient. `code` is the provider's; `detail` never holds the address."""

    key: str
    status: Status
    message_id: str | None = None
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class BatchResult:
    """Exactly one outcome for each recipient, in order.

    `retry_after`: seconds all senders should wait. `halt`: why the whole run must stop ("" = go on).
    """

    outcomes: tuple[Outcome, ...]
    retry_after: float | None = None
    halt: Literal["", "auth", "quota", "account", "bug"] = ""


Trial = Literal["delivered", "bounced", "soft_bounced", "complained", "suppressed"]


@dataclass(frozen=True)
class Finding:
    """What a provider says of our account before a campaign: `error` refuses it, `warning` is told.

    An error needs a clear answer; no answer is a warning.
    """

    level: Literal["error", "warning"]
    id: str  # such as "quota", "stream", "tracking", "domain", "key"
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Suppression:
    """An address on a provider's own list, and why it stands there. Ours is the truth."""

    address: str
    reason: Literal["bounce", "complaint", "unsubscribe", "other"]
    at: datetime | None = None


@dataclass(frozen=True)
class Signing:
    """What the zone of a sender's domain must hold for a provider's mail to be believed.

    `selectors` are the names a DKIM key may stand at; `spf` is what its SPF record must include; `return_path` is the
    domain bounces go to, in which `{domain}` stands for the sender's, or "" when it is the provider's own.
    """

    selectors: tuple[str, ...] = ()
    spf: str = ""
    return_path: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What a provider can do; the flows refuse by name what it cannot."""

    max_batch: int = 1  # recipients in one call
    max_call_bytes: int | None = None
    mode: Literal["merge", "batch", "single"] = "single"
    per_recipient_headers: Literal["yes", "managed", "no"] = "yes"
    result: Literal["per_recipient", "all_or_nothing"] = "per_recipient"
    idempotency_ttl: float | None = None  # seconds a repeated key is recognised
    reconcile: Literal["search", "events", "no"] = "no"
    settle_seconds: float = 0.0  # how long before a search is conclusive
    rate: float | None = None  # messages per second, the provider's documented limit
    network: bool = True  # False: nothing leaves this machine
    suppressions: frozenset[Literal["read", "add", "remove"]] = frozenset()  # what its own list lets us do
    holds: frozenset[Literal["bounce", "complaint", "unsubscribe"]] = frozenset()
    """For which reasons an address can be put on it, and comes back with the same one, or with none."""
    webhook_auth: Literal["svix", "ecdsa", "hmac", "sns", "shared_secret", "none"] = "none"
    event_ids: bool = False  # whether an event carries a unique id
    unsubscribe_events: bool = False  # whether it may take readers off by itself, and says so
    test_addresses: Mapping[Trial, str] = field(default_factory=dict)  # its own, which answer as named
    signing: Signing = Signing()  # what doctor looks for in the zone

    @property
    def splits(self) -> bool:
        """Whether rows that surely were not sent may leave a batch of which others are unknown.

        Only where each row has an answer of its own and a call's key means nothing: a key that a provider
        remembers stands for the whole batch, and the batch must stay what it was.
        """
        return self.result == "per_recipient" and self.idempotency_ttl is None


def on_this_machine(host: str) -> bool:
    """Whether a host is a loopback one: localhost (RFC 6761 6.3), 127.0.0.0/8 or ::1 (RFC 6890)."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def all_of(batch: Batch, status: Status, *, code: str = "", detail: str = "") -> tuple[Outcome, ...]:
    """The same outcome for every recipient of a batch."""
    return tuple(Outcome(recipient.key, status, code=code, detail=detail) for recipient in batch.recipients)
