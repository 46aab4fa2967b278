"""Proving a provider: what it took, what it knows, what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Status
from newsletter.core.email import Email
from newsletter.core.event import EventType
from newsletter.errors import NothingToDo
from newsletter.flows import hear
from newsletter.flows.desk import Desk
from newsletter.flows.prove import Step, prove
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider
from tests.flows.reports import Telling

Make = Callable[..., Desk]
TRIALS = {
    "delivered": "ok@simulator.example",
    "bounced": "bounce@simulator.example",
    "complained": "complaint@simulator.example",
    "suppressed": "suppressed@simulator.example",
}
TELLS: dict[str, dict[str, Any]] = {
    "ok@simulator.example": {"type": EventType.DELIVERED},
    "bounce@simulator.example": {"type": EventType.BOUNCED, "permanent": True, "reason": "bounce"},
    "complaint@simulator.example": {"type": EventType.COMPLAINED, "reason": "complaint"},
}


class Simulator(FakeProvider):
    """A provider whose test addresses answer as they are named; its webhooks come in a while after each call."""

    desk: Desk
    quiet = False
    tells = TELLS

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        (one,) = batch.recipients
        if one.address.startswith("suppressed@"):
            return BatchResult((Outcome(one.key, Status.SUPPRESSED, code="list", detail=f"{one.address} is listed"),))
        result = super().submit(email, batch, key=key, timeout=timeout)
        if not self.quiet and len(self.received[one.key]) == 1 and one.address in self.tells:
            event = {**self.tells[one.address], "id": f"e-{one.key}", "at": self.desk.now().isoformat()}
            body = json.dumps([{**event, "email": one.address, "message_id": f"fake-{one.key}"}])
            with self.desk.store.begin() as tx:
                tx.events.keep([hear.raw("fake", {}, body.encode())], self.desk.now())
        return result


@pytest.fixture
def simulator(make_desk: Make, sqlite_store: SqlStore) -> Callable[..., Simulator]:
    def make(**how: Any) -> Simulator:
        given = {"max_batch": 5, "network": True, "reconcile": "search", "test_addresses": TRIALS, **how}
        provider = Simulator(capabilities=Capabilities(**given))
        provider.desk = make_desk(sqlite_store, provider=provider, reports={"fake": Telling()})
        return provider

    return make


def results(steps: Sequence[Step]) -> dict[str, str]:
    return {step.name: step.result for step in steps}


def test_a_provider_that_does_as_it_says_is_proven(simulator: Callable[..., Simulator], clock: Clock) -> None:
    provider = simulator(settle_seconds=60.0)
    told: list[Step] = []
    began = clock()
    steps = prove(provider.desk, wait=120, sleep=clock.sleep, tell=told.append)
    assert list(steps) == told
    assert results(steps) == {
        "account": "passed",
        "send: bounced": "passed",
        "send: complained": "passed",
        "send: delivered": "passed",
        "send: suppressed": "passed",
        "look up: bounced": "passed",
        "look up: complained": "passed",
        "look up: delivered": "passed",
        "webhook: bounced": "passed",
        "webhook: complained": "passed",
        "webhook: delivered": "passed",
        "webhook: suppressed": "skipped",
        "replay": "passed",
    }
    assert (clock() - began).total_seconds() == 60  # no longer than it must: its settle time
    assert "simulator.example" not in repr(steps)  # promise 12
    assert {call.email.sender.email for call in provider.calls} == {"letters@quiet.example"}


def test_what_never_comes_is_unseen_and_what_comes_wrong_has_failed(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    provider = simulator(reconcile="no")
    provider.quiet = True
    began = clock()
    found = results(prove(provider.desk, wait=30, sleep=clock.sleep))
    assert found["webhook: delivered"] == "unseen"
    assert found["replay"] == "skipped"
    assert 30 <= (clock() - began).total_seconds() < 40
    provider.quiet = False
    provider.tells = {**TELLS, "bounce@simulator.example": {"type": EventType.DELIVERED}}
    found = results(prove(provider.desk, wait=30, sleep=clock.sleep))
    assert (found["webhook: bounced"], found["webhook: complained"]) == ("failed", "passed")
    assert not any(name.startswith("look up") for name in found)


def test_a_key_that_is_remembered_is_tried_twice(simulator: Callable[..., Simulator], clock: Clock) -> None:
    provider = simulator(idempotency_ttl=3600.0, reconcile="no")
    assert results(prove(provider.desk, wait=0, sleep=clock.sleep))["the same call again"] == "passed"
    assert provider.twice == []

    class Forgetful(Simulator):
        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
            result = super().submit(email, batch, key=key, timeout=timeout)
            fresh = tuple(one._replace(message_id=f"m{len(self.calls)}") for one in result.outcomes)
            return replace(result, outcomes=fresh)

    forgetful = Forgetful(capabilities=provider.capabilities)
    forgetful.desk = replace(provider.desk, provider=forgetful)
    assert results(prove(forgetful.desk, wait=0, sleep=clock.sleep))["the same call again"] == "failed"


def test_an_account_with_a_fault_has_failed_and_a_warning_is_told(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    provider = simulator()
    provider.findings = [
        Finding("error", "key", "The key of sam@letter.example is wrong."),
        Finding("warning", "age", "x"),
    ]
    steps = prove(provider.desk, wait=0, sleep=clock.sleep)
    assert steps[0] == Step("account: key", "failed", "The key of … is wrong.")
    assert steps[1].result == "skipped"


def test_a_provider_without_test_addresses_is_proven_by_hand(desk: Desk, clock: Clock) -> None:
    with pytest.raises(NothingToDo, match="no addresses for tests"):
        prove(desk, wait=0, sleep=clock.sleep)
