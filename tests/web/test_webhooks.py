"""Webhooks over real HTTP: what is answered with 200 is kept."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from newsletter.core.consent import State
from newsletter.errors import StoreBusy
from newsletter.web import webhooks
from newsletter.web.limit import MOST, MOST_EVENTS
from tests.web.conftest import House, open_house, until

RIGHT = {"Signature": "right"}


def body(house: House, number: int, email: str, type_: str = "complained") -> str:
    return json.dumps([{"type": type_, "id": f"w{number}", "at": house.clock().isoformat(), "email": email}])


def test_a_signed_event_is_kept_answered_and_obeyed(house: House) -> None:
    house.join("ann@webhooks.test")
    house.clock.move(60)
    event = body(house, 1, "ann@webhooks.test")
    for _ in range(2):
        answer = house.post("/webhooks/telling", data=event, headers=RIGHT)
        assert (answer.status_code, answer.text) == (200, "OK\n")
        assert "set-cookie" not in answer.headers
    until(lambda: house.state("ann@webhooks.test") is State.COMPLAINED)
    assert house.evidence("ann@webhooks.test")[-1] == "complaint webhook"


@pytest.mark.parametrize(("path", "headers", "status"), [
    ("/webhooks/telling", {}, 403),
    ("/webhooks/telling", {"Signature": "wrong"}, 403),
    ("/webhooks/nobody", RIGHT, 404),
])  # fmt: skip
def test_what_is_not_theirs_is_refused_and_nothing_is_kept(
    house: House, path: str, headers: dict[str, str], status: int
) -> None:
    with house.unchanged():
        assert house.post(path, data="[]", headers=headers).status_code == status


def test_promise_5_a_get_of_it_does_nothing(house: House) -> None:
    with house.unchanged():
        answer = house.get("/webhooks/telling", headers=RIGHT)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_thousand_events_in_one_request_are_taken_and_no_more_than_four_megabytes(house: House) -> None:
    large = json.dumps([{"type": "delivered", "id": f"l{n}", "at": house.clock().isoformat()} for n in range(1000)])
    assert len(large) > MOST
    assert house.post("/webhooks/telling", data=large, headers=RIGHT).status_code == 200
    assert house.post("/webhooks/telling", data=b"x" * (MOST_EVENTS + 1), headers=RIGHT).status_code == 413


def test_when_it_cannot_be_kept_the_provider_is_asked_to_come_again(tmp_path) -> None:
    with open_house(tmp_path) as house:
        store = house.desk.store

        class Busy:
            def __getattr__(self, name: str):
                return getattr(store, name)

            def begin(self):
                raise StoreBusy("locked")

        object.__setattr__(house.desk, "store", Busy())
        answer = house.post("/webhooks/telling", data="[]", headers=RIGHT)
        form = house.sign_up("busy@webhooks.test")
        object.__setattr__(house.desk, "store", store)
        assert (form.status_code, form.headers["retry-after"]) == (503, "30")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert house.post("/webhooks/telling", data="[]", headers=RIGHT).status_code == 200


def test_many_at_once_are_all_kept(house: House) -> None:
    def one(number: int) -> int:
        return house.post(
            "/webhooks/telling", data=body(house, 5000 + number, "x@y.test", "delivered"), headers=RIGHT
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(40))) == {200}

    def told() -> int:
        with house.store.read() as tx:
            return sum(event.email == "x@y.test" for event in tx.events.each())

    until(lambda: told() == 40)
    assert webhooks.MOST_WAITING > 40
