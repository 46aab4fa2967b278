"""The line that says how far a campaign is."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from newsletter.cli.progress import Progress, is_terminal, said, span
from newsletter.core.campaign import Campaign, CampaignState
from newsletter.testing import Clock

NOW = datetime(2026, 12, 1, tzinfo=UTC)
QUIET = Campaign(
    1,
    "abc",
    "quiet",
    "A quiet week",
    ("all", "friends"),
    "0",
    CampaignState.SENDING,
    "fake",
    1000,
    {},
    2,
    NOW,
    NOW,
    None,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_overwritten(clock: Clock) -> None:
    out = Terminal()
    show = Progress(out, terminal=True, clock=clock.monotonic)
    for done in (0, 100, 101, 200):  # the third comes too soon after the second
        show(QUIET, done)
        clock.move(0.06)
    clock.move(1.82)
    show(QUIET, 1000)
    show.end()
    lines = out.getvalue().split("\r")
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().endswith("\n")
    assert [line.partition("quiet to all, friends: ")[2].removesuffix("\x1b[K").strip() for line in lines if line] == [
        "0 of 1,000 (0%)",
        "101 of 1,000 (10%), 842/s, 1 s left",
        "1,000 of 1,000 (100%), 485/s\x1b[K",
    ]


def test_elsewhere_plain_lines_now_and_then(clock: Clock) -> None:
    out = io.StringIO()
    show = Progress(out, terminal=False, clock=clock.monotonic)
    for done in range(400, 1001, 100):
        show(QUIET, done)
        clock.move(5)
    show.end()
    assert out.getvalue().splitlines() == [
        "quiet to all, friends: 400 of 1,000 (40%)",
        "quiet to all, friends: 600 of 1,000 (60%), 20/s, 20 s left",  # of this run alone
        "quiet to all, friends: 800 of 1,000 (80%), 20/s, 10 s left",
        "quiet to all, friends: 1,000 of 1,000 (100%), 20/s",
    ]
    assert "\x1b" not in out.getvalue()


def test_the_next_letter_begins_a_line_of_its_own(clock: Clock) -> None:
    out = Terminal()
    show = Progress(out, terminal=True, clock=clock.monotonic)
    show(QUIET, 500)
    show(replace(QUIET, key="loud"), 0)
    show.end()
    show.end()
    assert [line.strip("\r").partition(":")[0] for line in out.getvalue().split("\n")[:-1]] == [
        "quiet to all, friends",
        "loud to all, friends",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (3e6, "833 h 20 min")],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_slow_and_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert said(QUIET, 3, 3, 60) == "quiet to all, friends: 3 of 1,000 (0%), 3.0/min, 5 h 32 min left"
    assert said(replace(QUIET, audience=0), 0, 0, 0) == "quiet to all, friends: 0 of 0 (100%)"
    monkeypatch.setenv("COLUMNS", "120")
    assert "[##########----------] 500 of 1,000" in said(QUIET, 500, 1, 1)


def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_terminal(io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    assert is_terminal(Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Terminal())
