"""The picture beside a shared link: from tokens, the same each time, and never half a title."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops

from newsletter.content import share, theme

LETTER = theme.load("letter", None)
FIELD = theme.load("field", None)


def drawn(title: str, name: str = "Quiet Letters", looks: theme.Theme = LETTER, way: str = "ltr") -> Image.Image:
    return Image.open(io.BytesIO(share.share_image(title, name, looks, dir=way))).convert("RGB")


def box(picture: Image.Image, looks: theme.Theme) -> tuple[int, int, int, int]:
    """What is not paper."""
    paper = Image.new("RGB", picture.size, looks.light.paper)
    return ImageChops.difference(picture, paper).getbbox() or (0, 0, 0, 0)


@pytest.mark.parametrize("looks", [LETTER, FIELD], ids=lambda looks: looks.name)
def test_size_and_tokens(looks: theme.Theme) -> None:
    picture = drawn("A title", looks=looks)
    assert picture.size == (1200, 630)
    assert picture.getpixel((5, 5)) == Image.new("RGB", (1, 1), looks.light.paper).getpixel((0, 0))
    assert picture.getpixel((92, 92)) == Image.new("RGB", (1, 1), looks.light.mark).getpixel((0, 0))


def test_promise_10_same_words_same_bytes() -> None:
    assert share.share_image("A title", "Name", LETTER) == share.share_image("A title", "Name", LETTER)
    assert share.share_image("A title", "Name", LETTER) != share.share_image("Another", "Name", LETTER)


@pytest.mark.parametrize("title", ["Rest", "word " * 80, "x" * 400, "Ärgernisse — „leise“ " * 6])
def test_whatever_its_length_a_title_stays_within_the_margins(title: str) -> None:
    left, top, right, bottom = box(drawn(title, name="A name that is rather long " * 4), LETTER)
    assert (left >= 80, top >= 80, right <= 1200 - 80, bottom <= 630 - 70) == (True,) * 4


def test_a_page_that_runs_from_right_to_left_begins_at_the_right() -> None:
    picture = drawn("A title", way="rtl")
    assert picture.getpixel((1200 - 92, 92)) == Image.new("RGB", (1, 1), LETTER.light.mark).getpixel((0, 0))


def test_emoji_are_left_out_and_other_letters_take_the_title_with_them() -> None:
    assert share.written("🌱 Growing ❤️ slowly") == "Growing slowly"
    assert share.written("Žluťoučký — “kůň” 24 °") == "Žluťoučký — “kůň” 24 °"
    assert share.written("静けさ and rest") == ""
    assert share.share_image("静けさ", "Name", LETTER) == share.share_image("", "Name", LETTER)
    assert share.written("a\u202eb\x00c") == "abc"


PAGE = """<!doctype html>
<html lang="he" dir="rtl"><head><meta property="og:site_name" content="Quiet &amp; slow">
<style>:root{color-scheme:light dark;--paper:#FFFFFF;--ink:#101010;--mark:#0000AA;}
@media (prefers-color-scheme:dark){:root{--paper:#000000;--mark:#FF0000;}}</style></head>
<body><h1>A lamp &amp; a window</h1></body></html>"""


def test_promise_10_a_letter_that_was_sent_keeps_the_words_way_and_colours_of_its_page() -> None:
    now, later = share.of_page(PAGE, LETTER), share.of_page(PAGE, FIELD)
    picture = Image.open(io.BytesIO(now)).convert("RGB")
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert picture.getpixel((1200 - 92, 92)) == (0, 0, 0xAA)
    assert now == later or FIELD.light.soft != LETTER.light.soft  # the page above names no soft colour
    assert now != share.of_page(PAGE.replace("window", "door"), LETTER)
    assert now != share.of_page(PAGE.replace("slow", "slower"), LETTER)


def test_a_page_of_somebody_elses_making_is_drawn_in_todays_colours() -> None:
    assert share.of_page("<p>Nothing", LETTER) == share.share_image("", "", LETTER)
