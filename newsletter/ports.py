"""What the flows need from the floors below, and nothing more.

The store and the providers fit these by shape alone; tests use small real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from newsletter.core.delivery import Batch, BatchResult, Capabilities, Outcome
from newsletter.core.email import Email


class Provider(Protocol):
    """Hands mail to the world. It never sees the store, and never raises for a provider's answer."""

    @property
    def name(self) -> str:
        """The word in settings and ledger."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over one batch.

        In: the compiled email (neutral merge sites), the rows, the batch's idempotency key (the same for
        every attempt), seconds to wait for an answer. Out: one outcome for each row, in order. Whatever
        the adapter needs to spell the merge is its own; bodies are made one at a time, never kept.
        """
        ...

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:
        """What became of a batch whose answer was lost.

        Out: by delivery key, the outcome when the provider can tell (RETRY = it surely has not sent it),
        None when it cannot.
        """
        ...
