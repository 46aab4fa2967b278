"""Readers who may get a letter, and a provider that takes five of them at once."""

from __future__ import annotations

from typing import Any

from newsletter.core import address
from newsletter.core.consent import Newcomer, State
from newsletter.core.delivery import Capabilities
from newsletter.flows.desk import Desk
from newsletter.testing import FakeProvider, Step


def readers(desk: Desk, count: int, *, first: int = 0, name: str = "N", topics: tuple[str, ...] = ("letter",)) -> None:
    """Active readers `r<n>@x.test`, known by their addresses; all are called `name` and their number."""
    people = [
        Newcomer(
            email=f"r{n}@x.test",
            hmac=desk.hmac(address.parse(f"r{n}@x.test")),
            pid=f"p{n}",
            unsubscribe_token=f"t{n}",
            state=State.ACTIVE,
            lang="en",
            first_name=f"{name}{n}" if name else "",
        )
        for n in range(first, first + count)
    ]
    with desk.store.begin() as tx:
        tx.audience.add(people, desk.now(), topics)


def fake(*script: Step, **how: Any) -> FakeProvider:
    """A provider of this machine; keywords are its capabilities."""
    given = {"max_batch": 5, "mode": "batch", "network": False, "reconcile": "search", **how}
    return FakeProvider(script=script, capabilities=Capabilities(**given))
