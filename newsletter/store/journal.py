"""Who must not be mailed, written down beside the database too: a restored copy has forgotten the last of them.

A line holds a moment, a reason and the keyed hash of an address, and nothing else. Lines are only ever added, and they
are on the disk before the transaction that caused them is: a line too many stops a mail, one too few would send one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from newsletter.core.consent import Reason
from newsletter.core.schedule import iso
from newsletter.errors import ConfigurationError

Line = tuple[datetime, Reason, str]
"""When it was written, why, and the hash of the address under the suppression key."""


def _clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Journal:
    """The file. Its times are of the writing: what a provider tells of last week is news today."""

    path: Path
    now: Callable[[], datetime] = _clock

    def write(self, leavers: Sequence[tuple[Reason, str]]) -> None:
        """Add a line for each; they are on the disk when this returns. Raises: ConfigurationError."""
        at = iso(self.now())
        self._add("".join(f"{at} {reason} {hmac}\n" for reason, hmac in leavers))

    def take(self, other: Journal) -> None:
        """Add the lines of another that are not here: a copy brings its own. Raises: ConfigurationError."""
        here = set(self.path.read_text("ascii", "replace").splitlines()) if self.path.exists() else set()
        there = other.path.read_text("ascii", "replace").splitlines() if other.path.exists() else []
        self._add("".join(f"{line}\n" for line in there if line not in here))

    def _add(self, text: str) -> None:
        if not text:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(handle).st_size
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # a power cut in the middle of a line
                left = (("\n" if torn else "") + text).encode("ascii")
                while left:
                    left = left[os.write(handle, left) :]
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as problem:
            raise ConfigurationError(
                f"{self.path} cannot be written: {problem.strerror}.",
                "Nothing was changed. Make room, or make it writable: it keeps who left.",
            ) from None

    def since(self, moment: datetime) -> Iterator[Line]:
        """The lines written at a moment and later, to the second. What is no whole line is left out."""
        if not self.path.exists():
            return
        begin = moment.replace(microsecond=0)
        with self.path.open(encoding="ascii", errors="replace") as file:
            for text in file:
                line = _line(text)
                if line is not None and line[0] >= begin:
                    yield line


def _line(text: str) -> Line | None:
    words = text.split()
    if not text.endswith("\n") or len(words) != 3 or words[1] not in set(Reason):  # noqa: PLR2004
        return None
    try:
        return datetime.fromisoformat(words[0]), Reason(words[1]), words[2]
    except ValueError:
        return None
