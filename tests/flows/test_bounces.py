"""Bounces that come as mail: files in every form they lie about in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.core.consent import State
from newsletter.errors import FileRefused
from newsletter.flows import audience, bounces
from newsletter.flows.desk import Desk
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider
from tests.core.test_bouncemail import dsn

ANN = "ann@x.test"


@pytest.fixture
def desk(store: SqlStore, make_desk: Callable[..., Desk], clock: Clock) -> Desk:
    made = make_desk(store)
    audience.add(ANN, made, why="asked")
    clock.move(86_400)
    return made


def test_a_bounce_is_obeyed_once_however_it_comes(desk: Desk, tmp_path: Path) -> None:
    one = dsn("failed", "5.1.1", "550 5.1.1 unknown")
    two = one.replace(b"report-1", b"report-2").replace(b"Sorry.", b">From here on nobody lives there.")
    (tmp_path / "one.eml").write_bytes(one)
    (tmp_path / "box").write_bytes(
        b"From MAILER-DAEMON Tue Dec  1 18:00:00 2026\n" + one + b"\nFrom x Tue Dec 1\n" + two
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.eml").write_bytes(one)
    for name in ("cur", "new", "tmp"):
        (tmp_path / "maildir" / name).mkdir(parents=True)
    (tmp_path / "maildir/new/a").write_bytes(b"Subject: hello\n\nHow are you?")
    found = [bounces.import_(tmp_path / name, desk) for name in ("one.eml", "box", "folder", "maildir")]
    assert found == [
        bounces.Found(1, 1, 0, 0),
        bounces.Found(2, 1, 1, 0),
        bounces.Found(1, 0, 1, 0),
        bounces.Found(1, 0, 0, 1),
    ]
    shown = audience.show(ANN, desk)
    assert shown["state"] is State.BOUNCED
    assert (shown["consent"][-1]["method"], shown["consent"][-1]["source"]) == ("webhook", "mail")


def test_it_is_our_reader_who_bounced_and_not_whom_they_forward_to(desk: Desk, provider: FakeProvider) -> None:
    send("quiet", desk)
    key = next(iter(provider.received))
    message = dsn("failed", "5.1.1", "550 5.1.1 unknown", to=f"bounces+{key}@b.quiet.example", who="elsewhere@y.test")
    assert bounces.take(iter([message]), desk).events == 1
    assert audience.show(ANN, desk)["state"] is State.BOUNCED


def test_what_cannot_be_read_is_said(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="No such file"):
        bounces.import_(tmp_path / "missing.eml", desk)
