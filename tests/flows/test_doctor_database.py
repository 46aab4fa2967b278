"""Doctor on the database: each fault alone is named once, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from newsletter.core.delivery import Finding
from newsletter.core.vitals import Shape, Vitals
from newsletter.flows.desk import Desk
from newsletter.flows.doctor import account
from newsletter.flows.doctor import database as db
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider

FREE = 10_000_000_000


def ids(store: SqlStore, clock: Clock, free: int | None = FREE, *, public: bool = True) -> list[str]:
    return [one.id.removeprefix("database.") for one in db.look(store, clock(), free=free, public=public)]


@pytest.fixture
def well(store: SqlStore, clock: Clock) -> SqlStore:
    """A database that is looked after."""
    facts(store, **{name: clock().isoformat() for name in (db.TICKED, db.BACKED_UP, db.RESTORED)})
    return store


def facts(store: SqlStore, **given: str | None) -> None:
    with store.begin() as tx:
        for name, value in given.items():
            tx.facts.set(name, value)


def test_a_database_that_is_looked_after_is_left_alone(well: SqlStore, clock: Clock) -> None:
    assert ids(well, clock) == []
    assert well.shape().kind in {"sqlite", "postgresql"}


def test_a_new_folder_that_nobody_reads_needs_no_backup(store: SqlStore, clock: Clock) -> None:
    assert ids(store, clock, public=False) == []


def test_nothing_was_ever_done(store: SqlStore, clock: Clock) -> None:
    assert ids(store, clock) == ["backup-missing", "no-tick"]


@pytest.mark.parametrize(
    ("name", "age", "fault"),
    [
        (db.BACKED_UP, timedelta(hours=27), "backup-old"),
        (db.RESTORED, timedelta(days=101), "restore-untried"),
        (db.TICKED, timedelta(minutes=16), "no-tick"),
    ],
)
def test_what_was_done_too_long_ago(well: SqlStore, clock: Clock, name: str, age: timedelta, fault: str) -> None:
    facts(well, **{name: (clock() - age).isoformat()})
    assert ids(well, clock) == [fault]


def test_a_full_disk_and_a_general_pause(well: SqlStore, clock: Clock) -> None:
    assert ids(well, clock, free=1000) == ["room"]
    assert ids(well, clock, free=None) == []
    with well.begin() as tx:
        tx.campaigns.pause_all(clock())
    assert ids(well, clock) == ["paused"]


LATE = timedelta(minutes=16)
WORK: list[tuple[str, Callable[[Clock], Vitals]]] = [
    ("uncertain", lambda _: Vitals(uncertain={"low-water": 3})),
    ("stopped", lambda _: Vitals(still=("low-water",))),
    ("queue-late", lambda clock: Vitals(queue_since=clock() - LATE)),
    ("queue-failed", lambda _: Vitals(queue={"failed": 1, "submitted": 9})),
    ("events-late", lambda clock: Vitals(webhooks_unread=2, webhooks_since=clock() - LATE)),
]
SHAPES: list[tuple[str, Shape]] = [
    ("damaged", Shape("sqlite", "3.40", damage="row 3 missing from index", journal="wal")),
    ("journal", Shape("sqlite", "3.40", journal="delete")),
]


@pytest.mark.parametrize(("fault", "signs"), WORK)
def test_each_trouble_of_the_work_is_named_once(clock: Clock, fault: str, signs: Callable[[Clock], Vitals]) -> None:
    assert [one.id for one in db._work(signs(clock), clock(), paused=False)] == [f"database.{fault}"]


@pytest.mark.parametrize(("fault", "shape"), SHAPES)
def test_each_trouble_of_the_file_is_named_once(fault: str, shape: Shape) -> None:
    assert [one.id for one in db._shape(shape, FREE)] == [f"database.{fault}"]
    assert [*db._shape(replace(shape, damage="", journal="WAL"), FREE)] == []


def test_a_copy_that_came_back_is_told_and_not_the_pause_with_it(well: SqlStore, clock: Clock) -> None:
    facts(well, **{db.CAME_BACK: clock().isoformat()})
    with well.begin() as tx:
        tx.campaigns.pause_all(clock())
    assert ids(well, clock) == ["restored"]


def test_every_kind_has_its_case() -> None:
    others = {"restored", "backup-missing", "backup-old", "restore-untried", "no-tick", "room", "paused", "closed"}
    assert {fault for fault, _ in [*WORK, *SHAPES]} | others == set(db.DATABASE.kinds)


def test_the_signs_are_read_off_the_rows(store: SqlStore, clock: Clock) -> None:
    with store.read() as tx:
        assert tx.vital.signs(clock()) == Vitals()


def test_a_provider_speaks_in_its_own_words(provider: FakeProvider) -> None:
    class Saying(FakeProvider):
        def check(self, need: int) -> Any:
            return (Finding("error", "key", "The key is refused.", "Set another."), Finding("warning", "odd", "Odd."))

    class Silent(FakeProvider):
        def check(self, need: int) -> Any:
            raise TimeoutError

    assert account.look((provider, provider), 10) == []
    found = account.look((Saying(), Silent()), 10)
    assert [(one.id, one.level) for one in found] == [
        ("provider.key", "error"),
        ("provider.other", "warning"),
        ("provider.unanswered", "warning"),
    ]


def test_doctor_as_a_whole_is_quiet_in_a_folder_to_try_things(desk: Desk) -> None:
    from newsletter.flows.doctor import doctor
    from newsletter.flows.doctor.setup import Setup

    here = Setup(desk.root, desk.publication, "http://localhost:8000", "outbox", network=False)
    assert [one.id for one in doctor.look(here, desk, None)] == ["config.nothing-leaves"]
    assert doctor.look(here, desk, None, only=("ci",)) == []
