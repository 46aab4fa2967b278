"""Time and chance that a test holds still."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that stands still. Call it for the time; hand `sleep` to what would wait."""

    def __init__(self, now: datetime = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """The time, aware, UTC unless it was given otherwise."""
        return self._now

    def move(self, by: timedelta | float) -> datetime:
        """Move by a duration, or by seconds. Out: the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now

    def sleep(self, seconds: float) -> None:
        """Pass the time without waiting."""
        self.move(seconds)

    def monotonic(self) -> float:
        """Seconds, as `time.monotonic` counts them."""
        return self._now.timestamp()


class Chance:
    """Randomness that comes out the same for the same seed. Never for anything secret."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - for tests
        self._count = 0

    def bytes(self, count: int = 16) -> bytes:
        """As `secrets.token_bytes`."""
        return self._random.randbytes(count)

    def token(self, count: int = 16) -> str:
        """As `secrets.token_hex`: twice `count` characters."""
        return self.bytes(count).hex()

    def uniform(self) -> float:
        """From 0 up to 1."""
        return self._random.random()

    def id(self, prefix: str = "id") -> str:
        """Ids that count: `id-1`, `id-2`, ..."""
        self._count += 1
        return f"{prefix}-{self._count}"
