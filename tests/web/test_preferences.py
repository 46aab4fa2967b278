"""The page of one reader's choices over HTTP: GET shows, POST acts, and a letter's link opens little."""

import json
import re

import pytest

from newsletter.core.consent import State
from newsletter.core.links import Purpose


@pytest.fixture
def reader(house, request):
    name = re.sub(r"\W", "-", request.node.name)
    return house.join(f"{name}@example.org", letter="yes")


def page_of(reader) -> str:
    return f"/preferences/{reader.unsubscribe_token}"


def test_the_way_out_leads_there_for_any_link(house, reader):
    for token in (reader.unsubscribe_token, "x"):
        assert 'href="?to=preferences"' in house.get(f"/unsubscribe/{token}").text
        for end in ("", "/"):
            found = house.get(f"/unsubscribe/{token}{end}?to=preferences")
            assert (found.status_code, found.headers["location"]) == (303, f"/preferences/{token}")
    assert house.state(reader.email) is State.ACTIVE


def test_leaving_stands_first_and_what_is_chosen_is_ticked(house, reader):
    page = house.get(page_of(reader)).text
    first = re.search(r'<form method="post" action="([^"]*)">', page)
    assert first[1] == f"/unsubscribe/{reader.unsubscribe_token}?by=page"
    assert 'value="letter" checked' in page
    assert reader.email not in page


def test_a_choice_is_saved_and_said(house, reader):
    kept = house.post(page_of(reader), data={"topic": "letter", "lang": "en"})
    assert 'role="status">It is saved' in kept.text
    gone = house.post(page_of(reader), data={"lang": "en"})
    assert "No letters come to this address" in gone.text
    assert house.state(reader.email) is State.UNSUBSCRIBED
    assert house.get(page_of(reader)).text == gone.text


def test_a_copy_by_mail_alone(house, reader):
    assert reader.email not in house.post(page_of(reader), data={"do": "export"}).text
    link = house.link(reader.email, "preferences", 3)
    with house.unchanged():
        shown = house.get(link)
        assert reader.email not in shown.text
        found = house.post(link)
    assert found.headers["content-disposition"] == 'attachment; filename="what-we-hold.json"'
    assert "no-store" in found.headers["cache-control"]
    assert json.loads(found.content)["email"] == reader.email


def test_promise_9_erased_by_mail_alone(house, reader):
    house.post(page_of(reader), data={"do": "erase"})
    assert house.state(reader.email) is State.ACTIVE
    link = house.link(reader.email, "preferences", 3)
    assert "Shall we erase" in house.get(link).text
    assert house.state(reader.email) is State.ACTIVE
    for _ in range(2):
        assert "It is erased" in house.post(link).text
    assert house.subscriber(reader.email) is None
    assert house.get(page_of(reader)).status_code == 404


@pytest.mark.parametrize("do", ["export", "erase"])
def test_no_field_makes_a_letters_link_more(house, reader, do):
    before = house.post(page_of(reader), data={"do": do}).text
    assert before == house.post(page_of(reader), data={"do": do, "topic": "letter"}).text
    assert house.state(reader.email) is State.ACTIVE


def test_an_old_link_says_where_a_new_one_is_had(own_house):
    who = own_house.join("old@example.org", letter="yes")
    links = [own_house.personal(who, what) for what in (Purpose.EXPORT, Purpose.ERASE)]
    own_house.clock.move(60 * 60 * 24 + 1)
    for link in links:
        for found in (own_house.get(link), own_house.post(link)):
            assert found.status_code == 410
            assert "Open the page anew" in found.text
            assert "<form" not in found.text
    assert own_house.state("old@example.org") is State.ACTIVE
    assert own_house.get(links[0] + "x").status_code == 404
