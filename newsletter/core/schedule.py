"""When: a publication's local time as an instant.

Rule: the first occurrence when an hour repeats, an error when it does not exist (the gap when clocks go
forward). Stored as UTC; the zone's name is kept beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.errors import SettingsError

LAST = 9000
"""The last year a letter can be due in: soon after it the calendar of programs ends."""


def zone(name: str) -> ZoneInfo:
    """A zone by its IANA name. Raises: SettingsError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f'"{name}" is not a time zone this program knows.',
            'Use a name like "America/Los_Angeles" or "Europe/Berlin" (timezone in newsletter.yml).',
        ) from None


def instant(day: date, at: time, zone_name: str) -> datetime:
    """The UTC instant of a local day and time.

    Raises: SettingsError when the zone is unknown or the time is skipped on that day.
    """
    local = datetime.combine(day, at, tzinfo=zone(zone_name))  # fold=0: the first occurrence
    utc = _utc(local)
    if utc.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise SettingsError(
            f"{at:%H:%M} does not exist on {day.isoformat()} in {zone_name}: the clocks go forward then.",
            "Choose a time an hour earlier or later.",
        )
    return utc


def due(day: date | None, at: time | datetime | None, usual: time | None, zone_name: str) -> datetime | None:
    """When an issue wants to go, in UTC; None when it names no day.

    In: its date, its `send_at`, the publication's `send_at`, the publication's zone. With no time anywhere
    it is due when its day begins. Raises: SettingsError, as `instant` does.
    """
    if isinstance(at, datetime):
        return _utc(at) if at.tzinfo else instant(at.date(), at.time(), zone_name)
    if day is None:
        return None
    chosen = at or usual
    if chosen is None:  # some clocks go forward at midnight: a day begins all the same
        return _utc(datetime.combine(day, time(0), tzinfo=zone(zone_name)))
    return instant(day, chosen, zone_name)


def _utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises: SettingsError at the ends of the calendar, where UTC has no such year."""
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        utc = None
    if utc is None or utc.year > LAST:
        raise SettingsError(f"{moment:%Y-%m-%d} is no day a letter can go.", "Give the issue a date of our time.")
    return utc


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with `Z`, to the second, as `--json` prints times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
