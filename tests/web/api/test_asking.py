"""Requests that come again, wrong keys, and errors that programs can read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from newsletter.core.keys import Scope
from newsletter.web.api import asking
from tests.web.api.conftest import Owner, asked, bundle


def count(owner: Owner) -> int:
    return owner("GET", "/api/stats").json()["subscribers"]["all"]


def test_the_same_again_is_answered_as_it_was_and_done_once(owner: Owner):
    body, heads = {"email": "twice@example.org", "attested": "paper"}, {"Idempotency-Key": "twice"}
    first = owner("POST", "/api/subscribers", json=body, headers=heads)
    before = count(owner)
    second = owner("POST", "/api/subscribers", json=body, headers=heads)
    assert (second.status_code, second.json()) == (first.status_code, first.json()) == (201, first.json())
    assert second.headers["idempotent-replayed"] == "true"
    assert count(owner) == before
    assert owner("POST", "/api/subscribers", json=body).status_code == 409  # without the key it is a new request


def test_a_key_for_another_request_is_refused(owner: Owner):
    heads = {"Idempotency-Key": "other"}
    assert owner("POST", "/api/subscribers", json={"email": "o1@example.org"}, headers=heads).status_code == 201
    wrong = owner("POST", "/api/subscribers", json={"email": "o2@example.org"}, headers=heads)
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:newsletter:problem:key-reused")
    elsewhere = owner("POST", "/api/lookup", json={"email": "o1@example.org"}, headers=heads)
    assert elsewhere.status_code == 200  # nothing is kept of a question


def test_another_program_has_keys_of_its_own(owner: Owner):
    heads, body = {"Idempotency-Key": "shared"}, {"email": "s1@example.org"}
    assert owner("POST", "/api/subscribers", json=body, headers=heads).status_code == 201
    other = owner.new(Scope.SUBSCRIBERS_WRITE)
    assert owner("POST", "/api/subscribers", key=other, json=body, headers=heads).status_code == 409  # it is known


def test_what_came_to_nothing_may_be_asked_again_and_an_answer_is_kept_for_a_day(own_owner: Owner):
    owner, heads = own_owner, {"Idempotency-Key": "later"}
    wanted = asked(bundle(), yes=True)
    assert owner("POST", "/api/campaigns", json=wanted, headers=heads).status_code == 409  # nobody would get it
    owner.reader("late@example.org")
    assert owner("POST", "/api/campaigns", json=wanted, headers=heads).status_code == 201
    assert owner("POST", "/api/campaigns", json=wanted, headers=heads).status_code == 201
    owner.house.clock.move(timedelta(hours=25))
    assert owner("POST", "/api/campaigns", json=wanted, headers=heads).status_code == 200


def test_two_at_once_are_not_done_twice(owner: Owner):
    write = asking.Write(_caller(owner), _door(owner), "at once", "ab" * 32)
    inside = []

    def act():
        inside.append(write.once(act_never))
        return asking.answer({"done": True}, 201)

    def act_never():
        raise AssertionError

    assert write.once(act).status_code == 201
    assert (inside[0].status_code, inside[0].headers["retry-after"]) == (409, "5")
    assert write.once(act_never).status_code == 201


def _caller(owner: Owner):
    return asking.Caller("test", frozenset(Scope), "test")


def _door(owner: Owner):
    return SimpleNamespace(desk=owner.house.desk)


def test_whoever_guesses_keys_waits():
    now = [0.0]
    tries = asking.Tries(lambda: now[0])
    assert [tries.wrong("a") for _ in range(asking.MOST_WRONG + 1)] == [False] * asking.MOST_WRONG + [True]
    assert not tries.wrong("b")
    now[0] += asking.PER + 1
    assert not tries.wrong("a")
    assert set(tries._wrong) == {"a"}  # nothing is kept of networks that are quiet


def test_a_right_key_is_not_held_up_by_wrong_ones(own_owner: Owner):
    wrong = [own_owner("GET", "/api/stats", key="nl_wrong") for _ in range(asking.MOST_WRONG + 2)]
    assert {answer.status_code for answer in wrong} == {401, 429}
    assert wrong[-1].headers["retry-after"] == "60"
    assert wrong[-1].headers["content-type"] == "application/problem+json"
    assert own_owner("GET", "/api/stats").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "how", "status"),
    [
        ("GET", "/api/nowhere", {}, 404),
        ("PUT", "/api/stats", {}, 405),
        ("POST", "/api/subscribers", {"data": "email=x", "headers": {"Content-Type": "text/plain"}}, 415),
        ("POST", "/api/subscribers", {"data": "{", "headers": {"Content-Type": "application/json"}}, 422),
        ("POST", "/api/subscribers", {"json": {"email": "a@example.org", "more": 1}}, 422),
        ("POST", "/api/subscribers", {"data": b"x" * 70_000}, 413),
        ("POST", "/api/campaigns", {"data": b"x" * 9_000_000}, 413),
        ("POST", "/api/subscribers", {"json": {"email": "a@example.org"}, "headers": {"Idempotency-Key": "a b"}}, 422),
    ],
)
def test_every_error_is_a_problem(owner: Owner, method, path, how, status):
    answer = owner(method, path, **how)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert set(answer.json()) >= {"type", "title", "detail"}
    assert answer.headers["cache-control"] == "no-store"


def test_what_breaks_is_a_problem_too(tmp_path, build_house, run_site):
    from newsletter.web.serve import config
    from newsletter.web.site import site

    house = build_house(tmp_path)
    app = site(house.desk)

    @app.get("/api/broken")
    def broken() -> None:
        raise ZeroDivisionError

    whole = config(house.desk)
    whole.app = app
    with run_site(whole) as house.url:
        answer = house.get("/api/broken")
    house.http.close()
    house.store.close()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


def test_an_issuer_that_is_away_is_told_of_and_may_be_asked_again(tmp_path, build_house, run_site):
    from newsletter.errors import KeysAway
    from newsletter.web.serve import config

    class Away:
        def now(self) -> None: ...

        def identify(self, _token: str) -> None:
            raise KeysAway("The issuer of this token gives no keys now.", "Run again in a minute.")

    house = build_house(tmp_path)
    with run_site(config(replace(house.desk, workflows=Away()))) as house.url:
        answer = house.get("/api/campaigns", headers={"Authorization": "Bearer a.b.c"})
    house.http.close()
    house.store.close()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:newsletter:problem:keys-away")
    assert "gives no keys" in answer.json()["detail"]
    assert "retry-after" in answer.headers
