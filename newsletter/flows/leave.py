"""Leaving: one click, for ever, for anyone who holds the link.

In: the credential of an unsubscribe link. Out: nothing, for any credential the same (RFC 8058; no oracle).
Touches the subscriber, the evidence and the suppression of the address the link was made for.
"""

from __future__ import annotations

from newsletter.core import ids
from newsletter.flows.consent import withdraw
from newsletter.flows.desk import Desk


def leave(token: str, desk: Desk, *, method: str) -> None:
    """Unsubscribe whoever has, now, the address this link was made for. Unknown links do nothing.

    `method`: "one-click" (the mail program's POST) or "page" (the button).
    """
    now = desk.now()
    with desk.store.begin() as tx:
        hmac = tx.audience.address_of_link(ids.digest(token))
        subscriber = tx.audience.by_hmac(hmac, held=True) if hmac else None
        if subscriber is not None:
            withdraw(tx, subscriber, now, method=method, source="/unsubscribe")
