"""Promise 11: what was written arrives, sign by sign, in the mail, in its text part and on the page."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from newsletter.content import archive, blocks, dialect, render
from newsletter.content.blocks import Aside, Block, MergeTag, Paragraph, Picture, Words
from newsletter.content.issue import Issue, Nearby
from newsletter.core.email import fill
from newsletter.core.publication import Author, Publication, Sender

BASE = "https://letters.example.org"
READER = {"first_name": "Ada", "unsubscribe_url": f"{BASE}/unsubscribe/k3j4h5g6"}
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "letters@example.org")},
    fields={"first_name": "friend"},
    authors={"mia": Author("Mia Lind", "Keeps the lamp.")},
    topics={"clients": "For clients"},
)
NOWHERE = Path("/nonexistent")

HOSTILE = [
    "1 < 2 && <b>not bold</b> > \"x\" 'y'",
    "🌤️ 👩\u200d👩\u200d👧 ❤️ nb\u00a0sp \u200f\u064f soft\u00adhyphen",
    "{{ x }} {% y %} %recipient.z% *|FNAME|* -tag- zq000000000000x00z",
    "<script>alert(1)</script><!-- --> <![endif]--> <!--[if mso]> &amp; &nbsp; ]]>",
    "\u202egnp.exe\u202c and \u2066isolated\u2069",
    "Call 555-010-0199 & Dr. <Vale> on 1 December 2026, 9:30 am",
    "\\u{fe0f} \\n \\ ` * _ ~ [ ] ( ) # |",
    "mt0z mtq1z zq0",
]


def issue(*body: Block, **fields: object) -> Issue:
    plain: dict[str, object] = {
        "path": Path("a.md"),
        "name": "a.md",
        "slug": "lamp",
        "subject": "Lamp",
        "preheader": "",
        "title": "Lamp",
        "date": None,
        "body": body,
    }
    return Issue(**{**plain, **fields})  # type: ignore[arg-type]


def parts(made: Issue, before: Nearby | None = None) -> tuple[LexborHTMLParser, str, LexborHTMLParser]:
    email = render.render(made, PUBLICATION, root=NOWHERE, base_url=BASE, before=before)
    page = archive.archive(made, PUBLICATION, root=NOWHERE, base_url=BASE, before=before)
    return LexborHTMLParser(fill(email.html, READER)), fill(email.text, READER), LexborHTMLParser(page)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("said", HOSTILE)
def test_promise_11_every_block_keeps_every_sign(said: str) -> None:
    paragraph = Paragraph((Words(said),))
    mail, text, page = parts(
        issue(
            blocks.Heading(2, "", (Words(said),)),
            blocks.Heading(2, "🌱", (blocks.Strong((Words(said),)),)),
            blocks.Columns(((paragraph,), (blocks.Listing(False, ((paragraph,),)),))),
            blocks.AuthorCard("mia", (paragraph,)),
            blocks.Poll("rest", (paragraph,), ((Words(said),), (Words("No"),))),
            blocks.Callout("tip", said, (paragraph,)),
            blocks.Image(Picture("https://example.org/a.png", said), said),
            blocks.Card((blocks.Image(Picture("https://example.org/a.png", said)), paragraph)),
            blocks.Quote((paragraph,), (Words(said),)),
            blocks.Inserted("x", "snippets/x.md", (paragraph,)),
            Aside((Words(said),)),
            contents=True,
            nearby=True,
            subject="Lamp",
        ),
        Nearby(said, "https://example.org/before"),
    )
    counts = [bare(str(html.body.text())).count(bare(said)) for html in (mail, page) if html.body]  # type: ignore[union-attr]
    assert counts == [18, 18]
    assert bare(re.sub(r"(?m)^[>|*] ?", "", text)).count(bare(said)) == 20  # what pictures show stands there too
    for html in (mail, page):
        assert [node.attributes["alt"] for node in html.css("img")] == [said, said]
        assert html.css("script, b") == []
        votes = [node.attributes["href"] or "" for node in html.css("a[href^=mailto]")]
        assert [parse_qs(urlsplit(url).query)["subject"][0] for url in votes if "subject" in url] == [
            f"Lamp (rest): {' '.join(said.split())}",
            "Lamp (rest): No",
        ]


def test_promise_11_a_value_of_a_reader_cannot_leave_its_place() -> None:
    tag = MergeTag("first_name", "a friend & more")
    made = issue(
        blocks.Callout("tip", "For a friend & more", (), 0, ("For ", tag)),
        blocks.Image(Picture("https://example.org/a.png", "a", None, ("<", tag, ">")), "b", "", 0, ("& ", tag)),
        Paragraph((blocks.Link(("https://example.org",), (Words("l"),), "t", (tag,)),)),
    )
    email = render.render(made, PUBLICATION, root=NOWHERE, base_url=BASE)
    mail = LexborHTMLParser(fill(email.html, {**READER, "first_name": '"><b>Eve</b>'}))
    assert mail.css("b") == []
    assert mail.css_first("img").attributes["alt"] == '<"><b>Eve</b>>'  # type: ignore[union-attr]
    assert mail.css_first("a[title]").attributes["title"] == '"><b>Eve</b>'  # type: ignore[union-attr]
    said = [node.text() for node in mail.css("p")]
    assert 'For "><b>Eve</b>' in said
    assert '& "><b>Eve</b>' in said
    text = fill(email.text, {**READER, "first_name": "Eve"})
    assert "[Image: <Eve>]\n& Eve" in text
    assert "| For Eve" in text
    page = LexborHTMLParser(archive.archive(made, PUBLICATION, root=NOWHERE, base_url=BASE))
    assert "For a friend & more" in [node.text() for node in page.css("p")]


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("Call 555-010-0199 or (555) 010-0147.", ["555-010-0199", "(555) 010-0147"]),
        ("Ring +49 30 1234 5678 now", ["+49 30 1234 5678"]),
        ("On 1 December 2026, 9:30 am, in Room 12", ["1 December 2026", "9:30 am", "Room 12"]),
        ("By December 1, 2026. Am 24. Dezember um 9 Uhr", ["December 1, 2026", "24. Dezember", "9 Uhr"]),
        ("Dr. Vale walks 5 km, or 20 % more", ["Dr. Vale", "5 km", "20 %"]),
        ("Twelve of 12 people in 2026, and 1 more", []),
        ("A date like 2026-12-01 stays", ["2026-12-01"]),
    ],
)
def test_what_belongs_together_is_not_split(said: str, whole: list[str]) -> None:
    mail, _, page = parts(issue(Paragraph((Words(said),))))
    assert [node.text() for node in mail.css("p .whole")] == whole
    assert [node.text() for node in page.css("article .whole")] == whole
    assert said in [node.text() for node in mail.css("p")]
    padded = parts(issue(Paragraph((Words("x" * 60 + " " + said),))))[1]
    for part in whole:
        assert part in padded


word = st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd"]), min_size=1, max_size=12)
dressed = st.sampled_from(["{}", "**{}**", "_{}_", "~~{}~~", "`{}`", "[{}](https://example.org/)", "{}.", "“{}”"])
line = st.lists(st.tuples(word, dressed), min_size=1, max_size=6)
SHAPES = [
    "{}",
    "- x{}",
    "> x{}",
    "## x{}",
    "::: callout x{}\nz\n:::",
    "::: card\nx{}\n:::",
    "1. x{}",
    "| x{} |\n|---|",
    "::: columns\n::: column\nx{}\n:::\n::: column\n- y\n:::\n:::",
    "::: author mia\nx{}\n:::",
    "::: not clients\nx{}\n:::",
    "::: poll p{n}\nx{}\n\n- y\n- z\n:::",
]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(line, st.sampled_from(SHAPES)), min_size=1, max_size=5))
def test_promise_11_text_in_is_text_out(lines: list[tuple[list[tuple[str, str]], str]]) -> None:
    source = "\n\n".join(
        shape.replace("{n}", str(at)).format(" ".join(dress.format(word) for word, dress in words))
        for at, (words, shape) in enumerate(lines)
    )
    body, problems = dialect.read(source, PUBLICATION, root=NOWHERE, file="a.md")
    assert problems == ()
    mail, text, page = parts(issue(*body))
    for said in (mail.body.text(), re.sub(r"(?m)^[>|*] ?", "", text), page.body.text()):  # type: ignore[union-attr]
        at = 0
        for words, _ in lines:
            for one, _ in words:
                at = bare(said).find(bare(one), at)
                assert at >= 0, one
