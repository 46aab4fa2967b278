"""What goes in is what readers see: words escaped, marks that work, and the dialect takes all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content import blocks, dialect
from newsletter.content.importers import writer
from newsletter.content.importers.stream import Kind, Piece, Run
from newsletter.content.phrases import plain
from newsletter.core.problem import Level
from newsletter.core.publication import Publication

FIELDS = {"first_name": "friend"}
BARE = Publication(name="Quiet Letters", senders={}, fields=FIELDS)


def read(text: str) -> tuple[tuple[blocks.Block, ...], list[str]]:
    """Blocks, and the errors that reading found."""
    found, problems = dialect.read(text, BARE, root=Path("/nowhere"), file="x.md")
    return found, [str(one) for one in problems if one.level is Level.ERROR]


def written(*runs: Run) -> str:
    return writer.body([Piece(Kind.TEXT, runs)], FIELDS)


SIGNS = st.text(st.sampled_from("ab 1.)(*_`[]<>#!-+:{}|&;~\\/\"'é—漢🌿\ufe0f=^$%@,?"), min_size=1, max_size=40)


@settings(max_examples=400, deadline=None)
@given(SIGNS)
def test_promise_11_words_come_out_as_they_went_in(text: str) -> None:
    bare = " ".join(text.split())
    if not bare:
        return
    found, errors = read(written(Run(bare)))
    if any("E24" in error for error in errors):
        return  # something meant as a merge tag is told, not printed
    assert not errors
    assert len(found) == 1
    assert isinstance(found[0], blocks.Paragraph)
    assert plain(found[0].inside) == bare


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(SIGNS, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_promise_11_marks_never_eat_or_add_words(parts: list[tuple[str, bool, bool]]) -> None:
    runs = tuple(Run(text, bold=bold, italic=italic) for text, bold, italic in parts)
    whole = " ".join("".join(one.text for one in runs).split())
    if not whole:
        return
    found, errors = read(written(*(Run(re.sub(r"\s+", " ", one.text), one.bold, one.italic) for one in runs)))
    if errors:
        return
    assert " ".join(plain(found[0].inside).split()) == whole  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((Run("a "), Run("bold", bold=True), Run(" word")), "a **bold** word"),
        ((Run("a "), Run("bold ", bold=True), Run("word")), "a **bold** word"),
        ((Run("half"), Run("way", italic=True), Run(" there")), "half*way* there"),
        ((Run("“"), Run("quiet", italic=True), Run("”")), "“_quiet_”"),
        ((Run("both", bold=True, italic=True),), "**_both_**"),
        ((Run("今日は"), Run("「雨」", bold=True), Run("です")), "今日は「**雨**」です"),
        (
            (Run("see "), Run("here", href="https://a.example.org/x(y"), Run(".")),
            "see [here](<https://a.example.org/x(y>).",
        ),
        ((Run("https://a.example.org/a_b", href="https://a.example.org/a_b"),), "<https://a.example.org/a_b>"),
        ((Run("a [b]", href="https://a.example.org"),), "[a \\[b\\]](https://a.example.org)"),
        ((Run("gone", href="javascript:alert(1)"),), "gone"),
        ((Run("x", href="https://a.example.org"), Run("{.button}")), "[x](https://a.example.org)\\{.button}"),
        ((Run("1986. It was"),), "1986\\. It was"),
        ((Run("# no title"),), "\\# no title"),
        ((Run("- no item"),), "\\- no item"),
        ((Run("Dear *|FNAME|*,"),), 'Dear {{ first_name, "friend" }},'),
        ((Run("Dear {{ first_name }},"),), 'Dear {{ first_name, "friend" }},'),
        ((Run("in {{ braces }}"),), "in \\{{ braces }}"),
        ((Run("a `b` c", code=True),), "``a `b` c``"),
    ],
)
def test_words_with_marks(runs: tuple[Run, ...], said: str) -> None:
    assert written(*runs).rstrip("\n") == said


def test_lists_step_in_by_four_spaces() -> None:
    items = [
        Piece(Kind.ITEM, (Run("one"),), ordered=True, number=1),
        Piece(Kind.ITEM, (Run("inner"),), level=1),
        Piece(Kind.TEXT, (Run("more"),), of_item=True, level=1),
        Piece(Kind.ITEM, (Run("two"),), ordered=True, number=2),
    ]
    text = writer.body(items, FIELDS)
    assert text == "1. one\n    - inner\n\n        more\n\n2. two\n"
    found, errors = read(text)
    assert not errors
    assert len(found) == 1
    assert len(found[0].items) == 2  # type: ignore[union-attr]


def test_a_wide_table_is_written_row_by_row() -> None:
    row = tuple((Run(word),) for word in "abcde")
    assert writer.body([Piece(Kind.TABLE, rows=(row, row))], FIELDS) == "a · b · c · d · e\n\na · b · c · d · e\n"


def test_the_lines_at_the_top_are_quoted_where_they_must_be() -> None:
    head = writer.front({"subject": "Rest: a beginning", "title": "It's fine", "lang": "", "slug": "#1"})
    assert head == "---\nsubject: 'Rest: a beginning'\ntitle: It's fine\nslug: '#1'\n---\n"
