"""Who must not be mailed, written down beside the database too: a restored copy has forgotten the last of them.

A line holds a moment, a reason and the keyed hash of an address, and nothing else. Lines are only ever added, and they
are on the disk before the transaction that caused them is: a line too many stops a mail, one too few would send one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.core.consent import Reason
from newsletter.core.schedule import iso
from newsletter.errors import ConfigurationError

Line = tuple[datetime, Reason, str]
"""When, why, and the hash of the address under the suppression key."""


@dataclass(frozen=True)
class Journal:
    """The file."""

    path: Path

    def write(self, lines: Sequence[Line]) -> None:
        """Add lines; they are on the disk when this returns. Raises: ConfigurationError."""
        text = "".join(f"{iso(at)} {reason} {hmac}\n" for at, reason, hmac in lines)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, text.encode("ascii"))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as problem:
            raise ConfigurationError(
                f"{self.path} cannot be written: {problem.strerror}.",
                "Nothing was changed. Make room, or make it writable: it keeps who left.",
            ) from None

    def since(self, moment: datetime) -> Iterator[Line]:
        """The lines of a moment and later. A line cut off by a power cut is left out."""
        if not self.path.exists():
            return
        with self.path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                if not line.endswith("\n") or len(words) != 3 or words[1] not in set(Reason):  # noqa: PLR2004
                    continue
                at = datetime.fromisoformat(words[0])
                if at >= moment:
                    yield at, Reason(words[1]), words[2]
