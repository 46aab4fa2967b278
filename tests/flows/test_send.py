"""Sending: every reader once, on both databases, whatever the provider answers."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest

from newsletter.core.campaign import Campaign, CampaignState, Claim, Counts
from newsletter.core.consent import Newcomer, State
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Outcome, Status
from newsletter.core.email import Email, fill, thaw
from newsletter.core.hand import FEW_IN_HAND, FRESH, MOST_IN_HAND, Hand
from newsletter.core.links import Links
from newsletter.core.pace import Pace
from newsletter.core.publication import Footer, Publication
from newsletter.errors import ConfigurationError, NotApproved, NothingToDo, ProviderError, StoreBusy, WorkLeft
from newsletter.flows import send as sending
from newsletter.flows.able import able
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.ledger import Settling, begun, resolve, status, turn, turn_all
from newsletter.flows.plan import plan
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, CutAfter, CutBefore, FakeProvider, Raise, Reject, Retry

Make = Callable[..., Desk]


def readers(store: SqlStore, desk: Desk, count: int, *, first: int = 0) -> None:
    with store.begin() as tx:
        people = [
            Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en", first_name=f"N{n}")
            for n in range(first, first + count)
        ]
        tx.audience.add(people, desk.now(), ["letter"])


def fake(*script: object, size: int = 5, **how: object) -> FakeProvider:
    capabilities = Capabilities(max_batch=size, mode="batch", network=False, **{"reconcile": "search", **how})  # type: ignore[arg-type]
    return FakeProvider(script=script, capabilities=capabilities)  # type: ignore[arg-type]


@pytest.fixture
def house(store: SqlStore, make_desk: Make) -> Callable[..., Desk]:
    def make(provider: FakeProvider, *, count: int = 20, **parts: object) -> Desk:
        desk = make_desk(store, provider=provider, **parts)
        readers(store, desk, count)
        return desk

    return make


def test_promise_1_and_2_everyone_once_and_the_counts_add_up(house: Make) -> None:
    provider = fake()
    desk = house(provider)
    report = send("quiet", desk)
    assert report.finished
    assert report.sent == 20
    assert report.counts == Counts(audience=20, submitted=20)
    assert provider.addresses == {f"r{n}@x.test": 1 for n in range(20)}
    assert gc.get_freeze_count() == 0
    with pytest.raises(NothingToDo, match="was sent"):
        send("quiet", desk)
    assert len(provider.received) == 20


def test_each_reader_gets_their_name_and_their_own_way_out(house: Make) -> None:
    provider = fake()
    send("quiet", house(provider, count=2))
    call = provider.calls[0]
    text = [
        fill(call.email.text, {**one.values, "unsubscribe_url": one.unsubscribe_url}) for one in call.batch.recipients
    ]
    assert "Hello N0" in text[0]
    assert "Hello N1" in text[1]
    assert "https://letters.quiet.example/unsubscribe/t0" in text[0]
    assert "/unsubscribe/t1" not in text[0]


def test_promise_10_what_was_frozen_is_what_goes(house: Make, root: Path) -> None:
    provider = fake(Accept(), Retry(halt="quota"))
    desk = house(provider, pace=Pace(threads=1))
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    file = root / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("A quiet week", "A loud week"), "utf-8")
    desk.now.move(3600)  # type: ignore[attr-defined]
    assert send("quiet", desk).finished
    assert {fill(call.email.subject, {}) for call in provider.calls} == {"A quiet week"}
    file.unlink()
    assert status("quiet", desk)[1] == Counts(audience=20, submitted=20)


def test_promise_3_a_lost_answer_is_asked_for_and_never_guessed(house: Make) -> None:
    provider = fake(CutAfter(), CutBefore(), Raise(RuntimeError("boom"), taken=True))
    desk = house(provider, pace=Pace(threads=1))
    with pytest.raises(WorkLeft, match="did not answer as it must"):
        send("quiet", desk)  # an adapter that raises stops the run
    report = send("quiet", desk)
    assert report.finished
    assert report.counts == Counts(audience=20, submitted=20)
    assert provider.twice == []


def test_promise_3_what_nobody_can_tell_waits_for_a_person(house: Make) -> None:
    provider = fake(CutAfter(), CutBefore(), reconcile="no")
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert not report.finished
    assert report.counts == Counts(audience=20, submitted=10, uncertain=10)
    assert send("quiet", desk).counts.uncertain == 10  # again: nothing is sent blindly
    assert len(provider.received) == 15
    settled, counts = resolve("quiet", desk)
    assert (settled, counts.uncertain) == (0, 10)
    settled, counts = resolve("quiet", desk, as_=Status.SUBMITTED)
    assert (settled, counts) == (10, Counts(audience=20, submitted=20))
    assert status("quiet", desk)[0].state is CampaignState.FINISHED


def test_an_operator_may_say_they_were_not_sent_and_then_they_are(house: Make) -> None:
    provider = fake(CutBefore(), reconcile="no")
    desk = house(provider, pace=Pace(threads=1))
    assert send("quiet", desk).counts.uncertain == 5
    assert resolve("quiet", desk, as_=Status.RETRY)[1] == Counts(audience=20, submitted=15, pending=5)
    assert send("quiet", desk).counts == Counts(audience=20, submitted=20)
    assert provider.twice == []


def test_nothing_is_asked_before_the_settle_time(house: Make, clock: Clock) -> None:
    provider = fake(CutBefore(), settle_seconds=60.0)
    desk = house(provider, count=5)
    report = send("quiet", desk)
    assert report.counts.uncertain == 5
    assert report.settling == Settling(5, clock() + timedelta(seconds=60))
    clock.move(61)
    assert send("quiet", desk).counts == Counts(audience=5, submitted=5)


def test_a_refusal_touches_its_reader_alone(house: Make) -> None:
    provider = fake(Reject(["r1@x.test"]), Reject(["r7@x.test"], Status.SUPPRESSED))
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert report.finished
    assert report.counts == Counts(audience=20, submitted=18, failed=1, suppressed=1)


@pytest.mark.slow
def test_what_may_be_tried_again_stops_with_work_left_and_continues(house: Make, clock: Clock) -> None:
    provider = fake(Accept(), Retry(after=3600))
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert not report.finished
    assert report.counts == Counts(audience=20, submitted=5, pending=15)
    assert "asked to wait until 18:30:00 UTC" in report.why
    assert len(provider.calls) == 2  # and nobody calls before
    clock.move(3599)
    assert send("quiet", desk).sent == 0
    assert len(provider.calls) == 2
    clock.move(2)
    assert send("quiet", desk).counts == Counts(audience=20, submitted=20)


@pytest.mark.parametrize(("halt", "error"), [("auth", ProviderError), ("account", ProviderError), ("quota", WorkLeft)])
def test_a_halt_stops_the_run_at_once_and_loses_nothing(house: Make, clock: Clock, halt: str, error: type) -> None:
    provider = fake(Accept(), Retry(halt=halt))  # type: ignore[arg-type]
    desk = house(provider, pace=Pace(threads=1))
    with pytest.raises(error):
        send("quiet", desk)
    assert len(provider.calls) == 2
    assert status("quiet", desk)[1] == Counts(audience=20, submitted=5, pending=15)
    clock.move(3600)
    assert send("quiet", desk).counts == Counts(audience=20, submitted=20)


def test_promise_4_whoever_leaves_while_it_runs_gets_nothing(house: Make, store: SqlStore) -> None:
    class Leaving(FakeProvider):
        """While the first batch is out, a reader of the last one leaves."""

        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
            if not self.calls:
                leave("t19", self.desk, method="one-click")
            return super().submit(email, batch, key=key, timeout=timeout)

    provider = Leaving(capabilities=Capabilities(max_batch=5, network=False))
    desk = house(provider, pace=Pace(threads=1))
    with store.begin() as tx:  # the reader's own address, so that the link finds them
        from newsletter.core import address
        from newsletter.core.ids import digest
        from newsletter.store.schema import subscribers, unsubscribe_links

        hmac = desk.hmac(address.parse("r19@x.test"))
        tx.audience._sql.execute(subscribers.update().where(subscribers.c.pid == "p19").values(address_hmac=hmac))
        tx.audience._sql.execute(
            unsubscribe_links.update().where(unsubscribe_links.c.token_hash == digest("t19")).values(address_hmac=hmac)
        )
    provider.desk = desk  # type: ignore[attr-defined]
    report = send("quiet", desk)
    assert report.counts == Counts(audience=20, submitted=19, suppressed=1)
    assert "r19@x.test" not in provider.addresses


@pytest.mark.parametrize(("stood_still", "reaped"), [(61, False), (61, True), (45, False)])
def test_a_lease_that_would_not_last_sends_nothing_and_is_given_back(
    house: Make, clock: Clock, stood_still: float, *, reaped: bool
) -> None:
    provider = fake()
    desk = house(provider, count=5)
    campaign = sending.freeze("quiet", desk, approval=None, again="")
    run = sending._Run(desk, campaign, "me", {})
    with desk.store.begin() as tx:
        claim = tx.campaigns.claim(campaign.id, "me", clock(), lease=timedelta(seconds=60), way_out=str)
    assert claim is not None
    clock.move(stood_still)  # this process was stopped, and woke up
    if reaped:
        with desk.store.begin() as tx:
            assert tx.campaigns.reap(campaign.id, clock(), everyone=False) == 1
    assert not sending._deliver(run, [claim])
    assert provider.calls == []
    assert status("quiet", desk)[1] == Counts(audience=5, pending=5)  # nobody's question: no byte has left
    assert send("quiet", desk).finished
    assert provider.twice == []


class Interrupting(FakeProvider):
    """One reader a call; something happens while the call of that number is on its way."""

    def __init__(self, at: int, happens: Callable[[], object]) -> None:
        super().__init__(capabilities=Capabilities(network=False, reconcile="search"))
        self.at, self.happens = at, happens

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        result = super().submit(email, batch, key=key, timeout=timeout)
        if len(self.calls) == self.at:
            self.happens()
        return result


def in_hand(house: Make, provider: FakeProvider, count: int = 6) -> tuple[sending._Run, list[Claim]]:
    """Claims of one reader each, that one thread has taken at once."""
    desk = house(provider, count=count)
    campaign = sending.freeze("quiet", desk, approval=None, again="")
    with desk.store.read() as tx:
        emails = {name: thaw(body) for name, body in tx.campaigns.emails(campaign.id).items()}
    with desk.store.begin() as tx:
        claims = tx.campaigns.claims(campaign.id, "me", desk.now(), lease=desk.pace.lease, way_out=str, most=count)
    assert [len(one.recipients) for one in claims] == [1] * count
    return sending._Run(desk, campaign, "me", emails), claims


def test_what_one_thread_has_in_hand_goes_out_and_is_written_down(house: Make) -> None:
    run, claims = in_hand(house, Interrupting(0, lambda: None))
    assert sending._deliver(run, claims)
    assert status("quiet", run.desk)[1] == Counts(audience=6, submitted=6)


def test_promise_1_what_is_in_hand_beyond_the_lease_is_given_back(house: Make, clock: Clock) -> None:
    """Stopped between two of the calls for longer than the lease, and continued."""
    provider = Interrupting(2, lambda: clock.move(3600))
    run, claims = in_hand(house, provider)
    assert sending._deliver(run, claims)
    assert len(provider.calls) == 2
    assert status("quiet", run.desk)[1] == Counts(audience=6, submitted=2, pending=4)


def test_promise_1_a_clock_that_is_set_back_makes_nobody_sure(house: Make, clock: Clock) -> None:
    """Somebody took over what is in hand, and then the clock went back to when it was ours."""

    def happens() -> None:
        with run.desk.store.begin() as tx:
            assert tx.campaigns.reap(run.campaign.id, clock() + timedelta(hours=9), everyone=False) == 6
        clock.move(-3600)

    provider = Interrupting(2, happens)
    run, claims = in_hand(house, provider)
    sending._deliver(run, claims)
    assert len(provider.calls) == 2


@pytest.mark.parametrize("everything", [True, False])
def test_a_pause_stops_what_is_in_hand_within_a_second(house: Make, clock: Clock, *, everything: bool) -> None:
    def pause() -> None:
        clock.move(FRESH + 0.1)
        if everything:
            turn_all(run.desk, paused=True)
        else:
            turn("quiet", run.desk, CampaignState.PAUSED)

    provider = Interrupting(3, pause)
    run, claims = in_hand(house, provider)
    sending._deliver(run, claims)
    assert len(provider.calls) == 3
    assert status("quiet", run.desk)[1] == Counts(audience=6, submitted=3, pending=3)


def test_a_stop_gives_back_what_is_in_hand(house: Make) -> None:
    stop = Event()
    provider = Interrupting(4, stop.set)
    run, claims = in_hand(house, provider)
    run.stop = stop
    sending._deliver(run, claims)
    assert status("quiet", run.desk)[1] == Counts(audience=6, submitted=4, pending=2)


def test_promise_3_what_breaks_off_leaves_nothing_unknown_that_is_known(house: Make) -> None:
    """The terminal is gone, and saying how far it is raises: the calls that were made are written down all the same."""
    run, claims = in_hand(house, Interrupting(0, lambda: None))

    def gone(_campaign: Campaign, done: int) -> None:
        if done == 3:
            raise BrokenPipeError

    run.progress = gone
    with pytest.raises(BrokenPipeError):
        sending._deliver(run, claims)
    assert status("quiet", run.desk)[1] == Counts(audience=6, submitted=3, pending=3)


def test_how_much_is_taken_in_hand() -> None:
    hand = Hand(most=64)
    sizes = [hand.size]
    for count, seconds in ((1, 0.0), (2, 0.001), (4, 0.001), (8, 0.8), (1, 30.0), (60, 0.001)):
        hand.took(count, seconds)
        sizes.append(hand.size)
    assert sizes == [1, 2, 4, 8, 2, 1, 64]  # twice as many at most; as many as fit into a quarter of a second; `most`


def test_only_calls_of_one_reader_are_taken_together_and_fewer_where_a_person_must_decide(house: Make) -> None:
    run, _ = in_hand(house, Interrupting(0, lambda: None))
    assert sending._hand(run).most == MOST_IN_HAND
    for capabilities, pace, most in (
        (Capabilities(network=False), Pace(), FEW_IN_HAND),
        (Capabilities(network=False, idempotency_ttl=60), Pace(), MOST_IN_HAND),
        (Capabilities(network=False, idempotency_ttl=60), Pace(rate=4000), MOST_IN_HAND),
        (Capabilities(network=False, idempotency_ttl=60), Pace(rate=50), 2),
        (Capabilities(network=False, idempotency_ttl=60), Pace(rate=2), 1),
    ):
        desk = replace(run.desk, provider=FakeProvider(capabilities=capabilities), pace=pace)
        assert sending._hand(replace(run, desk=desk)).most == most
    assert sending._hand(replace(run, campaign=replace(run.campaign, batches=2))).most == 1


def test_two_senders_at_once_are_one(house: Make) -> None:
    desk = house(fake())
    with desk.store.only_one("sender"), pytest.raises(WorkLeft, match="Another sender"):
        send("quiet", desk)


def test_a_pause_holds_and_a_resume_goes_on(house: Make) -> None:
    provider = fake(Retry(after=1000))
    desk = house(provider, count=5)
    send("quiet", desk)
    assert turn("quiet", desk, CampaignState.PAUSED).state is CampaignState.PAUSED
    with pytest.raises(WorkLeft, match="paused"):
        send("quiet", desk)
    assert turn("quiet", desk, CampaignState.SENDING).state is CampaignState.SENDING
    desk.now.move(1001)  # type: ignore[attr-defined]
    assert send("quiet", desk).finished
    with pytest.raises(NothingToDo):
        turn("quiet", desk, CampaignState.PAUSED)


def test_a_stop_ends_after_the_calls_in_flight(house: Make) -> None:
    stop = Event()

    class Stopping(FakeProvider):
        def submit(self, *args: object, **how: object):
            stop.set()
            return super().submit(*args, **how)  # type: ignore[arg-type]

    provider = Stopping(capabilities=Capabilities(max_batch=5, network=False))
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk, stop=stop)
    assert not report.finished
    assert report.counts == Counts(audience=20, submitted=5, pending=15)
    assert report.why == "it was told to stop"


def test_the_rate_is_shared_and_kept(house: Make, store: SqlStore) -> None:
    desk = house(fake(), pace=Pace(threads=2, rate=1e6))
    assert send("quiet", desk).finished
    with store.begin() as tx:
        assert tx.limits.take("fake", 1, 1e6, now=desk.now().timestamp()) > 0  # the row was used


def test_another_provider_cannot_continue(house: Make) -> None:
    provider = fake(Retry(after=1000))
    desk = house(provider, count=5)
    send("quiet", desk)
    provider.name = "other"
    with pytest.raises(ProviderError, match="begun through fake"):
        send("quiet", desk)


def test_promise_1_a_right_to_send_that_was_lost_is_not_a_death(
    house: Make, make_desk: Make, store: SqlStore, database_url: str
) -> None:
    """PostgreSQL ends the session that holds the lock, in the middle of a call; a second sender comes at once."""
    if database_url.startswith("sqlite"):
        with store.only_one("sender") as first, store.only_one("sender") as second:
            assert (bool(first), bool(second)) == (True, False)  # a file's lock is lost by dying alone
        return

    class Cut(FakeProvider):
        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
            if not self.calls:
                self.calls.append("the first is under way")  # type: ignore[arg-type]
                with store.begin() as tx:
                    ended = tx.audience._sql.exec_driver_sql(
                        # the timeout waits until it is gone: the signal alone comes back before the lock is free
                        "SELECT count(pg_terminate_backend(pid, 30000)) FROM pg_locks "
                        "JOIN pg_database d ON d.oid = database "
                        "WHERE locktype = 'advisory' AND granted AND d.datname = current_database()"
                    )
                    assert ended.scalar() == 1
                reports.append(send("quiet", second, seconds=0.5))
            return super().submit(email, batch, key=key, timeout=timeout)

    reports: list[sending.Report] = []
    provider = Cut(capabilities=Capabilities(max_batch=5, network=False, reconcile="search"))
    desk = house(provider, pace=Pace(threads=1))
    second = make_desk(store, provider=provider, pace=Pace(threads=1))
    last = send("quiet", desk)
    assert reports[0].counts == Counts(audience=20, submitted=15, pending=5)  # what is in the first's hands stays there
    assert last.counts == Counts(audience=20, submitted=20)
    assert provider.twice == []


def test_a_reader_who_is_always_put_off_is_refused_at_last(house: Make, clock: Clock) -> None:
    class Greylist(FakeProvider):
        """Takes everybody but one."""

        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
            told = super().submit(email, batch, key=key, timeout=timeout)
            late = [one.key for one in batch.recipients if one.address == "r3@x.test"]
            outcomes = [
                Outcome(one.key, Status.RETRY, code="450", detail="greylisted") if one.key in late else one
                for one in told.outcomes
            ]
            return replace(told, outcomes=tuple(outcomes))

    provider = Greylist(capabilities=Capabilities(max_batch=5, network=False))
    desk = house(provider, count=6, pace=Pace(threads=1))
    pauses = []
    for _ in range(7):
        report = send("quiet", desk)
        assert report.counts == Counts(audience=6, submitted=5, pending=1)
        with desk.store.read() as tx:
            moment = tx.campaigns.next_try(report.campaign.id)
        assert moment is not None
        pauses.append((moment - clock()).total_seconds() / 60)
        clock.move(moment - clock())
    assert pauses == [1, 2, 4, 8, 16, 32, 60]
    report = send("quiet", desk)
    assert report.counts == Counts(audience=6, submitted=5, failed=1)
    assert status("quiet", desk)[2] == {"450 put off 8 times: greylisted": 1}


def test_a_run_that_is_stopped_for_all_uses_up_nobodys_attempts(house: Make) -> None:
    provider = fake(*[Retry(halt="quota")] * 9, Retry(), Accept())
    desk = house(provider, count=5)
    for _ in range(9):
        with pytest.raises(WorkLeft):
            send("quiet", desk)
    assert send("quiet", desk).counts == Counts(audience=5, pending=5)  # put off once, not refused


def test_short_pauses_do_not_go_on_for_ever(house: Make) -> None:
    provider = fake(*[Retry(after=0.001)] * 500)
    report = send("quiet", house(provider, count=5))
    assert report.counts == Counts(audience=5, pending=5)
    assert "nothing went forward" in report.why


def test_a_pause_of_exactly_the_longest_ends_the_run(house: Make) -> None:
    report = send("quiet", house(fake(Retry(after=sending.LONGEST_WAIT)), count=5))
    assert "asked to wait" in report.why


def test_many_refused_in_a_row_with_one_answer_pull_the_brake(house: Make) -> None:
    everybody = [f"r{n}@x.test" for n in range(50)]
    provider = fake(*[Reject(everybody)] * 10)
    desk = house(provider, count=50, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert report.counts == Counts(audience=50, failed=20, pending=30)
    assert "20 readers in a row were refused with the same answer (550)" in report.why


def test_refusals_with_somebody_taken_between_pull_no_brake(house: Make) -> None:
    nearly = [f"r{n}@x.test" for n in range(50) if n % 15]
    desk = house(fake(*[Reject(nearly)] * 10), count=50, pace=Pace(threads=1))
    assert send("quiet", desk).counts == Counts(audience=50, submitted=4, failed=46)


class Crowd(FakeProvider):
    """Answers nobody before so many calls are in flight at once."""

    door: Barrier

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        self.door.wait(30)
        return super().submit(email, batch, key=key, timeout=timeout)


def test_promise_1_while_a_provider_keeps_us_waiting_more_threads_send_and_everyone_has_it_once(house: Make) -> None:
    provider = Crowd(capabilities=Capabilities(max_batch=5, mode="batch", network=False))
    provider.door = Barrier(4)
    report = send("quiet", house(provider, count=20, pace=Pace(threads=4)))
    assert report.counts == Counts(audience=20, submitted=20)
    assert len(provider.calls) == 4
    assert provider.twice == []


def test_no_permits_are_taken_for_what_cannot_go(house: Make, store: SqlStore) -> None:
    provider = fake(Retry(after=3600))
    desk = house(provider, count=5, pace=Pace(threads=1, rate=10))
    send("quiet", desk)
    send("quiet", desk)
    with store.read() as tx:
        assert 0 < tx.limits.pause("fake", now=desk.now().timestamp()) <= 0.5  # five permits, once


def test_the_rate_yields_to_a_stop_and_to_the_time_given(house: Make, store: SqlStore) -> None:
    desk = house(fake(), pace=Pace(threads=1, rate=0.001))
    report = send("quiet", desk, seconds=5)  # the second batch would have to wait for more than an hour
    assert report.counts == Counts(audience=20, submitted=5, pending=15)
    assert report.why == "the time given was over"
    stop = Event()
    stop.set()
    assert send("quiet", desk, stop=stop).sent == 0


class Broken:
    """A store whose database is away at the nth writing transactions."""

    def __init__(self, store: SqlStore, *away: int, error: type[Exception] = StoreBusy) -> None:
        self._store, self._away, self._error, self._begun = store, away, error, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    @contextmanager
    def begin(self) -> Iterator[object]:
        self._begun += 1
        if self._begun in self._away:
            raise self._error("locked")
        with self._store.begin() as tx:
            yield tx


def test_a_known_answer_is_not_lost_to_a_busy_database(house: Make, store: SqlStore) -> None:
    provider = fake()
    desk = house(provider, count=5, pace=Pace(threads=1))
    busy = replace(desk, store=Broken(store, 4, 5))  # type: ignore[arg-type]  # freeze, start, claim, and then
    assert send("quiet", busy).counts == Counts(audience=5, submitted=5)


def test_what_breaks_one_sender_stops_the_others(house: Make, store: SqlStore) -> None:
    class Slow(FakeProvider):
        def submit(self, *args: object, **how: object):
            told.wait(5)
            return super().submit(*args, **how)  # type: ignore[arg-type]

    class Telling(Broken):
        @contextmanager
        def begin(self) -> Iterator[object]:
            try:
                with super().begin() as tx:
                    yield tx
            except RuntimeError:
                threading.Timer(0.2, told.set).start()
                raise

    told = threading.Event()
    provider = Slow(capabilities=Capabilities(max_batch=1, network=False))
    desk = house(provider, pace=Pace(threads=2))
    broken = replace(desk, store=Telling(store, 4, error=RuntimeError))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        send("quiet", broken)
    assert len(provider.received) == 1  # what was in the other's hands, and no more


def test_promise_10_frozen_mail_that_was_changed_does_not_go(house: Make, store: SqlStore) -> None:
    provider = fake(Accept(), Retry(halt="quota"))
    desk = house(provider, pace=Pace(threads=1))
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    with store.begin() as tx:
        tx.audience._sql.exec_driver_sql("UPDATE emails SET body = replace(body, 'rest', 'unrest')")
    with pytest.raises(NotApproved, match="not the one that was reviewed"):
        send("quiet", desk)
    assert len(provider.received) == 5


def test_a_campaign_keeps_the_address_of_its_links(house: Make) -> None:
    provider = fake(Accept(), Retry(halt="quota"))
    desk = house(provider, pace=Pace(threads=1))
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    moved = replace(desk, links=Links("https://elsewhere.example", ["k"]))
    assert send("quiet", moved).finished
    ways_out = {one.unsubscribe_url.rpartition("/")[0] for call in provider.calls for one in call.batch.recipients}
    assert ways_out == {"https://letters.quiet.example/unsubscribe"}


def test_a_campaign_is_not_continued_where_it_could_not_be_begun(house: Make) -> None:
    desk = house(fake(Retry(halt="quota")), count=5)
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    with pytest.raises(ConfigurationError, match="postal address"):
        send("quiet", replace(desk, publication=replace(desk.publication, footer=Footer())))


def test_pause_all_holds_everything_and_is_read_in_every_claim(house: Make) -> None:
    class Pausing(FakeProvider):
        def submit(self, *args: object, **how: object):
            turn_all(desk, paused=True)
            return super().submit(*args, **how)  # type: ignore[arg-type]

    provider = Pausing(capabilities=Capabilities(max_batch=5, network=False))
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert (report.sent, report.why) == (5, "all sending was paused")
    with pytest.raises(WorkLeft, match="All sending is paused"):
        send("quiet", desk)
    turn_all(desk, paused=False)
    assert send("quiet", desk).sent == 5


@pytest.mark.parametrize(
    ("ttl", "left"), [(None, Counts(audience=5, submitted=4, uncertain=1)), (3600.0, Counts(audience=5, submitted=5))]
)
def test_a_batch_whose_key_a_provider_remembers_is_never_split(
    house: Make, clock: Clock, ttl: float | None, left: Counts
) -> None:
    class Half(FakeProvider):
        """Loses the answer for the first reader of its first batch, and has not sent the others."""

        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
            if self.calls:
                return super().submit(email, batch, key=key, timeout=timeout)
            super().submit(email, replace(batch, recipients=()), key="", timeout=timeout)
            first, *rest = batch.recipients
            outcomes = [Outcome(first.key, Status.UNKNOWN), *(Outcome(one.key, Status.RETRY) for one in rest)]
            return BatchResult(tuple(outcomes))

    provider = Half(capabilities=Capabilities(max_batch=5, network=False, idempotency_ttl=ttl))
    desk = house(provider, count=5)
    report = send("quiet", desk)
    if not report.finished:
        clock.move(61)
        report = send("quiet", desk)
    assert report.counts == left
    assert len(provider.calls[-1].batch.recipients) == (4 if ttl is None else 5), (
        "whole, or only what surely was not sent"
    )


# --- which campaign ------------------------------------------------------------------------------------


def test_an_issue_is_known_by_its_own_key_not_by_its_files_name(house: Make, root: Path) -> None:
    desk = house(fake())
    send("quiet", desk)
    text = (root / "issues/2026-12-01-quiet.md").read_text("utf-8")
    later = text.replace("date: 2026-12-01", "date: 2027-12-01\nslug: quiet-2027").replace("about rest", "about sleep")
    (root / "issues/2027-12-01-quiet.md").write_text(later, "utf-8")
    assert begun("issues/2027-12-01-quiet.md", desk) is None
    assert send("issues/2027-12-01-quiet.md", desk).campaign.key == "quiet-2027"
    assert begun("quiet", desk) == status("issues/2026-12-01-quiet.md", desk)[0]


def test_a_campaign_is_found_when_its_file_no_longer_reads(house: Make, root: Path) -> None:
    desk = house(fake())
    send("quiet", desk)
    file = root / "issues/2026-12-01-quiet.md"
    file.write_text("no issue any more", "utf-8")
    assert status("quiet", desk)[0].key == "quiet"
    file.unlink()
    assert status("2026-12-01-quiet.md", desk)[0].key == "quiet"


def test_the_same_words_are_the_same_whatever_the_line_ends_and_widths(house: Make, root: Path) -> None:
    desk = house(fake())
    file = root / "issues/2026-12-01-quiet.md"
    text = file.read_text("utf-8")
    first = plan("quiet", desk)[1].source_sha256
    file.write_bytes(text.replace("a letter should say a little", "a letter should\nsay a  little").encode())
    assert plan("quiet", desk)[1].source_sha256 == first
    file.write_bytes(text.replace("\n", "\r\n").encode())
    assert plan("quiet", desk)[1].source_sha256 == first
    file.write_bytes(text.replace("Rest is part", "Sleep is part").encode())
    assert plan("quiet", desk)[1].source_sha256 != first


# --- one issue, several emails -------------------------------------------------------------------------


def test_promise_1_and_2_each_reader_gets_the_email_of_their_segment(
    house: Make, root: Path, store: SqlStore, publication: Publication
) -> None:
    provider = fake(Accept(), Retry(halt="quota"))
    file = root / "issues/2026-12-01-quiet.md"
    only = "\n::: only workshops\nThere is a chair for you on Thursday evening.\n:::\n"
    file.write_text(file.read_text("utf-8") + only, "utf-8")
    with_workshops = replace(publication, topics={"letter": "The letter", "workshops": "Workshops"})
    desk = house(provider, pace=Pace(threads=1), publication=with_workshops)
    with store.begin() as tx:
        for n in (2, 3, 5, 7, 11, 13, 17):
            tx.audience.give_topics(n, ["workshops"])
    assert plan("quiet", desk)[0].topics == {"all": ("letter",), "workshops": ("workshops",)}
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    report = send("quiet", desk)  # and the rest of it, from what was frozen
    assert report.counts == Counts(audience=20, submitted=20)
    assert report.campaign.batches == 5  # 13 readers in three, 7 in two
    told = {
        one.address: "chair for you" in fill(call.email.text, one.values)
        for call in provider.calls
        for one in call.batch.recipients
    }
    assert sorted(address for address, yes in told.items() if yes) == sorted(
        f"r{n - 1}@x.test" for n in (2, 3, 5, 7, 11, 13, 17)
    )
    assert len(told) == 20
    assert provider.twice == []


# --- plans and refusals --------------------------------------------------------------------------------


def test_a_plan_says_who_and_why_not(house: Make) -> None:
    desk = house(fake())
    leave_one = Newcomer("x@x.test", "ff" * 16, "px", "tx", State.UNSUBSCRIBED, "en")
    with desk.store.begin() as tx:
        tx.audience.add([leave_one], desk.now())
    made, proof = plan("quiet", desk)
    assert (made.audience, made.excluded, made.calls) == (20, {"unsubscribed": 1}, 4)
    assert (made.send_at, made.seconds, made.topics) == ("2026-12-01T08:00:00Z", None, {"all": ("letter",)})
    assert made.content_sha256 == proof.sha256
    assert plan("quiet", desk)[0].hash == made.hash  # promise 10


def agreed(desk: Desk) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(plan("quiet", desk)[0].as_json()))
    return found


def test_an_approved_plan_sends_what_it_bound(house: Make) -> None:
    desk = house(fake())
    assert send("quiet", desk, approval=agreed(desk)).finished


def test_a_plan_does_not_cover_other_words(house: Make, root: Path) -> None:
    desk = house(fake())
    approval = agreed(desk)
    file = root / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("a letter about rest", "a letter about unrest"), "utf-8")
    with pytest.raises(NotApproved, match="has changed"):
        send("quiet", desk, approval=approval)


def test_a_plan_does_not_cover_another_meaning_of_its_segment(
    house: Make, root: Path, publication: Publication
) -> None:
    file = root / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("draft: false", "draft: false\naudience: [friends]"), "utf-8")
    topics = {"letter": "The letter", "workshops": "Workshops"}
    desk = house(fake(), publication=replace(publication, topics=topics, segments={"friends": "topic(letter)"}))
    approval = agreed(desk)
    assert approval["topics"] == {"friends": ["letter"]}
    with desk.store.begin() as tx:
        for n in range(1, 21):
            tx.audience.give_topics(n, ["workshops"])
    other = replace(desk, publication=replace(desk.publication, segments={"friends": "topic(workshops)"}))
    with pytest.raises(NotApproved, match="What a segment means"):
        send("quiet", other, approval=approval)
    assert send("quiet", desk, approval=approval).finished


@pytest.mark.parametrize(
    "forged", [{"audience": 5}, {"hash": "0" * 64}, {"content_sha256": "0"}, {"send_at": None}, {"audience": "x"}]
)
def test_a_plan_that_was_edited_is_none(house: Make, forged: dict[str, object]) -> None:
    desk = house(fake())
    with pytest.raises(NotApproved):
        send("quiet", desk, approval={**agreed(desk), **forged})


def test_leavers_never_block_a_plan_and_growth_passes_up_to_its_limit(house: Make, store: SqlStore) -> None:
    desk = house(fake(size=100))
    approval = agreed(desk)
    with store.begin() as tx:
        tx.audience.move(1, State.UNSUBSCRIBED, desk.now())
    readers(store, desk, 51, first=100)
    made = plan("quiet", desk)[0]
    assert made.audience == 70  # 20 - 1 + 51: grown by exactly 50
    readers(store, desk, 1, first=200)
    with pytest.raises(NotApproved, match="grew from 20 to 71"):
        send("quiet", desk, approval=approval)
    with store.begin() as tx:
        tx.audience.move(2, State.UNSUBSCRIBED, desk.now())
    assert send("quiet", desk, approval=approval).finished


def test_a_plan_waits_for_its_time_and_not_for_ever(house: Make, clock: Clock) -> None:
    desk = house(fake())
    clock.move(-timedelta(days=1))
    approval = agreed(desk)
    with pytest.raises(NothingToDo, match="due at"):
        send("quiet", desk, approval=approval)
    clock.move(timedelta(days=2))
    with pytest.raises(NotApproved, match="max_lateness"):
        send("quiet", desk, approval=approval)
    assert send("quiet", desk).finished  # --yes sends whatever the date says


def test_what_must_not_go_does_not(house: Make, root: Path, publication: Publication) -> None:
    desk = house(fake())
    (root / "issues/2026-12-02-draft.md").write_text(
        (root / "issues/2026-12-01-quiet.md")
        .read_text("utf-8")
        .replace("draft: false\n", "")
        .replace("12-01", "12-02"),
        "utf-8",
    )
    with pytest.raises(NothingToDo, match="draft"):
        send("draft", desk)
    for change, error in (
        ({"publication": replace(publication, footer=Footer())}, ConfigurationError),
        ({"publication": replace(publication, first_send=date(2027, 1, 1))}, NotApproved),
        ({"pace": Pace(max_recipients=19)}, NotApproved),
        ({"pace": Pace(approval="owner")}, NotApproved),
    ):
        with pytest.raises(error):
            send("quiet", replace(desk, **change))
    assert desk.provider.calls == []  # type: ignore[attr-defined]


def test_a_network_provider_refuses_links_nobody_can_open(house: Make) -> None:
    desk = house(FakeProvider(capabilities=Capabilities(max_batch=5, network=True)))
    assert plan("quiet", desk)[0].audience == 20
    for here in ("http://localhost:8000", "http://127.1.2.3", "http://[::1]:8000"):
        with pytest.raises(ConfigurationError, match="BASE_URL"):
            send("quiet", replace(desk, links=Links(here, ["k"])))
    able(replace(desk, links=Links("http://localhost:8000", ["k"]), provider=fake()))  # a provider of this machine may


def test_the_same_words_go_once_under_whatever_name(house: Make, root: Path) -> None:
    desk = house(fake())
    send("quiet", desk)
    text = (root / "issues/2026-12-01-quiet.md").read_text("utf-8")
    (root / "issues/2026-12-09-again.md").write_text(text.replace("2026-12-01", "2026-12-09"), "utf-8")
    with pytest.raises(NotApproved, match='already sent as "quiet"'):
        send("again", desk)
    assert send("again", desk, again="the first one went out without its picture").finished


def test_nobody_is_an_audience_of_none(make_desk: Make, store: SqlStore) -> None:
    with pytest.raises(NothingToDo, match="Nobody"):
        send("quiet", make_desk(store, provider=fake()))


def test_deliver_answers_for_every_row_even_when_the_adapter_does_not(make_desk: Make, store: SqlStore) -> None:
    from newsletter.flows.deliver import deliver
    from newsletter.testing import sample_batch, sample_email

    class Short(FakeProvider):
        def submit(self, *_: object, **__: object) -> BatchResult:
            return BatchResult((Outcome("somebody else", Status.SUBMITTED),))

    result = deliver(Short(), sample_email(), sample_batch(2), key="k", timeout=1)
    assert [outcome.status for outcome in result.outcomes] == [Status.UNKNOWN] * 2
    assert result.halt == "bug"


def test_promise_3_another_provider_is_not_asked_what_it_cannot_know(house: Make) -> None:
    desk = house(fake(CutAfter(), reconcile="no"), count=5)
    assert send("quiet", desk).counts.uncertain == 5
    other = FakeProvider(name="other")
    with pytest.raises(ProviderError, match="begun through fake"):
        resolve("quiet", replace(desk, provider=other))


def test_a_run_that_ends_by_itself_does_not_stop_those_that_share_its_stop(house: Make) -> None:
    stop = Event()
    full = house(fake(Retry(halt="quota")), pace=Pace(threads=2))
    with pytest.raises(WorkLeft, match="no room"):
        send("quiet", full, stop=stop)
    assert not stop.is_set()
    assert send("quiet", replace(full, provider=fake()), stop=stop).finished


def test_a_thread_that_waits_learns_of_a_halt_and_of_a_stop(house: Make) -> None:
    desk, stop = house(fake()), Event()
    campaign = sending.freeze("quiet", desk, approval=None, again="")
    run = sending._Run(desk, campaign, "me", {}, stop)
    assert not run.rest(0.001)
    run.halt("enough")
    assert (run.rest(3600), stop.is_set()) == (True, False)
    stop.set()
    assert sending._Run(desk, campaign, "me", {}, stop).rest(3600)
