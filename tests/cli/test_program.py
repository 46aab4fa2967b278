"""The program from outside: exit codes, JSON, and what is said when something is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from newsletter.cli.program import run

KEYS = {"NEWSLETTER_SECRET_KEYS": "a-key", "NEWSLETTER_SUPPRESSION_KEY": "another-key"}


# --- the main road -------------------------------------------------------------------------------------


def test_plan_send_and_send_again(cli: Any) -> None:
    cli.readers(3)
    plan = cli.json("plan", "quiet", "-o", str(cli.folder / "plan.json"))
    assert isinstance(plan, dict)
    assert (plan["audience"], plan["provider"], len(plan["hash"])) == (3, "outbox", 64)
    assert {**json.loads((cli.folder / "plan.json").read_text()), "review_url": plan["review_url"]} == plan
    assert cli("send", "quiet") == 77
    assert "--yes" in cli.err
    assert cli("send", "issues/2026-12-01-quiet.md", "--yes", "--json") == 0
    sent = json.loads(cli.out)
    keys = "issue campaign state audience submitted suppressed failed uncertain pending batches started_at finished_at"
    assert set(keys.split()) <= set(sent)
    assert (sent["state"], sent["submitted"], sent["sent"]) == ("finished", 3, 3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sent["started_at"])
    assert cli("send", "quiet", "--yes") == 3
    assert cli("plan", "quiet") == 3
    status = cli.json("status", "quiet")
    assert isinstance(status, dict)
    parts = ("submitted", "suppressed", "failed", "uncertain", "pending")
    assert status["audience"] == sum(status[name] for name in parts)
    assert cli.addresses() == {f"r{n}@x.test": 1 for n in range(3)}


def test_render_gives_four_files_that_stand_up(cli: Any) -> None:
    out = cli.folder / "out"
    assert cli("render", "quiet", "-o", str(out), NEWSLETTER_BASE_URL="https://letters.quiet.example") == 0
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    assert sorted(first) == ["archive.html", "email.html", "email.txt", "message.eml"]
    message = message_from_bytes(first["message.eml"], policy=policy.strict)
    assert not message.defects
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert not plain.defects
    assert not html.defects
    text = str(plain.get_content())
    assert "Hello Sam, this is a letter about rest." in text
    assert "1 Long Road, Chino, CA 91710" in text
    url = re.search(r"<(https://letters\.quiet\.example/unsubscribe/[^>]{12,})>", str(message["List-Unsubscribe"]))
    assert url is not None
    assert url[1] in text
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"]
    body = str(html.get_content())
    assert '<html lang="en"' in body
    hosts = set(re.findall(r"(?:src|background|url\()\W*(https?://[^/\"' )]+)", body))
    assert hosts <= {"https://letters.quiet.example"}  # promise 7
    assert cli("render", "quiet", "-o", str(out), NEWSLETTER_BASE_URL="https://letters.quiet.example") == 0
    assert {file.name: file.read_bytes() for file in out.iterdir()} == first  # promise 10


def test_drafts_can_be_rendered_and_not_sent(cli: Any) -> None:
    file = cli.folder / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("draft: false", "draft: true"), "utf-8")
    cli.readers(1)
    assert cli("render", "quiet", "-o", str(cli.folder / "out")) == 0
    assert cli("send", "quiet", "--yes") == 3
    assert "draft" in cli.err
    assert cli.addresses() == {}


def test_the_audience_commands(cli: Any) -> None:
    cli.readers(2)
    assert cli("subscribers", "add", "ann@x.test") == 0
    assert "pending" in cli.out
    rows = cli.json("subscribers", "list")
    assert isinstance(rows, list)
    assert [(row["email"], row["state"]) for row in rows] == [
        ("r0@x.test", "active"),
        ("r1@x.test", "active"),
        ("ann@x.test", "pending"),
    ]
    assert cli.json("subscribers", "stats") == {
        "pending": 1,
        "active": 2,
        "unsubscribed": 0,
        "bounced": 0,
        "complained": 0,
        "all": 3,
    }
    assert cli("subscribers", "export") == 0
    assert cli.out.splitlines()[0].startswith("email,first_name,last_name,lang,state,topics,created_at,confirmed_at,")
    assert cli("subscribers", "export", "--format", "json") == 0
    assert json.loads(cli.out)[0]["consent"][0]["kind"] == "import"
    assert cli("subscribers", "suppress", "r0@x.test", "--why", "asked by phone") == 0
    plan = cli.json("plan", "quiet")
    assert isinstance(plan, dict)
    assert (plan["audience"], plan["excluded"]) == (1, {"owner": 1, "pending": 1})
    assert cli("subscribers", "unsuppress", "r0@x.test", "--why", "asked back") == 0
    assert cli("subscribers", "show", "r0@x.test") == 0
    assert "lift" in cli.out
    assert cli("subscribers", "erase", "r1@x.test") == 77
    assert cli("subscribers", "erase", "r1@x.test", "--yes") == 0
    database = b"".join(file.read_bytes() for file in (cli.folder / "var").glob("newsletter.db*"))
    assert b"r1@x.test" not in database
    assert cli("subscribers", "show", "r1@x.test") == 0  # a keyed hash knows that it must not be mailed
    assert cli("tick") == 0
    assert cli.addresses() == {"ann@x.test": 1}


# --- what is wrong is said, once, with what to do ----------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["send", "none", "--yes"], 2, 'no issue "none"'),
        (["status", "quiet"], 2, "not been sent"),
        (["send", "quiet", "--yes"], 3, "Nobody would receive"),
        (["send", "quiet", "--plan", "none.json"], 77, "not a plan"),
        (["send", "quiet", "--yes", "--provider", "pigeon"], 78, 'no provider "pigeon"'),
        (["subscribers", "add", "not an address"], 1, "does not look like an email address"),
        (["subscribers", "import", "none.csv"], 1, "cannot be read"),
        (["subscribers", "import", "none.csv", "--map", "email"], 2, "THEIRS=OURS"),
        (["subscribers", "list", "--state", "sleepy"], 2, 'no state "sleepy"'),
        (["render", "quiet", "-o", "out", "--as", "martians"], 2, 'no segment "martians"'),
        (["nonsense"], 2, "No such command"),
        (["send"], 2, "ISSUE"),
        (["serve", "--port", "70000"], 2, "65535"),
    ],
)
def test_a_wrong_command_is_answered(cli: Any, arguments: list[str], code: int, said: str) -> None:
    assert cli(*arguments) == code
    assert said in cli.err
    assert cli.out == ""
    assert "Traceback" not in cli.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"NEWSLETTER_SEND__THREDS": "3"}, 'Did you mean "threads"'),
        ({"NEWSLETTER_BASEURL": "x"}, "NEWSLETTER_BASE_URL"),
        ({"NEWSLETTER_BASE_URL": "letters"}, "https://"),
        ({"NEWSLETTER_SEND__THREADS": "0"}, "NEWSLETTER_SEND__THREADS"),
        ({"NEWSLETTER_DATABASE_URL": "oracle://x"}, "no store for oracle"),
        ({"NEWSLETTER_SUPPRESSION_KEY": "changed"}, "suppression key is not the one"),
        ({"NEWSLETTER_TRUSTED_PROXIES": "*"}, "would believe anybody"),
    ],
)
def test_a_wrong_setting_is_named(cli: Any, change: dict[str, str], said: str) -> None:
    cli.readers(1)
    assert cli("plan", "quiet", **change) == 78
    assert said in cli.err
    assert "Traceback" not in cli.err


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("name:", "nmae:", 'Did you mean "name"'),
        ("timezone: America/Los_Angeles", "timezone: Mars", "newsletter.yml:3:11"),
        ("magnet: workbook,", "magnet: workbok,", 'Did you mean "workbook"'),
        ("footer:\n", "footer\n", "newsletter.yml:6"),
        ("name: Quiet Letters\n", "name: Quiet: Letters\n", "newsletter.yml:2"),
        ("fields:", "suppression_key: abc\nfields:", "must not stand in a file"),
    ],
)
def test_a_wrong_newsletter_yml_is_named_with_its_line(cli: Any, before: str, after: str, said: str) -> None:
    file = cli.folder / "newsletter.yml"
    file.write_text(cli.settings.replace(before, after, 1), "utf-8")
    assert cli("check") == 78
    assert said in cli.err


def test_no_publication_here(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(tmp_path_factory.mktemp("empty")), "check"], {}) == 78
    assert "no newsletter.yml here" in capsys.readouterr().err


def test_a_missing_postal_address_refuses_to_send(cli: Any) -> None:
    cli.readers(1)
    file = cli.folder / "newsletter.yml"
    file.write_text(cli.settings.replace("address: 1 Long Road, Chino, CA 91710", "phone: '1'"), "utf-8")
    assert cli("send", "quiet", "--yes") == 78
    assert "postal address" in cli.err
    assert cli("check") == 1


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("no front matter", 1, "E100"),
        ("---\nsubject: a: b\ndate: 2026-12-02\n---\nx", 1, ":2:"),
        ("---\nsubject: Hello there\ndate: 2026-12-02\n---\n::: nonsense\n:::\n", 1, "E233"),
        ("---\nsubject: Hello there\ndate: 2026-12-02\n---\n![a stone](images/none.jpg)\n", 1, "E210"),
        ("---\nsubject: Hello there\ndate: 2026-12-02\n---\nHi {{ first_name }}\n", 1, "E240"),
        ("---\nsubject: Hello there\ndate: 2026-12-02\nsubjct: x\n---\nHi\n", 1, "E105"),
    ],
)
def test_a_broken_issue_is_named_by_file_line_and_column(cli: Any, text: str, code: int, said: str) -> None:
    name = "2026-12-02-broken.md"
    (cli.folder / "issues" / name).write_text(text, "utf-8")
    assert cli("check", "broken") == code
    assert re.search(rf"issues/{name}:\d+:\d+: E\d\d\d error: ", cli.out)
    assert said in cli.out
    assert cli("send", "broken", "--yes") == code
    assert said in cli.err
    found = json.loads((cli("check", "broken", "--format", "json"), cli.out)[1])
    assert {"file", "line", "col", "code", "level", "message", "fix", "source"} == set(found[0])
    assert cli("check", "broken", "--format", "github") == 1
    assert cli.out.startswith(f"::error file=issues/{name},line=")


def test_a_newer_database_is_left_alone(cli: Any) -> None:
    import sqlite3

    cli.readers(1)
    database = sqlite3.connect(cli.folder / "var/newsletter.db")
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    for command in (["plan", "quiet"], ["db", "upgrade"], ["serve", "--port", "0"]):
        assert cli(*command) == 78
        assert "newer than this program" in cli.err


def test_db_upgrade_makes_an_empty_one_and_is_then_content(cli: Any) -> None:
    assert cli("db", "upgrade") == 0
    assert "from empty to" in cli.out
    assert cli("db", "upgrade") == 0
    assert "already" in cli.out


def test_keys_are_made_once_for_a_folder_in_development(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-C", str(folder), "subscribers", "stats"]
    assert run(arguments, {}) == 0
    assert "secret.key" in capsys.readouterr().err
    kept = {file.name: (file.read_text(), file.stat().st_mode & 0o777) for file in (folder / "var").glob("*.key")}
    assert run(arguments, {}) == 0
    assert capsys.readouterr().err == ""
    assert {
        file.name: (file.read_text(), file.stat().st_mode & 0o777) for file in (folder / "var").glob("*.key")
    } == kept
    assert {mode for _, mode in kept.values()} == {0o600}


def test_first_starts_at_once_agree_on_the_keys(folder: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from newsletter.app import _made_once

    path = folder / "var/some.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: _made_once(path, "X", "http://localhost"), range(32)))
    assert len(keys) == 1
    assert [file.name for file in path.parent.iterdir()] == ["some.key"]


def test_an_empty_key_file_is_no_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "var").mkdir()
    (folder / "var/secret.key").write_text("\n")
    assert run(["-C", str(folder), "subscribers", "stats"], {}) == 78
    assert "holds no key" in capsys.readouterr().err


def test_a_lost_suppression_key_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(folder), "subscribers", "stats"], {}) == 0
    (folder / "var/suppression.key").unlink()
    assert run(["-C", str(folder), "subscribers", "stats"], {}) == 78
    assert "nobody who left would be known" in capsys.readouterr().err
    assert not (folder / "var/suppression.key").exists()


def test_the_database_is_for_its_owners_eyes(cli: Any) -> None:
    cli.readers(1)
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (cli.folder / "var").glob("newsletter.db*")
        if path.suffix != ".lock"
    }
    assert {mode & 0o077 for mode in modes.values()} == {0}, modes
    assert (cli.folder / "var").stat().st_mode & 0o077 == 0


def test_a_locked_database_is_said_in_words_and_reading_goes_on(cli: Any) -> None:
    import sqlite3

    cli.readers(1)
    writer = sqlite3.connect(cli.folder / "var/newsletter.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begun_at = time.monotonic()
    assert cli("subscribers", "stats") == 0
    assert cli("status") == 0
    assert time.monotonic() - begun_at < 5
    writer.execute("ROLLBACK")
    writer.close()


def test_dotenv_is_read_under_the_environment(cli: Any) -> None:
    (cli.folder / ".env").write_text("NEWSLETTER_PROVIDER=pigeon\nSOMETHING_ELSE=1\n", "utf-8")
    readers_code = cli("subscribers", "stats")
    assert readers_code == 78
    assert "pigeon" in cli.err
    assert cli("subscribers", "stats", NEWSLETTER_PROVIDER="outbox") == 0
    (cli.folder / ".env").write_text("NEWSLETTER_PROVDER=outbox\n", "utf-8")
    assert cli("subscribers", "stats") == 78
    assert 'Did you mean "NEWSLETTER_PROVIDER"' in cli.err


def test_settings_nothing_obeys_yet_are_said_in_the_plan(cli: Any) -> None:
    (cli.folder / "newsletter.yml").write_text(
        cli.settings + "sequences:\n  after: {after: workbook, folder: sequences/after}\nseeds: [me@quiet.example]\n",
        "utf-8",
    )
    cli.readers(1)
    plan = cli.json("plan", "quiet")
    assert isinstance(plan, dict)
    said = "\n".join(plan["warnings"])
    assert "sequences is set" in said
    assert "seeds" not in said


def test_promise_12_no_address_and_no_secret_is_said(cli: Any) -> None:
    secret = "hunter2-hunter2"
    cli.readers(2)
    said = ""
    for arguments in (["plan", "quiet"], ["send", "quiet", "--yes"], ["status"], ["subscribers", "add", "r0@x.test"]):
        cli(*arguments)
        said += cli.out + cli.err
    cli("plan", "quiet", NEWSLETTER_SMTP__PASSWORD=secret, NEWSLETTER_SMTP__PORT=secret)
    said += cli.out + cli.err
    assert "@x.test" not in said
    assert secret not in said


# --- as a process: signals, kill -9, help ---------------------------------------------------------------------


def process(folder: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "newsletter", "-C", str(folder), *arguments],
        env={**os.environ, **KEYS, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


SLOWLY = {"NEWSLETTER_SEND__BATCH_SIZE": "20", "NEWSLETTER_SEND__RATE": "500"}
"""So that seconds of work are left when a signal comes, however quick the disk and however late this test wakes."""


def written(folder: Path) -> int:
    new = folder / "var/outbox/new"
    return len(list(new.iterdir())) if new.is_dir() else 0


def begun(folder: Path, sending: subprocess.Popen[str], least: int) -> None:
    """Wait until some mails lie in the outbox."""
    end = time.monotonic() + 30
    while written(folder) < least:
        assert sending.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < end
        time.sleep(0.005)


def test_promise_1_kill_9_in_the_middle_and_again_everyone_once(cli: Any) -> None:
    """2,000 readers; killed three times at different moments, two runs at once at the end."""
    cli.readers(2000)
    for least in (50, 400, 750):
        sending = process(cli.folder, "send", "quiet", "--yes", **SLOWLY)
        begun(cli.folder, sending, least)
        sending.send_signal(signal.SIGKILL)
        sending.communicate()
        status = cli.json("status", "quiet")
        assert isinstance(status, dict)
        assert status["audience"] == 2000
        assert status["submitted"] < 2000
    both = [process(cli.folder, "send", "quiet", "--yes", "--json") for _ in range(2)]
    codes = sorted(one.wait(60) for one in both)
    outputs = [one.communicate() for one in both]
    assert codes in ([0, 75], [0, 3]), outputs
    assert cli("status", "quiet", "--json") == 0
    status = json.loads(cli.out)
    assert (status["state"], status["submitted"], status["pending"], status["uncertain"]) == ("finished", 2000, 0, 0)
    assert cli.addresses() == {f"r{n}@x.test": 1 for n in range(2000)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_with_work_left_and_nothing_uncertain(cli: Any, number: signal.Signals) -> None:
    cli.readers(1500)
    sending = process(cli.folder, "send", "quiet", "--yes", **SLOWLY)
    begun(cli.folder, sending, 100)
    sending.send_signal(number)
    out, err = sending.communicate(timeout=30)
    assert sending.returncode == 75, (out, err)
    assert "run the same command again" in err
    status = cli.json("status", "quiet")
    assert isinstance(status, dict)
    assert status["uncertain"] == 0
    assert status["submitted"] == written(cli.folder)
    assert cli("send", "quiet", "--yes") == 0
    assert cli.addresses() == {f"r{n}@x.test": 1 for n in range(1500)}


def test_help_is_quick_to_import_and_lists_only_what_is_there(folder: Path) -> None:
    code = "import sys; from newsletter.cli.program import run; run(['--help'], {}); print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("sqlalchemy", "fastapi", "pydantic", "requests", "markdown_it", "mjml", "alembic", "PIL"):
        assert f"'{heavy}'" not in said
    assert "subscribers" in said
    assert "preview" not in said.split("[")[0]


def test_python_m_newsletter_and_the_version(folder: Path) -> None:
    found = process(folder, "--version")
    out, _ = found.communicate(timeout=30)
    assert (found.returncode, out.split()[0]) == (0, "newsletter")
