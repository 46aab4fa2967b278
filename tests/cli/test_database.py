"""`newsletter db`: copies that are whole, and a way back on which nobody is mailed twice and no leaver is mailed."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.cli.program import run
from newsletter.core.consent import Reason, State
from newsletter.flows.backup import Keys, new_keys, opened
from newsletter.store.journal import Journal
from tests.cli.conftest import KEYS

MADE = new_keys()


class Kept:
    """A publication whose database is backed up, on one kind of database or the other."""

    def __init__(self, cli: Any, url: str, another: str) -> None:
        self.cli, self.another = cli, another
        self.environ = {"NEWSLETTER_BACKUP__IDENTITY": MADE.identity, "NEWSLETTER_DATABASE_URL": url}

    def __call__(self, *words: str) -> int:
        code: int = self.cli(*words, **self.environ)
        return code

    def json(self, *words: str) -> Any:
        self(*words, "--json")
        return json.loads(self.cli.out)

    def backup(self) -> Path:
        assert self("db", "backup", "--json") == 0, self.cli.err
        return Path(json.loads(self.cli.out)["file"])

    def restore(self, path: Path) -> Any:
        """Into the place of the database, or into an empty server's."""
        if self.another:
            self.environ["NEWSLETTER_DATABASE_URL"] = self.another
        assert self("db", "restore", str(path), "--replace", "--json") == 0, self.cli.err
        return json.loads(self.cli.out)

    def state(self, address: str) -> str:
        return str(self.json("subscribers", "show", address)["state"])

    def mails(self) -> Counter[str]:
        return self.cli.addresses()  # type: ignore[no-any-return]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, cli: Any) -> Iterator[Kept]:
    if request.param == "sqlite":
        yield Kept(cli, "sqlite:///var/newsletter.db", "")
        return
    server = request.getfixturevalue("postgres_template")
    make = request.getfixturevalue("empty_postgres")
    assert server
    yield Kept(cli, make(), make())


def readers(kept: Kept, count: int) -> None:
    file = kept.cli.folder / "people.csv"
    file.write_text("email\n" + "".join(f"r{n}@x.test\n" for n in range(count)), "utf-8")
    assert kept("subscribers", "import", str(file), "--attest-consent", "asked") == 0


def test_promise_1_and_4_yesterdays_copy_mails_nobody_twice_and_no_leaver(kept: Kept) -> None:
    readers(kept, 12)
    copy = kept.backup()
    assert kept("send", "quiet", "--yes") == 0, kept.cli.err
    assert kept("subscribers", "suppress", "r3@x.test", "--why", "asked by phone") == 0
    assert kept("subscribers", "erase", "r4@x.test", "--yes") == 0, kept.cli.err
    once = kept.mails()
    assert sum(once.values()) == 11  # the mail of who was erased went too

    done = kept.restore(copy)
    assert done["leavers"] == 2
    for words in (("send", "quiet", "--yes"), ("send", "--due"), ("resume", "--all"), ("plan", "quiet")):
        assert kept(*words) == 77, words
        assert "newsletter db restore --accept" in kept.cli.err
    assert kept("tick") == 0

    assert kept("db", "restore", "--accept", "--json") == 0
    assert json.loads(kept.cli.out)["doubtful"] == ["quiet"]
    assert kept("send", "quiet", "--yes") == 77  # it may have gone, and it has
    assert "--unsent quiet" in kept.cli.err
    assert kept.mails() == once

    assert kept("db", "restore", "--unsent", "quiet") == 0  # somebody says it did not
    assert kept("plan", "quiet", "--json") == 0
    assert json.loads(kept.cli.out)["audience"] == 10
    gone = kept.json("subscribers", "show", "r4@x.test")
    assert (gone["state"], gone["suppressed"]) == (None, "erased")


def test_promise_1_a_copy_from_the_middle_of_a_campaign(kept: Kept) -> None:
    readers(kept, 12)
    kept.environ["NEWSLETTER_SEND__BATCH_SIZE"] = "3"
    kept.environ["NEWSLETTER_SEND__RATE"] = "0.5"  # one batch at once, and the next in six seconds
    assert kept("send", "quiet", "--yes", "--max-seconds", "1") == 75
    assert sum(kept.mails().values()) == 3
    del kept.environ["NEWSLETTER_SEND__RATE"]
    copy = kept.backup()
    assert kept("send", "quiet", "--yes") == 0
    once = kept.mails()
    assert set(once.values()) == {1}

    done = kept.restore(copy)
    assert done["batches"] == 3
    status = kept.json("status", "quiet")
    assert (status["submitted"], status["uncertain"], status["pending"]) == (3, 9, 0)
    assert kept("send", "quiet", "--yes") == 77
    assert kept("db", "restore", "--accept") == 0
    kept("send", "quiet", "--yes")  # the outbox can be asked what became of them
    assert kept.mails() == once
    status = kept.json("status", "quiet")
    assert (status["state"], status["submitted"]) == ("finished", 12)


def test_a_visitor_who_waited_at_the_time_of_the_copy_is_not_mailed_again(kept: Kept) -> None:
    readers(kept, 1)
    copy = kept.backup()
    kept.restore(copy)
    assert kept("db", "restore", "--accept") == 0
    assert kept("tick") == 0
    assert not kept.mails()


@pytest.mark.parametrize("kept", ["sqlite"], indirect=True)
class TestTheFile:
    def test_it_can_be_tried_without_touching_anything(self, kept: Kept) -> None:
        readers(kept, 3)
        copy = kept.backup()
        assert copy.stat().st_mode & 0o777 == 0o600
        before = kept.json("subscribers", "stats")
        assert kept("db", "restore", str(copy), "--verify", "--json") == 0
        said = json.loads(kept.cli.out)
        assert (said["restored"], said["counts"]["subscribers"]) == (False, 3)
        assert kept.json("subscribers", "stats") == before

    def test_nobody_reads_it_without_the_key(self, kept: Kept) -> None:
        readers(kept, 3)
        copy = kept.backup()
        assert b"r1@x.test" not in copy.read_bytes()
        kept.environ["NEWSLETTER_BACKUP__IDENTITY"] = new_keys().identity
        assert kept("db", "restore", str(copy), "--verify") == 1
        assert "another key" in kept.cli.err
        kept.environ["NEWSLETTER_BACKUP__IDENTITY"] = ""
        assert kept("db", "restore", str(copy), "--verify") == 78

    def test_a_machine_with_the_public_half_can_make_them(self, kept: Kept) -> None:
        readers(kept, 2)
        kept.environ = {
            **kept.environ,
            "NEWSLETTER_BACKUP__IDENTITY": "",
            "NEWSLETTER_BACKUP__RECIPIENT": MADE.recipient,
        }
        with opened(kept.backup(), Keys(identity=MADE.identity)) as contents:
            assert contents.manifest.counts["subscribers"] == 2

    def test_one_flipped_bit_is_found(self, kept: Kept) -> None:
        readers(kept, 2)
        copy = kept.backup()
        whole = bytearray(copy.read_bytes())
        whole[len(whole) // 2] ^= 1
        copy.write_bytes(bytes(whole))
        assert kept("db", "restore", str(copy), "--replace") == 1
        assert kept.state("r1@x.test") == State.ACTIVE

    def test_without_a_key_it_must_be_asked_for(self, kept: Kept) -> None:
        kept.environ.pop("NEWSLETTER_BACKUP__IDENTITY")
        readers(kept, 1)
        assert kept("db", "backup") == 78
        assert "newsletter db key" in kept.cli.err
        assert kept("db", "backup", "--plain") == 0
        assert ".tar.gz" in kept.cli.out

    def test_the_oldest_go_as_privacy_promises(self, kept: Kept) -> None:
        readers(kept, 1)
        folder = kept.cli.folder / "var/backups"
        folder.mkdir(parents=True)
        today = datetime.now(UTC)
        for days in (1, 13, 15, 400):
            (folder / f"newsletter-{today - timedelta(days=days):%Y%m%dT%H%M%SZ}.age").write_bytes(b"old")
        (folder / "newsletter-notes.txt").write_text("mine")
        copy = kept.backup()
        left = sorted(path.name for path in folder.iterdir())
        assert len(left) == 4
        assert {copy.name, "newsletter-notes.txt"} < set(left)
        assert min(left) > f"newsletter-{today - timedelta(days=14):%Y%m%dT%H%M%SZ}"


class TestSqlite:
    def test_a_database_in_use_is_not_moved_aside(self, cli: Any) -> None:
        cli.readers(2)
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        assert cli("db", "restore", copy) == 78
        assert "--replace" in cli.err
        with closing(sqlite3.connect(cli.folder / "var/newsletter.db")) as other:
            other.execute("SELECT count(*) FROM subscribers").fetchone()
            assert cli("db", "restore", copy, "--replace") == 78
            assert "in use" in cli.err
        assert cli("db", "restore", copy, "--replace") == 0

    def test_a_new_machine_gets_its_keys_back(self, cli: Any, tmp_path: Path) -> None:
        """With nothing but the backup and its key: the links in old mails work, and who left is known."""
        bare = {"NEWSLETTER_SECRET_KEYS": "", "NEWSLETTER_SUPPRESSION_KEY": ""}
        file = cli.folder / "people.csv"
        file.write_text("email\nanna@x.test\n", "utf-8")
        assert cli("subscribers", "import", str(file), "--attest-consent", "asked", **bare) == 0
        assert cli("subscribers", "suppress", "anna@x.test", **bare) == 0
        assert cli("db", "backup", "--json", NEWSLETTER_BACKUP__IDENTITY=MADE.identity, **bare) == 0
        copy = json.loads(cli.out)["file"]
        other = tmp_path / "other"
        other.mkdir()
        (other / "newsletter.yml").write_bytes((cli.folder / "newsletter.yml").read_bytes())
        environ = {"NEWSLETTER_BACKUP__IDENTITY": MADE.identity}
        assert run(["-C", str(other), "db", "restore", copy], environ) == 0
        for name in ("suppression.key", "secret.key"):
            assert (other / "var" / name).read_bytes() == (cli.folder / "var" / name).read_bytes()
            assert (other / "var" / name).stat().st_mode & 0o777 == 0o600
        cli.capsys.readouterr()
        assert run(["-C", str(other), "subscribers", "show", "anna@x.test", "--json"], environ) == 0
        assert json.loads(cli.capsys.readouterr()[0])["suppressed"]

    def test_another_suppression_key_is_refused_before_anything_moves(self, cli: Any) -> None:
        cli.readers(1)
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        before = (cli.folder / "var/newsletter.db").read_bytes()
        assert cli("db", "restore", copy, "--replace", NEWSLETTER_SUPPRESSION_KEY="a-third-key") == 78
        assert (cli.folder / "var/newsletter.db").read_bytes() == before

    def test_copy_to_another_file(self, cli: Any) -> None:
        cli.readers(3)
        assert cli("db", "copy", "--to", "sqlite:///var/other.db") == 0
        assert cli("db", "copy", "--to", "sqlite:///var/other.db") == 78
        cli("subscribers", "stats", "--json", NEWSLETTER_DATABASE_URL="sqlite:///var/other.db")
        assert json.loads(cli.out)["active"] == 3

    def test_check_says_that_it_is_whole_and_that_it_is_not(self, cli: Any) -> None:
        cli.readers(400)
        assert cli("db", "check") == 0
        assert "whole" in cli.out
        database = cli.folder / "var/newsletter.db"
        with closing(sqlite3.connect(database)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            page = file.execute("SELECT rootpage FROM sqlite_master WHERE name LIKE 'ix_subscribers%'").fetchone()[0]
            size = file.execute("PRAGMA page_size").fetchone()[0]
        with database.open("r+b") as raw:
            raw.seek((page - 1) * size)
            raw.write(os.urandom(size))
        assert cli("db", "check") != 0
        assert KEYS["NEWSLETTER_SUPPRESSION_KEY"] not in cli.out + cli.err


@pytest.mark.postgres
def test_a_list_moves_from_sqlite_to_postgres(cli: Any, empty_postgres: Any) -> None:
    cli.readers(30)
    assert cli("send", "quiet", "--yes") == 0
    url = empty_postgres()
    assert cli("db", "copy", "--to", url) == 0, cli.err
    there = {"NEWSLETTER_DATABASE_URL": url}
    assert cli("status", "quiet", "--json", **there) == 0
    assert json.loads(cli.out)["submitted"] == 30
    assert (
        cli("subscribers", "add", "new@x.test", "--attest-consent", "asked", **there) == 0
    )  # numbered after the others
    assert cli("send", "quiet", "--yes", **there) == 3


class TestHeld:
    """A copy is never where the program finds it before it is held."""

    def test_promise_1_a_restore_without_the_providers_key_is_held_too(self, cli: Any) -> None:
        cli.readers(3)
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        assert cli("send", "quiet", "--yes") == 0
        lacking = {"NEWSLETTER_PROVIDER": "postmark", "NEWSLETTER_BASE_URL": "https://letters.example.org"}
        assert cli("db", "restore", copy, "--replace", **lacking) == 0, cli.err
        assert cli("send", "quiet", "--yes") == 77
        assert sum(cli.addresses().values()) == 3

    def test_promise_4_what_was_told_late_counts_as_news(self, cli: Any) -> None:
        """A bounce of last week that was read after the copy was made: its reader does not come back."""
        cli.readers(2)
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        file = cli.folder / "left.csv"
        file.write_text("email,status,left_at\nr0@x.test,unsubscribed,2026-03-01T00:00:00Z\n", "utf-8")
        assert cli("subscribers", "import", str(file), "--attest-consent", "asked") == 0, cli.err
        assert cli("db", "restore", copy, "--replace", "--json") == 0
        assert json.loads(cli.out)["leavers"] == 1

    def test_promise_4_a_second_older_copy_does_not_bring_leavers_back_on_a_new_machine(
        self, cli: Any, tmp_path: Path
    ) -> None:
        cli.readers(3)
        copies = []
        for leave in ("r0@x.test", ""):
            assert cli("db", "backup", "--plain", "--json") == 0
            copies.append(Path(json.loads(cli.out)["file"]).rename(tmp_path / f"newsletter-{len(copies)}.tar.gz"))
            if leave:
                assert cli("subscribers", "suppress", leave) == 0
        other = tmp_path / "other"
        other.mkdir()
        (other / "newsletter.yml").write_bytes((cli.folder / "newsletter.yml").read_bytes())
        for copy in reversed(copies):
            assert run(["-C", str(other), "db", "restore", str(copy), "--replace"], KEYS) == 0
        cli.capsys.readouterr()
        assert run(["-C", str(other), "subscribers", "show", "r0@x.test", "--json"], KEYS) == 0
        assert json.loads(cli.capsys.readouterr()[0])["suppressed"]

    def test_promise_8_a_link_from_after_the_copy_leads_to_nobody_else(self, cli: Any) -> None:
        assert cli("subscribers", "add", "ann@x.test", "--attest-consent", "asked") == 0
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        numbers = []
        for turn in range(2):
            assert cli("subscribers", "add", f"new{turn}@x.test", "--attest-consent", "asked") == 0
            with closing(sqlite3.connect(cli.folder / "var/newsletter.db")) as file:
                numbers.append(file.execute("SELECT max(id) FROM subscribers").fetchone()[0])
            assert cli("db", "restore", copy, "--replace") == 0
            assert cli("db", "restore", "--accept") == 0
        assert numbers[1] > numbers[0] + 1000

    def test_a_copy_elsewhere_goes_on_counting_after_the_erased(self, cli: Any) -> None:
        cli.readers(3)
        assert cli("subscribers", "erase", "r2@x.test", "--yes") == 0
        assert cli("db", "copy", "--to", "sqlite:///var/other.db") == 0
        there = {"NEWSLETTER_DATABASE_URL": "sqlite:///var/other.db"}
        assert cli("subscribers", "add", "new@x.test", "--attest-consent", "asked", **there) == 0
        with closing(sqlite3.connect(cli.folder / "var/other.db")) as file:
            assert file.execute("SELECT max(id) FROM subscribers").fetchone()[0] == 4

    def test_a_letter_that_was_not_in_the_folder_at_the_time_is_doubted_too(self, cli: Any) -> None:
        cli.readers(2)
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        (issue,) = (cli.folder / "issues").glob("*quiet*")
        text = issue.read_text("utf-8")
        assert cli("db", "restore", copy, "--replace") == 0
        issue.unlink()
        assert cli("db", "restore", "--accept", "--json") == 0
        assert json.loads(cli.out)["doubtful"] == []
        issue.with_name("2026-11-01-quiet.md").write_text(text.replace("2026-12-01", "2026-11-01"), "utf-8")
        assert cli("plan", "quiet") == 77, cli.err

    def test_a_list_that_does_not_answer_keeps_it_held(self, cli: Any) -> None:
        cli.readers(1)
        assert cli("db", "backup", "--plain", "--json") == 0
        copy = json.loads(cli.out)["file"]
        assert cli("db", "restore", copy, "--replace") == 0
        away = {
            "NEWSLETTER_PROVIDER": "postmark",
            "NEWSLETTER_POSTMARK__TOKEN": "t",
            "NEWSLETTER_POSTMARK__BASE_URL": "http://127.0.0.1:9",
        }
        assert cli("db", "restore", "--accept", **away) == 75
        assert cli("send", "quiet", "--yes") == 77
        assert cli("db", "restore", "--accept", "--without-lists", **away) == 0

    def test_what_a_killed_backup_left_is_taken_away(self, cli: Any) -> None:
        cli.readers(1)
        room = cli.folder / "var/backups/.backup-killed"
        room.mkdir(parents=True)
        (room / "newsletter.db").write_bytes(b"the list")
        os.utime(room, (1, 1))
        assert cli("db", "backup", "--plain") == 0
        assert not room.exists()


class TestTheJournal:
    def test_a_torn_line_costs_itself_alone(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "leavers.journal", lambda: datetime(2026, 12, 1, tzinfo=UTC))
        journal.write([(Reason.OWNER, "aa")])
        with journal.path.open("a") as file:
            file.write("2026-12-01T00:0")
        journal.write([(Reason.ERASED, "bb")])
        begin = datetime(2026, 12, 1, tzinfo=UTC)
        assert [hmac for _, _, hmac in journal.since(begin)] == ["aa", "bb"]
        assert [*journal.since(begin + timedelta(seconds=1))] == []

    def test_lines_of_another_are_taken_once(self, tmp_path: Path) -> None:
        one, other = Journal(tmp_path / "one"), Journal(tmp_path / "other")
        one.write([(Reason.OWNER, "aa")])
        other.path.write_bytes(one.path.read_bytes())
        other.write([(Reason.BOUNCED, "bb")])
        one.take(other)
        one.take(other)
        assert one.path.read_bytes() == other.path.read_bytes()
