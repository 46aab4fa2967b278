import io
import re

import pytest
from PIL import Image

from newsletter.web import headers


@pytest.fixture(scope="module")
def letters(house):
    house.freeze("low-water", subject='Low water, {{ first_name, "friend" }}')
    house.clock.move(7 * 24 * 3600)
    house.freeze("spring-tide", subject="Spring tide & <after>")
    house.freeze("not-begun", begun=False)
    house.freeze("not-public", page=None)


def test_the_index_lists_what_was_sent_and_is_public(house, letters):
    page = house.get("/archive/").text
    shown = re.findall(r'<a href="(/archive/[a-z-]+)">(.*?)</a>', page)
    assert shown == [
        ("/archive/spring-tide", "Spring tide &amp; &lt;after&gt;"),
        ("/archive/low-water", "Low water, friend"),
    ]
    assert "Tuesday 1 December 2026" in page
    assert house.get("/archive").text == page


def test_a_letter_is_served_as_it_was_frozen(house, letters):
    response = house.get("/archive/low-water")
    assert (response.status_code, response.text) == (200, house.letter)
    policy = response.headers["content-security-policy"]
    assert headers.policy("p{color:navy}", images="https://letters.harbour.test") == policy
    assert "img-src 'self' https://letters.harbour.test;" in policy


def test_the_picture_beside_a_shared_link_is_drawn_of_what_was_frozen(house, letters):
    answer = house.get("/archive/low-water/share.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)
    assert answer.content == house.get("/archive/low-water/share.png").content
    assert house.http.head(house.url + "/archive/low-water/share.png", timeout=10).status_code == 200
    for slug in ("not-begun", "not-public", "nope"):
        assert house.get(f"/archive/{slug}/share.png").status_code == 404


@pytest.mark.parametrize("slug", ["not-begun", "not-public", "nope", "%00", "..%2f"])
def test_the_rest_is_not_here(house, letters, slug):
    assert house.get(f"/archive/{slug}").status_code == 404


def test_the_privacy_page_says_the_days_of_the_settings(house):
    page = house.get("/privacy").text
    retention = house.desk.publication.retention
    assert f"never confirmed: {retention.pending_days} days" in page
    assert f"left: {retention.unsubscribed_days} days" in page
    assert f"{retention.raw_webhooks_days} days" in page
    assert f"gone from here: {retention.consent_months} months" in page
    assert "mailto:hello@harbour.test" in page


def test_a_letter_appears_when_it_begins(own_house):
    own_house.freeze("later", begun=False)
    assert "later" not in own_house.get("/archive/").text
    with own_house.store.begin() as tx:
        campaign = tx.campaigns.by_key("later")
        assert campaign
        tx.campaigns.start(campaign.id, own_house.clock())
    assert 'href="/archive/later"' in own_house.get("/archive/").text
