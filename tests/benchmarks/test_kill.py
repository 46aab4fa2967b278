"""A small version of `python -m benchmarks.kill`: real processes of `newsletter send`, and kill -9."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import kill

SIZES = kill.Sizes(readers=1000, batch=50, kills=2, slow=0.15, lease=2.0, settle=0.3, patience=120)


@pytest.mark.slow
def test_promise_1_and_2_killed_on_sqlite_under_a_provider_that_can_be_searched(tmp_path: Path) -> None:
    verdict = kill.run(kill.sqlite(), "search", SIZES, tmp_path, seed=1)
    assert verdict.broken == []
    assert (verdict.taken, verdict.twice, verdict.kills, verdict.held) == (1000, 0, 2, 0)


@pytest.mark.slow
@pytest.mark.postgres
def test_promise_3_two_senders_killed_on_postgres_under_one_that_cannot(tmp_path: Path, postgres_server: str) -> None:
    """What was in flight is held, listed and resolved by a person; never sent again."""
    verdict = kill.run(kill.on_server(postgres_server), "no search", replace(SIZES, kills=1), tmp_path, seed=1)
    assert verdict.broken == []
    assert (verdict.twice, verdict.kills) == (0, 1)
    assert verdict.audience - verdict.taken <= verdict.held < verdict.audience


def test_a_broken_promise_is_told() -> None:
    verdict = kill.Verdict("here", audience=10, taken=9, twice=1, broken=["1 TWICE"])
    assert verdict.line().split("  ")[-1] == "1 TWICE"
    assert kill.Verdict("here").line().endswith("ok")
