"""Disks that fill up, databases nobody may write, clocks that jump: nothing twice, nothing guessed."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Lock

import pytest

from newsletter.core.campaign import Counts
from newsletter.core.delivery import Batch, Capabilities
from newsletter.core.email import Email
from newsletter.core.pace import Pace
from newsletter.errors import StoreBusy
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import status
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider, Retry
from tests.flows.readers import fake, readers

Make = Callable[..., Desk]
AT_ONCE = Pace(threads=1, patience=(0.0, 0.0))


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow or be overwritten: what a full disk answers (EFBIG for ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Filling(FakeProvider):
    """Takes its second batch; by the time it answers, the disk is full."""

    full: Callable[[], object]

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
        told = super().submit(email, batch, key=key, timeout=timeout)
        if len(self.calls) == 2:
            self.full()
        return told


@pytest.mark.parametrize(("reconcile", "left"), [("search", 0), ("no", 5)])
def test_promise_3_a_disk_that_is_full_between_taking_and_recording_is_uncertain_never_twice(
    make_desk: Make, sqlite_store: SqlStore, clock: Clock, reconcile: str, left: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    provider = Filling(capabilities=Capabilities(max_batch=5, network=False, reconcile=reconcile))  # type: ignore[arg-type]
    provider.full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    desk = make_desk(sqlite_store, provider=provider, pace=AT_ONCE)
    readers(desk, 20)
    try:
        with pytest.raises(StoreBusy, match="did not take this now"):
            send("quiet", desk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    clock.move(121)  # the lease is over
    assert status("quiet", desk)[1] == Counts(audience=20, submitted=5, uncertain=5, pending=10)
    report = send("quiet", desk)
    assert report.counts == Counts(audience=20, submitted=20 - left, uncertain=left)
    assert provider.twice == []
    assert len(provider.received) == 20


def test_a_full_disk_before_the_claim_sends_nothing(make_desk: Make, sqlite_store: SqlStore) -> None:
    provider = fake()
    desk = make_desk(sqlite_store, provider=provider, pace=AT_ONCE)
    readers(desk, 5)
    with full_disk(), pytest.raises(StoreBusy):
        send("quiet", desk)
    assert provider.calls == []
    assert send("quiet", desk).counts == Counts(audience=5, submitted=5)


class ReadOnly:
    """A store that cannot be written any more, once it was told."""

    def __init__(self, store: SqlStore) -> None:
        self._store, self.readonly = store, False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    @contextmanager
    def begin(self) -> Iterator[object]:
        if self.readonly:
            raise StoreBusy("attempt to write a readonly database")
        with self._store.begin() as tx:
            yield tx


def test_promise_3_a_database_that_is_read_only_after_the_taking_is_uncertain_never_twice(
    make_desk: Make, store: SqlStore, clock: Clock
) -> None:
    provider = Filling(capabilities=Capabilities(max_batch=5, network=False, reconcile="search"))
    shut = ReadOnly(store)
    provider.full = lambda: setattr(shut, "readonly", True)
    desk = make_desk(store, provider=provider, pace=AT_ONCE)
    readers(desk, 20)
    with pytest.raises(StoreBusy):
        send("quiet", replace(desk, store=shut))
    assert status("quiet", desk)[1] == Counts(audience=20, submitted=5, pending=15)  # its lease runs
    clock.move(121)
    assert status("quiet", desk)[1] == Counts(audience=20, submitted=5, uncertain=5, pending=10)
    assert send("quiet", desk).counts == Counts(audience=20, submitted=20)
    assert provider.twice == []


# --- clocks -------------------------------------------------------------------------------------------


class Jumping(FakeProvider):
    """While it has a batch in hand, the clock is set: an hour on, an hour back, again and again."""

    clock: Clock
    hours: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turn, self._turns = Lock(), 0

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
        with self._turn:
            self.clock.move(timedelta(hours=self.hours[self._turns % len(self.hours)]))
            self._turns += 1
        return super().submit(email, batch, key=key, timeout=timeout)


@pytest.mark.parametrize(("hours", "threads"), [((1,), 3), ((-1,), 3), ((1, -1), 1), ((-1, 1), 3)])
def test_promise_1_a_clock_that_jumps_an_hour_while_leases_are_held_doubles_nobody(
    make_desk: Make, sqlite_store: SqlStore, clock: Clock, hours: tuple[int, ...], threads: int
) -> None:
    jumps(make_desk, sqlite_store, clock, hours, threads)


def test_promise_1_and_so_on_postgresql(make_desk: Make, store: SqlStore, clock: Clock) -> None:
    jumps(make_desk, store, clock, (1, -1, -1, 1), 2)


def jumps(make_desk: Make, store: SqlStore, clock: Clock, hours: tuple[int, ...], threads: int) -> None:
    provider = Jumping(capabilities=Capabilities(max_batch=5, network=False, reconcile="search"))
    provider.clock, provider.hours = clock, hours
    desk = make_desk(store, provider=provider, pace=Pace(threads=threads))
    readers(desk, 40)
    for _ in range(4):
        report = send("quiet", desk)
        if report.finished:
            break
    assert report.counts == Counts(audience=40, submitted=40)
    assert provider.twice == []


@pytest.mark.parametrize("hours", [1, -1])
def test_promise_1_a_clock_that_jumped_between_two_runs_doubles_nobody(
    make_desk: Make, sqlite_store: SqlStore, clock: Clock, hours: int
) -> None:
    """The first run dies with a batch in hand that was taken; the clock is set; the second finds it."""
    provider = Filling(capabilities=Capabilities(max_batch=5, network=False, reconcile="search"))

    def die() -> None:
        raise KeyboardInterrupt

    provider.full = die
    desk = make_desk(sqlite_store, provider=provider, pace=AT_ONCE)
    readers(desk, 20)
    with pytest.raises(KeyboardInterrupt):
        send("quiet", desk)
    clock.move(timedelta(hours=hours))
    assert send("quiet", desk).counts == Counts(audience=20, submitted=20)
    assert provider.twice == []


def test_a_pause_asked_for_under_a_clock_an_hour_ahead_ends_when_it_was_to_end(
    make_desk: Make, sqlite_store: SqlStore, clock: Clock
) -> None:
    """The provider's, and that of the batch it refused."""
    provider = fake(Retry(after=90))
    desk = make_desk(sqlite_store, provider=provider, pace=AT_ONCE)
    readers(desk, 10)
    clock.move(timedelta(hours=1))
    assert not send("quiet", desk).finished
    clock.move(timedelta(hours=-1))
    assert "asked to wait" in send("quiet", desk).why
    clock.move(timedelta(seconds=91))
    assert send("quiet", desk).counts == Counts(audience=10, submitted=10)
