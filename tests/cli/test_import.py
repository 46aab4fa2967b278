"""`import` and `tidy` from outside: what is written, what is said, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from newsletter.cli.program import run

SETTINGS = """\
# our letter
name: Quiet Letters
rhythm: tuesday 09:30
senders:
  us: {name: Quiet Letters, email: letters@quiet.example}
footer:   # under every letter
  address: ''
  phone: 805-555-0123
fields: {first_name: friend}
"""
LETTER = """\
A Letter About Rain
It has rained for a week, and the garden has stopped pretending that it is summer. We look at it from the window.
🌧 What the Rain Knows
Rain has no plan, and gets everywhere. There is something to learn from that, if one has boots and a little time.
Ask the garden:
What was too much?
What was missing?
Thank you for reading this far in such weather, and for not asking about the tomatoes.
📍 9 Hill Road, Ojai, CA
📞 805-555-0199 | 📧 post@hill.example
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A publication's folder with a letter to import."""
    (tmp_path / "newsletter.yml").write_text(SETTINGS, "utf-8")
    (tmp_path / "rain.txt").write_text(LETTER, "utf-8")
    return tmp_path


class Cli:
    """Runs commands and keeps what they said."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        code = run(
            ["-C", str(self.folder), *arguments], {"NEWSLETTER_SECRET_KEYS": "a", "NEWSLETTER_SUPPRESSION_KEY": "b"}
        )
        self.out, self.err = self.capsys.readouterr()
        return code


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in that folder."""
    return Cli(folder, capsys)


def test_an_issue_is_written_and_every_guess_told(cli: Cli, folder: Path) -> None:
    assert cli("import", str(folder / "rain.txt"), "--date", "2026-12-01") == 0
    text = (folder / "issues/2026-12-01-a-letter-about-rain.md").read_text("utf-8")
    assert "## 🌧 What the Rain Knows" in text
    assert "- What was too much?\n- What was missing?" in text
    assert "draft: true" in text
    assert 'line 3: made a heading (short line, emoji) "🌧 What the Rain Knows" (line 1' in cli.out
    assert "no ZIP or postal code" in cli.out
    assert cli("check", "a-letter-about-rain") == 1  # the postal address is still missing in newsletter.yml
    assert "E300" in cli.out
    assert cli.out.count(" error: ") == 1


def test_without_a_date_it_is_for_the_next_send_day(cli: Cli, folder: Path) -> None:
    import datetime as dt

    assert cli("import", str(folder / "rain.txt")) == 0
    (made,) = (folder / "issues").glob("*.md")
    assert dt.date.fromisoformat(made.name[:10]).weekday() == 1


def test_nothing_is_written_over_and_one_bad_file_does_not_stop_the_others(cli: Cli, folder: Path) -> None:
    (folder / "bad.docx").write_bytes(b"no")
    (folder / "snow.txt").write_text(LETTER.replace("Rain", "Snow"), "utf-8")
    assert cli("import", str(folder / "rain.txt"), "--date", "2026-12-01") == 0
    issue = folder / "issues/2026-12-01-a-letter-about-rain.md"
    issue.write_text("mine", "utf-8")
    files = [str(folder / name) for name in ("bad.docx", "gone.txt", "rain.txt", "snow.txt")]
    assert cli("import", *files, "--date", "2026-12-01") == 1
    assert issue.read_text("utf-8") == "mine"
    assert (folder / "issues/2026-12-01-a-letter-about-snow.md").exists()
    assert "no Word document" in cli.err
    assert "There is no such file" in cli.err
    assert "is there already" in cli.err
    assert cli.err.endswith("3 of 4 files could not be taken; what to do about each stands above.\n")


def test_keep_names_gives_a_report_for_programs(cli: Cli, folder: Path) -> None:
    out = folder / "out"
    assert cli("import", str(folder / "rain.txt"), "-o", str(out), "--keep-names", "--date", "2026-12-01") == 0
    assert sorted(path.name for path in out.iterdir()) == ["rain.import.json", "rain.md"]
    report = json.loads((out / "rain.import.json").read_text("utf-8"))
    assert report["contact"]["phone"] == "805-555-0199"
    assert report["contact"]["lines"][0] == "📍 9 Hill Road, Ojai, CA"
    assert {"line": 3, "what": "made a heading (short line, emoji)"}.items() <= next(
        guess for guess in report["guesses"] if "heading" in guess["what"]
    ).items()
    lines = (out / "rain.md").read_text("utf-8").split("\n")
    assert all(
        guess["words"][:10] in lines[guess["written"] - 1] for guess in report["guesses"] if "heading" in guess["what"]
    )


def test_two_files_of_one_name_give_one_issue_and_a_word_about_the_other(cli: Cli, folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more/rain.txt").write_text(LETTER.replace("Rain", "Hail"), "utf-8")
    (folder / "snow.txt").write_text(LETTER, "utf-8")
    (folder / "wind.txt").write_text(LETTER, "utf-8")
    out = folder / "out"
    out.mkdir()
    (out / "snow.import.json").write_text("mine", "utf-8")
    files = [str(folder / name) for name in ("rain.txt", "more/rain.txt", "snow.txt", "wind.txt")]
    assert cli("import", *files, "-o", str(out), "--keep-names") == 1
    names = ["rain.import.json", "rain.md", "snow.import.json", "wind.import.json", "wind.md"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "Rain" in (out / "rain.md").read_text("utf-8")
    assert (out / "snow.import.json").read_text("utf-8") == "mine"
    assert "rain.md is there already" in cli.err
    assert "snow.import.json is there already" in cli.err


def test_pictures_of_letters_with_one_title_do_not_meet(cli: Cli, folder: Path) -> None:
    for name, content in (("one", "iVBORw0KGgo="), ("two", "iVBORw0KGgoA")):
        page = f"<h1>Our letter</h1><p>Words.</p><p><img alt='x' src='data:image/png;base64,{content}'></p>"
        (folder / f"{name}.html").write_text(page, "utf-8")
    files = [str(folder / name) for name in ("one.html", "two.html")]
    assert cli("import", *files, "-o", str(folder / "out"), "--keep-names") == 0
    assert sorted(path.name for path in (folder / "out/images").iterdir()) == ["one-1.png", "two-1.png"]


def test_a_place_that_is_no_folder_is_told(cli: Cli, folder: Path) -> None:
    assert cli("import", str(folder / "rain.txt"), "-o", str(folder / "newsletter.yml")) == 1
    assert "it is no folder" in cli.err
    assert (folder / "newsletter.yml").read_text("utf-8") == SETTINGS


def test_stdout_prints_the_issue_and_writes_nothing(cli: Cli, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert cli("import", str(folder / "rain.txt"), "--stdout", "--date", "2026-12-01") == 0
    assert cli.out.startswith("---\nsubject: A Letter About Rain\n")
    assert "made a heading" not in cli.out
    assert "made a heading" in cli.err
    assert sorted(folder.rglob("*")) == before


def test_without_settings_it_works_all_the_same(cli: Cli, folder: Path) -> None:
    (folder / "newsletter.yml").unlink()
    assert cli("import", str(folder / "rain.txt"), "-o", str(folder / "out"), "--date", "2026-12-01") == 0
    assert "address: 9 Hill Road, Ojai, CA" in cli.out


def test_contact_facts_are_shown_and_written_only_when_asked(cli: Cli, folder: Path) -> None:
    settings = folder / "newsletter.yml"
    assert cli("import", str(folder / "rain.txt"), "--date", "2026-12-01") == 0
    assert settings.read_text("utf-8") == SETTINGS
    assert "email: post@hill.example" in cli.out
    assert "another phone" in cli.out
    assert cli("import", str(folder / "rain.txt"), "--date", "2026-12-08", "--write-settings") == 0
    assert settings.read_text("utf-8") == SETTINGS.replace(
        "  address: ''\n", "  address: 9 Hill Road, Ojai, CA\n  email: post@hill.example\n"
    )
    assert cli("import", str(folder / "rain.txt"), "--date", "2026-12-15", "--write-settings") == 0
    assert "written into" not in cli.out


def test_a_wrong_day_is_told(cli: Cli, folder: Path) -> None:
    assert cli("import", str(folder / "rain.txt"), "--date", "soon") == 1
    assert "--date 2026-12-01" in cli.err


def test_tidy_shows_the_difference_and_writes(cli: Cli, folder: Path) -> None:
    (folder / "issues").mkdir()
    path = folder / "issues/2026-12-01-pasted.md"
    head = "---\nsubject: 'Pasted: words'   # mine\ndate: 2026-12-01\n---\n"
    path.write_text(head + "\n" + "\n\n".join(LETTER.split("\n")[1:8]) + "\n", "utf-8")
    path.chmod(0o640)
    assert cli("tidy", "pasted", "--dry-run") == 0
    before = path.read_text("utf-8")
    assert "+## 🌧 What the Rain Knows" in cli.out
    assert before.startswith(head)
    assert cli("tidy", "pasted") == 0
    after = path.read_text("utf-8")
    assert after.startswith(head)
    assert "\n## 🌧 What the Rain Knows\n" in after
    assert after != before
    assert path.stat().st_mode & 0o777 == 0o640
    assert cli("tidy", "pasted") == 0
    assert "nothing to tidy" in cli.out
    assert path.read_text("utf-8") == after
    assert not list(folder.rglob("*.part"))


def test_tidy_takes_a_footer_out_only_when_newsletter_yml_knows_it(cli: Cli, folder: Path) -> None:
    (folder / "issues").mkdir()
    path = folder / "issues/2026-12-01-pasted.md"
    path.write_text(
        "---\nsubject: Pasted words\ndate: 2026-12-01\n---\n\n" + "\n".join(LETTER.split("\n")[1:]), "utf-8"
    )
    assert cli("tidy", "pasted") == 0
    assert "805-555-0199 | 📧 post@hill.example" in path.read_text("utf-8")
    known = SETTINGS.replace("''", "9 Hill Road, Ojai, CA 93023").replace("0123", "0199\n  email: post@hill.example")
    (folder / "newsletter.yml").write_text(known, "utf-8")
    assert cli("tidy", "pasted") == 0
    assert "post@hill.example" not in path.read_text("utf-8")


def test_tidy_without_front_matter_is_told(cli: Cli, folder: Path) -> None:
    (folder / "issues").mkdir()
    (folder / "issues/2026-12-01-bare.md").write_text("Just words.\n", "utf-8")
    assert cli("tidy", "bare") == 1
    assert "E100" in cli.err
