import pytest

from newsletter.core.consent import State

BODIES = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "empty": {},
    "text": {"data": b"One-Click", "headers": {"Content-Type": "text/plain"}},
    "broken multipart": {"data": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
    "no boundary": {"data": b"--x", "headers": {"Content-Type": "multipart/form-data"}},
    "json": {"json": [1]},
}


@pytest.fixture(scope="module")
def thanks(house):
    return house.post("/unsubscribe/nobody-has-this-token").content


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("end", ["", "/"])
def test_one_click_leaves_whatever_the_body_is(house, thanks, body, end):
    email = f"{body.replace(' ', '-')}{len(end)}@example.org"
    token = house.join(email, letter="yes").unsubscribe_token
    for _ in range(2):
        response = house.post(f"/unsubscribe/{token}{end}", **BODIES[body])
        assert (response.status_code, response.content) == (200, thanks)
        assert "set-cookie" not in response.headers
        assert "location" not in response.headers
    assert house.state(email) is State.UNSUBSCRIBED
    assert house.evidence(email).count("withdraw one-click") == 1


@pytest.mark.parametrize(
    "token", ["x", "%00", "%F0%9F%8C%BF", "a" * 3000, "..", "WzEsMF0.aw8EGA.plRWfNeT5Eh2TvhawVDDf7DZdeM"]
)
def test_any_token_gets_the_same_answer(house, thanks, token):
    response = house.post(f"/unsubscribe/{token}x", data={"List-Unsubscribe": "One-Click"})
    assert (response.status_code, response.content) == (200, thanks)


def test_the_page_is_the_same_for_any_token_and_does_nothing(house):
    who = house.join("stay@example.org", letter="yes")
    known, unknown = house.get(f"/unsubscribe/{who.unsubscribe_token}"), house.get("/unsubscribe/x")
    assert known.content == unknown.content == house.get(f"/unsubscribe/{who.unsubscribe_token}/").content
    assert known.text.count("<button") == 1
    assert house.state("stay@example.org") is State.ACTIVE


def test_our_button_is_told_apart(house, thanks):
    token = house.join("button@example.org", letter="yes").unsubscribe_token
    assert 'action="?by=page"' in house.get(f"/unsubscribe/{token}").text
    assert house.post(f"/unsubscribe/{token}?by=page").content == thanks
    assert house.evidence("button@example.org")[-1] == "withdraw page"


def test_a_strangers_page_cannot_keep_anybody_in(house, thanks):
    """No Origin check here: mail programs send what they like (RFC 8058)."""
    token = house.join("origin@example.org", letter="yes").unsubscribe_token
    assert house.post(f"/unsubscribe/{token}", headers={"Origin": "https://webmail.test"}).content == thanks
    assert house.state("origin@example.org") is State.UNSUBSCRIBED


def test_promise_4_leaving_stops_the_mail_that_waits(own_house):
    who = own_house.join("waits@example.org", letter="yes")
    before = len(own_house.provider.calls)
    own_house.post(f"/unsubscribe/{who.unsubscribe_token}")
    own_house.post(f"/unsubscribe/{who.unsubscribe_token}")
    assert len(own_house.provider.calls) == before


@pytest.mark.parametrize(
    ("query", "words"), [("undo=yes", "As it was before"), ("why=often", "Thank you for telling us")]
)
def test_second_thoughts_have_the_same_answer_for_any_link(house, thanks, query, words):
    who = house.join(f"second-{query[:3]}@example.org", letter="yes")
    left = house.post(f"/unsubscribe/{who.unsubscribe_token}?by=page")
    assert f'action="?{query}"' in left.text
    first = house.post(f"/unsubscribe/{who.unsubscribe_token}?{query}")
    assert words in first.text
    for token in ("x", who.unsubscribe_token):
        assert house.post(f"/unsubscribe/{token}?{query}").content == first.content


def test_undo_and_a_reason_act_and_nothing_is_asked_before_leaving(house):
    who = house.join("undo@example.org", letter="yes")
    way = f"/unsubscribe/{who.unsubscribe_token}"
    assert "<input" not in house.get(way).text
    house.post(f"{way}?by=page")
    house.post(f"{way}?why=enough")
    house.post(f"{way}?undo=yes")
    assert house.state("undo@example.org") is State.ACTIVE
    assert house.subscriber("undo@example.org").topics == ("letter",)
    assert house.evidence("undo@example.org")[-3:] == ["withdraw page", "reason page", "undo page"]


@pytest.mark.parametrize("query", ["?why=", "?why=%00", "?why=<b>", "?undo=", "?by=x", "?to=preferences"])
def test_no_query_breaks_the_way_out(house, query):
    assert house.post(f"/unsubscribe/nobody{query}").status_code == 200
