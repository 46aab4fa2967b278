"""The audience from a terminal: lists from elsewhere, and all of it out and in again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

OLD = "0f0e0d0c-0b0a-4009-8807-060504030201"


@pytest.fixture
def file(cli: Cli) -> Path:
    """A list as somebody has one."""
    path = cli.folder / "list.csv"
    path.write_text(
        f"email,status,tags,uuid\nann@x.test,active,VIP,{OLD}\nben@x.test,unsubscribed,,\ncid@x.test,Founding,,\n"
        "nope,active,,\nann@x.test,active,,\n",
        "utf-8",
    )
    return path


def test_a_dry_run_tells_every_decision_with_its_lines_and_no_address(cli: Cli, file: Path) -> None:
    assert cli("subscribers", "import", str(file), "--dry-run", "--attest-consent", "asked") == 1
    for said in (
        "5  rows read, as plain",
        "1  become active (consent attested or proven) (line 2)",
        "1  left, bounced or complained there: never written to (line 3)",
        "1  twice in the file (line 6)",
        "2  cannot be read (line 4, 5)",
        'line 4: the status "Founding" is not known; say what it means: --map "status:Founding=active"',
        "columns used: email, status, tags, uuid as old_id",
        "tags not used: VIP",
        "nothing was changed",
    ):
        assert said in cli.out
    assert "x.test" not in cli.out
    assert cli.json("subscribers", "stats")["all"] == 0  # type: ignore[index]


def test_the_document_has_every_key(cli: Cli, file: Path) -> None:
    document = cli.json("subscribers", "import", str(file), "--map", "status:Founding=pending")
    assert isinstance(document, dict)
    lines = document.pop("lines")
    assert document == {
        "format": "plain",
        "columns": {"email": "email", "status": "status", "tags": "tags", "uuid": "old_id"},
        "rows": 5,
        "active": 0,
        "proven": 0,
        "pending": 2,
        "known": 0,
        "suppressed": 0,
        "left": 1,
        "withdrawn": 0,
        "never": 0,
        "doubled": 1,
        "invalid": 1,
        "notes": ["line 5: This does not look like an email address: an email address must have an @-sign."],
        "ignored_columns": [],
        "ignored_tags": ["VIP"],
        "old_links": 1,
        "dry_run": False,
    }
    assert (lines["pending"], lines["known"]) == ([2, 4], [])


def test_pending_people_are_asked_once_and_only_with_a_yes(cli: Cli, file: Path) -> None:
    cli("subscribers", "import", str(file))
    assert "newsletter subscribers ask" in cli.out
    assert cli("subscribers", "ask") == 77
    dry = cli.json("subscribers", "ask", "--dry-run")
    assert isinstance(dry, dict)
    assert (dry["asked"], dry["left"], dry["per_hour"], dry["dry_run"]) == (1, 0, 200, True)
    assert cli("subscribers", "ask", "--yes") == 0
    assert "1  are asked" in cli.out
    assert cli("tick") == 0
    assert cli.addresses() == {"ann@x.test": 1}
    assert cli("subscribers", "ask", "--yes") == 3


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_out_and_in_again_is_the_same(cli: Cli, file: Path, format_: str) -> None:
    cli("subscribers", "import", str(file), "--attest-consent", "asked at the fair")
    cli("subscribers", "add", "waits@x.test")
    assert cli("subscribers", "export", "--format", format_) == 0
    first, saved = cli.out, cli.folder / f"all.{format_}"
    saved.write_text(first, "utf-8")
    for part in cli.folder.glob("var/newsletter.db*"):
        part.unlink()
    assert cli("subscribers", "import", str(saved)) == 0
    assert "rows read, as Newsletter" in cli.out
    cli("subscribers", "export", "--format", format_)
    assert cli.out == first


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["import", "list.csv", "--map", "Mail=email"], 2, 'no column "Mail"'),
        (["import", "list.csv", "--map", "tag:VIP=walks"], 2, 'no topic "walks"'),
        (["import", "list.csv", "--map", "tags=mood"], 2, "nothing an import knows"),
        (["import", "."], 1, "Is a directory"),
        (["list", "--topic", "walks"], 2, 'no topic "walks"'),
        (["unsuppress", "ann@x.test", "--why", " "], 2, "needs a few words"),
        (["ask"], 3, "Nobody is pending"),
        (["erase", "nobody@x.test", "--yes"], 2, "no subscriber"),
    ],
)
def test_what_cannot_be_done_is_said(cli: Cli, file: Path, arguments: list[str], code: int, said: str) -> None:
    places = {"list.csv": str(file), ".": str(file.parent)}
    assert cli("subscribers", *(places.get(one, one) for one in arguments)) == code
    assert said in cli.err
    assert "x.test" not in cli.err
