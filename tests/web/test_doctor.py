"""Doctor at a real web side: it is left alone, and it was the one that answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from newsletter.core.links import Purpose
from newsletter.flows import leave
from newsletter.flows.doctor import doctor, site, web
from newsletter.flows.doctor.setup import Setup
from tests.web.conftest import House


def _visit(house: House, seen_by: House) -> site.Visit:
    here = Setup(house.desk.root, house.desk.publication, house.url, "fake", network=True)
    made = doctor._visit(here, seen_by.desk)
    return replace(made, now=lambda: datetime.now(UTC), old_site="")  # the server's Date is the real one


def test_the_real_web_side_is_left_alone(own_house: House) -> None:
    assert site.look(_visit(own_house, own_house), web.Web(seconds=5)) == []


def test_another_database_is_found(own_house: House, house: House) -> None:
    found = site.look(_visit(own_house, house), web.Web(seconds=5))
    assert [one.id for one in found] == ["web.one-click-elsewhere"]


def test_only_a_signed_and_fresh_doctors_link_is_remembered(own_house: House) -> None:
    desk = own_house.desk
    for token in ("a" * 22, "a.b.c", desk.links.sign(Purpose.STOP, [0], desk.now())):
        answer = own_house.post(f"/unsubscribe/{token}")
        with desk.store.read() as tx:
            assert tx.facts.get(leave.DOCTOR) is None
    good = own_house.post(f"/unsubscribe/{desk.links.sign(Purpose.DOCTOR, [0], desk.now())}")
    assert good.content == answer.content  # and nobody can tell
    with desk.store.read() as tx:
        assert tx.facts.get(leave.DOCTOR) is not None
