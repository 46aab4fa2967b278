"""What a therapist hands on: a page, a code, a sheet; the same for everybody, and nobody is recorded."""

import io
import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from PIL import Image
from pypdf import PdfReader

from newsletter.content import qr


def test_every_resource_is_listed_and_has_its_page(house):
    page = house.get("/free-offerings").text
    for key, magnet in house.desk.publication.magnets.items():
        assert magnet.title in page
        assert f'href="/free/{quote(key)}"' in page
        assert f'href="/free/{quote(key)}#share"' in page
        assert house.get(f"/free/{key}").status_code == 200


def test_a_page_asks_with_the_form_that_promises_its_resource(house):
    assert 'name="form" value="notebook"' in house.get("/free/tides").text
    sheets = house.get("/free/sheets").text
    assert 'name="magnet" value="sheets"' in sheets
    assert "Send me the free Tide Notebook" not in sheets
    film = house.get("/free/film").text
    assert 'href="https://films.harbour.test/short"' in film
    assert "<form" not in film


@pytest.mark.parametrize("key", ["tides", "film"])
def test_a_page_can_be_handed_on(house, key):
    page = house.get(f"/free/{key}").text
    address = f"letters.harbour.test/free/{key}"
    assert f">{address}</a>" in page
    assert f'role="img" aria-label="QR code that opens {address}"' in page
    assert qr.svg(f"https://{address}") in page
    (mail,) = re.findall(r'href="(mailto:\?[^"]+)"', page)
    written = parse_qs(urlsplit(unescape(mail)).query)
    assert written["body"][0].endswith(f"\r\n\r\nhttps://{address}")
    assert house.desk.publication.magnets[key].title in written["body"][0]


def test_only_a_sheet_that_is_there_is_offered(house):
    assert 'href="/free/tides/sheet.pdf"' in house.get("/free/tides").text
    assert "sheet.pdf" not in house.get("/free/film").text
    magnets = house.desk.publication.magnets
    with house.again(tides=replace(magnets["tides"], sheet="magnets/lost.pdf")) as later:
        assert "sheet.pdf" not in later.get("/free/tides").text
        assert later.get("/free/tides/sheet.pdf").status_code == 404


def test_the_code_and_the_sheet_are_files(house):
    drawn, printed, sheet = (house.get(f"/free/tides/{name}") for name in ("qr.svg", "qr.png", "sheet.pdf"))
    assert (drawn.headers["content-type"], drawn.text) == ("image/svg+xml", qr.svg(f"{house.desk.links.free('tides')}"))
    assert printed.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(printed.content)) as picture:
        assert picture.width == picture.height >= 827  # 7 cm at 300 dpi
        assert picture.getpixel((0, 0)) == 255  # its white edge
    assert sheet.headers["content-type"] == "application/pdf"
    assert sheet.headers["content-disposition"].startswith("inline")
    assert len(PdfReader(io.BytesIO(sheet.content)).pages) == 1


@pytest.mark.parametrize("path", ["/free/tides", "/free/film", "/s/notebook"])
def test_a_shared_link_shows_the_resource(house, path):
    page = house.get(path).text
    said = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', page))
    magnet = house.desk.publication.magnets["film" if path.endswith("film") else "tides"]
    assert (said["og:title"], said["og:description"], said["og:type"]) == (magnet.title, magnet.about, "website")
    assert said["description"] == magnet.about
    assert f'<link rel="canonical" href="{said["og:url"]}">' in page
    picture = house.get(urlsplit(said["og:image"]).path)
    assert picture.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(picture.content)) as drawn:
        assert drawn.size == (int(said["og:image:width"]), int(said["og:image:height"])) == (1200, 630)


def test_each_resource_has_its_own_picture(house):
    assert house.get("/free/tides/share.png").content != house.get("/free/film/share.png").content


@pytest.mark.parametrize("path", ["/s/plain", "/free-offerings", "/archive/", "/privacy"])
def test_what_may_be_found_is_described(house, path):
    page = house.get(path).text
    assert re.search(r'<meta name="description" content="[^"]{30,}">', page)
    assert "og:image" not in page


def test_search_engines_may_read_all_and_pages_say_what_may_be_found(house):
    assert house.get("/robots.txt").text == "User-agent: *\nDisallow:\n"
    for path in ("/confirm/x", "/unsubscribe/x", "/nowhere"):
        page = house.get(path).text
        assert '<meta name="robots" content="noindex">' in page
        assert 'name="description"' not in page


@pytest.mark.parametrize("part", ["", "/qr.svg", "/qr.png", "/share.png", "/sheet.pdf"])
@pytest.mark.parametrize("key", ["nope", "%2e%2e", "tides%00"])
def test_what_is_not_given_away_has_no_page(house, key, part):
    assert house.get(f"/free/{key}{part}").status_code == 404


def test_nobody_is_recorded_and_the_page_is_the_same_for_all(house):
    with house.unchanged():
        one = house.get("/free/tides", headers={"Referer": "https://practice.test/for-anna"})
        two = house.get("/free/tides?from=anna")
    assert one.content == two.content
    assert "anna" not in one.text
    assert "set-cookie" not in one.headers
