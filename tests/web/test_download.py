import http.client
from datetime import timedelta

import pytest

from newsletter.core.publication import Magnet


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


def test_each_file_has_a_button_that_says_what_it_is(own_house):
    own_house.sign_up("two@example.org", form="plain", magnet="sheets")
    own_house.post(own_house.link("two@example.org", "confirm"))
    link = own_house.link("two@example.org", "download", 2)
    page = own_house.get(link).text
    assert page.count("<button") == 2
    assert "Download read.pdf" in page  # it has no title of its own
    assert "Download A Page to Write On" in page
    assert own_house.post(link, data={"file": "1"}).headers["location"].endswith("/read.pdf")


def test_a_link_in_an_old_mail_gives_the_file_of_today(own_house):
    """Files are replaced in newsletter.yml: by others, by fewer, under other names."""
    own_house.join("old@example.org")
    link = own_house.link("old@example.org", "download", 2)
    file = own_house.desk.root / "magnets/tide-notebook.pdf"
    file.write_bytes(file.read_bytes() + b"% second edition\n")
    assert own_house.get(own_house.post(link).headers["location"]).content.endswith(b"second edition\n")
    with own_house.again(tides=Magnet("Tide Notebook", files=("magnets/read.pdf",))) as later:
        assert later.get(later.post(link).headers["location"]).headers["content-disposition"].endswith('"read.pdf"')
    with own_house.again(tides=Magnet("Tide Notebook", url="https://films.harbour.test/tides")) as later:
        assert 'href="https://films.harbour.test/tides"' in later.get(link).text
