"""An issue as files: what a draft may still be, and how its message is dated."""

from __future__ import annotations

import email
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from newsletter.core.publication import Publication
from newsletter.errors import ContentError
from newsletter.flows import publish
from newsletter.flows.desk import Desk
from newsletter.flows.sample import sample

BASE = "https://letters.quiet.example"
DUE = datetime(2026, 12, 1, 8, tzinfo=UTC)  # midnight in Los Angeles


def change(root: Path, old: str, new: str) -> None:
    path = root / "issues/2026-12-01-quiet.md"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def dated(root: Path, publication: Publication, now: datetime | None) -> datetime:
    files = sample("quiet", publication, root=root, base_url=BASE, now=now)
    return parsedate_to_datetime(email.message_from_bytes(files["message.eml"])["Date"])


def test_a_draft_may_name_a_segment_that_is_still_to_come(root: Path, publication: Publication, desk: Desk) -> None:
    change(root, "Rest is part", "::: only guests\nCome in.\n:::\n\nRest is part")
    with pytest.raises(ContentError, match="1 problem"):
        sample("quiet", publication, root=root, base_url=BASE)
    change(root, "draft: false", "draft: true")
    assert b"letter about rest" in sample("quiet", publication, root=root, base_url=BASE)["email.html"]
    with pytest.raises(ContentError) as refused:  # looked at, and never sent
        publish.proof("quiet", desk)
    assert [problem.early for problem in refused.value.problems] == [True]


def test_a_draft_is_refused_for_anything_else(root: Path, publication: Publication) -> None:
    change(root, "draft: false", "draft: true")
    change(root, "Rest is part", "::: onyl guests\nCome in.\n:::\n\nRest is part")
    with pytest.raises(ContentError):
        sample("quiet", publication, root=root, base_url=BASE)


def test_promise_10_a_message_is_dated_when_it_is_due_and_never_ahead(root: Path, publication: Publication) -> None:
    assert dated(root, publication, None) == DUE
    assert dated(root, publication, datetime(2027, 1, 1, tzinfo=UTC)) == DUE
    for hour in (0, 9, 23):  # the same bytes all day
        assert dated(root, publication, datetime(2026, 11, 25, hour, 30, tzinfo=UTC)) == datetime(
            2026, 11, 25, tzinfo=UTC
        )
