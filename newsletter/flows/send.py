"""Send an issue to its frozen audience: every reader once.

In: an issue's name and somebody's agreement. Out: a report with the ledger's counts.
Touches the campaign's rows and the provider. Safe to kill and to run again: it continues where it stopped.

    freeze (one transaction) -> [claim (short transaction) -> deliver (none open) -> record (short transaction)]*

The guarantee lies in the ledger: the claim commits before the first byte leaves, and an answer that was
lost is asked for at the provider or left for a person, never guessed. That no other sender is at work is
convenient, not needed: where the right to send can be lost without dying (PostgreSQL), leases alone decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event, Lock

from newsletter.core import ids
from newsletter.core.campaign import Campaign, CampaignState, Claim, Counts, Draft, Plan, topics_of
from newsletter.core.delivery import Batch, BatchResult, Outcome, Status, all_of
from newsletter.core.email import Email, thaw
from newsletter.core.queue import MAX_ATTEMPTS, wait
from newsletter.errors import NewsletterError, NothingToDo, ProviderError, StoreBusy, WorkLeft
from newsletter.flows.deliver import deliver
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import Settling, ask_again, begun, same_provider, settling
from newsletter.flows.plan import able, agreed, approved, batch_size, plan, rate_of
from newsletter.flows.publish import Proof

LONGEST_WAIT = 60.0
"""Seconds. A pause as long as this, or longer, ends the run with work left."""

MOST_WAITS = 8
"""Shorter pauses in a row, with no reader's row settled between them, after which a run ends with work left."""

BRAKE = 20
"""Readers refused in a row with the same code, and nobody taken between: then it is us, not them."""

PATIENCE = (0.05, 0.5, 2.0, 5.0)
"""Seconds between attempts to write down an answer: it is known, and must not be lost to a busy database."""

Progress = Callable[[int, int], None]
"""Called after each batch with how many rows of the audience are done, and how many there are."""


@dataclass(frozen=True)
class Report:
    """What a run did. `sent` counts this run only; `counts` is the whole campaign.

    `settling` are the uncertain rows that can still be asked for: run again when its moment has come.
    """

    campaign: Campaign
    counts: Counts
    sent: int
    finished: bool
    why: str = ""  # why it stopped early, in words
    settling: Settling = field(default_factory=Settling)


@dataclass
class _Run:
    """One run's shared state between its threads."""

    desk: Desk
    campaign: Campaign
    owner: str
    emails: Mapping[str, Email]  # by variant, as frozen
    stop: Event = field(default_factory=Event)
    deadline: float | None = None  # by time.monotonic
    progress: Progress = lambda _done, _audience: None
    done: int = 0
    sent: int = 0
    claims: int = 0
    why: str = ""
    fatal: NewsletterError | None = None
    lock: Lock = field(default_factory=Lock)
    refused: tuple[str, int] = ("", 0)  # the code of the last refusals in a row, and how many

    def halt(self, why: str, fatal: NewsletterError | None = None) -> None:
        """Stop claiming, in all threads."""
        with self.lock:
            self.why = self.why or why
            self.fatal = self.fatal or fatal
        self.stop.set()

    def over(self, ahead: float = 0.0) -> bool:
        """Whether the run must end: told to, or its time is over, now or in `ahead` seconds."""
        if self.deadline is not None and time.monotonic() + ahead >= self.deadline:
            self.halt("the time given was over")
        return self.stop.is_set()

    def count(self, outcomes: Iterable[Outcome]) -> str:
        """Take note of a batch's outcomes; the code of a refusal that by now looks like everybody's, or ""."""
        with self.lock:
            code, row = self.refused
            for outcome in outcomes:
                self.sent += outcome.status is Status.SUBMITTED
                self.done += outcome.status is not Status.RETRY
                if outcome.status is Status.REJECTED:
                    code, row = outcome.code, (row + 1 if outcome.code == code else 1)
                elif outcome.status is Status.SUBMITTED:
                    row = 0
            self.refused = code, row
            self.progress(self.done, self.campaign.audience)
        return (code or "no code") if row >= BRAKE else ""


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
    Raises: all of `plan`; WorkLeft when another sender is at work, or sending is paused; NotApproved when
    what was frozen is not what would be sent.
    """
    with desk.store.only_one("sender") as alone:
        if not alone:
            raise WorkLeft("Another sender is at work on this database.", "Wait for it, or stop it; then run again.")
        _not_all_paused(desk)
        campaign = begun(name, desk) or freeze(name, desk, approval=approval, again=again)
        _may_continue(campaign, desk)
        with desk.store.read() as tx:
            emails = {variant: thaw(body) for variant, body in tx.campaigns.emails(campaign.id).items()}
        deadline = time.monotonic() + seconds if seconds is not None else None
        return _run(_Run(desk, campaign, ids.pid(desk.entropy), emails, stop or Event(), deadline, progress))


def _not_all_paused(desk: Desk) -> None:
    with desk.store.read() as tx:
        paused = tx.campaigns.paused_all()
    if paused:
        raise WorkLeft("All sending is paused.", "To go on: newsletter resume --all")


def _may_continue(campaign: Campaign, desk: Desk) -> None:
    """Refuse a campaign that cannot go (on) from here. Raises: NothingToDo, WorkLeft, ConfigurationError."""
    if campaign.state is CampaignState.FINISHED:
        raise NothingToDo(
            f"{campaign.key} was sent: all {campaign.audience} rows of its audience are final.",
            f"See: newsletter status {campaign.key}",
        )
    if campaign.state is CampaignState.CANCELLED:
        raise NothingToDo(f"{campaign.key} was cancelled.", f"See: newsletter status {campaign.key}")
    if campaign.state is not CampaignState.SENDING:
        raise WorkLeft(f"{campaign.key} is {campaign.state}.", f"To go on: newsletter resume {campaign.key}")
    same_provider(campaign, desk)
    able(desk, campaign.base_url)


def freeze(name: str, desk: Desk, *, approval: Mapping[str, object] | None, again: str) -> Campaign:
    """Plan now, compare with the approval, and freeze content and audience in one transaction."""
    agreed(desk)
    made, ready = plan(name, desk, again=again)
    if approval is not None:
        approved(approval, made, desk)
    written = draft(made, ready, desk)
    with desk.store.begin() as tx:
        heads = dict(tx.campaigns.headcount(written.topics))
        heads.pop("audience", None)
        return tx.campaigns.freeze(replace(written, excluded=heads), desk.now())


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
        variants=ready.variants,
        base_url=desk.links.base_url,
    )


def _run(run: _Run) -> Report:
    desk, campaign = run.desk, run.campaign
    with desk.store.begin() as tx:
        tx.campaigns.start(campaign.id, desk.now())
        tx.campaigns.reap(campaign.id, desk.now(), everyone=True)
    ask_again(campaign, desk)
    with desk.store.read() as tx:
        run.done = campaign.audience - tx.campaigns.counts(campaign.id, desk.now()).pending
    idle = _Idle()
    while True:
        _all_threads(run)
        with desk.store.begin() as tx:
            tx.campaigns.reap(campaign.id, desk.now(), everyone=False)
        ask_again(campaign, desk)
        if run.stop.is_set() or not _wait_for_more(run, idle):
            break
    with desk.store.begin() as tx:
        finished = tx.campaigns.finish(campaign.id, desk.now())
        counts = tx.campaigns.counts(campaign.id, desk.now())
        now_stands = tx.campaigns.by_key(campaign.key) or campaign
    if run.fatal:
        raise run.fatal
    why = run.why or ("it was told to stop" if run.stop.is_set() else "")
    return Report(now_stands, counts, run.sent, finished, why, settling(campaign, desk))


def _all_threads(run: _Run) -> None:
    threads = max(1, min(run.desk.pace.threads, run.campaign.batches))
    with ThreadPoolExecutor(threads, thread_name_prefix="sender") as pool:
        for future in [pool.submit(_work, run) for _ in range(threads)]:
            future.result()


@dataclass
class _Idle:
    """How often in a row somebody waited, with no row of the run settled between."""

    waits: int = 0
    done: int = -1
    claims: int = -1

    def again(self, run: _Run) -> bool:
        """Count one more; True when it is enough."""
        self.waits, self.done = (self.waits + 1 if self.done == run.done else 1), run.done
        return self.waits > MOST_WAITS


def _work(run: _Run) -> None:
    """One sender thread: claim, deliver, record, until there is nothing to claim. What breaks it stops all."""
    idle = _Idle()
    try:
        while not run.over() and _step(run, idle):
            pass
    except BaseException:
        run.halt("it broke off")
        raise


def _step(run: _Run, idle: _Idle) -> bool:
    """One batch, or one pause. False: there is nothing more to claim."""
    desk = run.desk
    if not _in_turn(run):
        return False
    now = desk.now()
    links = replace(desk.links, base_url=run.campaign.base_url or desk.links.base_url)
    with desk.store.begin() as tx:
        pause = tx.limits.pause(_held_back(desk), now=now.timestamp())
        claim = (
            None
            if pause
            else tx.campaigns.claim(run.campaign.id, run.owner, now, lease=desk.pace.lease, way_out=links.unsubscribe)
        )
    if pause:
        return _sit_out(run, pause, idle)
    if claim is None:
        return False
    run.claims += 1
    result = _deliver(run, claim)
    if result is None:
        return not _too_often(run, idle)
    _record(run, claim, result)
    return True


def _held_back(desk: Desk) -> str:
    """The row that says until when a provider wants no mail from anybody; its rate is another row."""
    return f"{desk.provider.name} holds back"


def _in_turn(run: _Run) -> bool:
    """Wait until the shared rate lets the next batch go. Nothing is taken of it for a batch that cannot go."""
    desk, now = run.desk, run.desk.now()
    rate = rate_of(desk)
    if rate is None:
        return True
    with desk.store.begin() as tx:
        size = tx.campaigns.next_size(run.campaign.id, now)
        if not size or tx.limits.pause(_held_back(desk), now=now.timestamp()):
            return True
        if run.over(tx.limits.pause(desk.provider.name, now=now.timestamp())):
            return False
        pause = tx.limits.take(desk.provider.name, size, rate, now=now.timestamp())
    run.stop.wait(pause)
    return not run.over()


def _sit_out(run: _Run, pause: float, idle: _Idle) -> bool:
    """Wait as the provider asked. False, and the run ends, when that is too long or too often."""
    until = run.desk.now() + timedelta(seconds=pause)
    if pause >= LONGEST_WAIT:
        run.halt(_asked_to_wait(run.desk, until))
        return False
    if _too_often(run, idle) or run.over(pause):
        return False
    run.stop.wait(pause)
    return True


def _too_often(run: _Run, idle: _Idle) -> bool:
    if idle.again(run):
        run.halt(f"nothing went forward in {MOST_WAITS} attempts")
        return True
    return False


def _asked_to_wait(desk: Desk, until: datetime) -> str:
    return f"{desk.provider.name} asked to wait until {until:%H:%M:%S} UTC"


def _deliver(run: _Run, claim: Claim) -> BatchResult | None:
    """The call itself, no transaction open. None when the lease would not last: then the batch is given back."""
    desk, now = run.desk, run.desk.now()
    timeout = min(desk.pace.timeout, desk.pace.lease.total_seconds() / 2)
    batch = Batch(claim.recipients, at=now, tag=run.campaign.key)
    with desk.store.read() as tx:
        ours = tx.campaigns.holds(claim, run.owner, now + timedelta(seconds=timeout))
    if not ours:  # this process stood still: no byte has left, so these rows are known
        unsent = all_of(batch, Status.RETRY, code="lease", detail="The claim was over before the first byte left.")
        _kept(run, claim, unsent, None)
        return None
    return deliver(desk.provider, run.emails[claim.variant], batch, key=claim.key, timeout=timeout)


def _record(run: _Run, claim: Claim, result: BatchResult) -> None:
    desk = run.desk
    personal = not result.halt and result.retry_after is None  # its readers were put off, not the run
    outcomes = [_final(outcome, claim) for outcome in result.outcomes] if personal else result.outcomes
    later = None
    if any(outcome.status is Status.RETRY for outcome in outcomes) and not result.halt:
        again = wait(claim.refusals + 1) if result.retry_after is None else timedelta(seconds=result.retry_after)
        later = desk.now() + again
    _kept(run, claim, outcomes, later, refused=personal, retry_after=result.retry_after)
    code = run.count(result.outcomes)
    if result.halt:
        detail = next((outcome.detail for outcome in result.outcomes if outcome.detail), "")
        run.halt(result.halt, _halted(result.halt, desk.provider.name, detail))
    if code:
        run.halt(
            f"the brake: {BRAKE} readers in a row were refused with the same answer ({code}), so it may be us they "
            f"mean; see: newsletter status {run.campaign.key}"
        )


def _final(outcome: Outcome, claim: Claim) -> Outcome:
    """A reader who is put off once more than we ask is refused, with the last answer."""
    if outcome.status is not Status.RETRY or claim.refusals + 1 < MAX_ATTEMPTS:
        return outcome
    return replace(outcome, status=Status.REJECTED, detail=f"put off {MAX_ATTEMPTS} times: {outcome.detail}")


def _kept(
    run: _Run,
    claim: Claim,
    outcomes: Iterable[Outcome],
    later: datetime | None,
    *,
    refused: bool = False,
    retry_after: float | None = None,
) -> None:
    """Write an answer down, trying again while the database is busy: the answer is known, and is not to be lost."""
    desk, splits = run.desk, run.desk.provider.capabilities.splits

    def write() -> None:
        with desk.store.begin() as tx:
            tx.campaigns.record(claim, tuple(outcomes), not_before=later, splits=splits, refused=refused)
            if retry_after:
                tx.limits.push(_held_back(desk), retry_after, now=desk.now().timestamp())

    for pause in PATIENCE:
        try:
            return write()
        except StoreBusy:
            time.sleep(pause)
    return write()


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


def _wait_for_more(run: _Run, idle: _Idle) -> bool:
    """Whether there is more to do now, after waiting for it a little; notes why not."""
    desk, now = run.desk, run.desk.now()
    with desk.store.read() as tx:
        pending = tx.campaigns.counts(run.campaign.id, now).pending
        stands = tx.campaigns.by_key(run.campaign.key)
        all_paused = tx.campaigns.paused_all()
        waiting, lapse = tx.campaigns.next_try(run.campaign.id), tx.campaigns.next_lapse(run.campaign.id)
        held = timedelta(seconds=tx.limits.pause(_held_back(desk), now=now.timestamp()))
    if not pending:
        return False
    if all_paused or stands is None or stands.state is not CampaignState.SENDING:
        run.halt(_stopped_by(stands, all_paused=all_paused))
        return False
    waiting = max(waiting, now + held) if waiting else None
    moment = min((one for one in (waiting, lapse) if one), default=None)
    pause = max(0.0, (moment - now).total_seconds()) if moment else 0.0
    if pause >= LONGEST_WAIT and moment != lapse:
        run.halt(_asked_to_wait(desk, moment or now))
        return False
    fruitless = run.claims == idle.claims and not pause
    idle.claims = run.claims
    if moment is None or fruitless:
        run.halt("what is left could not be claimed")
        return False
    if _too_often(run, idle) or run.over(pause):
        return False
    return not run.stop.wait(pause)


def _stopped_by(campaign: Campaign | None, *, all_paused: bool) -> str:
    if all_paused:
        return "all sending was paused"
    return f"it was {campaign.state}" if campaign else "its campaign is gone"
