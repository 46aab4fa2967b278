"""The mail queue: each mail once, none blocks another, nothing is guessed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.content import system
from newsletter.core.delivery import Capabilities
from newsletter.core.email import fill
from newsletter.core.pace import Pace
from newsletter.core.publication import Limits
from newsletter.core.queue import MAX_ASKED
from newsletter.flows import mail
from newsletter.flows.desk import Desk
from newsletter.flows.gate import CONFIRMATIONS
from newsletter.flows.signup import Request, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, CutAfter, CutBefore, FakeProvider, Reject, Retry

Make = Callable[..., Desk]
DAY = timedelta(days=1)


@pytest.fixture
def desk(store: SqlStore, make_desk: Make) -> Desk:
    return make_desk(store)


def numbers(desk: Desk) -> dict[str, int]:
    with desk.store.read() as tx:
        return dict(tx.queue.numbers())


class Slow(FakeProvider):
    """Finds what it took only when its settle time is over, as real searches do."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__(capabilities=Capabilities(reconcile="search", settle_seconds=seconds, network=False))
        self._clock, self._seconds, self._taken_at = clock, seconds, clock()
        self.asked = 0

    def submit(self, *args, **how):
        self._taken_at = self._clock()
        return super().submit(*args, **how)

    def reconcile(self, batch, *, key):
        self.asked += 1
        if (self._clock() - self._taken_at).total_seconds() < self._seconds:
            return {one.key: replace(self._settled("-"), key=one.key) for one in batch.recipients}
        return super().reconcile(batch, key=key)


def test_promise_3_nothing_is_asked_before_the_providers_settle_time_is_over(
    store: SqlStore, make_desk: Make, clock: Clock
) -> None:
    slow = Slow(clock, 300)
    desk = make_desk(store, provider=slow, transactional=slow)
    slow.then(CutAfter())
    signup(Request("ann@x.test"), desk)
    for _ in range(12):
        tick(desk)
        clock.move(30)
    assert slow.twice == []
    assert len(slow.received) == 1
    assert numbers(desk) == {"submitted": 1}


def test_a_sender_that_died_is_asked_about_after_lease_and_settle_time(
    store: SqlStore, make_desk: Make, clock: Clock
) -> None:
    slow = Slow(clock, 300)
    desk = make_desk(store, provider=slow, transactional=slow)
    signup(Request("ann@x.test"), desk)
    with desk.store.begin() as tx:
        assert tx.queue.claim("somebody who died", desk.now(), desk.pace.lease) is not None
    clock.move(desk.pace.lease + timedelta(seconds=299))
    tick(desk)
    assert slow.asked == 0
    clock.move(2)
    tick(desk)
    assert slow.asked == 1


def test_promise_3_what_the_provider_cannot_tell_is_asked_later_and_later_and_not_for_ever(
    store: SqlStore, make_desk: Make, clock: Clock
) -> None:
    asked = []

    class Mute(FakeProvider):
        def reconcile(self, batch, *, key):
            asked.append(clock())
            return {}

    mute = Mute([CutBefore()])
    desk = make_desk(store, provider=mute, transactional=mute)
    signup(Request("ann@x.test"), desk)
    for _ in range(3000):
        mail.empty(desk)
        clock.move(20 if len(asked) < 3 else 600)
        if len(asked) == MAX_ASKED:
            break
    clock.move(30 * DAY)
    mail.empty(desk)
    assert len(asked) == MAX_ASKED
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert numbers(desk) == {"uncertain": 1}
    assert len(mute.calls) == 1


def test_the_answer_comes_before_the_lease_is_over(store: SqlStore, make_desk: Make, provider: FakeProvider) -> None:
    desk = make_desk(store, pace=Pace(timeout=30, lease=timedelta(seconds=20)))
    signup(Request("ann@x.test"), desk)
    tick(desk)
    assert [call.timeout for call in provider.calls] == [10]


def test_a_mail_whose_lease_was_over_before_the_first_byte_is_left_alone(
    store: SqlStore, make_desk: Make, provider: FakeProvider, clock: Clock
) -> None:
    """Writing it took longer than the lease (here: the clock jumps whenever somebody looks)."""

    def hurried():
        clock.move(100)
        return clock()

    signup(Request("ann@x.test"), make_desk(store))
    mail.empty(make_desk(store, now=hurried))
    assert provider.calls == []


def test_waiting_for_the_cap_costs_no_attempt_and_only_what_went_is_counted(
    store: SqlStore, make_desk: Make, provider: FakeProvider, clock: Clock, publication
) -> None:
    desk = make_desk(store, publication=replace(publication, limits=Limits(confirmations_per_hour=2)))
    provider.then(Reject(["r0@x.test"]), Retry())
    for number in range(5):
        signup(Request(f"r{number}@x.test"), desk)
    tick(desk)  # refused, put off, taken, taken, capped
    with desk.store.read() as tx:
        assert tx.audience.hits(CONFIRMATIONS, desk.now() - DAY) == 2
    assert numbers(desk) == {"failed": 1, "waiting": 2, "submitted": 2}
    for _ in range(5):
        clock.move(timedelta(minutes=11))
        tick(desk)
    assert len(provider.received) == 2
    clock.move(timedelta(minutes=11))
    tick(desk)
    assert numbers(desk) == {"failed": 1, "submitted": 4}
    with desk.store.begin() as tx:
        attempts = [row.attempt for row in tx.queue._sql.exec_driver_sql("SELECT attempt FROM mail_queue ORDER BY id")]
    assert attempts == [1, 2, 1, 1, 1]


def test_promise_11_a_mail_that_cannot_be_written_fails_withoutand_is_told(
    store: SqlStore, make_desk: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = make_desk(store)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "templates/text").mkdir(parents=True)
    (elsewhere / "templates/text/notice.txt").write_text("{{ nobody.knows.this }}")
    signup(Request("ann@x.test"), desk)
    assert mail.empty(replace(desk, root=elsewhere)) == 0
    assert numbers(desk) == {"failed": 1}
    assert "could not be written" in caplog.text
    assert "ann@" not in caplog.text
    signup(Request("ben@x.test"), desk)
    assert mail.empty(desk) == 1


def test_a_provider_that_takes_nothing_is_not_asked_for_each_mail(desk: Desk, provider: FakeProvider) -> None:
    provider.then(Retry(halt="auth"))
    for number in range(4):
        signup(Request(f"r{number}@x.test"), desk)
    mail.empty(desk)
    assert len(provider.calls) == 1
    assert numbers(desk) == {"waiting": 4}


def test_nobody_waits_for_a_template(store: SqlStore, make_desk: Make, provider: FakeProvider) -> None:
    """While a mail is handed over (and written before it) no transaction is open: another can write."""
    seen = []

    class Writes(FakeProvider):
        def submit(self, *args, **how):
            with store.begin() as tx:
                tx.facts.set("meanwhile", "1")
            seen.append(1)
            return super().submit(*args, **how)

    writes = Writes()
    desk = make_desk(store, provider=writes, transactional=writes)
    signup(Request("ann@x.test"), desk)
    assert mail.empty(desk) == 1
    assert seen


def test_promise_10_confirmations_of_one_pass_are_as_if_each_were_written_alone(desk: Desk) -> None:
    """Two who ask for the same share what was written; links of other lengths, other topics and languages do not."""
    for number in range(12):  # from the tenth on a link is longer
        signup(Request(f"r{number}@x.test", letter=True), desk)
    signup(Request("w@x.test"), desk)  # without the letter
    assert mail.empty(desk) == 13
    provider = desk.transactional
    assert isinstance(provider, FakeProvider)
    links = set()
    for call in provider.calls:
        link = re.search(r"https://letters\.quiet\.example/confirm/[\w.~-]+", fill(call.email.text, {}))
        assert link
        links.add(link[0])
        without = call.batch.recipients[0].address == "w@x.test"
        alone = system.confirm(
            desk.publication,
            root=desk.root,
            base_url="https://letters.quiet.example",
            confirm_url=link[0],
            magnet=desk.publication.magnets["workbook"],
            topics=() if without else [desk.publication.topic_name("letter")],
        )
        assert call.email == alone
    assert len(links) == 13
