"""A campaign that somebody asked the server to send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Trouble:
    """What stood in the way of the last try: a kind (`newsletter/flows/press.py`), in words, and what to do."""

    kind: str
    what: str
    todo: str


@dataclass(frozen=True)
class Order:
    """Who asked for which campaign, and when."""

    campaign_id: int
    key: str
    by: str  # the id of a key, or the run of a workflow
    at: datetime
    trouble: Trouble | None = None
