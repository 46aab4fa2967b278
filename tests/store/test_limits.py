"""The rate row, asked without being used."""

from __future__ import annotations

import pytest

from newsletter.store import SqlStore


def test_a_pause_asked_for_under_a_clock_that_was_ahead_lasts_no_longer_than_was_asked(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.limits.push("smtp", 600, now=1000.0)
        tx.limits.push("smtp", 30, now=5000.0)  # the first is over by then, and its length forgotten
        tx.limits.shorten("smtp", now=1400.0)
        assert tx.limits.pause("smtp", now=1400.0) == pytest.approx(30.0)
        tx.limits.shorten("smtp", now=1410.0)  # it goes on from there
        assert tx.limits.pause("smtp", now=1410.0) == pytest.approx(20.0)


def test_a_pause_is_read_without_taking_anything(store: SqlStore) -> None:
    with store.begin() as tx:
        assert tx.limits.pause("smtp", now=1000.0) == 0.0
        tx.limits.push("smtp", 30, now=1000.0)
        tx.limits.push("smtp", 10, now=1000.0)  # a shorter one does not shorten it
    for _ in range(2):
        with store.read() as tx:
            assert tx.limits.pause("smtp", now=1010.0) == pytest.approx(20.0)
            assert tx.limits.pause("other", now=1010.0) == 0.0
            assert tx.limits.pause("smtp", now=1031.0) == 0.0
