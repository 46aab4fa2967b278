"""A provider that does as it is told, within the process."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Recipient, Status, all_of
from newsletter.core.email import Email
from newsletter.testing import record as records
from newsletter.testing.script import Accept, CutAfter, CutBefore, Die, Garbage, Raise, Reject, Retry, Sleep, Step


@dataclass(frozen=True)
class Call:
    """One `submit`, as it came."""

    key: str
    email: Email
    batch: Batch
    timeout: float


@dataclass
class FakeProvider:
    """Takes mail and remembers it; each call does the next step of the script, and accepts when it is over.

    `received` holds, by delivery key, every copy that was taken, in order; `calls` every call. With an
    `idempotency_ttl` among its capabilities a batch key it has taken is answered again, not taken again.
    With reconcile="search" it tells what it took; with a `record`, a file, what it took before its process
    died too. Safe to share between threads.
    """

    script: Iterable[Step] = ()
    name: str = "fake"
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(max_batch=500, mode="batch", reconcile="search", network=False)
    )
    sleep: Callable[[float], None] = time.sleep
    findings: Sequence[Finding] = ()
    calls: list[Call] = field(default_factory=list)
    received: dict[str, list[Recipient]] = field(default_factory=dict)
    record: Path | None = None

    def __post_init__(self) -> None:
        self._steps = deque(self.script)
        self._answers: dict[str, BatchResult] = {}
        self._lock = threading.Lock()
        self._before = records.read(self.record) if self.record else Counter()

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Do the next step. Raises: what the script says."""
        with self._lock:
            self.calls.append(Call(key, email, batch, timeout))
            if self.capabilities.idempotency_ttl is not None and key in self._answers:
                return self._answers[key]
            step, pause = self._next()
        if pause:
            self.sleep(pause)
        with self._lock:
            return self._done(step, batch, key)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """SUBMITTED for what it took, RETRY for what it did not; None when it cannot search."""
        if self.capabilities.reconcile != "search":
            return dict.fromkeys((recipient.key for recipient in batch.recipients), None)
        with self._lock:
            return {recipient.key: self._settled(recipient.key) for recipient in batch.recipients}

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002
        """What it was told to say."""
        return self.findings

    def then(self, *steps: Step) -> None:
        """Add to the script."""
        with self._lock:
            self._steps.extend(steps)

    @property
    def addresses(self) -> Counter[str]:
        """How many copies each address was sent."""
        with self._lock:
            return Counter(copy.address for copies in self.received.values() for copy in copies)

    @property
    def twice(self) -> list[str]:
        """Delivery keys it took more than once: promise 1 says none."""
        with self._lock:
            return [key for key, copies in self.received.items() if len(copies) + self._before[key] > 1]

    def _next(self) -> tuple[Step, float]:
        pause = 0.0
        while self._steps:
            step = self._steps.popleft()
            if not isinstance(step, Sleep):
                return step, pause
            pause += step.seconds
        return Accept(), pause

    def _done(self, step: Step, batch: Batch, key: str) -> BatchResult:
        match step:
            case Retry(after, halt):
                return BatchResult(all_of(batch, Status.RETRY), retry_after=after, halt=halt)
            case CutBefore():
                return BatchResult(all_of(batch, Status.UNKNOWN))
            case CutAfter():
                self._answers[key] = self._taken(batch)
                return BatchResult(all_of(batch, Status.UNKNOWN))
            case Garbage(taken=taken) | Raise(taken=taken) | Die(taken=taken):
                if taken:
                    self._answers[key] = self._taken(batch)
                return _broken(step)
            case Reject(addresses, status, code):
                self._answers[key] = self._taken(batch, addresses, status, code)
            case _:
                self._answers[key] = self._taken(batch)
        return self._answers[key]

    def _taken(
        self, batch: Batch, refused: Collection[str] = (), status: Status = Status.REJECTED, code: str = ""
    ) -> BatchResult:
        outcomes: list[Outcome] = []
        taken: list[str] = []
        for recipient in batch.recipients:
            if recipient.address in refused:
                outcomes.append(Outcome(recipient.key, status, code=code))
            else:
                self.received.setdefault(recipient.key, []).append(recipient)
                outcomes.append(self._settled(recipient.key))
                taken.append(recipient.key)
        if self.record:
            records.add(self.record, taken)
        return BatchResult(tuple(outcomes))

    def _settled(self, key: str) -> Outcome:
        if key in self.received or key in self._before:
            return Outcome(key, Status.SUBMITTED, message_id=f"fake-{key}")
        return Outcome(key, Status.RETRY)


def _broken(step: Garbage | Raise | Die) -> BatchResult:
    if isinstance(step, Raise):
        raise step.error
    if isinstance(step, Die):
        os._exit(step.code)
    return BatchResult((Outcome("nobody", Status.SUBMITTED),))
