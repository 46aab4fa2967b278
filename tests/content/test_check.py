"""What is known about an issue before anyone gets it, and a page for every code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.content import check, library
from newsletter.content.issue import Issue
from newsletter.core.email import Email, Mailbox
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Footer, Images, Magnet, Publication, Sender

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org")},
    footer=Footer(address="4 Mill Lane, Oakham, CA 90210"),
    topics={"workshops": "Workshops"},
    segments={"near": "topic(workshops)"},
    fields={"first_name": "friend"},
    magnets={"workbook": Magnet("Workbook", "Pages.", ("magnets/w.pdf",))},
)
HEAD = "subject: On rest\npreheader: What an hour without a purpose can do for a working week."
BODY = "Words to read at ease. " * 20


def load(tmp_path: Path, head: str = HEAD, body: str = BODY, publication: Publication = PUBLICATION) -> Issue:
    path = tmp_path / "issues" / "2026-12-01-on-rest.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\n{head}\n---\n\n{body}\n", "utf-8")
    return library.load(path, publication, tmp_path)


def found(tmp_path: Path, head: str = HEAD, body: str = BODY, publication: Publication = PUBLICATION) -> list[Problem]:
    return list(check.check(load(tmp_path, head, body, publication), publication, tmp_path))


def codes(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.level.value) for problem in problems]


def test_a_good_issue_has_no_problems(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("more", "code", "level", "line", "part"),
    [
        ("magnet: wrkbook", "E250", "error", 4, "magnet: workbook"),
        ("audience: [nearr]", "E106", "error", 4, "audience: [near]"),
        ("audience: [all, letter, workshops, near]", "", "", 0, ""),
    ],
)
def test_keys_of_the_publication(tmp_path: Path, more: str, code: str, level: str, line: int, part: str) -> None:
    problems = found(tmp_path, f"{HEAD}\n{more}")
    assert [(one.code, one.level.value, one.line, part in one.fix) for one in problems] == (
        [(code, level, line, True)] if code else []
    )


@pytest.mark.parametrize(
    ("subject", "level"),
    [
        ("a" * 50, None),
        ("a" * 51, Level.NOTE),
        ("a" * 61, Level.WARNING),
        ("REST IS AN ART", Level.WARNING),
        ("Rest now!!", Level.WARNING),
        ("Rest?!", Level.WARNING),
        ("ADHD at work", None),
        ("USA", None),
        ('{{ first_name, "friend" }}, on rest and quiet times', None),
    ],
)
def test_subjects(tmp_path: Path, subject: str, level: Level | None) -> None:
    problems = found(tmp_path, HEAD.replace("On rest", f"'{subject}'"))
    assert [(one.code, one.level, one.line) for one in problems] == ([("W301", level, 2)] if level else [])


@pytest.mark.parametrize(
    ("preheader", "level"),
    [
        ("preheader: Short", Level.WARNING),
        ("preheader: " + "long " * 27, Level.WARNING),
        ("preheader: On rest, and how we may find it in a working week", Level.WARNING),
        ("x_none: a", Level.WARNING),
    ],
)
def test_preheaders(tmp_path: Path, preheader: str, level: Level) -> None:
    assert codes(found(tmp_path, f"subject: On rest\n{preheader}")) == [("W302", level.value)]


def test_length(tmp_path: Path) -> None:
    assert codes(found(tmp_path, body="Few words.")) == [("W304", "warning")]
    assert codes(found(tmp_path, body="word " * 5001)) == [("W304", "warning")]


def test_headings_and_bare_addresses(tmp_path: Path) -> None:
    problems = found(tmp_path, body=f"### Small\n\n{BODY}\n\nhttps://example.org/a\n\n## Large\n\n### Small")
    assert [(one.code, one.line, one.fix) for one in problems] == [
        ("W211", 6, "## Small"),
        ("W213", 10, "[Read it here](https://example.org/a){.button}"),
    ]
    assert problems[1].source == "https://example.org/a"


def test_promise_7_a_picture_from_another_site_is_refused(tmp_path: Path) -> None:
    body = f"{BODY}\n\n- a ![b](https://pixel.example.com/b.png)\n\n![c](https://img.example.org/c.png)"
    assert [(one.code, one.level, one.line) for one in found(tmp_path, body=body)] == [
        ("E211", Level.ERROR, 8),
        ("E211", Level.ERROR, 10),
    ]
    own = replace(PUBLICATION, images=Images("https://img.example.org"))
    assert [one.line for one in found(tmp_path, body=body, publication=own)] == [8]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "E300"),
        ("4 Mill Lane, Oakham, CA", "W306"),
        ("11800 High Road, Suite 22500, Oakham, CA", "W306"),
        ("4 Mill Lane", "W306"),
        ("4 Mill Lane, Oakham, CA 90210", ""),
        ("4 Mill Lane, Oakham, CA 90210-1234", ""),
        ("4 Mill Lane Oakham CA 90210", ""),
        ("Mühlweg 4, 10115 Berlin", ""),
        ("4 Mill Lane, London SW1A 1AA", ""),
        ("4 Mill Lane, Ottawa K1A 0B1", ""),
        ("PO Box 12345, Oakham, CA", "W306"),
    ],
)
def test_the_postal_address(tmp_path: Path, address: str, code: str) -> None:
    problems = found(tmp_path, publication=replace(PUBLICATION, footer=Footer(address=address)))
    assert [(one.code, one.file, one.line) for one in problems] == ([(code, "newsletter.yml", 0)] if code else [])
    assert [one.level for one in problems if one.code == "E300"] == [Level.ERROR] * (code == "E300")


def test_a_warning_is_silenced_with_a_reason_and_an_error_never(tmp_path: Path) -> None:
    ignored = f"{HEAD}\nignore:\n  - code: W304\n    why: a card, no letter"
    assert found(tmp_path, ignored, "Few words.") == []
    unreasoned = f"{HEAD}\nignore:\n  - code: W304"
    assert codes(found(tmp_path, unreasoned, "Few words.")) == [("W304", "warning"), ("E106", "error")]
    error = f"{HEAD}\nignore:\n  - code: E220\n    why: I like it"
    assert ("E220", "error") in codes(found(tmp_path, error, f"{BODY}[a](TODO)"))


def test_the_size_of_a_mail(tmp_path: Path) -> None:
    issue = load(tmp_path)
    for size, level in ((80_000, None), (80_001, Level.WARNING), (95_000, Level.WARNING), (95_001, Level.ERROR)):
        email = Email(Mailbox("a", "a@example.org"), None, ("s",), ("é" + "x" * (size - 2),), ("t",))
        problems = check.check(issue, PUBLICATION, tmp_path, email=email)
        assert [(one.code, one.level) for one in problems] == ([("E303", level)] if level else [])


def test_problems_of_reading_come_along_in_order_and_once(tmp_path: Path) -> None:
    problems = found(tmp_path, HEAD + "\nnumber: x", "# A\n\n" + BODY + "\n\n[b](TODO)")
    assert [(one.code, one.line) for one in problems] == [("E106", 4), ("E200", 7), ("E220", 11)]


# --- every code is explained -----------------------------------------------------------------------

SOURCES = [
    "slips",
    "document",
    "frontmatter",
    "merge",
    "urls",
    "phrases",
    "grammar",
    "dialect",
    "images",
    "library",
    "check",
]


def raised() -> set[str]:
    texts = [(ROOT / "newsletter" / "content" / f"{name}.py").read_text("utf-8") for name in SOURCES]
    return set(re.findall(r'"([EW]\d{3})"', "\n".join(texts)))


@pytest.mark.parametrize("code", sorted(raised()))
def test_every_code_has_a_page_and_a_test(code: str) -> None:
    page = (ROOT / "docs" / "errors" / f"{code}.md").read_text("utf-8")
    assert page.startswith(f"# {code}: ")
    for part in ("## Before", "## After"):
        assert part in page
    tests = "".join(path.read_text("utf-8") for path in HERE.parent.glob("test_*.py"))
    assert f'"{code}"' in tests
