"""Send an issue to its frozen audience: every reader once.

In: an issue's name and somebody's agreement. Out: a report with the ledger's counts.
Touches the campaign's rows and the provider. Safe to kill and to run again: it continues where it stopped.

    freeze (one transaction) -> [claim (short transaction) -> deliver (none open) -> record (short transaction)]*

The guarantee lies in the ledger: the claim commits before the first byte leaves, and an answer that was
lost is asked for at the provider or left for a person, never guessed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock

from newsletter.content import library
from newsletter.core import ids
from newsletter.core.campaign import Campaign, CampaignState, Claim, Counts, Draft, Plan, topics_of
from newsletter.core.delivery import Batch, BatchResult, Status, all_of
from newsletter.core.email import Email, thaw
from newsletter.core.queue import wait
from newsletter.errors import NewsletterError, NotFound, NothingToDo, ProviderError, WorkLeft
from newsletter.flows.deliver import deliver, settle
from newsletter.flows.desk import Desk
from newsletter.flows.plan import agreed, approved, batch_size, plan, rate_of
from newsletter.flows.publish import Proof

LONGEST_WAIT = 60.0
"""Seconds to wait for a batch the provider asked to hold back, before stopping with work left."""

Progress = Callable[[int, int], None]
"""Called after each batch with how many rows of the audience are done, and how many there are."""


@dataclass(frozen=True)
class Report:
    """What a run did. `sent` counts this run only; `counts` is the whole campaign."""

    campaign: Campaign
    counts: Counts
    sent: int
    finished: bool
    why: str = ""  # why it stopped early, in words


@dataclass
class _Run:
    """One run's shared state between its threads."""

    desk: Desk
    campaign: Campaign
    owner: str
    stop: Event
    progress: Progress
    done: int = 0
    sent: int = 0
    why: str = ""
    fatal: NewsletterError | None = None
    lock: Lock = field(default_factory=Lock)
    emails: dict[str, Email] = field(default_factory=dict)

    def email(self, variant: str) -> Email:
        """The frozen email of a variant, thawed once."""
        with self.lock:
            if variant not in self.emails:
                with self.desk.store.read() as tx:
                    self.emails[variant] = thaw(tx.campaigns.email(self.campaign.id, variant))
            return self.emails[variant]

    def halt(self, why: str, fatal: NewsletterError | None = None) -> None:
        """Stop claiming, in all threads."""
        with self.lock:
            self.why = self.why or why
            self.fatal = self.fatal or fatal
        self.stop.set()


def send(
    name: str,
    desk: Desk,
    *,
    approval: Mapping[str, object] | None = None,
    again: str = "",
    stop: Event | None = None,
    seconds: float | None = None,
    progress: Progress = lambda _done, _audience: None,
) -> Report:
    """Send an issue, or continue what was begun.

    In: `approval`, a plan somebody agreed to, or None when they said yes to whatever is so now; `stop`
    ends the run after the calls in flight; `seconds` is the longest the run may take.
    Raises: all of `plan`; WorkLeft when another sender is at work.
    """
    stop = stop or Event()
    with desk.store.only_one("sender") as alone:
        if not alone:
            raise WorkLeft("Another sender is at work on this database.", "Wait for it, or stop it; then run again.")
        campaign = begun(name, desk) or freeze(name, desk, approval=approval, again=again)
        if campaign.state is CampaignState.FINISHED:
            raise NothingToDo(
                f"{campaign.key} was sent: all {campaign.audience} rows of its audience are final.",
                f"See: newsletter status {campaign.key}",
            )
        if campaign.state is not CampaignState.SENDING:
            raise WorkLeft(f"{campaign.key} is {campaign.state}.", f"To go on: newsletter resume {campaign.key}")
        if campaign.provider != desk.provider.name:
            raise ProviderError(
                f"{campaign.key} was begun through {campaign.provider}, and {desk.provider.name} cannot know what "
                "that one took.",
                f"Continue with --provider {campaign.provider}.",
            )
        return _run(_Run(desk, campaign, ids.pid(desk.entropy), stop, progress), seconds)


def begun(name: str, desk: Desk) -> Campaign | None:
    """The campaign of an issue that was begun; found even when the file has gone or no longer reads."""
    stem = re.sub(r"^\d{4}-\d{2}-\d{2}-", "", Path(name).stem)
    with desk.store.read() as tx:
        known = tx.campaigns.by_key(name) or tx.campaigns.by_key(stem)
    if known is not None:
        return known
    issue = library.load(library.find(name, desk.root), desk.publication, desk.root)
    with desk.store.read() as tx:
        return tx.campaigns.by_key(issue.key)


def freeze(name: str, desk: Desk, *, approval: Mapping[str, object] | None, again: str) -> Campaign:
    """Plan now, compare with the approval, and freeze content and audience in one transaction."""
    agreed(desk)
    made, ready = plan(name, desk, again=again)
    if approval is not None:
        approved(approval, made, desk)
    with desk.store.begin() as tx:
        return tx.campaigns.freeze(draft(made, ready, desk), desk.now())


def draft(made: Plan, ready: Proof, desk: Desk) -> Draft:
    """What the freeze writes down."""
    return Draft(
        key=made.issue,
        pid=ids.pid(desk.entropy),
        subject=made.subject,
        segments=made.segments,
        topics=topics_of(made.segments, desk.publication.segments),
        content_sha256=ready.sha256,
        source_sha256=ready.source_sha256,
        provider=desk.provider.name,
        batch_size=batch_size(desk),
        archive=ready.page,
        excluded=made.excluded,
        plan_hash=made.hash,
        emails={"all": ready.frozen},
    )


def _run(run: _Run, seconds: float | None) -> Report:
    desk, campaign = run.desk, run.campaign
    deadline = time.monotonic() + seconds if seconds is not None else None
    with desk.store.begin() as tx:
        tx.campaigns.start(campaign.id, desk.now())
        tx.campaigns.reap(campaign.id, desk.now(), everyone=True)  # we alone may send: their owners are gone
    ask_again(campaign, desk)
    with desk.store.read() as tx:
        run.done = campaign.audience - tx.campaigns.counts(campaign.id, desk.now()).pending
    while True:
        _all_threads(run, deadline)
        ask_again(campaign, desk)
        if run.stop.is_set() or not _wait_for_more(run, deadline):
            break
    with desk.store.begin() as tx:
        finished = tx.campaigns.finish(campaign.id, desk.now())
        counts = tx.campaigns.counts(campaign.id, desk.now())
        now_stands = tx.campaigns.by_key(campaign.key) or campaign
    if run.fatal:
        raise run.fatal
    return Report(now_stands, counts, run.sent, finished, run.why)


def _all_threads(run: _Run, deadline: float | None) -> None:
    threads = max(1, min(run.desk.pace.threads, run.campaign.batches))
    with ThreadPoolExecutor(threads, thread_name_prefix="sender") as pool:
        for future in [pool.submit(_work, run, deadline) for _ in range(threads)]:
            future.result()


def _work(run: _Run, deadline: float | None) -> None:
    """One sender thread: claim, deliver, record, until there is nothing to claim."""
    desk = run.desk
    while not run.stop.is_set():
        if deadline is not None and time.monotonic() >= deadline:
            run.halt("the time given was over")
            return
        _respect_rate(run)
        with desk.store.begin() as tx:
            claim = tx.campaigns.claim(
                run.campaign.id, run.owner, desk.now(), lease=desk.pace.lease, way_out=desk.links.unsubscribe
            )
        if claim is None:
            return
        result = _deliver(run, claim)
        if result is not None:
            _record(run, claim, result)


def _respect_rate(run: _Run) -> None:
    """Wait until the shared rate row lets another batch go (taken before the claim, never held in it)."""
    desk = run.desk
    rate = rate_of(desk)
    if rate is None:
        return
    with desk.store.begin() as tx:
        pause = tx.limits.take(desk.provider.name, batch_size(desk), rate, now=desk.now().timestamp())
    run.stop.wait(pause)


def _deliver(run: _Run, claim: Claim) -> BatchResult | None:
    """The call itself, no transaction open. None when the lease was over before the first byte left."""
    desk = run.desk
    email = run.email(claim.variant)
    now = desk.now()
    with desk.store.read() as tx:
        if not tx.campaigns.holds(claim, run.owner, now):
            return None
    timeout = min(desk.pace.timeout, desk.pace.lease.total_seconds() / 2)
    batch = Batch(claim.recipients, at=now, tag=run.campaign.key)
    return deliver(desk.provider, email, batch, key=claim.key, timeout=timeout)


def _record(run: _Run, claim: Claim, result: BatchResult) -> None:
    desk = run.desk
    pause = timedelta(seconds=result.retry_after) if result.retry_after else wait(claim.attempt)
    retries = any(outcome.status is Status.RETRY for outcome in result.outcomes)
    with desk.store.begin() as tx:
        tx.campaigns.record(claim, result.outcomes, not_before=desk.now() + pause if retries else None)
        if result.retry_after:
            tx.limits.push(desk.provider.name, result.retry_after, now=desk.now().timestamp())
    with run.lock:
        run.sent += sum(outcome.status is Status.SUBMITTED for outcome in result.outcomes)
        run.done += sum(outcome.status is not Status.RETRY for outcome in result.outcomes)
        run.progress(run.done, run.campaign.audience)
    if result.halt:
        detail = next((outcome.detail for outcome in result.outcomes if outcome.detail), "")
        run.halt(result.halt, _halted(result.halt, desk.provider.name, detail))


def _halted(why: str, provider: str, detail: str) -> NewsletterError:
    """Why a provider stopped the run, as an error that says what to do; what was not sent stays to be sent."""
    said = f" {detail}" if detail else ""
    if why == "auth":
        return ProviderError(
            f"{provider} refused our credentials.{said}", "Correct them, then run again: nothing is lost."
        )
    if why == "account":
        return ProviderError(
            f"{provider} does not take our mail.{said}", "Correct that, then run again: nothing is lost."
        )
    if why == "quota":
        return WorkLeft(f"{provider} has no room for more now.{said}", "Run again when it has: nothing is lost.")
    return WorkLeft(
        f"The {provider} adapter did not answer as it must.{said}", "See: newsletter status. Please report this."
    )


def ask_again(campaign: Campaign, desk: Desk) -> int:
    """Ask the provider about every batch whose answer was lost; how many rows were settled.

    Nothing is asked before the provider's settle time is over, as "not found" would mean nothing yet.
    """
    settled = 0
    with desk.store.read() as tx:
        open_ = tx.campaigns.uncertain(campaign.id)
        asked_at = {claim.n: tx.campaigns.claimed_at(claim) for claim in open_}
    settle_time = timedelta(seconds=_settle_seconds(desk))
    for claim in open_:
        since = asked_at[claim.n] or desk.now()
        if desk.now() < since + settle_time:
            continue
        outcomes = settle(desk.provider, Batch(claim.recipients, at=since, tag=campaign.key), key=claim.key)
        known = sum(outcome.status is not Status.UNKNOWN for outcome in outcomes)
        if known:
            with desk.store.begin() as tx:
                tx.campaigns.record(claim, outcomes)
            settled += known
    return settled


def _settle_seconds(desk: Desk) -> float:
    return desk.provider.capabilities.settle_seconds if desk.pace.settle is None else desk.pace.settle


def _wait_for_more(run: _Run, deadline: float | None) -> bool:
    """Whether there is more to do now, after waiting for it a little; notes why not."""
    desk = run.desk
    with desk.store.read() as tx:
        counts = tx.campaigns.counts(run.campaign.id, desk.now())
        moment = tx.campaigns.next_try(run.campaign.id)
        paused = tx.campaigns.paused_all() or _state(tx.campaigns.by_key(run.campaign.key)) is CampaignState.PAUSED
    if not counts.pending:
        return False
    if paused:
        run.why = run.why or "it was paused"
        return False
    pause = max(0.0, (moment - desk.now()).total_seconds()) if moment else 0.0
    if pause > LONGEST_WAIT or (deadline is not None and time.monotonic() + pause > deadline):
        run.why = run.why or f"the provider asked to wait until {moment:%H:%M:%S} UTC"
        return False
    return not run.stop.wait(pause)


def _state(campaign: Campaign | None) -> CampaignState | None:
    return campaign.state if campaign else None


def status(name: str, desk: Desk) -> tuple[Campaign, Counts, Mapping[str, int]]:
    """A campaign, its counts, and why rows did not receive. Raises: NotFound."""
    campaign = begun(name, desk)
    if campaign is None:
        raise NotFound(f"{name} has not been sent, nor begun.", f"To see what would happen: newsletter plan {name}")
    with desk.store.read() as tx:
        return campaign, tx.campaigns.counts(campaign.id, desk.now()), tx.campaigns.reasons(campaign.id)


def resolve(name: str, desk: Desk, *, as_: Status | None = None) -> tuple[int, Counts]:
    """Settle what is uncertain: the provider is asked first, then the operator's word counts.

    In: `as_` SUBMITTED (they have it) or RETRY (they do not), for rows the provider cannot tell of.
    Out: how many rows were settled, and the counts after.
    """
    campaign, _, _ = status(name, desk)
    with desk.store.only_one("sender") as alone:
        if not alone:
            raise WorkLeft("A sender is at work on this campaign.", "Wait for it; then run again.")
        with desk.store.begin() as tx:
            tx.campaigns.reap(campaign.id, desk.now(), everyone=True)
        settled = ask_again(campaign, desk)
        if as_ is not None:
            settled += _by_word(campaign, desk, as_)
        with desk.store.begin() as tx:
            tx.campaigns.finish(campaign.id, desk.now())
            return settled, tx.campaigns.counts(campaign.id, desk.now())


def _by_word(campaign: Campaign, desk: Desk, as_: Status) -> int:
    with desk.store.begin() as tx:
        open_ = tx.campaigns.uncertain(campaign.id)
        for claim in open_:
            rows = Batch(claim.recipients, at=desk.now())
            tx.campaigns.record(claim, all_of(rows, as_, detail="by the operator"))
    return sum(len(claim.recipients) for claim in open_)


def turn(name: str, desk: Desk, to: CampaignState) -> Campaign:
    """Pause or resume a campaign; it is read in every claim, so it acts within one batch.

    Raises: NotFound; NothingToDo when the campaign has ended.
    """
    campaign, _, _ = status(name, desk)
    if campaign.state not in {CampaignState.SENDING, CampaignState.PAUSED}:
        raise NothingToDo(f"{campaign.key} is {campaign.state}.")
    with desk.store.begin() as tx:
        tx.campaigns.set_state(campaign.id, to)
    return campaign
