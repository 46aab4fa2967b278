"""What doctor finds: a fault by its name, said once, with its reason and its fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Kind:
    """A fault there may be. `why` is one sentence for the owner: what happens when it stays."""

    level: Level
    why: str


@dataclass(frozen=True)
class Finding:
    """A fault that is there. `id` is `family.name` and a heading of docs/doctor.md."""

    id: str
    level: Level
    what: str
    why: str
    fix: str


@dataclass(frozen=True)
class Family:
    """Faults that are looked for together, such as `dns`."""

    name: str
    kinds: Mapping[str, Kind]

    def found(self, name: str, what: str, fix: str) -> Finding:
        """A finding of this family. In: its name, what was seen and what to do, in whole sentences."""
        kind = self.kinds[name]
        return Finding(f"{self.name}.{name}", kind.level, what, kind.why, fix)
