"""How fast, how much at once, how long to wait, when to refuse: the `send` settings as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from newsletter.core.brake import Canary, Limits

HOLD = timedelta(minutes=10)


@dataclass(frozen=True)
class Pace:
    """Times in seconds unless they are timedeltas; None = no limit, or the provider's own."""

    threads: int = 8
    batch_size: int | None = None
    rate: float | None = None  # messages per second, shared by all workers
    timeout: float = 30.0
    lease: timedelta = timedelta(seconds=120)
    settle: float | None = None
    max_recipients: int | None = None
    max_lateness: timedelta = timedelta(hours=12)
    max_growth: float = 0.2
    approval: str = "none"
    canary: Canary = field(default_factory=Canary)
    brake: Limits = field(default_factory=Limits)
    hold: timedelta | None = None  # between approval and first byte; None = `HOLD` where mail leaves this machine
    patience: tuple[float, ...] = (0.05, 0.5, 2.0, 5.0)  # between attempts to write down an answer that is known

    @property
    def call(self) -> float:
        """Seconds for a call: half of the lease at most, so that a claim outlasts it."""
        return min(self.timeout, self.lease.total_seconds() / 2)
