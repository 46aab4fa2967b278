"""The text part says everything, and is a pleasure to read in a terminal."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content import blocks, dialect, graphemes, text
from newsletter.content.blocks import Paragraph, Picture, Words
from newsletter.content.issue import HeroImage, Issue
from newsletter.core.email import Escape, Site, fill
from newsletter.core.publication import Footer, Magnet, Publication, Sender

BASE = "https://letters.example.org"
LEAVE = f"{BASE}/unsubscribe/k3j4h5g6"
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org")},
    fields={"first_name": "friend", "city": "your town"},
    magnets={
        "workbook": Magnet("Rest Workbook", "Twelve quiet pages.", ("magnets/w.pdf",)),
        "page": Magnet("Free things", "All of them.", url="https://example.org/free"),
    },
    footer=Footer(
        address="4 Mill Lane, Oakham 90210",
        phone="(555) 010-0199",
        email="desk@example.org",
        website="https://example.org",
        disclaimer="For education only.",
        replies="read on weekdays",
    ),
    crisis_text="Call 988 at any hour.",
    health_privacy_url="https://example.org/health",
)


def issue(source: str, **more: object) -> Issue:
    body, problems = dialect.read(source, PUBLICATION, root=Path("/nonexistent"), file="a.md")
    assert not [problem for problem in problems if problem.code != "E210"]
    made = Issue(
        path=Path("a.md"),
        name="a.md",
        slug="a",
        subject="On rest",
        preheader="",
        title="On rest",
        date=dt.date(2026, 12, 1),
        body=body,
        number=12,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def written(source: str, **more: object) -> str:
    pieces = text.letter(issue(source, **more), PUBLICATION, base_url=BASE, archive_url=f"{BASE}/archive/a")
    return fill(pieces, {"unsubscribe_url": LEAVE})


def body(source: str) -> str:
    """The part between the masthead and the signature."""
    whole = written(source)
    return whole.partition("minute\n\n")[2].partition("\n\n-- \n")[0]


def test_a_whole_letter() -> None:
    assert (
        written('Dear {{ first_name, "friend" }}, sit down.')
        == f"""\
Quiet Harbour

On rest
=======
Letter 12 · Tuesday 1 December 2026 · 1 minute

Dear friend, sit down.

--{" "}
You get this letter because you asked Quiet Harbour for it.
Unsubscribe in one click:
{LEAVE}

For education only. Call 988 at any hour. Replies are read on weekdays.

Quiet Harbour
4 Mill Lane, Oakham 90210
(555) 010-0199
desk@example.org
https://example.org

Privacy: {BASE}/privacy
Health data privacy: https://example.org/health
Read in your browser:
{BASE}/archive/a
"""
    )


def test_sites_know_their_place() -> None:
    source = 'Dear {{ first_name, "you" }}, [see](https://example.org/?c={{ city, "x y" }})'
    pieces = text.letter(issue(source), PUBLICATION, base_url=BASE, archive_url="")
    sites = [piece for piece in pieces if isinstance(piece, Site)]
    assert sites == [
        Site("first_name", "you", Escape.PLAIN),
        Site("city", "x y", Escape.URL),
        Site("unsubscribe_url", "", Escape.PLAIN),
    ]
    said = fill(pieces, {"first_name": "Ada", "city": "Bad Ems", "unsubscribe_url": LEAVE})
    assert "Dear Ada, see [1]" in said
    assert "[1] https://example.org/?c=Bad%20Ems" in said
    assert f"\n{LEAVE}\n" in said
    assert "Read in your browser" not in said


def test_a_title_with_a_merge_tag() -> None:
    assert "Rest, friend\n============\n" in written("x", title='Rest, {{ first_name, "friend" }}')


def test_lines_are_wrapped_by_what_a_terminal_shows() -> None:
    said = body("🌤️ ra\u0308st👩🏽‍⚕️ru\u0308he " * 30)
    lines = said.split("\n")
    assert len(lines) > 3
    assert all(graphemes.width(line) <= 72 for line in lines)
    assert all(graphemes.width(line) > 62 for line in lines[:-1])


def test_a_script_without_blanks_is_wrapped_too() -> None:
    assert all(graphemes.width(line) <= 72 for line in body("静かな休息。" * 30).split("\n"))


def test_an_address_is_never_broken() -> None:
    url = "https://example.org/" + "a-long-path/" * 12
    said = body(f"Please do read {url} today, and [that]({url}?x=1).\n\n[Go there now]({url}){{.button}}")
    assert f"\n{url}\n" in said
    assert f"\n[1] {url}?x=1" in said
    assert f"Go there now:\n{url}" in said


def test_headings_lists_and_addresses_by_section() -> None:
    source = (
        "[One](https://example.org/1) and <a@example.org>\n\n## 💡 Begin\n\n- [two](https://example.org/2)\n"
        "  1. deep\n  2. deeper\n- [one](https://example.org/1)\n\n### Smaller\n\n9. a\n10. b\n\n    more"
    )
    assert (
        body(source)
        == """\
One [1] and a@example.org

[1] https://example.org/1


💡 Begin
--------

* two [2]
  1. deep
  2. deeper
* one [1]

Smaller
~~~~~~~

9.  a

10. b

    more

[2] https://example.org/2
[1] https://example.org/1"""
    )


def test_quotes_boxes_code_and_pauses() -> None:
    source = (
        "> Stay.\n>\n> - here\n> — Ada\n\n::: callout Today\nSit.\n\n- down\n:::\n\n::: card\nA card.\n:::\n\n"
        "```\n  keep   this\n```\n\n***\n\n~~Monday~~ **Tuesday** `x  y`\nsame"
    )
    rule = "-" * 72
    assert (
        body(source)
        == f"""\
> Stay.
>
> * here
> — Ada

| Today
|
| Sit.
|
| * down

{rule}
A card.
{rule}

      keep   this

                                 * * *

~Monday~ Tuesday x y
same"""
    )


def test_magnets() -> None:
    said = body("::: magnet workbook\nMy own words.\n:::\n\n::: magnet page\n:::")
    rule = "-" * 72
    assert (
        said
        == f"""\
{rule}
Rest Workbook
-------------
My own words.

Get the Rest Workbook: {BASE}/free/workbook
Share it with someone you support:
{BASE}/free/workbook#share
{rule}

{rule}
Free things
-----------
All of them.

Get the Free things: https://example.org/free
Share it with someone you support:
{BASE}/free/page#share
{rule}"""
    )


def test_the_offer_of_the_front_matter_stands_last_and_once() -> None:
    assert "Twelve quiet pages." in written("x", magnet="workbook")
    assert written("::: magnet workbook\n:::\n\nx", magnet="workbook").count("Rest Workbook\n---") == 1
    assert "Rest Workbook" not in written("x")


def test_pictures() -> None:
    said = written(
        '![A stone](images/s.jpg "Cold")\n\n[![B](https://example.org/b.jpg)](https://example.org)\n\nx ![c](https://example.org/c.png)',
        image=HeroImage(Picture("h.jpg", "A chair"), "By a window"),
    )
    assert (
        "[Image: A chair]\nBy a window\n\n[Image: A stone]\nCold\n\n[Image: B] [1]\n\nx [Image: c]\n\n[1] https://example.org\n"
        in said
    )


def test_a_picture_that_is_decoration_says_nothing() -> None:
    assert "Image" not in written("x", image=HeroImage(Picture("h.jpg", "")))


def test_tables() -> None:
    assert body("| Day | Hours |\n|---|--:|\n| Monday | 9–17 |\n| 日 | 1 |") == (
        "Day     Hours\n------  -----\nMonday   9–17\n日          1"
    )
    wide = body(f"| Name | About |\n|---|---|\n| a | {'word ' * 30} |")
    assert wide.startswith("Name: a\nAbout: word word")
    assert all(len(line) <= 72 for line in wide.split("\n"))


def test_a_text_part_written_by_hand() -> None:
    said = written("Not this", plain='Dear {{ first_name, "friend" }},\n\nby hand.\n')
    assert "Dear friend,\n\nby hand.\n" in said
    assert "Not this" not in said
    assert LEAVE in said


def test_no_line_ends_in_a_blank_but_the_signature() -> None:
    said = written("> a\n>\n> b\n\n::: callout\nc\n\nd\n:::\n\n| a | b |\n|---|---|\n| c |  |")
    assert [line for line in said.split("\n") if line != line.rstrip()] == ["-- "]


@pytest.mark.parametrize(("count", "minutes"), [(0, 1), (1, 1), (230, 1), (460, 2), (800, 3)])
def test_words_and_minutes(count: int, minutes: int) -> None:
    made = (Paragraph((Words("word " * count),)),)
    assert text.words(made) == count
    assert text.minutes(made) == minutes


def test_plain() -> None:
    assert (
        text.plain((Words("a"), blocks.Break(), blocks.MergeTag("x", "b"), blocks.Strong((blocks.Code("c"),))))
        == "a bc"
    )


word = st.text(st.characters(categories=["L", "N", "S"], exclude_characters="`~^$+<>=|"), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(word, min_size=1, max_size=40),
    st.sampled_from(["{}", "> {}", "- {}", "::: card\n{}\n:::", "| {} |\n|--|"]),
)
def test_promise_11_text_in_is_text_out(words: list[str], shape: str) -> None:
    source = shape.format(" ".join(f"x{each}" for each in words))
    said = "".join(body(source).split())
    at = 0
    for each in words:
        at = said.find("".join(f"x{each}".split()), at)
        assert at >= 0, each


@pytest.mark.parametrize(("words", "count"), [("静けさの中に", 3), ("今日 is 12 December", 4), ("ขอบคุณ", 3)])
def test_writing_without_blanks_is_counted_by_its_signs(words: str, count: int) -> None:
    assert text.words((Paragraph((Words(words),)),)) == count
