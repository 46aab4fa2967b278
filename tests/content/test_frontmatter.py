"""The lines at the top of an issue become typed values, with their defaults."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from newsletter.content import document, frontmatter
from newsletter.content.frontmatter import FileName, Front
from newsletter.core.problem import Problem
from newsletter.core.publication import Author, Publication, Sender

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org"), "guest": Sender("Guest", "b@example.org")},
    authors={"ada": Author("Ada"), "lin": Author("Lin")},
    fields={"first_name": "friend"},
    timezone="Europe/Berlin",
    language="de",
)
NAME = FileName(dt.date(2026, 12, 1), "on-rest")


def front(
    text: str, name: FileName = NAME, publication: Publication = PUBLICATION
) -> tuple[Front, tuple[Problem, ...]]:
    return frontmatter.read(document.parse(text, "issues/a.md", 2), publication, name)


def good(text: str) -> Front:
    found, problems = front(text)
    assert problems == ()
    return found


def bad(text: str, name: FileName = NAME) -> Problem:
    _, problems = front(text if "subject" in text else f"subject: On rest\n{text}", name)
    assert len(problems) == 1, problems
    return problems[0]


def test_defaults() -> None:
    found = good("subject: On rest")
    assert found == Front(
        subject="On rest",
        date=dt.date(2026, 12, 1),
        draft=True,
        audience=("all",),
        sender="house",
        lang="de",
        dir="ltr",
        slug="on-rest",
        archive=True,
    )


def test_every_field() -> None:
    found = good(
        "subject: On rest\npreheader: A line\ntitle: Rest\ndate: 2026-12-01\nsend_at: 12:30\ndraft: false\n"
        "audience:\n  - workshops\nfrom: guest\nreply_to: desk@example.org\nlang: ar\nslug: rest\nnumber: 012\n"
        "tags: [a, b]\nsummary: About rest\ncanonical_url: https://example.org/rest\narchive: false\nauthor: ada\n"
        "image:\n  src: images/a.jpg\n  alt: ''\n  caption: C\n  link: https://example.org\nmagnet: workbook\n"
        "feedback: true\ntheme: letter\nplain: issues/a.txt\nignore:\n  - code: W304\n    why: short on purpose\n"
        "x_mood: calm\n"
    )
    assert found.send_at == dt.time(12, 30)
    assert (found.draft, found.archive, found.feedback) == (False, False, True)
    assert (found.sender, found.reply_to, found.author) == ("guest", "desk@example.org", ("ada",))
    assert (found.lang, found.dir, found.number, found.slug) == ("ar", "rtl", 12, "rest")
    assert found.image == frontmatter.HeroField("images/a.jpg", "", "C", "https://example.org")
    assert [(one.code, one.why) for one in found.ignore] == [("W304", "short on purpose")]
    assert found.extra == {"x_mood": "calm"}
    assert good("subject: Abc\nsend_at: 2026-12-01 09:30").send_at == dt.datetime(2026, 12, 1, 9, 30)
    assert good("subject: Abc\nauthor: [ada, lin]").author == ("ada", "lin")


@pytest.mark.parametrize(
    ("line", "code", "col", "part_of_fix"),
    [
        ("preheadr: x", "E105", 1, "preheader: x"),
        ("description: x", "E105", 1, "preheader: x"),
        ("zebra: x", "E105", 1, "x_zebra"),
        ("tags: a, b", "E106", 7, "tags: [a, b]"),
        ("audience: all", "E106", 11, "audience: [all]"),
        ("draft: no", "E106", 8, "draft: false"),
        ("number: No. 12", "E106", 9, "number: 12"),
        ("from: gest", "E106", 7, "from: guest"),
        ("from: Ada <a@example.org>", "E106", 7, "from: house"),
        ("reply_to: Ada <a@example.org>", "E106", 11, "reply_to: name@example.org"),
        ("lang: English", "E106", 7, "lang: en"),
        ("dir: right", "E106", 6, "dir: ltr"),
        ("slug: On Rest", "E106", 7, "slug: on-rest"),
        ("canonical_url: example", "E220", 16, "canonical_url: https://"),
        ("author: adda", "E250", 9, "author: ada"),
        ("image: images/a.jpg", "E106", 8, "src: images/a.jpg"),
        ("image: {src: images/a.jpg}", "E210", 1, "alt:"),
        ("image: {src: images/a.jpg, alt: a, captoin: b}", "E105", 36, "caption"),
        ("ignore: [{code: W304}]", "E106", 10, "why:"),
        ("ignore: [{code: E220, why: x}]", "E106", 10, "why:"),
        ("send_at: noon", "E107", 10, "send_at: 09:30"),
        ("title: [a, b]", "E106", 1, "title: The words"),
        ("title: Dear {{ frist_name }}", "E101", 0, ""),
    ],
)
def test_promise_11_a_wrong_value_is_told_with_its_place_and_a_fix(
    line: str, code: str, col: int, part_of_fix: str
) -> None:
    if code == "E101":
        line, code, col, part_of_fix = f"title: '{line[7:]}'", "E240", 14, "{{ first_name,"
    problem = bad(line)
    assert (problem.code, problem.line, problem.col) == (code, 3, col)
    assert problem.source == line
    assert part_of_fix in problem.fix


@pytest.mark.parametrize(
    ("typed", "fixes"),
    [
        ("12/01/2026", ["2026-12-01", "2026-01-12"]),
        ("13/01/2026", ["2026-01-13"]),
        ("December 1, 2026", ["2026-12-01"]),
        ("1. Dezember 2026", ["2026-12-01"]),
        ("2026-12-1", ["2026-12-01"]),
        ("soon", ["2026-12-01"]),
        ("2026-02-30", []),
    ],
)
def test_a_date_in_another_spelling(typed: str, fixes: list[str]) -> None:
    problem = bad(f"date: {typed}", FileName(None, "a"))
    assert problem.code == "E107"
    assert typed in problem.message
    assert all(f"date: {fix}" in problem.fix for fix in fixes)
    if len(fixes) > 1:
        assert "1 December or 12 January" in problem.message


def test_the_file_name_and_the_date_differ() -> None:
    assert bad("date: 2026-12-02").code == "E110"


def test_a_time_that_the_clocks_skip() -> None:
    problem = bad("date: 2027-03-28\nsend_at: 02:30", FileName(None, "a"))
    assert problem.code == "E107"
    assert "does not exist" in problem.message


def test_the_publications_own_time_on_a_day_on_which_the_clocks_skip_it() -> None:
    early = dataclasses.replace(PUBLICATION, send_at=dt.time(2, 30))
    text = "subject: On rest\ndate: {}"
    (problem,) = front(text.format("2027-03-28"), FileName(None, "a"), early)[1]
    assert (problem.code, problem.line, "does not exist" in problem.message) == ("E107", 3, True)
    assert "send_at: 09:30" in problem.fix
    assert front(text.format("2027-03-27"), FileName(None, "a"), early)[1] == ()


def test_a_finished_issue_needs_a_date() -> None:
    assert bad("draft: false", FileName(None, "a")).code == "E107"
    assert front("subject: Abc\ndraft: true", FileName(None, "a"))[1] == ()


@pytest.mark.parametrize(
    "text", ["title: Rest", "subject:", "subject: ab", "subject: " + "long " * 40, "subject: [a, b]"]
)
def test_the_subject_is_required_and_of_a_sane_length(text: str) -> None:
    _, problems = front(text)
    assert [problem.code for problem in problems] == ["E106"]


@pytest.mark.parametrize(
    ("stem", "date", "slug"),
    [
        ("2026-12-01-on-rest", dt.date(2026, 12, 1), "on-rest"),
        ("on rest & Café", None, "on-rest-cafe"),
        ("2026-13-01-x", None, "2026-13-01-x"),
        ("2026-12-01-тихо", dt.date(2026, 12, 1), "тихо"),
        ("2026-12-01", dt.date(2026, 12, 1), ""),
    ],
)
def test_what_a_file_name_says(stem: str, date: dt.date | None, slug: str) -> None:
    assert frontmatter.of_file_name(stem) == FileName(date, slug)


def test_a_file_in_two() -> None:
    halves, problems = frontmatter.split("---\nsubject: A\n---\n\nBody\n\n---\n\nmore\n", "a.md")
    assert problems == ()
    assert halves == frontmatter.Halves("subject: A", "\nBody\n\n---\n\nmore\n", 2, 4)


@pytest.mark.parametrize(
    ("text", "line", "front", "body"),
    [
        ("—\nsubject: A\n---\nBody", 1, "subject: A", "Body"),
        ("---\nsubject: A\n—\nBody", 3, "subject: A", "Body"),
        ("---\nsubject: A\n--\nBody\n\n---\n\nmore", 3, "subject: A", "Body\n\n---\n\nmore"),
        ("---\nsubject: A\ntags:\n  - a\n\nBody goes on", 1, "subject: A\ntags:\n  - a", "\nBody goes on"),
        ("subject: A\n---\nBody", 1, "subject: A", "Body"),
    ],
)
def test_the_three_hyphens_amiss(text: str, line: int, front: str, body: str) -> None:
    halves, problems = frontmatter.split(text, "a.md")
    assert [(problem.code, problem.line) for problem in problems] == [("E100", line)]
    assert halves is not None
    assert (halves.front, halves.body) == (front, body)


def test_no_front_matter_at_all() -> None:
    halves, problems = frontmatter.split("Dear all,\n\nhello", "a.md")
    assert halves is None
    assert problems[0].code == "E100"
    assert frontmatter.split("", "a.md")[0] is None
