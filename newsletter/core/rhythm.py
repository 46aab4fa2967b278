"""When a letter is expected: the publication's rhythm and its holidays.

`tuesday 09:30`, `tuesday`, `tuesday, friday 09:30`, `daily 08:00`, or `none`. A holiday is a day (`2026-12-29`)
or a stretch of days (`2026-12-22 to 2027-01-05`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from newsletter.core.schedule import due, instant, zone
from newsletter.errors import SettingsError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NONE = frozenset({"", "none", "never"})
_LEAST = 3  # letters that tell the days of a week apart
_TIME = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d")
_TO = re.compile(r"\s*(?:\bto\b|\.\.)\s*")


@dataclass(frozen=True)
class Rhythm:
    """The days of a week on which a letter goes, 0 = Monday, and the time; None = the publication's `send_at`."""

    days: frozenset[int]
    at: time | None = None


def parse(text: str) -> Rhythm | None:
    """Read a rhythm; None when no letter is expected at any time. Raises: SettingsError."""
    words = re.split(r"[\s,]+", text.strip().lower())
    if " ".join(words) in NONE:
        return None
    at = time.fromisoformat(words.pop().zfill(5)) if _TIME.fullmatch(words[-1]) else None
    days = {number for word in words if word not in {"and", "every"} for number in _days(word, text)}
    if not days:
        raise _refused(text)
    return Rhythm(frozenset(days), at)


def _days(word: str, text: str) -> Sequence[int]:
    if word == "daily":
        return range(len(WEEKDAYS))
    singular = word.removesuffix("s") if word not in WEEKDAYS and len(word) > _LEAST else word
    found = [number for number, name in enumerate(WEEKDAYS) if len(singular) >= _LEAST and name.startswith(singular)]
    if not found:
        raise _refused(text)
    return found


def _refused(text: str) -> SettingsError:
    return SettingsError(
        f'"{text}" is no rhythm.', "Write weekdays and a time, as tuesday 09:30, or none (rhythm in newsletter.yml)."
    )


def last(rhythm: Rhythm, now: datetime, usual: time | None, zone_name: str) -> tuple[date, datetime] | None:
    """The latest day a letter was expected by now, and the moment; None when a week has none.

    With no time anywhere it is expected by the end of the day. A time that the clocks skip counts as if they had not.
    """
    today = now.astimezone(zone(zone_name)).date()
    for back in range(len(WEEKDAYS) + 1):
        day = today - timedelta(days=back)
        if day.weekday() in rhythm.days and (moment := _moment(day, rhythm.at or usual, zone_name)) <= now:
            return day, moment
    return None


def _moment(day: date, at: time | None, zone_name: str) -> datetime:
    if at is None:
        end = due(day + timedelta(days=1), None, None, zone_name)
        assert end is not None
        return end
    try:
        return instant(day, at, zone_name)
    except SettingsError:  # by the clocks as they were before they went forward (PEP 495, fold=0)
        return datetime.combine(day, at, tzinfo=zone(zone_name)).astimezone(UTC)


def next_day(rhythm: Rhythm, day: date) -> date:
    """The next day of the rhythm after a day."""
    return next(one for ahead in range(1, 8) if (one := day + timedelta(days=ahead)).weekday() in rhythm.days)


def rests(day: date, holidays: Sequence[str]) -> bool:
    """Whether no letter is expected on a day. Raises: SettingsError for a holiday that cannot be read."""
    return any(first <= day <= end for first, end in map(stretch, holidays))


def stretch(text: str) -> tuple[date, date]:
    """The first and the last day of a holiday. Raises: SettingsError."""
    try:
        first, *rest = (date.fromisoformat(part) for part in _TO.split(text.strip()))
        (end,) = rest or [first]
    except ValueError:
        end = first = date.max
    if end < first or first == date.max:
        raise SettingsError(
            f'"{text}" is no day.', "Write 2026-12-29, or 2026-12-22 to 2027-01-05 (holidays in newsletter.yml)."
        )
    return first, end
