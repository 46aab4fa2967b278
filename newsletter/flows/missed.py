"""A letter that was expected and did not go: found by the tick, told to the owner and the editors, once.

In: the desk. Out: how many occasions were found. Reads issue files where there are some, else the reviews that were
made of them elsewhere, and the ledger. An occasion is a letter's time, or a day of the publication's `rhythm`.

    its time + ten minutes: is there a campaign?  no: why not, asked of the same rules as `send`
                                                  yes, and nothing moves: what holds it
    a day of the rhythm:    is there any letter for it, or since?  no: none was written, or it waits to be merged
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from newsletter.content import frontmatter, library
from newsletter.core import rhythm
from newsletter.core.campaign import Campaign, CampaignState
from newsletter.core.problem import errors
from newsletter.core.review import Fate, Review
from newsletter.core.schedule import due as due_at
from newsletter.core.schedule import zone
from newsletter.core.vitals import TICKED
from newsletter.errors import ContentError, SettingsError
from newsletter.flows import approve, due, people, review
from newsletter.flows.desk import Desk
from newsletter.flows.report import MISSED

GRACE = timedelta(minutes=10)
"""Whoever sends may be so late before it is told: timers run every few minutes."""

WINDOW = timedelta(days=1)
"""What was missed longer ago is no news, unless nobody looked since. An old folder beside a new database is none."""

AHEAD = timedelta(days=3)
"""So long before its time an owner is asked for the yes a letter needs."""


@dataclass(frozen=True)
class Missed:
    """One occasion: which letter, when it was to go, and why it did not (a key of `[missed]`)."""

    key: str
    subject: str
    at: str  # ISO 8601
    reason: str
    why: str = ""
    todo: str = ""
    count: str = ""
    review: int = 0


def look(desk: Desk) -> int:
    """Find what did not go and let the house be told; ask for the yes that is needed soon. Out: how many did not go."""
    now = desk.now()
    with desk.store.read() as tx:
        known = {campaign.key: campaign for campaign in tx.campaigns.all()}
        looked = tx.facts.get(TICKED)
    since = min(now - WINDOW, datetime.fromisoformat(looked) - GRACE) if looked else now - WINDOW
    letters = _letters(desk, since)
    missed = [one for one in letters if since < one.at <= now - GRACE]
    found = [_other(one, known[one.key], desk) if one.key in known else _letter(one, desk) for one in missed]
    found += [_held(one, desk) for one in known.values() if one.frozen_at <= now - GRACE]
    told = [one for one in (*found, *_absent(letters, list(known.values()), since, desk)) if one]
    for one in told:
        _tell(one, desk)
    if review.needs_yes(desk):
        for letter in letters:
            if now - desk.pace.max_lateness <= letter.at <= now + AHEAD and letter.key not in known:
                _ask(letter, desk)
    return len(told)


@dataclass(frozen=True)
class _Letter:
    """A letter with a time: of a file here, or of a review that was made elsewhere."""

    key: str
    subject: str
    at: datetime
    day: date
    path: Path | None = None
    kept: Review | None = None

    def shown(self, desk: Desk) -> Review | None:
        """As it stands now."""
        if self.path:
            return review.look(str(self.path), desk)
        return approve.aged(self.kept, desk) if self.kept else None


def _letters(desk: Desk, since: datetime) -> list[_Letter]:
    here = [one for path in library.issues(desk.root) if (one := _of_file(path, desk))]
    keys = {one.key for one in here} | {library.slug(path) for path in library.issues(desk.root)}
    now = desk.now()
    with desk.store.read() as tx:
        elsewhere = tx.reviews.due(since, now + AHEAD)
    return [*here, *(_of_review(one, desk) for one in elsewhere if one.key not in keys)]


def _of_review(kept: Review, desk: Desk) -> _Letter:
    at = kept.outlook.at or desk.now()
    return _Letter(kept.key, kept.subject, at, _day(at, desk), kept=kept)


def _day(at: datetime, desk: Desk) -> date:
    return at.astimezone(zone(desk.publication.timezone)).date()


def _of_file(path: Path, desk: Desk) -> _Letter | None:
    """Its time by what can be read of it; None when it has none, or is for the archive alone."""
    publication = desk.publication
    try:
        issue = library.load(path, publication, desk.root)
        key, subject, day, own = issue.key, issue.subject, issue.date, issue.send_at
    except ContentError:
        about = frontmatter.of_file_name(path.stem)
        key, subject, day, own = library.slug(path), path.stem, about.date, None
    try:
        at = due_at(day, own, publication.send_at, publication.timezone)
    except SettingsError:  # a time that the clocks skip: it is told at that day's beginning
        at = due_at(day, None, None, publication.timezone)
    if at is None or (day and publication.first_send and day < publication.first_send):
        return None
    return _Letter(key, subject, at, _day(at, desk), path)


# --- one letter ------------------------------------------------------------------------------------

_FATES = {
    Fate.DRAFT: "draft",
    Fate.WAITS: "unapproved",
    Fate.WAITS_NOW: "unapproved",
    Fate.STOPPED: "stopped",
    Fate.NOBODY: "nobody",
}


def _letter(letter: _Letter, desk: Desk) -> Missed | None:
    """Why a letter has not gone whose time is over."""
    shown = letter.shown(desk)
    if shown is None:
        return None
    reason, why, todo, count = _reason(shown, desk)
    with desk.store.begin() as tx:
        kept = review.keep(tx, shown)
    return Missed(letter.key, letter.subject, letter.at.isoformat(), reason, why, todo, count, kept.id)


def _other(letter: _Letter, begun: Campaign, desk: Desk) -> Missed | None:
    """A letter whose name was another's, which was begun before its time."""
    refused = due.of_another(letter.path, letter.at, begun, desk) if letter.path else None
    if refused is None:
        return None
    return Missed(letter.key, letter.subject, letter.at.isoformat(), "refused", refused.what, refused.todo)


def _reason(shown: Review, desk: Desk) -> tuple[str, str, str, str]:
    """What is missing: the key of its sentence, why and what to do in the program's own words, how much."""
    with desk.store.read() as tx:
        everything, deed = tx.campaigns.paused_all(), review.last_deed(tx, shown.key)
    fate, outlook = shown.outlook.fate, shown.outlook
    if fate is Fate.BLOCKED:
        first = next(iter(errors(shown.problems)), None)
        return "checks", f"{first}." if first else "", "", str(outlook.errors)
    if fate is Fate.REFUSED:
        return "refused", outlook.why, outlook.todo, ""
    if fate in {Fate.WAITS, Fate.WAITS_NOW} and deed is not None:
        return "unapproved", _why(shown, desk), "", ""
    if fate in _FATES:
        return _FATES[fate], "", "", ""
    return ("everything" if everything else "unsent"), "", "", ""


def _why(shown: Review, desk: Desk) -> str:
    """Why the yes that was said does not hold for it."""
    with desk.store.read() as tx:
        deed = review.last_deed(tx, shown.key)
    return review.lacking(deed, review.planned(shown.plan), desk) if shown.plan is not None else ""


def _held(campaign: Campaign, desk: Desk) -> Missed | None:
    """A letter that was begun and does not move; None while it does. Whoever stops one is told of it by that."""
    if campaign.state is not CampaignState.SENDING:
        return None
    now = desk.now()
    with desk.store.read() as tx:
        counts, everything = tx.campaigns.counts(campaign.id, now), tx.campaigns.paused_all()
        moved, kept = tx.control.last_claim(campaign.id), tx.reviews.newest(campaign.key)
    moments = [campaign.frozen_at, campaign.held_until, campaign.soak_until, moved]
    if not counts.pending + counts.uncertain or max(one for one in moments if one) > now - GRACE:
        return None
    return Missed(
        campaign.key,
        campaign.subject,
        campaign.frozen_at.isoformat(),
        "everything" if everything else "stuck" if counts.pending else "uncertain",
        count=f"{counts.pending or counts.uncertain:,}",
        review=kept.id if kept else 0,
    )


# --- a day of the rhythm ---------------------------------------------------------------------------


def _absent(letters: list[_Letter], campaigns: list[Campaign], since: datetime, desk: Desk) -> Iterator[Missed]:
    """The last day of the rhythm, when there is no letter for it, nor any that came instead."""
    publication, now = desk.publication, desk.now()
    try:
        expected = rhythm.parse(publication.rhythm)
    except SettingsError:  # told at the door
        return
    if expected is None:
        return
    last = rhythm.last(expected, now - GRACE, publication.send_at, publication.timezone)
    if last is None or last[1] <= since:
        return
    day, moment = last
    early = publication.first_send is not None and day < publication.first_send
    if early or rhythm.rests(day, publication.holidays):
        return
    until = rhythm.next_day(expected, day)
    if any(day <= letter.day < until for letter in letters):
        return  # it is told of by itself, if it does not go
    if any(_day(one.started_at or one.frozen_at, desk) >= day for one in campaigns):
        return
    yield Missed("", "", moment.isoformat(), "absent")


# --- told once -------------------------------------------------------------------------------------


def _tell(one: Missed, desk: Desk) -> None:
    occasion = hashlib.sha256(f"{one.key}\n{one.at}".encode()).hexdigest()[:32]
    with desk.store.begin() as tx:
        for person in people.everyone(desk):
            key = f"{MISSED}-{occasion}-{person.code}"
            tx.brake.notice(key, None, MISSED, json.dumps(asdict(one)), desk.now(), person.code)


def _ask(letter: _Letter, desk: Desk) -> None:
    """Ask an owner for the yes a letter needs, once for the same mail."""
    shown = letter.shown(desk)
    if shown is None or shown.outlook.fate not in {Fate.WAITS, Fate.WAITS_NOW}:
        return
    with desk.store.begin() as tx:
        review.ask(tx, review.keep(tx, shown), desk)
