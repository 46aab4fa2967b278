"""What an inbox shows: the subject, and the line beside it (W301, W302, W303, W310)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from newsletter.content import graphemes, library
from newsletter.content.checks.case import Case
from newsletter.core.problem import Level, Problem

NOTE, MOST = 50, 60
SHOWN = (33, 48)  # characters a phone and a desktop inbox show
PREHEADER = (40, 130)
EMOJI = 2
_CAPITALS = 0.8  # of the letters
_SPEAKS = 8  # letters; fewer are an abbreviation


def subject(case: Case) -> Iterator[Problem]:
    """Length, capitals, signs."""
    shown = case.subject
    length = len(shown)
    if length > NOTE:
        seen = f'phones show "{shown[: SHOWN[0]]}", others "{shown[: SHOWN[1]]}"'
        level = Level.WARNING if length > MOST else Level.NOTE
        message = f"the subject has {length} characters; {seen}"
        yield case.about("subject", "W301", message, "Say the most important thing first.", level)
    if shouts(shown):
        fix = f"subject: {shown.capitalize()}"
        yield case.about("subject", "W301", "the subject is written in capitals", fix)
    if re.search(r"[!?！？]{2,}", shown):
        fix = "subject: " + re.sub(r"([!?！？])[!?！？]+", r"\1", shown)
        yield case.about("subject", "W301", "the subject has more than one ! or ?", fix)


def shouts(text: str) -> bool:
    """Whether a text is written in capitals."""
    letters = [ch for ch in text if ch.isupper() or ch.islower()]
    return len(letters) >= _SPEAKS and sum(ch.isupper() for ch in letters) > _CAPITALS * len(letters)


def emoji(case: Case) -> Iterator[Problem]:
    """Many emoji, or joined ones, which old programs show as several signs or boxes."""
    found = graphemes.EMOJI.findall(case.subject)
    joined = next((sign for sign in found if "\u200d" in sign), "")
    if joined:
        message = f"{joined} is made of several emoji, and many inboxes show them apart"
        yield case.about("subject", "W310", message, "Take a simple one, or none.", find=joined)
    elif len(found) > EMOJI:
        message = f"the subject has {len(found)} emoji; filters and readers take many of them for advertising"
        told = case.about("subject", "W310", message, f"Keep one: {found[0]}")
        places = [one.start() for one in graphemes.EMOJI.finditer(told.source)]
        yield replace(told, col=places[EMOJI] + 1) if len(places) > EMOJI else told


def preheader(case: Case) -> Iterator[Problem]:
    """Missing, too short, too long, or the subject again."""
    fix = "preheader: One sentence that says what the reader will find"
    shown = case.preheader
    if not shown:
        message = "there is no preheader, and no first sentence to take one from"
    elif not case.preheader_written:
        message = f'the preheader is missing, so inboxes show the beginning: "{shown}"'
    elif not PREHEADER[0] <= len(shown) <= PREHEADER[1]:
        message = f"the preheader has {len(shown)} characters; {PREHEADER[0]} to {PREHEADER[1]} are shown well"
    elif _bare(shown).startswith(_bare(case.subject)):
        message = "the preheader repeats the subject, which stands beside it"
    else:
        return
    yield case.about("preheader", "W302", message, fix)


def again(case: Case) -> Iterator[Problem]:
    """The same subject as an earlier issue's: readers think they have it already. Names of files begin with the day."""
    ours = _bare(case.issue.subject)
    here = case.issue.path.resolve()
    for path in reversed(library.issues(case.root)):
        if path.name < here.name and path.is_file() and ours and _bare(_subject(path, path.stat().st_mtime_ns)) == ours:
            message = f"issues/{path.name} has the same subject, and readers will think they have read this"
            yield case.about("subject", "W303", message, "Say what is new in this one.")
            return


@lru_cache(maxsize=1024)
def _subject(path: Path, _changed: int) -> str:
    """An issue's subject, read no further than its line: a hundred issues are looked at for each."""
    with suppress(OSError), path.open(encoding="utf-8-sig", errors="replace") as file:  # told of by itself
        for number, line in enumerate(file):
            if found := re.match(r"subject\s*:\s*(.*)", line):
                return found[1].strip().strip("'\"").replace("''", "'")
            if number and (line.startswith("---") or number > 60):  # noqa: PLR2004
                return ""
    return ""


def _bare(words: str) -> str:
    return re.sub(r"\W+", " ", words).strip().lower()
