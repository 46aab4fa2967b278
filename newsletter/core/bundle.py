"""A bundle: all that a campaign is made of, rendered, with the hash that binds it.

It is what one machine hands to another (CI to the server), and what a plan is made of wherever it was rendered. It
holds no address but the sender's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from newsletter.core.campaign import Variant
from newsletter.core.email import sha256


@dataclass(frozen=True)
class Bundle:
    """One issue, ready.

    `variants`: one for each combination of the segments the issue names, that of none of them first. `topics`: what
    each segment means, by its name. `archive`: its public page, None when it has none.
    """

    key: str  # of the campaign: unique for ever
    name: str  # as it is called in words for people
    subject: str
    segments: tuple[str, ...]
    topics: Mapping[str, tuple[str, ...]]
    variants: tuple[Variant, ...] = field(repr=False)
    source_sha256: str  # of the words, whatever the key
    base_url: str  # of the links in it
    archive: str | None = field(default=None, repr=False)
    day: date | None = None
    due_at: datetime | None = None
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash that binds a review to the bytes: of every variant, as frozen."""
        return sha256("\n".join(one.body for one in self.variants))


def plain(bundle: Bundle) -> dict[str, Any]:
    """A bundle as JSON holds it."""
    return {
        **asdict(bundle),
        "segments": list(bundle.segments),
        "topics": {name: list(topics) for name, topics in bundle.topics.items()},
        "variants": [
            {"name": one.name, "body": one.body, "has": list(map(list, one.has)), "lacks": list(map(list, one.lacks))}
            for one in bundle.variants
        ],
        "day": bundle.day.isoformat() if bundle.day else None,
        "due_at": bundle.due_at.isoformat() if bundle.due_at else None,
        "warnings": list(bundle.warnings),
    }
