"""An issue as an email. Structure is looked at, never bytes: the compiler may change its blanks."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pypdf
import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.content import blocks, headers, render, templates
from newsletter.content.blocks import Asset, Block, Break, Code, Emphasis, Link, MergeTag, Paragraph, Picture, Words
from newsletter.content.issue import HeroImage, Issue
from newsletter.core.email import Email, Escape, Site, fill, freeze
from newsletter.core.publication import Author, Footer, Images, Magnet, Publication, Sender
from newsletter.errors import SettingsError

BASE = "https://letters.example.org"
READER = {"unsubscribe_url": f"{BASE}/unsubscribe/k3j4h5g6", "first_name": "Ada"}

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={
        "house": Sender("Quiet Harbour", "letters@letters.example.org", "desk@example.org"),
        "guest": Sender("A guest", "guest@letters.example.org"),
    },
    footer=Footer(
        address="4 Mill Lane, Oakham 90210",
        phone="(555) 010-0199",
        email="desk@example.org",
        website="https://www.example.org",
        disclaimer="For education only.",
        replies="read on weekdays",
    ),
    crisis_text="Call 988 at any hour.",
    magnets={
        "cards": Magnet("Twelve cards", "One for each month.", ("magnets/cards.pdf",)),
        "page": Magnet("A page", url="https://www.example.org/page"),
    },
    authors={"mia": Author("Mia Lind", "Keeps the lamp.", url="https://www.example.org/mia")},
)


def said(*words: str) -> Paragraph:
    return Paragraph(tuple(Words(word) for word in words))


def issue(*body: Block, **fields: object) -> Issue:
    plain = Issue(
        path=Path("issues/2026-12-01-lamp.md"),
        name="issues/2026-12-01-lamp.md",
        slug="lamp",
        subject="A lamp & a window",
        preheader="Why we leave one lamp on when the last of us goes home.",
        title="A lamp & a window",
        date=dt.date(2026, 12, 1),
        body=body or (said("The lamp stays on."),),
        number=7,
        sender="house",
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def rendered(tmp_path: Path, *body: Block, publication: Publication = PUBLICATION, **fields: object) -> Email:
    return render.render(issue(*body, **fields), publication, root=tmp_path, base_url=BASE)


def tree(email: Email, values: dict[str, str] | None = None) -> LexborHTMLParser:
    return LexborHTMLParser(fill(email.html, READER if values is None else values))


def page(tmp_path: Path, *body: Block, **fields: object) -> LexborHTMLParser:
    return tree(rendered(tmp_path, *body, **fields))


# --- the document ----------------------------------------------------------------------------------


def test_the_document_says_language_direction_title_and_schemes(tmp_path: Path) -> None:
    html = page(tmp_path, lang="de", dir="ltr")
    root = html.css_first("html")
    assert root is not None
    assert (root.attributes["lang"], root.attributes["dir"]) == ("de", "ltr")
    assert html.css_first("title").text() == "A lamp & a window"  # type: ignore[union-attr]
    metas = {meta.attributes.get("name"): meta.attributes.get("content") for meta in html.css("meta[name]")}
    assert metas["color-scheme"] == metas["supported-color-schemes"] == "light dark"
    assert metas["description"] == "Why we leave one lamp on when the last of us goes home."
    assert {"viewport", "format-detection", "x-apple-disable-message-reformatting"} <= metas.keys()
    assert len(html.css("h1")) == 1


def test_the_preheader_comes_first_hidden_padded_and_in_the_colour_of_the_text(tmp_path: Path) -> None:
    html = page(tmp_path)
    assert html.body is not None
    first, filler = list(html.body.iter())[:2]
    assert first.text() == "Why we leave one lamp on when the last of us goes home."
    for node in (first, filler):
        assert "display:none" in node.attributes["style"]  # type: ignore[operator]
        assert "color:#262A33" in node.attributes["style"]  # type: ignore[operator]
    assert filler.attributes["aria-hidden"] == "true"
    assert filler.text().strip("\u2007\ufeff\u034f ") == ""
    assert len(filler.text()) > 40


def test_the_masthead_names_number_day_and_minutes_each_unbreakable(tmp_path: Path) -> None:
    html = page(tmp_path)
    parts = [span.text() for span in html.css('span[style*="nowrap"]')]
    assert parts[:2] == ["Letter 7 ·", "Tuesday 1\u200c December 2026 ·"]
    assert re.fullmatch(r"1 minute|\d+ minutes", parts[2])
    assert html.css_first("td.mark") is not None


def test_a_letter_without_number_and_date_says_neither(tmp_path: Path) -> None:
    text = page(tmp_path, number=None, date=None).body.text()  # type: ignore[union-attr]
    assert "Letter" not in text
    assert "2026" not in text


def test_the_last_two_words_of_a_title_stay_together_when_the_last_is_short(tmp_path: Path) -> None:
    assert page(tmp_path, title="A lamp in the window").css_first("h1").text() == "A lamp in the\u00a0window"  # type: ignore[union-attr]
    long = page(tmp_path, title="A lamp and its understanding").css_first("h1")
    assert long is not None
    assert long.text() == "A lamp and its understanding"


# --- blocks ----------------------------------------------------------------------------------------

ASSET = Asset("images/lamp.jpg", "0a1b2c-lamp.jpg", 1024, 600, 1000)

EVERY: tuple[tuple[Block, str, str], ...] = (
    (said("Plain words."), "p", "Plain words."),
    (blocks.Heading(2, "🕯️", (Words("A lit heading"),)), "h2", "🕯️A lit\u00a0heading"),
    (blocks.Heading(3, "", (Words("Smaller"),)), "h3", "Smaller"),
    (blocks.Listing(False, ((said("one"),), (said("two"),))), "ul li + li", "two"),
    (blocks.Listing(True, ((said("first"),),), start=4), "ol[start='4'] li", "first"),
    (blocks.Quote((said("Said once."),), (Words("R. Vale"),)), "blockquote", "Said once.R. Vale"),
    (blocks.Image(Picture("x", "A lamp", ASSET), "By the door"), "p.soft", "By the door"),
    (blocks.Divider(), "td.rule", "\u00a0"),
    (blocks.Button(("https://www.example.org/go",), (Words("Go there"),)), "td.button a.on", "Go there"),
    (blocks.Button(("https://www.example.org/b",), (Words("Or that"),), secondary=True), "p.sans a.link", "Or that"),
    (blocks.CodeBlock("a  <b>\n  c"), "pre", "a  <b>\n  c"),
    (blocks.Table(((Words("Day"),),), (((Words("Mon"),),),), ("end",)), "th[scope='col']", "Day"),
    (blocks.Callout("tip", "Try this", (said("Sit."),)), "td.tint", "Try thisSit."),
    (blocks.Card((said("In a frame."),)), "td.box", "In a frame."),
    (blocks.MagnetCard("cards"), "td.tint h2", "Twelve cards"),
    (blocks.Columns(((said("Left of it."),), (said("Right of it."),))), "div.column + div.column p", "Right of it."),
    (blocks.AuthorCard("mia"), "td p.sans a.link", "Mia Lind"),
    (blocks.Poll("rest", (said("Rested?"),), ((Words("Yes"),), (Words("No"),))), "td.answer a.link", "No"),
    (blocks.Only(("email",), (said("Only by mail."),)), "p", "Only by mail."),
    (blocks.Inserted("night", "snippets/night.md", (said("From elsewhere."),)), "p", "From elsewhere."),
    (blocks.Contents((("part-1", (Words("A lit heading"),)),)), "li a[href='#part-1']", "A lit heading"),
    (blocks.Aside((Words("In passing."),)), "p.soft.sans", "In passing."),
)


@pytest.mark.parametrize(("block", "selector", "text"), EVERY, ids=lambda value: type(value).__name__)
def test_every_block_is_written(tmp_path: Path, block: Block, selector: str, text: str) -> None:
    body = page(tmp_path, block)
    assert text in [node.text() for node in body.css(selector)]


def test_every_kind_of_block_stands_in_the_table_above() -> None:
    written = {type(block) for block, _, _ in EVERY}
    assert written == set(blocks.Block.__args__) - {blocks.Unready}  # type: ignore[attr-defined]


def test_blocks_nest(tmp_path: Path) -> None:
    inner = blocks.Listing(False, ((said("leaf"),),))
    body = page(tmp_path, blocks.Card((blocks.Callout("note", "", (blocks.Listing(True, ((said("a"), inner),)),)),)))
    leaf = body.css_first("td.box td.tint ol li ul li")
    assert leaf is not None
    assert leaf.text() == "leaf"


def above(html: LexborHTMLParser) -> list[int]:
    """The distance above each row of the body."""
    found = [re.match(r"padding:(\d+)px", cell.attributes["style"] or "") for cell in html.css("tr > td.pad")]
    return [int(one[1]) for one in found if one]


def test_distances_are_those_of_the_theme_and_never_add_up(tmp_path: Path) -> None:
    head, sub = blocks.Heading(2, "", (Words("h"),)), blocks.Heading(3, "", (Words("s"),))
    html = page(
        tmp_path, said("a"), said("b"), head, said("c"), blocks.Callout("tip", "", (said("d"),)), sub, said("e")
    )
    assert above(html)[3:10] == [24, 20, 40, 12, 32, 32, 8]
    assert above(page(tmp_path, said("a"), blocks.Divider(), said("b"), magnet="cards"))[4:7] == [28, 28, 40]


def test_a_button_within_a_box_keeps_its_distance_in_word_which_knows_no_margins_of_tables(tmp_path: Path) -> None:
    inside = (said("a"), blocks.Button(("https://www.example.org",), (Words("b"),)))
    html = page(tmp_path, blocks.Card(inside))
    assert html.css_first("td.box td[style^='padding:20px'] td.button") is not None
    assert html.css("table[style*='margin']") == []


def test_the_columns_of_a_table_are_aligned_as_the_letter_runs(tmp_path: Path) -> None:
    table = blocks.Table(((Words("a"),), (Words("b"),), (Words("c"),)), (), ("start", "center", "end"))
    for way, expected in (("ltr", ["left", "center", "right"]), ("rtl", ["right", "center", "left"])):
        cells = page(tmp_path, table, dir=way).css("th")
        assert [re.findall(r"text-align:(\w+)", cell.attributes["style"] or "")[0] for cell in cells] == expected


def test_a_table_keeps_its_words_whole_as_long_as_they_fit_the_narrowest_phone(tmp_path: Path) -> None:
    def whole(*columns: tuple[str, ...]) -> list[bool]:
        head, *rows = [tuple((Words(said),) for said in row) for row in zip(*columns, strict=True)]
        cells = page(tmp_path, blocks.Table(head, tuple(rows))).css("table.ink.sans td")
        return [
            "word-break:normal" in str(cell.attributes["style"])
            for cell in cells
            if cell.text() in columns[0] + columns[-1]
        ]

    assert whole(("Day", "Donnerstag"), ("Hours", "9 to 12")) == [True, True]
    assert whole(("Day", "Donnerstag"), ("Place", "Gemeinschaftspraxis am Marktplatz")) == [True, False]
    assert whole(("Who", "Featherstonehaugh"), ("Sum", "12,044,999.25")) == [False, True]  # figures break last
    named = blocks.Table(((Words("For"),),), (((MergeTag("first_name", "you"),),),))
    assert "word-break:normal" not in str(page(tmp_path, named).css_first("table.ink.sans td").attributes["style"])  # type: ignore[union-attr]


def test_where_a_column_may_break_nothing_in_it_is_kept_on_one_line(tmp_path: Path) -> None:
    def kept(more: str) -> list[str]:
        table = blocks.Table(((Words("With"),),), (((Words(f"Dr. Vale {more}"),),),))
        return [node.text() for node in page(tmp_path, table).css("table.ink.sans span.whole")]

    assert kept("and others") == ["Dr. Vale"]
    assert kept("x" * 40) == []


def test_the_outline_skips_no_level_whatever_a_heading_looks_like(tmp_path: Path) -> None:
    small = blocks.Heading(3, "", (Words("Small"),), first=True)
    later = blocks.Heading(3, "", (Words("Smaller"),))
    html = page(tmp_path, blocks.Card((small,)), later)
    assert [node.tag for node in html.css("h1,h2,h3")] == ["h1", "h2", "h3"]
    first, second = (str(html.css_first(tag).attributes["style"]) for tag in ("h2", "h3"))  # type: ignore[union-attr]
    assert first.partition("font-weight")[2] == second.partition("font-weight")[2]


def test_a_quotation_slants_where_there_are_italics(tmp_path: Path) -> None:
    quote = blocks.Quote((said("A word"),), ())
    for lang, slant in (("en", "italic"), ("de-AT", "italic"), ("ar", "normal"), ("ja", "normal")):
        style = page(tmp_path, quote, lang=lang).css_first("blockquote div").attributes["style"]  # type: ignore[union-attr]
        assert f"font-style:{slant}" in str(style)


def test_where_a_list_of_contents_leads_is_a_valid_link_that_nobody_hears(tmp_path: Path) -> None:
    target = page(tmp_path, blocks.Heading(2, "", (Words("Here"),), anchor="part-1")).css_first("h2 a[name]")
    assert target is not None
    assert (target.attributes["name"], target.attributes["href"]) == ("part-1", "#part-1")
    assert (target.attributes["aria-hidden"], target.attributes["tabindex"]) == ("true", "-1")


def test_an_unready_block_writes_nothing(tmp_path: Path) -> None:
    with_it, without = (
        fill(rendered(tmp_path, *body).html, READER) for body in ((said("a"), blocks.Unready("poll")), (said("a"),))
    )
    assert "poll" not in with_it
    assert LexborHTMLParser(with_it).body.text() == LexborHTMLParser(without).body.text()  # type: ignore[union-attr]


def test_a_picture_has_its_size_its_words_and_an_address_of_ours(tmp_path: Path) -> None:
    image = page(tmp_path, blocks.Image(Picture("images/lamp.jpg", "A lamp", ASSET))).css_first("img")
    assert image is not None
    assert image.attributes["src"] == f"{BASE}/images/0a1b2c-lamp.jpg"
    assert (image.attributes["width"], image.attributes["height"]) == ("512", "300")
    assert image.attributes["alt"] == "A lamp"
    assert "width:100%;max-width:512px" in image.attributes["style"]  # type: ignore[operator]


def test_pictures_may_be_served_from_elsewhere(tmp_path: Path) -> None:
    publication = replace(PUBLICATION, images=Images("https://pictures.example.org/q/"))
    hero = HeroImage(Picture("images/lamp.jpg", "A lamp", ASSET), "Lit", "https://www.example.org")
    html = tree(rendered(tmp_path, publication=publication, image=hero))
    image = html.css_first("a[href='https://www.example.org'] img")
    assert image is not None
    assert image.attributes["src"] == "https://pictures.example.org/q/0a1b2c-lamp.jpg"


def test_a_small_picture_is_not_blown_up(tmp_path: Path) -> None:
    small = replace(ASSET, width=120, height=80)
    image = page(tmp_path, blocks.Image(Picture("x", "", small))).css_first("img")
    assert image is not None
    assert (image.attributes["width"], image.attributes["height"]) == ("120", "80")


def test_a_picture_from_elsewhere_has_no_height_and_within_a_line_its_own_size(tmp_path: Path) -> None:
    other = Picture("https://www.example.org/a.png?x=1&y=2", "A sign")
    block, inline = page(tmp_path, blocks.Image(other), Paragraph((Words("a "), other))).css("img")
    assert block.attributes["src"] == other.src
    assert (block.attributes["width"], "height" in block.attributes) == ("512", False)
    assert "width" not in inline.attributes
    assert inline.attributes["style"] == "max-width:100%;height:auto;vertical-align:middle"


# --- boxes that stand beside each other --------------------------------------------------------------


@pytest.mark.parametrize(("count", "wide"), [(2, 244), (3, 154)])
def test_columns_share_the_measure_and_word_gets_a_table(tmp_path: Path, count: int, wide: int) -> None:
    columns = blocks.Columns(tuple((blocks.Image(Picture("x", "A lamp", ASSET)),) for _ in range(count)))
    source = fill(rendered(tmp_path, columns).html, READER)
    ghost = re.findall(r"<!--\[if mso \| IE\]><td width=\"(\d+)\"", source)
    assert ghost == [str(wide)] * count
    html = LexborHTMLParser(source)
    assert [image.attributes["width"] for image in html.css("div.column img")] == [str(wide)] * count
    limits = [re.findall(r"max-width:(\d+)px", div.attributes["style"] or "") for div in html.css("div.column")]
    assert sum(int(one[0]) for one in limits) in range(510, 513)
    assert source.count("<!--[if") == source.count("<![endif]-->")


def test_the_picture_a_card_begins_with_stands_beside_the_rest(tmp_path: Path) -> None:
    image = blocks.Image(Picture("x", "A lamp", ASSET))
    html = page(tmp_path, blocks.Card((image, said("Words."))))
    first, second = html.css("td.box div.column")
    assert first.css_first("img") is not None
    assert second.text() == "Words."
    assert page(tmp_path, blocks.Card((image,))).css("td.box div.column") == []
    assert page(tmp_path, blocks.Card((said("Words."), image))).css("td.box div.column") == []


def test_all_that_has_sides_is_mirrored_from_right_to_left(tmp_path: Path) -> None:
    columns = blocks.Columns(((said("a"),), (said("b"),)))
    poll = blocks.Poll("rest", (said("Rested?"),), ((Words("Yes"),), (Words("No"),)))
    body = (columns, poll, blocks.AuthorCard("mia"), blocks.Card((said("c"), said("d"))), blocks.Quote((said("e"),)))
    rtl, ltr = (fill(rendered(tmp_path, *body, dir=way).html, READER) for way in ("rtl", "ltr"))
    sides = re.compile(r"(?:text-align|padding|align)[:=-]\"?(left|right)")
    turned = {"left": "right", "right": "left"}
    there, here = (sides.findall(html.partition("<h1")[2]) for html in (rtl, ltr))
    assert [turned[side] for side in there] == here
    assert len(here) > 20
    assert LexborHTMLParser(rtl).css_first("div.column").attributes["dir"] == "rtl"  # type: ignore[union-attr]


def test_telephones_find_nothing_to_colour(tmp_path: Path) -> None:
    html = page(tmp_path, said("On 2 December 2026 call 555-010-0147."))
    style = "".join(node.text() for node in html.css("style"))
    assert "a[x-apple-data-detectors],.whole a{color:inherit" in style
    assert [node.text() for node in html.css("p .whole")] == ["2 December 2026", "555-010-0147"]
    facts = [node.text() for node in html.css("td.pad > .whole")]
    assert facts[1] == "Tuesday 1\u200c December 2026 ·"


def test_an_author_without_a_picture_or_a_page_is_still_shown(tmp_path: Path) -> None:
    plain = replace(PUBLICATION, authors={"mia": Author("Mia Lind", image="images/none.png")})
    html = tree(rendered(tmp_path, blocks.AuthorCard("mia", (said("Own words."),)), publication=plain))
    assert html.css("img") == []
    assert "Mia Lind" in [node.text() for node in html.css("p.sans")]
    assert "Own words." in [node.text() for node in html.css("p")]


# --- the offer -------------------------------------------------------------------------------------


def with_file(root: Path, pages: int = 24) -> Path:
    (root / "magnets").mkdir()
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    writer.write(root / "magnets" / "cards.pdf")
    with (root / "magnets" / "cards.pdf").open("ab") as file:
        file.write(b"\n%" + b"." * 1_600_000)
    return root


def test_the_offer_tells_the_truth_about_its_file(tmp_path: Path) -> None:
    html = page(with_file(tmp_path), magnet="cards")
    assert "PDF · 24 pages · 1.6 MB" in html.body.text()  # type: ignore[union-attr]
    assert html.css_first(f"a[href='{BASE}/free/cards']").text() == "Get the Twelve cards"  # type: ignore[union-attr]
    assert html.css_first(f"a[href='{BASE}/free/cards#share']") is not None


@pytest.mark.parametrize("content", [None, b"this is no pdf", b""])
def test_no_fact_is_guessed(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "magnets").mkdir()
    if content is not None:
        (tmp_path / "magnets" / "cards.pdf").write_bytes(content)
    text = page(tmp_path, magnet="cards").body.text()  # type: ignore[union-attr]
    assert "Twelve cards" in text
    assert "pages" not in text
    assert ("PDF" in text) is (content is not None)


def test_an_offer_elsewhere_leads_there(tmp_path: Path) -> None:
    assert page(tmp_path, magnet="page").css_first("a.on[href='https://www.example.org/page']") is not None


def test_an_offer_in_the_text_is_not_made_twice(tmp_path: Path) -> None:
    html = page(tmp_path, blocks.MagnetCard("cards", (said("In our own words."),)), magnet="cards")
    assert [node.text() for node in html.css("td.tint h2")] == ["Twelve cards"]
    assert "In our own words." in html.body.text()  # type: ignore[union-attr]
    assert "One for each month." not in html.body.text()  # type: ignore[union-attr]


# --- the footer ------------------------------------------------------------------------------------


def test_the_footer_has_the_way_out_the_address_and_the_word_of_care(tmp_path: Path) -> None:
    email = rendered(tmp_path)
    assert Site("unsubscribe_url", "", Escape.LINK) in email.html
    html = tree(email)
    assert html.css_first(f"a[href='{READER['unsubscribe_url']}']").text() == "Unsubscribe in one click"  # type: ignore[union-attr]
    links = {link.attributes["href"]: link.text() for link in html.css("a")}
    assert links["tel:5550100199"] == "(555) 010-0199"
    assert links["mailto:desk@example.org"] == "desk@example.org"
    assert links["https://www.example.org"] == "4 Mill Lane, Oakham 90210"
    assert links[f"{BASE}/privacy"] == "Privacy"
    assert links[f"{BASE}/archive/lamp"] == "Read in your browser"
    text = html.body.text()  # type: ignore[union-attr]
    assert "For education only. Call 988 at any hour. Replies are read on weekdays." in text


def test_a_letter_that_is_not_archived_offers_no_page(tmp_path: Path) -> None:
    assert "/archive/" not in fill(rendered(tmp_path, archive=False).html, READER)


def test_a_footer_of_little_has_no_holes(tmp_path: Path) -> None:
    bare = replace(PUBLICATION, footer=Footer(address="4 Mill Lane"), crisis_text="")
    html = fill(rendered(tmp_path, publication=bare).html, READER)
    assert "4 Mill Lane<br>" in html
    assert "tel:" not in html
    assert "mailto:" not in html


# --- merge sites -----------------------------------------------------------------------------------


def test_each_site_knows_the_place_it_stands_in(tmp_path: Path) -> None:
    tag = MergeTag("first_name", "friend")
    link = Link(("https://www.example.org/?for=", tag), (Words("yours"),))
    out = Link((MergeTag("unsubscribe_url", ""),), (Words("leave"),))
    mark = '{{ first_name, "friend" }}'
    email = rendered(
        tmp_path, Paragraph((tag, link, out)), subject=f"For {mark}", preheader=f"Dear {mark}", title=f"{mark}, hello"
    )
    assert Site("first_name", "friend", Escape.HEADER) in email.subject
    places = {piece.escape for piece in email.html if isinstance(piece, Site) and piece.field == "first_name"}
    assert places == {Escape.TEXT, Escape.ATTRIBUTE, Escape.URL}
    html = tree(email, {**READER, "first_name": '"><b>Eve</b>&'})
    assert html.css("b") == []
    assert html.css_first("title").text() == 'For "><b>Eve</b>&'  # type: ignore[union-attr]
    assert html.css_first("h1").text() == '"><b>Eve</b>&,\u00a0hello'  # type: ignore[union-attr]
    hrefs = [node.attributes["href"] for node in html.css("a")]
    assert "https://www.example.org/?for=%22%3E%3Cb%3EEve%3C%2Fb%3E%26" in hrefs
    assert hrefs.count(READER["unsubscribe_url"]) == 2


# --- content arrives unharmed ----------------------------------------------------------------------

ALT = "❤️ say \"hi\"\nand nb\u00a0sp, 👩\u200d👩\u200d👧, مُ, a\\b, 'q', {u}"


def test_promise_11_two_tags_on_adjacent_lines_stay_two_words(tmp_path: Path) -> None:
    two = Paragraph((blocks.Strong((Words("a"),)), Words("\n"), Emphasis((Words("b"),))))
    assert "a\nb" in [node.text() for node in page(tmp_path, two).css("p")]


def test_promise_11_an_attribute_keeps_every_character(tmp_path: Path) -> None:
    html = page(
        tmp_path,
        blocks.Image(Picture("x", ALT, ASSET)),
        Paragraph((Link(("https://e.example/",), (Words("l"),), ALT),)),
    )
    assert html.css_first("img").attributes["alt"] == ALT  # type: ignore[union-attr]
    assert html.css_first("a[title]").attributes["title"] == ALT  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "1 < 2 && <b>not bold</b> > \"x\" 'y'",
        "🌤️ 👩‍👩‍👧 ❤️ nb\u00a0sp \u200f\u064f soft\u00adhyphen",
        "{{ x }} {% y %} %recipient.z% *|FNAME|* -tag- zq000000000000x00z",
        "<script>alert(1)</script><!-- --> <![endif]--> &amp; &nbsp; ]]>",
    ],
)
def test_promise_11_text_keeps_every_character(tmp_path: Path, text: str) -> None:
    html = page(tmp_path, said(text), Paragraph((Code(text),)), blocks.CodeBlock(text), blocks.Callout("tip", text, ()))
    assert text in [node.text() for node in html.css("p")]
    assert html.css_first("code").text() == text  # type: ignore[union-attr]
    assert html.css_first("pre").text() == text  # type: ignore[union-attr]
    assert html.css_first("td.tint p").text() == text or text in [node.text() for node in html.css("td.tint p")]  # type: ignore[union-attr]
    assert html.css("script") == []


def test_promise_11_an_address_keeps_its_ampersand_and_cannot_break_out(tmp_path: Path) -> None:
    url = 'https://e.example/a_b?x=1&y=2&copy=3"><i>'
    html = page(tmp_path, Paragraph((Link((url,), (Words("l"),)),)), blocks.Button((url,), (Words("b"),)))
    assert [node.attributes["href"] for node in html.css("a")][:2] == [url, url]
    assert html.css("i") == []


def test_promise_11_a_break_and_a_strike_are_kept(tmp_path: Path) -> None:
    html = page(tmp_path, Paragraph((Words("a"), Break(), blocks.Strike((Words("b"),)))))
    assert html.css_first("p s").text() == "b"  # type: ignore[union-attr]
    assert html.css_first("p br") is not None


def test_hostile_front_matter_stays_text(tmp_path: Path) -> None:
    html = page(tmp_path, subject='</title><script>"', preheader='"></div><script>', title="<script>")
    assert html.css("script") == []
    assert html.css_first("title").text() == '</title><script>"'  # type: ignore[union-attr]


# --- privacy, colour, sameness ---------------------------------------------------------------------


def test_promise_7_nothing_of_a_third_party_is_loaded_and_no_link_is_rewritten(tmp_path: Path) -> None:
    url = "https://elsewhere.example/page?x=1"
    email = rendered(
        with_file(tmp_path),
        *(block for block, _, _ in EVERY),
        Paragraph((Link((url,), (Words("l"),)),)),
        magnet="cards",
    )
    source = fill(email.html, READER)
    html = LexborHTMLParser(source)
    hosts = {urlsplit(node.attributes["href"] or "").hostname for node in html.css("a")}
    assert hosts == {None, "letters.example.org", "www.example.org", "elsewhere.example"}  # None: tel, mailto
    assert url in [node.attributes["href"] for node in html.css("a")]
    assert {urlsplit(node.attributes["src"] or "").hostname for node in html.css("[src]")} == {"letters.example.org"}
    assert html.css("link, script, iframe, object, form") == []
    assert "url(" not in source
    assert "@import" not in source
    assert all(int(node.attributes["width"] or 0) > 1 for node in html.css("img"))


def test_every_colour_has_its_counterpart_in_the_dark_scheme(tmp_path: Path) -> None:
    source = fill(rendered(with_file(tmp_path), *(block for block, _, _ in EVERY), magnet="cards").html, READER)
    media = source.split("@media (prefers-color-scheme:dark){")[1].split("[data-ogsb]")[0]
    for kind, prefix, finder in (
        ("background-color", "[data-ogsb]", r"background-color:"),
        ("color", "[data-ogsc]", r"(?<!-)color:"),
    ):
        dark = set(re.findall(rf"\.([\w-]+)\{{{kind}", media))
        outlook = set(re.findall(rf"\[data-\w+\] \.([\w-]+)\{{{kind}", source))
        assert dark, kind
        assert dark == outlook, prefix
        for node in LexborHTMLParser(source).css("body [style]"):
            style = node.attributes["style"] or ""
            if re.search(finder, style) and "display:none" not in style:
                assert dark & set((node.attributes.get("class") or "").split()), node.html


def test_every_text_has_its_ground_on_the_same_cell(tmp_path: Path) -> None:
    html = page(with_file(tmp_path), *(block for block, _, _ in EVERY), magnet="cards")
    for cell in html.css("td.ink, td.soft"):
        style = cell.attributes["style"] or ""
        assert "background-color:" in style
        assert re.search(r"(?<!-)color:#", style)


def test_right_to_left_is_mirrored(tmp_path: Path) -> None:
    body = (blocks.Listing(False, ((said("x"),),)), blocks.Quote((said("y"),)))
    left, right = (fill(rendered(tmp_path, *body, dir=way, lang="ar").html, READER) for way in ("ltr", "rtl"))
    assert LexborHTMLParser(right).css_first("html").attributes["dir"] == "rtl"  # type: ignore[union-attr]
    assert "direction:ltr" not in right
    rows = [cell for cell in LexborHTMLParser(right).css("td.pad") if cell.text().strip()]
    assert {cell.attributes["align"] for cell in rows} == {"right"}
    indents = [
        [node.attributes["style"] for node in LexborHTMLParser(html).css("ul, blockquote")] for html in (left, right)
    ]
    assert indents == [
        ["margin:0px 0 0 24px;padding:0", "margin:0px 0 0 24px;padding:0"],
        ["margin:0px 24px 0 0;padding:0", "margin:0px 24px 0 0;padding:0"],
    ]


def test_promise_10_the_same_issue_gives_the_same_bytes(tmp_path: Path) -> None:
    body = tuple(block for block, _, _ in EVERY)
    first = freeze(rendered(with_file(tmp_path), *body, magnet="cards"))
    templates.environment.cache_clear()
    assert freeze(rendered(tmp_path, *body, magnet="cards")) == first


def test_literals_are_joined_so_that_filling_is_cheap(tmp_path: Path) -> None:
    html = rendered(tmp_path).html
    assert len(html) == 3
    assert [isinstance(piece, Site) for piece in html] == [False, True, False]


def test_a_long_letter_stays_far_below_the_size_where_mail_is_cut(tmp_path: Path) -> None:
    body = [
        blocks.Heading(2, "🌱", (Words("A heading"),)),
        said("Some forty words of text. " * 8),
        said("And more. " * 30),
    ] * 12
    assert len(fill(rendered(tmp_path, *body).html, READER).encode()) < 80_000


LONG = "https://www.example.org/" + "a-long-address-that-does-not-end/" * 8


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_narrow_phone_shows_it_all_without_scrolling_sideways(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    link = Paragraph((Link((LONG,), (Words(LONG),)), Words("W" * 90)))
    table = blocks.Table(tuple((Words(LONG),) for _ in range(3)), ())
    hard = (link, blocks.CodeBlock(LONG), blocks.Callout("tip", LONG, (link,)), blocks.Heading(2, "", (Words(LONG),)))
    body = (*(block for block, _, _ in EVERY), *hard, blocks.Card(hard[:2]), table)
    source = fill(rendered(with_file(tmp_path), *body, magnet="cards").html, READER)
    stripped = re.sub(r"<style.*?</style>", "", source, flags=re.DOTALL)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 320, "height": 600})
        shown.route("**/*", lambda route: route.abort())
        for html in (source, stripped):
            shown.set_content(html, wait_until="domcontentloaded")
            assert shown.evaluate("document.documentElement.scrollWidth") == 320
        browser.close()


# --- the envelope ----------------------------------------------------------------------------------


def test_the_letter_comes_from_its_sender_and_answers_go_where_they_are_read(tmp_path: Path) -> None:
    email = rendered(tmp_path)
    assert (email.sender.name, email.sender.email) == ("Quiet Harbour", "letters@letters.example.org")
    assert email.reply_to is not None
    assert email.reply_to.email == "desk@example.org"
    guest = rendered(tmp_path, sender="guest", reply_to="")
    assert guest.sender.email == "guest@letters.example.org"
    assert guest.reply_to is None
    asked = rendered(tmp_path, reply_to="ask@example.org").reply_to
    assert asked is not None
    assert asked.email == "ask@example.org"


def test_the_list_headers_are_those_of_the_rules(tmp_path: Path) -> None:
    found = dict(rendered(tmp_path).headers)
    assert found["List-Id"] == ("Quiet Harbour <letter.letters.example.org>",)
    assert fill(found["List-Unsubscribe"], READER) == f"<{READER['unsubscribe_url']}>"
    assert Site("unsubscribe_url", "", Escape.HEADER) in found["List-Unsubscribe"]
    assert found["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click",)
    assert "Feedback-ID" not in found


@pytest.mark.parametrize(
    ("name", "base", "expected"),
    [
        ("Harbour", "http://localhost:8000", "Harbour <letter.localhost>"),
        ("Dr. Vale, notes", "https://e.example/sub", '"Dr. Vale, notes" <letter.e.example>'),
        ('The "lamp"', "https://e.example", '"The \\"lamp\\"" <letter.e.example>'),
        ("Harbour\r\nBcc: x", "https://e.example", '"Harbour Bcc: x" <letter.e.example>'),
        ("Café Übung", "https://straße.example", "=?utf-8?b?Q2Fmw6kgw5xidW5n?= <letter.xn--strae-oqa.example>"),
    ],
)
def test_a_list_id_is_one_safe_line(name: str, base: str, expected: str) -> None:
    (_, (value,)), *_ = headers.of_list(name, base)
    assert value == expected


def test_the_encoded_words_of_a_long_name_are_short_enough() -> None:
    words = headers.phrase("Ein langer Name über das Üben und die Größe der kleinen Dinge " * 3).split(" ")
    assert len(words) > 1
    assert all(len(word) <= 75 for word in words)


def test_a_base_url_on_this_machine_works(tmp_path: Path) -> None:
    email = render.render(issue(), PUBLICATION, root=tmp_path, base_url="http://localhost:8000/")
    assert "http://localhost:8000/archive/lamp" in fill(email.html, READER)


# --- templates of a publication's own --------------------------------------------------------------

OWN = """{% extends "email/base.mjml" %}
{% block letter %}
<tr><td class="mine">ours</td></tr>{{ slot("body") }}{{ slot("footer") }}
{% endblock %}
"""


def own(root: Path, text: str) -> Path:
    (root / "templates" / "email").mkdir(parents=True)
    (root / "templates" / "email" / "letter.mjml").write_text(text, "utf-8")
    return root


def test_a_publications_template_wins_by_name_and_another_keeps_the_built_in(tmp_path: Path) -> None:
    assert page(own(tmp_path / "one", OWN)).css_first("td.mine") is not None
    other = page(tmp_path / "two")
    assert other.css_first("td.mine") is None
    assert other.css_first("td.mark") is not None


def test_a_template_cannot_lose_the_footer(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="footer"):
        rendered(own(tmp_path, OWN.replace('{{ slot("footer") }}', "")))


def test_words_of_a_publication_win(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text('[mail]\nunsubscribe = "Stop these letters"\n', "utf-8")
    assert "Stop these letters" in fill(rendered(tmp_path).html, READER)
