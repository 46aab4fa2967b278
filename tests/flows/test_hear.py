"""What comes back from a provider: kept, read, obeyed once, in any order."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.core import address
from newsletter.core.consent import Evidence, Kind, Reason, State
from newsletter.core.delivery import Capabilities, Outcome
from newsletter.core.event import UNTOLD
from newsletter.errors import BadSignature, FileRefused, NotFound, StoreBusy
from newsletter.flows import audience, hear
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import status
from newsletter.flows.send import send
from newsletter.flows.signup import Request, confirm, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Chance, Clock, CutAfter, FakeProvider
from tests.flows.reports import Telling

ANN, BEN = "ann@x.test", "ben@x.test"
MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk(store: SqlStore, make_desk: MakeDesk) -> Desk:
    made = make_desk(store, reports={"telling": Telling()})
    audience.add(ANN, made, why="asked on paper")
    audience.add(BEN, made, why="asked on paper")
    return made


def event(clock: Clock, type_: str, id_: str = "e1", *, ago: float = 0, **more: Any) -> dict[str, Any]:
    return {"type": type_, "id": id_, "at": (clock() - timedelta(days=ago)).isoformat(), "email": ANN, **more}


def tell(desk: Desk, *events: object) -> int:
    hear.Intake(desk).keep(hear.verified("telling", {"signature": "right"}, json.dumps(events).encode(), desk))
    return hear.read(desk)


def agree(desk: Desk, who: str = ANN) -> None:
    """They say so themselves, now."""
    with desk.store.begin() as tx:
        found = tx.audience.by_hmac(desk.hmac(address.parse(who)))
        assert found
        tx.audience.record([Evidence(found.pid, Kind.CONFIRM, desk.now(), method="page")])


def state(desk: Desk, who: str = ANN) -> tuple[State, Reason | None]:
    found = audience.show(who, desk)
    return found["state"], found["suppressed"]


def test_a_hard_bounce_ends_it_with_evidence(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    assert tell(desk, event(clock, "bounced", permanent=True, reason="bounce")) == 1
    assert state(desk) == (State.BOUNCED, Reason.BOUNCED)
    last = audience.show(ANN, desk)["consent"][-1]
    assert (last["kind"], last["method"], last["source"]) == ("bounce", "webhook", "telling")
    assert state(desk, BEN) == (State.ACTIVE, None)


@pytest.mark.parametrize(
    ("type_", "more", "want"),
    [
        ("complained", {}, (State.COMPLAINED, Reason.COMPLAINED)),
        ("unsubscribed", {}, (State.UNSUBSCRIBED, Reason.UNSUBSCRIBED)),
        ("bounced", {"permanent": False}, (State.ACTIVE, None)),
        ("bounced", {"permanent": True, "reason": "authentication"}, (State.ACTIVE, None)),
        ("bounced", {"permanent": True, "reason": "block"}, (State.ACTIVE, None)),
        ("deferred", {"permanent": False}, (State.ACTIVE, None)),
        ("ignored", {}, (State.ACTIVE, None)),
        ("resubscribed", {}, (State.ACTIVE, None)),
    ],
)
def test_each_kind_means_what_it_says(
    desk: Desk, clock: Clock, type_: str, more: dict[str, Any], want: tuple[State, Reason | None]
) -> None:
    clock.move(60)
    assert tell(desk, event(clock, type_, **more)) == 1
    assert state(desk) == want


def test_soft_bounces_count_after_three_days(desk: Desk, clock: Clock) -> None:
    for day in range(3):
        clock.move(timedelta(days=1))
        assert state(desk)[0] is State.ACTIVE
        for again in "ab":
            tell(desk, event(clock, "bounced", f"{day}{again}", permanent=False, reason="bounce"))
    assert state(desk) == (State.BOUNCED, Reason.BOUNCED)


def test_what_is_older_than_the_last_consent_changes_nothing(desk: Desk, clock: Clock) -> None:
    agree(desk)
    tell(desk, event(clock, "complained", ago=1), event(clock, "bounced", "e2", ago=2, permanent=True))
    assert state(desk) == (State.ACTIVE, None)


def test_promise_8_that_somebody_vouched_for_them_takes_nothing_back(desk: Desk, clock: Clock) -> None:
    tell(desk, event(clock, "unsubscribed", ago=400))
    assert state(desk) == (State.UNSUBSCRIBED, Reason.UNSUBSCRIBED)


def test_what_is_older_than_a_consent_that_the_file_proves_changes_nothing(
    sqlite_store: SqlStore, make_desk: MakeDesk, clock: Clock, tmp_path: Path
) -> None:
    desk = make_desk(sqlite_store, reports={"telling": Telling()})
    head, row = "email,consent_at,consent_form,consent_wording", f"{ANN},{PROVEN:%Y-%m-%d},fair,Write to me."
    (tmp_path / "list.csv").write_text(f"{head}\n{row}\n")
    audience.import_(tmp_path / "list.csv", desk, names={})
    assert state(desk) == (State.ACTIVE, None)
    days = (clock() - PROVEN).days
    tell(desk, event(clock, "unsubscribed", ago=days + 3))
    assert state(desk) == (State.ACTIVE, None)
    tell(desk, event(clock, "unsubscribed", "e2", ago=days - 3))
    assert state(desk)[0] is State.UNSUBSCRIBED


PROVEN = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("other", [{"type": "complained"}, {"email": ANN}, {"at": "2026-12-01T17:30:07+00:00"}])
def test_what_was_nobodys_counts_when_it_is_told_again_and_nothing_else_under_its_id(
    store: SqlStore, make_desk: MakeDesk, clock: Clock, other: dict[str, str]
) -> None:
    desk = make_desk(store, reports={"telling": Telling()})
    audience.add(ANN, desk, why="asked on paper")
    first = event(clock, "unsubscribed", email=BEN)
    tell(desk, first)
    clock.move(60)
    audience.add(BEN, desk, why="asked on paper")
    assert tell(desk, {**first, **other}) == 0
    assert [state(desk, who)[0] for who in (ANN, BEN)] == [State.ACTIVE] * 2
    assert tell(desk, first, 7) == 1
    assert state(desk, BEN)[0] is State.UNSUBSCRIBED


def test_told_twice_counts_once_in_one_request_and_in_two(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    one = event(clock, "complained")
    assert tell(desk, one, one) == 1
    assert tell(desk, one) == 0
    assert tell(desk, one, "and something else") == 0
    kinds = [entry["kind"] for entry in audience.show(ANN, desk)["consent"]]
    assert kinds.count("complaint") == 1


def test_one_bad_event_does_not_lose_the_others(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    assert tell(desk, "nonsense", event(clock, "complained")) == 1
    assert state(desk)[0] is State.COMPLAINED


def test_an_adapter_that_breaks_does_not_stop_the_next_request(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    hear.Intake(desk).keep(hear.verified("telling", {"signature": "right"}, b"boom", desk))
    assert tell(desk, event(clock, "complained")) == 1
    with desk.store.read() as tx:
        assert tx.events.unread() == 0


def test_a_request_that_cannot_be_obeyed_is_kept_and_takes_no_other_with_it(
    desk: Desk, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An adapter may hand out what no database takes; the others in the same transaction count once all the same."""
    clock.move(60)
    intake = hear.Intake(desk)
    for body in (
        [event(clock, "complained")],
        [event(clock, "delivered", "huge", email=BEN, reason="r" * 99, permanent="neither")],
        [event(clock, "unsubscribed", "e3", email=BEN)],
    ):
        intake.keep(hear.raw("telling", {}, json.dumps(body).encode()))
    assert hear.read(desk) == 2
    assert (state(desk)[0], state(desk, BEN)[0]) == (State.COMPLAINED, State.UNSUBSCRIBED)
    assert "could not be obeyed" in caplog.text
    with desk.store.begin() as tx:
        kept = tx.events._sql.exec_driver_sql("SELECT note, body FROM webhooks WHERE body <> ''").all()
    assert [note.startswith("it could not be obeyed") for note, _ in kept] == [True]
    assert hear.read(desk) == 0


def test_a_stranger_who_complains_is_never_mailed(desk: Desk, clock: Clock) -> None:
    tell(
        desk,
        event(clock, "complained", email="carl@x.test"),
        event(clock, "bounced", "e2", email="dan@x.test", permanent=True),
    )
    assert audience.show("carl@x.test", desk)["suppressed"] is Reason.COMPLAINED
    with pytest.raises(NotFound):
        audience.show("dan@x.test", desk)


def test_a_request_of_somebody_else_is_refused_and_nothing_is_kept(desk: Desk, clock: Clock) -> None:
    with pytest.raises(BadSignature):
        hear.verified("telling", {"signature": "wrong"}, b"[]", desk)
    with pytest.raises(NotFound):
        hear.verified("nobody", {"signature": "right"}, b"[]", desk)
    with desk.store.read() as tx:
        assert tx.events.unread() == 0


def test_promise_12_no_credential_is_kept(desk: Desk) -> None:
    kept = hear.verified("telling", {"signature": "right", "authorization": "Basic x", "cookie": "y"}, b"[]", desk)
    assert kept.headers == {"signature": "right"}


def test_all_who_come_at_once_are_kept_and_told_when_not(desk: Desk, clock: Clock) -> None:
    intake, problems = hear.Intake(desk), []

    def one(number: int) -> None:
        try:
            intake.keep(hear.raw("telling", {}, f"[{number}]".encode()))
        except StoreBusy as problem:
            problems.append(problem)

    def all_of_them() -> None:
        threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    all_of_them()
    with desk.store.read() as tx:
        assert tx.events.unread() == 20

    class Busy:
        def begin(self) -> None:
            raise StoreBusy("locked")

    intake._desk = type("Locked", (), {"store": Busy(), "now": clock})()  # type: ignore[assignment]
    all_of_them()
    assert len(problems) == 20


def test_promise_3_a_delivery_whose_answer_was_lost_is_settled_by_what_is_told(
    store: SqlStore, make_desk: MakeDesk, clock: Clock
) -> None:
    provider = FakeProvider([CutAfter()], capabilities=Capabilities(max_batch=5, network=False))
    desk = make_desk(store, provider=provider, reports={"telling": Telling()})
    for who in (ANN, BEN):
        audience.add(who, desk, why="asked")
    report = send("quiet", desk)
    assert (report.counts.uncertain, report.counts.submitted) == (2, 0)
    keys = list(provider.received)
    tell(desk, event(clock, "delivered", key=keys[0], message_id="m1"), event(clock, "failed", "e2", key=keys[1]))
    counts = status("quiet", desk)[1]
    assert (counts.uncertain, counts.submitted) == (1, 1)
    with store.read() as tx:
        assert {one.campaign for one in tx.events.each()} == {"quiet"}


def test_an_event_without_an_address_finds_its_reader_by_the_key(
    store: SqlStore, make_desk: MakeDesk, clock: Clock
) -> None:
    provider = FakeProvider()
    desk = make_desk(store, provider=provider, reports={"telling": Telling()})
    audience.add(ANN, desk, why="asked")
    send("quiet", desk)
    clock.move(60)
    tell(desk, event(clock, "complained", email=None, key=next(iter(provider.received))))
    assert state(desk)[0] is State.COMPLAINED


def test_promise_9_an_erased_address_is_in_no_event_and_no_request(desk: Desk, clock: Clock, tmp_path: Path) -> None:
    clock.move(60)
    tell(desk, event(clock, "delivered"), event(clock, "delivered", "e2", email=BEN))
    hear.Intake(desk).keep(hear.raw("telling", {}, json.dumps([event(clock, "opened", "e3")]).encode()))
    audience.erase(ANN, desk)
    tell(desk, event(clock, "bounced", "e4", permanent=True))  # a late word
    with desk.store.read() as tx:
        assert [one.email for one in tx.events.each() if one.email] == [BEN]
    tick(desk)
    if "sqlite" in str(getattr(desk.store, "_write").url):  # noqa: B009
        assert all(ANN.encode() not in file.read_bytes() for file in tmp_path.glob("newsletter.db*"))


def test_requests_and_strangers_are_forgotten_in_time(desk: Desk, clock: Clock) -> None:
    tell(desk, event(clock, "delivered"), event(clock, "delivered", "e2", email="eve@x.test"))
    clock.move(timedelta(days=15))
    tick(desk)
    with desk.store.read() as tx:
        assert [one.email for one in tx.events.each()] == [ANN]


def test_an_event_that_is_odd_loses_none_of_the_others(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    odd = [{"email": "x" * 300 + "@y.test"}, {"message_id": "m" * 300}, {"reason": "r" * 300}, {"key": "a\0b"}]
    first = [event(clock, "delivered", f"odd{number}", **more) for number, more in enumerate(odd)]
    tell(desk, *first, event(clock, "complained"))
    assert state(desk)[0] is State.COMPLAINED
    tell(desk, {**event(clock, "complained", "e2"), "email": BEN}, *first)
    assert state(desk, BEN)[0] is State.COMPLAINED


def test_an_event_that_tells_no_time_happens_when_it_is_told(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    assert tell(desk, event(clock, "ignored", at=UNTOLD.isoformat())) == 1
    with desk.store.read() as tx:
        assert [(one.type, one.at) for one in tx.events.each()] == [("ignored", clock())]


class OneId(FakeProvider):
    """A provider whose id is that of a whole call."""

    def _settled(self, key: str) -> Outcome:
        return super()._settled(key)._replace(message_id=CALL)


CALL = "id-of-a-call"


@pytest.mark.parametrize(("provider", "known"), [(FakeProvider(), True), (OneId(), False)])
def test_a_providers_id_finds_its_reader_where_it_is_of_one_mail_alone(
    sqlite_store: SqlStore, make_desk: MakeDesk, clock: Clock, provider: FakeProvider, *, known: bool
) -> None:
    desk = make_desk(sqlite_store, provider=provider, reports={"telling": Telling()})
    for who in (ANN, BEN):
        audience.add(who, desk, why="asked")
    send("quiet", desk)
    clock.move(60)
    key = next(one.key for call in provider.calls for one in call.batch.recipients if one.address == ANN)
    id_ = f"fake-{key}" if known else CALL
    tell(desk, event(clock, "unsubscribed", id_, email=None, message_id=id_))
    assert state(desk)[0] is (State.UNSUBSCRIBED if known else State.ACTIVE)
    assert state(desk, BEN)[0] is State.ACTIVE


def test_recorded_requests_can_be_read_again(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    body = [event(clock, "complained"), 7]
    forms = [
        json.dumps({"provider": "telling", "headers": {}, "body": json.dumps(body)}),
        json.dumps([{"provider": "telling", "body": body}]),
        json.dumps(body),
        f"{json.dumps(body)}\n\n{json.dumps(body)}\n",
    ]
    reports = [hear.replay(hear.recorded(form, "telling", desk), desk) for form in forms]
    assert [(one.requests, one.events, len(one.faults)) for one in reports] == [
        (1, 1, 1),
        (1, 0, 1),
        (1, 0, 1),
        (2, 0, 2),
    ]
    with pytest.raises(FileRefused, match="Line 2"):
        hear.recorded("[]\nnot json", "telling", desk)
    with pytest.raises(NotFound):
        hear.recorded("[]", "nobody", desk)


def test_whoever_comes_back_after_a_bounce_is_not_ended_by_the_old_one_told_late(
    desk: Desk, clock: Clock, provider: FakeProvider
) -> None:
    clock.move(60)
    tell(desk, event(clock, "bounced", permanent=True))
    late = event(clock, "bounced", "late", permanent=True)
    clock.move(timedelta(days=2))
    signup(Request(ANN, letter=True), desk)
    tick(desk)
    link = str(provider.calls[-1].email.text[0]).partition("/confirm/")[2].split()[0]
    confirm(link, desk)
    tell(desk, late)
    assert state(desk) == (State.ACTIVE, None)


KINDS = {
    "bounce": ("bounced", {"permanent": True, "reason": "bounce"}),
    "soft": ("bounced", {"permanent": False, "reason": "bounce"}),
    "leave": ("unsubscribed", {}),
    "complain": ("complained", {}),
    "deliver": ("delivered", {}),
}
NAMED = {"bounce": State.BOUNCED, "leave": State.UNSUBSCRIBED, "complain": State.COMPLAINED}
REASONS = {"bounce": Reason.BOUNCED, "leave": Reason.UNSUBSCRIBED, "complain": Reason.COMPLAINED}


def end_of(story: list[tuple[str, int]]) -> tuple[State, set[Reason]]:
    """By the definition: a complaint outweighs all, else the later of leaving and bouncing; leaving at one moment."""
    that = [(kind, day) for kind, day in story if kind in NAMED and day >= 0]
    softs = sorted({day for kind, day in story if kind == "soft" and day >= 0})
    that += [("bounce", softs[-1])] if len(softs) > 2 else []
    if any(kind == "complain" for kind, _ in that):
        last = "complain"
    else:
        last = max(that, key=lambda one: (one[1], one[0] == "leave"), default=("", 0))[0]
    return NAMED.get(last, State.ACTIVE), {REASONS[kind] for kind, _ in that}


_numbers = itertools.count()
STORIES = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(-2, 6)), max_size=7)


@given(story=STORIES, chance=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_any_number_of_times_the_end_is_the_same(
    sqlite_store: SqlStore, make_desk: MakeDesk, story: list[tuple[str, int]], chance: random.Random
) -> None:
    """The days are counted from their agreement: what was before it means nothing."""
    clock, number = Clock(), next(_numbers)
    desk = make_desk(sqlite_store, now=clock, entropy=Chance(number).bytes, reports={"telling": Telling()})
    who = f"reader{number}@x.test"
    audience.add(who, desk, why="asked")
    agree(desk, who)
    agreed = clock()
    clock.move(timedelta(days=7))
    events = [
        {**event(clock, KINDS[kind][0], f"{who}{at}", email=who, **KINDS[kind][1]), "at": moment.isoformat()}
        for at, (kind, day) in enumerate(story)
        for moment in [agreed + timedelta(days=day)]
    ]
    told = [*events, *chance.choices(events, k=3)] if events else []
    chance.shuffle(told)
    while told:
        some = chance.randint(1, 3)
        tell(desk, *told[:some])
        del told[:some]
    named, reasons = end_of(story)
    with desk.store.read() as tx:
        against = {one for one in Reason if tx.audience.suppressed_at(desk.hmac(address.parse(who)), one)}
    assert (state(desk, who)[0], against) == (named, reasons)
    kinds = [entry["kind"] for entry in audience.show(who, desk)["consent"]]
    assert len(kinds) == len(set(kinds)), "each change is evidence once"


@pytest.mark.parametrize("turned", [False, True])
def test_a_bounce_and_a_leaving_in_either_order(desk: Desk, clock: Clock, *, turned: bool) -> None:
    """By their own times, whichever comes first; and the topics are gone either way."""
    clock.move(timedelta(days=3))
    both = [event(clock, "unsubscribed", "e1", ago=1), event(clock, "bounced", "e2", ago=2, permanent=True)]
    for one in reversed(both) if turned else both:
        tell(desk, one)
    assert state(desk) == (State.UNSUBSCRIBED, Reason.UNSUBSCRIBED)
    assert audience.show(ANN, desk)["topics"] == []


def test_an_event_of_the_very_second_of_the_consent_counts(desk: Desk, clock: Clock) -> None:
    """Some providers tell a moment to the second: it may seem to be before it."""
    clock.move(0.7)
    audience.add("cy@x.test", desk, why="asked")
    at = clock().replace(microsecond=0).isoformat()
    tell(desk, {"type": "bounced", "id": "e1", "at": at, "email": "cy@x.test", "permanent": True})
    assert state(desk, "cy@x.test")[0] is State.BOUNCED


def test_an_event_that_cannot_be_written_down_stops_nobody(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    bad = [
        event(clock, "delivered", "\ud800"),
        event(clock, "delivered", "e2", email="\ud800@x.test"),
        event(clock, "delivered", "e3", message_id="a\x00b"),
        {**event(clock, "delivered", "e4"), "at": "0001-01-01T00:00:00+14:00"},
    ]
    assert tell(desk, *bad, event(clock, "delivered", "x" * 900, message_id="m" * 900)) == 1
    assert tell(desk, event(clock, "complained", "e5")) == 1
    assert state(desk)[0] is State.COMPLAINED
    with desk.store.read() as tx:
        assert [one.type for one in tx.events.each()] == ["delivered", "complained"]


def test_promise_9_whoever_was_erased_is_not_written_back_by_any_way(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    tell(desk, event(clock, "complained"))  # its suppression is the stronger one
    audience.erase(ANN, desk)
    tell(desk, event(clock, "delivered", "e2"))
    hear.replay(hear.recorded(json.dumps([event(clock, "opened", "e3")]), "telling", desk), desk)
    tell(desk, f"unreadable, of {ANN}", event(clock, "delivered", "e4", email=BEN))
    tell(desk, f"unreadable, of {BEN}")
    with desk.store.read() as tx:
        assert [one.email for one in tx.events.each() if one.email] == [BEN]
    with desk.store.begin() as tx:
        bodies = [row[0] for row in tx.events._sql.exec_driver_sql("SELECT body FROM webhooks WHERE body <> ''")]
    assert bodies == [json.dumps([f"unreadable, of {BEN}"])]


def test_an_event_is_kept_under_the_address_we_wrote_to(store: SqlStore, make_desk: MakeDesk, clock: Clock) -> None:
    provider = FakeProvider()
    desk = make_desk(store, provider=provider, reports={"telling": Telling()})
    audience.add(ANN, desk, why="asked")
    send("quiet", desk)
    tell(desk, event(clock, "delivered", email="forwarded@y.test", key=next(iter(provider.received))))
    with store.read() as tx:
        assert [one.email for one in tx.events.each()] == [ANN]


def test_soft_bounces_from_before_they_agreed_and_of_tomorrow_do_not_count(desk: Desk, clock: Clock) -> None:
    agree(desk)
    soft = {"permanent": False, "reason": "bounce"}
    tell(desk, *[event(clock, "bounced", f"old{ago}", ago=ago, **soft) for ago in (9, 10)])
    clock.move(60)
    tell(desk, event(clock, "bounced", "now", **soft))
    tell(desk, *[event(clock, "bounced", f"later{ago}", ago=-ago, **soft) for ago in (400, 500, 600)])
    assert state(desk) == (State.ACTIVE, None)


def test_what_was_signed_long_ago_is_kept_unread_and_the_same_signed_now_is_read(desk: Desk, clock: Clock) -> None:
    clock.move(60)
    body = json.dumps([event(clock, "complained")]).encode()
    for signature in ("stale", "right"):
        hear.Intake(desk).keep(hear.verified("telling", {"signature": signature}, body, desk))
        hear.read(desk)
        assert (state(desk)[0] is State.COMPLAINED) is (signature == "right")


def test_a_signature_that_breaks_the_adapter_is_none(desk: Desk) -> None:
    with pytest.raises(BadSignature):
        hear.verified("telling", {"signature": "breaks"}, b"[]", desk)


def test_an_odd_file_is_read_as_nothing_or_refused(desk: Desk) -> None:
    assert hear.replay(hear.recorded('{"provider": ["a"], "body": "x"}', "telling", desk), desk).events == 0
    with pytest.raises(FileRefused, match="nested too deeply"):
        hear.recorded("[" * 100_000, "telling", desk)
