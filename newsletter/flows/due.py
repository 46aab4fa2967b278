"""What is due: issues whose time has come, and campaigns that were begun and not finished.

In: the publication's folder, the ledger, the time. Out: what to send now, and what must not go by itself, with
the reason. Reads files and the store; changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.content import frontmatter, library
from newsletter.content.issue import Issue
from newsletter.core.campaign import Campaign, CampaignState
from newsletter.core.schedule import due as due_at
from newsletter.core.schedule import iso, zone
from newsletter.errors import ContentError, NewsletterError, NotApproved, SettingsError
from newsletter.flows.desk import Desk
from newsletter.flows.plan import on_time


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
        known = {campaign.key: campaign for campaign in tx.campaigns.all()}
    found = [one for path in library.issues(desk.root) if (one := _issue(path, desk, known))]
    found.sort(key=lambda one: (one.at is None, one.at or desk.now(), one.key))
    if not known:
        _not_lost(found, desk)
    return [*_begun(known), *found]


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
    if at is None or at > desk.now() or issue.key in known:
        return None
    refused: NewsletterError | None = None
    try:
        on_time(issue.key, at, desk)
    except NotApproved as late:
        refused = late
    return Due(issue.key, str(path), at, refused)


def _time(issue: Issue, desk: Desk) -> datetime | None:
    """When an issue wants to go; None when it is for the archive only."""
    publication = desk.publication
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
