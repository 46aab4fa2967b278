"""Days and times as an editor types them.

One spelling is accepted (`2026-12-01`, `09:30`); others are only understood well enough to offer it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CENTURY = 2000
_LAST_DAY = 31
YEARS = range(1950, 2100)
"""What an issue may be dated: beyond lies a slip of the finger, and at both ends of time zones lies nothing."""


def day(text: str) -> dt.date | None:
    """`YYYY-MM-DD` as a date, None for anything else, or a year nobody means."""
    match = _DAY.fullmatch(text)
    if match is None or not text.isascii() or int(match[1]) not in YEARS:
        return None
    return _date(*(int(part) for part in match.groups()))


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


def real(year: int, month: int, day: int) -> dt.date | None:
    """A day, None when no calendar has it."""
    return _date(year, month, day)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


# --- dates within a text ---------------------------------------------------------------------------

ENGLISH = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "mon tue wed thu fri sat sun",
    "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "lunes martes miércoles jueves viernes sábado domingo",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
)
_MONTH_WORDS = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
)
_WEEKDAY = {word: at for row in _WEEKDAYS for at, word in enumerate(row.split())} | {"tues": 1, "thur": 3, "thurs": 3}
_MONTH = {word: at for row in _MONTH_WORDS for at, word in enumerate(row.split(), 1)} | {"sept": 9}

_D = "|".join(sorted(_WEEKDAY, key=len, reverse=True))
_M = "|".join(sorted(_MONTH, key=len, reverse=True))
_ON = rf"(?:(?P<weekday>{_D})\b\.?,?\s+(?:(?:the|den|el|le)\s+)?)"
_YEAR = r"(?:,?\s+(?:de\s+|del\s+)?(?P<year>20\d{2})\b)"
_DAY_FIRST = rf"\b{_ON}?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+|de\s+)?(?P<month>{_M})\b\.?{_YEAR}?"
_NO_CLOCK = r"(?![:.]\d|\s*[ap]\.?m\b)"
_MONTH_FIRST = rf"\b{_ON}?(?P<month>{_M})\b\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b{_NO_CLOCK}{_YEAR}?"
_NUMBERS = rf"\b{_ON}(?P<year>20\d{{2}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})\b"
_MENTIONS = tuple(re.compile(shape, re.IGNORECASE) for shape in (_DAY_FIRST, _MONTH_FIRST, _NUMBERS))
ANNOUNCED = re.compile(
    r"\b(?:upcoming|join us|register (?:now|here|by|for|today)|save the date|sign up by|coming up|starts on|begins on"
    r"|takes place on|will (?:be held|take place|begin|start) on)\b",
    re.IGNORECASE,
)
"""Words that announce something to come."""


@dataclass(frozen=True)
class Mention:
    """A date in a text: where it stands (from 0), as typed, its parts; year 0 and weekday None when not said."""

    at: int
    typed: str
    day: int
    month: int
    year: int
    weekday: int | None


def mentions(text: str) -> Iterator[Mention]:
    """Every date with a weekday or a year, in English, German, Spanish or French, from left to right."""
    if not re.search(r"\d", text):
        return
    taken: list[tuple[int, int]] = []
    found: list[Mention] = []
    for pattern in _MENTIONS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            month = match["month"].lower()
            mention = Mention(
                at=start,
                typed=match.group().rstrip(" ,"),
                day=int(match["day"]),
                month=int(month) if month.isdigit() else _MONTH[month],
                year=int(match["year"] or 0),
                weekday=_WEEKDAY[match["weekday"].lower()] if match["weekday"] else None,
            )
            if mention.year or mention.weekday is not None:
                taken.append((start, end))
                found.append(mention)
    yield from sorted(found, key=lambda one: one.at)
