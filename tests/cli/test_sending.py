"""`plan`, `send`, `status`, `resolve`, `pause`, `resume` as a person reads them."""

from __future__ import annotations

from typing import Any

from newsletter.cli import sending


def test_a_plan_in_words(cli: Any) -> None:
    cli.readers(2)
    assert cli("plan", "quiet", "-o", str(cli.folder / "plan.json")) == 0
    for said in ("2 readers of all", "outbox, 1 call", "2026-12-01T08:00:00Z", "left out  nobody", "written to"):
        assert said in cli.out


def test_a_send_in_words_adds_up(cli: Any) -> None:
    cli.readers(3)
    assert cli("subscribers", "suppress", "r1@x.test") == 0
    assert cli("send", "quiet", "--yes") == 0
    assert "2 mails sent in this run" in cli.out
    assert "adds up" in cli.out
    assert cli("status", "quiet") == 0
    assert "quiet is finished, through outbox" in cli.out
    assert "not in the audience when it was frozen: owner" in cli.out
    assert cli("status") == 0
    assert cli.out.splitlines()[0].split() == [
        "issue",
        "state",
        "audience",
        "submitted",
        "suppressed",
        "failed",
        "uncertain",
        "pending",
    ]


def test_pause_and_resume(cli: Any) -> None:
    cli.readers(2)
    blocked = cli.folder / "var/outbox"
    blocked.write_text("a file where the outbox should be", "utf-8")
    assert cli("send", "quiet", "--yes") == 78
    assert cli("pause", "quiet") == 0
    assert "quiet is paused" in cli.out
    assert cli("send", "quiet", "--yes") == 75
    assert "newsletter resume quiet" in cli.err
    assert cli("resume", "quiet") == 0
    blocked.unlink()
    assert cli("resolve", "quiet") == 0
    assert "0 rows settled" in cli.out
    cli("send", "quiet", "--yes")
    assert cli("pause", "nothing") == 2


def test_the_progress_line_says_how_far(capsys: Any) -> None:
    show = sending._progress()
    show(1, 10)
    show(10, 10)
    assert "10 of 10 (100%)" in capsys.readouterr().err
