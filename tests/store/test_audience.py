"""The audience's contract, on both databases."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from newsletter.core.consent import ENDED_BY_CONSENT, Evidence, Kind, Mail, Newcomer, Reason, State, Subscriber
from newsletter.core.ids import digest
from newsletter.core.queue import MailState
from newsletter.store import SqlStore

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
ANN = Newcomer("Ann@x.test", "aa" * 16, "pid-ann", "token-ann", State.PENDING, "en", "Ann", "O'Neill")


def ann(store: SqlStore) -> Subscriber:
    with store.begin() as tx:
        if tx.audience.by_hmac(ANN.hmac) is None:
            tx.audience.add([ANN], NOW)
        found = tx.audience.by_hmac(ANN.hmac)
    assert found is not None
    return found


def test_an_address_is_kept_as_typed_and_stands_once(store: SqlStore) -> None:
    found = ann(store)
    assert (found.email, found.state, found.gen, found.created_at) == ("Ann@x.test", State.PENDING, 0, NOW)
    with pytest.raises(IntegrityError), store.begin() as tx:
        tx.audience.add([ANN], NOW)


def test_states_and_generations(store: SqlStore) -> None:
    who = ann(store)
    with store.begin() as tx:
        tx.audience.move(who.id, State.ACTIVE, NOW + timedelta(hours=1))
        tx.audience.give_topics(who.id, ["letter", "workshops"])
        tx.audience.give_topics(who.id, ["letter"])
    found = ann(store)
    assert (found.state, found.confirmed_at, found.topics) == (
        State.ACTIVE,
        NOW + timedelta(hours=1),
        ("letter", "workshops"),
    )
    with store.begin() as tx:
        tx.audience.move(who.id, State.UNSUBSCRIBED, NOW, ends_links=True)
        tx.audience.drop_topics(who.id)
    assert (ann(store).gen, ann(store).topics) == (1, ())


def test_an_unsubscribe_link_outlives_the_row(store: SqlStore) -> None:
    who = ann(store)
    with store.begin() as tx:
        tx.audience.erase(who)
        assert tx.audience.by_hmac(ANN.hmac) is None
        assert tx.audience.address_of_link(digest(ANN.unsubscribe_token)) == ANN.hmac
        assert tx.audience.address_of_link(digest("another")) is None


def test_promise_8_evidence_is_appended_with_the_wording_it_rests_on(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.audience.keep_wording("sha", "Send me the workbook.", "en", NOW)
        tx.audience.keep_wording("sha", "Send me the workbook.", "en", NOW)
        tx.audience.record([Evidence("pid", Kind.REQUEST, NOW, "form", wording="sha", topics=("letter",))])
        tx.audience.record([Evidence("pid", Kind.CONFIRM, NOW, "page")])
        first, second = tx.audience.evidence("pid")
    assert (first["kind"], first["wording"], first["topics"]) == ("request", "Send me the workbook.", ["letter"])
    assert (second["kind"], second["wording"]) == ("confirm", None)


def test_a_complaint_is_never_weakened(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.audience.suppress("ab" * 16, Reason.UNSUBSCRIBED, NOW)
        tx.audience.suppress("ab" * 16, Reason.COMPLAINED, NOW)
        tx.audience.suppress("ab" * 16, Reason.UNSUBSCRIBED, NOW)
        assert tx.audience.suppression("ab" * 16) is Reason.COMPLAINED
        assert tx.audience.suppressed(["ab" * 16, "cd" * 16]) == {"ab" * 16}
        assert tx.audience.lift("ab" * 16, ENDED_BY_CONSENT)
        assert tx.audience.suppression("ab" * 16) is Reason.COMPLAINED
        assert not tx.audience.lift("ab" * 16, ENDED_BY_CONSENT)
        assert tx.audience.lift("ab" * 16, {Reason.COMPLAINED})
        assert tx.audience.suppression("ab" * 16) is None


@pytest.mark.parametrize("given", [*itertools.permutations((Reason.UNSUBSCRIBED, Reason.OWNER, Reason.ERASED))])
def test_reasons_stand_side_by_side_and_the_strongest_is_told(sqlite_store: SqlStore, given: list[Reason]) -> None:
    with sqlite_store.begin() as tx:
        for reason in given:
            tx.audience.suppress("ab" * 16, reason, NOW)
        assert tx.audience.suppression("ab" * 16) is Reason.OWNER
        assert tx.audience.lift("ab" * 16, {Reason.OWNER})
        assert tx.audience.suppression("ab" * 16) is Reason.ERASED


def test_whoever_has_two_reasons_is_counted_once(store: SqlStore) -> None:
    who = ann(store)
    with store.begin() as tx:
        tx.audience.move(who.id, State.ACTIVE, NOW)
        tx.audience.give_topics(who.id, ["letter"])
        for reason in (Reason.BOUNCED, Reason.OWNER, Reason.UNSUBSCRIBED):
            tx.audience.suppress(who.hmac, reason, NOW)
        assert tx.campaigns.headcount(["letter"]) == {"owner": 1}


def test_row_ids_are_never_used_again(store: SqlStore) -> None:
    """An erased person's links name rows: whoever comes next must not get their numbers."""

    def all_ids(n: int) -> tuple[int, int, int]:
        with store.begin() as tx:
            tx.audience.add([ANN._replace(pid=f"pid{n}", unsubscribe_token=f"token{n}")], NOW)
        who = ann(store)
        with store.begin() as tx:
            signup = tx.audience.add_signup(who, form="f", magnet="", topics=(), lang="en", wording="", now=NOW)
            grant = tx.audience.grant(who.id, "workbook", NOW)
            tx.audience.erase(who)
        return who.id, signup, grant

    first, second = all_ids(1), all_ids(2)
    assert all(later > earlier for earlier, later in zip(first, second, strict=True))


def test_a_grant_is_given_once_and_counts_downloads(store: SqlStore) -> None:
    who = ann(store)
    with store.begin() as tx:
        first = tx.audience.grant(who.id, "workbook", NOW)
        assert tx.audience.grant(who.id, "workbook", NOW) == first
        tx.audience.count_download(first, NOW)
        found = tx.audience.granted(first)
    assert found is not None
    assert found.downloads == 1
    assert found.magnet == "workbook"


def test_paging_reaches_everybody_once(store: SqlStore) -> None:
    with store.begin() as tx:
        many = [Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en") for n in range(2500)]
        tx.audience.add(many[:1200], NOW, ["letter"])
        tx.audience.add(many[1200:], NOW)
    with store.read() as tx:
        assert len({who.email for who in tx.audience.each()}) == 2500
        assert sum(1 for _ in tx.audience.each(topic="letter")) == 1200
        assert sum(1 for _ in tx.audience.each(state=State.PENDING)) == 0
        assert tx.audience.numbers() == {"active": 2500}


def test_hits_are_counted_within_a_span(store: SqlStore) -> None:
    with store.begin() as tx:
        for minutes in (0, 5, 20):
            tx.audience.hit("k", NOW + timedelta(minutes=minutes))
        assert tx.audience.hits("k", NOW + timedelta(minutes=1)) == 2
        tx.audience.forget_hits(NOW + timedelta(minutes=10))
        assert tx.audience.hits("k", NOW - timedelta(days=1)) == 1


def test_the_queue_hands_each_mail_to_one(store: SqlStore) -> None:
    who = ann(store)
    lease = timedelta(seconds=60)
    with store.begin() as tx:
        for n in range(3):
            tx.queue.enqueue(Mail.CONFIRM, key=f"q{n}", subscriber_id=who.id, now=NOW + timedelta(seconds=n))
        first, second = (tx.queue.claim("a", NOW + timedelta(seconds=1), lease) for _ in range(2))
        assert tx.queue.claim("b", NOW + timedelta(seconds=1), lease) is None
    assert first is not None
    assert second is not None
    assert [first.key, second.key] == ["q0", "q1"]
    with store.begin() as tx:
        tx.queue.settle(first, MailState.SUBMITTED, NOW)
        assert [mail.key for mail in tx.queue.lapsed(NOW + timedelta(seconds=90), timedelta(0))] == ["q1"]
        assert tx.queue.lapsed(NOW + timedelta(seconds=90), timedelta(seconds=60)) == []
        assert tx.queue.numbers() == {"submitted": 1, "claimed": 1, "waiting": 1}


def test_the_rate_row_spaces_what_is_taken(store: SqlStore) -> None:
    with store.begin() as tx:
        waits = [tx.limits.take("fake", 10, 100.0, now=1000.0) for _ in range(3)]
        assert waits == pytest.approx([0.0, 0.09, 0.19], abs=0.02)
        assert tx.limits.take("fake", 10, 100.0, now=1010.0) == pytest.approx(0.0)
        tx.limits.push("fake", 30, now=1010.0)
        assert tx.limits.take("fake", 1, 100.0, now=1010.0) == pytest.approx(30, abs=0.02)


def test_promise_9_a_reader_keeps_the_file_from_being_cleaned_and_that_is_said(
    sqlite_store: SqlStore, tmp_path: Path
) -> None:
    store, who = sqlite_store, ann(sqlite_store)

    def written() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.glob("newsletter.db*")).lower()

    with contextlib.closing(sqlite3.connect(tmp_path / "newsletter.db")) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM subscribers").fetchone()
        with store.begin() as tx:
            tx.audience.erase(who)
        assert store.scrub() is False
        assert b"ann@x.test" in written()
    assert store.scrub() is True
    assert b"ann@x.test" not in written()


def test_promise_9_after_an_erasure_the_address_is_nowhere_in_the_file(sqlite_store: SqlStore, tmp_path: Path) -> None:
    store = sqlite_store
    with store.begin() as tx:
        others = [Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en") for n in range(50)]
        tx.audience.add([*others, ANN], NOW)
    who = ann(store)
    with store.begin() as tx:
        signup = tx.audience.add_signup(who, form="f", magnet="", topics=(), lang="en", wording="", now=NOW)
        tx.queue.enqueue(Mail.CONFIRM, key="q", subscriber_id=who.id, signup_id=signup, now=NOW)

    def written() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.glob("newsletter.db*")).lower()

    assert b"ann@x.test" in written()
    with store.begin() as tx:
        tx.audience.erase(who)
    store.scrub()
    assert b"ann@x.test" not in written()
    assert b"o'neill" not in written()
    assert b"r7@x.test" in written()
