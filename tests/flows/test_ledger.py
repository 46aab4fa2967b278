"""Pause, cancel, and what status says: what an operator does about a campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.core.campaign import CampaignState, Counts
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Status
from newsletter.core.email import Email
from newsletter.core.pace import Pace
from newsletter.errors import NotApproved, NothingToDo, WorkLeft
from newsletter.flows import audience, mail
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import Held, cancel, held, last_claim, resolve, status, turn, turn_all
from newsletter.flows.plan import plan
from newsletter.flows.send import send
from newsletter.flows.signup import Request, signup
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, CutAfter, CutBefore, FakeProvider, Retry, Step
from tests.flows.readers import fake, readers

Make = Callable[..., Desk]
ONE = Pace(threads=1)


class Cancelling(FakeProvider):
    """Cancels while a batch is out, and does the next step with it."""

    desk: Desk
    at = 2

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
        if len(self.calls) == self.at - 1:
            self.said = cancel("quiet", self.desk)
        return super().submit(email, batch, key=key, timeout=timeout)


def cancelling(make_desk: Make, store: SqlStore, *script: Step, **how: object) -> Cancelling:
    given = {"max_batch": 5, "network": False, "reconcile": "search", **how}
    provider = Cancelling(script=script, capabilities=Capabilities(**given))  # type: ignore[arg-type]
    provider.desk = make_desk(store, provider=provider, pace=ONE)
    readers(provider.desk, 20)
    return provider


def test_promise_2_a_cancel_acts_within_one_batch_and_the_counts_add_up(make_desk: Make, store: SqlStore) -> None:
    provider = cancelling(make_desk, store)
    report = send("quiet", provider.desk)
    assert provider.said[1] == Counts(audience=20, submitted=5, suppressed=10, pending=5)  # one batch was out
    assert report.counts == Counts(audience=20, submitted=10, suppressed=10)
    assert report.counts.adds_up
    assert (report.finished, report.campaign.state) == (True, CampaignState.CANCELLED)
    campaign, counts, reasons = status("quiet", provider.desk)
    assert (counts, reasons) == (report.counts, {"cancelled": 10})
    assert campaign.finished_at is not None
    for act in (send, cancel):
        with pytest.raises(NothingToDo, match="cancelled"):
            act("quiet", provider.desk)
    with pytest.raises(NothingToDo, match="a part of it had left"):
        plan("quiet", provider.desk, again="why not")
    assert len(provider.received) == 10


def test_what_comes_back_after_a_cancel_goes_to_nobody(make_desk: Make, sqlite_store: SqlStore) -> None:
    provider = cancelling(make_desk, sqlite_store, Accept(), Retry())
    report = send("quiet", provider.desk)
    assert report.counts == Counts(audience=20, submitted=5, suppressed=15)
    assert status("quiet", provider.desk)[2] == {"cancelled": 15}
    assert len(provider.calls) == 2


def test_promise_3_what_is_uncertain_at_a_cancel_stays_so_until_it_is_settled(
    make_desk: Make, sqlite_store: SqlStore
) -> None:
    provider = cancelling(make_desk, sqlite_store, Accept(), CutBefore(), reconcile="no")
    report = send("quiet", provider.desk)
    assert report.counts == Counts(audience=20, submitted=5, suppressed=10, uncertain=5)
    assert not report.finished
    settled, counts = resolve("quiet", provider.desk, as_=Status.RETRY)
    assert (settled, counts) == (5, Counts(audience=20, submitted=5, suppressed=15))
    assert status("quiet", provider.desk)[0].state is CampaignState.CANCELLED
    assert len(provider.calls) == 2


def test_a_paused_campaign_may_be_cancelled_and_a_cancelled_one_not_resumed(
    make_desk: Make, sqlite_store: SqlStore
) -> None:
    desk = make_desk(sqlite_store, provider=fake(Accept(), Retry(after=3600)), pace=ONE)
    readers(desk, 20)
    send("quiet", desk)
    turn("quiet", desk, CampaignState.PAUSED)
    campaign, counts = cancel("quiet", desk)
    assert (campaign.state, counts) == (CampaignState.CANCELLED, Counts(audience=20, submitted=5, suppressed=15))
    (told,) = audience.show("r19@x.test", desk)["campaigns"]
    assert told == {"campaign": "quiet", "state": "suppressed", "reason": "cancelled"}
    with pytest.raises(NothingToDo):
        turn("quiet", desk, CampaignState.SENDING)


# --- a campaign of which nothing left -----------------------------------------------------------------


def frozen_only(desk: Desk) -> None:
    with pytest.raises(WorkLeft):
        send("quiet", desk)  # the first answer stops the run


def test_what_was_cancelled_before_anything_left_goes_anew_when_somebody_says_why(
    make_desk: Make, store: SqlStore, root: Path
) -> None:
    provider = fake(Retry(halt="quota"))
    desk = make_desk(store, provider=provider, pace=ONE)
    readers(desk, 10)
    frozen_only(desk)
    _, counts = cancel("quiet", desk)
    assert counts.nothing_left
    assert counts == Counts(audience=10, suppressed=10)
    assert len(provider.calls) == 1
    for act in (send, plan):  # a command that runs again by itself sends nothing
        with pytest.raises(NothingToDo, match="cancelled") as told:
            act("quiet", desk)
        assert '--again "why"' in told.value.todo
    file = root / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("one sentence", "one better sentence"), "utf-8")
    readers(desk, 3, first=50)
    assert plan("quiet", desk, again="a word was wrong")[0].audience == 13
    report = send("quiet", desk, again="a word was wrong")
    assert report.counts == Counts(audience=13, submitted=13)
    assert provider.twice == []
    with store.read() as tx:
        states = {one.key.partition("~")[0]: one.state for one in reversed(tx.campaigns.all())}
        old = next(one for one in tx.campaigns.all() if "~" in one.key)
        assert tx.campaigns.counts(old.id, desk.now()) == counts  # it keeps its own rows
    assert states == {"quiet": CampaignState.FINISHED}
    with pytest.raises(NothingToDo, match="was sent"):
        send("quiet", desk, again="a word was wrong")


def test_a_withdrawn_twin_holds_nobody_up_and_a_sent_one_does(
    make_desk: Make, sqlite_store: SqlStore, root: Path
) -> None:
    desk = make_desk(sqlite_store, provider=fake(Retry(halt="quota")), pace=ONE)
    readers(desk, 5)
    frozen_only(desk)
    cancel("quiet", desk)
    text = (root / "issues/2026-12-01-quiet.md").read_text("utf-8")
    for day in (2, 3):
        (root / f"issues/2026-12-0{day}-twin{day}.md").write_text(text.replace("12-01", f"12-0{day}"), "utf-8")
    assert send("twin2", desk).finished
    with pytest.raises(NotApproved, match='already sent as "twin2"'):
        send("twin3", desk)


def test_one_that_may_have_left_is_not_withdrawn(make_desk: Make, sqlite_store: SqlStore) -> None:
    desk = make_desk(sqlite_store, provider=fake(CutBefore(), Retry(halt="quota"), reconcile="no"), pace=ONE)
    readers(desk, 10)
    frozen_only(desk)
    _, counts = cancel("quiet", desk)
    assert counts == Counts(audience=10, suppressed=5, uncertain=5)
    with pytest.raises(NothingToDo, match="cancelled"):
        send("quiet", desk, again="now")
    assert len(desk.provider.calls) == 2  # type: ignore[attr-defined]


# --- all sending --------------------------------------------------------------------------------------


def test_pause_all_holds_the_front_door_too_and_nothing_is_lost(make_desk: Make, sqlite_store: SqlStore) -> None:
    provider = fake()
    desk = make_desk(sqlite_store, provider=provider, transactional=provider)
    for n in range(2):
        signup(Request(f"v{n}@x.test", form="workbook"), desk)
    assert held(desk) == Held(paused=False, waiting=2)
    turn_all(desk, paused=True)
    assert mail.empty(desk) == 0
    assert held(desk) == Held(paused=True, waiting=2)
    turn_all(desk, paused=False)
    assert mail.empty(desk) == 2
    assert sorted(provider.addresses) == ["v0@x.test", "v1@x.test"]


def test_pause_all_is_read_before_each_mail(make_desk: Make, sqlite_store: SqlStore) -> None:
    class Pausing(FakeProvider):
        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
            turn_all(desk, paused=True)
            return super().submit(email, batch, key=key, timeout=timeout)

    desk = make_desk(sqlite_store, transactional=Pausing())
    for n in range(3):
        signup(Request(f"v{n}@x.test", form="workbook"), desk)
    assert mail.empty(desk) == 1
    assert held(desk) == Held(paused=True, waiting=2)


# --- when the last mail to a leaver could have gone ---------------------------------------------------


def test_promise_4_the_ledger_tells_when_the_last_batch_was_taken(
    make_desk: Make, store: SqlStore, clock: Clock
) -> None:
    class Slow(FakeProvider):
        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float):
            clock.move(10)
            return super().submit(email, batch, key=key, timeout=timeout)

    provider = Slow(capabilities=Capabilities(max_batch=5, network=False))
    desk = make_desk(store, provider=provider, pace=ONE)
    readers(desk, 20)
    begun = clock()
    report = send("quiet", desk)
    taken = last_claim(report.campaign, desk)
    assert taken is not None
    assert (taken - begun).total_seconds() == 30  # the fourth batch was taken after three calls of ten seconds
    frozen = replace(desk, provider=fake(Retry(halt="quota")))
    assert last_claim(report.campaign, frozen) == taken


def test_nothing_was_taken_before_the_first_byte(make_desk: Make, sqlite_store: SqlStore) -> None:
    desk = make_desk(sqlite_store, provider=fake(Retry(halt="quota")), pace=ONE)
    readers(desk, 5)
    frozen_only(desk)
    assert last_claim(status("quiet", desk)[0], desk) is None


def remembering(*steps: object, ttl: float = 3600.0) -> FakeProvider:
    """A provider that cannot be searched, and answers a key it knows as it did the first time."""
    can = Capabilities(max_batch=5, network=False, reconcile="no", idempotency_ttl=ttl)
    return FakeProvider(steps, capabilities=can)  # type: ignore[arg-type]


def test_promise_3_a_lost_call_is_made_once_more_where_its_key_is_remembered(
    store: SqlStore, make_desk: Callable[..., Desk]
) -> None:
    provider = remembering(CutAfter(), CutBefore())
    desk = make_desk(store, provider=provider, pace=Pace(threads=1))
    for number in range(10):
        audience.add(f"r{number}@x.test", desk, why="asked")
    report = send("quiet", desk)
    assert report.counts == Counts(audience=10, submitted=10)
    assert provider.twice == []
    assert [call.key for call in provider.calls][2:] == [provider.calls[0].key, provider.calls[1].key]
    assert provider.calls[2].batch.recipients == provider.calls[0].batch.recipients


def test_promise_4_a_lost_call_with_somebody_who_left_is_not_made_again(
    store: SqlStore, make_desk: Callable[..., Desk]
) -> None:
    class Leaves(FakeProvider):
        def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
            result = super().submit(email, batch, key=key, timeout=timeout)
            if len(self.calls) == 1:
                audience.suppress("r0@x.test", desk)
            return result

    provider = Leaves([CutBefore()], capabilities=remembering().capabilities)
    desk = make_desk(store, provider=provider, pace=Pace(threads=1))
    for number in range(2):
        audience.add(f"r{number}@x.test", desk, why="asked")
    assert send("quiet", desk).counts == Counts(audience=2, uncertain=2)
    assert len(provider.calls) == 1


def test_promise_3_a_key_that_may_be_forgotten_is_not_trusted(
    store: SqlStore, make_desk: Callable[..., Desk], clock: Clock
) -> None:
    provider = remembering(CutAfter(), CutAfter(), ttl=600.0)
    desk = make_desk(store, provider=provider, pace=Pace(threads=1))
    audience.add("r0@x.test", desk, why="asked")
    provider.then(CutAfter())
    provider._answers = Forgets()
    assert send("quiet", desk).counts.uncertain == 1
    calls = len(provider.calls)
    clock.move(601)
    resolve("quiet", desk)
    assert len(provider.calls) == calls


class Forgets(dict):
    """Remembers nothing."""

    def __contains__(self, key: object) -> bool:
        return False


@pytest.mark.parametrize("stopped", ["cancel", "pause", "pause all"])
def test_promise_3_whoever_said_stop_is_not_undone_by_asking_what_became_of_it(
    store: SqlStore, make_desk: Callable[..., Desk], stopped: str
) -> None:
    provider = remembering(CutBefore(), CutBefore())
    desk = make_desk(store, provider=provider, pace=Pace(threads=1))
    audience.add("r0@x.test", desk, why="asked")
    report = send("quiet", desk)
    assert (report.counts.uncertain, report.settling.rows) == (1, 1)
    if stopped == "cancel":
        cancel("quiet", desk)
    elif stopped == "pause":
        turn("quiet", desk, CampaignState.PAUSED)
    else:
        turn_all(desk, paused=True)
    calls = len(provider.calls)
    assert resolve("quiet", desk)[1].uncertain == 1
    assert len(provider.calls) == calls
    assert provider.received == {}
