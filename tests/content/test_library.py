"""Issues are found by path or slug, and read with all that is wrong with them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from PIL import Image

from newsletter.content import check, library
from newsletter.content.blocks import Paragraph, Words
from newsletter.core.publication import Publication, Sender
from newsletter.errors import ContentError, NotFound

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org")},
    fields={"first_name": "friend"},
    language="en",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "issues").mkdir()
    return tmp_path


def write(root: Path, name: str, text: str) -> Path:
    path = root / "issues" / name
    path.write_text(text, "utf-8")
    return path


def test_an_issue(root: Path) -> None:
    path = write(root, "2026-12-01-on-rest.md", "---\nsubject: On rest\npreheader: Short\n---\n\nSit down.\n")
    issue = library.load(path, PUBLICATION, root)
    assert issue.problems == ()
    assert (issue.name, issue.slug, issue.key) == ("issues/2026-12-01-on-rest.md", "on-rest", "on-rest")
    assert (issue.subject, issue.title, issue.preheader, issue.summary) == ("On rest", "On rest", "Short", "Short")
    assert (issue.date, issue.draft, issue.audience) == (dt.date(2026, 12, 1), True, ("all",))
    assert (issue.sender, issue.lang, issue.dir) == ("house", "en", "ltr")
    assert issue.body == (Paragraph((Words("Sit down."),), 6),)


def test_lines_are_those_of_the_file(root: Path) -> None:
    path = write(root, "a.md", "\ufeff---\r\nsubject: On rest\r\ntags: a\r\n---\r\n\r\nHi {{ x }}\r\n")
    problems = library.load(path, PUBLICATION, root).problems
    assert [(problem.code, problem.line, problem.col) for problem in problems] == [("E106", 3, 7), ("E240", 6, 4)]
    assert problems[1].source == "Hi {{ x }}"


@pytest.mark.parametrize(
    ("body", "preheader"),
    [
        ("One sentence of exactly the right length. Then more.", "One sentence of exactly the right length."),
        (
            'Dear {{ first_name, "friend" }}, this is a sentence of good length. B',
            'Dear {{ first_name, "friend" }}, this is a sentence of good length.',
        ),
        ("Too short. But with the next it will do.", "Too short. But with the next it will do."),
        ("word " * 60, "word " * 23 + "word…"),
        ("## Only a heading", ""),
        ("“It is a **quoted** sentence of the right length.” More", "“It is a quoted sentence of the right length.”"),
    ],
)
def test_the_preheader_comes_from_the_first_sentence(root: Path, body: str, preheader: str) -> None:
    path = write(root, "a.md", f"---\nsubject: On rest\n---\n\n{body}\n")
    assert library.load(path, PUBLICATION, root).preheader == preheader


def test_a_picture_and_a_text_part_of_its_own(root: Path) -> None:
    (root / "images").mkdir()
    Image.new("RGB", (20, 10)).save(root / "images" / "a.png")
    write(root, "on-rest.txt", "By hand.\n")
    head = "subject: On rest\nimage: {src: images/a.png, alt: A chair}\nplain: issues/on-rest.txt"
    issue = library.load(write(root, "a.md", f"---\n{head}\n---\nHi"), PUBLICATION, root)
    assert issue.problems == ()
    assert issue.plain == "By hand.\n"
    assert issue.image is not None
    assert issue.image.picture.asset is not None


def test_files_that_are_not_there(root: Path) -> None:
    head = "subject: On rest\nimage: {src: images/a.png, alt: A chair}\nplain: ../x.txt"
    issue = library.load(write(root, "a.md", f"---\n{head}\n---\nHi"), PUBLICATION, root)
    assert [(problem.code, problem.line) for problem in issue.problems] == [("E210", 3), ("E106", 4)]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Hello, no front matter", ["E100"]),
        ("---\ntitle: x\ndraft: maybe\n---\n# Hi", ["E106", "E106", "E200"]),
        ("---\nsubject: a: [\n b\n c: d\n---\n", None),
        ("", ["E100"]),
        ("---\n---\n", ["E106"]),
        ("---\nsubject: x\0y\n---\n", ["E111"]),
    ],
)
def test_no_issue_can_be_made_of_it(root: Path, text: str, codes: list[str] | None) -> None:
    path = write(root, "a.md", text)
    if codes is None:
        assert library.load(path, PUBLICATION, root).problems
        return
    with pytest.raises(ContentError) as caught:
        library.load(path, PUBLICATION, root)
    assert sorted(problem.code for problem in caught.value.problems) == codes


def test_not_utf_8(root: Path) -> None:
    path = root / "issues" / "a.md"
    path.write_bytes("---\nsubject: Café\n---\n".encode("latin-1"))
    with pytest.raises(ContentError) as caught:
        library.load(path, PUBLICATION, root)
    assert [(problem.code, problem.line) for problem in caught.value.problems] == [("E111", 2)]


def test_what_could_not_be_read_is_not_called_missing(root: Path) -> None:
    text = "---\nsubject: On rest\nimage:\n  src: a\n alt: b\ndate: 2026-12-01\ndraft: false\n---\nHi"
    problems = library.load(write(root, "a.md", text), PUBLICATION, root).problems
    assert "E103" in [problem.code for problem in problems]
    assert not [problem for problem in problems if "missing" in problem.message]


def test_a_file_that_is_not_there(root: Path) -> None:
    with pytest.raises(NotFound):
        library.load(root / "issues" / "x.md", PUBLICATION, root)


def test_all_issues(root: Path) -> None:
    for name in ("2026-12-08-b.md", "2026-12-01-a.md", "README.md", "_notes.md", ".x.md", "a.txt"):
        write(root, name, "x")
    assert [path.name for path in library.issues(root)] == ["2026-12-01-a.md", "2026-12-08-b.md"]
    assert library.issues(root / "nowhere") == []


def test_find(root: Path) -> None:
    rest = write(root, "2026-12-01-on-rest.md", "---\nsubject: On rest\n---\n")
    work = write(root, "2026-12-08-work.md", "---\nsubject: Work\nslug: on-work\n---\n")
    assert library.find("on-rest", root) == rest
    assert library.find("2026-12-01-on-rest", root) == rest
    assert library.find("on-work", root) == work
    assert library.find("issues/2026-12-08-work.md", root).resolve() == work
    assert library.find("2026-12-08-work.md", root) == work
    assert library.find(str(work), root) == work
    with pytest.raises(NotFound) as caught:
        library.find("on-rset", root)
    assert "on-rest" in caught.value.todo
    write(root, "2027-01-01-on-rest.md", "---\nsubject: Again\n---\n")
    with pytest.raises(NotFound, match="Two issues"):
        library.find("on-rest", root)


def test_what_is_no_file_is_told_and_stops_nobody(root: Path) -> None:
    (root / "issues" / "a.md").mkdir()
    (root / "issues" / "b.md").symlink_to(root / "gone.md")
    (root / "issues" / "loop.md").symlink_to("loop.md")
    write(root, "2026-12-01-c.md", "---\nsubject: On rest\n---\n\nSit down.\n")
    said = {}
    for path in library.issues(root):
        try:
            issue = library.load(path, PUBLICATION, root)
            assert check.check(issue, PUBLICATION, root)  # looks at the subjects of the others
        except ContentError as trouble:
            (said[path.name],) = trouble.problems
    assert {one.file: (one.code, one.line, one.message) for one in said.values()} == {
        "issues/a.md": ("E111", 0, "this is a folder, and an issue is a file"),
        "issues/b.md": ("E111", 0, "this is a link to a file that is not there"),
        "issues/loop.md": ("E111", 0, "this is a link to a file that is not there"),
    }
    assert library.find("issues/loop.md", root) == root / "issues" / "loop.md"
    with pytest.raises(NotFound, match="no file"):
        library.load(root / "issues" / "d.md", PUBLICATION, root)


def test_a_date_in_a_files_name_that_nobody_can_mean_is_told(root: Path) -> None:
    path = write(root, "9999-12-31-far.md", "---\nsubject: On rest\ndraft: false\n---\n\nSit down.\n")
    (problem,) = library.load(path, PUBLICATION, root).problems
    assert (problem.code, problem.line) == ("E107", 3)
    assert "9999-12-31" in problem.message


def test_names_at_the_top_may_lack_no_more_than_their_capitals(root: Path) -> None:
    path = write(root, "a.md", "---\nSubject: On rest\nDraft: false\n---\n\nSit down.\n")
    with pytest.raises(ContentError) as refused:
        library.load(path, PUBLICATION, root)
    told = refused.value.problems
    assert [(one.code, one.line, one.auto.text if one.auto else "") for one in told] == [
        ("E105", 2, "subject: On rest"),
        ("E105", 3, ""),  # that an issue may go is for its writer to say
    ]


def test_an_issue_is_named_from_the_root_by_whichever_way_one_comes(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(root, "a.md", "---\nsubject: On rest\n---\n\nSit down.\n")
    link = tmp_path_factory.mktemp("elsewhere") / "letters"
    link.symlink_to(root)
    assert library.load(path, PUBLICATION, link).name == "issues/a.md"
    assert library.load(link / "issues" / "a.md", PUBLICATION, link).name == "issues/a.md"
