"""Keys, tokens that are good for once, and answers that are kept, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from newsletter.core.keys import Scope
from newsletter.store import SqlStore

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def test_a_key_as_it_is_kept(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.keys.add("0a", "the board", (Scope.STATS_READ, Scope.CAMPAIGNS_READ), "ab" * 32, NOW)
        tx.keys.used("0a", date(2026, 12, 2))
        tx.keys.renew("0a", "cd" * 32)
        tx.keys.revoke("0a", NOW)
        (kept,) = tx.keys.all()
    assert kept.scopes == (Scope.STATS_READ, Scope.CAMPAIGNS_READ)
    assert (kept.digest, kept.used_on, kept.revoked_at, kept.holds) == ("cd" * 32, date(2026, 12, 2), NOW, False)


def test_a_token_is_spent_once_and_forgotten_when_it_has_ended(store: SqlStore) -> None:
    until = NOW + timedelta(minutes=5)
    with store.begin() as tx:
        assert tx.keys.spend("ab" * 32, until, NOW)
        assert not tx.keys.spend("ab" * 32, until, NOW)
        assert tx.keys.spend("cd" * 32, until, NOW)  # the transaction goes on
    with store.begin() as tx:
        assert not tx.keys.spend("ab" * 32, until, until)
        assert tx.keys.spend("ab" * 32, until, until + timedelta(seconds=1))


def test_an_answer_is_begun_once_kept_and_forgotten(store: SqlStore) -> None:
    with store.begin() as tx:
        assert tx.answers.begin("ab" * 32, "01" * 32, NOW)
        assert not tx.answers.begin("ab" * 32, "02" * 32, NOW)
        assert tx.answers.begin("cd" * 32, "03" * 32, NOW)
        tx.answers.keep("ab" * 32, 201, '{"id":"0a"}')
    with store.begin() as tx:
        tx.answers.forget(NOW - timedelta(days=1), NOW + timedelta(minutes=1))  # whoever was at the other one has died
        kept = tx.answers.of("ab" * 32)
        assert kept is not None
        assert (kept.request, kept.status, kept.body) == ("01" * 32, 201, '{"id":"0a"}')
        assert tx.answers.of("cd" * 32) is None
        tx.answers.forget(NOW + timedelta(seconds=1), NOW)
        assert tx.answers.of("ab" * 32) is None
