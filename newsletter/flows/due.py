"""What is due: issues whose time has come, and campaigns that were begun and not finished.

In: the publication's folder, the ledger, the time. Out: what to send now, and what must not go by itself, with
the reason. Reads files and the store; only `go` sends.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from newsletter.content import frontmatter, library
from newsletter.content.issue import Issue
from newsletter.core.campaign import Campaign, CampaignState
from newsletter.core.schedule import due as due_at
from newsletter.core.schedule import iso, zone
from newsletter.errors import ContentError, NewsletterError, NotApproved, SettingsError
from newsletter.flows import recover, review
from newsletter.flows.desk import Desk, Place
from newsletter.flows.plan import on_time
from newsletter.flows.publish import source
from newsletter.flows.send import go_on, send

log = logging.getLogger("newsletter.due")


@dataclass(frozen=True)
class Due:
    """One letter: its key, what `send` takes for it, when it was due; `refused` says why it may not go by itself."""

    key: str
    name: str
    at: datetime | None
    refused: NewsletterError | None = None


def due(desk: Desk) -> list[Due]:
    """What is to be sent now: campaigns that were begun first, then issues in the order of their times.

    Passed over: drafts, issues without a date or dated before `first_send`, those not due yet, and whatever was
    finished, cancelled or paused. Raises: NotApproved when the ledger is empty beside issues of earlier days: then
    it may be the wrong one, or a lost one, and everybody might get them again.
    """
    with desk.store.read() as tx:
        recover.refuse(tx)
        known = {campaign.key: campaign for campaign in tx.campaigns.all()}
    found = [one for path in library.issues(desk.root) if (one := _issue(path, desk, known))]
    found.sort(key=lambda one: (one.at is None, one.at or desk.now(), one.key))
    if not known:
        _not_lost(found, desk)
    return [*_begun(known), *found]


def by_itself(desk: Desk) -> list[Due]:
    """What goes with nobody at a terminal: somebody agreed to it, and only its time was waited for.

    Campaigns whose hold is over, or whose first slice has soaked; and where an owner has to say yes (`send.approval`),
    issues that are due: `send` refuses those without the yes. What was stopped in the middle waits for whoever began
    it, and what another machine ordered is its own thread's (`flows/press.py`).
    """
    now = desk.now()
    with desk.store.read() as tx:
        if tx.campaigns.paused_all():
            return []
        known = {campaign.key: campaign for campaign in tx.campaigns.all()}
        begun = [one for one in _begun(known) if tx.orders.of(known[one.key].id) is None]
    waited = [one for one in begun if _is_over(known[one.key], now)]
    if desk.pace.approval != "owner":
        return waited
    try:
        ready = [one for one in due(desk) if one.key not in known and one.refused is None]
        with desk.store.read() as tx:  # what nobody agreed to is not rendered again and again
            return [*waited, *(one for one in ready if review.agreed(tx, one.key))]
    except NotApproved:  # the ledger may be the wrong one
        return waited


def _is_over(campaign: Campaign, now: datetime) -> bool:
    """Whether a campaign was held or soaked, and that is over."""
    waits = [moment for moment in (campaign.held_until, campaign.soak_until) if moment]
    return bool(waits) and max(waits) <= now


def go(desk: Desk, *, stop: Event) -> list[str]:
    """Send what goes by itself, one after another. Out: the keys of those of which something went.

    What stands in the way of one is no error here: it is tried again, and `flows/missed.py` tells the owner.
    """
    gone = []
    for one in by_itself(desk):
        if stop.is_set():
            break
        try:
            report = go_on(one.key, desk, stop=stop) if one.at is None else send(one.name, desk, hold=True, stop=stop)
        except NewsletterError as trouble:
            log.info("%s did not go by itself: %s", one.key, type(trouble).__name__)
            continue
        gone += [one.key] if report.sent else []
    return gone


def here(place: Place, known: Collection[str], now: datetime) -> list[Due]:
    """What is due by the files of this machine, where another one sends; in the order of their times.

    In: the keys of what was begun. Whether it is too late, the one that sends says.
    """
    found = []
    for path in library.issues(place.root):
        try:
            issue = library.load(path, place.publication, place.root)
            at = None if issue.draft or issue.key in known else _time(issue, place)
        except (ContentError, SettingsError) as trouble:
            key = library.slug(path)
            found += [] if key in known else [Due(key, str(path), None, trouble)]
            continue
        if at is not None and at <= now:
            found.append(Due(issue.key, str(path), at))
    return sorted(found, key=lambda one: (one.at is None, one.at or now, one.key))


def _begun(known: dict[str, Campaign]) -> list[Due]:
    open_ = [one for one in known.values() if one.state is CampaignState.SENDING]
    return [Due(one.key, one.key, None) for one in sorted(open_, key=lambda one: one.frozen_at)]


def _issue(path: Path, desk: Desk, known: dict[str, Campaign]) -> Due | None:
    try:
        issue = library.load(path, desk.publication, desk.root)
        at = None if issue.draft else _time(issue, desk)
    except ContentError as trouble:
        return _unread(path, trouble, desk, known)
    except SettingsError as trouble:
        return None if issue.key in known else Due(issue.key, str(path), None, trouble)
    if at is None or at > desk.now():
        return None
    if issue.key in known:
        other = _of_another(issue, at, known[issue.key], desk)
        return Due(issue.key, str(path), at, other) if other else None
    refused: NewsletterError | None = None
    try:
        on_time(issue.key, at, desk)
    except NotApproved as late:
        refused = late
    return Due(issue.key, str(path), at, refused)


def of_another(path: Path, at: datetime, begun: Campaign, desk: Desk) -> NotApproved | None:
    """Why an issue may not go whose name another letter had: that one was begun before this one's time.

    A letter that has gone may be corrected, for the archive, and one that went early has the same words.
    """
    try:
        return _of_another(library.load(path, desk.publication, desk.root), at, begun, desk)
    except ContentError:
        return None


def _of_another(issue: Issue, at: datetime, begun: Campaign, desk: Desk) -> NotApproved | None:
    if issue.draft or at <= begun.frozen_at:
        return None
    with desk.store.read() as tx:
        if any(one.key == begun.key for one in tx.campaigns.with_source(source(issue))):
            return None
    return NotApproved(
        f"{issue.key} was begun with other words than these, on {_day(begun.frozen_at, desk)}, and is {begun.state}. "
        f"A name is for one letter, so what is in {issue.name} does not go.",
        f"Give that file a name of its own: slug: {issue.key}-2",
    )


def _day(at: datetime, desk: Desk) -> str:
    return f"{at.astimezone(zone(desk.publication.timezone)).date()}"


def _time(issue: Issue, place: Place) -> datetime | None:
    """When an issue wants to go; None when it is for the archive only."""
    publication = place.publication
    if issue.date and publication.first_send and issue.date < publication.first_send:
        return None
    return due_at(issue.date, issue.send_at, publication.send_at, publication.timezone)


def _unread(path: Path, trouble: ContentError, desk: Desk, known: dict[str, Campaign]) -> Due | None:
    """An issue nobody can read is told on its day and after; whether it is a draft nobody can say."""
    key, day = library.slug(path), frontmatter.of_file_name(path.stem).date
    today = desk.now().astimezone(zone(desk.publication.timezone)).date()
    first = desk.publication.first_send
    if key in known or day is None or day > today or (first and day < first):
        return None
    return Due(key, str(path), None, trouble)


def _not_lost(found: list[Due], desk: Desk) -> None:
    """Refuse to begin by itself on an empty ledger beside issues of earlier days. Raises: NotApproved."""
    here = zone(desk.publication.timezone)
    days = {one.at.astimezone(here).date() for one in found if one.at}
    older = [one for one in found if one.at and (one.refused or one.at.astimezone(here).date() < max(days))]
    if not older:
        return
    listed = "\n".join(f"  {one.key}, due at {iso(one.at)}" for one in older)
    raise NotApproved(
        f"Nothing was ever sent from this database, and {len(older)} earlier "
        f"{'issue is' if len(older) == 1 else 'issues are'} ready:\n{listed}\nNothing was sent.",
        "If this is the right database, set first_send in newsletter.yml to the day of the first letter it is to "
        "send; if not, restore the one that knows what was sent (NEWSLETTER_DATABASE_URL).",
    )
