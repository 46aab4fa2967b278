"""Moments as other programs write them into their exports.

In: text. Out: a moment in UTC, or nothing where it does not say one for sure. A day without a time is its beginning;
a time without a zone is taken as UTC, as all the exports we know mean it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ISO = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"  # 2024-03-01
    r"(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"  # 09:30:00.123
    r"\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?(?:\s+[A-Z]{2,5})?"  # Z, UTC, +02:00; Go adds the zone's name behind it
)
_SLASHED = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(?:,? (\d\d?):(\d\d)(?::(\d\d))?(?: ?([AP]M))?)?", re.IGNORECASE)
_WORDED = re.compile(r"([A-Za-z]{3})[a-z]*\.? (\d\d?),? (\d{4})|(\d\d?) ([A-Za-z]{3})[a-z]*\.? (\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EARLIEST, _MONTHS_OF_A_YEAR = 1990, 12


def moment(text: str) -> datetime | None:
    """The moment a cell says; None for none, for one before there was mail, and for 3/4/2024, which is two days."""
    text = text.strip()
    if not text:
        return None
    try:
        found = _iso(text) or _slashed(text) or _worded(text)
    except (ValueError, OverflowError):  # the 31st of February
        return None
    return found if found is not None and found.year >= _EARLIEST else None


def _iso(text: str) -> datetime | None:
    if not (match := _ISO.fullmatch(text)):
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = int((fraction or "0").ljust(6, "0")[:6])
    plain = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro, UTC)
    return plain - _offset(zone or "")


def _offset(zone: str) -> timedelta:
    if zone[:1] not in {"+", "-"}:
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return ahead if zone[0] == "+" else -ahead


def _slashed(text: str) -> datetime | None:
    """Day and month in either order: sure only where one of them cannot be a month."""
    if not (match := _SLASHED.fullmatch(text)):
        return None
    one, other, year, hour, minute, second, half = match.groups()
    first, then = int(one), int(other)
    if first != then and max(first, then) <= _MONTHS_OF_A_YEAR:
        return None
    day, month = max(first, then), min(first, then)
    clock = int(hour or 0)
    if half:
        clock = clock % 12 + (12 if half.upper() == "PM" else 0)
    return datetime(int(year), month, day, clock, int(minute or 0), int(second or 0), tzinfo=UTC)


def _worded(text: str) -> datetime | None:
    if not (match := _WORDED.fullmatch(text)):
        return None
    month, day, year, day_first, month_then, year_last = match.groups()
    named = (month or month_then).lower()
    if named not in _MONTHS:
        return None
    return datetime(int(year or year_last), _MONTHS.index(named) + 1, int(day or day_first), tzinfo=UTC)
