"""The preview over real HTTP: what it shows, what it refuses, and how soon it follows a save."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from newsletter import settings
from newsletter.content import system as mails
from newsletter.core.email import Email
from newsletter.errors import ConfigurationError, NotFound
from newsletter.web.pages import Pages
from newsletter.web.preview import system, watch
from newsletter.web.preview.readers import INBOXES, PEOPLE, cut
from newsletter.web.preview.room import Room
from newsletter.web.preview.serve import HOST, listen, serve, server
from newsletter.web.preview.views import VIEWS

SETTINGS = """
name: Quiet Letters
timezone: America/Los_Angeles
senders:
  us: {name: Quiet Letters, email: letters@quiet.example, reply_to: hello@quiet.example}
footer: {address: "1 Long Road, Chino, CA 91710", email: hello@quiet.example}
topics: {letter: The weekly letter}
fields: {first_name: friend}
magnets:
  workbook: {title: The Workbook, about: Twelve exercises., files: [magnets/workbook.pdf]}
  film: {title: A Film, url: "https://films.harbour.test/short"}
forms:
  workbook: {magnet: workbook, wording: Send me the workbook.}
"""
STEM = "2026-12-01-quiet"


class Desk:
    """A preview as an editor's browser meets it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "issues" / f"{STEM}.md"
        self.room = Room(root, {})
        self.url = ""
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.http.get(self.url + path, headers=headers, timeout=10, allow_redirects=False)

    def pane(self, view: str = "light", **query: str) -> str:
        tail = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.get(f"/issue/{STEM}/pane/{view}?{tail}")
        assert answer.status_code == 200
        return answer.text

    def page(self, stem: str = STEM) -> str:
        return self.get(f"/issue/{stem}").text

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text("utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def desk(root: Path) -> Iterator[Desk]:
    """A preview of a small publication, in a thread."""
    (root / "newsletter.yml").write_text(SETTINGS, "utf-8")
    (root / "images").mkdir()
    Image.new("RGB", (40, 20), "navy").save(root / "images/sea.png")
    opened = Desk(root)
    with listen(HOST, 0) as at:
        port = at.getsockname()[1]
        running = server(opened.room, port)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [at]}, daemon=True)
        thread.start()
        opened.url = f"http://{HOST}:{port}"
        end = time.monotonic() + 10
        while not running.started:
            assert time.monotonic() < end
            time.sleep(0.005)
        try:
            yield opened
        finally:
            opened.http.close()
            running.should_exit = True
            thread.join(15)
            assert not thread.is_alive()


# --- for this machine alone ---------------------------------------------------------------------------


def test_only_requests_that_name_this_host_are_answered(desk: Desk) -> None:
    port = desk.url.rpartition(":")[2]
    assert desk.get(f"/issue/{STEM}", Host=f"localhost:{port}").status_code == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.evil.example:{port}"):
        refused = desk.get(f"/issue/{STEM}", Host=host)
        assert (refused.status_code, "quiet" in refused.text) == (403, False), host
    assert desk.get(f"/issue/{STEM}", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_it_listens_on_the_loopback_interface_alone() -> None:
    with listen(HOST, 0) as at:
        assert at.getsockname()[0] == "127.0.0.1"
    assert "host" not in serve.__annotations__


def test_a_port_in_use_says_what_to_do(root: Path) -> None:
    (root / "newsletter.yml").write_text(SETTINGS, "utf-8")
    with listen(HOST, 0) as at, pytest.raises(ConfigurationError, match="in use") as refused:
        serve(root, {}, port=at.getsockname()[1], browse=False)
    assert "newsletter preview --port" in refused.value.todo


def test_an_issue_that_is_not_there_is_said_before_anything_is_served(root: Path) -> None:
    (root / "newsletter.yml").write_text(SETTINGS, "utf-8")
    with pytest.raises(NotFound, match="no issue"):
        serve(root, {}, issue="quite", port=0, browse=False)


def test_promise_5_nothing_but_reading(desk: Desk) -> None:
    for path in ("/", f"/issue/{STEM}", "/system", "/events"):
        assert desk.http.post(desk.url + path, timeout=10).status_code == 405


def test_promise_7_a_letter_runs_no_script_and_asks_nobody_else(desk: Desk) -> None:
    for view in VIEWS:
        policy = desk.get(f"/issue/{STEM}/pane/{view.key}").headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "script" not in policy.replace("allow-scripts", "script")
        assert "http" not in policy
    page = desk.get(f"/issue/{STEM}")
    assert "http" not in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]


# --- what it shows ------------------------------------------------------------------------------------


def test_the_first_page_is_the_draft_at_work(desk: Desk) -> None:
    assert desk.get("/").headers["Location"] == f"/issue/{STEM}"
    (desk.root / "issues/2026-11-24-older.md").write_text(
        desk.file.read_text("utf-8").replace("draft: false", "draft: true").replace("2026-12-01", "2026-11-24"), "utf-8"
    )
    assert desk.get("/").headers["Location"] == "/issue/2026-11-24-older"


def test_the_page_says_how_things_stand(desk: Desk) -> None:
    page = desk.page()
    assert "<h1>A quiet week</h1>" in page
    assert "Ready for Tuesday 1 December 2026." in page
    assert "Nothing to fix" in page
    assert re.search(r"<span>\d+ words ·</span>", page)
    assert "1 minute to read" in page
    assert "KB of the 95 KB" in page
    for one in (*VIEWS, *PEOPLE):
        assert one.label.replace("’", "’") in page
    for inbox in INBOXES:
        assert inbox.program in page


def test_twice_as_large_is_half_as_wide(desk: Desk) -> None:
    page = desk.get(f"/issue/{STEM}?view=zoomed").text
    assert re.search(r'<iframe [^>]*class="twice" width="320"', page)
    assert "iframe.twice{zoom:2}" in page
    assert "twice" not in re.sub("iframe.twice{zoom:2}", "", desk.page())


def test_a_shared_link_is_shown_with_its_picture(desk: Desk) -> None:
    card = desk.pane("shared")
    assert "data:image/png;base64," in card
    assert "<b>A quiet week</b>" in card
    assert "localhost" in card
    desk.change("draft: false", "draft: false\nimage: {src: images/sea.png, alt: The sea}")
    assert re.search(r'<img src="/images/[0-9a-f]{12}-sea\.\w+" alt="The sea">', desk.pane("shared"))


def test_each_view_is_what_its_name_says(desk: Desk) -> None:
    desk.change("Rest is part", "![A sea](images/sea.png)\n\nRest is part")
    shown = {view.key: desk.pane(view.key) for view in VIEWS}
    assert all("letter about rest" in html for key, html in shown.items() if key != "shared")
    assert "prefers-color-scheme:dark" not in shown["dark"]
    assert "<style" not in shown["unstyled"]
    assert "<!--[if" not in shown["outlook"]
    assert 'src="data:,"' in shown["off"]
    assert "A question\n" in shown["text"]
    assert "rel=&#34;canonical&#34;" not in shown["archive"]
    assert "<article>" in shown["archive"]
    assert len({shown[key] for key in ("light", "dark", "flipped", "contrasted", "unstyled", "outlook", "off")}) == 7


def test_pictures_come_from_here(desk: Desk) -> None:
    desk.change("Rest is part", "![A sea](images/sea.png)\n\nRest is part")
    for view in ("light", "flipped", "archive"):
        path = re.search(r'src="(/images/[^"]+)"', desk.pane(view))
        assert path, view
        assert desk.get(path[1]).headers["Content-Type"] == "image/png"
    assert desk.get("/images/..%2Fnewsletter.yml").status_code == 404


def test_the_letter_as_each_person_gets_it(desk: Desk) -> None:
    assert "Hello Sam," in desk.pane(person="sample")
    assert "Hello friend," in desk.pane(person="nameless")
    assert "Wilhelmina" in desk.pane(person="long")
    assert "נעמי" in desk.pane("text", person="rtl")
    assert "Hello Sam," in desk.pane(person="nobody-known")
    assert desk.pane(segment="letter")
    desk.change("subject: A quiet week", 'subject: For {{ first_name, "you" }}')
    assert "For Wilhelmina" not in desk.page()
    assert "For Maria Magdalena" in desk.get(f"/issue/{STEM}?person=long").text


def test_the_letter_as_each_segment_gets_it(desk: Desk) -> None:
    desk.change("Rest is part", "::: only news\nA word for some.\n:::\n\nRest is part")
    (desk.root / "newsletter.yml").write_text(
        SETTINGS.replace("The weekly letter}", "The weekly letter, news: The news}")
    )
    desk.room.changed()
    assert "A word for some." in desk.pane(segment="news")
    assert "A word for some." not in desk.pane(segment="all")
    assert '<option value="news">The news</option>' in desk.page()


def test_an_inbox_cuts_where_programs_cut() -> None:
    assert cut("a" * 33, 33) == "a" * 33
    assert cut("word " * 10, 33) == "word word word word word word wor…"


def test_a_finding_leads_to_its_line(desk: Desk) -> None:
    desk.change("Hello {{ first_name", "Hello {{ frst_name")
    page = desk.page()
    assert "1 thing to fix" in page
    line = (
        desk.file.read_text("utf-8").split("\n").index('Hello {{ frst_name, "friend" }}, this is a letter about rest.')
        + 1
    )
    assert f"line={line}" in page
    assert f"Line {line}</a>" in page
    source = desk.pane("source", line=str(line))
    assert re.search(rf'<li id="L{line}" class="error here">', source)
    code = re.search(r"/help/([EW]\d+)", page)
    assert code
    assert desk.get(f"/help/{code[1]}").status_code == 200
    assert desk.get("/help/E999").status_code == 404


def test_a_draft_with_errors_shows_them_and_the_last_good_letter(desk: Desk) -> None:
    assert "letter about rest" in desk.pane()
    desk.change("letter about rest", "letter about {{ haste }}")
    assert "letter about rest" in desk.pane()
    assert "as it was before these errors" in desk.page()
    desk.change("{{ haste }}", "haste")
    assert "letter about haste" in desk.pane()
    assert "as it was before" not in desk.page()


def test_a_file_that_is_no_issue_is_told_too(desk: Desk) -> None:
    (desk.root / "issues/2027-01-05-notes.md").write_text("just some notes", "utf-8")
    page = desk.get("/issue/2027-01-05-notes")
    assert page.status_code == 200
    assert "E100" in page.text
    assert "nothing to show" in desk.get("/issue/2027-01-05-notes/pane/light").text
    assert "Has errors" in desk.page()


def test_a_mistake_in_the_settings_is_said_and_the_old_ones_hold(desk: Desk) -> None:
    path = desk.root / "newsletter.yml"
    path.write_text(SETTINGS.replace("timezone: America/Los_Angeles", "timezone: Moon"), "utf-8")
    page = desk.page()
    assert "newsletter.yml cannot be used" in page
    assert "letter about rest" in desk.pane()
    path.write_text(SETTINGS.replace("Quiet Letters", "Loud Letters"), "utf-8")
    desk.room.changed()
    assert "Loud Letters" in desk.pane()


def test_promise_11_what_is_typed_stays_text(desk: Desk) -> None:
    desk.change("subject: A quiet week", "subject: '<script>alert(1)</script> & more'")
    page = desk.page()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page


def test_unknown_things_are_not_found(desk: Desk) -> None:
    for path in ("/issue/nobody", "/issue/nobody/pane/light", "/system/nothing/light", "/issue/..%2Fnewsletter"):
        assert desk.get(path).status_code == 404, path
    assert desk.get(f"/issue/{STEM}?line=%F0%9F%99%82&segment=%3Cb%3E&view=x&person=y").status_code == 200


def test_an_empty_folder_says_how_to_begin(desk: Desk) -> None:
    desk.file.unlink()
    assert "newsletter new" in desk.get("/").text


# --- it follows a save --------------------------------------------------------------------------------


def test_a_save_is_told_at_once(desk: Desk) -> None:
    with desk.http.get(desk.url + "/events", stream=True, timeout=10) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines(chunk_size=1)
        while not (first := next(lines)).startswith(b"data:"):
            pass
        time.sleep(0.3)  # the watcher may have begun a moment ago
        begun = time.monotonic()
        desk.change("letter about rest", "letter about speed")
        while not (told := next(lines)).startswith(b"data:"):
            pass
        took = time.monotonic() - begun
    assert told != first
    assert took < 2, f"{took:.3f} s"  # measured: about 0.03 s; this only guards against a pause of old
    assert "letter about speed" in desk.pane()


def test_what_is_watched(root: Path) -> None:
    (root / ".git").mkdir()
    (root / "var").mkdir()
    found = watch.folders(root)
    assert {root, root / "issues"} <= found
    assert not {root / ".git", root / "var"} & found
    (root / "images/deep").mkdir(parents=True)
    assert root / "images/deep" in watch.folders(root)


# --- the program's own mails and pages ------------------------------------------------------------------


@pytest.mark.slow
def test_every_mail_and_page_is_there_light_and_dark(desk: Desk) -> None:
    index = desk.get("/system").text
    screens = system.screens(desk.root, settings.load(desk.root, {}))
    assert len({screen.key for screen in screens}) == len(screens)
    for screen in screens:
        assert f'id="{screen.key}"' in index
        light, dark = (desk.get(f"/system/{screen.key}/{scheme}") for scheme in ("light", "dark"))
        assert (light.status_code, dark.status_code) == (200, 200), screen.key
        assert light.text != dark.text
        if screen.text:
            assert "Quiet Letters" in desk.get(f"/system/{screen.key}/text").text


def test_no_page_and_no_mail_of_the_program_is_left_out(desk: Desk) -> None:
    drawn: set[str] = set()

    class Told(Pages):
        def __getattribute__(self, name: str) -> object:
            drawn.add(name)
            return super().__getattribute__(name)

    paper = system.paper_desk(desk.root, settings.load(desk.root, {}))
    for _, _, draw in system._pages(Told(paper, "en"), paper):
        draw()
    helpers = {"within", "say", "offer", "snippet"}
    pages = {name for name, part in vars(Pages).items() if callable(part) and not name.startswith("_")} - helpers
    assert pages <= drawn, f"these pages have no state in the preview: {sorted(pages - drawn)}"
    made = {
        name
        for name, part in vars(mails).items()
        if callable(part) and getattr(part, "__annotations__", {}).get("return") == "Email"
    }
    source = Path(system.__file__).read_text("utf-8")
    missing = {name for name in made if not name.startswith("_") and f"system.{name}" not in source}
    assert not missing, f"these mails have no state in the preview: {sorted(missing)}"
    assert Email


def test_a_page_that_cannot_be_drawn_is_said_and_the_others_stand(desk: Desk) -> None:
    (desk.root / "templates/pages").mkdir(parents=True)
    (desk.root / "templates/pages/left.html").write_text("{{ nobody_knows }}")
    broken = desk.get("/system/en-left/light")
    assert (broken.status_code, "could not be drawn" in broken.text) == (500, True)
    assert desk.get("/system/en-leave/light").status_code == 200


def test_the_theme_is_shown_with_every_block(desk: Desk) -> None:
    assert "/theme/specimen" in desk.get("/theme").text
    assert "The theme letter" in desk.get("/theme/specimen").text


def test_nothing_is_kept(desk: Desk) -> None:
    desk.get("/system")
    desk.page()
    assert not (desk.root / "var").exists()
    assert json.dumps(sorted(path.name for path in desk.root.iterdir())) == json.dumps(
        ["images", "issues", "magnets", "newsletter.yml"]
    )


# --- in a browser -------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_save_is_on_the_screen_and_a_finding_leads_to_its_line(desk: Desk) -> None:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page, troubles, hosts = browser.new_page(viewport={"width": 1440, "height": 900}), [], set()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        page.goto(f"{desk.url}/issue/{STEM}")
        letter = page.frame_locator("#stage iframe >> nth=0")
        letter.get_by_text("letter about rest").wait_for()
        page.wait_for_timeout(300)

        desk.change("letter about rest", "letter about speed")
        letter.get_by_text("letter about speed").wait_for(timeout=5000)
        heights = page.eval_on_selector_all("#stage iframe", "all => all.map(one => Number(one.height))")
        assert len(heights) == 2
        assert all(height > 400 for height in heights)

        page.select_option("select[name=person]", "nameless")
        letter.get_by_text("Hello friend").wait_for(timeout=5000)

        desk.change("Hello {{ first_name", "Hello {{ frst_name")
        page.get_by_text("1 thing to fix").wait_for(timeout=5000)
        page.locator(".findings.error .place a").click()
        page.frame_locator("#stage iframe >> nth=0").locator("li.error.here").wait_for(timeout=5000)
        assert "view=source" in page.url
        assert "person=nameless" in page.url

        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        browser.close()
    assert troubles == []
    assert hosts == {desk.url.removeprefix("http://")}
