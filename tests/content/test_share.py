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
