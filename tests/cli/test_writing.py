"""What an editor types: a new issue, a look at it, a test mail, what is different."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from newsletter.cli.program import run

SETTINGS = """
name: Quiet Letters
timezone: America/Los_Angeles
rhythm: tuesday 09:30
senders:
  us: {name: Quiet Letters, email: letters@quiet.example, reply_to: hello@quiet.example}
footer:
  address: 1 Long Road, Chino, CA 91710
topics: {letter: The letter}
fields: {first_name: friend}
"""
KEYS = {"NEWSLETTER_SECRET_KEYS": "a-key", "NEWSLETTER_SUPPRESSION_KEY": "another-key"}
TO = "editor@quiet.example"


class Cli:
    """Runs commands in a folder and keeps what they said."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str, **environ: str) -> int:
        code = run(["-C", str(self.folder), *arguments], {**KEYS, **environ})
        self.out, self.err = self.capsys.readouterr()
        return code

    def mails(self) -> list[EmailMessage]:
        """What lies in the outbox."""
        files = [file for part in ("new", "cur") for file in (self.folder / "var/outbox" / part).glob("*")]
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


@pytest.fixture
def cli(root: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    (root / "newsletter.yml").write_text(SETTINGS, "utf-8")
    return Cli(root, capsys)


# --- new ----------------------------------------------------------------------------------------------


def test_new_prints_the_path_of_a_draft_that_passes_the_check(cli: Cli) -> None:
    assert cli("new", "What we carry: a list") == 0
    path = cli.folder / cli.out.strip()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d-what-we-carry-a-list\.md", path.name)
    assert "subject: 'What we carry: a list'\n" in path.read_text("utf-8")
    assert cli("check", "what-we-carry-a-list", "--offline") == 0, cli.out
    assert cli("send", "what-we-carry-a-list", "--yes") == 3  # a draft


def test_new_on_a_day_of_ones_own_and_never_twice(cli: Cli) -> None:
    assert cli("new", "Rest", "--date", "2027-01-07") == 0
    assert cli.out == "issues/2027-01-07-rest.md\n"
    assert cli("new", "Rest", "--date", "2027-01-07") == 1
    assert "left as it is" in cli.err
    assert cli("new", "Rest", "--date", "7 January 2027") == 2
    assert "2027-01-07" in cli.err


# --- test ---------------------------------------------------------------------------------------------


def test_test_sends_two_real_mails_to_one_address(cli: Cli) -> None:
    assert cli("test", "quiet", "--to", TO) == 0, cli.err
    mails = cli.mails()
    assert [str(mail["To"]) for mail in mails] == [TO, TO]
    assert {str(mail["Subject"]) for mail in mails} == {"[TEST] A quiet week"}
    texts = [str(mail.get_body(("plain",)).get_content()) for mail in mails]  # type: ignore[union-attr]
    assert sorted(re.findall(r"Hello \w+", "".join(texts))) == ["Hello Sam", "Hello friend"]
    assert all(mail["List-Unsubscribe-Post"] for mail in mails)
    assert cli("status") == 0
    assert "quiet" not in cli.out


def test_promise_12_test_does_not_print_the_address(cli: Cli) -> None:
    cli("test", "quiet", "--to", TO, "--no-name")
    assert "editor" not in cli.out + cli.err
    assert len(cli.mails()) == 1


def test_test_refuses_lists(cli: Cli) -> None:
    assert cli("test", "quiet", "--to", TO, "--to", "other@quiet.example") == 2
    assert cli("test", "quiet", "--to", f"{TO},other@quiet.example") == 1
    assert cli("test", "quiet") == 2
    assert cli.mails() == []


def test_test_shows_warnings_and_refuses_errors(cli: Cli) -> None:
    path = cli.folder / "issues/2026-12-01-quiet.md"
    path.write_text(re.sub("preheader: .*\n", "", path.read_text("utf-8")), "utf-8")
    assert cli("test", "quiet", "--to", TO) == 0
    assert "W302" in cli.out
    assert cli("test", "quiet", "--to", TO, "--as", "nobody") == 2
    path.write_text(path.read_text("utf-8").replace(', "friend"', ""), "utf-8")
    assert cli("test", "quiet", "--to", TO) == 1
    assert "E240" in cli.err


def test_test_keeps_the_rule_about_links_nobody_can_open(cli: Cli) -> None:
    smtp = {"NEWSLETTER_PROVIDER": "smtp", "NEWSLETTER_SMTP__HOST": "mail.quiet.example"}
    assert cli("test", "quiet", "--to", TO, **smtp) == 78
    assert "no reader can open" in cli.err


# --- diff ---------------------------------------------------------------------------------------------


def test_diff_in_words_and_as_json(cli: Cli) -> None:
    assert cli("diff", "quiet") == 3
    assert cli("new", "A quiet week", "--date", "2026-12-08") == 0
    assert cli("diff", "a-quiet-week") == 0
    assert "a-quiet-week, beside quiet (dated 1 Dec 2026)" in cli.out
    assert "The same subject as 1 Dec 2026." in cli.out
    assert cli("diff", "a-quiet-week", "--json") == 0
    told = json.loads(cli.out)
    assert set(told) == {
        "issue",
        "against",
        "against_date",
        "against_sent",
        "subject",
        "preheader",
        "sender",
        "reply_to",
        "words",
        "bytes",
        "footer",
        "links",
        "images",
        "notes",
    }
    assert (told["issue"], told["against"], told["against_date"], told["against_sent"]) == (
        "a-quiet-week",
        "quiet",
        "2026-12-01",
        False,
    )


# --- preview and screenshots --------------------------------------------------------------------------


def test_preview_runs_until_it_is_stopped(cli: Cli) -> None:
    command = [
        sys.executable,
        "-m",
        "newsletter",
        "-C",
        str(cli.folder),
        "preview",
        "quiet",
        "--no-open",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+/issue/2026-12-01-quiet", process.stdout.readline())
        assert url
        with requests.get(url[0], timeout=20) as answer:
            assert "A quiet week" in answer.text
        begun = time.monotonic()
        with requests.get(url[0].partition("/issue")[0] + "/events", stream=True, timeout=20):
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=15)  # an open page does not hold it
        assert time.monotonic() - begun < 10
        assert (process.returncode, said) == (0, "")
    finally:
        process.kill()
        process.wait()


def test_preview_of_nothing_is_said(cli: Cli) -> None:
    assert cli("preview", "quite", "--no-open") == 2
    assert "quiet" in cli.err


def test_screenshots_without_chromium_leave_nothing_half_done(cli: Cli) -> None:
    out = cli.folder / "out"
    command = [sys.executable, "-m", "newsletter", "-C", str(cli.folder), "render", "quiet", "-o", str(out)]
    done = subprocess.run(
        [*command, "--screenshots", str(out / "shots")],
        env={**KEYS, "PATH": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 78
    assert "no Chromium" in done.stderr
    assert not out.exists()
