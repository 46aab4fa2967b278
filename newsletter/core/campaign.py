"""A campaign, its plan and its counts: values and the rules that bind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from newsletter.core.delivery import Outcome, Recipient
from newsletter.core.schedule import iso

LETTER = "letter"
"""The letter's own topic: given by ticking the box, or by an attested import."""

EVERYONE = "all"
"""The segment of everyone with the letter's topic."""


class CampaignState(StrEnum):
    """Where a campaign stands, apart from its rows."""

    SENDING = "sending"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class BatchState(StrEnum):
    """Where a batch stands; its deliveries stand there too unless they say otherwise."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SUBMITTED = "submitted"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Campaign:
    """One issue to one audience, frozen. `key` is unique for ever."""

    id: int
    pid: str
    key: str
    subject: str
    segments: tuple[str, ...]
    content_sha256: str
    state: CampaignState
    provider: str
    audience: int
    excluded: Mapping[str, int]
    batches: int
    frozen_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    base_url: str = ""  # of the links in its mail; "" = wherever the publication is now
    held_until: datetime | None = None  # nothing goes before that
    soak_until: datetime | None = None  # nothing but the first slice goes before that
    brake: str = ""  # why it stopped by itself


@dataclass(frozen=True)
class Variant:
    """One of the emails of a campaign, and whose it is.

    `body` is frozen. A reader gets it who has one topic of each group of `has`, and none of any of `lacks`;
    every reader of the audience falls into exactly one variant.
    """

    name: str
    body: str
    has: tuple[tuple[str, ...], ...] = ()
    lacks: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Draft:
    """A campaign about to be frozen."""

    key: str
    pid: str
    subject: str
    segments: tuple[str, ...]
    topics: tuple[str, ...]  # who receives: active, with one of these
    content_sha256: str
    source_sha256: str  # of the issue's words, whatever its key: equal content is sent once
    provider: str
    batch_size: int
    archive: str | None
    excluded: Mapping[str, int]
    plan_hash: str
    variants: tuple[Variant, ...]
    base_url: str = ""
    due_at: datetime | None = None
    timezone: str = ""  # the zone's name, in which `due_at` was meant
    note: str = ""  # why words that were sent before go once more
    first: int = 0  # readers of the first slice,
    audience: int = 0  # of so many


@dataclass(frozen=True)
class Counts:
    """The ledger of one campaign in numbers."""

    audience: int = 0
    submitted: int = 0
    suppressed: int = 0
    failed: int = 0
    uncertain: int = 0
    pending: int = 0

    @property
    def adds_up(self) -> bool:
        """True at every moment, or the ledger is broken (promise 2)."""
        return self.audience == self.submitted + self.suppressed + self.failed + self.uncertain + self.pending

    @property
    def nothing_left(self) -> bool:
        """Whether it is certain that no reader got anything, nor will."""
        return self.submitted == self.uncertain == self.pending == 0


@dataclass(frozen=True)
class Claim:
    """A batch in our hands until `lease_until`, with the rows that may still receive."""

    campaign_id: int
    n: int
    variant: str
    attempt: int
    key: str
    recipients: tuple[Recipient, ...]
    subscriber_ids: tuple[int, ...]  # in the order of the recipients
    refusals: int = 0  # how often its readers alone were put off before

    def id_of(self) -> dict[str, int]:
        """Subscriber ids by delivery key."""
        return dict(zip((recipient.key for recipient in self.recipients), self.subscriber_ids, strict=True))


@dataclass(frozen=True)
class Answer:
    """What a provider said of a batch, to be written down.

    `not_before`: until when rows that may be tried again wait. `refused`: its readers were put off, not the whole
    run; this is counted.
    """

    claim: Claim
    outcomes: tuple[Outcome, ...]
    not_before: datetime | None = None
    refused: bool = False


@dataclass(frozen=True)
class Plan:
    """Who, how many, when, through what.

    `hash` binds the content exactly, the audience by its count and by what its segments mean: `topics` holds
    the definition of every segment that is written to, or that decides what a reader is told. `seconds` is
    None when no rate is known.
    """

    issue: str
    subject: str
    segments: tuple[str, ...]
    topics: Mapping[str, tuple[str, ...]]
    audience: int
    excluded: Mapping[str, int]
    provider: str
    calls: int
    batch_size: int
    seconds: float | None
    send_at: str | None
    timezone: str
    content_sha256: str
    made_at: str
    html_bytes: int
    text_bytes: int = 0
    message_bytes: int = 0  # one whole message, both parts and headers
    by_segment: Mapping[str, int] = field(default_factory=dict)  # a reader of two counts in both
    links: tuple[str, ...] = ()
    mode: str = ""
    rate: float | None = None  # messages per second
    disk_bytes: int = 0  # what it takes on this machine, estimated
    disk_free: int | None = None  # None where nobody can tell
    first: int = 0  # readers of the first slice,
    soak_seconds: float = 0.0  # which soaks so long; 0 where nothing can be heard of it
    hold_seconds: float = 0.0  # between an approval and the first byte
    seeds: int = 0  # addresses of the house's own that get it first and last
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def hash(self) -> str:
        """SHA-256 over what an approval means: content, segment, count, provider, time."""
        bound = {
            "issue": self.issue,
            "content": self.content_sha256,
            "segments": list(self.segments),
            "topics": self._topics(),
            "audience": self.audience,
            "provider": self.provider,
            "send_at": self.send_at,
        }
        return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, object]:
        """The plan as `--json` prints it and `--plan` reads it, its hash included."""
        lists = {name: list(getattr(self, name)) for name in ("segments", "links", "warnings")}
        return {**asdict(self), **lists, "topics": self._topics(), "hash": self.hash}

    def _topics(self) -> dict[str, list[str]]:
        return {name: list(topics) for name, topics in sorted(self.topics.items())}


def as_json(campaign: Campaign, counts: Counts) -> dict[str, object]:
    """A campaign and its counts as programs read them."""
    return {
        "issue": campaign.key,
        "campaign": campaign.pid,
        "state": campaign.state.value,
        "subject": campaign.subject,
        "provider": campaign.provider,
        "audience": counts.audience,
        "submitted": counts.submitted,
        "suppressed": counts.suppressed,
        "failed": counts.failed,
        "uncertain": counts.uncertain,
        "pending": counts.pending,
        "batches": campaign.batches,
        "excluded": dict(campaign.excluded),
        "content_sha256": campaign.content_sha256,
        "frozen_at": iso(campaign.frozen_at),
        "started_at": iso(campaign.started_at),
        "finished_at": iso(campaign.finished_at),
        "held_until": iso(campaign.held_until),
        "soaking_until": iso(campaign.soak_until),
        "brake": campaign.brake or None,
    }


def growth_allowed(planned: int, max_growth: float, at_least: int = 50) -> int:
    """How many more readers than planned pass without a new approval."""
    return max(at_least, int(planned * max_growth))


def delivery_key(campaign_pid: str, subscriber_pid: str) -> str:
    """The key of one email to one address: unique for ever, opaque, counts nothing."""
    return f"{campaign_pid}-{subscriber_pid}"


def topics_of(audience: tuple[str, ...], segments: Mapping[str, str]) -> tuple[str, ...]:
    """The topics a list of segment names stands for.

    A segment is `all` (the letter), the name of a topic, or a name of `newsletter.yml: segments` whose
    definition is `all` or `topic(name)`.
    """
    found: list[str] = []
    for name in audience:
        definition = segments.get(name, name).strip()
        if definition == EVERYONE:
            found.append(LETTER)
        elif definition.startswith("topic(") and definition.endswith(")"):
            found.append(definition[len("topic(") : -1].strip())
        else:
            found.append(definition)
    return tuple(dict.fromkeys(found))
