"""Yes, and Stop: the one gate before a letter goes, and the page it has.

In: a link, and what was pressed on its page; or a plan that is about to be frozen. Out: what the page shows; or the
refusal (77). Touches reviews, deeds and notices, and the campaign's state for Stop; nothing is sent here.

    asked -[an owner: approve]-> approved -[send: frozen]-> held -> goes        Stop works all along, for editors too
    A yes is for these words, this time and these segments; it holds until `send_at` + `max_lateness`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.core import ids
from newsletter.core.bundle import Bundle
from newsletter.core.campaign import Campaign, CampaignState, Counts, Plan, growth_allowed
from newsletter.core.review import Act, Deed, Fate, Person, Review, Role
from newsletter.core.schedule import iso
from newsletter.errors import NotApproved, NotFound, NothingToDo
from newsletter.flows import brake, people, review
from newsletter.flows.desk import Desk
from newsletter.flows.plan import unchanged
from newsletter.ports import Transaction

PROOF = "proof"
"""The kind of the notice that is the letter itself, to whoever pressed "Mail me this"."""

_MAILS, _SPAN = 5, timedelta(hours=1)
"""So many mails an hour can be asked for on the page of one letter."""


class Said(StrEnum):
    """What came of pressing a button, as a sentence of `[review.said]`."""

    APPROVED = "approved"
    ALREADY = "already"
    STOPPED = "stopped"
    STANDS = "stands"  # there was nothing to stop
    RESUMED = "resumed"
    CHANGED = "changed"  # it is another letter by now
    SINCE = "since"  # somebody stopped it while the page was open
    NOT_YOURS = "not_yours"
    NOT_NOW = "not_now"  # it is a draft, was sent, is too late ...
    MAILED = "mailed"
    MAILED_OWNER = "mailed_owner"
    ENOUGH = "enough"  # mails, for now
    NOBODY = "nobody"  # no address to mail it to


@dataclass(frozen=True)
class Shown:
    """A review as its page shows it: what is so now, and what this person may do about it."""

    review: Review
    person: Person
    campaign: Campaign | None = None
    counts: Counts = field(default_factory=Counts)
    deed: Deed | None = None
    changed: bool = False  # the file says something else by now
    yes_needed: bool = False
    said: Said | None = None

    @property
    def fate(self) -> Fate:
        """What becomes of it."""
        return self.review.outlook.fate

    @property
    def approvable(self) -> bool:
        """Whether a yes makes a difference, and is this person's to say."""
        waits = self.fate in {Fate.WAITS, Fate.WAITS_NOW, Fate.STOPPED}
        return self.person.role is Role.OWNER and waits and not self.changed and self.review.plan is not None

    @property
    def stoppable(self) -> bool:
        """Whether it would go, or goes, and this person may stop it."""
        if self.person.role is Role.LOOK:
            return False
        return self.fate is Fate.BEGUN or (self.fate.goes and self.fate is not Fate.STOPPED)

    @property
    def resumable(self) -> bool:
        """Whether it stands still and this person may let it go on."""
        return self.person.role is Role.OWNER and self.fate is Fate.PAUSED


# --- the gate --------------------------------------------------------------------------------------


def required(made: Plan, ready: Bundle, desk: Desk) -> tuple[str, ...]:
    """Refuse what an owner has not said yes to (`send.approval: owner`), or what somebody stopped on its page.

    Whoever is missing is asked by mail, once for the same letter. Out: what is to be told and refuses nothing.
    Raises: NotApproved.
    """
    with desk.store.read() as tx:
        deed = review.last_deed(tx, made.issue)
    stopped = deed is not None and deed.act is Act.STOPPED
    if not review.needs_yes(desk) and not stopped:
        return ()
    why = review.lacking(deed, made, desk)
    if not why:
        return unchanged((deed.plan if deed else None) or {}, made, desk)
    with desk.store.read() as tx:
        asked = review.was_asked(tx, made, desk)
    if not asked:
        with desk.store.begin() as tx:
            kept = review.keep(tx, review.of_plan(made, ready, desk))
            asked = not stopped and review.ask(tx, kept, desk) > 0
    by_mail = "An owner has the link by mail. " if asked else "" if stopped else "owner.email is not set. "
    raise NotApproved(
        f"{made.issue} waits for the owner's yes. {why}",
        f"{by_mail}By a command, where the list is: newsletter approve {made.issue}",
    )


def not_stopped(tx: Transaction, key: str) -> None:
    """Refuse, in the transaction of the freeze, what somebody stopped since it was asked about. Raises: NotApproved."""
    deed = review.last_deed(tx, key)
    if deed is not None and deed.act is Act.STOPPED:
        raise NotApproved(f"{key} was stopped on its review page.", f"To let it go after all: newsletter approve {key}")


# --- the page --------------------------------------------------------------------------------------


def look(token: str, desk: Desk) -> Shown:
    """What the page of a link shows. Changes nothing (promise 5). Raises: NotFound."""
    review_id, person = people.behind(token, desk)
    return _shown(review_id, person, desk)


def letter(token: str, desk: Desk) -> Shown:
    """The letter alone that a link was made for, as it was kept. Changes nothing. Raises: NotFound."""
    review_id, person = people.behind(token, desk)
    with desk.store.read() as tx:
        return Shown(_kept(tx, review_id), person)


def _kept(tx: Transaction, review_id: int) -> Review:
    kept = tx.reviews.of(review_id)
    if kept is None:
        raise NotFound("There is no such letter any more.", "Ask for a new link: newsletter review ISSUE --ask")
    return kept


def _shown(review_id: int, person: Person, desk: Desk, fresh: Review | None = None) -> Shown:
    """In: `fresh`, the issue as its file was read a moment ago."""
    with desk.store.read() as tx:
        kept = _kept(tx, review_id)
        campaign, deed = tx.campaigns.by_key(kept.key), review.last_deed(tx, kept.key)
        newest = tx.reviews.newest(kept.key) or kept
        counts = tx.campaigns.counts(campaign.id, desk.now()) if campaign else Counts()
    again = _again(kept, campaign)
    if campaign is not None and not again:
        begun = review.of_campaign(kept.key, desk)
        if begun is not None:
            now_is = replace(begun, id=kept.id, preheader=kept.preheader, problems=kept.problems)
            other = kept.content != begun.content
            return Shown(now_is, person, campaign, counts, deed, changed=other, yes_needed=review.needs_yes(desk))
    fresh = aged(fresh, desk) if fresh else None if again else review.find(kept.key, desk)
    changed = (fresh or newest).content != kept.content
    now_is = replace(fresh, id=kept.id) if fresh is not None and not changed else aged(kept, desk)
    return Shown(now_is, person, None, counts, deed, changed=changed, yes_needed=review.needs_yes(desk))


def _again(kept: Review, campaign: Campaign | None) -> bool:
    """Whether it is to go anew, after a campaign that was cancelled before anything of it left."""
    cancelled = campaign is not None and campaign.state is CampaignState.CANCELLED
    return cancelled and campaign is not None and kept.plan is not None and kept.made_at > campaign.frozen_at


def aged(kept: Review, desk: Desk) -> Review:
    """A review of which there is no file here: what was so when it was made, and what time and people did since."""
    if kept.plan is None:
        return kept
    return replace(kept, outlook=review.standing(review.planned(kept.plan), desk))


# --- what is pressed -------------------------------------------------------------------------------


def approve(token: str, desk: Desk, *, audience: int = -1, seen: int = 0) -> Shown:
    """An owner says yes to the letter on the page.

    In: how many readers the page named, and the last word it knew of: what was stopped since is not let go.
    Raises: NotFound.
    """
    shown = look(token, desk)
    if why := _no_yes(shown, audience, desk):
        return replace(shown, said=why)
    with desk.store.begin() as tx:
        last = review.last_deed(tx, shown.review.key)
        if last is not None and last.act is Act.STOPPED and last.id > seen:
            return replace(shown, said=Said.SINCE)
        newest = tx.reviews.newest(shown.review.key)
        if newest and newest.id != shown.review.id and newest.made_at > shown.review.made_at:
            return replace(shown, said=Said.CHANGED)
        yes(tx, shown.review, shown.person.code, desk)
    return _since(shown, Said.APPROVED, desk)


def _since(shown: Shown, said: Said, desk: Desk) -> Shown:
    """What is so after something was pressed."""
    return replace(_shown(shown.review.id, shown.person, desk, shown.review), said=said)


def _no_yes(shown: Shown, audience: int, desk: Desk) -> Said | None:
    """Why a yes cannot be taken."""
    if shown.person.role is not Role.OWNER:
        return Said.NOT_YOURS
    if shown.changed:
        return Said.CHANGED
    if not shown.approvable:
        return Said.ALREADY if _said_yes(shown) else Said.NOT_NOW
    grown = (shown.review.outlook.audience or 0) - audience
    return Said.CHANGED if audience >= 0 and grown > growth_allowed(audience, desk.pace.max_growth) else None


def _said_yes(shown: Shown) -> bool:
    deed = shown.deed
    return deed is not None and deed.act is Act.APPROVED and deed.content == shown.review.content


def yes(tx: Transaction, kept: Review, by: str, desk: Desk) -> datetime:
    """Write a yes down. Out: until when it holds."""
    until = (kept.outlook.at or desk.now()) + desk.pace.max_lateness
    tx.reviews.add(kept, Act.APPROVED, by, desk.now(), until)
    return until


def stop(token: str, desk: Desk) -> Shown:
    """Stop a letter: before it is frozen, a yes is taken back; afterwards the campaign is paused. Raises: NotFound."""
    shown = look(token, desk)
    if not shown.stoppable:
        mine = shown.person.role is not Role.LOOK
        done = shown.fate in {Fate.STOPPED, Fate.PAUSED}
        return replace(shown, said=Said.STOPPED if done else Said.STANDS if mine else Said.NOT_YOURS)
    with desk.store.begin() as tx:
        campaign = tx.campaigns.by_key(shown.review.key)
        if campaign is not None and campaign.state is CampaignState.SENDING:
            brake.pause(tx, campaign, shown.person.code, desk)
        tx.reviews.add(shown.review, Act.STOPPED, shown.person.code, desk.now(), None)
    return _since(shown, Said.STOPPED, desk)


def resume(token: str, desk: Desk) -> Shown:
    """An owner lets a letter go on that stands still; what has gone has gone, the others get it. Raises: NotFound."""
    shown = look(token, desk)
    if not shown.resumable or shown.campaign is None:
        return replace(shown, said=Said.NOT_NOW if shown.person.role is Role.OWNER else Said.NOT_YOURS)
    with desk.store.begin() as tx:
        brake.accept(tx, shown.campaign, desk)
        tx.campaigns.set_state(shown.campaign.id, CampaignState.SENDING)
    return _since(shown, Said.RESUMED, desk)


def mail(token: str, desk: Desk) -> Shown:
    """Mail the letter to whoever's link it is; with a link for everybody, the owners get theirs. Raises: NotFound."""
    shown = look(token, desk)
    counter, now, person = f"review:{shown.review.id}", desk.now(), shown.person
    only_looks = person.role is Role.LOOK
    with desk.store.begin() as tx:
        if tx.audience.hits(counter, now - _SPAN) >= _MAILS:
            return replace(shown, said=Said.ENOUGH)
        there = people.owners(desk) if only_looks else [one for one in people.everyone(desk) if one == person]
        if not there or not shown.review.mails:
            return replace(shown, said=Said.NOBODY)
        tx.audience.hit(counter, now)
        kind = review.ASK if only_looks else PROOF
        for one in there:
            tx.brake.notice(ids.pid(desk.entropy), None, kind, str(shown.review.id), now, one.code)
    return replace(shown, said=Said.MAILED_OWNER if only_looks else Said.MAILED)


# --- from a terminal -------------------------------------------------------------------------------


def _anew(found: Review, desk: Desk) -> Review:
    """A letter that was cancelled and is to go after all, as its owners were asked about it."""
    with desk.store.read() as tx:
        campaign, newest = tx.campaigns.by_key(found.key), tx.reviews.newest(found.key)
    return aged(newest, desk) if found.plan is None and newest and _again(newest, campaign) else found


def approve_here(name: str, desk: Desk) -> tuple[Review, datetime]:
    """Say yes to an issue as its file is now. Out: what was said yes to, and until when that holds.

    Raises: NothingToDo when there is nothing to say yes to; NotFound.
    """
    found = _anew(review.look(name, desk), desk)
    if found.plan is None:
        said = review.sentence(found.outlook, desk.publication, desk.root)
        raise NothingToDo(f"There is nothing to approve. {said}", found.outlook.todo)
    if found.outlook.fate is Fate.LATE:
        raise NotApproved(f"Its time was {iso(found.outlook.at)}.", "Give it a new date, then approve it.")
    with desk.store.begin() as tx:
        kept = review.keep(tx, found)
        return kept, yes(tx, kept, "command", desk)
