"""What decides whether a batch may be claimed, and what is counted, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.core.brake import Tally
from newsletter.core.campaign import Campaign, Draft, Variant
from newsletter.core.consent import Newcomer, State
from newsletter.core.event import Event, EventType
from newsletter.store import SqlStore

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
LEASE = timedelta(minutes=1)
READERS, FIRST = 40, 12


@pytest.fixture
def campaign(store: SqlStore) -> Campaign:
    """Forty readers, every second with a topic of their own, whose letter differs; a first slice of twelve."""
    people = [Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en") for n in range(READERS)]
    draft = Draft(
        key="quiet",
        pid="c",
        subject="A quiet week",
        segments=("all",),
        topics=("letter",),
        content_sha256="",
        source_sha256="",
        provider="fake",
        batch_size=5,
        archive=None,
        excluded={},
        plan_hash="",
        variants=(Variant("all", "{}", lacks=(("art",),)), Variant("art", "{}", has=(("art",),))),
        first=FIRST,
        audience=READERS,
    )
    with store.begin() as tx:
        ids = tx.audience.add(people, NOW, ["letter"])
        for subscriber_id in ids[::2]:
            tx.audience.give_topics(subscriber_id, ["art"])
        return tx.campaigns.freeze(draft, NOW)


def claimed(store: SqlStore, campaign: Campaign, now: datetime = NOW) -> list[tuple[str, int]]:
    """All that can be claimed at a moment: each batch's variant, and how many readers it has."""
    with store.begin() as tx:
        found = tx.campaigns.claims(campaign.id, "me", now, lease=LEASE, way_out=str, most=99)
        assert tx.campaigns.next_size(campaign.id, now, 99) == 0  # nothing is left that may go
        return [(claim.variant, len(claim.recipients)) for claim in found]


def test_promise_2_the_slice_and_the_rest_are_everybody_of_each_variant_once(
    store: SqlStore, campaign: Campaign
) -> None:
    slice_ = claimed(store, campaign)
    assert sum(size for _, size in slice_) == FIRST
    assert {variant for variant, _ in slice_} == {"all", "art"}
    with store.begin() as tx:
        assert not tx.brake.stands(campaign.id).through
        tx.brake.release(campaign.id, NOW)
        assert tx.brake.stands(campaign.id).released
    whole = slice_ + claimed(store, campaign)
    by_variant = {name: sum(size for variant, size in whole if variant == name) for name in ("all", "art")}
    assert by_variant == {"all": READERS // 2, "art": READERS // 2}
    assert len(whole) == campaign.batches


def test_nothing_is_claimed_before_a_hold_is_over(store: SqlStore, campaign: Campaign) -> None:
    until = NOW + timedelta(minutes=10)
    with store.begin() as tx:
        tx.brake.hold(campaign.id, until)
    assert claimed(store, campaign, until - timedelta(milliseconds=1)) == []
    assert claimed(store, campaign, until) != []


def event(type_: EventType, number: int, subscriber_id: int, **more: object) -> tuple[Event, int]:
    return Event(type_, f"{type_}-{number}", NOW, **more), subscriber_id  # type: ignore[arg-type]


def test_what_was_told_counts_each_reader_once(store: SqlStore, campaign: Campaign) -> None:
    told = [
        event(EventType.DELIVERED, 1, 1),
        event(EventType.DELIVERED, 2, 1),
        event(EventType.ACCEPTED, 3, 2),
        event(EventType.BOUNCED, 4, 3, permanent=True, reason="bounce"),
        event(EventType.BOUNCED, 5, 3, permanent=True, reason="invalid"),
        event(EventType.BOUNCED, 6, 4, permanent=False),
        event(EventType.BOUNCED, 7, 5, permanent=True, reason="authentication"),
        event(EventType.DEFERRED, 8, 6, permanent=False, reason="authentication"),
        event(EventType.COMPLAINED, 9, 1),
        event(EventType.REJECTED, 10, 7),
        event(EventType.OPENED, 11, 8),
    ]
    with store.begin() as tx:
        for one, who in told:
            tx.events.add("fake", one, hmac=None, subscriber_id=who, campaign_id=campaign.id, now=NOW)
        other = Event(EventType.COMPLAINED, "other", NOW)
        tx.events.add("fake", other, hmac=None, subscriber_id=9, campaign_id=None, now=NOW)
        bad = Tally(refused=1, bounced=1, complained=1, authentication=2)
        assert tx.brake.told(campaign.id) == bad
        assert tx.brake.told(campaign.id, heard=True).heard == 7


def test_an_accepted_count_is_kept_and_takes_the_reason_away(store: SqlStore, campaign: Campaign) -> None:
    with store.begin() as tx:
        assert tx.brake.stop(campaign.id, "too much")
        assert not tx.brake.stop(campaign.id, "again")  # it does not send
        assert tx.brake.stands(campaign.id).brake == "too much"
        tx.brake.accept(campaign.id, Tally(submitted=7, bounced=2))
        stands = tx.brake.stands(campaign.id)
    assert (stands.brake, stands.accepted) == ("", Tally(submitted=7, bounced=2))
