"""One letter with every block once: how it is built as mail, as plain text and as a page.

Structure is kept, never bytes. After a change that is meant, `UPDATE_EXPECTED=1 pytest <this file>` writes
the three outlines anew: read the difference before keeping it.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter import settings
from newsletter.content import archive, blocks, check, library, render
from newsletter.content.issue import Issue, Nearby
from newsletter.core import mime
from newsletter.core.delivery import Recipient
from newsletter.core.email import Email, fill
from newsletter.core.problem import errors
from newsletter.core.publication import Publication

KITCHEN = Path(__file__).parent / "kitchen"
EXPECTED = KITCHEN / "expected"
BASE = "https://letters.quietharbour.org"
PRESS = "Your answer opens a mail to us, ready to send."  # in plain text the address itself says so
READER = {"first_name": "Sam", "unsubscribe_url": f"{BASE}/unsubscribe/k3j4h5g6"}
BEFORE, AFTER = Nearby("The tide table", f"{BASE}/archive/tide"), Nearby("What ropes are for", f"{BASE}/archive/ropes")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The publication, where derived files may be put."""
    return Path(shutil.copytree(KITCHEN, tmp_path_factory.mktemp("kitchen") / "sink"))


@pytest.fixture(scope="module")
def publication(root: Path) -> Publication:
    return settings.load(root, {}).publication()


@pytest.fixture(scope="module")
def issue(publication: Publication, root: Path) -> Issue:
    return library.load(root / "issues" / "2026-12-01-kitchen-sink.md", publication, root)


@pytest.fixture(scope="module")
def email(issue: Issue, publication: Publication, root: Path) -> Email:
    return mailed(issue, publication, root)


def mailed(issue: Issue, publication: Publication, root: Path) -> Email:
    some = frozenset({"clients"})
    return render.render(issue, publication, root=root, base_url=BASE, segments=some, before=BEFORE, after=AFTER)


@pytest.fixture(scope="module")
def page(issue: Issue, publication: Publication, root: Path) -> str:
    return archive.archive(issue, publication, root=root, base_url=BASE, before=BEFORE, after=AFTER)


# --- the outline of a document ---------------------------------------------------------------------

LEAVES = ["h1", "h2", "h3", "p", "pre", "th", "td", "figcaption", "li", "address"]
PARTS = [
    *LEAVES,
    *[
        "ul",
        "ol",
        "blockquote",
        "figure",
        "section",
        "nav",
        "aside",
        "article",
        "header",
        "main",
        "footer",
        "hr",
        "table",
        "a",
        "img",
    ],
]
MARKS = frozenset(
    [
        "tint",
        "box",
        "button",
        "answer",
        "mark",
        "rule",
        "column",
        "columns",
        "card",
        "pictured",
        "callout",
        "magnet",
        "author",
        "poll",
    ]
)


def outline(html: str) -> str:
    body = LexborHTMLParser(re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)).body
    assert body is not None
    return "\n".join(lines(body, 0)) + "\n"


def lines(node: LexborNode, depth: int) -> Iterator[str]:
    for child in node.iter():
        said = label(child)
        if said:
            yield "  " * depth + said
        yield from lines(child, depth + 1 if said else depth)


def label(node: LexborNode) -> str:
    """What an element is to a reader; nothing for what only holds the layout."""
    tag, held = node.tag, node.attributes
    layout = held.get("role") == "presentation" or (tag == "td" and "scope" not in held and in_layout(node))
    marks = [name for name in (held.get("class") or "").split() if name in MARKS]
    if tag == "img":
        size = f"{held.get('width', '')}x{held.get('height', '')}"
        return f'img "{held.get("alt")}" {size if size != "x" else ""}'.rstrip()
    if tag == "a":
        if held.get("name"):
            return f"anchor {held['name']}"
        return f'a "{node.text().strip()}" {held["href"]}'
    if (tag not in PARTS or layout) and not marks:
        return ""
    leaf = tag in LEAVES and not layout and not node.css(", ".join(LEAVES))[1:]
    text = " ".join((node.text() if leaf else own(node) if tag == "li" else "").split())
    return f"{'' if layout else tag}{''.join(f'.{mark}' for mark in marks)} {text}".strip()


def own(node: LexborNode) -> str:
    """An item's words without those of the list in it."""
    return "".join(child.text() for child in node.iter(include_text=True) if child.tag not in {"ul", "ol"})


def in_layout(cell: LexborNode) -> bool:
    table = cell.parent
    while table is not None and table.tag != "table":
        table = table.parent
    return table is not None and table.attributes.get("role") == "presentation"


def expected(name: str, found: str) -> str:
    file = EXPECTED / name
    if os.environ.get("UPDATE_EXPECTED"):
        file.write_text(found, "utf-8")
    return file.read_text("utf-8")


# --- the three of them -----------------------------------------------------------------------------


def test_it_holds_every_block_of_the_dialect(issue: Issue) -> None:
    assert not errors(issue.problems)
    written = {type(block) for block, _ in blocks.walk(issue.body)}
    ours = {blocks.Contents, blocks.Aside, blocks.Unready}
    assert written == set(blocks.Block.__args__) - ours  # type: ignore[attr-defined]
    assert {type(block) for block, _ in blocks.walk(issue.body) if isinstance(block, blocks.Image)}


def test_nothing_blocks_it(issue: Issue, publication: Publication, root: Path, email: Email) -> None:
    assert not errors(check.check(issue, publication, root, email=email))


def test_the_mail_is_built_as_it_was(email: Email) -> None:
    found = outline(fill(email.html, READER))
    assert found == expected("mail.txt", found)


def test_the_text_part_says_what_it_said(email: Email) -> None:
    found = fill(email.text, READER)
    assert found == expected("text.txt", found)


def test_the_page_is_built_as_it_was(page: str) -> None:
    found = outline(page)
    assert found == expected("page.txt", found)


def test_every_sentence_of_the_mail_stands_in_its_text_part(email: Email) -> None:
    mail = LexborHTMLParser(fill(email.html, READER))
    plain = "".join(re.findall(r"\w", fill(email.text, READER)))
    nodes = mail.css("p, li, h1, h2, h3, pre, th, td.answer")
    assert len(nodes) > 50
    for node in nodes:
        for part in re.split(r"[^\w ,’'()-]+", node.text(separator="\n")):
            words = "".join(re.findall(r"\w", part))
            assert words in plain or node.text() == PRESS, part


def test_promise_7_nothing_is_loaded_but_pictures_of_ours(email: Email, page: str) -> None:
    for html in (fill(email.html, READER), page):
        assert {src.split("/")[2] for src in re.findall(r'src="([^"]+)"', html)} == {"letters.quietharbour.org"}


def test_promise_10_the_same_issue_gives_the_same_mail(
    issue: Issue, publication: Publication, root: Path, email: Email
) -> None:
    assert mailed(issue, publication, root) == email


def test_it_can_be_made_a_message(email: Email) -> None:
    reader = Recipient("k", "sam@example.org", {"first_name": "Sam"}, READER["unsubscribe_url"])
    at = dt.datetime(2026, 12, 1, 17, 30, tzinfo=dt.UTC)
    raw = mime.compile(email).message(reader, at=at, message_id="<k@letters.quietharbour.org>")
    assert b"multipart/alternative" in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


# --- in a browser ----------------------------------------------------------------------------------

chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")


@pytest.mark.browser
@chromium
@pytest.mark.parametrize("way", ["ltr", "rtl"])
def test_a_narrow_phone_shows_all_of_it(issue: Issue, publication: Publication, root: Path, way: str) -> None:
    from playwright.sync_api import sync_playwright

    turned = replace(issue, dir=way)
    mail = fill(render.render(turned, publication, root=root, base_url=BASE).html, READER)
    stripped = re.sub(r"<style.*?</style>", "", mail, flags=re.DOTALL)
    page = archive.archive(turned, publication, root=root, base_url=BASE)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 320, "height": 600})
        shown.route("**/*", lambda route: route.abort())
        for html in (mail, stripped, page):
            shown.set_content(html, wait_until="domcontentloaded")
            assert shown.evaluate("document.documentElement.scrollWidth") == 320
            assert shown.evaluate(SPLIT) == []
        shown.set_viewport_size({"width": 600, "height": 600})
        for html in (mail, stripped):
            shown.set_content(html, wait_until="domcontentloaded")
            left, right = shown.evaluate(BESIDE)
            assert left["top"] == right["top"]
            assert (left["left"] < right["left"]) is (way == "ltr")
        browser.close()


SPLIT = """[...document.querySelectorAll('.whole')]
  .filter(node => node.getClientRects().length > 1).map(node => node.textContent)"""
BESIDE = """[...document.querySelectorAll('.column')].slice(0, 2)
  .map(node => { const box = node.getBoundingClientRect(); return {top: box.top, left: box.left} })"""
