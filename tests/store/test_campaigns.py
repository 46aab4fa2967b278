"""The ledger's contract, on both databases."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from newsletter.core.campaign import Answer, Campaign, CampaignState, Claim, Counts, Draft, Variant
from newsletter.core.consent import Newcomer, Reason, State
from newsletter.core.delivery import Outcome, Status
from newsletter.errors import NotApproved
from newsletter.store import SqlStore, open_store
from newsletter.store.schema import batches

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def people(count: int, *, first: int = 0, state: State = State.ACTIVE) -> list[Newcomer]:
    return [
        Newcomer(f"r{n}@x.test", f"{n:032x}", f"pid{n}", f"token{n}", state, "en", first_name=f"N{n}")
        for n in range(first, first + count)
    ]


def freeze(
    store: SqlStore,
    *,
    key: str = "quiet",
    batch_size: int = 4,
    topics: Sequence[str] = ("letter",),
    variants: Sequence[Variant] = (Variant("all", "{}"),),
) -> Campaign:
    draft = Draft(
        key=key,
        pid=f"c-{key}",
        subject="A quiet week",
        segments=("all",),
        topics=tuple(topics),
        content_sha256="content",
        source_sha256=f"source-{key}",
        provider="fake",
        batch_size=batch_size,
        archive="<p>page</p>",
        excluded={"pending": 1},
        plan_hash="plan",
        variants=tuple(variants),
        base_url="https://letters.quiet.example",
    )
    with store.begin() as tx:
        return tx.campaigns.freeze(draft, NOW)


def claim(store: SqlStore, campaign: Campaign, *, owner: str = "me", now: datetime = NOW) -> Claim | None:
    with store.begin() as tx:
        return tx.campaigns.claim(campaign.id, owner, now, lease=LEASE, way_out=lambda token: f"u/{token}")


def topics_given(store: SqlStore, numbers: Sequence[int], topic: str) -> None:
    with store.begin() as tx:
        for n in numbers:
            reader = tx.audience.by_hmac(f"{n:032x}")
            assert reader is not None
            tx.audience.give_topics(reader.id, [topic])


def taken(store: SqlStore, campaign: Campaign, **how: object) -> Claim:
    found = claim(store, campaign, **how)  # type: ignore[arg-type]
    assert found is not None
    return found


def record(store: SqlStore, claimed: Claim, statuses: Sequence[Status], **how: Any) -> bool:
    outcomes = [
        Outcome(recipient.key, status, message_id=f"m-{recipient.key}" if status is Status.SUBMITTED else None)
        for recipient, status in zip(claimed.recipients, statuses, strict=True)
    ]
    with store.begin() as tx:
        return tx.campaigns.record(claimed, outcomes, **how)


def counts(store: SqlStore, campaign: Campaign, now: datetime = NOW) -> Counts:
    with store.read() as tx:
        found = tx.campaigns.counts(campaign.id, now)
    assert found.adds_up
    return found


@pytest.fixture
def ten(store: SqlStore) -> SqlStore:
    with store.begin() as tx:
        tx.audience.add(people(10), NOW, ["letter"])
    return store


def test_the_audience_is_the_active_with_the_topic_and_nobody_suppressed(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.audience.add(people(5), NOW, ["letter"])
        tx.audience.add(people(2, first=5), NOW)  # the workbook only
        tx.audience.add(people(1, first=7, state=State.PENDING), NOW, ["letter"])
        tx.audience.add(people(1, first=8, state=State.UNSUBSCRIBED), NOW, ["letter"])
        tx.audience.suppress(f"{0:032x}", Reason.COMPLAINED, NOW)
    with store.read() as tx:
        heads = tx.campaigns.headcount(["letter"])
    assert heads == {"audience": 4, "not subscribed to this": 2, "pending": 1, "unsubscribed": 1, "complained": 1}
    campaign = freeze(store)
    assert campaign.audience == 4
    claimed = taken(store, campaign)
    assert {one.address for one in claimed.recipients} == {f"r{n}@x.test" for n in range(1, 5)}


CHAIRS, TEA = ("chairs",), ("tea", "coffee")
FOUR = (
    Variant("all", "neither", lacks=(CHAIRS, TEA)),
    Variant("chairs", "chairs alone", has=(CHAIRS,), lacks=(TEA,)),
    Variant("tea", "tea alone", has=(TEA,), lacks=(CHAIRS,)),
    Variant("chairs+tea", "both", has=(CHAIRS, TEA)),
)


def test_promise_1_and_2_each_reader_stands_in_one_variant(ten: SqlStore) -> None:
    topics_given(ten, (0, 1, 2, 3, 4), "chairs")
    topics_given(ten, (4, 5), "tea")
    topics_given(ten, (3, 5, 6), "coffee")
    campaign = freeze(ten, batch_size=2, variants=FOUR)
    assert campaign.audience == 10
    found: dict[str, list[str]] = {}
    while one := claim(ten, campaign):
        assert len(one.recipients) <= 2
        found.setdefault(one.variant, []).extend(recipient.address.partition("@")[0] for recipient in one.recipients)
        record(ten, one, [Status.SUBMITTED] * len(one.recipients))
    assert found == {
        "all": ["r7", "r8", "r9"],
        "chairs": ["r0", "r1", "r2"],
        "tea": ["r5", "r6"],
        "chairs+tea": ["r3", "r4"],
    }
    assert campaign.batches == 6
    assert counts(ten, campaign) == Counts(audience=10, submitted=10)
    with ten.read() as tx:
        assert tx.campaigns.emails(campaign.id) == {one.name: one.body for one in FOUR}
        assert tx.campaigns.email(campaign.id, "tea") == "tea alone"


def test_a_variant_of_nobody_has_no_batch(ten: SqlStore) -> None:
    topics_given(ten, range(10), "chairs")
    campaign = freeze(ten, variants=FOUR)
    assert (campaign.audience, campaign.batches) == (10, 3)
    assert taken(ten, campaign).variant == "chairs"


def test_rows_that_leave_a_batch_keep_their_variant(ten: SqlStore) -> None:
    topics_given(ten, range(4), "chairs")
    campaign = freeze(ten, variants=FOUR)
    record(ten, taken(ten, campaign), [Status.SUBMITTED] * 4)
    record(ten, taken(ten, campaign), [Status.SUBMITTED] * 2)
    chairs = taken(ten, campaign)
    record(ten, chairs, [Status.UNKNOWN, Status.RETRY, Status.RETRY, Status.RETRY])
    left = taken(ten, campaign)
    assert (chairs.variant, left.variant, len(left.recipients)) == ("chairs", "chairs", 3)


def test_promise_3_a_batch_that_must_stay_whole_is_uncertain_as_a_whole(ten: SqlStore) -> None:
    campaign = freeze(ten)
    s = Status
    record(ten, taken(ten, campaign), [s.SUBMITTED, s.UNKNOWN, s.RETRY, s.REJECTED], splits=False)
    assert counts(ten, campaign) == Counts(audience=10, submitted=1, failed=1, uncertain=2, pending=6)


def test_promise_10_frozen_mail_that_was_changed_is_not_handed_out(ten: SqlStore) -> None:
    campaign = freeze(ten)
    with ten._write.begin() as connection:
        connection.exec_driver_sql("UPDATE emails SET body = '[]'")
    with ten.read() as tx, pytest.raises(NotApproved, match="not the one that was reviewed"):
        tx.campaigns.email(campaign.id, "all")
    with ten.read() as tx, pytest.raises(NotApproved):
        tx.campaigns.emails(campaign.id)


def test_the_next_moments_are_known(ten: SqlStore) -> None:
    campaign = freeze(ten)
    later = NOW + timedelta(minutes=5)

    def moments() -> tuple[datetime | None, datetime | None]:
        with ten.read() as tx:
            return tx.campaigns.next_try(campaign.id), tx.campaigns.next_lapse(campaign.id)

    assert moments() == (datetime(1970, 1, 1, tzinfo=UTC), None)
    record(ten, taken(ten, campaign), [Status.RETRY] * 4, not_before=later)
    assert moments() == (datetime(1970, 1, 1, tzinfo=UTC), None)
    taken(ten, campaign)
    taken(ten, campaign)
    assert moments() == (later, NOW + LEASE)


def test_the_size_of_the_next_batch_is_of_those_still_open(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=10)

    def size() -> int:
        with ten.read() as tx:
            return tx.campaigns.next_size(campaign.id, NOW)

    assert size() == 10
    record(ten, taken(ten, campaign), [Status.SUBMITTED] * 7 + [Status.RETRY] * 3)
    assert size() == 3
    with ten.begin() as tx:
        tx.campaigns.pause_all(NOW)
    assert size() == 0


def test_who_was_put_off_is_counted_and_a_run_that_stopped_is_not(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=10)
    seen = []
    for refused in (True, False, True, True):
        one = taken(ten, campaign)
        seen.append(one.refusals)
        with ten.begin() as tx:
            tx.campaigns.record(one, [Outcome(who.key, Status.RETRY) for who in one.recipients], refused=refused)
    assert seen == [0, 1, 1, 2]


def test_what_has_finished_is_counted_once(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=10)
    record(ten, taken(ten, campaign), [Status.SUBMITTED] * 9 + [Status.REJECTED])
    with ten.begin() as tx:
        assert tx.campaigns.finish(campaign.id, NOW)
        tx.audience._sql.exec_driver_sql("DELETE FROM deliveries")  # nobody counts them any more
    assert counts(ten, campaign) == Counts(audience=10, submitted=9, failed=1)


def test_what_has_ended_is_not_paused(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=10)
    record(ten, taken(ten, campaign), [Status.SUBMITTED] * 10)
    with ten.begin() as tx:
        assert tx.campaigns.set_state(campaign.id, CampaignState.PAUSED)
        tx.campaigns.finish(campaign.id, NOW)
        assert not tx.campaigns.set_state(campaign.id, CampaignState.SENDING)
        assert tx.campaigns.by_key("quiet").state is CampaignState.FINISHED  # type: ignore[union-attr]


def test_a_claim_of_one_who_may_still_live_is_left_alone(ten: SqlStore, database_url: str) -> None:
    campaign = freeze(ten)
    taken(ten, campaign)
    with ten.begin() as tx:
        reaped = tx.campaigns.reap(campaign.id, NOW, everyone=True)
    assert reaped == (1 if database_url.startswith("sqlite") else 0)


def test_newcomers_are_not_added_to_a_frozen_audience(ten: SqlStore) -> None:
    campaign = freeze(ten)
    with ten.begin() as tx:
        tx.audience.add(people(3, first=50), NOW, ["letter"])
    assert counts(ten, campaign) == Counts(audience=10, pending=10)


def test_promise_1_a_person_stands_once_in_a_campaign_by_primary_key(ten: SqlStore) -> None:
    campaign = freeze(ten)
    with pytest.raises(IntegrityError), ten._write.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO deliveries (campaign_id, subscriber_id, batch) "
            f"SELECT campaign_id, subscriber_id, 1 FROM deliveries WHERE campaign_id = {campaign.id}"
        )


def test_promise_1_a_key_is_frozen_once(ten: SqlStore) -> None:
    freeze(ten)
    with pytest.raises(IntegrityError):
        freeze(ten)


def test_a_batch_is_claimed_by_one_and_carries_what_a_provider_needs(ten: SqlStore) -> None:
    campaign = freeze(ten)
    first, second, third = (taken(ten, campaign) for _ in range(3))
    assert claim(ten, campaign) is None
    assert [len(one.recipients) for one in (first, second, third)] == [4, 4, 2]
    assert len({recipient.key for one in (first, second, third) for recipient in one.recipients}) == 10
    reader = first.recipients[0]
    assert (reader.key, reader.address, reader.values["first_name"], reader.unsubscribe_url) == (
        "c-quiet-pid0",
        "r0@x.test",
        "N0",
        "u/token0",
    )
    assert first.key == "c-quiet:1"


def test_promise_4_whoever_left_before_the_claim_gets_nothing(ten: SqlStore) -> None:
    campaign = freeze(ten)
    with ten.begin() as tx:
        tx.audience.move(1, State.UNSUBSCRIBED, NOW, ends_links=True)
        tx.audience.suppress(f"{1:032x}", Reason.BOUNCED, NOW)
        tx.audience.drop_topics(3)
        erased = tx.audience.by_hmac(f"{3:032x}")
        assert erased is not None
        tx.audience.erase(erased)
    assert taken(ten, campaign).recipients == ()
    with ten.read() as tx:
        assert tx.campaigns.reasons(campaign.id) == {"unsubscribed": 1, "bounced": 1, "topic": 1, "erased": 1}
    assert counts(ten, campaign) == Counts(audience=10, suppressed=4, pending=6)


def test_a_refusal_touches_its_reader_alone(ten: SqlStore) -> None:
    campaign = freeze(ten)
    s = Status
    assert record(ten, taken(ten, campaign), [s.SUBMITTED, s.REJECTED, s.SUPPRESSED, s.SUBMITTED])
    assert counts(ten, campaign) == Counts(audience=10, submitted=2, failed=1, suppressed=1, pending=6)


def test_what_may_be_tried_again_waits_and_keeps_who_was_reached(ten: SqlStore) -> None:
    campaign = freeze(ten)
    later = NOW + timedelta(minutes=5)
    s = Status
    record(ten, taken(ten, campaign), [s.SUBMITTED, s.RETRY, s.SUBMITTED, s.RETRY], not_before=later)
    assert counts(ten, campaign) == Counts(audience=10, submitted=2, pending=8)
    others = [taken(ten, campaign), taken(ten, campaign)]
    assert [one.n for one in others] == [2, 3]
    assert claim(ten, campaign) is None
    with ten.read() as tx:
        assert tx.campaigns.next_try(campaign.id) == later
    again = taken(ten, campaign, now=later)
    assert [one.address for one in again.recipients] == ["r1@x.test", "r3@x.test"]
    assert (again.attempt, again.key) == (2, "c-quiet:1")


def test_promise_3_unknown_rows_stay_uncertain_and_the_surely_unsent_leave_their_batch(ten: SqlStore) -> None:
    campaign = freeze(ten)
    s = Status
    record(ten, taken(ten, campaign), [s.SUBMITTED, s.UNKNOWN, s.RETRY, s.RETRY])
    assert counts(ten, campaign) == Counts(audience=10, submitted=1, uncertain=1, pending=8)
    with ten.read() as tx:
        (uncertain,) = tx.campaigns.uncertain(campaign.id)
    assert [one.address for one in uncertain.recipients] == ["r1@x.test"]
    seen = []
    while one := claim(ten, campaign):
        seen += [recipient.address for recipient in one.recipients]
    assert sorted(seen) == sorted(f"r{n}@x.test" for n in range(10) if n not in {0, 1})


def test_a_claim_whose_lease_is_over_is_uncertain_and_its_late_answer_still_counts(ten: SqlStore) -> None:
    campaign = freeze(ten)
    claimed = taken(ten, campaign)
    late = NOW + timedelta(seconds=61)
    assert counts(ten, campaign).uncertain == 0
    assert counts(ten, campaign, late).uncertain == 4
    with ten.read() as tx:
        assert tx.campaigns.holds([claimed], "me", NOW) == {claimed.n}
        assert not tx.campaigns.holds([claimed], "me", late)
        assert not tx.campaigns.holds([claimed], "somebody else", NOW)
    with ten.begin() as tx:
        assert tx.campaigns.reap(campaign.id, NOW, everyone=False) == 0
        assert tx.campaigns.reap(campaign.id, late, everyone=False) == 1
    assert record(ten, claimed, [Status.SUBMITTED] * 4)
    assert counts(ten, campaign).submitted == 4


def test_an_answer_for_a_batch_that_was_claimed_anew_is_not_written(ten: SqlStore) -> None:
    campaign = freeze(ten)
    first = taken(ten, campaign)
    record(ten, first, [Status.RETRY] * 4)
    second = taken(ten, campaign)
    assert second.n == first.n
    assert not record(ten, first, [Status.SUBMITTED] * 4)
    assert record(ten, second, [Status.SUBMITTED] * 4)


def test_a_reader_erased_while_the_call_was_out_is_still_counted(ten: SqlStore) -> None:
    campaign = freeze(ten)
    claimed = taken(ten, campaign)
    with ten.begin() as tx:
        reader = tx.audience.by_hmac(f"{2:032x}")
        assert reader is not None
        tx.audience.erase(reader)
    assert record(ten, claimed, [Status.SUBMITTED, Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED])
    assert counts(ten, campaign) == Counts(audience=10, submitted=3, failed=1, pending=6)


def test_a_pause_is_read_in_every_claim(ten: SqlStore) -> None:
    campaign = freeze(ten)
    taken(ten, campaign)
    with ten.begin() as tx:
        tx.campaigns.set_state(campaign.id, CampaignState.PAUSED)
    assert claim(ten, campaign) is None
    with ten.begin() as tx:
        tx.campaigns.set_state(campaign.id, CampaignState.SENDING)
        tx.campaigns.pause_all(NOW)
        tx.campaigns.pause_all(NOW)
        assert tx.campaigns.paused_all()
    assert claim(ten, campaign) is None
    with ten.begin() as tx:
        tx.campaigns.pause_all(None)
    assert claim(ten, campaign) is not None


def test_promise_2_finished_means_every_row_is_final(ten: SqlStore) -> None:
    campaign = freeze(ten)
    while one := claim(ten, campaign):
        with ten.begin() as tx:
            assert not tx.campaigns.finish(campaign.id, NOW)
        record(ten, one, [Status.SUBMITTED] * len(one.recipients))
    with ten.begin() as tx:
        assert tx.campaigns.finish(campaign.id, NOW)
    with ten.read() as tx:
        found = tx.campaigns.by_key("quiet")
    assert found is not None
    assert (found.state, found.finished_at) == (CampaignState.FINISHED, NOW)


def test_message_ids_are_kept_where_the_provider_gives_them(ten: SqlStore) -> None:
    one = taken(ten, freeze(ten))
    names = [f"guid-{number}" for number in range(2)] + [f"<{who.key}@letters.example>" for who in one.recipients[2:]]
    told = zip(one.recipients, names, strict=True)
    with ten.begin() as tx:
        assert tx.campaigns.record(one, [Outcome(who.key, Status.SUBMITTED, name) for who, name in told])
    with ten._read.begin() as connection:
        query = "SELECT provider_id FROM deliveries WHERE provider_id IS NOT NULL ORDER BY subscriber_id"
        assert list(connection.exec_driver_sql(query).scalars()) == ["guid-0", "guid-1"]  # ours hold the key already


def several(store: SqlStore, campaign: Campaign, most: int) -> list[Claim]:
    with store.begin() as tx:
        return tx.campaigns.claims(campaign.id, "me", NOW, lease=LEASE, way_out=str, most=most)


def test_several_batches_are_claimed_at_once_each_with_its_own_readers(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=1)
    assert (campaign.audience, campaign.batches) == (10, 10)
    with ten.begin() as tx:
        tx.audience.suppress(f"{1:032x}", Reason.COMPLAINED, NOW)
    first, rest = several(ten, campaign, 4), several(ten, campaign, 100)
    assert [one.n for one in first] == [1, 2, 3, 4]
    assert [[who.address for who in one.recipients] for one in first] == [
        ["r0@x.test"],
        [],
        ["r2@x.test"],
        ["r3@x.test"],
    ]
    assert [one.n for one in rest] == [5, 6, 7, 8, 9, 10]
    assert several(ten, campaign, 4) == []
    assert counts(ten, campaign) == Counts(audience=10, pending=9, suppressed=1)


def test_far_apart_batches_are_read_as_well(ten: SqlStore) -> None:
    """What is tried again lies anywhere: each batch is read in its own range."""
    campaign = freeze(ten, batch_size=1)
    for one in several(ten, campaign, 10):
        record(ten, one, [Status.RETRY if one.n in {1, 10} else Status.SUBMITTED])
    assert [who.address for one in several(ten, campaign, 5) for who in one.recipients] == ["r0@x.test", "r9@x.test"]


def test_answers_are_written_together_and_only_for_claims_that_are_ours(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=1)
    one, lost, two = several(ten, campaign, 3)
    anew = replace(lost, attempt=lost.attempt + 1)
    said = {1: Status.SUBMITTED, 2: Status.SUBMITTED, 3: Status.REJECTED}
    answers = [Answer(each, (Outcome(each.recipients[0].key, said[each.n], code="5"),)) for each in (one, anew, two)]
    with ten.begin() as tx:
        assert tx.campaigns.record_all([]) == 0
        assert tx.campaigns.record_all(answers) == 2
    assert counts(ten, campaign) == Counts(audience=10, submitted=1, failed=1, pending=8)
    assert several(ten, campaign, 1)[0].n == 4  # the lost one is in somebody's hands still


def test_a_pause_is_seen_by_whoever_holds_claims(ten: SqlStore) -> None:
    campaign = freeze(ten, batch_size=1)
    held = several(ten, campaign, 3)
    with ten.begin() as tx:
        assert tx.campaigns.holds(held, "me", NOW) == {1, 2, 3}
        tx.campaigns.set_state(campaign.id, CampaignState.PAUSED)
        assert tx.campaigns.holds(held, "me", NOW) == set()
        tx.campaigns.set_state(campaign.id, CampaignState.SENDING)
        tx.campaigns.pause_all(NOW)
        assert tx.campaigns.holds(held, "me", NOW) == set()
        assert tx.campaigns.holds([], "me", NOW) == set()


def test_the_next_batches_are_measured_together(ten: SqlStore) -> None:
    campaign = freeze(ten)
    with ten.read() as tx:
        assert [tx.campaigns.next_size(campaign.id, NOW, most) for most in (1, 2, 3, 9)] == [4, 8, 10, 10]
        assert tx.campaigns.has_more(campaign.id)
    for one in several(ten, campaign, 3):
        record(ten, one, [Status.SUBMITTED] * len(one.recipients))
    with ten.read() as tx:
        assert tx.campaigns.next_size(campaign.id, NOW, 3) == 0
        assert not tx.campaigns.has_more(campaign.id)


def test_batches_know_their_ends_whatever_their_size(ten: SqlStore) -> None:
    for number, size in enumerate((1, 3, 5, 10, 11)):
        campaign = freeze(ten, key=f"size-{number}", batch_size=size)
        with ten._read.begin() as connection:
            rows = connection.execute(
                select(batches.c.n, batches.c.lo, batches.c.hi, batches.c.size)
                .where(batches.c.campaign_id == campaign.id)
                .order_by(batches.c.n)
            ).all()
        expected = [(at // size + 1, at + 1, min(at + size, 10), min(size, 10 - at)) for at in range(0, 10, size)]
        assert [tuple(row) for row in rows] == expected


def test_everybody_is_counted_once_by_what_would_become_of_them(store: SqlStore) -> None:
    against = {0: (Reason.BOUNCED, Reason.OWNER), 6: (Reason.OWNER,), 8: (Reason.UNSUBSCRIBED,), 99: (Reason.OWNER,)}
    with store.begin() as tx:
        tx.audience.add(people(6), NOW, ["letter"])
        tx.audience.add(people(2, first=6), NOW)
        tx.audience.add(people(1, first=8, state=State.BOUNCED), NOW, ["letter"])
        for who, reasons in against.items():
            for reason in reasons:
                tx.audience.suppress(f"{who:032x}", reason, NOW)
        heads = tx.campaigns.headcount(["letter"])
    assert heads == {"audience": 5, "not subscribed to this": 1, "owner": 2, "unsubscribed": 1}


def test_the_archive_shows_what_has_begun(ten: SqlStore) -> None:
    campaign = freeze(ten)
    with ten.begin() as tx:
        assert tx.campaigns.archive("quiet") is None
        tx.campaigns.start(campaign.id, NOW)
        assert tx.campaigns.archive("quiet") == "<p>page</p>"
        assert tx.campaigns.archive("other") is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_promise_2_the_counts_add_up_whatever_happens(
    sqlite_template: Path, tmp_path: Path, data: st.DataObject
) -> None:
    """Any answers in any order, lapses and late answers: each row is counted once, nobody is claimed twice."""
    for file in tmp_path.glob("n.db*"):
        file.unlink()
    with contextlib.closing(open_store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'n.db')}")) as store:
        with store.begin() as tx:
            tx.audience.add(people(7), NOW, ["letter"])
        campaign = freeze(store, batch_size=3)
        sent: list[str] = []
        held: list[Claim] = []
        for _ in range(data.draw(st.integers(1, 14))):
            move = data.draw(st.sampled_from(["claim", "answer", "reap", "leave"]))
            if move == "claim" and (found := claim(store, campaign)):
                held.append(found)
            elif move == "answer" and held:
                one = held.pop(data.draw(st.integers(0, len(held) - 1)))
                statuses = [data.draw(st.sampled_from(list(Status))) for _ in one.recipients]
                if record(store, one, statuses):
                    sent += [
                        recipient.key
                        for recipient, status in zip(one.recipients, statuses, strict=True)
                        if status is Status.SUBMITTED
                    ]
            elif move == "reap":
                with store.begin() as tx:
                    tx.campaigns.reap(campaign.id, NOW, everyone=True)
            elif move == "leave":
                with store.begin() as tx:
                    tx.audience.move(data.draw(st.integers(1, 7)), State.UNSUBSCRIBED, NOW)
            found_counts = counts(store, campaign)
            assert found_counts.audience == 7
            assert found_counts.submitted == len(sent)
        assert len(sent) == len(set(sent))
