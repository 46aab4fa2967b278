"""The one door all mail leaves through, bulk and transactional.

In: a provider, an email, a batch. Out: the provider's answer, one outcome for each recipient. Touches the
network only; no transaction is open while it runs.
"""

from __future__ import annotations

from newsletter.core.delivery import Batch, BatchResult, Outcome, Status, all_of
from newsletter.core.email import Email
from newsletter.ports import Provider


def deliver(provider: Provider, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
    """Hand a batch to a provider.

    An adapter answers, it does not raise. When one raises all the same, nobody knows what left: every row
    is UNKNOWN and the run stops (`halt="bug"`). The same when it does not answer for each row.
    """
    if not batch.recipients:
        return BatchResult(())
    try:
        result = provider.submit(email, batch, key=key, timeout=timeout)
    except Exception as problem:  # noqa: BLE001 - see above
        return BatchResult(all_of(batch, Status.UNKNOWN, code=type(problem).__name__), halt="bug")
    if [outcome.key for outcome in result.outcomes] != [recipient.key for recipient in batch.recipients]:
        return BatchResult(all_of(batch, Status.UNKNOWN, code="answer"), halt="bug")
    return result


def settle(provider: Provider, batch: Batch, *, key: str) -> tuple[Outcome, ...]:
    """Ask a provider what became of a batch whose answer was lost; UNKNOWN where it cannot tell.

    Rows without an address (erased since) cannot be asked for.
    """
    try:
        found = provider.reconcile(batch, key=key)
    except Exception as problem:  # noqa: BLE001 - not knowing is an answer here
        return all_of(batch, Status.UNKNOWN, code=type(problem).__name__)
    outcomes = []
    for recipient in batch.recipients:
        known = found.get(recipient.key) if recipient.address else None
        outcomes.append(known or Outcome(recipient.key, Status.UNKNOWN))
    return tuple(outcomes)
