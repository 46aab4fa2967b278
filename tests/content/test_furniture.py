"""What stands around the text: by default nothing, and each piece when it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from newsletter.content import blocks, furniture, render, text
from newsletter.content.blocks import Aside, Link, Paragraph, Words
from newsletter.content.furniture import Room
from newsletter.content.issue import Issue, Nearby
from newsletter.content.words import words
from newsletter.core.email import fill
from newsletter.core.publication import Author, Magnet, Publication, Sender

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={
        "house": Sender("Quiet Harbour", "letters@example.org", "desk@example.org"),
        "guest": Sender("A guest", "guest@example.org"),
    },
    magnets={"cards": Magnet("Twelve cards")},
    authors={"mia": Author("Mia Lind"), "ola": Author("Ola Berg")},
)
PAGE = "https://letters.example.org/archive/lamp"
ROOM = Room(PUBLICATION, words("en"), PAGE)
SAID = Paragraph((Words("The lamp stays on."),))
TITLE = 'A lamp & a window, {{ first_name, "friend" }}'


def issue(*body: blocks.Block, **fields: object) -> Issue:
    plain = Issue(Path("a.md"), "a.md", "lamp", TITLE, "", "A lamp", None, body or (SAID,), sender="house")
    return replace(plain, **fields)  # type: ignore[arg-type]


def links(block: blocks.Block) -> list[Link]:
    assert isinstance(block, Aside)
    return [part for part in block.inside if isinstance(part, Link)]


def mail(url: str) -> tuple[str, dict[str, list[str]]]:
    """A mailto: whom to, and its headers (RFC 6068)."""
    parts = urlsplit(url)
    assert parts.scheme == "mailto"
    return unquote(parts.path), parse_qs(parts.query, strict_parsing=True)


def test_a_letter_is_its_text_alone_by_default() -> None:
    assert furniture.whole(issue(), ROOM) == (SAID,)
    near = replace(ROOM, before=Nearby("Earlier", "https://letters.example.org/archive/e"))
    assert furniture.whole(issue(), near) == (SAID,)


def test_contents_lead_to_the_large_headings_and_need_two() -> None:
    link = Link(("https://example.org/",), (Words("One"),))
    first, small, second = (
        blocks.Heading(2, "🌱", (link,)),
        blocks.Heading(3, "", (Words("small"),)),
        blocks.Heading(2, "", (Words("Two"),)),
    )
    contents, one, _, two = furniture.whole(issue(first, small, second, contents=True), ROOM)
    assert contents == blocks.Contents((("part-1", (Words("One"),)), ("part-2", (Words("Two"),))))
    assert (one.anchor, two.anchor) == ("part-1", "part-2")  # type: ignore[union-attr]
    assert len(furniture.whole(issue(first, SAID, contents=True), ROOM)) == 2


@pytest.mark.parametrize(
    ("fields", "address"),
    [({}, "desk@example.org"), ({"sender": "guest"}, "guest@example.org"), ({"reply_to": "x+y@e.org"}, "x+y@e.org")],
)
def test_a_vote_is_a_mail_that_names_issue_poll_and_answer(fields: dict[str, str], address: str) -> None:
    poll = blocks.Poll("rest", (SAID,), ((Words("👍 Yes & no"),), (Words("Not yet"),)))
    (made,) = furniture.whole(issue(poll, **fields), ROOM)
    assert isinstance(made, blocks.Poll)
    assert [mail(url) for url in made.urls] == [
        (address, {"subject": ["A lamp & a window, friend (rest): 👍 Yes & no"]}),
        (address, {"subject": ["A lamp & a window, friend (rest): Not yet"]}),
    ]
    assert all(url.isascii() and " " not in url for url in made.urls)


def test_feedback_is_two_answers_by_mail() -> None:
    _, asked = furniture.whole(issue(feedback=True), ROOM)
    yes, no = links(asked)
    assert mail(str(yes.url[0])) == ("desk@example.org", {"subject": ["A lamp & a window, friend: Yes"]})
    assert mail(str(no.url[0]))[1] == {"subject": ["A lamp & a window, friend: Not this time"]}


def test_sharing_is_a_mail_to_nobody_yet_with_the_public_page() -> None:
    _, shared = furniture.whole(issue(share=True), ROOM)
    (link,) = links(shared)
    assert mail(str(link.url[0])) == ("", {"subject": ["A lamp & a window, friend"], "body": [PAGE]})


def test_an_issue_without_a_page_shares_the_first_page(tmp_path: Path) -> None:
    made = render.render(
        issue(share=True, archive=False), PUBLICATION, root=tmp_path, base_url="https://letters.example.org"
    )
    for part in (made.html, made.text):
        assert "body=https%3A%2F%2Fletters.example.org%2F" in fill(part, {})
        assert "archive" not in fill(part, {})


def test_the_letters_before_and_after_those_that_there_are() -> None:
    before, after = Nearby("Earlier", "https://e.example/1"), Nearby("Later", "https://e.example/2")
    _, both = furniture.whole(issue(nearby=True), replace(ROOM, before=before, after=after))
    assert [(link.url, text.plain(link.inside)) for link in links(both)] == [
        (("https://e.example/1",), "Earlier"),
        (("https://e.example/2",), "Later"),
    ]
    _, one = furniture.whole(issue(nearby=True), replace(ROOM, after=after))
    assert text.plain(one.inside) == "The next letter: Later"  # type: ignore[union-attr]
    assert furniture.whole(issue(nearby=True), ROOM) == (SAID,)


def test_authors_come_last_but_for_the_offer_unless_the_text_has_them() -> None:
    card = blocks.AuthorCard("ola", (SAID,))
    whole = furniture.whole(issue(card, author=("mia", "ola"), magnet="cards"), ROOM)
    assert whole == (card, blocks.AuthorCard("mia"), blocks.MagnetCard("cards"))


def test_the_text_part_says_it_all_with_each_address_whole(tmp_path: Path) -> None:
    made = render.render(
        issue(feedback=True, share=True, nearby=True, contents=True),
        PUBLICATION,
        root=tmp_path,
        base_url="https://letters.example.org",
        before=Nearby("Earlier", "https://e.example/1"),
    )
    said = fill(made.text, {})
    assert "Was this letter of use to you? Yes:\nmailto:desk@example.org?subject=" in said
    assert "\nNot this time:\nmailto:desk@example.org?subject=" in said
    assert "The letter before: Earlier\nhttps://e.example/1\n" in said
