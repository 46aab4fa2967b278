"""The first slice, the soak, the brake, the hold: a mistake reaches a few people, and everyone gets it once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest

from newsletter.core import address
from newsletter.core.brake import Canary, Limits
from newsletter.core.campaign import CampaignState, Counts
from newsletter.core.consent import Newcomer, Reason, State
from newsletter.core.delivery import Capabilities
from newsletter.core.email import fill
from newsletter.core.halt import Told
from newsletter.core.links import LIFETIME, Purpose
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.errors import NotFound, NothingToDo, WorkLeft
from newsletter.flows import audience, brake, hear, owner
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import status, turn
from newsletter.flows.plan import plan
from newsletter.flows.send import Report, send
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, FakeProvider, Raise, Reject, Retry
from tests.flows.reports import Telling

Make = Callable[..., Desk]
SOAK, HOLD = timedelta(minutes=15), timedelta(minutes=10)
CANARY = Canary(share=0.2, soak=SOAK, least=10, over=50)
PACE = Pace(threads=1, canary=CANARY, brake=Limits(after=10))
READERS, FIRST = 60, 12
OWNER = "owner@quiet.example"


def carrier(*script: object, name: str = "telling", **how: object) -> FakeProvider:
    """A provider for letters; by its name it has webhooks or has none."""
    capabilities = Capabilities(max_batch=6, mode="batch", network=False, reconcile="search", **how)  # type: ignore[arg-type]
    return FakeProvider(script=script, name=name, capabilities=capabilities)  # type: ignore[arg-type]


def furnished(store: SqlStore, make_desk: Make) -> Make:
    def make(letters: FakeProvider, **parts: object) -> Desk:
        given = {"pace": PACE, "transactional": FakeProvider(name="front door"), "owner": OWNER, **parts}
        desk = make_desk(store, provider=letters, reports={"telling": Telling()}, **given)
        people = [Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en") for n in range(READERS)]
        with store.begin() as tx:
            tx.audience.add(people, desk.now(), ["letter"])
        return desk

    return make


@pytest.fixture
def both(store: SqlStore, make_desk: Make) -> Make:
    """A house on each kind of database."""
    return furnished(store, make_desk)


@pytest.fixture
def house(sqlite_store: SqlStore, make_desk: Make) -> Make:
    """A house, where the database is not the point."""
    return furnished(sqlite_store, make_desk)


def tell(desk: Desk, type_: str, *keys: str, at: int = 0, **more: object) -> None:
    """The provider tells something of deliveries, by their keys."""
    events = [
        {"type": type_, "id": f"{type_}-{key}-{at}", "at": desk.now().isoformat(), "key": key, **more} for key in keys
    ]
    hear.Intake(desk).keep(hear.verified("telling", {"signature": "right"}, json.dumps(events).encode(), desk))


def reached(letters: FakeProvider) -> list[str]:
    """The keys of all deliveries, in the order in which they went."""
    return [one.key for call in letters.calls for one in call.batch.recipients]


def mails(desk: Desk) -> list[str]:
    """The texts that the owner was sent."""
    calls = desk.transactional.calls  # type: ignore[attr-defined]
    assert {one.address for call in calls for one in call.batch.recipients} <= {OWNER}
    return [f"{fill(call.email.subject, {})}\n{fill(call.email.text, {})}" for call in calls]


def all_once(letters: FakeProvider) -> bool:
    return letters.addresses == {f"r{n}@x.test": 1 for n in range(READERS)} and letters.twice == []


# --- the first slice -----------------------------------------------------------------------------------


def test_the_first_slice_goes_alone_and_soaks_and_then_the_rest_follows(both: Make, clock: Clock) -> None:
    letters = carrier()
    desk = both(letters)
    report = send("quiet", desk)
    assert (report.finished, report.why) == (False, "soaking until 17:45 UTC")
    assert report.counts == Counts(audience=READERS, submitted=FIRST, pending=READERS - FIRST)
    assert report.campaign.soak_until == clock() + SOAK
    tell(desk, "delivered", *reached(letters))
    assert send("quiet", desk).sent == 0  # it soaks still
    clock.move(SOAK)
    report = send("quiet", desk)
    assert (report.finished, report.campaign.soak_until) == (True, None)
    assert report.counts == Counts(audience=READERS, submitted=READERS)
    assert all_once(letters)
    (report_,) = mails(desk)
    assert report_.startswith("It went: ")


def test_the_slice_is_the_same_each_time_and_spread_over_ages_and_domains(both: Make) -> None:
    letters = carrier()
    desk = both(letters, pace=replace(PACE, canary=replace(CANARY, share=0.5)))
    send("quiet", desk)
    numbers = sorted(int(key.rpartition("-p")[2]) for key in reached(letters))
    assert len(numbers) == READERS // 2
    for third in range(3):  # the age of the signup
        assert 8 <= sum(third * 20 <= n < third * 20 + 20 for n in numbers) <= 12
    for domain in range(5):  # whatever comes in turn with it
        assert 4 <= sum(n % 5 == domain for n in numbers) <= 8
    with desk.store.read() as tx:
        assert tx.brake.stands(1).first == len(letters.calls) == 5


def test_a_small_audience_and_no_canary_have_no_slice(house: Make) -> None:
    letters = carrier()
    desk = house(letters, pace=replace(PACE, canary=Canary(over=READERS)))
    assert plan("quiet", desk)[0].first == 0
    assert send("quiet", desk).finished
    assert [len(call.batch.recipients) for call in letters.calls] == [6] * 10


def test_it_waits_by_itself_when_the_soak_fits_into_the_time_given(house: Make, clock: Clock) -> None:
    class Passing(Event):
        """Time goes by, and what was sent is told of."""

        def wait(self, timeout: float | None = None) -> bool:
            tell(desk, "delivered", *reached(letters)[:FIRST])
            clock.move(timeout or 0)
            return self.is_set()

    letters = carrier()
    desk = house(letters, pace=replace(PACE, canary=replace(CANARY, soak=timedelta(seconds=7))))
    assert send("quiet", desk, stop=Passing(), seconds=3600).finished
    assert all_once(letters)


def test_nothing_can_be_heard_so_the_slice_does_not_soak(house: Make) -> None:
    letters = carrier(name="mute")
    desk = house(letters)
    made = plan("quiet", desk)[0]
    assert (made.first, made.soak_seconds) == (FIRST, 0.0)
    assert send("quiet", desk).finished
    assert all_once(letters)


@pytest.mark.parametrize("at", [1, 2])
def test_promise_1_killed_in_the_slice_and_after_it_everyone_gets_it_once(both: Make, clock: Clock, at: int) -> None:
    letters = carrier(*[Accept()] * (at - 1), Raise(KeyboardInterrupt(), taken=True))
    desk = both(letters)
    with pytest.raises(KeyboardInterrupt):
        send("quiet", desk)
    clock.move(desk.pace.lease)
    assert send("quiet", desk).why.startswith("soaking")
    assert len(letters.received) == FIRST
    tell(desk, "delivered", *letters.received)
    clock.move(SOAK)
    assert send("quiet", desk).finished
    assert all_once(letters)


# --- the brake -----------------------------------------------------------------------------------------


def soaked(house: Make, clock: Clock, *told: tuple[str, int, dict[str, object]]) -> tuple[Desk, FakeProvider, Report]:
    """A campaign after its soak, so many of the first slice told of in each way."""
    letters = carrier()
    desk = house(letters)
    send("quiet", desk)
    for type_, count, more in told:
        tell(desk, type_, *reached(letters)[:count], **more)
    clock.move(SOAK)
    return desk, letters, send("quiet", desk)


BOUNCED = ("bounced", 5, {"permanent": True, "reason": "bounce"})


def test_a_bad_list_stops_within_the_slice_and_the_rest_goes_when_somebody_says_so(both: Make, clock: Clock) -> None:
    letters = carrier()
    desk = both(letters)
    send("quiet", desk)
    tell(desk, "delivered", *reached(letters)[5:])
    tell(desk, "bounced", *reached(letters)[:5], permanent=True, reason="bounce")
    assert send("quiet", desk).why.startswith("soaking")  # nobody has read yet what was told
    hear.read(desk)
    report = send("quiet", desk)
    assert report.why == "5 of 12 bounced for good (41.7%; the limit is 5.0%)"
    assert (report.campaign.state, report.campaign.brake) == (CampaignState.PAUSED, report.why)
    assert len(letters.received) == FIRST
    with pytest.raises(WorkLeft, match="paused: 5 of 12 bounced"):
        send("quiet", desk)
    (mail,) = mails(desk)
    assert "stopped by itself" in mail
    assert "5 of 12 bounced for good" in mail
    assert "newsletter resume quiet" in mail
    assert "x.test" not in mail
    clock.move(SOAK)
    assert turn("quiet", desk, CampaignState.SENDING).brake == ""
    assert send("quiet", desk).finished
    assert all_once(letters)


@pytest.mark.parametrize(
    ("type_", "bad"), [("bounced", 3), ("bounced", 2), ("complained", 2), ("complained", 1), ("rejected", 3)]
)
def test_as_it_is_set_a_bad_list_of_some_thousand_stops_within_the_slice(
    sqlite_store: SqlStore, make_desk: Make, clock: Clock, type_: str, bad: int
) -> None:
    letters = FakeProvider(name="telling", capabilities=Capabilities(max_batch=500, mode="batch", network=False))
    desk = make_desk(sqlite_store, provider=letters, reports={"telling": Telling()}, pace=Pace(threads=1))
    people = [Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en") for n in range(1001)]
    with sqlite_store.begin() as tx:
        tx.audience.add(people, desk.now(), ["letter"])
    assert send("quiet", desk).counts.submitted == 50
    tell(desk, "delivered", *reached(letters))
    tell(desk, type_, *reached(letters)[:bad], permanent=True)
    clock.move(SOAK)
    stopped = send("quiet", desk).campaign.state is CampaignState.PAUSED
    assert stopped is ((type_, bad) not in {("bounced", 2), ("complained", 1)})


def test_accepted_bounces_do_not_stop_it_again_and_new_ones_do(both: Make, clock: Clock) -> None:
    desk, letters, report = soaked(both, clock, BOUNCED, ("delivered", FIRST, {}))
    assert report.campaign.state is CampaignState.PAUSED
    turn("quiet", desk, CampaignState.SENDING)
    letters.then(Accept(), Accept(), Retry(halt="quota"))
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    assert len(letters.received) == FIRST + 12
    tell(desk, "bounced", *reached(letters)[FIRST : FIRST + 3], permanent=True)
    tick(desk)
    report = send("quiet", desk)
    assert report.why.startswith("3 of 12 bounced for good")
    assert report.sent == 0
    turn("quiet", desk, CampaignState.SENDING)
    assert send("quiet", desk).finished
    assert all_once(letters)
    assert [mail.partition(":")[0] for mail in mails(desk)] == ["It stopped by itself"] * 2 + ["It went"]


def test_broken_authentication_stops_it(house: Make, clock: Clock) -> None:
    broken = ("bounced", 3, {"permanent": True, "reason": "authentication"})
    _, letters, report = soaked(house, clock, broken, ("delivered", FIRST, {}))
    assert "our own authentication is broken" in report.why
    assert len(letters.received) == FIRST


def test_broken_authentication_that_is_told_at_once_stops_it_within_the_batch(house: Make) -> None:
    letters = carrier(Reject([f"r{n}@x.test" for n in range(READERS)], code="550 5.7.26"), name="mute")
    desk = house(letters)
    report = send("quiet", desk)
    assert "our own authentication is broken" in report.why
    assert len(letters.calls) == 1
    assert report.campaign.state is CampaignState.PAUSED


def test_one_complaint_is_a_person_and_stops_nothing(house: Make, clock: Clock) -> None:
    _, letters, report = soaked(house, clock, ("complained", 1, {}), ("delivered", FIRST, {}))
    assert report.finished
    assert all_once(letters)


def test_two_complaints_of_a_dozen_stop_it(house: Make, clock: Clock) -> None:
    _, letters, report = soaked(house, clock, ("complained", 2, {}), ("delivered", FIRST, {}))
    assert report.why.startswith("2 of 12 complained")
    assert len(letters.received) == FIRST


def test_rejections_stop_it_also_where_nothing_is_told(house: Make) -> None:
    bad = Reject([f"r{n}@x.test" for n in range(READERS)], code="554 no")
    letters = carrier(Accept(), bad, name="mute")
    desk = house(letters)
    report = send("quiet", desk)
    assert report.why == "6 of 12 were refused by the provider (50.0%; the limit is 5.0%)"
    assert report.counts == Counts(audience=READERS, submitted=6, failed=6, pending=READERS - 12)
    turn("quiet", desk, CampaignState.SENDING)
    assert send("quiet", desk).finished
    assert len(letters.received) == READERS - 6
    assert letters.twice == []


def test_what_nobody_reports_is_no_zero(both: Make, clock: Clock) -> None:
    letters = carrier()
    desk = both(letters)
    with desk.store.begin() as tx:
        people = [Newcomer(f"G{n}@GMail.com", f"{n + 99:032x}", f"g{n}", f"u{n}", State.ACTIVE, "en") for n in range(3)]
        tx.audience.add(people, desk.now(), ["letter"])
    campaign = send("quiet", desk).campaign
    assert brake.told(campaign, desk) == Told(heard=0, bounced=0, complained=None, unreported=3)
    tell(desk, "delivered", *reached(letters)[:4])
    tell(desk, "delivered", *reached(letters)[:4], at=2)  # each counts once
    tell(desk, "bounced", *reached(letters)[4:6], permanent=True)
    hear.read(desk)
    assert brake.told(campaign, desk) == Told(heard=6, bounced=2, complained=0, unreported=3)


def test_refusals_that_are_told_later_count_as_refusals(house: Make, clock: Clock) -> None:
    _, _, report = soaked(house, clock, ("rejected", 6, {}), ("delivered", FIRST, {}))
    assert report.why.startswith("6 of 12 were refused")


@pytest.mark.parametrize("heard", [0, 5])
def test_silent_webhooks_stop_it_and_a_person_lets_it_go_on(house: Make, clock: Clock, heard: int) -> None:
    desk, letters, report = soaked(house, clock, ("delivered", heard, {}))
    assert report.why == "no delivery events received: webhooks?"
    assert status("quiet", desk)[0].brake == report.why
    assert len(letters.received) == FIRST
    turn("quiet", desk, CampaignState.SENDING)
    assert send("quiet", desk).finished
    assert all_once(letters)


def test_what_came_in_and_nobody_has_read_counts_at_the_end_of_the_soak(house: Make, clock: Clock) -> None:
    _, letters, report = soaked(house, clock, ("delivered", 6, {}))
    assert report.finished
    assert all_once(letters)


def test_paused_by_hand_and_resumed_it_soaks_on(house: Make, clock: Clock) -> None:
    letters = carrier()
    desk = house(letters)
    send("quiet", desk)
    turn("quiet", desk, CampaignState.PAUSED)
    turn("quiet", desk, CampaignState.SENDING)
    assert send("quiet", desk).why == "soaking until 17:45 UTC"
    clock.move(SOAK)
    assert send("quiet", desk).why == "no delivery events received: webhooks?"


# --- the hold ------------------------------------------------------------------------------------------


def approved(desk: Desk, **how: object) -> Report:
    """A letter that is sent by a plan."""
    return send("quiet", desk, hold=True, **how)  # type: ignore[arg-type]


@pytest.fixture
def held(house: Make) -> tuple[Desk, FakeProvider]:
    letters = carrier(name="mute")
    return house(letters, pace=replace(PACE, hold=HOLD)), letters


def test_between_an_approval_and_the_first_byte_lies_a_hold(held: tuple[Desk, FakeProvider], clock: Clock) -> None:
    desk, letters = held
    assert plan("quiet", desk)[0].hold_seconds == 600
    report = approved(desk)
    assert (report.why, report.sent, letters.calls) == ("held until 17:40 UTC", 0, [])
    assert report.campaign.held_until == clock() + HOLD
    assert report.campaign.started_at is None  # so it is not on the public pages yet
    (mail,) = mails(desk)
    assert mail.startswith("It goes out at 09:40: A quiet week")  # in the publication's zone
    assert "60 readers" in mail
    assert approved(desk).why == "held until 17:40 UTC"
    assert len(mails(desk)) == 1
    clock.move(HOLD)
    assert approved(desk).finished
    assert all_once(letters)


def test_yes_has_no_hold_and_ends_one(held: tuple[Desk, FakeProvider]) -> None:
    desk, letters = held
    assert approved(desk).sent == 0
    assert send("quiet", desk).finished
    assert all_once(letters)


def test_by_itself_only_mail_that_leaves_this_machine_is_held(house: Make) -> None:
    letters = carrier(name="mute")
    desk = house(letters)
    assert brake.hold_of(desk) == timedelta(0)
    abroad = replace(letters.capabilities, network=True)
    assert brake.hold_of(replace(desk, provider=replace(letters, capabilities=abroad))) == timedelta(minutes=10)


def stop_link(desk: Desk) -> str:
    text = mails(desk)[0]
    return text.partition("/stop/")[2].split()[0]


def test_the_owners_stop_works_during_the_hold(held: tuple[Desk, FakeProvider], clock: Clock) -> None:
    desk, letters = held
    approved(desk)
    token = stop_link(desk)
    assert brake.look(token, desk).open
    assert status("quiet", desk)[0].state is CampaignState.SENDING
    assert not brake.press(token, desk).open
    clock.move(HOLD)
    with pytest.raises(WorkLeft, match="quiet is paused"):
        approved(desk)
    assert letters.calls == []
    turn("quiet", desk, CampaignState.SENDING)
    assert approved(desk).finished


def test_the_owners_stop_works_during_the_run_and_after_it_does_nothing(
    held: tuple[Desk, FakeProvider], clock: Clock
) -> None:
    desk, letters = held
    approved(desk)
    token = stop_link(desk)
    clock.move(HOLD)

    def press(_campaign: object, done: int) -> None:
        if done == 6:
            brake.press(token, desk)

    report = approved(desk, progress=press)
    assert report.why == "it was paused"
    assert len(letters.received) == 6
    turn("quiet", desk, CampaignState.SENDING)
    assert approved(desk).finished
    found = brake.press(token, desk)
    assert (found.open, found.campaign.state) == (False, CampaignState.FINISHED)
    assert all_once(letters)


def test_a_stop_that_is_pressed_while_it_waits_ends_the_run(held: tuple[Desk, FakeProvider], clock: Clock) -> None:
    desk, letters = held

    class Pressed(Event):
        def wait(self, timeout: float | None = None) -> bool:
            brake.press(stop_link(desk), desk)
            clock.move(timeout or 0)
            return self.is_set()

    assert approved(desk, stop=Pressed(), seconds=3600).why == "it was paused"
    assert letters.calls == []


def test_a_stop_link_is_signed_and_expires(held: tuple[Desk, FakeProvider], clock: Clock) -> None:
    desk, _ = held
    approved(desk)
    token = stop_link(desk)
    for wrong in (token[:-1], "x", desk.links.sign(Purpose.ERASE, [1], desk.now())):
        with pytest.raises(NotFound):
            brake.press(wrong, desk)
    with pytest.raises(NotFound):
        brake.press(desk.links.sign(Purpose.STOP, [99], desk.now()), desk)
    clock.move(LIFETIME[Purpose.STOP] + timedelta(seconds=1))
    with pytest.raises(NotFound, match="too old"):
        brake.press(token, desk)
    assert status("quiet", desk)[0].state is CampaignState.SENDING


# --- what the owner is told ----------------------------------------------------------------------------


def test_the_owner_is_told_later_when_the_mail_cannot_go_now(house: Make, clock: Clock) -> None:
    front = FakeProvider(script=[Retry(), Raise(RuntimeError("x"))], name="front door")
    desk = house(carrier(name="mute"), pace=replace(PACE, hold=HOLD), transactional=front)
    approved(desk)
    assert owner.tell(desk) == 0  # not again at once
    clock.move(60)
    tick(desk)
    assert len(front.calls) == 2  # nobody knows whether that one left: it is not sent again
    clock.move(3600)
    assert owner.tell(desk) == 0


def test_without_an_address_nobody_is_told_and_all_else_is_the_same(house: Make) -> None:
    desk = house(carrier(name="mute"), pace=replace(PACE, hold=HOLD), owner="")
    assert approved(desk).why == "held until 17:40 UTC"
    assert mails(desk) == []


# --- seeds ---------------------------------------------------------------------------------------------


def test_seeds_get_it_first_and_last_outside_the_counts(both: Make, publication: Publication, clock: Clock) -> None:
    seeds = ("seed1@house.test", "Seed2@house.test")
    letters = carrier()
    desk = both(letters, publication=replace(publication, seeds=seeds))
    assert plan("quiet", desk)[0].seeds == 2
    report = send("quiet", desk)
    order = [one.address for call in letters.calls for one in call.batch.recipients]
    assert order[:2] == list(seeds)
    assert report.counts == Counts(audience=READERS, submitted=FIRST, pending=READERS - FIRST)
    tell(desk, "delivered", *reached(letters))
    clock.move(SOAK)
    report = send("quiet", desk)
    order = [one.address for call in letters.calls for one in call.batch.recipients]
    assert order[-2:] == list(seeds)
    assert [letters.addresses[seed] for seed in seeds] == [2, 2]
    assert report.counts == Counts(audience=READERS, submitted=READERS)
    assert report.sent == READERS - FIRST
    assert letters.twice == []
    with desk.store.read() as tx:
        assert tx.brake.seeds(1) == {"submitted": 4}
    with pytest.raises(NothingToDo):
        send("quiet", desk)


def test_a_seed_that_was_not_sent_is_tried_again_and_one_that_left_gets_none(
    house: Make, publication: Publication
) -> None:
    letters = carrier(Retry(), Retry(halt="quota"), name="mute")
    desk = house(letters, publication=replace(publication, seeds=("seed@house.test", "r0@x.test")))
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(address.parse("r0@x.test")), Reason.UNSUBSCRIBED, desk.now())
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    assert send("quiet", desk).finished
    assert letters.addresses["seed@house.test"] == 2
    assert letters.addresses["r0@x.test"] == 1  # as a reader under another fingerprint; never as a seed


def test_a_claim_of_the_slice_whose_holder_died_is_waited_for_and_the_rest_stays(both: Make, clock: Clock) -> None:
    class Passing(Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock.move(timeout or 0)
            return self.is_set()

    letters = carrier()
    desk = both(letters, pace=replace(PACE, lease=timedelta(seconds=30)))
    send("quiet", desk, stop=stopped())
    with desk.store.begin() as tx:
        claim = tx.campaigns.claim(1, "somebody who dies", clock(), lease=desk.pace.lease, way_out=str)
    assert claim
    report = send("quiet", desk, stop=Passing())
    assert report.why.startswith("soaking until")
    assert report.counts == Counts(audience=READERS, submitted=FIRST, pending=READERS - FIRST)
    assert letters.twice == []


def stopped() -> Event:
    """A run that ends before it begins."""
    stop = Event()
    stop.set()
    return stop


def test_a_provider_whose_webhooks_are_not_set_up_is_not_waited_for_and_the_plan_says_so(
    store: SqlStore, make_desk: Callable[..., Desk]
) -> None:
    provider = FakeProvider(capabilities=Capabilities(max_batch=500, network=False, webhook_auth="svix"))
    desk = make_desk(store, provider=provider)
    audience.add("ann@x.test", desk, why="asked")
    made, _ = plan("quiet", desk)
    assert "No webhooks of fake are set up: what becomes of the mail will not be known." in made.warnings
    heard = make_desk(store, provider=provider, reports={"fake": Telling()})
    assert not [line for line in plan("quiet", heard)[0].warnings if "webhooks" in line]
