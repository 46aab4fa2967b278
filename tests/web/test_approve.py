"""The review page over real HTTP: it shows, and acts on a press alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from newsletter.core import address
from newsletter.core.consent import Newcomer, State
from newsletter.core.pace import Pace
from newsletter.core.review import Person, Role
from newsletter.flows import people, review
from newsletter.web.serve import config
from tests.web.conftest import until

ISSUE = """---
subject: Low water
preheader: What the boats do when the sea goes out, in three short pictures from the harbour wall.
date: 2026-12-01
send_at: 2026-12-01 18:00
draft: false
---

Hello, this is a letter about low water. It is *free*, ACT NOW, and says so. The boats lie on their sides.

Rest is part of the work, not its reward. Fifty words make a letter, and a letter should say a little more
than that, so here is one sentence that says nothing new and takes its time about it.
"""


@pytest.fixture(scope="module")
def pier(tmp_path_factory, build_house, run_site):
    """A house with a letter that an owner must approve, and an editor."""
    root = tmp_path_factory.mktemp("pier")
    house = build_house(root)
    (root / "issues").mkdir()
    (root / "issues/2026-12-01-low-water.md").write_text(ISSUE, "utf-8")
    house.desk = replace(
        house.desk,
        owner="owner@harbour.test",
        publication=replace(house.desk.publication, editors=("writer@harbour.test",)),
        pace=Pace(approval="owner", hold=timedelta(minutes=10)),
    )
    readers = [
        Newcomer(f"r{n}@x.test", house.desk.hmac(address.parse(f"r{n}@x.test")), f"p{n}", f"t{n}", State.ACTIVE, "en")
        for n in range(12)
    ]
    with house.store.begin() as tx:
        tx.audience.add(readers, house.clock(), ["letter"])
    with run_site(config(house.desk, tick_seconds=3600)) as house.url:
        until(house.passed)  # the first pass notes that it was there
        yield house
    house.http.close()
    house.store.close()


def link(house, role=Role.OWNER):
    with house.store.begin() as tx:
        kept = review.keep(tx, review.look("low-water", house.desk))
    return "/approve/" + people.link(kept.id, Person(role), house.desk).rpartition("/")[2]


def title(page):
    return unescape(re.search("<h1>(.*?)</h1>", page.text)[1])


def buttons(page):
    return re.findall(r'<button[^>]* name="do" value="(\w+)"', page.text)


def press(house, path, do):
    shown = house.get(path).text
    fields = dict(re.findall(r'name="(audience|seen)" value="(-?\d+)"', shown))
    return house.post(path, data={**fields, "do": do})


def status(page):
    found = re.search(r'role="status">(.*?)</p>', page.text)
    return unescape(found[1]) if found else ""


def test_promise_5_whoever_opens_every_link_approves_nothing(pier):
    path = link(pier)
    first = pier.get(path)
    found = {unescape(url) for url in re.findall(r'(?:href|src)="([^"]+)"', first.text)}
    inside = sorted(url for url in found if url.startswith("/approve/"))
    assert len(inside) == 5  # four views and the frame
    with pier.unchanged():
        for url in (path, *inside):
            assert pier.get(url).status_code == 200, url
        assert pier.http.head(pier.url + path, timeout=10).status_code == 200
    assert title(pier.get(path)) == (
        "Merging this sends it to 12 people on Tuesday 1 December at 18:00, once an owner has approved it."
    )


def test_the_first_sentence_the_readers_and_each_finding_at_its_sentence(pier):
    page = pier.get(link(pier))
    text = unescape(page.text)
    assert text.index("<h1>") < text.index("12 people ·") < text.index('value="approve"')
    assert "Hello, this is a letter" not in re.sub(r"<iframe.*?>", "", text)  # the letter is in the frame alone
    quoted = re.findall(r"<blockquote[^>]*>(.*?)</blockquote>", text)
    assert any(one == "It is *free*, <mark>ACT</mark> NOW, and says so." for one in quoted), quoted


def test_no_script_nothing_from_elsewhere_and_not_kept(pier):
    page = pier.get(link(pier))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize("view", ["phone", "desktop", "dark", "text", "nonsense"])
def test_the_frame_shows_the_letter_and_may_do_nothing_else(pier, view):
    page = pier.get(f"{link(pier)}/mail?view={view}&version=nobody")
    policy = page.headers["content-security-policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "frame-ancestors 'self'" in policy
    assert "The boats lie on their sides" in page.text
    assert ("<pre>" in page.text) == (view == "text")
    if view == "dark":
        assert "prefers-color-scheme:dark" not in page.text.replace(" ", "")


def test_what_an_owner_an_editor_and_anybody_can_press(pier):
    assert buttons(pier.get(link(pier))) == ["approve", "stop", "mail"]
    assert buttons(pier.get(link(pier, Role.EDITOR))) == ["stop", "mail"]
    anybody = pier.get(link(pier, Role.LOOK))
    assert buttons(anybody) == ["mail"]
    assert "Only an owner can approve" in unescape(anybody.text)
    for role in (Role.EDITOR, Role.LOOK):
        page = press(pier, link(pier, role), "approve")
        assert (page.status_code, status(page)) == (200, "This link can look, and no more. Nothing was changed.")


def test_approve_again_stop_and_let_it_go_each_a_calm_page(pier):
    path = link(pier)
    stale = pier.get(path)
    yes = press(pier, path, "approve")
    assert (yes.status_code, status(yes)) == (200, "Thank you. It is approved.")
    assert title(yes) == "It is approved, and goes to 12 people on Tuesday 1 December at 18:00."
    assert buttons(yes) == ["stop", "mail"]
    assert status(press(pier, path, "approve")).startswith("It was approved already")
    no = press(pier, path, "stop")
    assert title(no) == "This sends nothing: somebody has stopped it."
    assert buttons(no) == ["approve", "mail"]
    assert "Let it go after all" in no.text
    fields = dict(re.findall(r'name="(audience|seen)" value="(-?\d+)"', stale.text))
    late = pier.post(path, data={**fields, "do": "approve"})
    assert status(late).startswith("Somebody stopped it while this page was open.")
    assert status(press(pier, path, "approve")) == "Thank you. It is approved."


def test_what_nobody_offers_changes_nothing(pier):
    path = link(pier)
    with pier.unchanged():
        for data in ({}, {"do": "send"}, {"do": "resume"}):
            assert pier.post(path, data=data).status_code == 200
        assert pier.post(path, data={"do": "approve", "audience": "many"}).status_code == 422
        assert pier.post(f"{path}x", data={"do": "approve"}).status_code == 404
        assert "Open it again from the mail." in pier.get("/approve/nothing").text
    pier.clock.move(timedelta(days=15))
    try:
        old = pier.get(path)
    finally:
        pier.clock.move(-timedelta(days=15))
    assert (old.status_code, "too old" in old.text) == (404, True)


def test_the_page_speaks_the_publications_language(pier, run_site):
    path = link(pier)
    desk = replace(pier.desk, publication=replace(pier.desk.publication, language="es"))
    with run_site(config(desk, tick_seconds=3600)) as url:
        page = pier.http.get(url + path, timeout=10).text
    assert '<html lang="es"' in page
    assert "a 12 personas" in unescape(page) or "para 12 personas" in unescape(page)
    assert "el martes 1 de diciembre a las 18:00" in unescape(page)
    assert ">Detener esta carta<" in page


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_phone_a_keyboard_and_no_script_are_enough(pier):
    api = pytest.importorskip("playwright.sync_api")
    path = link(pier)
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
        page, troubles = context.new_page(), []
        page.on("console", lambda message: troubles.append(message.text))
        page.goto(pier.url + path)
        if page.get_by_role("button", name="Stop this letter").count():
            walk(page, "Stop this letter")
        walk(page, "Let it go after all")
        assert page.get_by_role("status").inner_text() == "Thank you. It is approved."
        page.get_by_role("link", name="Dark").click()
        assert page.get_by_role("link", name="Dark").get_attribute("aria-current") == "true"
        letter = page.frame_locator("iframe").locator("body")
        assert "The boats lie on their sides" in letter.inner_text()
        page.goto(pier.url + path)
        walk(page, "Stop this letter")
        assert page.locator("h1").inner_text() == "This sends nothing: somebody has stopped it."
        assert page.locator("body").bounding_box()["width"] <= 320
        assert troubles == []
        browser.close()


def walk(page, name):
    """Walk with the Tab key until the button has the focus, then press Enter."""
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.locator("button:focus").count() and page.locator("button:focus").inner_text() == name:
            page.keyboard.press("Enter")
            page.wait_for_load_state()
            return
    raise AssertionError(f'"{name}" cannot be reached with the Tab key')
