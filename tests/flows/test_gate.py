"""People pass; programs wait, or are let talk. Nobody who might be a person is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core import address
from newsletter.core.publication import Limits, Publication
from newsletter.flows import gate
from newsletter.flows.desk import Desk
from newsletter.flows.gate import CROWD, SOONEST, Lane, Trapped, Visit
from newsletter.flows.signup import Request, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider


@pytest.fixture
def desk(store: SqlStore, make_desk: Callable[..., Desk], publication: Publication) -> Desk:
    """On both databases; ten confirmations an hour."""
    return make_desk(store, publication=replace(publication, limits=Limits(10, 100)))


def lane_of(visit: Visit | None, desk: Desk) -> Lane:
    return gate.lane(visit, desk, desk.now())


def test_a_form_that_was_read_for_a_moment_is_a_persons(desk: Desk, clock: Clock) -> None:
    stamp = gate.stamp(desk)
    for span in (SOONEST, timedelta(hours=23)):
        clock.move(span)
        assert lane_of(Visit(stamp), desk) is Lane.USUAL


def test_what_cannot_be_known_is_slow_and_never_refused(desk: Desk, clock: Clock) -> None:
    assert lane_of(Visit(), desk) is Lane.SLOW  # a copied form has no stamp
    stamp = gate.stamp(desk)
    clock.move(SOONEST - timedelta(seconds=1))
    assert lane_of(Visit(stamp), desk) is Lane.SLOW  # a password manager is quick
    clock.move(timedelta(hours=25))
    assert lane_of(Visit(stamp), desk) is Lane.SLOW  # a page left open
    assert lane_of(None, desk) is Lane.USUAL  # the owner's own hand


@pytest.mark.parametrize(
    "visit", [Visit(trap="x"), Visit(stamp="x"), Visit(stamp="W10.aw8EGA.AAAAAAAAAAAAAAAAAAAAAAAAAAA")]
)
def test_what_no_person_does_is_trapped_and_nothing_is_kept(desk: Desk, visit: Visit) -> None:
    with pytest.raises(Trapped):
        lane_of(visit, desk)
    signup(Request("bot@x.test", visit=visit), desk)
    with desk.store.read() as tx:
        assert tx.audience.by_hmac(desk.hmac(address.parse("bot@x.test"))) is None


def test_a_link_of_another_kind_is_no_stamp(desk: Desk) -> None:
    token = desk.links.confirm(1, 0, desk.now()).rpartition("/")[2]
    with pytest.raises(Trapped):
        lane_of(Visit(token), desk)


def crowd(desk: Desk, network: str) -> Lane:
    with desk.store.begin() as tx:
        return gate.crowd(tx, Visit(network=network), desk, desk.now())


def test_a_network_that_asks_too_often_comes_last_and_others_do_not(desk: Desk, clock: Clock) -> None:
    (brief, few), (_, many) = CROWD
    assert [crowd(desk, "192.0.2.7") for _ in range(few + 2)] == [Lane.USUAL] * few + [Lane.LAST] * 2
    assert crowd(desk, "192.0.2.8") is Lane.USUAL
    assert crowd(desk, "") is Lane.USUAL
    clock.move(brief + timedelta(seconds=1))
    assert crowd(desk, "192.0.2.7") is Lane.USUAL
    for _ in range(many):
        crowd(desk, "192.0.2.7")
    clock.move(timedelta(hours=1))
    assert crowd(desk, "192.0.2.7") is Lane.LAST


def test_promise_12_no_network_is_kept_and_its_hash_changes_daily(
    sqlite_store: SqlStore, make_desk: Callable[..., Desk], clock: Clock, tmp_path: Path
) -> None:
    desk = make_desk(sqlite_store)
    crowd(desk, "192.0.2.7")
    clock.move(timedelta(days=1))
    assert crowd(desk, "192.0.2.7") is Lane.USUAL
    with contextlib.closing(sqlite3.connect(tmp_path / "newsletter.db")) as raw:
        keys = {key for (key,) in raw.execute("SELECT key FROM hits")}
    assert len(keys) == 2
    assert not any("192" in key for key in keys)


def many(desk: Desk, count: int, visit: Visit | None, name: str) -> None:
    for number in range(count):
        signup(Request(f"{name}{number}@x.test", visit=visit), desk)


def reached(provider: FakeProvider, name: str) -> int:
    return sum(call.batch.recipients[0].address.startswith(name) for call in provider.calls)


def test_a_flood_leaves_room_for_people_and_waits_its_turn(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    read = gate.stamp(desk)
    clock.move(SOONEST)
    many(desk, 12, Visit(), "slow")
    many(desk, 3, Visit(read), "person")
    tick(desk)
    assert (reached(provider, "slow"), reached(provider, "person")) == (9, 1)  # the hour is full: ten
    clock.move(timedelta(minutes=61))
    tick(desk)
    assert (reached(provider, "slow"), reached(provider, "person")) == (12, 3)


def test_one_network_has_a_small_part_however_it_comes(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    read = gate.stamp(desk)
    clock.move(SOONEST)
    many(desk, 8, Visit(read, network="192.0.2.7"), "crowd")
    many(desk, 3, Visit(read, network="192.0.2.8"), "person")
    tick(desk)
    assert (reached(provider, "crowd"), reached(provider, "person")) == (5 + 2, 3)


def test_the_many_spellings_of_one_mailbox_share_its_cap(desk: Desk, provider: FakeProvider) -> None:
    for typed in ("a.n.n@gmail.com", "ann+1@gmail.com", "ann@googlemail.com", "ann@gmail.com"):
        signup(Request(typed), desk)
    signup(Request("ben@gmail.com"), desk)
    tick(desk)
    assert [call.batch.recipients[0].address for call in provider.calls] == ["a.n.n@gmail.com", "ben@gmail.com"]
