"""When a letter is expected."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from newsletter.core import rhythm
from newsletter.core.rhythm import Rhythm
from newsletter.errors import SettingsError

ZONE = "America/Los_Angeles"


@pytest.mark.parametrize(
    ("text", "days", "at"),
    [
        ("tuesday 09:30", {1}, time(9, 30)),
        ("Tuesdays 9:30", {1}, time(9, 30)),
        ("tue", {1}, None),
        ("tuesday, friday 18:00", {1, 4}, time(18)),
        ("every monday and thursday", {0, 3}, None),
        ("daily 07:00", set(range(7)), time(7)),
    ],
)
def test_what_people_write_is_read(text: str, days: set[int], at: time | None) -> None:
    assert rhythm.parse(text) == Rhythm(frozenset(days), at)


@pytest.mark.parametrize("text", ["", "  ", "none", "never", "None"])
def test_no_rhythm_expects_nothing(text: str) -> None:
    assert rhythm.parse(text) is None


@pytest.mark.parametrize("text", ["tuseday 09:30", "09:30", "tuesday 25:00", "tu", "weekly", "s"])
def test_what_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="is no rhythm") as refused:
        rhythm.parse(text)
    assert "tuesday 09:30" in refused.value.todo


def last(text: str, now: str, usual: time | None = None) -> tuple[date, datetime] | None:
    parsed = rhythm.parse(text)
    assert parsed
    return rhythm.last(parsed, datetime.fromisoformat(now).replace(tzinfo=UTC), usual, ZONE)


def test_the_last_time_is_in_the_publications_zone() -> None:
    tuesday = date(2026, 12, 1), datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
    assert last("tuesday 09:30", "2026-12-01T17:30") == tuesday
    assert last("tuesday 09:30", "2026-12-08T17:29") == tuesday
    assert last("tuesday", "2026-12-02T00:00", time(9, 30)) == tuesday
    assert last("tuesday, friday 09:30", "2026-12-04T17:30") == (
        date(2026, 12, 4),
        datetime(2026, 12, 4, 17, 30, tzinfo=UTC),
    )


def test_without_a_time_the_day_must_be_over() -> None:
    over = datetime(2026, 12, 2, 8, tzinfo=UTC)
    assert last("tuesday", "2026-12-02T07:59") == (date(2026, 11, 24), datetime(2026, 11, 25, 8, tzinfo=UTC))
    assert last("tuesday", "2026-12-02T08:00") == (date(2026, 12, 1), over)


def test_a_time_the_clocks_skip_counts_an_hour_later() -> None:
    assert last("sunday 02:30", "2027-03-14T12:00") == (date(2027, 3, 14), datetime(2027, 3, 14, 10, 30, tzinfo=UTC))


def test_the_next_day_comes_after() -> None:
    parsed = rhythm.parse("tuesday, friday")
    assert parsed
    assert rhythm.next_day(parsed, date(2026, 12, 1)) == date(2026, 12, 4)
    assert rhythm.next_day(parsed, date(2026, 12, 4)) == date(2026, 12, 8)


def test_holidays_are_days_and_stretches() -> None:
    holidays = ("2026-12-29", "2026-12-22 to 2026-12-24", "2027-01-05..2027-01-06")
    assert [day for day in range(20, 32) if rhythm.rests(date(2026, 12, day), holidays)] == [22, 23, 24, 29]
    assert rhythm.rests(date(2027, 1, 6), holidays)


@pytest.mark.parametrize("text", ["christmas", "2026-12-24 to 2026-12-22", "2026-13-01", "1 to 2 to 3"])
def test_a_holiday_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no day"):
        rhythm.stretch(text)


@pytest.mark.parametrize(
    ("zone", "at", "moment"),
    [
        ("America/Los_Angeles", time(2, 30), "2026-03-08T10:30"),  # an hour is skipped from 02:00 on
        ("America/Havana", time(0, 30), "2026-03-08T05:30"),  # from midnight on
        ("Australia/Lord_Howe", time(2, 15), "2026-10-03T15:45"),  # half an hour
    ],
)
def test_a_time_that_the_clocks_skip_counts_as_if_they_had_not(zone: str, at: time, moment: str) -> None:
    then = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    found = rhythm.last(Rhythm(frozenset({6}), at), then, None, zone)
    assert found is not None
    assert found[1] == then
