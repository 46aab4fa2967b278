"""Whoever agreed anew is taken off the provider's own list: ours is the truth.

In: the desk. Out: how many were taken off. Touches `lifts` and the providers. Left, signed up again, confirmed: without
this the provider would go on refusing them, and nobody would know.
"""

from __future__ import annotations

import logging

from newsletter.core import ids
from newsletter.core.consent import State, Subscriber
from newsletter.core.queue import MAX_ATTEMPTS, wait
from newsletter.flows.desk import Desk
from newsletter.ports import Provider, Suppresses

log = logging.getLogger("newsletter.lift")

_AT_ONCE = 20


def lift(desk: Desk) -> int:
    """Take whoever is due off the lists of both providers; how many are off now.

    Where a provider does not let us, or does not for hours, the owner is told, who can do it on its own pages.
    """
    with desk.store.read() as tx:
        due = tx.brake.to_lift(desk.now(), _AT_ONCE)
    return sum(_lift(subscriber_id, attempt, desk) for subscriber_id, attempt in due)


def admit(who: Subscriber, desk: Desk) -> None:
    """Let a confirmation through to somebody who left or bounced before: the provider would not write to them.

    Whether it may go was decided before; what the provider does not do is told by its answer to the mail.
    """
    with desk.store.read() as tx:
        before = tx.audience.suppression(who.hmac)
    if before is not None and isinstance(desk.transactional, Suppresses):
        _off(desk.transactional, who)


def _lift(subscriber_id: int, attempt: int, desk: Desk) -> bool:
    with desk.store.read() as tx:
        who = tx.audience.by_id(subscriber_id)
        left = who is None or who.state is not State.ACTIVE or tx.audience.suppression(who.hmac) is not None
    lists = [] if left else [one for one in _providers(desk) if isinstance(one, Suppresses)]
    failed = [one for one in lists if who is not None and not _off(one, who)]
    over = attempt + 1 >= MAX_ATTEMPTS or not any(map(_able, failed))
    now = desk.now()
    with desk.store.begin() as tx:
        if failed and not over:
            tx.brake.lift_later(subscriber_id, now + wait(attempt + 1))
            return False
        tx.brake.lifted(subscriber_id)
        if failed and who is not None:
            names = " and ".join(one.name for one in failed)
            tx.brake.notice(ids.pid(desk.entropy), None, "lift", f"{names}: {who.pid}", now)
    return bool(lists) and not failed


def _providers(desk: Desk) -> list[Provider]:
    return [desk.provider] if desk.provider is desk.transactional else [desk.provider, desk.transactional]


def _able(provider: Provider) -> bool:
    return "remove" in provider.capabilities.suppressions


def _off(provider: Provider, who: Subscriber) -> bool:
    if not _able(provider):
        return False
    assert isinstance(provider, Suppresses)
    try:
        provider.unsuppress([who.email])
    except Exception as problem:  # noqa: BLE001 - it is tried again; whatever it says, it may name an address
        log.warning("%s did not take an address off its list: %s", provider.name, type(problem).__name__)
        return False
    return True
