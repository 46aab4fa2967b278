"""What a provider's list means for us: by its times, never as an echo of our own words, and never in the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.core import address
from newsletter.core.consent import Reason, State
from newsletter.core.delivery import Capabilities, Suppression
from newsletter.errors import ProviderError
from newsletter.flows import audience, hear, mail, suppressions
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave, undo
from newsletter.flows.lift import lift
from newsletter.flows.signup import Request, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock
from tests.flows.reports import Telling
from tests.flows.test_hear import agree, event
from tests.flows.test_lift import Listing

ANN, BEN, CY = "ann@x.test", "ben@x.test", "cy@x.test"
ALL = frozenset({"bounce", "complaint", "unsubscribe"})


@dataclass
class Listed(Listing):
    """A list with reasons and times; what is put on it comes back with the reason it `calls` it."""

    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(
            max_batch=10, network=False, suppressions=frozenset({"read", "add", "remove"}), holds=ALL
        )
    )
    entries: dict[str, Suppression] = field(default_factory=dict)
    calls: str = ""
    down: bool = False
    asked: list[datetime | None] = field(default_factory=list)

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        self.asked.append(since)
        yield from list(self.entries.values())
        if self.down:
            raise ProviderError("It is down.")

    def suppress(self, entries: list[Suppression]) -> None:  # type: ignore[override]
        for one in entries:
            self.entries[one.address] = Suppression(one.address, self.calls or one.reason, one.at)  # type: ignore[arg-type]
            self.listed.add(one.address)

    def unsuppress(self, addresses: list[str]) -> None:  # type: ignore[override]
        for one in addresses:
            self.entries.pop(one, None)
            self.listed.discard(one)


@pytest.fixture
def listed() -> Listed:
    return Listed()


@pytest.fixture
def desk(sqlite_store: SqlStore, make_desk: Callable[..., Desk], listed: Listed, clock: Clock) -> Desk:
    made = make_desk(sqlite_store, provider=listed, transactional=listed, reports={"listing": Telling()})
    for who in (ANN, BEN, CY):
        audience.add(who, made, why="asked on paper")
    clock.move(timedelta(days=3))
    return made


def state(desk: Desk, who: str = ANN) -> State:
    found: State = audience.show(who, desk)["state"]
    return found


def test_each_reason_means_what_a_webhook_of_it_means(desk: Desk, listed: Listed, clock: Clock) -> None:
    for who, reason in ((ANN, "bounce"), (BEN, "complaint"), (CY, "unsubscribe"), ("dan@x.test", "complaint")):
        listed.entries[who] = Suppression(who, reason, clock())  # type: ignore[arg-type]
    assert suppressions.sync(desk)[0].stopped == 3
    assert [state(desk, who) for who in (ANN, BEN, CY)] == [State.BOUNCED, State.COMPLAINED, State.UNSUBSCRIBED]
    assert audience.show("dan@x.test", desk)["suppressed"] is Reason.COMPLAINED
    with desk.store.read() as tx:
        assert "dan@x.test" not in {one.email for one in tx.events.each()}, "a stranger's address is not kept"


def test_promise_8_whoever_left_before_they_were_brought_here_stays_on_the_list(
    desk: Desk, listed: Listed, clock: Clock
) -> None:
    for who, reason in ((ANN, "unsubscribe"), (BEN, "bounce"), (CY, "complaint")):
        listed.suppress([Suppression(who, reason, clock() - timedelta(days=400))])  # type: ignore[arg-type]
    tick(desk)
    tick(desk)
    assert [state(desk, who) for who in (ANN, BEN, CY)] == [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED]
    assert listed.listed == {ANN, BEN, CY}


def test_a_complaint_is_never_taken_off(desk: Desk, listed: Listed, clock: Clock) -> None:
    listed.suppress([Suppression(ANN, "complaint", clock() - timedelta(days=400))])
    agree(desk)
    tick(desk)
    tick(desk)
    assert listed.listed == {ANN}


def test_whoever_takes_their_leaving_back_is_taken_off_too(desk: Desk, listed: Listed, clock: Clock) -> None:
    with desk.store.read() as tx:
        token = next(one for one in tx.audience.each(State.ACTIVE) if one.email == ANN).unsubscribe_token
    leave(token, desk, method="one-click")
    tick(desk)
    assert listed.listed == {ANN}
    clock.move(timedelta(minutes=10))
    undo(token, desk)
    tick(desk)
    assert (state(desk), listed.listed) == (State.ACTIVE, set())


def test_after_a_key_was_lost_strangers_are_remembered_too(desk: Desk, listed: Listed, clock: Clock) -> None:
    listed.entries["eve@x.test"] = Suppression("eve@x.test", "unsubscribe", clock())
    suppressions.sync(desk, everything=True)
    assert not forgotten("eve@x.test", desk)
    suppressions.sync(desk, everything=True, strangers=True)
    assert forgotten("eve@x.test", desk) is Reason.UNSUBSCRIBED


def forgotten(email: str, desk: Desk) -> Reason | None:
    """Why an address that we do not know must not be mailed."""
    with desk.store.read() as tx:
        return tx.audience.suppression(desk.hmac(address.parse(email)))


def test_it_is_compared_once_a_day_and_from_the_last_time_on(desk: Desk, listed: Listed, clock: Clock) -> None:
    begun = clock()
    for _ in range(3):
        tick(desk)
        clock.move(3600)
    assert listed.asked == [None]
    clock.move(timedelta(days=1))
    tick(desk)
    assert listed.asked == [None, begun - timedelta(days=1)]


def test_what_a_list_says_without_a_reason_changes_nothing(desk: Desk, listed: Listed, clock: Clock) -> None:
    listed.entries[ANN] = Suppression(ANN, "other", clock())
    listed.entries["no address"] = Suppression("no address", "bounce", clock())
    assert suppressions.sync(desk)[0].stopped == 0
    assert state(desk) is State.ACTIVE


def test_what_its_mail_server_called_full_is_taken_off_and_counted_as_soft(
    desk: Desk, listed: Listed, clock: Clock
) -> None:
    """A provider calls much of it hard; we read the words (core/feedback.py), and ours is the truth."""
    told = event(clock, "bounced", permanent=False, reason="bounce")
    hear.replay([hear.raw("listing", {}, json.dumps([told]).encode())], desk)
    listed.suppress([Suppression(ANN, "bounce", clock())])
    assert suppressions.sync(desk)[0].lifted == 1
    assert lift(desk) == 1
    assert (listed.entries, state(desk)) == ({}, State.ACTIVE)


def test_our_own_words_do_not_come_back_as_stronger_ones(desk: Desk, listed: Listed, clock: Clock) -> None:
    """A list that knows complaints alone is not told who left."""
    listed.capabilities = Capabilities(
        max_batch=10, network=False, suppressions=frozenset({"read", "add"}), holds=frozenset({"complaint"})
    )
    listed.calls = "complaint"
    with desk.store.begin() as tx:
        tx.audience.move(1, State.UNSUBSCRIBED, clock())
        tx.audience.move(2, State.COMPLAINED, clock())
    assert suppressions.sync(desk)[0].put == 1
    clock.move(timedelta(days=2))
    assert suppressions.sync(desk, everything=True)[0].stopped == 0
    assert [state(desk, who) for who in (ANN, BEN, CY)] == [State.UNSUBSCRIBED, State.COMPLAINED, State.ACTIVE]


def test_what_was_read_before_a_list_broke_off_counts_and_the_rest_comes_later(
    desk: Desk, listed: Listed, clock: Clock
) -> None:
    listed.entries[ANN] = Suppression(ANN, "bounce", clock())
    listed.down = True
    assert suppressions.sync(desk)[0].trouble == "It is down."
    tick(desk)  # somebody else's trouble stops nothing here
    listed.down = False
    listed.entries[BEN] = Suppression(BEN, "bounce", clock())
    assert suppressions.sync(desk)[0].trouble == ""
    assert (state(desk), state(desk, BEN)) == (State.BOUNCED, State.BOUNCED)


def test_whoever_left_and_comes_back_gets_the_confirmation_through(desk: Desk, listed: Listed, clock: Clock) -> None:
    """One list stands before both lanes: the mail that asks them back must pass it."""
    with desk.store.begin() as tx:
        who = tx.audience.by_id(1)
        assert who
        tx.audience.move(who.id, State.UNSUBSCRIBED, clock())
        tx.audience.suppress(who.hmac, Reason.UNSUBSCRIBED, clock())
    suppressions.sync(desk)
    assert listed.listed == {ANN}
    signup(Request(ANN, letter=True), desk)
    assert mail.empty(desk) == 1
    assert listed.taken == [ANN]
    assert state(desk) is State.UNSUBSCRIBED, "until they confirm"


def test_without_a_list_there_is_nothing_to_compare(sqlite_store: SqlStore, make_desk: Callable[..., Desk]) -> None:
    assert suppressions.sync(make_desk(sqlite_store)) == []
