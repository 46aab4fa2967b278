"""A body becomes blocks; what cannot be one is told where it stands, and nothing vanishes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content import blocks, dialect, text
from newsletter.content.blocks import (
    Block,
    Break,
    Button,
    Callout,
    Card,
    Code,
    CodeBlock,
    Divider,
    Emphasis,
    Heading,
    Image,
    Inline,
    Link,
    Listing,
    MagnetCard,
    MergeTag,
    Paragraph,
    Picture,
    Quote,
    Strike,
    Strong,
    Table,
    Unready,
    Words,
)
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Magnet, Publication, Sender

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org")},
    fields={"first_name": "friend", "city": "your town"},
    magnets={"workbook": Magnet("Workbook", "Twelve pages.", ("magnets/w.pdf",))},
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
        ('::: callout {{ city, "x" }}\na\n:::', "E240", 10, 13, "Move it"),
        ('![{{ city, "x" }}](https://example.org/a.jpg)', "E240", 10, 3, "Move it"),
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


@pytest.mark.parametrize("name", ["columns", "column", "only clients", "not clients", "poll x", "author ada"])
def test_what_is_not_yet_there_says_so(name: str) -> None:
    found, problems = read(f"::: {name}\na\n:::")
    assert [problem.code for problem in problems] == ["E233"]
    assert "not yet in this version" in problems[0].message
    assert found == (Unready(name.split(maxsplit=1)[0], 10),)
    assert read('{{ snippet "x" }}')[0] == (Unready("snippet", 10),)


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
