"""Changes made by themselves: exactly those that are certain, and nothing else in the file."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.content import check, library
from newsletter.core.problem import Fix, Level, Problem
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NotFound
from newsletter.flows.mend import mend, tried

BODY = "\n\nDear friend,\n\nWords to read at ease.\n"


def file(root: Path, text: str, name: str = "2026-12-02-mended.md") -> Path:
    path = root / "issues" / name
    path.write_bytes(text.encode())
    return path


def mended(root: Path, publication: Publication, head: str, body: str = BODY) -> str:
    """The lines at the top afterwards; what was done must be done once."""
    path = file(root, f"---\n{head}\n---{body}")
    done = mend(path, publication, root)
    after = path.read_text("utf-8")
    assert mend(path, publication, root) == ()
    assert path.read_text("utf-8") == after
    assert bool(done) == (after != f"---\n{head}\n---{body}")
    return after.removeprefix("---\n").partition("\n---")[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("subject: Healing: while helping", "subject: 'Healing: while helping'"),
        ("subject: We are #1 here", "subject: 'We are #1 here'"),
        ("subject: *Rest*", "subject: '*Rest*'"),
        ("subject: “A quiet week”", "subject: A quiet week"),
        ("subject: “Rest: a beginning”", "subject: 'Rest: a beginning'"),
        ("subject:Hello there", "subject: Hello there"),
        ("subject: Hello there\ntags: rest, quiet work", "subject: Hello there\ntags: [rest, quiet work]"),
        ("subject: Hello there\ntags:\n\t- rest", "subject: Hello there\ntags:\n  - rest"),
        ("subject: Hello there\ndraft: yes", "subject: Hello there\ndraft: true"),
        ("subject: Hello there\narchive: Off", "subject: Hello there\narchive: false"),
        ("subject: Hello there\ndate: December 2, 2026", "subject: Hello there\ndate: 2026-12-02"),
        ("subject: Hello there\ndate: 12/02/2026", "subject: Hello there\ndate: 2026-12-02"),  # the file's name agrees
        ("subject: Dear {{ first_name }}, rest", 'subject: Dear {{ first_name, "friend" }}, rest'),
        ("subject: Dear *|FNAME|*", 'subject: Dear {{ first_name, "friend" }}'),
        ("subject: A: b\ntitle: C: d\ntags: e", "subject: 'A: b'\ntitle: 'C: d'\ntags: [e]"),
        ("subject:\tHello: there", "subject: 'Hello: there'"),
    ],
)
def test_what_is_certain_is_done(root: Path, publication: Publication, before: str, after: str) -> None:
    assert mended(root, publication, before) == after


@pytest.mark.parametrize(
    "head",
    [
        "subject: Hello there\npreheadr: A line",  # a name that is only near
        "subject: Hello there\ntitle: A\ntitle: B",  # one of two
        "subject: Hello there\ndate: 03/04/2026",  # two days, neither of the file's name
        "subject: Hello there\ndate: December 3, 2026",  # not the day of the file's name
        "subject: Hello there\ndraft: no",  # that it may go is for its writer to say
        "subject: Hello there\nnumber: No. 12",
        "subject: Hello there\naudience: [workshps]",
        "subject: Dear {{ frist_name }}",
        "subject: Dear {{ nickname }}",
        'subject: "Dear {{ first_name }}"',  # its quotation marks are the line's own
        "subject: Hello there\ndate: 2026-12-03",
        "subject: Hello there\ntitle: A \x07 b: c",  # more than the slip would be lost
        "subject: Hello there",
    ],
)
def test_what_is_not_certain_is_left(root: Path, publication: Publication, head: str) -> None:
    assert mended(root, publication, head) == head


def test_the_text_is_mended_too(root: Path, publication: Publication) -> None:
    body = (
        "\n\nDear {{ first_name }} and {{ first_name }},\n\n    `{{ first_name }}`\n\n# Title\n\n"
        "See [it](https://www.google.com/url?q=https://study.example/a&sa=D).  \n"
    )
    path = file(root, f"---\nsubject: Hello there\n---{body}")
    done = mend(path, publication, root)
    tag = '{{ first_name, "friend" }}'
    assert path.read_text("utf-8") == f"---\nsubject: Hello there\n---{body}".replace(
        "Dear {{ first_name }} and {{ first_name }}", f"Dear {tag} and {tag}"
    ).replace("https://www.google.com/url?q=https://study.example/a&sa=D", "https://study.example/a")
    assert [one.problem.code for one in done].count("W204") == 1


def test_the_three_hyphens(root: Path, publication: Publication) -> None:
    path = file(root, f"—\nsubject: Hello there\n–{BODY}")
    assert [one.problem.code for one in mend(path, publication, root)] == ["E100", "E100"]
    assert path.read_text("utf-8") == f"---\nsubject: Hello there\n---{BODY}"
    untitled = file(root, f"subject: Hello there\n---{BODY}")
    mend(untitled, publication, root)
    assert untitled.read_text("utf-8") == f"---\nsubject: Hello there\n---{BODY}"


def test_line_ends_marks_and_rights_are_kept(root: Path, publication: Publication) -> None:
    text = "\ufeff---\r\nsubject: A: b\r\ntags: x\r\n---\r\n\r\nOne\nTwo  \r\nThree"
    path = file(root, text)
    path.chmod(0o640)
    mend(path, publication, root)
    assert path.read_bytes().decode() == text.replace("A: b", "'A: b'").replace("tags: x", "tags: [x]")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []


def test_a_line_that_is_added_ends_as_the_others_do(root: Path, publication: Publication) -> None:
    path = file(root, "subject: Hello there\r\n---\r\n\r\nText\r\n")
    mend(path, publication, root)
    assert path.read_bytes() == b"---\r\nsubject: Hello there\r\n---\r\n\r\nText\r\n"


def test_a_change_that_brings_another_error_is_taken_back() -> None:
    fix = Fix("a.md", 1, 1, "worse")
    first = Problem("a.md", 1, 1, "E101", Level.ERROR, "first", "worse", "bad", fix)
    other = Problem("a.md", 1, 1, "E102", Level.ERROR, "other", "", "worse")
    assert tried("bad\n", lambda text: (other,) if text.startswith("worse") else (first,)) == ("bad\n", ())
    assert tried("bad\n", lambda _: (first,)) == ("bad\n", ())  # it is no help
    text, done = tried("bad\n", lambda text: () if text.startswith("worse") else (first,))
    assert (text, len(done)) == ("worse\n", 1)


def test_a_link_to_a_file_stays_one(root: Path, publication: Publication) -> None:
    real = root / "elsewhere.md"
    real.write_text("---\nsubject: A: b\n---\n\nText\n", "utf-8")
    link = root / "issues" / "2026-12-03-link.md"
    link.symlink_to(real)
    mend(link, publication, root)
    assert link.is_symlink()
    assert "'A: b'" in real.read_text("utf-8")


def test_a_file_that_is_no_text_is_left_and_one_that_is_not_there_is_told(root: Path, publication: Publication) -> None:
    path = root / "issues" / "2026-12-02-latin.md"
    path.write_bytes("---\nsubject: Café: b\n---\n".encode("latin-1"))
    assert mend(path, publication, root) == ()
    with pytest.raises(NotFound):
        mend(root / "issues" / "none.md", publication, root)


def test_it_says_what_it_did(root: Path, publication: Publication) -> None:
    (done,) = mend(file(root, f"---\nsubject: A: b\n---{BODY}"), publication, root)
    assert (done.problem.code, done.before, done.after) == ("E101", "subject: A: b", "subject: 'A: b'")
    assert done.problem.auto is not None
    assert (done.problem.auto.file, done.problem.auto.first) == ("issues/2026-12-02-mended.md", 2)


def test_a_silenced_warning_is_not_mended_away_from_its_writer(root: Path, publication: Publication) -> None:
    head = "subject: Hello there\nignore:\n  - code: W204\n    why: meant"
    body = "\n\n[a](https://www.google.com/url?q=https://study.example/a)\n"
    assert mend(file(root, f"---\n{head}\n---{body}"), publication, root) == ()
    assert mend(file(root, f"---\nsubject: Hello there\n---{body}"), publication, root)


LINES = st.lists(
    st.builds(
        lambda key, colon, value: key + colon + value,
        st.sampled_from(["subject", "title", "tags", "date", "draft", "x_a", "image", "  - a", "number"]),
        st.sampled_from([":", ": ", ":  ", " : ", ":\t"]),
        st.text(st.sampled_from("ab :#'\"“”[]{},-|>*&!%@`\\01\t"), max_size=12),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_mending_never_makes_it_worse_and_ends(root: Path, publication: Publication, lines: list[str]) -> None:
    path = file(root, "---\nsubject: Hello there\n" + "\n".join(lines) + f"\n---{BODY}")
    before = path.read_text("utf-8")
    told = _errors(path, publication, root)
    done = mend(path, publication, root)
    assert len(path.read_text("utf-8").split("\n")) == len(before.split("\n"))
    assert path.read_text("utf-8").endswith(f"\n---{BODY}")
    assert _errors(path, publication, root) <= told - (1 if done else 0)
    assert mend(path, publication, root) == ()


def _errors(path: Path, publication: Publication, root: Path) -> int:
    try:
        issue = library.load(path, publication, root)
    except ContentError as trouble:
        return len(trouble.problems)
    return sum(one.code.startswith("E") for one in check.check(replace(issue, ignore=()), publication, root))
