"""What a campaign's ledger says, and what an operator may do about it: status, resolve, pause, resume, cancel.

In: an issue's name. Out: the campaign and its counts. Touches the campaign's rows; the provider is only asked
what became of what it was given before, nothing is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from newsletter.content import library
from newsletter.core.campaign import Campaign, CampaignState, Claim, Counts
from newsletter.core.delivery import Batch, Outcome, Status, all_of
from newsletter.core.email import thaw
from newsletter.core.queue import MailState
from newsletter.errors import ContentError, NotFound, NothingToDo, ProviderError, WorkLeft
from newsletter.flows import brake, recover, report
from newsletter.flows.deliver import deliver, settle
from newsletter.flows.desk import Desk


def begun(name: str, desk: Desk) -> Campaign | None:
    """The campaign of an issue that was begun; None when it was not.

    The issue's own key decides. Where its file has gone or no longer reads, the name does.
    Raises: NotFound, ContentError when there is neither an issue nor a campaign.
    """
    keys, trouble = _keys(name, desk)
    with desk.store.read() as tx:
        found = next((one for one in map(tx.campaigns.by_key, keys) if one), None)
    if found is None and trouble is not None:
        raise trouble
    return found


def _keys(name: str, desk: Desk) -> tuple[tuple[str, ...], NotFound | ContentError | None]:
    """The keys a campaign of that name may have, and why no issue says which."""
    try:
        path = library.find(name, desk.root)
    except NotFound as missing:
        return (name, re.sub(r"^\d{4}-\d{2}-\d{2}-", "", Path(name).stem)), missing
    try:
        return (library.load(path, desk.publication, desk.root).key,), None
    except (NotFound, ContentError) as unread:
        return (library.slug(path),), unread


def checksum(campaign: Campaign, desk: Desk) -> str:
    """The checksum of a ledger that changes no more; empty while it may."""
    if campaign.finished_at is None:
        return ""
    with desk.store.read() as tx:
        return tx.control.checksum(campaign.id, desk.now())


def status(name: str, desk: Desk) -> tuple[Campaign, Counts, Mapping[str, int]]:
    """A campaign, its counts, and why rows did not receive. Raises: NotFound."""
    campaign = begun(name, desk)
    if campaign is None:
        raise NotFound(f"{name} has not been sent, nor begun.", f"To see what would happen: newsletter plan {name}")
    with desk.store.read() as tx:
        reasons = dict(tx.campaigns.reasons(campaign.id))
        if campaign.state is CampaignState.CANCELLED and (left_out := tx.control.cancelled(campaign.id)):
            reasons["cancelled"] = left_out
        return campaign, tx.campaigns.counts(campaign.id, desk.now()), reasons


def last_claim(campaign: Campaign, desk: Desk) -> datetime | None:
    """When the last batch was taken that may have left; None before the first.

    Whoever left before their batch was taken got nothing (promise 4), so the last mail to a leaver can only have gone
    to somebody who left after this moment, or while a batch taken before was on its way.
    """
    with desk.store.read() as tx:
        return tx.control.last_claim(campaign.id)


@dataclass(frozen=True)
class Held:
    """What `pause --all` holds, and how many mails of the front door wait."""

    paused: bool
    waiting: int


def held(desk: Desk) -> Held:
    """Whether all sending is paused, and what waits in the mail queue."""
    with desk.store.read() as tx:
        return Held(tx.campaigns.paused_all(), tx.queue.numbers().get(MailState.WAITING, 0))


def ask_again(campaign: Campaign, desk: Desk) -> int:
    """Ask the provider about every batch whose answer was lost; how many rows were settled.

    Nothing is asked before the provider's settle time is over, as "not found" would mean nothing yet.
    """
    settled = 0
    with desk.store.read() as tx:
        open_ = tx.campaigns.uncertain(campaign.id)
        asked_at = {claim.n: tx.campaigns.claimed_at(claim) for claim in open_}
    for claim in open_:
        since = min(asked_at[claim.n] or desk.now(), desk.now())  # a clock that was set back
        if desk.now() < since + _settle_time(desk):
            continue
        outcomes = settle(desk.provider, Batch(claim.recipients, at=since, tag=campaign.key), key=claim.key)
        known = sum(outcome.status is not Status.UNKNOWN for outcome in outcomes)
        if known:
            with desk.store.begin() as tx:
                tx.campaigns.record(claim, outcomes, splits=desk.provider.capabilities.splits)
            settled += known
    return settled + _repeat(campaign, desk)


def _repeat(campaign: Campaign, desk: Desk) -> int:
    """Make a lost call once more where the provider remembers its key: it is answered as the first one was.

    Only while it surely remembers, and only when everybody in it may still receive, as a call that never arrived is
    sent now (promise 4). Out: how many rows were settled.
    """
    settled = 0
    for n in [claim.n for claim in _repeatable(campaign, desk)]:
        claim = next(iter(_repeatable(campaign, desk, n)), None)  # as it stands right before
        if claim is None:
            continue
        with desk.store.read() as tx:
            since = tx.campaigns.claimed_at(claim) or desk.now()
            email = thaw(tx.campaigns.email(campaign.id, claim.variant))
        batch = Batch(claim.recipients, at=since, tag=campaign.key)
        result = deliver(desk.provider, email, batch, key=claim.key, timeout=desk.pace.call)
        outcomes = [_as_before(outcome) for outcome in result.outcomes]
        known = sum(outcome.status is not Status.UNKNOWN for outcome in outcomes)
        if known:
            with desk.store.begin() as tx:
                tx.campaigns.record(claim, outcomes, splits=desk.provider.capabilities.splits)
            settled += known
        if result.halt or result.retry_after is not None:
            break
    return settled


def _repeatable(campaign: Campaign, desk: Desk, n: int | None = None) -> list[Claim]:
    """The lost calls that may be made once more now: none while the campaign, or everything, is held back.

    To make a call again is to send: whoever said stop means it too.
    """
    remembers, now = desk.provider.capabilities.idempotency_ttl, desk.now()
    if remembers is None:
        return []
    with desk.store.read() as tx:
        stands = tx.campaigns.by_key(campaign.key)
        if tx.campaigns.paused_all() or stands is None or stands.state is not CampaignState.SENDING:
            return []
        found = tx.campaigns.repeatable(campaign.id, desk.links_of(campaign).unsubscribe, n)
        open_ = [(one, tx.campaigns.claimed_at(one)) for one in found]
    surely = timedelta(seconds=remembers * _SURELY)
    return [claim for claim, since in open_ if since is not None and timedelta(0) <= now - since <= surely]


def _as_before(outcome: Outcome) -> Outcome:
    """What a call that is made once more tells of the first one: "not now" tells nothing."""
    return outcome._replace(status=Status.UNKNOWN) if outcome.status is Status.RETRY else outcome


_SURELY = 0.9  # of the time a provider says it remembers: clocks differ


@dataclass(frozen=True)
class Settling:
    """Uncertain rows that the provider may still tell of, and the moment from which it can for all of them."""

    rows: int = 0
    until: datetime | None = None


def settling(campaign: Campaign, desk: Desk) -> Settling:
    """Which of the uncertain rows wait for the provider's settle time, or for a call that can be made once more.

    The others are an operator's.
    """
    if again := _repeatable(campaign, desk):
        return Settling(sum(len(claim.recipients) for claim in again), desk.now())
    if desk.provider.capabilities.reconcile == "no":
        return Settling()
    with desk.store.read() as tx:
        since = [(claim, tx.campaigns.claimed_at(claim)) for claim in tx.campaigns.uncertain(campaign.id)]
    now, wait = desk.now(), _settle_time(desk)
    ends = [(len(claim.recipients), min(at, now) + wait) for claim, at in since if at is not None]
    still = [(rows, end) for rows, end in ends if now < end]
    return Settling(sum(rows for rows, _ in still), max((end for _, end in still), default=None))


def _settle_time(desk: Desk) -> timedelta:
    own = desk.pace.settle
    return timedelta(seconds=desk.provider.capabilities.settle_seconds if own is None else own)


def resolve(name: str, desk: Desk, *, as_: Status | None = None) -> tuple[int, Counts]:
    """Settle what is uncertain: the provider is asked first, then the operator's word counts.

    In: `as_` SUBMITTED (they have it) or RETRY (they do not), for rows the provider cannot tell of.
    Out: how many rows were settled, and the counts after.
    """
    campaign, _, _ = status(name, desk)
    same_provider(campaign, desk)
    with desk.store.only_one("sender") as alone:
        if not alone:
            raise WorkLeft("A sender is at work on this campaign.", "Wait for it; then run again.")
        with desk.store.begin() as tx:
            tx.campaigns.reap(campaign.id, desk.now(), everyone=True)
        settled = ask_again(campaign, desk)
        if as_ is not None:
            settled += _by_word(campaign, desk, as_)
        with desk.store.begin() as tx:
            if tx.campaigns.finish(campaign.id, desk.now()):
                report.ended(tx, campaign, desk)
            return settled, tx.campaigns.counts(campaign.id, desk.now())


def same_provider(campaign: Campaign, desk: Desk) -> None:
    """Refuse another provider than the one the campaign was begun through: it cannot know what that one took.

    Raises: ProviderError.
    """
    if campaign.provider != desk.provider.name:
        raise ProviderError(
            f"{campaign.key} was begun through {campaign.provider}, and {desk.provider.name} cannot know what "
            "that one took.",
            f"Add --provider {campaign.provider}.",
        )


def _by_word(campaign: Campaign, desk: Desk, as_: Status) -> int:
    with desk.store.begin() as tx:
        open_ = tx.campaigns.uncertain(campaign.id)
        for claim in open_:
            rows = Batch(claim.recipients, at=desk.now())
            tx.campaigns.record(claim, all_of(rows, as_, detail="by the operator"))
    return sum(len(claim.recipients) for claim in open_)


def turn(name: str, desk: Desk, to: CampaignState) -> Campaign:
    """Pause or resume a campaign; it is read in every claim, so it acts within one batch.

    One that stopped by itself and is resumed stops again only for what comes on top of what is known now.

    Out: the campaign as it stands then. Raises: NotFound; NothingToDo when the campaign has ended.
    """
    campaign, _, _ = status(name, desk)
    with desk.store.begin() as tx:
        if to is CampaignState.SENDING:
            brake.accept(tx, campaign, desk)
        turned = tx.campaigns.set_state(campaign.id, to)
        if turned and to is CampaignState.PAUSED and campaign.state is CampaignState.SENDING:
            report.paused(tx, campaign, "command", desk)
        now_stands = tx.campaigns.by_key(campaign.key) or campaign
    if not turned:
        raise NothingToDo(f"{campaign.key} is {now_stands.state}.")
    return now_stands


def cancel(name: str, desk: Desk) -> tuple[Campaign, Counts]:
    """End a campaign: what is in flight ends as it ends, whatever nobody has in hand goes to nobody.

    It is read in every claim, so it acts within one batch. Rows that were left out are `suppressed`, with the reason
    `cancelled`. Out: the campaign and its counts then. Raises: NotFound; NothingToDo when the campaign has ended.
    """
    campaign = turn(name, desk, CampaignState.CANCELLED)
    with desk.store.begin() as tx:
        if tx.campaigns.finish(campaign.id, desk.now()):
            report.ended(tx, campaign, desk)
        counts = tx.campaigns.counts(campaign.id, desk.now())
        return tx.campaigns.by_key(campaign.key) or campaign, counts


def turn_all(desk: Desk, *, paused: bool) -> None:
    """Pause all sending, or let it go on: letters and the front door's mail; it is read in every claim.

    A campaign's own pause is another thing.
    """
    with desk.store.begin() as tx:
        if not paused:
            recover.refuse(tx)
        tx.campaigns.pause_all(desk.now() if paused else None)
