"""Leaving, and half an hour to think again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from newsletter.core import address
from newsletter.core.consent import Change, Evidence, Kind, Reason, State, Subscriber, step
from newsletter.errors import LinkRefused
from newsletter.flows import audience
from newsletter.flows.consent import withdraw
from newsletter.flows.desk import Desk
from newsletter.flows.leave import UNDO, explain, leave, undo
from newsletter.store import SqlStore
from newsletter.testing import Clock

ANN = "ann@x.test"


@pytest.fixture
def desk(store: SqlStore, make_desk: Callable[..., Desk]) -> Desk:
    """On both databases."""
    return make_desk(store)


def who(desk: Desk) -> Subscriber:
    with desk.store.read() as tx:
        found = tx.audience.by_hmac(desk.hmac(address.parse(ANN)))
    assert found is not None
    return found


def told(desk: Desk) -> list[dict[str, Any]]:
    pid = who(desk).pid
    with desk.store.read() as tx:
        return [dict(event) for event in tx.audience.evidence(pid)]


@pytest.fixture
def gone(desk: Desk) -> str:
    """A reader who has just left; the token of their link."""
    audience.add(ANN, desk, why="asked at the fair")
    token = who(desk).unsubscribe_token
    leave(token, desk, method="page")
    assert who(desk).state is State.UNSUBSCRIBED
    return token


def suppression(desk: Desk) -> Reason | None:
    with desk.store.read() as tx:
        return tx.audience.suppression(who(desk).hmac)


def test_promise_8_undo_brings_it_all_back_with_evidence(desk: Desk, gone: str, clock: Clock) -> None:
    clock.move(UNDO)
    undo(gone, desk)
    assert who(desk).state is State.ACTIVE
    assert who(desk).topics == ("letter",)
    assert suppression(desk) is None
    last = told(desk)[-1]
    assert (last["kind"], last["method"], last["topics"]) == (Kind.UNDO, "page", ["letter"])
    undo(gone, desk)
    assert told(desk)[-1] == last


def test_undo_ends_after_half_an_hour(desk: Desk, gone: str, clock: Clock) -> None:
    clock.move(UNDO + timedelta(seconds=1))
    undo(gone, desk)
    assert who(desk).state is State.UNSUBSCRIBED


@pytest.mark.parametrize("reason", [Reason.COMPLAINED, Reason.OWNER])
def test_promise_4_undo_lifts_nothing_but_the_leaving(desk: Desk, gone: str, clock: Clock, reason: Reason) -> None:
    with desk.store.begin() as tx:
        tx.audience.suppress(who(desk).hmac, reason, clock())
    undo(gone, desk)
    assert who(desk).state is State.UNSUBSCRIBED
    assert suppression(desk) is reason


def test_nobody_becomes_a_reader_by_undoing_that_was_not_me(desk: Desk, clock: Clock) -> None:
    """A pending address that said no was never a reader: there is nothing to bring back."""
    audience.add(ANN, desk)
    with desk.store.begin() as tx:
        withdraw(tx, who(desk), clock(), method="page", form="not me")
    undo(who(desk).unsubscribe_token, desk)
    assert who(desk).state is State.UNSUBSCRIBED


def test_an_address_that_bounced_before_it_left_stays_away(desk: Desk, clock: Clock) -> None:
    audience.add(ANN, desk, why="asked")
    found, taken = who(desk), step(State.ACTIVE, Change.BOUNCE)
    with desk.store.begin() as tx:
        tx.audience.move(found.id, taken.state, clock(), ends_links=taken.ends_links)
        tx.audience.suppress(found.hmac, Reason.BOUNCED, clock())
        tx.audience.record([Evidence(found.pid, Kind.BOUNCE, clock(), method="webhook")])
    leave(found.unsubscribe_token, desk, method="page")
    undo(found.unsubscribe_token, desk)
    assert who(desk).state is State.UNSUBSCRIBED


def test_undo_of_who_stays_or_is_unknown_does_nothing(desk: Desk) -> None:
    audience.add(ANN, desk, why="asked")
    before = told(desk)
    undo(who(desk).unsubscribe_token, desk)
    undo("nobody", desk)
    assert told(desk) == before


def test_only_who_has_left_can_take_it_back() -> None:
    for state in (None, *State):
        if state is State.UNSUBSCRIBED:
            assert step(state, Change.UNDO).state is State.ACTIVE
        else:
            with pytest.raises(LinkRefused):
                step(state, Change.UNDO)


def test_a_reason_is_kept_once_and_only_one_of_ours(desk: Desk, gone: str, clock: Clock) -> None:
    for reason in ("<b>anything</b>", "often", "never"):
        explain(gone, reason, desk)
    kept = [event["note"] for event in told(desk) if event["kind"] == Kind.REASON]
    assert kept == ["often"]
    undo(gone, desk)
    assert who(desk).state is State.ACTIVE
    explain(gone, "never", desk)
    explain("nobody", "never", desk)
    clock.move(UNDO)
    leave(gone, desk, method="page")
    clock.move(UNDO + timedelta(seconds=1))
    explain(gone, "never", desk)
    assert [event["note"] for event in told(desk) if event["kind"] == Kind.REASON] == ["often"]
