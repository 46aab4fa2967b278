"""How many mails a sender takes in hand at once: what a crash leaves uncertain is that, and no more."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.core.delivery import Capabilities

IN_HAND = 0.25
"""Seconds. Mails that go one by one are claimed and recorded together, as many as are handed over in this time."""

MOST_IN_HAND = 64
"""How many at most, where the provider can tell what became of them when a crash has left them uncertain."""

FEW_IN_HAND = 8
"""How many at most where it cannot, and a person must decide about each."""

FRESH = 1.0
"""Seconds for which the answer holds that claims are ours and nobody has paused."""


@dataclass
class Hand:
    """How many are taken at once; it begins with one."""

    most: int
    size: int = 1

    @classmethod
    def of(cls, can: Capabilities) -> Hand:
        """For a provider."""
        return cls(FEW_IN_HAND if can.reconcile == "no" and can.idempotency_ttl is None else MOST_IN_HAND)

    def took(self, count: int, seconds: float) -> None:
        """Learn from the last ones: at most twice as many next time, and no more than fit into `IN_HAND`."""
        if count:
            fits = int(IN_HAND * count / max(seconds, 1e-9))
            self.size = max(1, min(self.most, max(self.size, 2 * count), fits))
