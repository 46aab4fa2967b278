"""A body becomes blocks; what cannot be one is told where it stands, and nothing vanishes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content import blocks, dialect, text
from newsletter.content.blocks import (
    AuthorCard,
    Block,
    Break,
    Button,
    Callout,
    Card,
    Code,
    CodeBlock,
    Columns,
    Divider,
    Emphasis,
    Heading,
    Image,
    Inline,
    Inserted,
    Link,
    Listing,
    MagnetCard,
    MergeTag,
    Only,
    Paragraph,
    Picture,
    Poll,
    Quote,
    Strike,
    Strong,
    Table,
    Unready,
    Words,
)
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Author, Magnet, Publication, Sender

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org")},
    fields={"first_name": "friend", "city": "your town"},
    magnets={"workbook": Magnet("Workbook", "Twelve pages.", ("magnets/w.pdf",))},
    authors={"grace": Author("Grace Hale", "Listens.")},
    segments={"clients": "topic(clients)"},
    topics={"letter": "The letter", "clients": "For clients"},
)
NOWHERE = Path("/nonexistent")
URL = "https://example.org/a"


def read(source: str) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    return dialect.read(source, PUBLICATION, root=NOWHERE, file="issues/a.md", first_line=10)


def good(source: str) -> tuple[Block, ...]:
    found, problems = read(source)
    assert problems == ()
    return found


def line(source: str) -> tuple[Inline, ...]:
    (block,) = good(source)
    assert isinstance(block, Paragraph)
    return block.inside


def bad(source: str) -> Problem:
    _, problems = read(source)
    assert len(problems) == 1, problems
    return problems[0]


# --- what is read ----------------------------------------------------------------------------------


def test_words_within_a_line() -> None:
    assert line("a **b** _c_ ~~d~~ `e`\n**f _g_**") == (
        Words("a "),
        Strong((Words("b"),)),
        Words(" "),
        Emphasis((Words("c"),)),
        Words(" "),
        Strike((Words("d"),)),
        Words(" "),
        Code("e"),
        Break(),
        Strong((Words("f "), Emphasis((Words("g"),)))),
    )


def test_links_bare_addresses_and_what_is_none() -> None:
    assert line(f"[a]({URL}?x=1&y=a_b 'T') {URL} <a@example.org> www.example.org 12:30 //x") == (
        Link((f"{URL}?x=1&y=a_b",), (Words("a"),), "T"),
        Words(" "),
        Link((URL,), (Words(URL),)),
        Words(" "),
        Link(("mailto:a@example.org",), (Words("a@example.org"),)),
        Words(" www.example.org 12:30 //x"),
    )


def test_blocks_carry_their_line() -> None:
    source = "One\n\n## Two\n\n- a\n  - b\n- c\n\n3. d\n\n---\n\n```py\nx\n```\n\n| A | B |\n|:-:|--:|\n| 1 | 2 |"
    assert good(source) == (
        Paragraph((Words("One"),), 10),
        Heading(2, "", (Words("Two"),), 12),
        Listing(
            False,
            (
                (
                    Paragraph((Words("a"),), 14),
                    Listing(False, ((Paragraph((Words("b"),), 15),),), 1, 15),
                ),
                (Paragraph((Words("c"),), 16),),
            ),
            1,
            14,
        ),
        Listing(True, ((Paragraph((Words("d"),), 18),),), 3, 18),
        Divider(20),
        CodeBlock("x", "py", 22),
        Table(((Words("A"),), (Words("B"),)), (((Words("1"),), (Words("2"),)),), ("center", "end"), 26),
    )


def test_a_line_below_text_is_a_pause_and_no_heading() -> None:
    assert [type(block) for block in good("Text\n---\nMore")] == [Paragraph, Divider, Paragraph]


@pytest.mark.parametrize(
    ("typed", "emoji", "words"),
    [
        ("💡 Title", "💡", "Title"),
        ("🌤️Title", "🌤️", "Title"),
        ("👩🏽‍⚕️ Title", "👩🏽‍⚕️", "Title"),
        ("1️⃣ Title", "1️⃣", "Title"),
        ("🇪🇺 Title", "🇪🇺", "Title"),
        ("🏴󠁧󠁢󠁷󠁬󠁳󠁿 Title", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "Title"),
        ("❤️ Title", "❤️", "Title"),
        ("🌿🌱 Title", "🌿🌱", "Title"),
        ("🆓 Title", "🆓", "Title"),
        ("© Title", "", "© Title"),
        ("7 ways", "", "7 ways"),
        ("→ Title", "", "→ Title"),
        ("#1 title", "", "#1 title"),
        ("💡", "", "💡"),
        ("Title 💡", "", "Title 💡"),
    ],
)
def test_a_headings_leading_emoji_is_an_ornament(typed: str, emoji: str, words: str) -> None:
    assert good(f"## {typed}") == (Heading(2, emoji, (Words(words),), 10),)


def test_a_quotation_and_its_source() -> None:
    inside = (Paragraph((Words("Stay."),), 10),)
    assert good("> Stay.\n> — Ada *L*") == (Quote(inside, (Words("Ada "), Emphasis((Words("L"),))), 10),)
    assert good("> Stay.\n>\n> – Ada") == (Quote(inside, (Words("Ada"),), 10),)
    assert good("> Stay.") == (Quote(inside, (), 10),)
    assert good("> — Stay.") == (Quote((Paragraph((Words("— Stay."),), 10),), (), 10),)


def test_buttons() -> None:
    source = f'[Read]({URL}?n={{{{ first_name, "x" }}}}){{.button}}\n[Or]({URL}){{.button .secondary}}'
    assert good(source) == (
        Button((f"{URL}?n=", MergeTag("first_name", "x")), (Words("Read"),), False, 10),
        Button((URL,), (Words("Or"),), True, 11),
    )


def test_pictures(tmp_path: Path) -> None:
    source = f'![A stone](https://example.org/s.jpg "A caption")\n\n[![B](https://example.org/b.jpg)]({URL})\n\na ![c](https://example.org/c.png)'
    picture = Picture("https://example.org/b.jpg", "B")
    assert good(source) == (
        Image(Picture("https://example.org/s.jpg", "A stone"), "A caption", "", 10),
        Image(picture, "", URL, 12),
        Paragraph((Words("a "), Picture("https://example.org/c.png", "c")), 14),
    )


def test_boxes() -> None:
    source = (
        "::: callout Try **this** today\nOne\n- two\n:::\n"
        f"::: card\nThree\n\n[Go]({URL}){{.button}}\n:::\n::: magnet workbook\n:::"
    )
    assert good(source) == (
        Callout(
            "callout",
            "Try this today",
            (Paragraph((Words("One"),), 11), Listing(False, ((Paragraph((Words("two"),), 12),),), 1, 12)),
            10,
        ),
        Card((Paragraph((Words("Three"),), 15), Button((URL,), (Words("Go"),), False, 17)), 14),
        MagnetCard("workbook", (), 19),
    )


def test_columns_authors_polls_and_what_is_for_some() -> None:
    source = (
        "::: columns\n::: column\n**a**\n:::\n::: column\n- b\n:::\n:::\n"
        "::: author grace\nOwn words.\n:::\n"
        "::: poll rest\nRested?\n\n- 👍 Yes\n- **No**\n:::\n"
        "::: only clients, letter\n::: not web\nc\n:::\n:::"
    )
    assert good(source) == (
        Columns(
            (
                (Paragraph((Strong((Words("a"),)),), 12),),
                (Listing(False, ((Paragraph((Words("b"),), 15),),), 1, 15),),
            ),
            10,
        ),
        AuthorCard("grace", (Paragraph((Words("Own words."),), 19),), 18),
        Poll("rest", (Paragraph((Words("Rested?"),), 22),), ((Words("👍 Yes"),), (Strong((Words("No"),)),)), 21),
        Only(("clients", "letter"), (Only(("web",), (Paragraph((Words("c"),), 29),), True, 28),), False, 27),
    )


def test_two_polls_need_two_names() -> None:
    poll = "::: poll rest\nRested?\n\n- Yes\n- No\n:::\n"
    problem = bad(poll * 2)
    assert (problem.code, problem.line, problem.fix) == ("E232", 16, "::: poll rest-2")


def test_what_is_for_some_may_stand_in_a_box_as_if_it_were_not_there() -> None:
    (card,) = good("::: card\na\n\n::: only clients\n- b\n:::\n:::")
    assert isinstance(card, Card)
    assert [type(block) for block in card.inside] == [Paragraph, Only]


def test_merge_tags_in_captions_labels_titles_and_what_pictures_show() -> None:
    tag = MergeTag("first_name", "friend")
    typed = '{{ first_name, "friend" }}'
    picture = Picture("https://example.org/s.jpg", "For friend", None, ("For ", tag))
    assert good(f'![For {typed}](https://example.org/s.jpg "Dear {typed}, see")') == (
        Image(picture, "Dear friend, see", "", 10, ("Dear ", tag, ", see")),
    )
    (box,) = good(f"::: callout  For **{typed}**\na\n:::")
    assert isinstance(box, Callout)
    assert (box.label, box.label_parts) == ("For friend", ("For ", tag))
    assert line(f"[a]({URL} '{typed}')") == (Link((URL,), (Words("a"),), "friend", (tag,)),)


def test_a_picture_that_shows_nothing_is_called_so() -> None:
    bare = Picture("https://example.org/s.png", "")
    assert good("![](https://example.org/s.png){.decorative}") == (Image(bare, "", "", 10),)
    assert line("a ![](https://example.org/s.png){.decorative}") == (Words("a "), bare)


# --- snippets --------------------------------------------------------------------------------------


def with_snippets(root: Path, source: str, **snippets: str) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    (root / "snippets").mkdir()
    for name, content in snippets.items():
        (root / "snippets" / f"{name}.md").write_text(content, "utf-8")
    return dialect.read(source, PUBLICATION, root=root, file="issues/a.md", first_line=10)


def test_a_snippet_is_read_where_it_is_named(tmp_path: Path) -> None:
    source = 'a\n\n{{ snippet "night" }}\n\n- {{ snippet “night” }}'
    found, problems = with_snippets(tmp_path, source, night="**b**\n\n- c\n")
    assert problems == ()
    inside = (
        Paragraph((Strong((Words("b"),)),), 1),
        Listing(False, ((Paragraph((Words("c"),), 3),),), 1, 3),
    )
    assert found[1] == Inserted("night", "snippets/night.md", inside, 12)
    assert [type(block) for block, _ in blocks.walk(found)] == [
        *[Paragraph, Inserted, Paragraph, Listing, Paragraph],
        *[Listing, Inserted, Paragraph, Listing, Paragraph],
    ]
    assert [file for _, file in blocks.walk(found, "a.md")].count("snippets/night.md") == 6


def test_promise_11_a_mistake_in_a_snippet_is_told_there_and_once(tmp_path: Path) -> None:
    source = '{{ snippet "night" }}\n\n{{ snippet "night" }}'
    _, (problem,) = with_snippets(tmp_path, source, night="a\n\n# b")
    assert (problem.file, problem.line, problem.code, problem.source) == ("snippets/night.md", 3, "E200", "# b")


def test_a_box_of_a_snippet_cannot_stand_in_a_box_or_a_list(tmp_path: Path) -> None:
    source = '::: card\na\n\n{{ snippet "box" }}\n:::\n\n- {{ snippet "box" }}\n\n> {{ snippet "box" }}'
    _, problems = with_snippets(tmp_path, source, box="::: callout x\ny\n:::")
    assert [(problem.file, problem.line, problem.code) for problem in problems] == [
        ("issues/a.md", line, "E232") for line in (13, 16, 18)
    ]


def test_snippets_never_turn_in_a_circle(tmp_path: Path) -> None:
    one, two = '{{ snippet "two" }}', '{{ snippet "one" }}'
    found, (problem,) = with_snippets(tmp_path, one, one=one, two=two)
    assert (problem.file, problem.line, problem.code) == ("snippets/one.md", 1, "E232")
    assert "part of itself" in problem.message
    assert text.words(found) == 0


def test_snippets_end_before_they_are_too_deep_or_too_long(tmp_path: Path) -> None:
    deep = {f"n{at}": f'{{{{ snippet "n{at + 1}" }}}}' for at in range(8)}
    _, (problem,) = with_snippets(tmp_path, '{{ snippet "n0" }}', **deep, n8="x")
    assert (problem.file, problem.code) == ("snippets/n4.md", "E232")
    (tmp_path / "more").mkdir()
    wide = {f"n{at}": f'{{{{ snippet "n{at + 1}" }}}}\n\n' * 40 for at in range(4)}
    _, problems = with_snippets(tmp_path / "more", '{{ snippet "n0" }}', **wide, n4="word " * 100)
    assert "E303" in {problem.code for problem in problems}


def test_a_snippet_that_is_not_there_offers_the_nearest(tmp_path: Path) -> None:
    _, (problem,) = with_snippets(tmp_path, '{{ snippet "nihgt" }}', night="x")
    assert (problem.code, problem.fix) == ("E250", '{{ snippet "night" }}')
    (tmp_path / "snippets" / "night.md").write_bytes(b"\xff\xfe\xfa")
    _, (problem,) = dialect.read('{{ snippet "night" }}', PUBLICATION, root=tmp_path, file="a.md")
    assert (problem.code, "UTF-8" in problem.message) == ("E250", True)


def test_a_box_ends_a_list_and_code_may_show_one() -> None:
    kinds = [type(block) for block in good("- a\n::: card\nb\n:::\n\n```\n::: none\n```")]
    assert kinds == [Listing, Card, CodeBlock]


@pytest.mark.parametrize(
    ("typed", "kind", "label"),
    [
        ("[!TIP]", "tip", "Tip"),
        ("[!note]", "note", "Note"),
        ("[!CAUTION]", "caution", "Please take care"),
        ("[!TIP] For today", "tip", "For today"),
    ],
)
def test_alerts(typed: str, kind: str, label: str) -> None:
    (box,) = good(f"> {typed}\n> Breathe.")
    assert isinstance(box, Callout)
    assert (box.kind, box.label, text.plain(_first(box))) == (kind, label, "Breathe.")


def _first(box: Callout) -> tuple[Inline, ...]:
    paragraph = box.inside[0]
    assert isinstance(paragraph, Paragraph)
    return paragraph.inside


def test_comments_are_dropped_and_nothing_with_them() -> None:
    assert good("a <!-- b --> c") == (Paragraph((Words("a  c"),), 10),)
    assert good("<!-- ::: card\n\n{{ x }} -->\n\nd") == (Paragraph((Words("d"),), 14),)
    assert good("<!-- b --> kept **so**") == (Paragraph((Words("kept "), Strong((Words("so"),))), 10),)


def test_merge_tags_where_text_may_stand() -> None:
    tag = MergeTag("first_name", "friend")
    assert line('Dear {{ first_name, "friend" }}, {{first_name|default:"friend"}}') == (
        Words("Dear "),
        tag,
        Words(", "),
        tag,
    )
    assert good('## {{ first_name | default("friend") }}') == (Heading(2, "", (tag,), 10),)
    assert line("**{{ first_name, “friend” }}**") == (Strong((tag,)),)
    assert good('| {{ first_name | default: "friend" }} |\n|---|') == (Table(((tag,),), (), ("start",), 10),)
    link = line(f'[{{{{ first_name, "friend" }}}}]({URL}?a={{{{ city, "x y" }}}}&b=2)')
    assert link == (Link((f"{URL}?a=", MergeTag("city", "x y"), "&b=2"), (tag,)),)
    assert line("[out]({{ unsubscribe_url }})") == (Link((MergeTag("unsubscribe_url", ""),), (Words("out"),)),)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://пример.рф/а",
        "https://user@example.org:8080/a?b=c#d",
        "mailto:a.b+c@example.org?subject=Hi%20there",
        "tel:+1-909-555-0100",
        "http://localhost:8000/x",
        "https://192.0.2.1/",
    ],
)
def test_addresses_that_lead_somewhere(url: str) -> None:
    assert not [problem for problem in read(f"[a]({url})")[1] if problem.code != "W220"]


def test_promise_11_code_keeps_every_sign() -> None:
    source = '`{{ x }} *|FNAME|* <b>`\n\n```\n{{ y, "z" }} {% if %}\n```'
    assert good(source) == (
        Paragraph((Code("{{ x }} *|FNAME|* <b>"),), 10),
        CodeBlock('{{ y, "z" }} {% if %}', "", 12),
    )


def test_template_language_is_plain_text() -> None:
    assert line("{% if x %} {# y #} \\{{ z }} {w}") == (Words("{% if x %} {# y #} {{ z }} {w}"),)


def test_a_small_heading_knows_whether_a_large_one_came_before() -> None:
    headings = [block for block in good("### a\n\n## b\n\n### c") if isinstance(block, Heading)]
    assert [(one.level, one.rank) for one in headings] == [(3, 2), (2, 2), (3, 3)]


# --- what is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "code", "line", "col", "part_of_fix"),
    [
        ("# Big", "E200", 10, 1, "## Big"),
        ("#### Small", "E200", 10, 1, "### Small"),
        ("##Title", "E200", 10, 1, "## Title"),
        ("![](https://example.org/a.jpg)", "E210", 10, 1, "![What the picture shows]"),
        ("![A](images/a.jpg)", "E210", 10, 6, "images/"),
        ("![A](data:image/png;base64,AA)", "E210", 10, 6, "images/"),
        ("![A](../secret.jpg)", "E210", 10, 6, "images/"),
        ("![A]()", "E210", 10, 1, "images/picture.jpg"),
        ("![A](C:\\pics\\chair.jpg)", "E210", 10, 1, "write: ![A](images/chair.jpg)"),
        ("::: button\nx\n:::", "E233", 10, 1, "{.button}"),
        ("a[^1]\n\n[^1]: note", "E232", 12, 1, "into the text"),
        ("{{ snippet night-line }}", "E240", 10, 1, '{{ snippet "night-line" }}'),
        ("see [a](javascript:alert)", "E220", 10, 9, "https://"),
        ("see [a](data:text/html,x)", "E220", 10, 9, "https://"),
        ("see [a]()", "E220", 10, 5, "https://"),
        ("see [a](#)", "E220", 10, 9, "https://"),
        ("see [a](#top)", "E220", 10, 9, "Link to a page"),
        ("see [a](TODO)", "E220", 10, 9, "https://"),
        ("see [a](https://yoursite.com/x)", "E220", 10, 9, "real address"),
        ("see [a](https://www.example.org/page)", "E220", 10, 9, "real address"),
        ("see [a](www.example.org/x)", "E220", 10, 9, "https://www.example.org/x"),
        ("see [a](a@example.org)", "E220", 10, 9, "mailto:a@example.org"),
        ("see [a](/page)", "E220", 10, 9, "https://"),
        ("see [a](ftp://example.org)", "E220", 10, 9, "https://"),
        ("see [a](mailto:nobody)", "E220", 10, 9, "mailto:name@"),
        ("see [a](https://)", "E220", 10, 9, "https://"),
        ('see [a]({{ first_name, "x" }})', "E220", 10, 9, "https://"),
        ("see [a](my page)", "E220", 10, 7, "[Words](https://"),
        (f"see [a] ({URL})", "E220", 10, 7, "[Words](https://"),
        (f"see [a]({URL}", "E220", 10, 7, "[Words](https://"),
        (f"see []({URL})", "E220", 10, 5, "[Words]"),
        ("[Note]: tomorrow", "E220", 10, 1, "[Words]"),
        ("see <b>a</b>", "E230", 10, 5, "**bold**"),
        ("<div>\na\n</div>", "E230", 10, 1, "::: callout"),
        ("see <you>", "E230", 10, 5, "\\<you>"),
        ("<!-- open\n\nmore", "E230", 10, 1, "-->"),
        ("a\n\n::: callout B\nc\n\n## D", "E231", 12, 1, 'after line 13 ("c")'),
        ("a\n\n:::\n\nb", "E231", 12, 1, "Delete"),
        ("> ::: card\n> a\n> :::", "E232", 10, 3, "blank line"),
        ("- a\n  ::: card\n  b\n  :::", "E232", 11, 3, "blank line"),
        ("::: card\n\n| a |\n|---|\n\n:::", "E232", 12, 1, "before or after"),
        ("::: callout\n::: card\na\n:::\n:::", "E232", 11, 1, "before or after"),
        ("::: callout A\n:::", "E232", 10, 1, "Write a line"),
        ("::: card Title\na\n:::", "E232", 10, 10, "### Title"),
        (f"a [b]({URL}){{.button}}", "E232", 10, 29, "blank line"),
        ("| a | b |\n|---|---|\n| 1 | 2 | 3 |", "E232", 12, 1, "\\|"),
        ("|a|b|c|d|e|\n|-|-|-|-|-|", "E232", 10, 1, "two tables"),
        ("a[^1]", "E232", 10, 2, "into the text"),
        ("::: calout A\nb\n:::", "E233", 10, 1, "::: callout"),
        ("::: tip\nb\n:::", "E233", 10, 1, "::: callout"),
        ("> [!TIPP]\n> a", "E233", 10, 3, "[!TIP]"),
        (f"[a]({URL}){{.buton}}", "E233", 10, 27, "{.button}"),
        (f"[a]({URL}) {{.button}}", "E233", 10, 28, "{.button}"),
        ("Hi {{ first_name }}", "E240", 10, 4, '{{ first_name, "friend" }}'),
        ("Hi {{ city }}", "E240", 10, 4, '{{ city, "your town" }}'),
        ('Hi {{ frist_name, "you" }}', "E240", 10, 4, '{{ first_name, "you" }}'),
        ('Hi {{ first_name, "you"', "E240", 10, 4, '{{ first_name, "friend" }}'),
        ("Hi {{ unsubscribe_url }}", "E240", 10, 4, "[Unsubscribe]"),
        ("::: callout {{ town }}\na\n:::", "E240", 10, 13, "Fields of newsletter.yml"),
        ("![{{ city }}](https://example.org/a.jpg)", "E240", 10, 3, '{{ city, "your town" }}'),
        ('![a](https://example.org/a.jpg "{{ city }}")', "E240", 10, 33, '{{ city, "your town" }}'),
        ('[a](https://example.org/ "{{ unsubscribe_url }}")', "E240", 10, 27, "[Unsubscribe]"),
        ("![a](https://example.org/a.jpg){.decorative}", "E210", 10, 1, "![](https://example.org/a.jpg){.decorative}"),
        ("![b](https://example.org/a.jpg){.big}", "E233", 10, 32, "{.decorative}"),
        ("a\n::: columns\n::: column\nb\n:::\n:::", "E232", 11, 1, "::: column"),
        ("::: columns\n::: column\nb\n:::\nc\n::: column\nd\n:::\n:::", "E232", 14, 1, "::: column"),
        ("::: columns\n::: column\n> b\n:::\n::: column\nd\n:::\n:::", "E232", 12, 1, "before or after"),
        ("::: columns\n::: column\n:::\n::: column\nd\n:::\n:::", "E232", 11, 1, "Write a line"),
        ("::: columns Two\n::: column\na\n:::\n::: column\nd\n:::\n:::", "E232", 10, 13, "### Two"),
        ("::: column\na\n:::", "E232", 10, 1, "::: columns"),
        ("::: author grce\n:::", "E250", 10, 12, "::: author grace"),
        ("::: author\n:::", "E250", 10, 1, "::: author grace"),
        ("::: author grace\n- a\n:::", "E232", 11, 1, "before or after"),
        ("::: poll\nWhat?\n\n- a\n- b\n:::", "E232", 10, 1, "::: poll rest"),
        ("::: poll my rest\nWhat?\n\n- a\n- b\n:::", "E232", 10, 10, "::: poll rest"),
        ("::: poll rest\nWhat?\n:::", "E232", 10, 1, "- Yes"),
        ("::: poll rest\n- a\n- b\n:::", "E232", 10, 1, "Did you rest"),
        ("::: poll rest\nWhat?\n\n- a\n- [b](https://example.org/)\n:::", "E232", 14, 1, "- Yes"),
        ("::: card\na\n\n::: poll x\nb\n\n- c\n- d\n:::\n:::", "E232", 13, 1, "before or after"),
        ("::: only\na\n:::", "E232", 10, 1, "::: only web"),
        ("::: only web clients\na\n:::", "E232", 10, 1, "::: only clients"),
        ("::: only cliens\na\n:::", "E250", 10, 10, "::: only clients"),
        ("::: not web\n:::", "E232", 10, 1, "Write a line"),
        ("::: card\na\n\n::: only web\n> b\n:::\n:::", "E232", 14, 1, "before or after"),
        ('a {{ snippet "b" }} c', "E232", 10, 3, "line of its own"),
        ('{{ snippet "b" }}', "E250", 10, 1, "snippets/b.md"),
        ('{{ snippet "../b" }}', "E250", 10, 1, "snippets/"),
        ("Hi *|FNAME|*, so", "E241", 10, 4, '{{ first_name, "friend" }}'),
        ("Hi {{ subscriber.first_name }}", "E241", 10, 4, '{{ first_name, "friend" }}'),
        ("Hi %recipient.first_name%", "E241", 10, 4, '{{ first_name, "friend" }}'),
        ("Hi {first_name}", "E241", 10, 4, '{{ first_name, "friend" }}'),
        ("::: magnet wrkbook\n:::", "E250", 10, 12, "::: magnet workbook"),
        ("::: magnet\n:::", "E250", 10, 1, "::: magnet workbook"),
    ],
)
def test_promise_11_a_mistake_is_told_with_its_place_and_a_fix(
    source: str, code: str, line: int, col: int, part_of_fix: str
) -> None:
    problem = bad(source)
    assert (problem.code, problem.line, problem.col) == (code, line, col)
    assert part_of_fix in problem.fix
    assert problem.source == source.split("\n")[line - 10]
    assert problem.level is Level.ERROR


def test_an_unencrypted_link_only_warns() -> None:
    problem = bad("see [a](http://example.org/x)")
    assert (problem.code, problem.level, problem.fix) == ("W220", Level.WARNING, "https://example.org/x")


def test_a_block_that_cannot_be_made_leaves_its_place() -> None:
    assert read('{{ snippet "x" }}')[0] == (Unready("snippet", 10),)
    assert read("::: author x\n:::")[0] == (Unready("author", 10),)


def test_an_escaped_sign_is_no_mistake() -> None:
    assert line("\\[a](b c) \\[^1] \\<b> 1 < 2 > 0 a_b") == (Words("[a](b c) [^1] <b> 1 < 2 > 0 a_b"),)


def test_ten_typical_mistakes_give_ten_messages_to_act_on() -> None:
    source = (
        "# Welcome\n\nHello {{ first_name }} and *|LNAME|*\n\n[Book here](www.example.org)\n\n<center>Hi</center>\n\n"
        "##Next\n\n![](https://example.org/a.jpg)\n\n::: calout Try\nsomething\n:::\n\n::: magnet wokbook\n:::\n\n"
        "::: callout Open\nand never closed"
    )
    _, problems = read(source)
    expected = ["E200", "E240", "E241", "E220", "E230", "E200", "E210", "E233", "E250", "E231"]
    assert [problem.code for problem in problems] == expected
    assert all(problem.fix and problem.message and problem.line and problem.col for problem in problems)


@pytest.mark.parametrize(
    "source",
    [
        ">" * 5000 + " x",
        "- " * 5000 + "x",
        "::: callout A\n" * 2500 + "x\n" + ":::\n" * 2500,
        "".join("  " * depth + "- a\n" for depth in range(300)),
        "**a *b " * 5000 + "c* d** " * 5000,
        "[" * 5000 + "a",
        "![" * 3000 + "a" + "](b)" * 3000,
        "word " * 30_000,
        "a" * 1_000_000,
        "{{" * 20_000,
    ],
    ids=["quotes", "lists", "boxes", "nested", "marks", "brackets", "pictures", "line", "megabyte", "braces"],
)
def test_depth_and_length_end_in_a_clear_word_or_work(source: str) -> None:
    found, problems = read(source)
    assert found or problems
    repr(found)  # nothing so deep that whoever walks it falls
    assert text.words(found) >= 0


word = st.text(st.characters(categories=["Ll", "Lu", "Lo"]), min_size=1, max_size=12)
dressed = st.sampled_from(["{}", "**{}**", "_{}_", "~~{}~~", "`{}`", "[{}](https://example.org/)", "{}."])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(word, dressed), min_size=1, max_size=6), min_size=1, max_size=5))
def test_promise_11_text_in_is_text_out(paragraphs: list[list[tuple[str, str]]]) -> None:
    shapes = ["{}", "- {}", "> {}", "## {}", "::: callout\n{}\n:::", "1. {}", "| {} |\n|---|"]
    source = "\n\n".join(
        shapes[at % len(shapes)].format(" ".join(dress.format(word) for word, dress in words))
        for at, words in enumerate(paragraphs)
    )
    found, problems = read(source)
    assert problems == ()
    said = " ".join(text.said(found))
    for words in paragraphs:
        for each, _ in words:
            assert each in said


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab \n\n:#*_~`[](){}|<>!-—.\"'\\1{{}}:::"), max_size=80))
def test_random_markdown_never_crashes_and_places_exist(source: str) -> None:
    _, problems = read(source)
    count = source.count("\n") + 1
    for problem in problems:
        assert 10 <= problem.line < 10 + count
        assert 1 <= problem.col <= len(source.split("\n")[problem.line - 10]) + 1


def test_every_block_has_a_line() -> None:
    found, _ = read("a\n\n# b\n\n- c\n\n> d\n\n---\n\n```\ne\n```\n\n|f|\n|-|\n\n<x>\n\n![g](h)\n")
    lines = [getattr(block, "line", 0) for block in found]
    assert lines == [10, 12, 14, 16, 18, 20, 24, 27, 29]
    assert re.fullmatch(r"\w+", type(blocks.Body()).__name__)
