"""The feed over HTTP: what is public, and briefly when nothing is new."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from newsletter.web.feed import MOST

NAMES = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def letters(own_house):
    own_house.freeze("first")
    own_house.clock.move(timedelta(days=7))
    own_house.freeze("second")
    own_house.freeze("not-begun", begun=False)
    own_house.freeze("no-page", page=None)
    return own_house


def keys(house) -> list[str]:
    root = ET.fromstring(house.get("/feed.xml").content)
    return [one.get("href").rpartition("/")[2] for one in root.findall("a:entry/a:link", NAMES)]


def test_it_holds_what_the_archive_lists_newest_first(letters):
    assert keys(letters) == ["second", "first"]
    assert letters.get("/feed.xml").headers["content-type"].startswith("application/atom+xml")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_304_while_nothing_is_new(letters, form):
    first = letters.get("/feed.xml")
    sent = {"If-None-Match": form.format(first.headers["etag"])}
    again = letters.get("/feed.xml", headers=sent)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    letters.clock.move(timedelta(days=7))
    letters.freeze("third")
    new = letters.get("/feed.xml", headers=sent)
    assert new.status_code == (304 if form == "*" else 200)
    assert keys(letters) == ["third", "second", "first"]


def test_another_tag_is_no_match(letters):
    assert letters.get("/feed.xml", headers={"If-None-Match": '"x"'}).status_code == 200


def test_it_ends_somewhere(own_house):
    for number in range(MOST + 2):
        own_house.freeze(f"n{number}")
    assert len(keys(own_house)) == MOST


def test_public_pages_name_it_and_themselves(house):
    for path in ("/", "/s/plain", "/free/tides", "/free-offerings", "/archive/", "/privacy"):
        page = house.get(path).text
        assert f'<link rel="canonical" href="https://letters.harbour.test{path}">' in page
        assert 'type="application/atom+xml" title="Harbour Letters" href="/feed.xml"' in page
    assert 'rel="canonical" href="https://letters.harbour.test/"' in house.get("/s/notebook").text  # the same form
    assert 'rel="canonical"' not in house.get("/unsubscribe/x").text
