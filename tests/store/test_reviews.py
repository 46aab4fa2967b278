"""Reviews and deeds, on both databases: one row for the same mail, and words that are only ever added."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.core.problem import Level, Problem
from newsletter.core.review import Act, Fate, Outlook, Person, Review, Role
from newsletter.store import SqlStore

NOW = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
PROBLEM = Problem("issues/a.md", 7, 3, "W309", Level.WARNING, "it shouts", "whisper", "IT SHOUTS")
ONE = Review(
    key="quiet",
    subject="Quiet – “week”",
    preheader="",
    content="a" * 64,
    outlook=Outlook(Fate.WAITS, 12, NOW + timedelta(hours=1), 1, "why", "todo"),
    mails={"all": "{}", "friends": "{}"},
    problems=(PROBLEM,),
    plan={"audience": 12, "topics": {"all": ["letter"]}},
    made_at=NOW,
)


def test_the_same_mail_has_one_row_that_says_what_is_so_now(store: SqlStore) -> None:
    with store.begin() as tx:
        first = tx.reviews.keep(ONE)
        later = replace(ONE, outlook=Outlook(Fate.APPROVED, 13), problems=(), made_at=NOW + timedelta(minutes=1))
        assert tx.reviews.keep(later) == first
        other = tx.reviews.keep(replace(ONE, content="b" * 64))
        assert other != first
        assert tx.reviews.of(first) == replace(later, id=first)
        assert tx.reviews.of(other) == replace(ONE, content="b" * 64, id=other)
        newest = tx.reviews.newest("quiet")
        assert newest
        assert newest.id == first
        assert tx.reviews.of(99) is None
        assert tx.reviews.newest("other") is None


def test_what_is_due_is_the_latest_of_each_issue(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.reviews.keep(ONE)
        tx.reviews.keep(replace(ONE, key="other", outlook=Outlook(Fate.DRAFT, at=NOW + timedelta(days=9))))
        assert [one.key for one in tx.reviews.due(NOW, NOW + timedelta(hours=1))] == ["quiet"]
        assert tx.reviews.due(NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == []
        put_off = replace(ONE, content="c" * 64, outlook=Outlook(Fate.WAITS, at=NOW + timedelta(days=7)))
        tx.reviews.keep(replace(put_off, made_at=NOW + timedelta(minutes=1)))
        assert tx.reviews.due(NOW, NOW + timedelta(hours=1)) == []


def test_words_are_kept_in_their_order_and_hold_what_they_were_said_of(store: SqlStore) -> None:
    with store.begin() as tx:
        kept = replace(ONE, id=tx.reviews.keep(ONE))
        silent = tx.reviews.keep(replace(ONE, key="other"))
        assert tx.reviews.last("quiet") is None
        tx.reviews.add(kept, Act.APPROVED, "owner-0", NOW, NOW + timedelta(hours=12))
        tx.reviews.add(kept, Act.STOPPED, "editor-1", NOW, None)
    with store.read() as tx:
        deed = tx.reviews.last("quiet")
        assert deed
        assert (deed.act, deed.by, deed.content, deed.plan, deed.at) == (
            Act.STOPPED,
            "editor-1",
            ONE.content,
            ONE.plan,
            NOW,
        )
    with store.begin() as tx:
        assert tx.reviews.forget(NOW + timedelta(days=400)) == 1
        assert tx.reviews.of(silent) is None
        assert tx.reviews.of(kept.id)


def test_the_same_is_told_to_the_same_person_once(store: SqlStore) -> None:
    with store.begin() as tx:
        for who in ("owner-0", "editor-0", "owner-0"):
            tx.brake.notice(f"report-1-{who}", None, "report", "", NOW, who)
        assert sorted(one.who for one in tx.brake.untold(NOW)) == ["editor-0", "owner-0"]


@pytest.mark.parametrize("code", ["owner-0", "editor-12", "look-0"])
def test_a_person_is_known_by_a_code_without_an_address(code: str) -> None:
    assert Person.of(code).code == code


@pytest.mark.parametrize("code", ["", "boss-1", "owner-x", "stop", "command"])
def test_anybody_else_may_only_look(code: str) -> None:
    assert Person.of(code) == Person(Role.LOOK)
