"""Facts in a reader's words: the line under a masthead, and what a free resource is.

Nothing is guessed: a fact that cannot be known is left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from newsletter.content.issue import Issue
from newsletter.core.publication import Magnet

KILO = 1000


def day(date: dt.date, words: Mapping[str, str]) -> str:
    """A date in full, with its weekday: "Tuesday 1 December 2026"."""
    return words["date.full"].format(
        weekday=words["date.weekdays"].split()[date.weekday()],
        day=date.day,
        month=words["date.months"].split()[date.month - 1],
        year=date.year,
    )


def brief_day(date: dt.date, words: Mapping[str, str]) -> str:
    """A date of these weeks, with its weekday: "Tuesday 1 December"."""
    return words["date.brief"].format(
        weekday=words["date.weekdays"].split()[date.weekday()],
        day=date.day,
        month=words["date.months"].split()[date.month - 1],
    )


def of_issue(issue: Issue, minutes: int, words: Mapping[str, str]) -> tuple[str, ...]:
    """Number, date and reading time of an issue, those that are known."""
    number = words["mail.letter_number"].format(number=issue.number) if issue.number is not None else ""
    date = day(issue.date, words) if issue.date else ""
    time = words["mail.minute"] if minutes == 1 else words["mail.minutes"].format(count=minutes) if minutes else ""
    return tuple(fact for fact in (number, date, time) if fact)


def of_magnet(magnet: Magnet, root: Path, words: Mapping[str, str]) -> tuple[str, ...]:
    """Kind, pages and size of a free resource: "PDF", "24 pages", "1.6 MB".

    In: the magnet, the publication's root its files lie under. Empty when a file is not there.
    """
    files = [root / name for name in magnet.files]
    if not files or not all(file.is_file() for file in files):
        return ()
    kinds = {file.suffix.lstrip(".").upper() for file in files}
    kind = kinds.pop() if len(kinds) == 1 else ""
    count = words["magnet.files"].format(count=len(files), kind=kind).replace("  ", " ") if len(files) > 1 else kind
    sheets = [_pdf(file).pages for file in files]
    pages = sum(sheets) if all(sheets) else 0
    return tuple(
        fact for fact in (count, _leaves(pages, words), _size(sum(file.stat().st_size for file in files))) if fact
    )


def of_file(file: Path, words: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """One file of a free resource: what it calls itself, else its name; and kind, pages and size.

    In: its path. Without facts when it is not there.
    """
    if not file.is_file():
        return file.name, ()
    found = (file.suffix.lstrip(".").upper(), _leaves(_pdf(file).pages, words), _size(file.stat().st_size))
    return _pdf(file).title or file.name, tuple(fact for fact in found if fact)


def _leaves(pages: int, words: Mapping[str, str]) -> str:
    return words["magnet.page"] if pages == 1 else words["magnet.pages"].format(count=pages) if pages else ""


def _size(size: int) -> str:
    """In decimal units, as phones and stores count: "640 KB", "1.6 MB"."""
    if round(size / KILO) < KILO:
        return f"{max(1, round(size / KILO))} KB"
    return f"{size / KILO / KILO:.1f} MB"


class _Pdf(NamedTuple):
    """What a PDF says of itself."""

    pages: int = 0
    title: str = ""


def _pdf(file: Path) -> _Pdf:
    """Nothing for another kind of file, or one that cannot be read."""
    return _read(file, file.stat().st_mtime_ns) if file.suffix.lower() == ".pdf" else _Pdf()


@lru_cache(maxsize=64)
def _read(file: Path, _changed: int) -> _Pdf:
    import pypdf  # noqa: PLC0415 -- 15 MB, which a campaign has no use for
    import pypdf.errors  # noqa: PLC0415

    try:
        with pypdf.PdfReader(file) as pdf:
            return _Pdf(len(pdf.pages), str((pdf.metadata.title if pdf.metadata else "") or "").strip())
    except (pypdf.errors.PyPdfError, OSError, ValueError, KeyError):
        return _Pdf()
