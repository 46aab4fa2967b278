"""`init`: a publication that works at once, and never at the cost of a file that was there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import newsletter
from newsletter.cli import exits
from tests.cli.conftest import Cli

GIVEN = Path(newsletter.__file__).parent / "starter" / "workflows"


@pytest.fixture
def begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """A publication that `init` made, and nothing else."""
    cli = Cli(tmp_path, capsys)
    assert cli("init", "letters") == exits.DONE
    return Cli(tmp_path / "letters", capsys)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_passes_its_own_check_and_says_what_is_still_a_sample(begun: Cli) -> None:
    assert begun("check", "--offline") == exits.DONE
    assert begun.out.count("W317 warning") == 3
    assert begun.out.endswith("1 issue checked: nothing to fix, 3 warnings.\n")
    settings = (begun.folder / "newsletter.yml").read_text("utf-8")
    own = settings.replace("Sample Letters", "Quiet Letters").replace("letters.example.org", "quiet.example")
    own = own.replace("1 Sample Street, Sampletown, CA 90000", "4 Mill Lane, Oakham, CA 90210")
    (begun.folder / "newsletter.yml").write_text(own, "utf-8")
    assert begun("check", "--offline") == exits.DONE
    assert begun.out == "1 issue checked: nothing to fix, 0 warnings.\n"


def test_it_can_be_written_planned_and_sent_to_the_outbox(begun: Cli) -> None:
    begun.readers(2)
    (first,) = (begun.folder / "issues").glob("*-welcome.md")
    assert begun("plan", "welcome") == exits.NOTHING, "it is a draft"
    first.write_text(first.read_text("utf-8").replace("draft: true", "draft: false"), "utf-8")
    assert begun("send", "welcome", "--yes") == exits.DONE
    assert sum(begun.addresses().values()) == 2
    assert begun("new", "A second letter") == exits.DONE


def test_what_the_comments_hold_ready_works_as_it_is(begun: Cli) -> None:
    """Taking the # away is all that is needed."""
    path = begun.folder / "newsletter.yml"
    ready = re.sub(r"(?m)^( *)# ?((?:  )*(?:[a-z_]+:(?: \S.*)?))$", r"\1\2", path.read_text("utf-8"))
    assert {"magnets", "forms", "authors"} <= set(yaml.safe_load(ready))
    path.write_text(ready, "utf-8")
    (begun.folder / "magnets").mkdir()
    (begun.folder / "magnets" / "workbook.pdf").write_bytes(b"%PDF-1.7")
    assert begun("check", "--offline") == exits.DONE


def test_workflows_are_the_given_ones_and_install_this_version(begun: Cli) -> None:
    for given in GIVEN.glob("*.yml"):
        assert (begun.folder / ".github/workflows" / given.name).read_bytes() == given.read_bytes()
    pinned = (begun.folder / "requirements.txt").read_text("utf-8").splitlines()[-1]
    assert pinned == f"newsletter[postgres]=={newsletter.__version__}"
    assert {".env", "var/"} <= set((begun.folder / ".gitignore").read_text("utf-8").splitlines())


def test_a_second_time_changes_nothing(begun: Cli) -> None:
    before = {name: (begun.folder / name).read_bytes() for name in names(begun.folder)}
    assert begun("init", ".") == exits.PROBLEMS
    assert "There is a publication already" in begun.err
    assert {name: (begun.folder / name).read_bytes() for name in names(begun.folder)} == before


def test_what_is_in_the_folder_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("Ours.\n", "utf-8")
    cli = Cli(tmp_path, capsys)
    assert cli("init", ".") == exits.DONE
    assert "README.md  (was there; left as it is)" in cli.out
    assert (tmp_path / "README.md").read_text("utf-8") == "Ours.\n"
    assert (tmp_path / "newsletter.yml").exists()


def test_the_editor_comes_later_too_and_keeps_the_owners_part(begun: Cli) -> None:
    (begun.folder / ".git").mkdir()
    (begun.folder / ".git/config").write_text('[remote "origin"]\n\turl = git@github.com:quiet/letters.git\n', "utf-8")
    before = names(begun.folder)
    assert begun("init", ".", "--admin") == exits.DONE
    made = names(begun.folder) - before
    assert {"admin/index.html", "admin/config.yml", "admin/sveltia-cms.js", "admin/chunks/react-dom.js"} <= made
    assert all(name.startswith("admin/") for name in made)
    config = begun.folder / "admin/config.yml"
    assert yaml.safe_load(config.read_text("utf-8"))["backend"]["repo"] == "quiet/letters"
    config.write_text(config.read_text("utf-8").replace("branch: main", "branch: letters"), "utf-8")
    (begun.folder / "admin/index.html").write_text("ours", "utf-8")
    with (begun.folder / "newsletter.yml").open("a") as settings:
        settings.write("topics:\n  workshops: Workshops\n")
    assert begun("init", ".", "--admin") == exits.DONE
    found = yaml.safe_load(config.read_text("utf-8"))
    assert found["backend"]["branch"] == "letters"
    audience = next(one for one in found["collections"][0]["fields"] if one["name"] == "audience")
    assert "workshops" in audience["options"]
    assert (begun.folder / "admin/index.html").read_text("utf-8") == "ours"


def test_an_editor_of_somebody_else_is_not_touched(begun: Cli) -> None:
    (begun.folder / "admin").mkdir()
    (begun.folder / "admin/config.yml").write_text("backend: {name: gitlab}\n", "utf-8")
    assert begun("init", ".", "--admin") == exits.PROBLEMS
    assert "was not written by this program" in begun.err
    assert names(begun.folder / "admin") == {"config.yml"}
