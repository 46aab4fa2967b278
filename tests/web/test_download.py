import http.client
from datetime import timedelta
from urllib.parse import quote

import pytest


@pytest.fixture(scope="module")
def link(house):
    house.join("down@example.org")
    return house.link("down@example.org", "download", 2)


def count(house) -> int:
    with house.store.read() as tx:
        return tx.audience.grants_of(house.subscriber("down@example.org").id)[0].downloads


def test_the_page_has_the_button_and_the_post_counts(house, link):
    before = count(house)
    page = house.get(link).text
    assert "Download the Tide Notebook" in page
    assert '<a class="alone" href="/free/tides#share">' in page
    assert count(house) == before
    assert house.post(link).status_code == 303
    assert count(house) == before + 1


def test_the_file_is_private_and_an_attachment(house, link):
    response = house.get(house.post(link).headers["location"])
    assert response.headers["content-disposition"] == 'attachment; filename="tide-notebook.pdf"'
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["cache-control"] == "private, no-store"
    assert "noindex" in response.headers["x-robots-tag"]


def test_ranges_are_served_and_counted_once(house, link):
    place, before = house.post(link).headers["location"], count(house)
    whole = (house.desk.root / "magnets/tide-notebook.pdf").read_bytes()
    part = house.get(place, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(whole)}"
    assert count(house) == before


def test_the_file_link_lives_ten_minutes(own_house):
    own_house.join("down@example.org")
    link = own_house.link("down@example.org", "download", 2)
    place = own_house.post(link).headers["location"]
    own_house.clock.move(timedelta(minutes=11))
    assert own_house.get(place).status_code == 410
    assert own_house.get(link).status_code == 200
    own_house.clock.move(timedelta(days=91))
    assert own_house.get(link).status_code == own_house.post(link).status_code == 410


WAYS_OUT = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "..\\secret.txt",
    "%00",
    "tide-notebook.pdf%00",
    "x.pdf",
    "/etc/passwd",
]


@pytest.mark.parametrize("name", WAYS_OUT)
def test_no_name_leads_out_of_the_magnet(house, link, name):
    folder = house.post(link).headers["location"].rpartition("/")[0]
    assert raw(house, f"{folder}/{name}") == 404


@pytest.mark.parametrize("name", [*WAYS_OUT, "sea.png", "0123456789ab-sea.png"])
def test_no_name_leads_out_of_the_pictures(house, name):
    assert raw(house, f"/images/{name}") == 404


def raw(house, path: str) -> int:
    """The status of a path sent as it is: clients tidy dots away."""
    connection = http.client.HTTPConnection(house.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert b"nobody sees this" not in body
        return response.status
    finally:
        connection.close()


@pytest.mark.parametrize("index", ["1", "-1", "99"])
def test_no_number_leads_out_of_the_magnet(house, link, index):
    assert house.post(link, data={"file": index}).status_code == 404


def test_a_number_that_is_none_is_a_page(house, link):
    assert house.post(link, data={"file": "one"}).status_code == 422


def test_the_pages_of_the_free_resources(house):
    page = house.get("/free-offerings").text
    for key, magnet in house.desk.publication.magnets.items():
        assert magnet.title in page
        assert f'href="/free/{quote(key)}"' in page
        assert house.get(f"/free/{key}").status_code == 200
    tides = house.get("/free/tides").text
    assert 'name="form" value="notebook"' in tides
    assert 'id="share"' in tides
    assert "https://letters.harbour.test/free/tides" in tides
    sheets = house.get("/free/sheets").text
    assert 'name="magnet" value="sheets"' in sheets
    assert "Send me the free Tide Notebook" not in sheets
    assert 'href="https://films.harbour.test/short"' in house.get("/free/film").text
    assert house.get("/free/nope").status_code == 404
