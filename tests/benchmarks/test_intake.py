"""A small version of `python -m benchmarks.intake`: a real `serve`, signed requests, and kill -9."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import intake, telling


@pytest.mark.slow
def test_what_was_acknowledged_is_obeyed_once_though_the_web_side_is_killed(tmp_path: Path) -> None:
    sizes = intake.Sizes(events=400, size=5, readers=100, kills=1, patience=60)
    verdict = intake.run(tmp_path, sizes, seed=3)
    assert verdict.broken == []
    assert verdict.kills == 1
    with closing(sqlite3.connect(tmp_path / telling.DATABASE)) as there:
        there.execute("DELETE FROM events WHERE id = (SELECT min(id) FROM events)")
        there.execute("UPDATE subscribers SET state = 'active' WHERE id = 1")
        there.commit()
    assert len(intake._broken(tmp_path / telling.DATABASE, sizes)) == 2, "a lost event is told"
