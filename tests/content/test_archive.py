"""The public page of an issue."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.content import archive, blocks, theme
from newsletter.content.blocks import Asset, Block, Link, MergeTag, Paragraph, Picture, Words
from newsletter.content.issue import HeroImage, Issue
from newsletter.core.publication import Author, Footer, Magnet, Publication, Sender

BASE = "https://letters.example.org"
ASSET = Asset("images/lamp.jpg", "0a1b2c-lamp.jpg", 1024, 600, 1000)
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "letters@letters.example.org")},
    footer=Footer(address="4 Mill Lane, Oakham 90210", phone="555 0100", email="desk@example.org", disclaimer="Care."),
    crisis_text="Call 988.",
    magnets={"cards": Magnet("Twelve cards", "One for each month.")},
    authors={"mia": Author("Mia Lind")},
)


def said(*words: str) -> Paragraph:
    return Paragraph(tuple(Words(word) for word in words))


EVERY: tuple[tuple[Block, str, str], ...] = (
    (said("Plain <words>."), "article p", "Plain <words>."),
    (blocks.Heading(2, "🕯️", (Words("A lit heading"),)), "h2", "🕯️A lit\u00a0heading"),
    (blocks.Heading(3, "", (Words("Smaller"),)), "h3", "Smaller"),
    (blocks.Listing(False, ((said("one"),), (said("two"), said("more")))), "ul li p", "more"),
    (blocks.Listing(True, ((said("first"),),), start=4), "ol[start='4'] li", "first"),
    (blocks.Quote((said("Said once."),), (Words("R. Vale"),)), "figure figcaption", "R. Vale"),
    (blocks.Image(Picture("x", 'A "lamp"\non', ASSET), "By the door"), "figure figcaption", "By the door"),
    (blocks.Divider(), "hr", ""),
    (blocks.Button(("https://www.example.org/go?a=1&b=2",), (Words("Go there"),)), "a.button", "Go there"),
    (blocks.Button(("https://www.example.org/b",), (Words("Or that"),), secondary=True), "a.second", "Or that"),
    (blocks.CodeBlock("a  <b>\n  c"), "pre code", "a  <b>\n  c"),
    (blocks.Table(((Words("Day"),),), (((Words("Mon"),),),), ("end",)), "td.end", "Mon"),
    (blocks.Callout("tip", "Try this", (said("Sit."),)), "aside p.label", "Try this"),
    (blocks.Card((said("In a frame."),)), "div.card p", "In a frame."),
    (blocks.MagnetCard("cards"), "section.magnet h2", "Twelve cards"),
    (blocks.Columns(((said("Left of it."),), (said("Right of it."),))), "div.columns > div + div p", "Right of it."),
    (blocks.AuthorCard("mia", (said("Keeps the lamp."),)), "div.author div p", "Keeps the lamp."),
    (blocks.Poll("rest", (said("Rested?"),), ((Words("Yes"),), (Words("No"),))), "div.poll li a", "No"),
    (blocks.Only(("web",), (said("Only on the page."),)), "article p", "Only on the page."),
    (blocks.Inserted("night", "snippets/night.md", (said("From elsewhere."),)), "article p", "From elsewhere."),
    (blocks.Contents((("part-1", (Words("A lit heading"),)),)), "nav li a[href='#part-1']", "A lit heading"),
    (blocks.Aside((Words("In passing."),)), "p.aside", "In passing."),
)


def issue(*body: Block, **fields: object) -> Issue:
    plain = Issue(
        path=Path("issues/2026-12-01-lamp.md"),
        name="issues/2026-12-01-lamp.md",
        slug="lamp",
        subject="A lamp & a window",
        preheader="Why we leave one lamp on.",
        title="A lamp & a window",
        date=dt.date(2026, 12, 1),
        body=body or (said("The lamp stays on."),),
        number=7,
        author=("mia",),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def source(tmp_path: Path, *body: Block, publication: Publication = PUBLICATION, **fields: object) -> str:
    return archive.archive(issue(*body, **fields), publication, root=tmp_path, base_url=BASE + "/")


def page(tmp_path: Path, *body: Block, **fields: object) -> LexborHTMLParser:
    return LexborHTMLParser(source(tmp_path, *body, **fields))


@pytest.mark.parametrize(("block", "selector", "text"), EVERY, ids=lambda value: type(value).__name__)
def test_every_block_is_written_in_its_own_element(tmp_path: Path, block: Block, selector: str, text: str) -> None:
    assert text in [node.text() for node in page(tmp_path, block).css(selector)]


def test_every_kind_of_block_stands_in_the_table_above() -> None:
    assert {type(block) for block, _, _ in EVERY} == set(blocks.Block.__args__) - {blocks.Unready}  # type: ignore[attr-defined]


def test_the_page_is_a_document_with_landmarks_and_no_layout_tables(tmp_path: Path) -> None:
    html = page(tmp_path, lang="he", dir="rtl")
    root = html.css_first("html")
    assert root is not None
    assert (root.attributes["lang"], root.attributes["dir"]) == ("he", "rtl")
    assert [node.tag for node in html.css("header, main, article, footer")] == ["header", "main", "article", "footer"]
    assert html.css("table") == []
    assert [node.text() for node in html.css("h1")] == ["A lamp & a\u00a0window"]
    assert "Letter 7 · Tuesday 1 December 2026 ·" in " ".join(html.css_first("header").text().split())  # type: ignore[union-attr]


def test_the_head_tells_where_the_page_belongs(tmp_path: Path) -> None:
    hero = HeroImage(Picture("images/lamp.jpg", "A lamp", ASSET))
    html = page(tmp_path, image=hero, summary="Of a lamp.")
    assert html.css_first("title").text() == "A lamp & a window · Quiet Harbour"  # type: ignore[union-attr]
    assert html.css_first("link[rel=canonical]").attributes["href"] == f"{BASE}/archive/lamp"  # type: ignore[union-attr]
    graph = {node.attributes["property"]: node.attributes["content"] for node in html.css("meta[property]")}
    assert graph["og:title"] == "A lamp & a window"
    assert graph["og:description"] == "Of a lamp."
    assert graph["og:url"] == f"{BASE}/archive/lamp"
    assert graph["og:image"] == f"{BASE}/images/0a1b2c-lamp.jpg"
    assert graph["article:published_time"] == "2026-12-01"
    assert html.css_first("meta[name=author]").attributes["content"] == "Mia Lind"  # type: ignore[union-attr]


def test_a_letter_without_a_picture_is_shared_with_one_that_is_drawn(tmp_path: Path) -> None:
    html = page(tmp_path, slug="lämpchen")
    graph = {node.attributes["property"]: node.attributes["content"] for node in html.css("meta[property]")}
    assert graph["og:image"] == f"{BASE}/archive/l%C3%A4mpchen/share.png"
    assert (graph["og:image:width"], graph["og:image:height"]) == ("1200", "630")
    assert graph["og:image:alt"] == "A lamp & a window"


def test_another_home_of_the_text_is_named_as_the_canonical_one(tmp_path: Path) -> None:
    html = page(tmp_path, canonical_url="https://www.example.org/lamp")
    assert html.css_first("link[rel=canonical]").attributes["href"] == "https://www.example.org/lamp"  # type: ignore[union-attr]


def test_letters_to_patients_are_not_indexed(tmp_path: Path) -> None:
    patients = replace(PUBLICATION, readership="patients")
    assert 'content="noindex"' in source(tmp_path, publication=patients)
    assert "noindex" not in source(tmp_path)


def test_no_reader_is_known_here(tmp_path: Path) -> None:
    tag = MergeTag("first_name", "friend")
    out = MergeTag("unsubscribe_url", "")
    html = page(
        tmp_path,
        Paragraph((Words("Dear "), tag, Link(("https://www.example.org/?for=", tag), (Words(" yours"),)))),
        Paragraph((Link((out,), (Words("leave"),)),)),
        blocks.Button((out,), (Words("Leave now"),)),
        subject='For {{ first_name, "friend" }}',
        title='{{ first_name, "friend" }}, hello',
        preheader='Dear {{ first_name, "friend" }}',
    )
    text = html.css_first("article").text()  # type: ignore[union-attr]
    assert "Dear friend yours" in text
    assert "leave" in text
    assert html.css_first("h1").text() == "friend,\u00a0hello"  # type: ignore[union-attr]
    hrefs = [node.attributes["href"] or "" for node in html.css("article a")]
    assert hrefs == ["https://www.example.org/?for=friend"]
    assert "unsubscribe" not in (html.html or "")
    assert "{{" not in (html.html or "")


def test_a_strict_content_security_policy_needs_one_hash(tmp_path: Path) -> None:
    html = page(tmp_path, *(block for block, _, _ in EVERY), magnet="cards")
    assert html.css("[style], script, iframe, link[rel=stylesheet]") == []
    (style,) = html.css("style")
    assert style.text() == archive.style(theme.load("letter", tmp_path), tmp_path)
    assert not any(name.startswith("on") for node in html.css("*") for name in node.attributes)


def test_promise_7_the_page_loads_only_pictures_of_ours(tmp_path: Path) -> None:
    whole = source(tmp_path, *(block for block, _, _ in EVERY))
    html = LexborHTMLParser(whole)
    assert {urlsplit(node.attributes["src"] or "").hostname for node in html.css("[src]")} == {"letters.example.org"}
    assert "url(" not in whole
    assert "@import" not in whole


def test_both_schemes_and_print_are_styled(tmp_path: Path) -> None:
    looks, css = theme.load("letter", None), archive.style(theme.load("letter", None), None)
    assert looks.light.paper in css
    assert looks.dark.paper in css
    assert "@media print" in css
    used = set(re.findall(r"var\(--([\w-]+)\)", css))
    assert used <= set(re.findall(r"--([\w-]+):", css))


def test_promise_11_text_arrives_unharmed(tmp_path: Path) -> None:
    hostile = '<script>alert(1)</script> & ❤️ nb\u00a0sp </style> {{ x }} "q"'
    html = page(tmp_path, said(hostile), blocks.Image(Picture("x", hostile, ASSET)), subject=hostile, title="t")
    assert hostile in [node.text() for node in html.css("p")]
    assert html.css_first("img").attributes["alt"] == hostile  # type: ignore[union-attr]
    assert html.css_first("title").text() == f"{hostile} · Quiet Harbour"  # type: ignore[union-attr]
    assert html.css("script") == []


def test_promise_10_the_same_issue_gives_the_same_page(tmp_path: Path) -> None:
    body = tuple(block for block, _, _ in EVERY)
    assert source(tmp_path, *body) == source(tmp_path, *body)
