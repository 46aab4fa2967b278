"""While the form is flooded: a browser works in the background, and who runs no script waits a little."""

import base64
import hashlib
import itertools
import re
import sqlite3
from contextlib import closing

import pytest

from newsletter.core import proof
from newsletter.flows.gate import CONFIRMATIONS, Lane
from tests.web.test_signup import answer, form_of, lanes


@pytest.fixture
def pressed(own_house):
    """Half of the hour's confirmations went."""
    with own_house.store.begin() as tx:
        for _ in range(own_house.desk.publication.limits.confirmations_per_hour // 2):
            tx.audience.hit(CONFIRMATIONS, own_house.clock())
    return own_house


def solved(fields: dict[str, str]) -> dict[str, str]:
    found = next(number for number in map(str, itertools.count()) if proof.holds(fields["stamp"], number))
    return fields | {"proof": found}


@pytest.mark.parametrize("path", ["/", "/s/plain", "/free/tides", "/?lang=es"])
def test_the_page_has_one_small_script_and_the_policy_names_it(pressed, path):
    response = pressed.get(path)
    (script,) = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in response.headers["content-security-policy"]
    assert len(script.encode()) <= 1024
    assert "submit" not in script  # nothing is sent but by a person
    assert len(response.content) < 20_000
    assert f'data-rounds="{proof.ROUNDS}" data-bits="{proof.BITS}"' in response.text


def test_a_form_that_is_shown_again_has_it_too(pressed):
    response = pressed.sign_up("no address")
    assert response.status_code == 400
    assert "<script>" in response.text
    assert "script-src" in response.headers["content-security-policy"]


def test_without_pressure_there_is_none(own_house):
    response = own_house.get("/")
    assert "<script" not in response.text
    assert "script-src" not in response.headers["content-security-policy"]


def test_work_lets_a_person_go_before_all_others_once(pressed):
    fields = solved(form_of(pressed.get("/").text))
    pressed.clock.move(4)
    pressed.sign_up("worked@example.org", **fields)
    pressed.sign_up("copied@example.net", **fields)
    pressed.sign_up("read@example.com", **form_of(pressed.get("/").text))
    pressed.clock.move(4)
    unsolved = form_of(pressed.get("/").text)
    pressed.clock.move(4)
    pressed.sign_up("unworked@example.com", **unsolved)
    assert lanes(pressed) == [
        ("worked@example.org", Lane.KNOWN),
        ("copied@example.net", Lane.USUAL),
        ("read@example.com", Lane.SLOW),
        ("unworked@example.com", Lane.USUAL),
    ]
    assert len(pressed.letters_to("unworked@example.com")) == 1  # and they have their mail


def test_the_api_knows_it_as_well(pressed):
    fields = solved(form_of(pressed.get("/").text))
    pressed.clock.move(4)
    kept = {name: fields[name] for name in ("stamp", "proof")}
    assert pressed.post("/api/subscribe", json={"email": "api@example.org", **kept}).status_code == 202
    assert lanes(pressed) == [("api@example.org", Lane.KNOWN)]


def test_promise_6_the_answer_is_the_same_with_and_without(pressed):
    fields = solved(form_of(pressed.get("/").text))
    pressed.clock.move(4)
    bare = {name: fields[name] for name in ("form", "magnet", "lang")}
    worked, unworked = (
        pressed.post("/subscribe", data={"email": email, **sent})
        for email, sent in (("one@example.org", fields), ("two@example.org", bare))
    )
    assert answer(worked) == answer(unworked)


def test_a_slip_of_the_fingers_costs_nobody_their_work(pressed):
    fields = solved(form_of(pressed.get("/").text))
    pressed.clock.move(4)
    page = pressed.sign_up("ann@gmial.com", **fields).text
    pressed.post("/subscribe", data={**form_of(page), "email": "ann@gmail.com"})
    assert lanes(pressed) == [("ann@gmail.com", Lane.KNOWN)]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("script", [True, False])
def test_a_browser_works_while_its_person_types(pressed, script):
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(java_script_enabled=script).new_page()
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text))
        page.goto(pressed.url + "/")
        pressed.clock.move(4)
        page.locator("#email").fill("typed@example.org")
        if script:
            page.wait_for_function("document.querySelector('[name=proof]').value", timeout=60_000)
        page.locator("#email").press("Enter")
        page.get_by_role("heading", name="Please look in your inbox").wait_for()
        browser.close()
    assert troubles == []
    assert lanes(pressed) == [("typed@example.org", Lane.KNOWN if script else Lane.USUAL)]


def test_a_page_that_is_only_looked_at_takes_no_number(pressed):
    with pressed.unchanged():
        for _ in range(3):
            pressed.get("/")
    with closing(sqlite3.connect(pressed.database)) as raw:
        assert raw.execute("SELECT count(*) FROM hits WHERE key LIKE 'proof:%'").fetchone() == (0,)
