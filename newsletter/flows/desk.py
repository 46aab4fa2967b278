"""What every flow works with, built once in `app.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from newsletter.core import address
from newsletter.core.address import Address
from newsletter.core.campaign import Campaign
from newsletter.core.ids import Entropy
from newsletter.core.links import Links
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.ports import Mailbox, Provider, Reports, Store, Workflows


class Place(Protocol):
    """Where an issue is rendered: all that this needs, on a machine that knows neither the list nor a provider."""

    @property
    def root(self) -> Path: ...  # noqa: D102
    @property
    def publication(self) -> Publication: ...  # noqa: D102
    @property
    def links(self) -> Links: ...  # noqa: D102


@dataclass(frozen=True)
class Room:
    """Such a place, and no more."""

    root: Path
    publication: Publication
    links: Links


@dataclass(frozen=True)
class Desk:
    """The publication, its store, its providers, and the three things a test wants to hold still."""

    root: Path
    publication: Publication
    store: Store
    provider: Provider  # for campaigns
    transactional: Provider  # for the front door's mail
    links: Links
    suppression_key: bytes = field(repr=False)
    now: Callable[[], datetime]
    entropy: Entropy
    pace: Pace
    reports: Mapping[str, Reports] = field(default_factory=dict)  # who may tell us by webhook, by the provider's name
    workflows: Workflows | None = None  # whose word is good without a key
    mailbox: Mailbox | None = None  # where bounces arrive that come as mail
    owner: str = field(default="", repr=False)  # where alerts go
    notes: tuple[str, ...] = ()  # what a plan should say about the settings
    free: Callable[[], int | None] = lambda: None  # bytes free where mail and database lie; None = nobody can tell

    def links_of(self, campaign: Campaign) -> Links:
        """The links in a campaign's mail: at the address it was frozen with, whatever the setting says by now."""
        return replace(self.links, base_url=campaign.base_url or self.links.base_url)

    def hmac(self, who: Address) -> str:
        """The fingerprint of an address under the suppression key."""
        return address.fingerprint(who, self.suppression_key)
