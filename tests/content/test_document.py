"""`name: value` text is read as it is written, and every slip is told where it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content import document
from newsletter.core.problem import Problem
from newsletter.errors import ContentError


def read(text: str) -> dict[str, object]:
    return document.parse(text, "a.md").plain()


def problems(text: str, first_line: int = 1) -> list[Problem]:
    with pytest.raises(ContentError) as caught:
        document.parse(text, "a.md", first_line)
    return list(caught.value.problems)


def told(text: str) -> list[tuple[str, int, int]]:
    return [(problem.code, problem.line, problem.col) for problem in problems(text)]


@pytest.mark.parametrize("raw", ["12:30", "Off", "on", "2026-12-01", "012", "1e3", "0x1F", "~", "null", "1_000", ".5"])
def test_a_value_stays_what_was_typed(raw: str) -> None:
    assert read(f"value: {raw}") == {"value": raw}


def test_an_empty_value_and_an_empty_text_differ() -> None:
    assert read("alt: ''\nsrc:\nlist:\n  -\n  - b") == {"alt": "", "src": None, "list": [None, "b"]}


def test_blocks_lists_brackets_notes_and_long_values() -> None:
    text = (
        "# settings\nfooter: {address: 1 Low Road, phone: '1: 2'}  # a note\nlist: [a, 'b, c']\n"
        'long: one\n  two\nquoted: "a\n  b"\nsteps: |\n  a: b: c\n  # kept\nend: https://example.org/#x\n'
    )
    assert read(text) == {
        "footer": {"address": "1 Low Road", "phone": "1: 2"},
        "list": ["a", "b, c"],
        "long": "one two",
        "quoted": "a b",
        "steps": "a: b: c\n# kept\n",
        "end": "https://example.org/#x",
    }


@pytest.mark.parametrize(
    ("line", "code", "col", "fix"),
    [
        ("subject: Rest: an art", "E101", 14, "subject: 'Rest: an art'"),
        ("subject: Ask yourself:", "E101", 22, "subject: 'Ask yourself:'"),
        ("subject: *Quiet* please", "E101", 10, "subject: '*Quiet* please'"),
        ("subject: @home", "E101", 10, "subject: '@home'"),
        ("subject: [Draft] Rest", "E101", 10, "subject: '[Draft] Rest'"),
        ("subject: [Rest", "E101", 10, "subject: '[Rest'"),
        ('subject: {{ first_name, "you" }}, rest', "E101", 10, "subject: '{{ first_name, \"you\" }}, rest'"),
        ('subject: "Rest" is an art', "E101", 16, "subject: '\"Rest\" is an art'"),
        ("subject: 'It's quiet'", "E101", 14, "subject: 'It''s quiet'"),
        ('subject: "Rest', "E101", 10, "subject: 'Rest'"),
        ("subject: - rest", "E101", 10, "subject: '- rest'"),
        ("subject: `rest`", "E101", 10, "subject: '`rest`'"),
        ("subject: We are #1 here", "E102", 17, "subject: 'We are #1 here'"),
        ("number: #12", "E102", 9, "number: '#12'"),
        ("subject:Rest", "E109", 8, "subject: Rest"),
        ("subject:\u00a0Rest", "E109", 9, "subject: Rest"),
        ("subject:\tRest", "E103", 9, "subject: Rest"),
    ],
)
def test_promise_11_a_slip_is_told_with_its_place_and_the_corrected_line(
    line: str, code: str, col: int, fix: str
) -> None:
    (problem,) = problems(f"date: 2026-12-01\n{line}\ndraft: true", first_line=2)
    assert (problem.code, problem.line, problem.col, problem.fix) == (code, 3, col, fix)
    assert problem.source == line
    mended = document.parse(fix, "a.md").plain()
    assert None not in mended.values()


def test_curly_quotes_around_a_value() -> None:
    (problem,) = problems("subject: “Rest well”")
    assert (problem.code, problem.col) == ("E108", 10)
    assert "subject: Rest well" in problem.fix
    assert read("subject: The “healed” one") == {"subject": "The “healed” one"}


def test_a_tab_before_a_name_is_mended_to_where_it_belongs() -> None:
    assert told("draft: true\n\tsubject: Rest") == [("E103", 2, 1)]


def test_a_name_given_twice_points_at_the_second_and_names_the_first() -> None:
    (problem,) = problems("subject: One\ndate: x\nsubject: Two")
    assert (problem.code, problem.line) == ("E104", 3)
    assert "line 1" in problem.message


def test_everything_wrong_is_told_at_once_and_the_rest_is_read() -> None:
    text = "subject: a: b\nsubject: c\n\ttitle: d\nnumber:4\nslug: we are #2\nmagnet: &x\nlonely\n"
    doc, found = document.read(text, "a.md")
    assert [problem.code for problem in found] == ["E101", "E104", "E103", "E109", "E102", "E101", "E109"]
    assert doc.plain() == {"subject": "a: b", "title": "d", "number": "4", "slug": "we are #2", "magnet": "&x"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [&x 1, *x]", "E101"),
        ("a: !!int 3", "E101"),
        ("a: 1\n---\nb: 2", "E100"),
        ("? [a]: b", "E101"),
        ("a: b\n c: d", "E101"),
        ("a:\n  b: 1\n c: 2", "E103"),
        ("- a\n- b", "E109"),
        ("a: b\0", "E111"),
        ("a: \ud800", "E111"),
        ('a: "b\\q"', "E101"),
        ("[" * 5000, "E106"),
        ("a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 200)), "E106"),
        ("{a: " * 3000, "E106"),
        ("x" * 300_000, "E111"),
    ],
)
def test_what_nobody_means_is_refused_and_never_crashes(text: str, code: str) -> None:
    assert code in [problem.code for problem in problems(text)]


def test_the_words_are_plain() -> None:
    texts = ["a: [&x 1]", "a: b: c", "a: 1\n--- \nb: 2", "a: 'b", "? [a]: b", "a:\n  b: 1\n c: 2", "a: |\n b\na"]
    said = " ".join(problem.message + problem.fix for text in texts for problem in problems(text)).lower()
    for word in ("yaml", "scalar", "mapping", "token", "parse", "node", "anchor", "alias", "indentation", "sequence"):
        assert word not in said


def test_the_place_of_a_value_a_name_and_what_is_not_there() -> None:
    doc = document.parse("a: 1\nsenders:\n  me:\n    name: 'X'\nlist: [p, q]\nitems:\n  - z: 9\n", "f.yml", 10)
    assert doc.place(["a"]) == (10, 4)
    assert doc.place(["a"], key=True) == (10, 1)
    assert doc.place(["senders", "me", "name"]) == (13, 11)
    assert doc.place(["senders", "me", "email"]) == (12, 3)
    assert doc.place(["senders", "me"]) == (12, 3)
    assert doc.place(["list", 1]) == (14, 11)
    assert doc.place(["items", 0, "z"]) == (16, 8)
    assert doc.place([]) == (10, 1)
    problem = doc.problem(["senders", "me", "name"], "E106", "too short", "name: Longer")
    assert (problem.line, problem.col, problem.source) == (13, 11, "    name: 'X'")


def test_columns_count_characters_as_typed() -> None:
    assert document.parse("🌤️é: x", "f").place(["🌤️é"]) == (1, 6)


def test_other_line_ends_and_a_byte_order_mark() -> None:
    assert read("\ufeffa: 1\r\nb: 2\r\n") == {"a": "1", "b": "2"}
    doc = document.parse("a: x\u2028y\nb: 2", "f")
    assert doc.place(["b"]) == (2, 4)


lines = st.text(st.sampled_from("ab:#-'\"[]{}|>&*!%@?, \t\n“”\u00a0\u2028\x00é💡~\\"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.one_of(lines, st.text(max_size=60)))
def test_random_text_is_read_or_refused_with_places_that_exist(text: str) -> None:
    doc, found = document.read(text, "a.md", 2)
    count = len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for problem in found:
        assert 2 <= problem.line <= count + 1
        assert problem.col >= 1
        assert problem.message
    if not found:
        assert isinstance(doc.plain(), dict)


word = st.text(st.characters(categories=["L", "N"], include_characters="#:'\"“” -,!?[]{}&*"), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(word.map(str.strip).filter(bool))
def test_a_value_is_read_as_typed_or_its_slip_is_told(value: str) -> None:
    doc, found = document.read(f"subject: {value}", "a.md")
    if not found and value[0] not in "'\"[{":
        kept = value.split("  # ", maxsplit=1)[0]
        assert doc.plain()["subject"] in {value, kept.strip(), value.removesuffix("  #").strip(), None}
