"""A scripted provider that answers nonsense, dies, and is remembered by the next process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.core.delivery import Status
from newsletter.flows.deliver import deliver
from newsletter.testing import FakeProvider, Garbage, record, sample_batch, sample_email


@pytest.mark.parametrize("taken", [True, False])
def test_garbage_is_no_answer_and_nobody_guesses(*, taken: bool) -> None:
    fake = FakeProvider([Garbage(taken=taken)])
    result = deliver(fake, sample_email(), sample_batch(2), key="k", timeout=5)
    assert {one.status for one in result.outcomes} == {Status.UNKNOWN}
    assert result.halt == "bug"
    assert len(fake.received) == (2 if taken else 0)


@pytest.mark.parametrize(("taken", "status"), [(True, Status.SUBMITTED), (False, Status.RETRY)])
def test_it_dies_and_the_next_process_can_be_told(tmp_path: Path, *, taken: bool, status: Status) -> None:
    file = tmp_path / "taken"
    code = f"""
from pathlib import Path
from newsletter.testing import Die, FakeProvider, sample_batch, sample_email
fake = FakeProvider([Die(taken={taken})], record=Path({str(file)!r}))
fake.submit(sample_email(), sample_batch(2), key="k", timeout=5)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 137
    after = FakeProvider(record=file)
    found = after.reconcile(sample_batch(2), key="k")
    assert [one.status for one in found.values() if one] == [status] * 2
    after.submit(sample_email(), sample_batch(1), key="k", timeout=5)
    assert after.twice == (["d.1"] if taken else [])
    assert record.read(file)["d.1"] == 1 + taken
