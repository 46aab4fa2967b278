"""All that is kept of one subscriber, as a file can carry it from one database into another.

Moments are whole seconds. What belongs to campaigns (who got which letter) is not part of it: it is nothing without
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.core.consent import Kind, Reason, State


@dataclass(frozen=True)
class Told:
    """A consent event with the words it rests on."""

    kind: Kind
    at: datetime
    method: str
    form: str = ""
    wording_sha256: str = ""
    wording: str | None = None
    topics: tuple[str, ...] = ()
    magnet: str = ""
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class Granted:
    """A right to a lead magnet, and how it was used."""

    magnet: str
    downloads: int
    granted_at: datetime
    downloaded_at: datetime | None = None


@dataclass(frozen=True)
class Against:
    """A reason not to mail the address."""

    reason: Reason
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class More:
    """What a subscriber's own row does not say, but for the campaigns."""

    changed_at: datetime
    grants: tuple[Granted, ...] = ()
    against: tuple[Against, ...] = ()
    old_links: tuple[str, ...] = ()  # keyed hashes of another system's ids


@dataclass(frozen=True)
class Record:
    """One subscriber, whole. `id` and `unsubscribe_token` stay what they were, so that old letters lead out."""

    id: str
    email: str
    state: State
    lang: str
    created_at: datetime
    changed_at: datetime
    unsubscribe_token: str
    generation: int = 0
    first_name: str = ""
    last_name: str = ""
    confirmed_at: datetime | None = None
    topics: tuple[str, ...] = ()
    consent: tuple[Told, ...] = ()
    grants: tuple[Granted, ...] = ()
    against: tuple[Against, ...] = ()
    old_links: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether the evidence carries an active subscriber: a word of theirs later than the last against it."""
        last = next((event.kind for event in reversed(self.consent) if event.kind in _TURNS), None)
        return last in _GIVEN


_GIVEN = frozenset({Kind.CONFIRM, Kind.IMPORT, Kind.UNDO})
_TURNS = _GIVEN | {Kind.WITHDRAW, Kind.BOUNCE, Kind.COMPLAINT, Kind.ERASE}
