"""Forgetting in time, and leaving no trace."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core import address, ids
from newsletter.core.consent import Mail, State
from newsletter.errors import LinkRefused, NotFound, WorkLeft
from newsletter.flows import audience, magnet
from newsletter.flows.desk import Desk
from newsletter.flows.signup import Request, confirm, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider

ANN = "ann@x.test"


class Watched:
    """A store that counts how often it is scrubbed."""

    def __init__(self, store: SqlStore) -> None:
        self._store, self.scrubs = store, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def scrub(self, *, patience: float = 1.0) -> bool:
        self.scrubs += 1
        return self._store.scrub(patience=patience)


def link(desk: Desk, provider: FakeProvider) -> str:
    tick(desk)
    return str(provider.calls[-1].email.text[0]).partition("/confirm/")[2].split()[0]


def test_a_link_that_went_out_a_moment_ago_finds_its_row(
    store: SqlStore, make_desk: Callable[..., Desk], clock: Clock, provider: FakeProvider
) -> None:
    desk = make_desk(store)
    signup(Request(ANN, letter=True), desk)
    clock.move(timedelta(days=29))
    signup(Request(ANN, letter=True), desk)
    late = link(desk, provider)
    clock.move(timedelta(days=6))
    assert tick(desk).forgotten == 0
    confirm(late, desk)
    assert audience.show(ANN, desk)["state"] is State.ACTIVE


def test_whoever_never_confirmed_goes_without_a_trace(
    store: SqlStore, make_desk: Callable[..., Desk], clock: Clock
) -> None:
    desk = make_desk(store)
    hmac = desk.hmac(address.parse(ANN))
    signup(Request(ANN, letter=True), desk)
    tick(desk)
    with store.read() as tx:
        who = tx.audience.by_hmac(hmac)
        assert who is not None
        assert tx.audience.evidence(who.pid)
        assert tx.audience.address_of_link(ids.digest(who.unsubscribe_token)) == hmac
    clock.move(timedelta(days=31))
    assert tick(desk).forgotten == 1
    with store.read() as tx:
        assert tx.audience.by_hmac(hmac) is None
        assert tx.audience.evidence(who.pid) == []
        assert tx.audience.address_of_link(ids.digest(who.unsubscribe_token)) is None
        assert tx.audience.suppression(hmac) is None
        assert tx.audience.hits(f"mail:{who.hmac}", clock() - timedelta(days=99)) == 0


def test_promise_9_an_erasure_beside_a_reader_says_that_the_file_is_not_clean_and_the_tick_cleans_it(
    desk: Desk, tmp_path: Path
) -> None:
    def written() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.glob("newsletter.db*")).lower()

    audience.add("ann-who-goes@x.test", desk, why="asked")
    with contextlib.closing(sqlite3.connect(tmp_path / "newsletter.db")) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM subscribers").fetchone()
        with pytest.raises(WorkLeft, match="The person is erased") as told:
            audience.erase("ann-who-goes@x.test", desk)
        assert "ann-who-goes" not in str(told.value)
        tick(desk)
        assert b"ann-who-goes" in written()
    tick(desk)
    assert b"ann-who-goes" not in written()
    with desk.store.read() as tx:
        assert tx.facts.get("scrub_due") is None


def test_the_file_is_cleaned_when_somebody_went_and_not_at_every_pass(
    sqlite_store: SqlStore, make_desk: Callable[..., Desk], clock: Clock
) -> None:
    watched = Watched(sqlite_store)
    desk = make_desk(watched)
    for number in range(3):
        signup(Request(f"r{number}@x.test"), desk)
        clock.move(timedelta(days=1))
    clock.move(timedelta(days=26))
    forgotten = 0
    for _ in range(25):
        forgotten += tick(desk).forgotten
        clock.move(timedelta(days=1) / 5)
    assert forgotten == 3
    assert 1 <= watched.scrubs <= 3


@pytest.fixture
def workbook_alone(store: SqlStore, make_desk: Callable[..., Desk], provider: FakeProvider) -> tuple[Desk, str]:
    """Ann wanted the workbook and no letter; her download link. Ben reads the letter too."""
    desk = make_desk(store)
    signup(Request("ben@x.test", letter=True), desk)
    confirm(link(desk, provider), desk)
    signup(Request(ANN), desk)
    done = confirm(link(desk, provider), desk)
    return desk, (done.download_url or "").rpartition("/")[2]


def test_who_wanted_a_free_resource_alone_is_forgotten_and_the_link_outlives_the_row(
    workbook_alone: tuple[Desk, str], clock: Clock
) -> None:
    desk, token = workbook_alone
    clock.move(timedelta(days=29))
    assert tick(desk).forgotten == 0
    clock.move(timedelta(days=2))
    assert tick(desk).forgotten == 1
    with pytest.raises(NotFound):
        audience.show(ANN, desk)
    assert audience.show("ben@x.test", desk)["state"] is State.ACTIVE
    assert magnet.download(token, desk).startswith("/files/")
    clock.move(timedelta(days=58))
    tick(desk)
    assert magnet.offer(token, desk).key == "workbook"  # the 89th day
    clock.move(timedelta(days=40))
    tick(desk)
    with desk.store.read() as tx:
        assert [tx.audience.granted(number) for number in (1, 2)].count(None) == 1


def test_asking_again_keeps_the_row(workbook_alone: tuple[Desk, str], clock: Clock) -> None:
    desk, _ = workbook_alone
    clock.move(timedelta(days=20))
    signup(Request(ANN), desk)
    clock.move(timedelta(days=20))
    assert tick(desk).forgotten == 0


def test_promise_9_erasing_takes_the_grants_too(workbook_alone: tuple[Desk, str]) -> None:
    desk, token = workbook_alone
    audience.erase(ANN, desk)
    with pytest.raises(LinkRefused):
        magnet.offer(token, desk)


def test_promise_9_what_was_written_beside_an_address_does_not_keep_it(
    store: SqlStore, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(store)
    audience.add(ANN, desk, why=f"mail from {ANN} of May 3")
    audience.suppress(ANN, desk, note=f"{ANN} wrote to us")
    with store.read() as tx:
        pid = next(tx.audience.each()).pid
    audience.erase(ANN, desk)
    with store.read() as tx:
        assert {row["note"] for row in tx.audience.evidence(pid)} == {"mail from … of May 3", ""}
        notes = tx.audience._sql.exec_driver_sql("SELECT note FROM suppressions ORDER BY note").scalars().all()
    assert set(notes) == {"", "… wrote to us"}


def test_evidence_of_who_is_gone_goes_when_privacy_says(
    store: SqlStore, make_desk: Callable[..., Desk], clock: Clock
) -> None:
    desk = make_desk(store)
    audience.add(ANN, desk, why="asked")
    audience.add("ben@x.test", desk, why="asked")
    with store.read() as tx:
        ann, ben = (one.pid for one in tx.audience.each())
    clock.move(timedelta(days=300))
    audience.erase(ANN, desk)
    for days, left in ((729, 2), (2, 0)):  # 24 months from the last that was recorded
        clock.move(timedelta(days=days))
        tick(desk)
        with store.read() as tx:
            assert (len(tx.audience.evidence(ann)), len(tx.audience.evidence(ben))) == (left, 1)


def test_mail_that_is_done_is_forgotten_and_mail_that_waits_is_not(
    sqlite_store: SqlStore, make_desk: Callable[..., Desk], clock: Clock, provider: FakeProvider
) -> None:
    desk = make_desk(sqlite_store)
    audience.add(ANN, desk, why="asked on paper")
    signup(Request(ANN, "workbook"), desk)
    tick(desk)
    with desk.store.begin() as tx:
        tx.queue.enqueue(Mail.ALREADY, key="k", subscriber_id=1, now=clock())
        tx.campaigns.pause_all(clock())
    clock.move(timedelta(days=44))
    tick(desk)
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"submitted": 1, "waiting": 1}
    clock.move(timedelta(days=2))
    tick(desk)
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"waiting": 1}
