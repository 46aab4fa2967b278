"""Begin an issue: a draft for the next day the letter goes out.

In: a subject, the publication's folder, today. Out: the file that was written. Never overwrites.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

from newsletter.content import dates, frontmatter, library
from newsletter.content.issue import Issue
from newsletter.core import rhythm
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NewsletterError

_MOST_WEEKS = 60
"""After so many holidays in a row the next day is taken all the same: the year is over."""
LONGEST = 60  # characters of a slug
_SKELETON = """
{greeting}Begin with something you saw this week. Two or three sentences are enough to start.

## 🌿 A first thought

Write as you would to one person. Leave an empty line between paragraphs.

- A question to take along?
- Another one?

## 🌙 Until next time

Say goodbye, and what comes next.
"""


def begin(
    subject: str,
    publication: Publication,
    *,
    root: Path,
    today: dt.date,
    date: dt.date | None = None,
    number: int | None = None,
) -> Path:
    """Write the draft of a new issue.

    In: what the inbox will show; its day (None = the next day the letter goes out, after today and
    after the last issue); its number (None = one more than the last, where issues are numbered).
    Raises: NewsletterError for a subject that cannot be, or a file that is there already.
    """
    subject = _subject(subject)
    others = _issues(publication, root)
    taken = [one.date for one in others if one.date]
    if publication.first_send:  # earlier ones are for the archive only
        taken.append(publication.first_send - dt.timedelta(days=1))
    date = date or next_day(publication.rhythm, today, taken, publication.holidays)
    numbers = [one.number for one in others if one.number is not None]
    count = number if number is not None else max(numbers) + 1 if numbers else None
    path = root / library.FOLDER / f"{date.isoformat()}-{_slug(subject, date, root)}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(draft(subject, date, publication, number=count))
    except FileExistsError:
        raise NewsletterError(
            f"There is an issue called {library.FOLDER}/{path.name} already; it was left as it is.",
            "Open that one, or choose another subject or another day (--date).",
        ) from None
    return path


def draft(subject: str, date: dt.date, publication: Publication, *, number: int | None = None) -> str:
    """The text of a new issue: front matter in its canonical order, and something gentle to begin with."""
    front = [f"subject: {scalar(subject)}", f"date: {date.isoformat()}", "draft: true"]
    if number is not None:
        front.append(f"number: {number}")
    fallback = publication.fields.get("first_name", "")
    greeting = f'Dear {{{{ first_name, "{fallback or "friend"}" }}}},\n\n' if "first_name" in publication.fields else ""
    return "\n".join(["---", *front, "---", _SKELETON.format(greeting=greeting)])


def next_day(text: str, today: dt.date, taken: Sequence[dt.date], holidays: Sequence[str] = ()) -> dt.date:
    """The next day a letter goes out: after today, after every issue there is, and on no holiday.

    In: the rhythm of newsletter.yml (none = on the weekday of the last issue). Raises: SettingsError for one that
    cannot be read.
    """
    usual = max(taken) if taken else today
    expected = rhythm.parse(text) or rhythm.Rhythm(frozenset({usual.weekday()}))
    day = rhythm.next_day(expected, max([today, *taken]))
    for _week in range(_MOST_WEEKS):
        if not rhythm.rests(day, holidays):
            break
        day = rhythm.next_day(expected, day)
    return day


def scalar(text: str) -> str:
    """A value of front matter: as it is where that is read as typed, else in single quotes."""
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "''") + "'"


_PLAIN = re.compile(r"(?![-?:,\[\]{}#&*!|>'\"%@`=~\s])(?:(?!:(?:\s|$)|\s#).)*(?<!\s)")


def _subject(text: str) -> str:
    shown = " ".join(text.split())
    least, most = frontmatter.SUBJECT
    if any(ord(ch) < 32 or ord(ch) == 127 for ch in shown):  # noqa: PLR2004 -- ASCII's control characters
        raise NewsletterError("The subject has a control character in it.", "Type it anew.")
    if not least <= len(shown) <= most:
        raise NewsletterError(
            f"The subject has {len(shown)} characters; it needs {least} to {most}.",
            'For example: newsletter new "The ten minutes between"',
        )
    return shown


def day(text: str) -> dt.date:
    """A day as an editor types it: YYYY-MM-DD. Raises: NewsletterError, with what was probably meant."""
    date = dates.day(text.strip())
    if date is None:
        meant = " or ".join(f"--date {guess.isoformat()}" for guess in dates.guesses(text))
        raise NewsletterError(
            f'"{text}" is no day as we write it.', f"Write year, month and day: {meant or '--date 2026-12-01'}"
        )
    return date


def _slug(subject: str, date: dt.date, root: Path) -> str:
    """The subject as a name; a number is added when an issue of another day has that name for ever."""
    words = frontmatter.slug_of(subject) or "letter"
    name = words if len(words) <= LONGEST else words[: LONGEST + 1].rpartition("-")[0] or words[:LONGEST]
    files = library.issues(root)
    own = f"{date.isoformat()}-{name}"
    taken = {library.slug(file) for file in files if file.stem != own}
    return next(
        found for count in range(1, len(files) + 2) if (found := f"{name}-{count}" if count > 1 else name) not in taken
    )


def _issues(publication: Publication, root: Path) -> list[Issue]:
    """The issues that can be read; another one's trouble does not stop a new one."""
    found = []
    for path in library.issues(root):
        try:
            found.append(library.load(path, publication, root))
        except ContentError:
            continue
    return found
