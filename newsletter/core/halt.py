"""What holds a campaign back, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.core.brake import Tally
from newsletter.core.campaign import CampaignState


@dataclass(frozen=True)
class Standing:
    """What of a campaign may go now, and why not more."""

    key: str
    state: CampaignState
    held_until: datetime | None  # before that, nothing
    first: int  # batches of the first slice; 0 where there is none
    through: bool  # the first slice is, as far as it depends on us
    soak_until: datetime | None  # None until it is through
    released: bool  # the rest may follow
    brake: str  # why it stopped by itself
    accepted: Tally  # what somebody has let pass


@dataclass(frozen=True)
class Gate:
    """Whether a campaign may go on: `why` is empty when it may; with `until`, it may from then on."""

    why: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Told:
    """What is known afterwards of a campaign's readers, each counted once."""

    heard: int  # of whom anything was told
    bounced: int  # for good
    complained: int | None  # None where nothing was told of anybody: that is not zero
    unreported: int  # readers whose mailbox provider reports complaints to nobody


@dataclass(frozen=True)
class Notice:
    """Something the owner or an editor (`who`, see `core/review.py`) is to be told.

    A letter was stopped ("paused") or has ended ("report"), did not go ("missed"), is to be approved ("ask") or looked
    at ("proof"). A campaign is "held", or "stopped"; a "lift" was in vain; confirmations wait, as a cap is "full".
    """

    key: str
    kind: str
    said: str
    attempt: int
    campaign_id: int = 0
    campaign: str = ""  # its key
    subject: str = ""
    audience: int = 0
    who: str = "owner-0"
