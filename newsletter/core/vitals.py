"""How the ledger and the queues stand at a moment: numbers, and nobody's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

TICKED = "looked_at"
"""The fact of when a tick last looked for what is due; it does at least every five minutes."""

BACKED_UP, RESTORED = "backed_up_at", "restore_tried_at"
"""The facts of when `db backup` was last done, and `db restore --verify`."""

CAME_BACK = "restored_from"
"""The fact of when a copy is of that came back, until it is accepted."""


@dataclass(frozen=True)
class Vitals:
    """What is counted. Ages are of the oldest that waits; None when nothing does."""

    subscribers: Mapping[str, int] = field(default_factory=dict)  # by state
    queue: Mapping[str, int] = field(default_factory=dict)  # mails of the front door, by state
    queue_since: datetime | None = None  # the oldest that is due and not gone
    webhooks_unread: int = 0
    webhooks_since: datetime | None = None
    campaigns: Mapping[str, int] = field(default_factory=dict)  # by state
    uncertain: Mapping[str, int] = field(default_factory=dict)  # readers with a lost answer, by campaign
    still: tuple[str, ...] = ()  # campaigns that send, in which nobody holds anything


@dataclass(frozen=True)
class Shape:
    """The database itself. `path` and the next three are of SQLite alone."""

    kind: str  # "sqlite" or "postgresql"
    version: str
    path: str = ""
    bytes: int = 0
    damage: str = ""  # what its own check says, when it is not well
    journal: str = ""
