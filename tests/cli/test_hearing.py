"""`events`, `webhooks replay`, `bounces import`, as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from newsletter.cli.program import run
from newsletter.testing import Reply, Server
from tests.core.test_bouncemail import dsn

YML = """name: Quiet Letters
senders:
  us: {name: Quiet Letters, email: letters@quiet.example}
footer: {address: "1 Long Road, Chino, CA 91710"}
"""
ENV = {"NEWSLETTER_MAILGUN__SIGNING_KEY": "key-for-tests"}


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "newsletter.yml").write_text(YML)
    assert newsletter(tmp_path, "subscribers", "add", "ann@x.test", "--attest-consent", "on paper") == 0
    capsys.readouterr()
    return tmp_path


def newsletter(home: Path, *words: str) -> int:
    return run(["-C", str(home), *words], ENV)


def complained(at: float) -> dict[str, object]:
    event = {"event": "complained", "timestamp": at, "recipient": "ann@x.test", "id": "e1"}
    return {"signature": {"timestamp": str(int(at)), "token": "t" * 50, "signature": "00"}, "event-data": event}


def test_a_recorded_webhook_is_read_and_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "hook.json"
    file.write_text(json.dumps(complained(4_000_000_000.0)))
    assert newsletter(home, "webhooks", "replay", str(file), "--provider", "mailgun", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"requests": 1, "events": 1, "faults": []}
    assert newsletter(home, "events", "--json") == 0
    (event,) = json.loads(capsys.readouterr().out)
    assert list(event) == ["provider", "type", "email", "permanent", "reason", "message_id", "campaign", "at"]
    assert (event["provider"], event["type"], event["email"]) == ("mailgun", "complained", "ann@x.test")
    assert newsletter(home, "subscribers", "show", "ann@x.test", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "complained"
    assert newsletter(home, "events") == 0
    assert capsys.readouterr().out.endswith("1 event.\n")
    file.write_text("[7]")
    assert newsletter(home, "webhooks", "replay", str(file), "--provider", "mailgun") == 1
    assert "not read: An event is not an object." in capsys.readouterr().out


def test_a_bounce_mail_is_read_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "bounce.eml"
    file.write_bytes(dsn("failed", "5.1.1", "550 5.1.1 unknown").replace(b"2026", b"2025"))
    assert newsletter(home, "bounces", "import", "--marked", str(file)) == 0
    assert newsletter(home, "bounces", "import", "--marked", str(file)) == 0
    first, hint, second, _ = capsys.readouterr().out.splitlines()
    assert first == "1 mail: 1 new event, 0 known, 0 of something else."
    assert second == "1 mail: 0 new events, 1 known, 0 of something else."
    assert hint.endswith("if you know who sent them, leave --marked out")
    assert newsletter(home, "events") == 0
    assert "about nobody we know" in capsys.readouterr().out
    assert newsletter(home, "bounces", "import", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"mails": 1, "events": 1, "known": 0, "strange": 0, "unmatched": 0}


def test_without_a_list_there_is_nothing_to_compare(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert newsletter(home, "subscribers", "sync", "--dry-run") == 3
    assert "keeps no list" in capsys.readouterr().err


def test_a_list_that_does_not_answer_is_told_and_ends_with_1(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Server(lambda _request: Reply(401)) as there:
        own = {"PROVIDER": "postmark", "POSTMARK__TOKEN": "t", "POSTMARK__BASE_URL": there.url}
        environ = {f"NEWSLETTER_{name}": value for name, value in own.items()}
        assert run(["-C", str(home), "subscribers", "sync", "--json"], environ) == 1
    found = json.loads(capsys.readouterr().out)
    assert [list(one) for one in found] == [["provider", "entries", "stopped", "lifted", "put", "trouble"]] * 2
    assert all(one["trouble"] for one in found)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("webhooks", "replay", "missing.json", "--provider", "mailgun"), 1, "cannot be read"),
        (("webhooks", "replay", "newsletter.yml", "--provider", "mailgun"), 1, "is no JSON"),
        (("bounces", "import", "missing.eml"), 1, "No such file"),
    ],
)
def test_what_cannot_be_read_is_said(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    paths = [str(home / word) if "." in word else word for word in words]
    assert newsletter(home, *paths) == code
    assert said in capsys.readouterr().err
