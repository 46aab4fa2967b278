"""What a backup is: the database at a moment, and what it is of no use without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Manifest:
    """What stands at the head of a backup. `counts`: rows by table, as they were read back from the copy."""

    made_at: datetime
    version: str  # of the program
    revision: str  # of the database's shape
    kind: str  # "sqlite" or "postgresql": where it came from
    counts: Mapping[str, int]
