"""What is known about an issue before anyone gets it, and a page for every code."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.content import check, library
from newsletter.content.blocks import Asset, Image, Picture
from newsletter.content.issue import HeroImage, Issue
from newsletter.core.email import Email, Mailbox
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Footer, Images, Magnet, Publication, Sender
from newsletter.errors import SettingsError

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
        ("NASA at work", None),
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
    problems = found(tmp_path, body=f"### Small\n\n{BODY}\n\nhttps://study.example/a\n\n## Large\n\n### Small")
    assert [(one.code, one.line, one.fix) for one in problems] == [
        ("W211", 6, "## Small"),
        ("W213", 10, "[Read it here](https://study.example/a){.button}"),
    ]
    assert problems[1].source == "https://study.example/a"


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
        problems = [one for one in check.check(issue, PUBLICATION, tmp_path, email=email) if one.code == "E303"]
        assert [(one.code, one.level) for one in problems] == ([("E303", level)] if level else [])


def test_problems_of_reading_come_along_in_order_and_once(tmp_path: Path) -> None:
    problems = found(tmp_path, HEAD + "\nnumber: x", "# A\n\n" + BODY + "\n\n[b](TODO)")
    assert [(one.code, one.line) for one in problems] == [("E106", 4), ("E200", 7), ("E220", 11)]


# --- what is told when, and to whom ---------------------------------------------------------------------


def test_a_day_that_has_gone_by_is_a_note_when_somebody_asks(tmp_path: Path) -> None:
    issue = load(tmp_path, f"{HEAD}\ndate: 2026-12-01")
    assert check.check(issue, PUBLICATION, tmp_path) == ()
    assert check.check(issue, PUBLICATION, tmp_path, today=dt.date(2026, 12, 1)) == ()
    told = check.check(issue, PUBLICATION, tmp_path, today=dt.date(2026, 12, 2))
    assert [(one.code, one.level, one.line) for one in told] == [("E301", Level.NOTE, 4)]


def house(tmp_path: Path, text: str) -> None:
    (tmp_path / "words").mkdir(exist_ok=True)
    (tmp_path / "words" / "house.toml").write_text(text, "utf-8")


def test_the_owner_changes_the_word_lists(tmp_path: Path) -> None:
    head = HEAD.replace("On rest", "Anxiety and grief")
    assert codes(found(tmp_path, head)) == [("W315", "warning")]
    house(tmp_path, '[conditions]\nnot = ["anxiety"]\n')
    assert found(tmp_path, head) == []
    house(tmp_path, '[conditions]\nnot = ["anxiety"]\nmore = ["grie*"]\n')
    assert [one.message for one in found(tmp_path, head)] == [
        'the subject speaks of "grief", and others see it on the lock screen'
    ]
    house(tmp_path, '[conditions]\nwords = ["rest"]\n')
    assert found(tmp_path, head) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[condition]\nmore = ["a"]', 'there is no list "condition"'),
        ("[conditions]\nmore = 3", "[conditions] cannot have more = 3"),
        ("[claims]\nlimit = 3", "[claims] cannot have limit"),
        ("[claims", "words/house.toml"),
    ],
)
def test_a_word_list_that_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    house(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        found(tmp_path)
    assert said in str(caught.value)


def test_a_subject_that_discloses_is_an_error_when_readers_are_patients(tmp_path: Path) -> None:
    head = HEAD.replace("On rest", "Living with depression")
    patients = replace(PUBLICATION, readership="patients")
    assert codes(found(tmp_path, head)) == [("W315", "warning")]
    assert codes(found(tmp_path, head, publication=patients)) == [("E307", "error")]
    named = replace(patients, senders={"house": Sender("Oakham Anxiety Clinic", "a@example.org")})
    assert [(one.code, one.file) for one in found(tmp_path, publication=named)] == [("E307", "newsletter.yml")]


def test_help_beside_a_hard_word(tmp_path: Path) -> None:
    body = f"We spoke of suicide.\n\n{BODY}"
    assert codes(found(tmp_path, body=body)) == [("W314", "warning")]
    assert found(tmp_path, body=body, publication=replace(PUBLICATION, crisis_text="Call 988.")) == []
    assert found(tmp_path, body=f"{body}\n\nCall 988, at any hour.") == []


@pytest.mark.parametrize(
    "line",
    [
        "Secure attachment grows slowly; he was attached to her, and I attach to people too.",
        "She wrote: “I was on time (10:30), and 12 of us came.”",
        "The WHO and the APA say so; NATO does not.",
        "We met on Tuesday, 1 December 2026, and on May 5 at 10:30.",
        "Freedom is not free. Now and then, now.",
        "In `TODO` lists letters stand for later. `lorem ipsum` too.",
        "[The study](https://study.example/TODO/FREE) and [study.example](https://www.study.example/a)",
        "— And then? she asked.",
        "Warmly,\nAda Lovelace, LMFT",
        'Dear {{ first_name, "friend" }},',
        "Roses\nViolets\nAnd the rest",
        "👉 [Take a place](https://study.example/a)",
        "He is a psychotherapist, and anxious now and then.",
        "She said “What a day!” and left.",
    ],
)
def test_good_lines_are_left_alone(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, body=f"{line}\n\n{BODY}") == []


def test_code_and_comments_are_no_prose(tmp_path: Path) -> None:
    body = f"```\nTODO: FREE {{{{x}}}}\n| a | b |\n| c | d |\n```\n\n<!-- TODO\nTK -->\n\n{BODY}"
    assert found(tmp_path, body=body) == []


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((200_000,), []),
        ((200_001,), [("W305", "warning", 2)]),
        ((1_000_001,), [("E212", "error", 2), ("W305", "warning", 0)]),
        ((190_000,) * 5, [("W305", "warning", 0)]),
    ],
)
def test_pictures_that_weigh_too_much(tmp_path: Path, sizes: tuple[int, ...], told: list[tuple[str, str, int]]) -> None:
    assets = [Asset(f"images/{n}.jpg", f"{n}.jpg", 600, 400, size) for n, size in enumerate(sizes)]
    pictures = [Picture(one.path, "A pier", one) for one in assets]
    issue = load(tmp_path)
    some = replace(issue, image=HeroImage(pictures[0]), body=(*issue.body, *(Image(one) for one in pictures[1:])))
    found = check.check(some, PUBLICATION, tmp_path)
    assert sorted((one.code, one.level.value, one.line) for one in found) == sorted(told)


@pytest.mark.parametrize(
    ("typed", "fix"),
    [
        ("Monday, 24 November 2026", "Tuesday 24 November, or Monday 23 November"),
        ("Wednesday, November 24, 2026", "Tuesday 24 November, or Wednesday 25 November"),
        ("Friday 24 Nov.", "Tuesday 24 November, or Friday 27 November"),
        ("Montag, den 24. November 2026", "Tuesday 24 November, or Monday 23 November"),
        ("sábado 24 de noviembre de 2026", "Tuesday 24 November, or Saturday 21 November"),
        ("Tuesday, 24 November 2026", ""),
        ("mardi 24 novembre 2026", ""),
        ("Tuesday 2026-11-24", ""),
    ],
)
def test_weekdays_and_dates(tmp_path: Path, typed: str, fix: str) -> None:
    problems = found(tmp_path, body=f"We meet on {typed} at noon.\n\n{BODY}")
    assert [(one.code, one.col, one.fix) for one in problems] == ([("W312", 12, fix)] if fix else [])


def test_two_links_to_one_address_have_their_own_places(tmp_path: Path) -> None:
    body = f"See [one](https://bit.ly/a) and [two](https://bit.ly/a).\nAnd [three](https://bit.ly/a).\n\n{BODY}"
    assert [(one.code, one.line, one.col) for one in found(tmp_path, body=body)] == [
        ("W221", 6, 5),
        ("W221", 6, 33),
        ("W221", 7, 5),
    ]


def test_a_column_has_no_headings_so_none_is_asked_for(tmp_path: Path) -> None:
    columns = "::: columns\n::: column\n**Left**\n\nOne.\n:::\n::: column\n**Right**\n\nTwo.\n:::\n:::"
    assert found(tmp_path, body=f"{columns}\n\n{BODY}") == []
