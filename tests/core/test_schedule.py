"""When an issue is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from newsletter.core.schedule import due
from newsletter.errors import SettingsError

DAY = date(2026, 12, 1)
ZONE = "America/Los_Angeles"


@pytest.mark.parametrize(
    ("at", "usual", "expected"),
    [
        (None, None, datetime(2026, 12, 1, 8, tzinfo=UTC)),  # when the day begins there
        (None, time(9, 30), datetime(2026, 12, 1, 17, 30, tzinfo=UTC)),
        (time(12), time(9, 30), datetime(2026, 12, 1, 20, tzinfo=UTC)),
        (time(0), time(9, 30), datetime(2026, 12, 1, 8, tzinfo=UTC)),
        (datetime(2026, 12, 2, 9), time(9, 30), datetime(2026, 12, 2, 17, tzinfo=UTC)),
        (
            datetime(2026, 12, 2, 9, tzinfo=timezone(timedelta(hours=1))),
            None,
            datetime(2026, 12, 2, 8, tzinfo=UTC),
        ),
    ],
)
def test_an_issue_is_due_by_its_own_time_or_the_usual_one(
    at: time | datetime | None, usual: time | None, expected: datetime
) -> None:
    assert due(DAY, at, usual, ZONE) == expected


def test_no_day_no_moment() -> None:
    assert due(None, time(9), time(9), ZONE) is None


def test_a_day_that_begins_at_one_begins_all_the_same() -> None:
    """In Havana the clocks go forward at midnight."""
    assert due(date(2026, 3, 8), None, None, "America/Havana") == datetime(2026, 3, 8, 5, tzinfo=UTC)
    with pytest.raises(SettingsError, match="does not exist"):
        due(date(2026, 3, 8), time(0, 30), None, "America/Havana")


@pytest.mark.parametrize("day", [date(9999, 12, 31), date(9001, 1, 2), date(1, 1, 1)])
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_at_the_ends_of_the_calendar_there_is_no_letter(day: date, zone: str) -> None:
    if day.year == 1 and zone != "Asia/Tokyo":
        return  # that morning there was one in UTC too
    for at in (None, time(0, 30)):
        with pytest.raises(SettingsError, match="no day a letter can go"):
            due(day, at, None, zone)
