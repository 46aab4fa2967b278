"""A new issue: its day, its name, and front matter that is read as it was typed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.content import document, library
from newsletter.core.problem import errors
from newsletter.core.publication import Publication
from newsletter.errors import NewsletterError
from newsletter.flows import begin

TODAY = dt.date(2026, 11, 25)  # a Wednesday


@pytest.mark.parametrize(
    ("rhythm", "taken", "expected"),
    [
        ("tuesday 09:30", [], "2026-12-01"),
        ("tuesday 09:30", ["2026-12-01"], "2026-12-08"),
        ("tuesday", ["2026-12-03"], "2026-12-08"),
        ("Wednesday 7:00", [], "2026-12-02"),  # today is too late
        ("tuesday 09:30", ["2026-01-06"], "2026-12-01"),
        ("", ["2026-12-03"], "2026-12-10"),  # a Thursday again
        ("", ["2026-11-19"], "2026-11-26"),
        ("", [], "2026-12-02"),
        ("tuesday, friday 09:30", [], "2026-11-27"),
        ("every thursday", ["2026-11-26"], "2026-12-03"),
        ("daily 08:00", [], "2026-11-26"),
    ],
)
def test_the_next_day_a_letter_goes_out(rhythm: str, taken: list[str], expected: str) -> None:
    days = [dt.date.fromisoformat(day) for day in taken]
    assert begin.next_day(rhythm, TODAY, days).isoformat() == expected


def test_a_new_issue_is_a_draft_without_errors(publication: Publication, root: Path) -> None:
    path = begin.begin("What we carry", replace(publication, rhythm="tuesday 09:30"), root=root, today=TODAY)
    assert path == root / "issues/2026-12-08-what-we-carry.md"
    issue = library.load(path, publication, root)
    assert (issue.subject, issue.draft, issue.date) == ("What we carry", True, dt.date(2026, 12, 8))
    assert errors(issue.problems) == []


def test_numbers_go_on_where_issues_have_them(publication: Publication, root: Path) -> None:
    first = begin.begin("One", publication, root=root, today=TODAY)
    assert "number:" not in first.read_text("utf-8")
    first.write_text(first.read_text("utf-8").replace("draft: true", "draft: true\nnumber: 7"), "utf-8")
    second = begin.begin("Two", publication, root=root, today=TODAY)
    assert library.load(second, publication, root).number == 8


def test_nothing_is_overwritten(publication: Publication, root: Path) -> None:
    path = begin.begin("Rest", publication, root=root, today=TODAY, date=dt.date(2027, 1, 5))
    path.write_text("mine", "utf-8")
    with pytest.raises(NewsletterError, match="left as it is") as refused:
        begin.begin("Rest", publication, root=root, today=TODAY, date=dt.date(2027, 1, 5))
    assert "--date" in refused.value.todo
    assert path.read_text("utf-8") == "mine"


def test_a_name_that_is_taken_for_ever_gets_a_number(publication: Publication, root: Path) -> None:
    assert library.find("quiet", root).name == "2026-12-01-quiet.md"
    path = begin.begin("Quiet", publication, root=root, today=TODAY)
    assert path.stem.endswith("-quiet-2")
    assert library.find("quiet", root).name == "2026-12-01-quiet.md"


def test_never_before_the_first_send(publication: Publication, root: Path) -> None:
    later = replace(publication, rhythm="tuesday", first_send=dt.date(2027, 3, 2))
    assert begin.begin("Rest", later, root=root, today=TODAY).name.startswith("2027-03-02-")


@pytest.mark.parametrize("subject", ["", "ab", "x" * 151, "bell\x07"])
def test_a_subject_that_cannot_be(subject: str, publication: Publication, root: Path) -> None:
    with pytest.raises(NewsletterError) as refused:
        begin.begin(subject, publication, root=root, today=TODAY)
    assert refused.value.todo


def test_a_day_in_another_spelling_is_offered_in_ours() -> None:
    with pytest.raises(NewsletterError) as refused:
        begin.day("1 December 2026")
    assert "--date 2026-12-01" in refused.value.todo


printable = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"], include_characters=" "))


@example("We are #1 here")
@example("Rest: a beginning")
@example("It ends with:")
@example("- a dash")
@example("'quoted' and \"quoted\"")
@example('{{ first_name, "you" }}, hello')
@example("Off")
@example("#1")
@example("50 % of 2 * 3")
@given(printable.map(lambda text: " ".join(text.split())).filter(bool))
def test_promise_11_whatever_is_typed_is_read_back(text: str) -> None:
    if any(ord(ch) in {0xFFFE, 0xFFFF, 0xFEFF} for ch in text):
        return  # no characters of YAML
    found, problems = document.read(f"subject: {begin.scalar(text)}\n", "issue.md")
    assert (found.plain(), tuple(problems)) == ({"subject": text}, ())


def test_no_letter_is_begun_for_a_holiday(publication: Publication, root: Path) -> None:
    calm = replace(publication, rhythm="tuesday 09:30", holidays=("2026-12-07 to 2026-12-20",))
    assert begin.begin("Rest", calm, root=root, today=TODAY).name == "2026-12-22-rest.md"
    assert begin.next_day("tuesday", TODAY, [], ["2026-01-01 to 9000-01-01"]).weekday() == 1
