"""A form of ours in somebody's own site: over HTTP, and from another origin in a real browser."""

import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from newsletter.content import templates
from newsletter.core.consent import State
from newsletter.web.pages import Embed, Pages

LISTED, STRANGER = "https://www.harbour.test", "https://stranger.test"
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


class TestWhoMayReadTheAnswer:
    def test_a_listed_page_may_ask_and_read(self, house):
        asked = house.http.options(house.url + "/api/subscribe", headers={"Origin": LISTED, **ASKING}, timeout=10)
        assert (asked.status_code, asked.content) == (204, b"")
        assert asked.headers["access-control-allow-origin"] == LISTED
        assert asked.headers["access-control-allow-headers"] == "content-type"
        assert "access-control-allow-credentials" not in asked.headers
        body = {"email": "shared@example.org", "form": "notebook"}
        told = house.post("/api/subscribe", json=body, headers={"Origin": LISTED})
        assert (told.status_code, told.headers["access-control-allow-origin"]) == (202, LISTED)

    @pytest.mark.parametrize(
        "body", [{"email": "no address"}, {"email": 7}, {"email": "a@example.org", "form": "nope"}]
    )
    def test_it_may_read_what_is_wrong_too(self, house, body):
        told = house.post("/api/subscribe", json=body, headers={"Origin": LISTED})
        assert told.status_code in {400, 403, 404, 422}
        assert told.headers["access-control-allow-origin"] == LISTED

    def test_a_stranger_may_neither(self, house):
        asked = house.http.options(house.url + "/api/subscribe", headers={"Origin": STRANGER, **ASKING}, timeout=10)
        told = house.post("/api/subscribe", json={"email": "stranger@example.org"}, headers={"Origin": STRANGER})
        assert (asked.status_code, told.status_code) == (405, 403)
        for answer in (asked, told):
            assert "access-control-allow-origin" not in answer.headers
        assert house.state("stranger@example.org") is None

    def test_caches_know_that_answers_differ(self, house):
        for origin in (LISTED, STRANGER):
            told = house.post("/api/subscribe", json={"email": "x"}, headers={"Origin": origin})
            assert told.headers["vary"] == "Origin"

    def test_no_other_path_is_opened(self, house):
        for path in ("/", "/preferences/x", "/archive/"):
            assert "access-control-allow-origin" not in house.get(path, headers={"Origin": LISTED}).headers


class TestTheSnippets:
    def test_the_words_are_those_that_are_kept(self, house):
        for kind in (Embed.FORM, Embed.SCRIPT):
            html = Pages(house.desk, "en").snippet(kind, "notebook")
            for words in ("Send me the free Tide Notebook", "I would like to receive", "3 Quay Street, Port Ellen"):
                assert words in html
            assert " checked" not in html
            assert 'action="https://letters.harbour.test/subscribe"' in html
            assert "style=" not in html  # a strict policy of the other site would refuse it

    def test_only_the_script_is_a_script(self, house):
        pages = Pages(house.desk, "en")
        assert [kind for kind in Embed if "<script" in pages.snippet(kind, "plain")] == [Embed.SCRIPT]

    def test_the_script_is_small_and_never_submits(self, house):
        text = house.get("/embed.js").text
        assert len(text.encode()) <= 1024
        for folder in ("pages", "embed"):
            for file in (templates.builtin() / folder).iterdir():
                assert not re.search(r"\.(request)?submit\(", file.read_text("utf-8"), re.IGNORECASE), file.name

    def test_the_script_may_be_used_from_elsewhere(self, house):
        headers = house.get("/embed.js").headers
        assert headers["content-type"].startswith("text/javascript")
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert headers["x-content-type-options"] == "nosniff"


# --- from another origin, in a browser ------------------------------------------------------------------

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def site_of_somebody(pages: dict[str, str]):
    """Another origin: a small server whose pages hold what was copied. Out: its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = f'<!doctype html><meta charset="utf-8"><title>Ours</title>{pages.get(self.path, "")}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def away(tmp_path_factory, open_a_house, house):
    """A house that lists one other site, and that site: (house, where it is listed, where it is a stranger)."""
    pages: dict[str, str] = {}
    with site_of_somebody(pages) as port:
        listed = f"http://127.0.0.1:{port}"
        publication = house.desk.publication
        form = replace(publication.forms["notebook"], origins=(listed,))
        theirs = replace(publication, forms={"notebook": form})
        with open_a_house(tmp_path_factory.mktemp("away"), theirs) as opened:
            for kind in Embed:
                html = Pages(opened.desk, "en").snippet(kind, "notebook")
                pages[f"/{kind}"] = html.replace("https://letters.harbour.test", opened.url)
            yield opened, listed, f"http://localhost:{port}"


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


browsing = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def ask(where, email: str) -> None:
    where.locator('[name="email"]').fill(email)
    where.get_by_role("button").click()


class TestFromAnotherOrigin:
    pytestmark = browsing

    @pytest.mark.parametrize("kind", [Embed.FORM, Embed.SCRIPT])
    def test_the_form_works_without_a_script(self, away, browser, kind):
        house, listed, _ = away
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{listed}/{kind}")
        ask(page, f"plain-{kind}@example.org")
        page.wait_for_url(f"{house.url}/subscribe")
        assert page.locator("h1").inner_text() == "Please look in your inbox"
        assert house.state(f"plain-{kind}@example.org") is State.PENDING
        context.close()

    def test_with_the_script_the_answer_comes_in_the_page(self, away, browser):
        house, listed, _ = away
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{listed}/script")
        page.locator('[name="letter"]').check()
        ask(page, "script@example.org")
        told = page.get_by_role("status")
        told.filter(has_text="a mail from Harbour Letters is on its way").wait_for()
        assert page.url == f"{listed}/script"
        house.post(house.link("script@example.org", "confirm"))
        assert house.subscriber("script@example.org").topics == ("letter",)
        ask(page, "no@address")
        told.filter(has_text="This does not look like an email address").wait_for()
        assert context.cookies() == []
        context.close()

    def test_when_the_script_cannot_ask_the_next_press_is_the_plain_form(self, away, browser):
        house, _, stranger = away
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{stranger}/script")
        ask(page, "stranger@example.org")
        page.get_by_role("status").filter(has_text="press the button once more").wait_for()
        page.get_by_role("button").click()
        page.wait_for_url(f"{house.url}/subscribe")
        assert page.locator("h1").inner_text() == "This form came from a page we do not know"
        assert house.state("stranger@example.org") is None
        context.close()

    def test_a_frame_works_where_it_is_listed_and_nowhere_else(self, away, browser):
        house, listed, stranger = away
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{listed}/frame")
        frame = page.frame_locator("iframe")
        ask(frame, "frame@example.org")
        frame.get_by_role("heading", name="Please look in your inbox").wait_for()
        assert house.state("frame@example.org") is State.PENDING
        page.goto(f"{stranger}/frame")
        page.wait_for_load_state("networkidle")
        assert page.frame_locator("iframe").locator('[name="email"]').count() == 0
        context.close()

    def test_a_link_leads_to_the_page(self, away, browser):
        house, listed, _ = away
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{listed}/link")
        page.get_by_role("link", name="Send me the free Tide Notebook").click()
        page.wait_for_url(f"{house.url}/s/notebook")
        context.close()
