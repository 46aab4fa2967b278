"""Days that cannot be, or have gone by (E301, W312, W313)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from newsletter.content import dates
from newsletter.content.checks.case import Case
from newsletter.core.problem import Level, Problem


def weekdays(case: Case) -> Iterator[Problem]:
    """A weekday and a date that do not go together; a day that no month has (W312)."""
    for key, line, col, text in _texts(case):
        for found in dates.mentions(text):
            message, fix = _fault(found, case.issue.date)
            if not message:
                continue
            if key:
                yield case.about(key, "W312", message, fix, find=found.typed)
            else:
                yield case.at(line, "W312", message, fix, col=col + found.at)


def _texts(case: Case) -> Iterator[tuple[str, int, int, str]]:
    for key in ("subject", "preheader", "title"):
        yield key, 0, 0, str(case.head.plain().get(key) or "")
    for line in case.body:
        yield "", line.number, 1, line.prose


def _fault(found: dates.Mention, issue: dt.date | None) -> tuple[str, str]:
    year = found.year or _year(found, issue)
    if year is None:
        return "", ""
    day = dates.real(year, found.month, found.day)
    if day is None:
        leap = (found.month, found.day) == (2, 29) and not found.year
        return ("", "") if leap else (f'"{found.typed}" is no day of any calendar', "Look it up, and write it anew.")
    if found.weekday is None or day.weekday() == found.weekday:
        return "", ""
    near = _nearest(day, found.weekday)
    message = f"{day.day} {day:%B} {day.year} is a {day:%A}, not a {dates.ENGLISH[found.weekday]}"
    fix = f"{day:%A} {day.day} {day:%B}, or {near:%A} {near.day} {near:%B}"
    return message, fix


def _nearest(day: dt.date, weekday: int) -> dt.date:
    ahead = (weekday - day.weekday()) % 7
    return day + dt.timedelta(days=ahead if ahead < 4 else ahead - 7)  # noqa: PLR2004


def _year(found: dates.Mention, issue: dt.date | None) -> int | None:
    """The year of a date without one: the nearest to the issue's own day, for what is to come rather than past."""
    if issue is None:
        return None
    for year in (issue.year, issue.year + 1, issue.year - 1):
        day = dates.real(year, found.month, found.day)
        if day and -_BACK <= (day - issue).days < 365 - _BACK:
            return year
    return issue.year


_BACK = 90  # days


def upcoming(case: Case) -> Iterator[Problem]:
    """What is announced must lie ahead of the issue (W313)."""
    if case.issue.date is None:
        return
    for line in case.body:
        announced = dates.ANNOUNCED.search(line.prose)
        for found in dates.mentions(line.prose) if announced else ():
            day = dates.real(found.year, found.month, found.day) if found.year else None
            if day and announced and day < case.issue.date:
                message = f'"{announced.group()}" announces {day.day} {day:%B} {day.year}, before the day of this issue'
                yield case.at(line.number, "W313", message, "Look at the date, or leave it out.", col=found.at + 1)


def past(case: Case) -> Iterator[Problem]:
    """An issue whose own day has gone by; `plan` and `send` decide what that means (E301)."""
    day = case.issue.date
    if case.today is not None and day is not None and day < case.today:
        message = f"the day of this issue, {day.isoformat()}, lies in the past"
        fix = "When it has not gone yet, give it (and its file) another date."
        yield case.about("date", "E301", message, fix, Level.NOTE)
