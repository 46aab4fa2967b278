"""An issue as whoever says yes to it is to see it, and the one sentence that tells what merging it does.

In: an issue's name, or a plan that was just made. Out: a `Review`. Reads files and the store; only `keep` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from newsletter.content import facts, library
from newsletter.content.issue import Issue
from newsletter.content.words import words
from newsletter.core.bundle import Bundle
from newsletter.core.campaign import Campaign, CampaignState, Plan, topics_of
from newsletter.core.email import sha256
from newsletter.core.problem import Level, Problem, errors
from newsletter.core.publication import Publication
from newsletter.core.review import Act, Deed, Fate, Outlook, Person, Review, Role
from newsletter.core.schedule import due, zone
from newsletter.errors import ContentError, NewsletterError, NotApproved, NotFound, NothingToDo, SettingsError
from newsletter.flows import people
from newsletter.flows.desk import Desk
from newsletter.flows.plan import bundle, of_bundle, unchanged
from newsletter.flows.publish import Proof, proof
from newsletter.ports import Transaction

ASK = "ask"
"""The kind of the notice that asks an owner to look, and to approve."""

_STATES = {
    CampaignState.SENDING: Fate.BEGUN,
    CampaignState.PAUSED: Fate.PAUSED,
    CampaignState.CANCELLED: Fate.CANCELLED,
    CampaignState.FINISHED: Fate.SENT,
}


def look(name: str, desk: Desk, *, listed: bool = True) -> Review:
    """An issue as it stands, a draft too, or one that cannot be sent.

    In: a path or a slug; `listed`, whether the list can be reached: else nobody knows how many get it, or whether
    it was sent. Raises: NotFound.
    """
    path = library.find(name, desk.root)
    try:
        issue = library.load(path, desk.publication, desk.root)
    except ContentError as unread:
        return _unread(path, unread.problems, desk)
    if listed and (begun := of_campaign(issue.key, desk)) is not None:
        return begun
    try:
        ready = proof(name, desk, draft=True, public=False)
    except ContentError as amiss:
        return _blocked(issue, amiss.problems, desk)
    except NewsletterError as problem:  # a theme or template that cannot be used
        return replace(_blocked(issue, (), desk), outlook=_refused(_time(issue, desk), problem))
    outlook, made = _outlook(issue, ready, desk, listed=listed)
    return Review(
        key=issue.key,
        subject=issue.subject,
        preheader=issue.preheader,
        content=ready.sha256,
        outlook=outlook,
        mails={one.name: one.body for one in ready.variants},
        problems=ready.problems,
        plan=made.as_json() if made else None,
        made_at=desk.now(),
    )


def of_plan(made: Plan, ready: Bundle, desk: Desk) -> Review:
    """What a plan was just made of, wherever it was rendered."""
    return Review(
        key=ready.key,
        subject=ready.subject,
        preheader="",
        content=made.content_sha256,
        outlook=standing(made, desk),
        mails={one.name: one.body for one in ready.variants},
        problems=tuple(Problem("", 0, 0, "", Level.WARNING, said) for said in ready.warnings),
        plan=made.as_json(),
        made_at=desk.now(),
    )


def of_campaign(key: str, desk: Desk) -> Review | None:
    """An issue that was begun, from what is frozen; None when it was not."""
    with desk.store.read() as tx:
        campaign = tx.campaigns.by_key(key)
        mails = tx.campaigns.emails(campaign.id) if campaign else {}
    if campaign is None:
        return None
    return Review(
        key=key,
        subject=campaign.subject,
        preheader="",
        content=campaign.content_sha256,
        outlook=_of_state(campaign, desk),
        mails=mails,
        problems=(),
        plan=None,
        made_at=desk.now(),
    )


def _of_state(campaign: Campaign, desk: Desk) -> Outlook:
    held = campaign.held_until
    if campaign.state is CampaignState.SENDING and campaign.started_at is None and held and desk.now() < held:
        return Outlook(Fate.APPROVED, campaign.audience, held)
    at = campaign.started_at or campaign.held_until or campaign.frozen_at
    return Outlook(_STATES[campaign.state], campaign.audience, at, why=campaign.brake)


def _unread(path: Path, problems: tuple[Problem, ...], desk: Desk) -> Review:
    """An issue of whose file nothing can be made."""
    text = b""
    with suppress(OSError):  # a folder, or what nobody may read
        text = path.read_bytes()
    return _without_mail(library.slug(path), path.stem, text.decode("utf-8", "replace"), None, problems, desk)


def _blocked(issue: Issue, problems: tuple[Problem, ...], desk: Desk) -> Review:
    return _without_mail(issue.key, issue.subject, issue.source, _time(issue, desk), problems, desk)


def _without_mail(
    key: str, subject: str, text: str, at: datetime | None, problems: tuple[Problem, ...], desk: Desk
) -> Review:
    outlook = Outlook(Fate.BLOCKED, at=at, errors=len(errors(problems)))
    return Review(key, subject, "", sha256(text), outlook, {}, problems, None, desk.now())


def _time(issue: Issue, desk: Desk) -> datetime | None:
    """When it wants to go; None where it names no time there is."""
    publication = desk.publication
    try:
        return due(issue.date, issue.send_at, publication.send_at, publication.timezone)
    except SettingsError:
        return None


def _outlook(issue: Issue, ready: Proof, desk: Desk, *, listed: bool) -> tuple[Outlook, Plan | None]:
    publication, at = desk.publication, _time(issue, desk)
    if issue.date and publication.first_send and issue.date < publication.first_send:
        return Outlook(Fate.ARCHIVE, at=at), None
    if issue.draft:
        return Outlook(Fate.DRAFT, _headcount(issue, desk) if listed else None, at, len(errors(ready.problems))), None
    if not listed:
        later, now = (Fate.WAITS, Fate.WAITS_NOW) if needs_yes(desk) else (Fate.SENDS, Fate.AT_ONCE)
        return Outlook(_when(at, desk, later, now), at=at), None
    try:
        made = of_bundle(bundle(ready, desk), desk, ask=False)
    except NothingToDo:
        return Outlook(Fate.NOBODY, 0, at), None
    except NewsletterError as problem:
        return _refused(at, problem), None
    return standing(made, desk), made


def _refused(at: datetime | None, problem: NewsletterError) -> Outlook:
    return Outlook(Fate.REFUSED, at=at, why=problem.what, todo=problem.todo)


def _headcount(issue: Issue, desk: Desk) -> int:
    with desk.store.read() as tx:
        return tx.campaigns.headcount(topics_of(issue.audience, desk.publication.segments)).get("audience", 0)


def standing(made: Plan, desk: Desk) -> Outlook:
    """What becomes of a letter that could go, by its time and by what was said of it."""
    at = datetime.fromisoformat(made.send_at) if made.send_at else None
    with desk.store.read() as tx:
        deed = last_deed(tx, made.issue)
    fate = _when(at, desk, Fate.SENDS, Fate.AT_ONCE)
    if deed is not None and deed.act is Act.STOPPED:
        fate = Fate.STOPPED
    elif fate in {Fate.SENDS, Fate.AT_ONCE} and needs_yes(desk):
        yes = not lacking(deed, made, desk)
        later, now = (Fate.APPROVED, Fate.APPROVED_NOW) if yes else (Fate.WAITS, Fate.WAITS_NOW)
        fate = _when(at, desk, later, now)
    return Outlook(fate, made.audience, at)


def _when(at: datetime | None, desk: Desk, later: Fate, now: Fate) -> Fate:
    if at is None:
        return now
    if desk.now() > at + desk.pace.max_lateness:
        return Fate.LATE
    return later if desk.now() < at else now


def planned(plan: Mapping[str, Any]) -> Plan:
    """A plan as it was before it was JSON."""
    lists = {name: tuple(value) for name, value in plan.items() if isinstance(value, list)}
    topics = {name: tuple(some) for name, some in plan["topics"].items()}
    known = {name: value for name, value in {**plan, **lists}.items() if name in Plan.__dataclass_fields__}
    return Plan(**{**known, "topics": topics})


def needs_yes(desk: Desk) -> bool:
    """Whether nothing goes before an owner has said yes (`send.approval`)."""
    return desk.pace.approval == "owner"


def last_deed(tx: Transaction, key: str) -> Deed | None:
    """What was said last of an issue, since a campaign of it was taken back, if one was."""
    deed, old = tx.reviews.last(key), tx.campaigns.by_key(key)
    return deed if deed and not (old and old.state is CampaignState.CANCELLED and deed.at <= old.frozen_at) else None


def lacking(deed: Deed | None, made: Plan, desk: Desk) -> str:
    """Why a yes does not hold for what would be sent now; empty when it does."""
    if deed is None:
        return "Nobody has approved it."
    if deed.act is Act.STOPPED:
        return "It was stopped on its review page."
    if deed.holds_until is not None and desk.now() > deed.holds_until:
        return "The approval has run out: its time is over."
    if deed.content != made.content_sha256:
        return "The letter has changed since it was approved."
    try:
        unchanged(deed.plan or {}, made, desk)
    except NotApproved as problem:
        return problem.what
    return ""


def keep(tx: Transaction, review: Review) -> Review:
    """Write a review down, so that it has a page."""
    return replace(review, id=tx.reviews.keep(review))


def page(made: Plan, ready: Proof, desk: Desk) -> str:
    """Where a letter of which a plan was made can be looked at: a link that can do no more."""
    found = replace(of_plan(made, bundle(ready, desk), desk), preheader=ready.issue.preheader, problems=ready.problems)
    with desk.store.begin() as tx:
        kept = keep(tx, found)
    return people.link(kept.id, Person(Role.LOOK), desk)


def ask(tx: Transaction, review: Review, desk: Desk) -> int:
    """Ask the owners to look, each once for the same mail; how many there are."""
    for person in people.owners(desk):
        tx.brake.notice(f"{ASK}-{review.id}-{person.code}", None, ASK, str(review.id), desk.now(), person.code)
    return len(people.owners(desk))


def was_asked(tx: Transaction, made: Plan, desk: Desk) -> bool:
    """Whether an owner was asked about just this mail."""
    kept = tx.reviews.newest(made.issue)
    if kept is None or kept.content != made.content_sha256:
        return False
    return any(tx.brake.noted(f"{ASK}-{kept.id}-{person.code}") for person in people.owners(desk))


def agreed(tx: Transaction, key: str) -> bool:
    """Whether the last word on an issue was a yes; whether that holds, `lacking` says."""
    deed = last_deed(tx, key)
    return deed is not None and deed.act is Act.APPROVED


def find(name: str, desk: Desk) -> Review | None:
    """An issue by its key as it stands in a file here; None when there is no such file."""
    try:
        return look(name, desk)
    except NotFound:
        return None


# --- in words --------------------------------------------------------------------------------------


def sentence(outlook: Outlook, publication: Publication, root: Path, lang: str = "") -> str:
    """What merging does, in one sentence of the publication's language, or of another one."""
    said = words(lang or publication.language, root)
    return said[f"review.fate.{outlook.fate}"].format(**_places(outlook, publication, said))


def _places(outlook: Outlook, publication: Publication, said: Mapping[str, str]) -> Mapping[str, Any]:
    at = outlook.at.astimezone(zone(publication.timezone)) if outlook.at else None
    return {
        "people": counted(outlook.audience, said),
        "day": facts.brief_day(at.date(), said) if at else "",
        "time": f"{at:%H:%M}" if at else "",
        "why": outlook.why,
    }


def counted(number: int | None, said: Mapping[str, str]) -> str:
    """So many people, in words."""
    if number is None:
        return said["review.everybody"]
    return said["review.one"] if number == 1 else said["review.people"].format(count=f"{number:,}")
