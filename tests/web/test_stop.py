"""The owner's Stop: GET shows, POST stops."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.core.campaign import CampaignState


@pytest.fixture
def token(house):
    """A Stop link of a letter that is about to go."""
    key = f"tide-{house.desk.entropy(4).hex()}"
    house.freeze(key, subject="High {{ first_name }} & dry", begun=False)
    with house.store.read() as tx:
        campaign = tx.campaigns.by_key(key)
    return key, house.desk.links.stop(campaign.id, house.clock()).rpartition("/")[2]


def state(house, key):
    with house.store.read() as tx:
        return tx.campaigns.by_key(key).state


def test_promise_5_get_shows_the_letter_and_nothing_happens(house, token):
    key, link = token
    with house.unchanged():
        page = house.get(f"/stop/{link}")
        assert house.http.head(f"{house.url}/stop/{link}", timeout=10).status_code == 200
    assert page.status_code == 200
    assert page.text.count("<button") == 1
    assert "&amp; dry" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "noindex" in page.text or "noindex" in page.headers.get("x-robots-tag", "")
    assert state(house, key) is CampaignState.SENDING


def test_post_stops_it_and_again_says_the_same(house, token):
    key, link = token
    first = house.post(f"/stop/{link}")
    assert (first.status_code, state(house, key)) == (200, CampaignState.PAUSED)
    assert f"newsletter resume {key}" in first.text
    assert house.post(f"/stop/{link}").content == first.content
    assert house.get(f"/stop/{link}").content == first.content
    assert "<button" not in first.text


def test_a_letter_that_has_ended_cannot_be_stopped(house, token):
    key, link = token
    with house.store.begin() as tx:
        tx.campaigns.finish(tx.campaigns.by_key(key).id, house.clock())
    assert "There is nothing to stop" in house.post(f"/stop/{link}").text
    assert state(house, key) is CampaignState.FINISHED


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_is_not_ours_or_too_old_is_refused(house, token, method):
    key, link = token
    ask = getattr(house, method)
    assert ask(f"/stop/{link}x").status_code == 404
    house.clock.move(timedelta(days=4))
    try:
        old = ask(f"/stop/{link}")
    finally:
        house.clock.move(-timedelta(days=4))
    assert old.status_code == 404
    assert "newsletter pause" in old.text
    assert state(house, key) is CampaignState.SENDING
