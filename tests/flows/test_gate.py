"""People pass; programs wait, or are let talk. Nobody who might be a person is lost."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core import address, mime, proof
from newsletter.core.email import fill
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
    assert lane_of(None, desk) is Lane.KNOWN  # the owner's own hand


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


def crowd(desk: Desk, network: str) -> bool:
    with desk.store.begin() as tx:
        return gate.crowd(tx, Visit(network=network), desk, desk.now())


def test_a_network_that_asks_too_often_comes_last_and_others_do_not(desk: Desk, clock: Clock) -> None:
    (brief, few), (_, many) = CROWD
    assert [crowd(desk, "192.0.2.7") for _ in range(few + 2)] == [False] * few + [True] * 2
    assert not crowd(desk, "192.0.2.8")
    assert not crowd(desk, "")
    clock.move(brief + timedelta(seconds=1))
    assert not crowd(desk, "192.0.2.7")
    for _ in range(many):
        crowd(desk, "192.0.2.7")
    clock.move(timedelta(hours=1))
    assert crowd(desk, "192.0.2.7")


def test_promise_12_no_network_is_kept_and_its_hash_changes_daily(
    sqlite_store: SqlStore, make_desk: Callable[..., Desk], clock: Clock, tmp_path: Path
) -> None:
    desk = make_desk(sqlite_store)
    crowd(desk, "192.0.2.7")
    clock.move(timedelta(days=1))
    assert not crowd(desk, "192.0.2.7")
    with contextlib.closing(sqlite3.connect(tmp_path / "newsletter.db")) as raw:
        keys = {key for (key,) in raw.execute("SELECT key FROM hits")}
    assert len(keys) == 2
    assert not any("192" in key for key in keys)


def many(desk: Desk, count: int, visit: Visit | None, name: str) -> None:
    for number in range(count):
        signup(Request(f"{name}@x{number}.test", visit=visit), desk)


def reached(provider: FakeProvider, *names: str) -> tuple[int, ...]:
    to = [call.batch.recipients[0].address for call in provider.calls]
    return tuple(sum(address.startswith(name) for address in to) for name in names)


def test_a_flood_leaves_room_for_people_and_waits_its_turn(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    read = gate.stamp(desk)
    clock.move(SOONEST)
    many(desk, 12, Visit(), "slow")
    many(desk, 3, Visit(read), "person")
    tick(desk)
    assert reached(provider, "slow", "person") == (5, 3)  # after half of the hour's ten the door is pressed
    for _ in range(3):
        clock.move(timedelta(minutes=61))
        tick(desk)
    assert reached(provider, "slow", "person") == (12, 3)


def test_one_network_has_a_small_part_however_it_comes(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    read = gate.stamp(desk)
    clock.move(SOONEST)
    many(desk, 8, Visit(read, network="192.0.2.7"), "crowd")
    many(desk, 3, Visit(read, network="192.0.2.8"), "person")
    tick(desk)
    assert reached(provider, "crowd", "person") == (5 + 1, 2)  # eight of ten; the rest is for who is known


def press(desk: Desk) -> None:
    """Half of the hour's ten are gone."""
    many(desk, 5, None, "early")
    tick(desk)
    assert gate.under_pressure(desk)


def worked_for(desk: Desk) -> Visit:
    """What a browser sends that did its work."""
    stamp = gate.stamp(desk, once=True)
    number = next(number for number in map(str, itertools.count()) if proof.holds(stamp, number))
    return Visit(stamp, proof=number)


def lane_kept(desk: Desk, visit: Visit, name: str) -> Lane:
    """The lane of a signup with it."""
    signup(Request(f"ann@{name}.test", visit=visit), desk)
    with desk.store.read() as tx:
        who = tx.audience.by_hmac(desk.hmac(address.parse(f"ann@{name}.test")))
        assert who
        found = tx.audience.signup(who.id)
    assert found
    return Lane(found.lane)


def test_whose_browser_worked_goes_before_all_others_and_its_work_counts_once(desk: Desk, clock: Clock) -> None:
    visit = worked_for(desk)
    clock.move(SOONEST)
    assert lane_kept(desk, Visit(visit.stamp), "read") is Lane.USUAL
    assert lane_kept(desk, replace(visit, proof=str(int(visit.proof) + 1)), "wrong") is Lane.USUAL
    assert lane_kept(desk, visit, "worked") is Lane.KNOWN
    assert lane_kept(desk, visit, "copied") is Lane.USUAL
    assert lane_kept(desk, Visit(proof="1"), "empty") is Lane.SLOW


def test_a_number_that_fits_a_stamp_of_everybodys_is_no_work_of_this_page(desk: Desk, clock: Clock) -> None:
    stamp = gate.stamp(desk)
    number = next(number for number in map(str, itertools.count()) if proof.holds(stamp, number))
    clock.move(SOONEST)
    assert lane_kept(desk, Visit(stamp, proof=number), "all") is Lane.USUAL


@pytest.mark.slow
def test_without_script_a_person_waits_no_longer_than_the_hour_and_leaves_room(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    press(desk)
    read, worked = gate.stamp(desk), worked_for(desk)
    clock.move(SOONEST)
    many(desk, 8, Visit(read), "read")
    signup(Request("worked@x.test", visit=worked), desk)
    tick(desk)
    assert reached(provider, "early", "read", "worked") == (5, 3, 1)
    clock.move(timedelta(minutes=61))
    tick(desk)
    assert reached(provider, "read") == (8,)


def test_one_domain_gets_no_more_than_its_share_and_a_flood_there_holds_up_no_person(
    store: SqlStore, make_desk: Callable[..., Desk], publication: Publication, provider: FakeProvider, clock: Clock
) -> None:
    desk = make_desk(store, publication=replace(publication, limits=Limits(100, 100, 2)))
    read = gate.stamp(desk)
    clock.move(SOONEST)
    for number in range(4):
        for visit, name in ((Visit(), "slow"), (Visit(read), "person")):
            signup(Request(f"{name}{number}@small.test", visit=visit), desk)
        signup(Request(f"large{number}@gmail.com", visit=Visit()), desk)
    tick(desk)
    assert reached(provider, "slow", "person", "large") == (2, 2, 4)
    clock.move(timedelta(minutes=61))
    tick(desk)
    assert reached(provider, "slow", "person", "large") == (4, 4, 4)


def test_the_owner_is_told_once_a_day_that_a_cap_is_full(
    store: SqlStore, make_desk: Callable[..., Desk], publication: Publication, provider: FakeProvider, clock: Clock
) -> None:
    desk = make_desk(store, publication=replace(publication, limits=Limits(3, 30)), owner="owner@x.test")

    def told() -> int:
        return sum(call.batch.tag == "full" for call in provider.calls)

    many(desk, 3, None, "early")
    tick(desk)
    assert told() == 0
    many(desk, 9, None, "late")
    for _ in range(4):
        tick(desk)
        clock.move(timedelta(minutes=11))
    assert told() == 1
    call = next(call for call in provider.calls if call.batch.tag == "full")
    assert mime.is_safe(call.key)  # an outbox names a file by it
    text = fill(call.email.text, {})
    assert "(in an hour / in a day: 3 / 30)" in " ".join(text.split())
    assert "x0.test" not in text  # promise 12
    clock.move(timedelta(days=1))
    many(desk, 9, None, "again")
    tick(desk)
    tick(desk)
    assert told() == 2


def test_the_many_spellings_of_one_mailbox_share_its_cap(desk: Desk, provider: FakeProvider) -> None:
    for typed in ("a.n.n@gmail.com", "ann+1@gmail.com", "ann@googlemail.com", "ann@gmail.com"):
        signup(Request(typed), desk)
    signup(Request("ben@gmail.com"), desk)
    tick(desk)
    assert [call.batch.recipients[0].address for call in provider.calls] == ["a.n.n@gmail.com", "ben@gmail.com"]
