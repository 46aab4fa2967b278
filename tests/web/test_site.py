import base64
import hashlib
import inspect
import re
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from fastapi.routing import APIRoute

from newsletter.content import images
from newsletter.core.links import Purpose
from newsletter.web.site import site

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/143.0 Safari/537.36",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "GoogleImageProxy",
    "Barracuda Sentinel (EE)",
)

CAMPAIGN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def places(house):
    """Every GET route of the site, with what its parts can be: right, and wrong."""
    house.freeze("low-water")
    house.join("site@example.org", letter="yes")
    who = house.subscriber("site@example.org")
    house.sign_up("waiting@example.org", letter="yes")
    download = house.link("site@example.org", "download", 2)
    place = house.post(download).headers["location"]
    mailed = [house.personal(who, what) for what in (Purpose.EXPORT, Purpose.ERASE)]
    found = {
        "/": ["/"],
        "/s/{form}": ["/s/notebook", "/s/nope"],
        "/confirm/{token}": [house.link("waiting@example.org", "confirm"), "/confirm/x"],
        "/download/{token}": [download, "/download/x"],
        "/files/{token}/{name}": [place, "/files/x/y.pdf"],
        "/unsubscribe/{token}": [f"/unsubscribe/{who.unsubscribe_token}", "/unsubscribe/x"],
        "/unsubscribe/{token}/": [f"/unsubscribe/{who.unsubscribe_token}/"],
        "/unsubscribe": ["/unsubscribe?uuid=x"],
        "/unsubscribe/": ["/unsubscribe/?uuid=x&key=y"],
        "/subscription/{campaign:uuid}/{token}": [f"/subscription/{CAMPAIGN}/x"],
        "/subscription/{campaign:uuid}/{token}/": [f"/subscription/{CAMPAIGN}/x/"],
        "/preferences/{token}": [
            f"/preferences/{who.unsubscribe_token}",
            "/preferences/x",
            "/preferences/x.y",
            *mailed,
        ],
        "/stop/{token}": [house.desk.links.stop(1, house.clock()).removeprefix(house.desk.links.base_url), "/stop/x"],
        "/archive/": ["/archive/"],
        "/archive": ["/archive"],
        "/archive/{slug}": ["/archive/low-water", "/archive/x"],
        "/archive/{slug}/share.png": ["/archive/low-water/share.png", "/archive/x/share.png"],
        "/images/{name}": [f"/images/{images.asset('images/sea.png', house.desk.root).name}", "/images/x"],
        "/free-offerings": ["/free-offerings"],
        "/free/{magnet}": ["/free/tides", "/free/film", "/free/x"],
        "/free/{magnet}/qr.svg": ["/free/tides/qr.svg", "/free/x/qr.svg"],
        "/free/{magnet}/qr.png": ["/free/film/qr.png", "/free/x/qr.png"],
        "/free/{magnet}/share.png": ["/free/tides/share.png", "/free/x/share.png"],
        "/free/{magnet}/sheet.pdf": ["/free/tides/sheet.pdf", "/free/film/sheet.pdf", "/free/x/sheet.pdf"],
        "/feed.xml": ["/feed.xml"],
        "/embed.js": ["/embed.js"],
        "/privacy": ["/privacy"],
        "/favicon.ico": ["/favicon.ico"],
        "/robots.txt": ["/robots.txt"],
        "/healthz": ["/healthz"],
        "/readyz": ["/readyz"],
        "/metrics": ["/metrics"],
        "/approve/{token}": ["/approve/x"],
        "/approve/{token}/mail": ["/approve/x/mail"],
        "/openapi.json": ["/openapi.json"],
        "/api/subscribers": ["/api/subscribers"],
        "/api/subscribers/{id}": ["/api/subscribers/00"],
        "/api/campaigns": ["/api/campaigns"],
        "/api/campaigns/{key}": ["/api/campaigns/low-water"],
        "/api/stats": ["/api/stats"],
    }
    routes = {getattr(route, "path", "") for route in site(house.desk).routes if "GET" in getattr(route, "methods", ())}
    assert routes == set(found), "a new route belongs into this list"
    return [path for paths in found.values() for path in paths] + ["/nowhere"]


def test_promise_5_no_get_or_head_writes_anything(house, places):
    with house.unchanged():
        for path in places:
            for agent in AGENTS:
                house.get(path, headers={"User-Agent": agent})
            house.http.head(house.url + path, timeout=10, headers={"Purpose": "prefetch"})


def test_head_answers_as_get_without_a_body(house, places):
    for path in places:
        got, head = house.get(path), house.http.head(house.url + path, timeout=10)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        for name in ("content-type", "content-length", "cache-control", "content-security-policy"):
            assert head.headers.get(name) == got.headers.get(name), path


def test_every_answer_has_the_headers(house, places):
    for path in places:
        headers = house.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "server" not in headers
        assert not SimpleCookie(headers.get("set-cookie", ""))


def test_a_page_of_one_person_is_kept_and_found_by_nobody(house, places):
    for path in places:
        if path.startswith(("/confirm/", "/download/", "/unsubscribe/", "/files/", "/preferences/")):
            headers = house.get(path).headers
            assert "no-store" in headers["cache-control"], path
            assert "noindex" in headers["x-robots-tag"], path


def test_no_promise_of_https_where_there_is_none(tmp_path, open_a_house):
    with open_a_house(tmp_path, base="http://localhost:8000") as house:
        assert "strict-transport-security" not in house.get("/").headers


def test_promise_7_no_page_loads_or_frames_anything(house, places):
    posts = [
        house.sign_up("seventh@example.org"),
        house.sign_up("no address"),
        house.post("/unsubscribe/x"),
        house.post(house.link("waiting@example.org", "confirm")),
    ]
    for response in [*posts, *(house.get(path) for path in places)]:
        if not response.headers["content-type"].startswith("text/html"):
            continue
        page = response.text
        assert not re.search(r"<(script|iframe|img|object|embed|video|audio|source|base)\b", page)
        assert set(re.findall(r"<link rel=\"(\w+)\"", page)) <= {"canonical", "alternate"}  # what no browser loads
        assert not re.search(r"\b(src|srcset|poster|ping|style|on\w+)=", page.partition("</head>")[2])
        assert not re.search(r"url\(|@import|@font-face", page)
        assert "http-equiv" not in page
        for action in re.findall(r'action="([^"]*)"', page):
            assert not urlsplit(action).netloc


def test_the_hash_in_the_policy_is_the_style_sheets(house, places):
    for path in places:
        response = house.get(path)
        if response.headers["content-type"].startswith("text/html"):
            (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'sha256-{digest}';" in response.headers["content-security-policy"], path


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/", "GET, HEAD"),
        ("GET", "/subscribe", "POST"),
        ("PUT", "/confirm/x", "GET, HEAD, POST"),
        ("PATCH", "/unsubscribe/x", "GET, HEAD, POST"),
        ("OPTIONS", "/unsubscribe/x/", "GET, HEAD, POST"),
        ("POST", "/archive/x", "GET, HEAD"),
        ("GET", "/api/subscribe", "POST"),
    ],
)
def test_405_names_every_method(house, method, path, allow):
    response = house.http.request(method, house.url + path, timeout=10)
    assert (response.status_code, response.headers["allow"]) == (405, allow)


def test_the_documentation_is_there_and_loads_no_third_party(house):
    document = house.get("/openapi.json").json()
    assert set(document["paths"]["/unsubscribe/{token}"]) == {"get", "post"}
    assert document["paths"]["/api/subscribe"]["post"]["responses"].keys() >= {"202", "400", "403", "404", "422"}
    assert house.get("/docs").status_code == house.get("/redoc").status_code == 404


def test_nothing_redirects_for_a_slash(house):
    for path in ("/privacy/", "/s/notebook/", "/confirm/x/"):
        assert house.get(path).status_code == 404


def test_a_base_url_with_a_path_stands_before_every_link(tmp_path, open_a_house):
    with open_a_house(tmp_path, base="https://harbour.test/letters") as house:
        page = house.get("/").text
        assert 'action="/letters/subscribe"' in page
        assert all(link.startswith("/letters/") for link in re.findall(r'href="(/[^"]*)"', page))


def test_ready_says_when_the_database_is_gone(own_house):
    assert (own_house.get("/readyz").text, own_house.get("/healthz").text) == ("ready\n", "ok\n")
    own_house.store.close()
    own_house.database.unlink()
    own_house.database.mkdir()
    response = own_house.get("/readyz")
    assert (response.status_code, response.text) == (503, "the database cannot be read\n")
    assert own_house.get("/healthz").status_code == 200
    own_house.database.rmdir()


def test_every_handler_is_a_plain_function(house):
    """Flows block; the framework runs plain functions in threads, and coroutines it does not."""
    routes = [route for route in site(house.desk).routes if isinstance(route, APIRoute)]
    assert routes
    coroutines = {route.path for route in routes if inspect.iscoroutinefunction(route.endpoint)}
    gathering = {
        "/webhooks/{provider}",
        "/subscribe",
        "/api/subscribe",
    }  # whoever comes at once, before a thread is taken
    assert coroutines == gathering
