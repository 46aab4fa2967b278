"""Days and times as an editor types them.

One spelling is accepted (`2026-12-01`, `09:30`); others are only understood well enough to offer it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CENTURY = 2000
_LAST_DAY = 31


def day(text: str) -> dt.date | None:
    """`YYYY-MM-DD` as a date, None for anything else."""
    match = _DAY.fullmatch(text)
    return _date(*(int(part) for part in match.groups())) if match and text.isascii() else None


def moment(text: str) -> dt.time | dt.datetime | None:
    """`HH:MM`, or a day and `HH:MM` with a blank or a T between, without a zone; None for anything else."""
    if not text.isascii():
        return None
    if clock := _CLOCK.fullmatch(text):
        return dt.time(int(clock[1]), int(clock[2]))
    date, _, time = text.replace("T", " ").partition(" ")
    at, on = _CLOCK.fullmatch(time.strip()), day(date)
    return dt.datetime(on.year, on.month, on.day, int(at[1]), int(at[2])) if at and on else None  # noqa: DTZ001


def guesses(text: str) -> tuple[dt.date, ...]:
    """The days that a date in another spelling can mean, without doubles."""
    words = re.findall(r"\d+|[a-z]+", text.lower())
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= len("2026")]
    month = next((at for word in words for at, name in enumerate(_MONTHS, 1) if word.startswith(name)), 0)
    pair, triple = 2, 3
    if month and len(numbers) >= pair:
        return _real(_orders(numbers[0], numbers[1], month))
    if len(numbers) < triple:
        return ()
    first, second, third = numbers[:triple]
    if first > _LAST_DAY:  # the year stands first
        return _real([(first, second, third)])
    return _real([(third, first, second), (third, second, first)])


def _orders(first: int, second: int, month: int) -> list[tuple[int, int, int]]:
    return [(second, month, first), (first, month, second)]


def _real(candidates: Iterable[tuple[int, int, int]]) -> tuple[dt.date, ...]:
    full = [(year if year >= 100 else year + _CENTURY, month, day) for year, month, day in candidates]  # noqa: PLR2004
    days = [found for year, month, day in full if year < 2 * _CENTURY and (found := _date(year, month, day))]
    return tuple(dict.fromkeys(days))


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
