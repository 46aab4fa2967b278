"""A letter with every block, as a browser lays it out: what a mail must hold to, whoever shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from newsletter.content import recolour, specimen, theme

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

LETTER = theme.load("letter", None)
MAILS = {
    (name, way): specimen.letter(theme.load(name, None), None, way)
    for name in ("letter", "field")
    for way in ("ltr", "rtl")
}
MAIL = MAILS["letter", "ltr"]


def same(mail: str) -> str:
    return mail


@dataclass(frozen=True)
class Window:
    """A page that is open, and what it asked the network for."""

    page: Any
    asked: list[str]

    def all(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def windows(browser: Any) -> dict[str, Window]:
    """One for each scheme, used again and again."""
    opened = {}
    for scheme in ("light", "dark"):
        page, asked = browser.new_context(color_scheme=scheme).new_page(), []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        opened[scheme] = Window(page, asked)
    return opened


@pytest.fixture
def show(windows: dict[str, Window]) -> Callable[..., Any]:
    @contextmanager
    def shown(mail: str, width: int = 600, scheme: str = "light") -> Iterator[Window]:
        window = windows[scheme]
        window.asked.clear()
        window.page.set_viewport_size({"width": width, "height": 800})
        window.page.set_content(mail)
        yield window

    return shown


# --- width -----------------------------------------------------------------------------------------------

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("key", MAILS, ids="-".join)
@pytest.mark.parametrize("width", [320, 375, 600, 1000])
def test_no_screen_scrolls_sideways(show: Any, key: tuple[str, str], width: int) -> None:
    with show(MAILS[key], width) as window:
        assert window.all(WIDER) <= 0


@pytest.mark.parametrize("width", [320, 600])
@pytest.mark.parametrize("how", [specimen.without_styles, specimen.without_pictures], ids=lambda how: how.__name__)
def test_nor_without_styles_or_pictures(show: Any, how: Callable[[str], str], width: int) -> None:
    with show(how(MAIL), width) as window:
        assert window.all(WIDER) <= 0


@pytest.mark.parametrize("width", [640, 750])
def test_nor_at_twice_the_size(show: Any, width: int) -> None:
    """WCAG 2.2, 1.4.4 and 1.4.10: all there, at 200 %, on a window half as wide in effect."""
    with show(MAIL, width) as window:
        window.all("document.documentElement.style.zoom = 2")
        assert window.all(WIDER) <= 0


def test_a_long_address_wraps(show: Any) -> None:
    long = "https://www.example.org/" + "a" * 300
    with show(MAIL.replace("Every kind of block, once</h1>", f"{long}</h1><a>{long}</a>"), 320) as window:
        assert window.all(WIDER) <= 0


def test_on_a_desk_a_line_has_about_55_letters(show: Any) -> None:
    with show(MAIL, 1000) as window:
        text = "[...document.querySelectorAll('p')].find(p => p.innerText.length > 80).getBoundingClientRect()"
        width, left = window.all(f"[{text}.width, {text}.left]")
    assert width == LETTER.measure
    assert left == (1000 - 600) / 2 + LETTER.shape.side_wide


# --- what is in the head -----------------------------------------------------------------------------------


def test_the_head_says_what_mail_programs_ask_for() -> None:
    head = MAIL.partition("</head>")[0]
    assert re.search(r'<html lang="en" dir="ltr"', head)
    assert re.search(r"<title>Every kind of block, once</title>", head)
    for name, content in (
        ("viewport", "width=device-width"),
        ("format-detection", "telephone=no, date=no, address=no, email=no, url=no"),
        ("x-apple-disable-message-reformatting", "yes"),
        ("color-scheme", "light dark"),
        ("supported-color-schemes", "light dark"),
        ("description", "A sentence"),
    ):
        assert re.search(rf'<meta name="{name}" content="{content}', head), name
    assert re.search(r'charset="?utf-8', head, re.IGNORECASE)
    assert "fonts.googleapis" not in MAIL


@pytest.mark.parametrize("way", ["ltr", "rtl"])
def test_the_article_says_its_language_and_direction(show: Any, way: str) -> None:
    with show(MAILS["letter", way]) as window:
        assert window.all("[...document.querySelectorAll('[role=article]')].map(e => [e.lang, e.dir])") == [
            [{"ltr": "en", "rtl": "ar"}[way], way]
        ]


def test_word_gets_its_own_tables_and_fonts() -> None:
    hidden = "".join(re.findall(r"<!--\[if mso[^\]]*\]>.*?<!\[endif\]-->", MAIL, re.DOTALL))
    assert f"font-family:{LETTER.fonts.outlook_serif}" in hidden
    assert f"font-family:{LETTER.fonts.outlook_sans}" in hidden
    assert "width:600px" in hidden


def test_it_is_small_enough_not_to_be_cut() -> None:
    pictures = re.sub(r"data:image/[^\"]*", "", MAIL)
    assert len(pictures.encode()) < 80_000


@pytest.mark.parametrize("key", MAILS, ids="-".join)
def test_promise_7_nothing_is_asked_of_anybody(show: Any, key: tuple[str, str]) -> None:
    with show(MAILS[key], 375, "dark") as window:
        assert [url for url in window.asked if not url.startswith(("data:", "about:"))] == []


# --- structure ---------------------------------------------------------------------------------------------


def test_one_title_and_no_level_is_skipped(show: Any) -> None:
    with show(MAIL) as window:
        levels = window.all("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_of_layout_say_so_and_tables_of_facts_have_heads(show: Any) -> None:
    script = "[...document.querySelectorAll('table')].filter(t => t.getAttribute('role') != 'presentation')"
    with show(MAIL) as window:
        assert window.all(f"{script}.every(t => t.querySelectorAll('th[scope=col]').length)")
        assert window.all(f"{script}.length") == 1


def test_the_line_beside_the_subject_is_hidden_and_followed_by_nothing(show: Any) -> None:
    with show(MAIL) as window:
        assert window.all("document.body.innerText.trim().startsWith('A Small Publication')")
        first = window.all("document.body.textContent.trim().replace(/\\s+/g, ' ')")
        filler = window.all("[...document.querySelectorAll('[aria-hidden=true]')].map(e => e.textContent.length)")
    assert first.startswith("A sentence of common length")
    assert max(filler) > 100


def test_every_picture_has_words_and_a_size(show: Any) -> None:
    with show(MAIL) as window:
        pictures = window.all(
            "[...document.images].map(i => [i.hasAttribute('alt'), +i.getAttribute('width'), +i.getAttribute('height'),"
            " i.naturalWidth / i.naturalHeight, i.clientWidth / i.clientHeight])"
        )
    assert len(pictures) >= 4
    for alt, width, height, natural, shown in pictures:
        assert alt
        assert width
        assert height
        assert shown == pytest.approx(natural, rel=0.02)


def test_pictures_off_their_words_are_read_as_text_on_tint(show: Any) -> None:
    with show(specimen.without_pictures(MAIL)) as window:
        style = window.all(
            "(i => [i.alt, getComputedStyle(i).fontStyle, getComputedStyle(i).fontSize,"
            " getComputedStyle(i).backgroundColor])([...document.images].find(i => i.width > 300))"
        )
    assert style == ["A caption says what the picture does not.", "italic", "18px", "rgb(243, 236, 219)"]


def test_no_letter_is_smaller_than_14(show: Any) -> None:
    texts = (
        "(() => { const w = document.createTreeWalker(document.body, 4), sizes = []; while (w.nextNode()) {"
        " const e = w.currentNode.parentElement, r = e.getClientRects(); if (w.currentNode.data.trim() && r.length)"
        " sizes.push(parseFloat(getComputedStyle(e).fontSize)) } return sizes })()"
    )
    with show(MAIL) as window:
        assert min(window.all(texts)) >= 14


@pytest.mark.parametrize("width", [320, 600])
def test_a_button_is_large_enough_for_a_thumb(show: Any, width: int) -> None:
    with show(MAIL, width) as window:
        heights = window.all(
            "[...document.querySelectorAll('a')].filter(a => getComputedStyle(a).display == 'inline-block')"
            ".map(a => a.getBoundingClientRect().height)"
        )
    assert len(heights) >= 3
    assert min(heights) >= 48


def test_every_link_is_underlined_but_buttons(show: Any) -> None:
    with show(MAIL) as window:
        bare = window.all(
            "[...document.querySelectorAll('a[href]')].filter(a => a.innerText.trim() &&"
            " !getComputedStyle(a).textDecorationLine.includes('underline'))"
            ".map(a => getComputedStyle(a).display)"
        )
    assert set(bare) == {"inline-block"}


def test_telephone_and_address_are_links_of_our_own(show: Any) -> None:
    with show(MAIL) as window:
        hrefs = window.all("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert "tel:5550100" in hrefs
    assert "mailto:letters@example.org" in hrefs


def test_facts_of_the_masthead_do_not_split(show: Any) -> None:
    with show(MAIL, 320) as window:
        lines = window.all(
            "[...document.querySelectorAll('span')].filter(s => getComputedStyle(s).whiteSpace == 'nowrap')"
            ".map(s => s.getClientRects().length)"
        )
    assert lines
    assert set(lines) == {1}


def test_from_right_to_left_everything_begins_at_the_right(show: Any) -> None:
    with show(MAILS["letter", "rtl"]) as window:
        right, mark = window.all(
            "[document.querySelector('h1').getBoundingClientRect().right,"
            " document.querySelector('.mark').getBoundingClientRect().right]"
        )
        sides = window.all("[...document.querySelectorAll('h1,h2,h3,p')].map(e => getComputedStyle(e).textAlign)")
        indent = window.all("(l => getComputedStyle(l).marginRight)(document.querySelector('blockquote'))")
    assert right == mark == 600 - LETTER.shape.side_wide
    assert set(sides) <= {"right", "start"}
    assert indent == f"{LETTER.steps.indent}px"


# --- colour ------------------------------------------------------------------------------------------------

FAINT = """(() => {
  const light = c => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]) };
  const numbers = c => c.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length == 3 || c[3] > 0) return c } return [255, 255, 255] };
  const walker = document.createTreeWalker(document.body, 4), faint = [];
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.replace(/[\\s\\u00a0]/g, '') || !e.getClientRects().length) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push([walker.currentNode.data.trim().slice(0, 40), e.tagName,
      getComputedStyle(e).color, ground(e).join(), ((a + 0.05) / (b + 0.05)).toFixed(2)]);
  }
  return faint })()"""


@pytest.mark.parametrize("name", ["letter", "field"])
@pytest.mark.parametrize(
    ("how", "scheme"),
    [
        (same, "light"),
        (same, "dark"),
        (specimen.dark, "light"),
        (recolour.lightness, "light"),
        (recolour.hsl, "light"),
        (recolour.outlook, "light"),
        (specimen.without_styles, "dark"),
        (lambda mail: recolour.outlook(recolour.without_dark(mail)), "light"),
    ],
    ids=["light", "dark", "as dark", "lightness", "hsl", "outlook", "no styles", "outlook alone"],
)
def test_every_word_stands_out_from_its_ground(show: Any, name: str, how: Callable[[str], str], scheme: str) -> None:
    with show(how(MAILS[name, "ltr"]), 600, scheme) as window:
        assert window.all(FAINT) == []


def test_the_dark_scheme_leaves_nothing_light(show: Any) -> None:
    grounds = (
        "[...new Set([...document.querySelectorAll('body,td,th,div,table')].map(e =>"
        " getComputedStyle(e).backgroundColor))]"
    )
    with show(MAIL, 600, "dark") as window:
        found = window.all(grounds)
    named = {"rgba(0, 0, 0, 0)"}
    for token in ("paper", "tint", "field", "mark", "rule", "button"):
        red, green, blue = (int(getattr(LETTER.dark, token)[at : at + 2], 16) for at in (1, 3, 5))
        named.add(f"rgb({red}, {green}, {blue})")
    assert set(found) <= named
