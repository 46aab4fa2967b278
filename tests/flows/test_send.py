"""Sending: every reader once, on both databases, whatever the provider answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from newsletter.core.campaign import CampaignState, Counts
from newsletter.core.consent import Newcomer, State
from newsletter.core.delivery import Batch, Capabilities, Outcome, Status
from newsletter.core.email import Email, fill
from newsletter.core.pace import Pace
from newsletter.errors import ConfigurationError, NotApproved, NothingToDo, ProviderError, WorkLeft
from newsletter.flows import send as sending
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.plan import plan
from newsletter.flows.send import resolve, send, status, turn
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, CutAfter, CutBefore, FakeProvider, Raise, Reject, Retry

Make = Callable[..., Desk]


def readers(store: SqlStore, desk: Desk, count: int, *, first: int = 0) -> None:
    with store.begin() as tx:
        people = [
            Newcomer(f"r{n}@x.test", f"r{n}@x.test", f"h{n}", f"p{n}", f"t{n}", State.ACTIVE, "en", first_name=f"N{n}")
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
    assert send("quiet", desk).counts.uncertain == 5
    clock.move(61)
    assert send("quiet", desk).counts == Counts(audience=5, submitted=5)


def test_a_refusal_touches_its_reader_alone(house: Make) -> None:
    provider = fake(Reject(["r1@x.test"]), Reject(["r7@x.test"], Status.SUPPRESSED))
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert report.finished
    assert report.counts == Counts(audience=20, submitted=18, failed=1, suppressed=1)


def test_what_may_be_tried_again_stops_with_work_left_and_continues(house: Make, clock: Clock) -> None:
    provider = fake(Retry(after=3600))
    desk = house(provider, pace=Pace(threads=1))
    report = send("quiet", desk)
    assert not report.finished
    assert report.counts == Counts(audience=20, submitted=15, pending=5)
    assert "asked to wait" in report.why
    clock.move(3601)
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


def test_a_lease_that_is_over_before_the_first_byte_sends_nothing(house: Make, clock: Clock) -> None:
    provider = fake()
    desk = house(provider, count=5)
    campaign = sending.freeze("quiet", desk, approval=None, again="")
    run = sending._Run(desk, campaign, "me", Event(), lambda *_: None)
    with desk.store.begin() as tx:
        claim = tx.campaigns.claim(campaign.id, "me", clock(), lease=timedelta(seconds=60), way_out=str)
    assert claim is not None
    clock.move(61)  # this process was stopped, and woke up
    assert sending._deliver(run, claim) is None
    assert provider.calls == []


def test_two_senders_at_once_are_one(house: Make) -> None:
    desk = house(fake())
    with desk.store.only_one("sender"), pytest.raises(WorkLeft, match="Another sender"):
        send("quiet", desk)


def test_a_pause_holds_and_a_resume_goes_on(house: Make) -> None:
    provider = fake(Retry(after=1000))
    desk = house(provider, count=5)
    send("quiet", desk)
    turn("quiet", desk, CampaignState.PAUSED)
    with pytest.raises(WorkLeft, match="paused"):
        send("quiet", desk)
    turn("quiet", desk, CampaignState.SENDING)
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


# --- plans and refusals --------------------------------------------------------------------------------


def test_a_plan_says_who_and_why_not(house: Make) -> None:
    desk = house(fake())
    leave_one = Newcomer("x@x.test", "x@x.test", "hx", "px", "tx", State.UNSUBSCRIBED, "en")
    with desk.store.begin() as tx:
        tx.audience.add([leave_one], desk.now())
    made, proof = plan("quiet", desk)
    assert (made.audience, made.excluded, made.calls, made.send_at) == (
        20,
        {"unsubscribed": 1},
        4,
        "2026-12-01T08:00:00Z",
    )
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


def test_what_must_not_go_does_not(house: Make, root: Path, publication: object) -> None:
    from dataclasses import replace
    from datetime import date

    from newsletter.core.publication import Footer, Publication

    assert isinstance(publication, Publication)
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
    from dataclasses import replace

    from newsletter.core.links import Links

    desk = house(FakeProvider(capabilities=Capabilities(max_batch=5, network=True)))
    assert plan("quiet", desk)[0].audience == 20
    with pytest.raises(ConfigurationError, match="BASE_URL"):
        send("quiet", replace(desk, links=Links("http://localhost:8000", ["k"])))


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
    from newsletter.core.delivery import BatchResult
    from newsletter.flows.deliver import deliver
    from newsletter.testing import sample_batch, sample_email

    class Short(FakeProvider):
        def submit(self, *_: object, **__: object) -> BatchResult:
            return BatchResult((Outcome("somebody else", Status.SUBMITTED),))

    result = deliver(Short(), sample_email(), sample_batch(2), key="k", timeout=1)
    assert [outcome.status for outcome in result.outcomes] == [Status.UNKNOWN] * 2
    assert result.halt == "bug"
