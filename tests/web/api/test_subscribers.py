import sqlite3
from contextlib import closing

import pytest

from newsletter.core import address
from newsletter.core.keys import Scope
from tests.web.api.conftest import Owner
from tests.web.conftest import until


def test_a_page_leads_to_the_next(own_owner: Owner):
    for n in range(5):
        own_owner.reader(f"reader{n}@example.org")
    found, cursor = [], ""
    while cursor is not None:
        page = own_owner(
            "GET", "/api/subscribers", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        found += [one["email"] for one in page["items"]]
        cursor = page["next"]
    assert found == [f"reader{n}@example.org" for n in range(5)]
    assert own_owner("GET", "/api/subscribers", params={"state": "pending"}).json() == {"items": [], "next": None}


@pytest.mark.parametrize("cursor", ["x", "c3Vic2NyaWJlcnMuMQ==", "Y2FtcGFpZ25zLjE", "ÿ", "c3Vic2NyaWJlcnMuLTE"])
def test_a_cursor_that_is_not_ours_is_refused(owner: Owner, cursor):
    answer = owner("GET", "/api/subscribers", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["detail"][:7]) == (422, "cursor:")


def test_one_without_a_word_on_how_they_agreed_is_asked_by_mail(owner: Owner):
    answer = owner("POST", "/api/subscribers", json={"email": "asked@example.org"})
    assert (answer.status_code, answer.json()["state"], answer.json()["topics"]) == (201, "pending", [])
    assert "@" not in answer.text
    assert owner.house.post(owner.house.link("asked@example.org", "confirm")).status_code == 200
    assert owner.house.subscriber("asked@example.org").topics == ("letter",)


def test_promise_8_one_who_is_attested_is_active_with_the_evidence(owner: Owner):
    body = {"email": "paper@example.org", "topics": ["letter"], "attested": "signed a list on 3 May"}
    made = owner("POST", "/api/subscribers", json=body).json()
    assert (made["state"], made["topics"]) == ("active", ["letter"])
    all_ = owner("GET", f"/api/subscribers/{made['id']}").json()
    (event,) = all_["consent"]
    assert (event["kind"], event["method"], event["note"]) == ("import", "api", "signed a list on 3 May")
    assert event["source"].startswith("key ")


def test_promise_8_nobody_who_left_comes_back(owner: Owner):
    pid = owner.reader("left@example.org")
    who = owner.house.subscriber("left@example.org")
    assert owner.house.post(f"/unsubscribe/{who.unsubscribe_token}").status_code == 200
    again = owner("POST", "/api/subscribers", json={"email": "left@example.org", "attested": "she said so"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:newsletter:problem:nothing-to-do")
    more = owner("PATCH", f"/api/subscribers/{pid}", json={"topics": ["letter"], "attested": "she said so"})
    assert more.status_code == 409
    assert owner.house.state("left@example.org") == "unsubscribed"


def test_topics_change_with_a_word_for_what_comes_on_top(owner: Owner):
    pid = owner.reader("topics@example.org")
    with owner.house.store.begin() as tx:
        who = tx.audience.by_pid(pid)
        tx.audience.drop_topics(who.id)
    assert owner("PATCH", f"/api/subscribers/{pid}", json={"topics": ["letter"]}).status_code == 409
    done = owner("PATCH", f"/api/subscribers/{pid}", json={"topics": ["letter"], "attested": "by mail"})
    assert done.json()["topics"] == ["letter"]
    assert owner.house.evidence("topics@example.org")[-1] == "preferences api"
    wrong = owner("PATCH", f"/api/subscribers/{pid}", json={"topics": ["tides"], "attested": "by mail"})
    assert (wrong.status_code, "There are: letter" in wrong.json()["todo"]) == (404, True)


def test_an_address_is_asked_for_in_a_body_alone(owner: Owner):
    pid = owner.reader("found@example.org")
    assert owner("POST", "/api/lookup", json={"email": "Found@Example.org"}).json()["id"] == pid
    assert owner("POST", "/api/lookup", json={"email": "nobody@example.org"}).status_code == 404
    assert owner("POST", "/api/lookup", json={"email": "none"}).status_code == 400


def test_suppressed_is_never_mailed_again(owner: Owner):
    pid = owner.reader("stop@example.org")
    assert owner("POST", f"/api/subscribers/{pid}/suppress", json={"note": "asked on the phone"}).status_code == 204
    assert owner("GET", f"/api/subscribers/{pid}").json()["suppressed"] == "owner"


def test_promise_9_erased_is_nowhere_answers_that_were_kept_among_them(own_owner: Owner):
    owner = own_owner
    body = {"email": "gone.for.good@example.org", "attested": "asked on paper"}
    made = owner("POST", "/api/subscribers", json=body, headers={"Idempotency-Key": "one"}).json()
    assert owner("DELETE", f"/api/subscribers/{made['id']}", headers={"Idempotency-Key": "two"}).status_code == 204
    assert owner("GET", f"/api/subscribers/{made['id']}").status_code == 404
    with owner.house.store.begin() as tx:
        tx.facts.set("a-note", "x")
    with closing(sqlite3.connect(owner.house.database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    until(lambda: b"gone.for.good" not in owner.house.database.read_bytes())
    with owner.house.store.read() as tx:
        assert tx.audience.suppression(owner.house.desk.hmac(address.parse(body["email"]))) == "erased"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/subscribers", Scope.SUBSCRIBERS_READ),
        ("GET", "/api/subscribers/00", Scope.SUBSCRIBERS_READ),
        ("POST", "/api/lookup", Scope.SUBSCRIBERS_READ),
        ("POST", "/api/subscribers", Scope.SUBSCRIBERS_WRITE),
        ("PATCH", "/api/subscribers/00", Scope.SUBSCRIBERS_WRITE),
        ("POST", "/api/subscribers/00/suppress", Scope.SUBSCRIBERS_WRITE),
        ("DELETE", "/api/subscribers/00", Scope.SUBSCRIBERS_WRITE),
        ("GET", "/api/campaigns", Scope.CAMPAIGNS_READ),
        ("GET", "/api/campaigns/none", Scope.CAMPAIGNS_READ),
        ("POST", "/api/plans", Scope.CAMPAIGNS_SEND),
        ("POST", "/api/campaigns", Scope.CAMPAIGNS_SEND),
        ("POST", "/api/campaigns/none/pause", Scope.CAMPAIGNS_SEND),
        ("POST", "/api/campaigns/none/resume", Scope.CAMPAIGNS_SEND),
        ("POST", "/api/campaigns/none/cancel", Scope.CAMPAIGNS_SEND),
        ("GET", "/api/stats", Scope.STATS_READ),
    ],
)
def test_each_route_wants_its_own_scope(owner: Owner, keyring, method, path, scope):
    body = {"json": {}} if method in {"POST", "PATCH"} else {}
    refused = owner(method, path, key=keyring(*(one for one in Scope if one != scope)), **body)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:newsletter:problem:scope")
    assert "insufficient_scope" in refused.headers["www-authenticate"]
    assert owner(method, path, key=keyring(scope), **body).status_code not in {401, 403}
    bare = owner.house.http.request(method, owner.house.url + path, timeout=10, **body)
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")


@pytest.fixture(scope="module")
def keyring(owner: Owner):
    """Keys by their scopes; each made once."""
    made: dict[frozenset[Scope], str] = {}

    def key(*scopes: Scope) -> str:
        return (
            made.setdefault(frozenset(scopes), owner.new(*scopes))
            if frozenset(scopes) not in made
            else made[frozenset(scopes)]
        )

    return key


@pytest.mark.parametrize("field", ["attested", "first_name", "last_name", "topics"])
def test_words_hold_no_control_characters(owner: Owner, field):
    body = {"email": "nul@example.org", field: ["a\0b"] if field == "topics" else "a\0b"}
    assert owner("POST", "/api/subscribers", json=body).status_code == 422
    assert owner("GET", "/api/subscribers", params={"topic": "a\0b"}).status_code == 422
    assert owner("GET", "/api/campaigns/a%00b").status_code == 422
