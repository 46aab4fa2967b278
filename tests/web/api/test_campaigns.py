"""A letter that was rendered elsewhere: planned, frozen, sent and followed; and what must not go from here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from newsletter.core.campaign import CampaignState, Variant
from newsletter.core.delivery import Capabilities
from newsletter.core.email import Escape, Site, freeze
from newsletter.core.pace import Pace
from newsletter.flows import ledger, press
from newsletter.testing import FakeProvider
from tests.web.api.conftest import Owner, asked, bundle, mail
from tests.web.conftest import BASE, open_house, until


@pytest.fixture(scope="module")
def two(owner: Owner) -> Owner:
    """With two readers."""
    owner.reader("one@example.org")
    owner.reader("two@example.org")
    return owner


def sent_to(owner: Owner, words: str) -> list[str]:
    calls = owner.house.provider.calls
    return sorted(one.address for call in calls if words in str(call.email.text) for one in call.batch.recipients)


def done(owner: Owner, key: str) -> dict[str, Any]:
    until(lambda: owner("GET", f"/api/campaigns/{key}").json()["state"] == "finished")
    return owner("GET", f"/api/campaigns/{key}").json()


def test_promise_10_what_was_rendered_is_sent_byte_for_byte_and_once(two: Owner):
    made = bundle("first", "The first tide.", archive=two.house.letter)
    wanted = asked(made, yes=True)
    first = two("POST", "/api/campaigns", json=wanted)
    assert (first.status_code, first.json()["audience"], first.json()["ordered"]) == (201, 2, True)
    found = done(two, "first")
    assert (found["submitted"], found["pending"], found["content_sha256"]) == (2, 0, made.sha256)
    assert sent_to(two, "The first tide.") == ["one@example.org", "two@example.org"]
    again = two("POST", "/api/campaigns", json=wanted)
    assert (again.status_code, again.json()["campaign"]) == (200, first.json()["campaign"])
    assert len(sent_to(two, "The first tide.")) == 2
    with two.house.store.read() as tx:
        campaign = tx.campaigns.by_key("first")
        assert tx.campaigns.email(campaign.id, "all") == made.variants[0].body
    assert two.house.get("/archive/first").status_code == 200


def test_the_same_key_with_other_words_is_refused(two: Owner):
    assert two("POST", "/api/campaigns", json=asked(bundle("second", "Second."), yes=True)).status_code == 201
    done(two, "second")
    other = two("POST", "/api/campaigns", json=asked(bundle("second", "Not the second."), yes=True))
    assert (other.status_code, other.json()["type"]) == (409, "urn:newsletter:problem:not-approved")
    twin = two("POST", "/api/campaigns", json=asked(bundle("third", "Second."), yes=True))
    assert "were already sent" in twin.json()["detail"]
    assert two("POST", "/api/campaigns", json=asked(bundle("third", "Second."), yes=True, again="on purpose")).ok


def test_a_plan_binds_and_nothing_goes_without_a_word(two: Owner):
    made = bundle("planned", "Planned.")
    plan = two("POST", "/api/plans", json=asked(made)).json()
    assert (plan["audience"], plan["content_sha256"]) == (2, made.sha256)
    assert "Low water" in two.house.get(plan["review_url"].removeprefix(BASE)).text
    with two.house.store.read() as tx:
        assert tx.reviews.newest("planned").content == made.sha256  # its owners are asked before its time
    none = two("POST", "/api/campaigns", json=asked(made))
    assert (none.status_code, none.json()["detail"]) == (409, "Nobody has said yes.")
    edited = two("POST", "/api/campaigns", json=asked(made, plan={**plan, "audience": 1}))
    assert edited.json()["type"] == "urn:newsletter:problem:not-approved"
    other = bundle("planned", "Planned otherwise.")
    assert "has changed" in two("POST", "/api/campaigns", json=asked(other, plan=plan)).json()["detail"]
    assert two("GET", "/api/campaigns/planned").status_code == 404
    assert two("POST", "/api/campaigns", json=asked(made, plan=plan)).status_code == 201
    done(two, "planned")


def test_too_early_stays_due_and_too_late_needs_a_word(two: Owner):
    now = two.house.clock()
    early = bundle("early", "Early.", due_at=now + timedelta(hours=1))
    late = bundle("late", "Late.", due_at=now - timedelta(hours=13))
    plan = two("POST", "/api/plans", json=asked(early)).json()
    for how in ({"due": True}, {"plan": plan}):
        answer = two("POST", "/api/campaigns", json=asked(early, **how))
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:newsletter:problem:nothing-to-do")
    answer = two("POST", "/api/campaigns", json=asked(late, due=True))
    assert answer.json()["type"] == "urn:newsletter:problem:not-approved"
    assert two("POST", "/api/campaigns", json=asked(late, yes=True)).status_code == 201
    done(two, "late")


def test_paused_resumed_cancelled(two: Owner):
    ledger.turn_all(two.house.desk, paused=True)
    assert two("POST", "/api/campaigns", json=asked(bundle("held", "Held."), yes=True)).json()["all_paused"]
    for _ in range(2):
        assert two("POST", "/api/campaigns/held/pause").json()["state"] == "paused"
    ledger.turn_all(two.house.desk, paused=False)
    assert two("POST", "/api/campaigns/held/resume").json()["state"] == "sending"
    done(two, "held")
    assert two("POST", "/api/campaigns/held/cancel").status_code == 409
    assert two("POST", "/api/campaigns/nothing/cancel").status_code == 404
    ledger.turn_all(two.house.desk, paused=True)
    two("POST", "/api/campaigns", json=asked(bundle("away", "Away."), yes=True))
    gone = two("POST", "/api/campaigns/away/cancel").json()
    ledger.turn_all(two.house.desk, paused=False)
    assert (gone["state"], gone["suppressed"], gone["submitted"]) == ("cancelled", 2, 0)
    assert two("POST", "/api/campaigns", json=asked(bundle("away", "Away."), yes=True)).status_code == 409
    assert two("POST", "/api/campaigns", json=asked(bundle("away", "Away."), yes=True, again="after all")).ok
    done(two, "away")


def test_the_list_is_read_by_pages(two: Owner):
    keys, cursor = [], ""
    while cursor is not None:
        page = two("GET", "/api/campaigns", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        keys += [one["issue"] for one in page["items"]]
        cursor = page["next"]
    with two.house.store.read() as tx:
        assert keys == [one.key for one in tx.campaigns.all()]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({"base_url": "https://other.test"}, "configuration"),
        ({"email": mail(sender="somebody@harbour.test")}, "configuration"),
        ({"email": replace(mail(), headers=())}, "configuration"),
        ({"email": replace(mail(), headers=(*mail().headers, ("Bcc", ("x@example.org",))))}, "configuration"),
        ({"email": replace(mail(), html=("<p>3 Quay Street, Port Ellen, and no way out</p>",))}, "trouble"),
        ({"email": replace(mail(), text=("No imprint. ", Site("unsubscribe_url", "", Escape.PLAIN)))}, "trouble"),
        ({"topics": {"all": ("letter", "tides")}}, "not-approved"),
        ({"topics": {}}, "file-refused"),
        ({"variants": (Variant("all", "{}"),)}, "file-refused"),
        ({"variants": (Variant("all", "not JSON"),)}, "file-refused"),
        ({"variants": (Variant("all", freeze(mail()).replace('"en"', '"en" ')),)}, "file-refused"),
        ({"variants": (Variant("all", freeze(mail()).replace('"link"', "7")),)}, "file-refused"),
        ({"variants": (Variant("a", freeze(mail()), has=(("letter",),)),)}, "file-refused"),
        ({"variants": (Variant("a", freeze(mail())), Variant("b", freeze(mail())))}, "file-refused"),
        ({"key": "../etc/passwd"}, "file-refused"),
        ({"key": "Capital"}, "file-refused"),
    ],
)
def test_what_must_not_go_from_here(two: Owner, other: dict[str, Any], kind: str):
    key = other.pop("key", "wrong")
    for path, more in (("/api/plans", {}), ("/api/campaigns", {"yes": True})):
        answer = two("POST", path, json=asked(bundle(key, "Wrong.", **other), **more))
        assert answer.json()["type"] == f"urn:newsletter:problem:{kind}", answer.text
        assert "@" not in answer.text
    with two.house.store.read() as tx:
        assert tx.campaigns.by_key(key) is None


def test_promise_10_a_bundle_that_is_not_its_hash_is_refused(two: Owner):
    wanted = {**asked(bundle("bent", "Bent."), yes=True), "sha256": bundle("bent", "Straight.").sha256}
    answer = two("POST", "/api/campaigns", json=wanted)
    assert (answer.status_code, "not the one its hash" in answer.json()["detail"]) == (422, True)


def test_pictures_the_server_has_not_got_are_waited_for(two: Owner):
    picture = f'<img src="{two.house.desk.links.base_url}/images/0123456789ab-shore.jpg" alt="">'
    answer = two("POST", "/api/campaigns", json=asked(bundle("shown", picture), yes=True))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:newsletter:problem:work-left")
    assert "0123456789ab-shore.jpg" in answer.json()["detail"]


def test_versions_for_segments_go_each_to_its_own(tmp_path):
    with open_house(tmp_path) as house:
        owner = Owner(house)
        owner.reader("plain@example.org")
        both = owner.reader("both@example.org")
        with house.store.begin() as tx:
            tx.audience.give_topics(tx.audience.by_pid(both).id, ["tides"])
        pair = (
            Variant("all", freeze(mail("For everybody.")), lacks=(("tides",),)),
            Variant("tides", freeze(mail("For those of the tides.")), has=(("tides",),)),
        )
        made = bundle("pair", "Pair.", variants=pair, topics={"all": ("letter",), "tides": ("tides",)})
        assert owner("POST", "/api/campaigns", json=asked(made, yes=True)).status_code == 201
        done(owner, "pair")
        assert sent_to(owner, "For everybody.") == ["plain@example.org"]
        assert sent_to(owner, "For those of the tides.") == ["both@example.org"]


# --- the thread's work, without the thread -----------------------------------------------------------------


def ordered(owner: Owner, key: str) -> press.Order:
    with owner.house.store.read() as tx:
        return next(one for one in tx.orders.open() if one.key == key)


def test_what_stands_in_the_way_is_told_to_whoever_follows(own_owner: Owner):
    from newsletter.errors import ConfigurationError

    desk = own_owner.house.desk
    own_owner.reader("one@example.org")
    ledger.turn_all(desk, paused=True)
    assert own_owner("POST", "/api/campaigns", json=asked(bundle("stuck", "Stuck."), yes=True)).status_code == 201
    assert press.ready(desk) == []

    def broken(_key: str, _desk: object, *, stop: Event) -> Any:
        raise ConfigurationError("The provider knows another key.", "Set the right one.")

    assert not press.work(ordered(own_owner, "stuck"), desk, stop=Event(), send=broken)
    assert own_owner("GET", "/api/campaigns/stuck").json()["trouble"] == {
        "kind": "configuration",
        "what": "The provider knows another key.",
        "todo": "Set the right one.",
    }
    ledger.turn_all(desk, paused=False)
    (order,) = press.ready(desk)
    assert press.work(order, desk, stop=Event())
    found = own_owner("GET", "/api/campaigns/stuck").json()
    assert (found["state"], found["trouble"]) == ("finished", None)


def test_what_is_held_waits_for_its_time(own_owner: Owner):
    house = own_owner.house
    own_owner.reader("one@example.org")
    held = replace(house.desk, pace=replace(Pace(), hold=timedelta(minutes=10)))
    made = bundle("calm", "Calm.", due_at=house.clock())
    plan = press.plan(made, held).as_json()
    found, _ = press.order(made, held, by="test", approval=plan, now=False)
    assert found.campaign.held_until == house.clock() + timedelta(minutes=10)
    assert press.ready(held) == []
    house.clock.move(timedelta(minutes=11))
    assert [one.key for one in press.ready(held)] == ["calm"]


def test_promise_1_two_orders_at_once_are_one(own_owner: Owner):
    own_owner.reader("one@example.org")
    desk = own_owner.house.desk
    with desk.store.only_one("order"):
        busy = own_owner("POST", "/api/campaigns", json=asked(bundle("race", "Race."), yes=True))
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "30")
    assert own_owner("POST", "/api/campaigns", json=asked(bundle("race", "Race."), yes=True)).status_code == 201


def test_a_letter_that_is_stopped_in_the_middle_does_not_stop_the_server(own_owner: Owner):
    house = own_owner.house
    own_owner.reader("one@example.org")
    own_owner.reader("two@example.org")

    class Stopped(FakeProvider):
        """Somebody presses Stop while the first mail is on its way."""

        def submit(self, *args: Any, **how: Any) -> Any:
            ledger.turn("first", house.desk, CampaignState.PAUSED)
            return super().submit(*args, **how)

    pressed = Stopped(capabilities=Capabilities(max_batch=1, network=False))
    desk = replace(house.desk, provider=pressed, pace=Pace(threads=1))
    press.order(bundle("first", "First."), desk, by="test", approval=None)
    orders = [ordered(own_owner, "first")]
    stop = Event()
    press.work(orders[0], desk, stop=stop)
    with house.store.read() as tx:
        assert tx.campaigns.by_key("first").state is CampaignState.PAUSED
    well = replace(desk, provider=FakeProvider(capabilities=pressed.capabilities))
    press.order(bundle("second", "Second."), well, by="test", approval=None)
    assert press.work(ordered(own_owner, "second"), well, stop=stop)
    ledger.turn("first", well, CampaignState.SENDING)
    assert press.work(orders[0], well, stop=stop)
    assert [press.standing(key, desk).counts.submitted for key in ("first", "second")] == [2, 2]
