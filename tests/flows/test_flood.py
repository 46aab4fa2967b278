"""Thousands of programs at the door within a minute, and a few people among them; here a tenth of it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.core import proof
from newsletter.core.publication import Limits
from newsletter.flows import gate
from newsletter.flows.desk import Desk
from newsletter.flows.gate import SOONEST, Visit
from newsletter.flows.signup import Request, signup
from newsletter.flows.tick import tick
from newsletter.testing import Clock, FakeProvider

HOUR, DAY = 20, 100
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    limits = Limits(HOUR, DAY)
    return replace(desk, publication=replace(desk.publication, limits=limits), owner="owner@house.test")


def person(desk: Desk, number: int, *, script: bool) -> None:
    """Opens our page, whose browser works if it may, and types an address for some seconds."""
    once = gate.under_pressure(desk)
    stamp = gate.stamp(desk, once=once)
    works = script and once
    found = next(one for one in map(str, itertools.count()) if proof.holds(stamp, one)) if works else ""
    desk.now.move(SOONEST)  # type: ignore[attr-defined]
    signup(Request(f"person{number}@home{number}.test", visit=Visit(stamp, "", f"198.51.100.{number}", found)), desk)


def programs(desk: Desk, stamp: str, numbers: range) -> None:
    """Copied forms from everywhere, one network that does not stop, one domain that is to drown, our page read once."""
    for number in numbers:
        kind = number % 4
        network = "203.0.113.9" if kind == 1 else f"10.0.{number}.1"
        host = "drowned.test" if kind == 2 else f"victim{number}.test"
        visit = Visit(stamp if kind == 3 else "", "", network)
        signup(Request(f"bot{number}@{host}", visit=visit), desk)


def reached(provider: FakeProvider, kind: str = "confirm") -> list[str]:
    return [call.batch.recipients[0].address for call in provider.calls if call.batch.tag == kind]


@pytest.mark.slow
def test_the_caps_hold_and_people_of_the_same_minute_have_their_mail(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    read_once = gate.stamp(desk)
    clock.move(SOONEST)
    for part in range(4):
        programs(desk, read_once, range(part * 50, part * 50 + 50))
        tick(desk)
        person(desk, part, script=True)
    tick(desk)
    now = reached(provider)
    assert {f"person{number}@home{number}.test" for number in range(4)} <= set(now)
    assert len(now) <= HOUR
    assert Counter(one.partition("@")[2] for one in now)["drowned.test"] <= 20
    assert reached(provider, "full") == ["owner@house.test"]


@pytest.mark.slow
def test_promise_2_those_who_wait_are_served_in_their_turn_and_the_caps_of_the_day_hold(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    programs(desk, gate.stamp(desk), range(60))
    person(desk, 1, script=False)
    for _ in range(30):
        tick(desk)
        clock.move(timedelta(hours=1, minutes=1))
    everybody = reached(provider)
    assert len(everybody) == len(set(everybody))
    assert "person1@home1.test" in everybody[: HOUR + 1]
    slow = [one for one in everybody if one.startswith("bot") and int(one[3:].partition("@")[0]) % 4 == 0]
    assert slow == sorted(slow, key=lambda one: int(one[3:].partition("@")[0]))
