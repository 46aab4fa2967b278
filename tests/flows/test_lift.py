"""Two lanes, and a provider's own list: leave, sign up again, confirm, get the next issue."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from newsletter.core.consent import State
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Outcome, Status, Suppression
from newsletter.core.email import Email, fill
from newsletter.core.pace import Pace
from newsletter.errors import ProviderError
from newsletter.flows import audience, hear, mail
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.plan import letters_rate
from newsletter.flows.send import send
from newsletter.flows.signup import Request, confirm, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider, Retry
from tests.flows.reports import Telling

ANN = "ann@x.test"
Make = Callable[..., Desk]


@dataclass
class Listing:
    """A provider with a list of its own: whoever stands on it gets nothing. It refuses `faults` changes."""

    name: str = "listing"
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(max_batch=10, network=False, suppressions=frozenset({"read", "remove"}))
    )
    listed: set[str] = field(default_factory=set)
    faults: int = 0
    taken: list[str] = field(default_factory=list)

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        outcomes = []
        for one in batch.recipients:
            status = Status.SUPPRESSED if one.address in self.listed else Status.SUBMITTED
            outcomes.append(Outcome(one.key, status))
            if status is Status.SUBMITTED:
                self.taken.append(one.address)
        return BatchResult(tuple(outcomes))

    def reconcile(self, batch: Batch, *, key: str) -> dict[str, Outcome | None]:
        return dict.fromkeys(one.key for one in batch.recipients)

    def check(self, need: int) -> list[object]:
        return []

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        return iter(Suppression(one, "unsubscribe") for one in sorted(self.listed))

    def suppress(self, entries: Sequence[Suppression]) -> None:
        self.listed |= {one.address for one in entries}

    def unsuppress(self, addresses: Sequence[str]) -> None:
        if self.faults:
            self.faults -= 1
            raise ProviderError(f"not now, {addresses}")
        self.listed -= set(addresses)


def come_back(desk: Desk, front: FakeProvider) -> None:
    """Leave, be put on the provider's list, sign up again and confirm."""
    audience.add(ANN, desk, why="asked on paper")
    audience.add("ben@x.test", desk, why="asked on paper")
    with desk.store.read() as tx:
        token = next(iter(tx.audience.each(State.ACTIVE))).unsubscribe_token
    leave(token, desk, method="one-click")
    desk.provider.suppress([Suppression(ANN, "unsubscribe")])  # type: ignore[attr-defined]
    signup(Request(ANN, "workbook", letter=True), desk)
    mail.empty(desk)
    link = re.search(r"/confirm/(\S+)", fill(front.calls[-1].email.text, {}))
    assert link
    confirm(link[1], desk)


@pytest.fixture
def front() -> FakeProvider:
    return FakeProvider(name="front door")


def test_leave_sign_up_again_confirm_and_get_the_next_issue(
    store: SqlStore, make_desk: Make, front: FakeProvider
) -> None:
    letters = Listing()
    desk = make_desk(store, provider=letters, transactional=front)
    come_back(desk, front)
    tick(desk)
    assert letters.listed == set()
    assert send("quiet", desk).counts.submitted == 2
    assert ANN in letters.taken


def test_what_a_list_refuses_while_it_is_asked_to_forget_ends_nothing(
    sqlite_store: SqlStore, make_desk: Make, front: FakeProvider, clock: Clock
) -> None:
    letters = Listing(faults=9)
    desk = make_desk(sqlite_store, provider=letters, transactional=front, reports={"telling": Telling()})
    come_back(desk, front)
    tick(desk)
    clock.move(60)
    told = {"type": "rejected", "id": "r1", "at": clock().isoformat(), "email": ANN, "reason": "unsubscribe"}
    hear.replay([hear.raw("telling", {}, json.dumps([told]).encode())], desk)
    assert audience.show(ANN, desk)["state"] is State.ACTIVE


def test_a_provider_that_does_not_answer_is_asked_again(
    sqlite_store: SqlStore, make_desk: Make, front: FakeProvider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    letters = Listing(faults=2)
    desk = make_desk(sqlite_store, provider=letters, transactional=front)
    come_back(desk, front)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            tick(desk)
            tick(desk)  # not again at once
            clock.move(300)
    assert letters.listed == set()
    assert ANN not in caplog.text  # promise 12
    assert "listing did not take an address off" in caplog.text


@pytest.mark.parametrize("listing", [Listing(faults=99), Listing(capabilities=Capabilities(network=False))])
def test_the_owner_is_told_when_it_cannot_be_done(
    sqlite_store: SqlStore, make_desk: Make, front: FakeProvider, clock: Clock, listing: Listing
) -> None:
    desk = make_desk(sqlite_store, provider=listing, transactional=front, owner="owner@x.test")
    come_back(desk, front)
    for _ in range(9):
        tick(desk)
        clock.move(3600)
    told = [call for call in front.calls if call.batch.tag == "lift"]
    assert all(call.batch.recipients[0].address == "owner@x.test" for call in told)
    assert len(told) == 1
    text = fill(told[0].email.text, {})
    assert "listing: " in text
    assert ANN not in text


def test_whoever_left_again_meanwhile_stays_on_the_providers_list(
    sqlite_store: SqlStore, make_desk: Make, front: FakeProvider
) -> None:
    letters = Listing()
    desk = make_desk(sqlite_store, provider=letters, transactional=front)
    come_back(desk, front)
    with sqlite_store.read() as tx:
        who = tx.audience.by_id(1)
    assert who
    leave(who.unsubscribe_token, desk, method="one-click")
    tick(desk)
    assert letters.listed == {ANN}


# --- two lanes -----------------------------------------------------------------------------------------


def test_a_campaign_that_was_asked_to_wait_holds_no_confirmation_back(sqlite_store: SqlStore, make_desk: Make) -> None:
    both = FakeProvider(script=[Retry(after=7200)])
    desk = make_desk(sqlite_store, provider=both, transactional=both)
    audience.add(ANN, desk, why="asked on paper")
    assert "asked to wait" in send("quiet", desk).why
    signup(Request("new@x.test", "workbook", letter=True), desk)
    assert mail.empty(desk) == 1
    assert both.addresses["new@x.test"] == 1


@pytest.mark.parametrize(("rate", "left"), [(5.0, 4.5), (100.0, 99.0), (1.0, 0.9)])
def test_a_share_of_a_shared_rate_is_kept_for_confirmations(
    sqlite_store: SqlStore, make_desk: Make, front: FakeProvider, rate: float, left: float
) -> None:
    desk = make_desk(sqlite_store, pace=Pace(rate=rate))
    assert letters_rate(desk) == pytest.approx(left)
    assert letters_rate(replace(desk, transactional=front)) == rate
