"""A person without a mouse, in a browser without JavaScript: from the form to the workbook."""

import io

import pytest
from pypdf import PdfReader

from newsletter.core.consent import State
from newsletter.core.links import Purpose

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_promise_7_keyboard_alone_without_script_from_the_form_to_the_file(house, browser, scheme):
    email = f"keys-{scheme}@example.org"
    context = browser.new_context(
        java_script_enabled=False, color_scheme=scheme, viewport={"width": 320, "height": 640}
    )
    page, hosts, troubles = context.new_page(), set(), []
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.on("console", lambda message: troubles.append(message.text))

    page.goto(house.url + "/")
    page.locator("#email").focus()
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/subscribe")
    assert page.locator("h1").inner_text() == "Please look in your inbox"

    page.goto(house.url + house.link(email, "confirm"))
    press(page, "Yes, send me the Tide Notebook")
    page.get_by_role("heading", name="Here is the Tide Notebook").wait_for()
    with page.expect_download() as started:
        press(page, "Download the Tide Notebook")
    assert started.value.suggested_filename == "tide-notebook.pdf"
    assert started.value.path().read_bytes() == (house.desk.root / "magnets/tide-notebook.pdf").read_bytes()
    assert house.subscriber(email).topics == ("letter",)

    page.goto(house.url + f"/unsubscribe/{house.subscriber(email).unsubscribe_token}")
    press(page, "Stop the letters")
    page.get_by_role("heading", name="You have left").wait_for()
    assert house.evidence(email)[-1] == "withdraw page"

    assert hosts == {house.url.removeprefix("http://")}
    assert troubles == []
    context.close()


def test_promise_5_a_scanner_with_a_browser_that_stays_on_every_link_changes_nothing(house, browser):
    house.sign_up("scanned@example.org", letter="yes")
    waiting = house.link("scanned@example.org", "confirm")
    who = house.join("scanned-too@example.org", letter="yes")
    mailed = [house.personal(who, what) for what in (Purpose.EXPORT, Purpose.ERASE)]
    own = [f"/unsubscribe/{who.unsubscribe_token}", f"/preferences/{who.unsubscribe_token}"]
    page = browser.new_page()
    with house.unchanged():
        for path in [waiting, house.link("scanned-too@example.org", "download", 2), *own, *mailed, "/"]:
            page.goto(house.url + path)
            page.mouse.move(200, 300)
            page.wait_for_timeout(200)
    page.close()
    assert house.state("scanned@example.org") is State.PENDING
    assert house.state("scanned-too@example.org") is State.ACTIVE


def press(page, name: str) -> None:
    """Walk with the Tab key until the button has the focus, then press Enter."""
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.locator("button:focus").count() and page.locator("button:focus").inner_text() == name:
            page.keyboard.press("Enter")
            return
    raise AssertionError(f'"{name}" cannot be reached with the Tab key')


def test_an_error_has_the_focus_and_its_words(house, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(house.url + "/")
    page.locator("#email").fill("anna@example")
    page.locator("#email").press("Enter")
    page.wait_for_url("**/subscribe")
    assert page.locator("#email:focus").input_value() == "anna@example"
    assert page.locator("#problem").inner_text().startswith("Please check:")
    context.close()


def test_nothing_is_wider_than_the_smallest_screen(house, browser):
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    for path in (
        "/",
        "/s/plain",
        "/free-offerings",
        "/free/tides",
        "/privacy",
        "/archive/",
        "/free/film?lang=es",
        "/unsubscribe/x",
        f"/preferences/{house.join('narrow@example.org', letter='yes').unsubscribe_token}",
        "/nowhere",
    ):
        page.goto(house.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    context.close()


@pytest.mark.parametrize("paper", ["Letter", "A4"])
def test_printing_a_page_to_hand_on_gives_one_sheet_for_the_person_at_the_other_end(house, browser, paper):
    page = browser.new_page()
    page.goto(house.url + "/free/tides")
    (sheet,) = PdfReader(io.BytesIO(page.pdf(format=paper))).pages
    text = " ".join(sheet.extract_text().split())
    for words in ("Tide Notebook", "letters.harbour.test/free/tides", "Point the camera", "In an emergency, call 112."):
        assert words in text
    for words in ("Your email address", "Send me", "Words to hand it on", "Privacy"):
        assert words not in text
    page.close()


def test_a_mistake_is_undone_with_the_keyboard_alone(house, browser):
    who = house.join("oops@example.org", letter="yes")
    context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(house.url + f"/unsubscribe/{who.unsubscribe_token}")
    press(page, "Stop the letters")
    press(page, "Undo")
    page.get_by_role("heading", name="As it was before").wait_for()
    assert house.evidence("oops@example.org")[-2:] == ["withdraw page", "undo page"]
    page.goto(house.url + f"/preferences/{who.unsubscribe_token}")
    press(page, "Mail me the link to a copy")
    page.get_by_role("heading", name="Please look in your inbox").wait_for()
    context.close()
