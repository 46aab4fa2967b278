"""Send an issue to its frozen audience: every reader once.

In: an issue's name and somebody's agreement. Out: a report with the ledger's counts.
Touches the campaign's rows and the provider. Safe to kill and to run again: it continues where it stopped.

    freeze (one transaction) -> [claim (short transaction) -> deliver (none open) -> record (short transaction)]*

Where a call carries one reader, a thread claims, and records, as many batches at once as it hands over in a
quarter of a second: what a crash leaves uncertain is that, and no more.

The guarantee lies in the ledger: the claim commits before the first byte leaves, and an answer that was
lost is asked for at the provider or left for a person, never guessed. That no other sender is at work is
convenient, not needed: where the right to send can be lost without dying (PostgreSQL), leases alone decide.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock

from newsletter.core import ids
from newsletter.core.brake import Tally
from newsletter.core.bundle import Bundle
from newsletter.core.campaign import Answer, Campaign, CampaignState, Claim, Counts, Draft, Plan
from newsletter.core.delivery import Batch, BatchResult, Outcome, Status, all_of
from newsletter.core.email import Email, thaw
from newsletter.core.feedback import is_authentication
from newsletter.core.hand import FRESH, IN_HAND, Hand
from newsletter.core.queue import MAX_ATTEMPTS, wait
from newsletter.errors import NewsletterError, NotApproved, NotFound, NothingToDo, ProviderError, StoreBusy, WorkLeft
from newsletter.flows import approve, brake, owner, recover, report, seeds
from newsletter.flows.able import able, asked
from newsletter.flows.deliver import deliver
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import Settling, ask_again, begun, same_provider, settling
from newsletter.flows.plan import approved, bundle, letters_rate, plan, withdrawn

LONGEST_WAIT = 60.0
"""Seconds. A pause as long as this, or longer, ends the run with work left."""

MOST_WAITS = 8
"""Shorter pauses in a row, with no reader's row settled between them, after which a run ends with work left."""

_LOOK = 0.05
"""Seconds between two looks whether one more thread would help."""

_TURN = 0.2
"""Seconds. A thread that waits learns so soon that another has halted the run; of a stop it learns at once."""

_GLANCE = 2.0
"""Seconds. A run that waits looks again so often whether somebody has stopped it."""

BRAKE = 20
"""Readers refused in a row with the same code, and nobody taken between: then it is us, not them."""

Progress = Callable[[Campaign, int], None]
"""Called before the first batch and after each with the campaign and how many rows of its audience are done."""


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
    notes: tuple[str, ...] = ()  # what was said before the first byte left


@dataclass
class _Run:
    """One run's shared state between its threads."""

    desk: Desk
    campaign: Campaign
    owner: str
    emails: Mapping[str, Email]  # by variant, as frozen
    stop: Event = field(default_factory=Event)  # whoever calls may share it between runs: it is looked at, never set
    deadline: float | None = None  # by time.monotonic
    progress: Progress = lambda _campaign, _done: None
    notes: tuple[str, ...] = ()
    done: int = 0
    sent: int = 0
    taken: Tally = field(default_factory=Tally)  # what the provider said at once, from the first run on
    begun: bool = False
    told: Tally = field(default_factory=Tally)  # what it told afterwards,
    told_at: float = float("-inf")  # by time.monotonic
    accepted: Tally = field(default_factory=Tally)  # what somebody has let pass
    claims: int = 0
    why: str = ""
    fatal: NewsletterError | None = None
    lock: Lock = field(default_factory=Lock)
    halted: Event = field(default_factory=Event)
    refused: tuple[str, int] = ("", 0)  # the code of the last refusals in a row, and how many

    def halt(self, why: str, fatal: NewsletterError | None = None) -> None:
        """Stop claiming, in all threads."""
        with self.lock:
            self.why = self.why or why
            self.fatal = self.fatal or fatal
        self.halted.set()

    def ended(self) -> bool:
        """Whether nothing more is claimed: this run was halted, or whoever called says so, of all runs."""
        return self.halted.is_set() or self.stop.is_set()

    def rest(self, seconds: float) -> bool:
        """Wait, though not once the run has ended; whether it has."""
        while seconds > 0 and not self.ended():
            self.stop.wait(min(seconds, _TURN))
            seconds -= _TURN
        return self.ended()

    def over(self, ahead: float = 0.0) -> bool:
        """Whether the run must end: told to, or its time is over, now or in `ahead` seconds."""
        if self.deadline is not None and time.monotonic() + ahead >= self.deadline:
            self.halt("the time given was over")
        return self.ended()

    def count(self, outcomes: Sequence[Outcome]) -> str:
        """Take note of a batch's outcomes; the code of a refusal that by now looks like everybody's, or ""."""
        with self.lock:
            code, row = self.refused
            of = Counter([outcome.status for outcome in outcomes])
            refused = [outcome for outcome in outcomes if outcome.status is Status.REJECTED]
            self.taken = Tally(
                submitted=self.taken.submitted + of[Status.SUBMITTED],
                refused=self.taken.refused + len(refused),
                authentication=self.taken.authentication + sum(map(_is_ours, refused)),
            )
            self.sent += of[Status.SUBMITTED]
            self.done += len(outcomes) - of[Status.RETRY]
            if not refused and of[Status.SUBMITTED]:
                row = 0
            for outcome in outcomes if refused else ():
                if outcome.status is Status.REJECTED:
                    code, row = outcome.code, (row + 1 if outcome.code == code else 1)
                elif outcome.status is Status.SUBMITTED:
                    row = 0
            self.refused = code, row
            self.progress(self.campaign, self.done)
        return (code or "no code") if row >= BRAKE else ""


def _is_ours(outcome: Outcome) -> bool:
    """Whether a refusal says that our own authentication is broken."""
    return is_authentication(f"{outcome.code} {outcome.detail}")


def send(
    name: str,
    desk: Desk,
    *,
    approval: Mapping[str, object] | None = None,
    hold: bool = False,
    again: str = "",
    stop: Event | None = None,
    seconds: float | None = None,
    progress: Progress = lambda _campaign, _done: None,
) -> Report:
    """Send an issue, or continue what was begun.

    In: `approval`, a plan somebody agreed to, or None when they said yes to whatever is so now; `hold`, whether the
    settings' hold lies before the first byte (without it, one that lasts still is over); `stop` ends the run after
    the calls in flight; `seconds` is the longest the run may take.
    Raises: all of `plan`; WorkLeft when another sender is at work, or sending is paused; NotApproved when
    what was frozen is not what would be sent.
    """
    with desk.store.only_one("sender") as alone:
        if not alone:
            raise WorkLeft("Another sender is at work on this database.", "Wait for it, or stop it; then run again.")
        _not_all_paused(desk)
        notes: list[str] = []
        campaign = begun(name, desk)
        if campaign is None or (again.strip() and _withdrawn(campaign, desk)):
            campaign = freeze(name, desk, approval=approval, hold=hold, again=again, tell=notes.append)
        else:
            _may_continue(campaign, desk)
            if campaign.held_until and not hold:
                with desk.store.begin() as tx:
                    tx.brake.hold(campaign.id, None)
                campaign = replace(campaign, held_until=None)
            notes += asked(desk, _counts(campaign, desk).pending)
        return _begun(campaign, desk, stop, seconds, progress, notes)


def go_on(key: str, desk: Desk, *, stop: Event, seconds: float | None = None) -> Report:
    """Continue a campaign that is frozen, by its own key: no file is looked for, and a hold is kept.

    Raises: as `send`; NotFound.
    """
    with desk.store.only_one("sender") as alone:
        if not alone:
            raise WorkLeft("Another sender is at work on this database.", "Wait for it, or stop it; then run again.")
        _not_all_paused(desk)
        with desk.store.read() as tx:
            campaign = tx.campaigns.by_key(key)
        if campaign is None:
            raise NotFound(f"{key} has not been begun.", f"To see what would happen: newsletter plan {key}")
        _may_continue(campaign, desk)
        notes = asked(desk, _counts(campaign, desk).pending)
        return _begun(campaign, desk, stop, seconds, lambda _campaign, _done: None, notes)


def _begun(
    campaign: Campaign,
    desk: Desk,
    stop: Event | None,
    seconds: float | None,
    progress: Progress,
    notes: Sequence[str],
) -> Report:
    """Send what is frozen; whoever calls holds the right to."""
    with desk.store.read() as tx:
        emails = {variant: thaw(body) for variant, body in tx.campaigns.emails(campaign.id).items()}
    deadline = time.monotonic() + seconds if seconds is not None else None
    owner = ids.pid(desk.entropy)
    return _run(_Run(desk, campaign, owner, emails, stop or Event(), deadline, progress, tuple(notes)))


def _not_all_paused(desk: Desk) -> None:
    with desk.store.read() as tx:
        recover.refuse(tx)
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
        after_all = 'To send it after all: --again "why".' if _withdrawn(campaign, desk) else ""
        raise NothingToDo(f"{campaign.key} was cancelled.", after_all or f"See: newsletter status {campaign.key}")
    if campaign.state is not CampaignState.SENDING:
        why = f": {campaign.brake}" if campaign.brake else ""
        raise WorkLeft(f"{campaign.key} is {campaign.state}{why}.", f"To go on: newsletter resume {campaign.key}")
    same_provider(campaign, desk)
    able(desk, campaign.base_url)


def _withdrawn(campaign: Campaign, desk: Desk) -> bool:
    return withdrawn(campaign, _counts(campaign, desk))


def _counts(campaign: Campaign, desk: Desk) -> Counts:
    with desk.store.read() as tx:
        return tx.campaigns.counts(campaign.id, desk.now())


def freeze(
    name: str,
    desk: Desk,
    *,
    approval: Mapping[str, object] | None,
    again: str,
    hold: bool = False,
    tell: Callable[[str], None] = lambda _line: None,
) -> Campaign:
    """Plan now, compare with the approval, and freeze content and audience in one transaction.

    In: `hold`, whether it is held for as long as the settings say; `tell` is called with each thing to know that
    refuses nothing.
    """
    made, ready = plan(name, desk, again=again)
    return freeze_as(made, bundle(ready, desk), desk, approval=approval, again=again, hold=hold, tell=tell)


def freeze_as(
    made: Plan,
    ready: Bundle,
    desk: Desk,
    *,
    approval: Mapping[str, object] | None,
    again: str,
    hold: bool,
    tell: Callable[[str], None],
) -> Campaign:
    """Freeze what a plan was just made of. In and raises: as `freeze`."""
    try:
        yes = approve.required(made, ready, desk)
    except NotApproved:
        owner.tell(desk)  # whoever is asked for a yes learns of it now, where no server ticks
        raise
    for line in (*made.warnings, *(approved(approval, made, desk) if approval is not None else ()), *yes):
        tell(line)
    written = replace(draft(made, ready, desk), note=again.strip())
    with desk.store.begin() as tx:
        approve.not_stopped(tx, written.key)
        old = tx.campaigns.by_key(written.key)
        if old is not None and withdrawn(old, tx.campaigns.counts(old.id, desk.now())):
            tx.control.set_aside(old.id)
        heads = dict(tx.campaigns.headcount(written.topics))
        audience = heads.pop("audience", 0)
        first = desk.pace.canary.size(audience)
        exact = replace(written, excluded=heads, first=first, audience=audience)
        campaign = tx.campaigns.freeze(exact, desk.now())
        return brake.begin(tx, campaign, desk) if hold else campaign


def draft(made: Plan, ready: Bundle, desk: Desk) -> Draft:
    """What the freeze writes down."""
    return Draft(
        key=made.issue,
        pid=ids.pid(desk.entropy),
        subject=made.subject,
        segments=made.segments,
        topics=tuple(dict.fromkeys(topic for name in made.segments for topic in made.topics[name])),
        content_sha256=ready.sha256,
        source_sha256=ready.source_sha256,
        provider=desk.provider.name,
        batch_size=made.batch_size,
        archive=ready.archive,
        excluded=made.excluded,
        plan_hash=made.hash,
        variants=ready.variants,
        base_url=ready.base_url,
        due_at=datetime.fromisoformat(made.send_at) if made.send_at else None,
        timezone=made.timezone,
    )


def _run(run: _Run) -> Report:
    desk, campaign = run.desk, run.campaign
    held = campaign.held_until is not None and desk.now() < campaign.held_until
    with desk.store.begin() as tx:
        if not held:  # else nobody may see it yet
            tx.campaigns.start(campaign.id, desk.now())
        tx.campaigns.reap(campaign.id, desk.now(), everyone=True)
        tx.campaigns.wake(campaign.id, desk.now())
        tx.limits.shorten(_held_back(desk), now=desk.now().timestamp())
    ask_again(campaign, desk)
    with desk.store.read() as tx:
        counts = tx.campaigns.counts(campaign.id, desk.now())
        run.accepted = tx.brake.stands(campaign.id).accepted
    run.done, run.taken = campaign.audience - counts.pending, brake.counted(counts)
    run.progress(campaign, run.done)
    idle = _Idle()
    owner.tell(desk)
    while _passed(run):
        _begin(run, held=held)
        _all_threads(run)
        with desk.store.begin() as tx:
            tx.campaigns.reap(campaign.id, desk.now(), everyone=False)
        ask_again(campaign, desk)
        if run.ended() or not _wait_for_more(run, idle):
            break
    if not run.ended():
        seeds.sow(campaign, run.emails, seeds.LAST, desk)
    with desk.store.begin() as tx:
        finished = tx.campaigns.finish(campaign.id, desk.now())
        if finished:
            report.ended(tx, campaign, desk)
        counts = tx.campaigns.counts(campaign.id, desk.now())
        now_stands = tx.campaigns.by_key(campaign.key) or campaign
    owner.tell(desk)
    if run.fatal:
        raise run.fatal
    why = run.why or ("it was told to stop" if run.ended() else "")
    return Report(now_stands, counts, run.sent, finished, why, settling(campaign, desk), run.notes)


def _passed(run: _Run) -> bool:
    """Whether it may go (on): waits for a hold or a soak that is short, or ends within the time given."""
    while not run.ended():
        gate = brake.gate(run.campaign, run.desk, run.taken)
        if not gate.why:
            return True
        left = (gate.until - run.desk.now()).total_seconds() if gate.until else 0.0
        fits = left < LONGEST_WAIT if run.deadline is None else time.monotonic() + left < run.deadline
        if gate.until is None or not fits:
            run.halt(gate.why)
        else:
            run.rest(min(left, _GLANCE))
    return False


def _begin(run: _Run, *, held: bool) -> None:
    """Note that sending began, where it was held, and let the seeds see it before anybody else does."""
    if run.begun:
        return
    run.begun = True
    if held:
        with run.desk.store.begin() as tx:
            tx.campaigns.start(run.campaign.id, run.desk.now())
    seeds.sow(run.campaign, run.emails, seeds.FIRST, run.desk)


def _all_threads(run: _Run) -> None:
    """Send with one thread, and with one more for as long as the process mostly waits, up to the settings' number.

    Threads are for waiting: where a provider answers at once, each costs memory, and time when they contend.
    """
    threads = max(1, min(run.desk.pace.threads, run.campaign.batches))
    with _swept(), ThreadPoolExecutor(threads, thread_name_prefix="sender") as pool:
        working = [pool.submit(_work, run)]
        looked = time.monotonic(), _wanted()
        while wait_for(working, _LOOK).not_done:
            now = time.monotonic(), _wanted()
            if now[1] - looked[1] < (now[0] - looked[0]) / 2 and len(working) < threads:
                working.append(pool.submit(_work, run))
            looked = now
        for done in working:
            done.result()


def _wanted() -> float:
    """Seconds of a processor this process has used, and those it was ready for while others had it (Linux).

    Who stands in line for a busy machine does not wait for a provider: more threads would make the line longer.
    """
    stood = 0
    for told in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # the thread has just ended
            stood += int(told.read_text().split()[1])
    return time.process_time() + stood / 1e9


@contextmanager
def _swept() -> Iterator[None]:
    """Let nobody look for cycles in what was there before: each thousand readers would cause that."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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


def _hand(run: _Run) -> Hand:
    """Only one-reader batches are worth taking together; and where a rate is set, it is kept within a twentieth."""
    if run.campaign.batches < run.campaign.audience:
        return Hand(1)
    hand, rate = Hand.of(run.desk.provider.capabilities), letters_rate(run.desk)
    return hand if rate is None else Hand(max(1, min(hand.most, int(rate / 20))))


def _work(run: _Run) -> None:
    """One sender thread: claim, deliver, record, until there is nothing to claim. What breaks it stops all."""
    idle, hand = _Idle(), _hand(run)
    try:
        while not run.over() and _step(run, idle, hand):
            pass
    except BaseException:
        run.halt("it broke off")
        raise


def _step(run: _Run, idle: _Idle, hand: Hand) -> bool:
    """What a thread takes at once, or one pause. False: there is nothing more to claim."""
    desk, most = run.desk, hand.size
    if not _in_turn(run, most):
        return False
    now, lease = desk.now(), desk.pace.lease
    links = desk.links_of(run.campaign)
    claims: list[Claim] = []
    with desk.store.begin() as tx:
        pause = tx.limits.pause(_held_back(desk), now=now.timestamp())
        if not pause:
            way_out = links.unsubscribe
            claims = tx.campaigns.claims(run.campaign.id, run.owner, now, lease=lease, way_out=way_out, most=most)
    if pause:
        return _sit_out(run, pause, idle)
    if not claims:
        return False
    run.claims += len(claims)
    begun = time.monotonic()
    went = _deliver(run, claims)
    hand.took(len(claims), time.monotonic() - begun)
    return went or not _too_often(run, idle)


def _held_back(desk: Desk) -> str:
    """The row that says until when a provider wants no mail from anybody; its rate is another row."""
    return f"{desk.provider.name} holds back"


def _in_turn(run: _Run, most: int) -> bool:
    """Wait until the shared rate lets the next batches go. Nothing is taken of it for a batch that cannot go."""
    desk, now = run.desk, run.desk.now()
    rate = letters_rate(desk)
    if rate is None:
        return True
    with desk.store.begin() as tx:
        size = tx.campaigns.next_size(run.campaign.id, now, most)
        if not size or tx.limits.pause(_held_back(desk), now=now.timestamp()):
            return True
        if run.over(tx.limits.pause(desk.provider.name, now=now.timestamp())):
            return False
        pause = tx.limits.take(desk.provider.name, size, rate, now=now.timestamp())
    # no longer than for what all others may have in hand: a row further ahead was written by a clock that is wrong
    run.rest(min(pause, (2 * desk.pace.threads + 2) * size / rate))
    return not run.over()


def _sit_out(run: _Run, pause: float, idle: _Idle) -> bool:
    """Wait as the provider asked. False, and the run ends, when that is too long or too often."""
    until = run.desk.now() + timedelta(seconds=pause)
    if pause >= LONGEST_WAIT:
        run.halt(_asked_to_wait(run.desk, until))
        return False
    if _too_often(run, idle) or run.over(pause):
        return False
    run.rest(pause)
    return True


def _too_often(run: _Run, idle: _Idle) -> bool:
    if idle.again(run):
        run.halt(f"nothing went forward in {MOST_WAITS} attempts")
        return True
    return False


def _asked_to_wait(desk: Desk, until: datetime) -> str:
    return f"{desk.provider.name} asked to wait until {until:%H:%M:%S} UTC"


def _deliver(run: _Run, claims: Sequence[Claim]) -> bool:
    """The calls themselves, no transaction open while they last. False when none was made.

    Right before each it is certain, within `FRESH`, that the claim is ours still and nobody has paused: else no byte
    has left, its rows are known, and the batch is given back. An answer waits to be written down for as long as
    `IN_HAND` and the next call.
    """
    answers: list[Answer] = []
    written, ours, pause, begun = time.monotonic(), _Ours(run), None, 0
    try:
        for claim in claims:
            if (begun and run.over()) or not ours.still(claims[begun:]):
                break
            begun += 1
            result = _call(run, claim)
            answers.append(_answer(run, claim, result))
            _judge(run, result)
            if pause := result.retry_after:
                break
            if time.monotonic() - written > IN_HAND:
                _kept(run, answers)
                answers, written = [], time.monotonic()
    finally:  # whatever broke off, what is known is written down
        if answers := [*answers, *(_given_back(run, claim) for claim in claims[begun:])]:
            _kept(run, answers, retry_after=pause)
    return begun > 0


class _Ours:
    """Whether claims are ours and may go: asked of the database, and again when the answer is no longer fresh.

    Two clocks tell how old it is: one that nobody sets, and one that goes on while the machine sleeps.
    """

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._asked: tuple[float, datetime] | None = None
        self._numbers: set[int] = set()

    def still(self, claims: Sequence[Claim]) -> bool:
        """Whether the first of these may go now; the others are asked about with it."""
        desk, now, ticks = self._run.desk, self._run.desk.now(), time.monotonic()
        fresh = timedelta(seconds=FRESH)
        if self._asked is None or ticks - self._asked[0] > FRESH or not timedelta(0) <= now - self._asked[1] <= fresh:
            end = now + timedelta(seconds=desk.pace.call) + (fresh if len(claims) > 1 else timedelta(0))
            with desk.store.read() as tx:
                self._numbers = tx.campaigns.holds(claims, self._run.owner, end)
            self._asked = ticks, now
        return claims[0].n in self._numbers


def _call(run: _Run, claim: Claim) -> BatchResult:
    desk = run.desk
    batch = Batch(claim.recipients, at=desk.now(), tag=run.campaign.key)
    return deliver(desk.provider, run.emails[claim.variant], batch, key=claim.key, timeout=desk.pace.call)


def _given_back(run: _Run, claim: Claim) -> Answer:
    batch = Batch(claim.recipients, at=run.desk.now())
    why = "It was given back before the first byte left."
    return Answer(claim, all_of(batch, Status.RETRY, code="lease", detail=why))


def _answer(run: _Run, claim: Claim, result: BatchResult) -> Answer:
    """What to write down of a call's result."""
    personal = not result.halt and result.retry_after is None  # its readers were put off, not the run
    if all(outcome.status is Status.SUBMITTED for outcome in result.outcomes):
        return Answer(claim, result.outcomes, refused=personal)
    outcomes = tuple(_final(outcome, claim) for outcome in result.outcomes) if personal else result.outcomes
    later = None
    if any(outcome.status is Status.RETRY for outcome in outcomes) and not result.halt:
        again = wait(claim.refusals + 1) if result.retry_after is None else timedelta(seconds=result.retry_after)
        later = run.desk.now() + again
    return Answer(claim, outcomes, later, refused=personal)


def _judge(run: _Run, result: BatchResult) -> None:
    """Count a result, and stop the run when it says so."""
    code = run.count(result.outcomes)
    if result.halt:
        detail = next((outcome.detail for outcome in result.outcomes if outcome.detail), "")
        run.halt(result.halt, _halted(result.halt, run.desk.provider.name, detail))
    if code:
        run.halt(
            f"the brake: {BRAKE} readers in a row were refused with the same answer ({code}), so it may be us they "
            f"mean; see: newsletter status {run.campaign.key}"
        )
    if why := brake.judged(run.taken, _told(run), run.accepted, run.desk):
        stopped = brake.stop(run.campaign, why, run.desk)
        if stopped.why:
            run.halt(stopped.why)


def _told(run: _Run) -> Tally:
    """What providers told of the campaign by now, asked anew when it is older than `FRESH`."""
    with run.lock:
        if time.monotonic() - run.told_at < FRESH:
            return run.told
        run.told_at = time.monotonic()
    with run.desk.store.read() as tx:
        run.told = tx.brake.told(run.campaign.id)
    return run.told


def _final(outcome: Outcome, claim: Claim) -> Outcome:
    """A reader who is put off once more than we ask is refused, with the last answer."""
    if outcome.status is not Status.RETRY or claim.refusals + 1 < MAX_ATTEMPTS:
        return outcome
    return outcome._replace(status=Status.REJECTED, detail=f"put off {MAX_ATTEMPTS} times: {outcome.detail}")


def _kept(run: _Run, answers: Sequence[Answer], *, retry_after: float | None = None) -> None:
    """Write answers down, trying again while the database is busy: they are known, and are not to be lost."""
    desk, splits = run.desk, run.desk.provider.capabilities.splits

    def write() -> None:
        with desk.store.begin() as tx:
            tx.campaigns.record_all(answers, splits=splits)
            if retry_after:
                tx.limits.push(_held_back(desk), retry_after, now=desk.now().timestamp())

    for pause in desk.pace.patience:
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
        pending = tx.campaigns.has_more(run.campaign.id)
        stands = tx.campaigns.by_key(run.campaign.key)
        all_paused = tx.campaigns.paused_all()
        first = tx.brake.stands(run.campaign.id)
        waiting, lapse = tx.campaigns.next_try(run.campaign.id), tx.campaigns.next_lapse(run.campaign.id)
        held = timedelta(seconds=tx.limits.pause(_held_back(desk), now=now.timestamp()))
    if not pending:
        return False
    if all_paused or stands is None or stands.state is not CampaignState.SENDING:
        run.halt(_stopped_by(stands, all_paused=all_paused))
        return False
    if first.through and not first.released:
        return True  # what the rest waits for, the gate knows
    waiting = max(waiting, now + held) if waiting else None
    moment = min((one for one in (waiting, lapse) if one), default=None)
    pause = max(0.0, (moment - now).total_seconds()) if moment else 0.0
    if pause >= LONGEST_WAIT and moment != lapse:
        run.halt(_asked_to_wait(desk, moment or now))
        return False
    fruitless = run.claims == idle.claims and not pause
    idle.claims = -1 if pause else run.claims
    if moment is None or fruitless:
        run.halt("what is left could not be claimed")
        return False
    return not (_too_often(run, idle) or run.over(pause) or run.rest(pause))


def _stopped_by(campaign: Campaign | None, *, all_paused: bool) -> str:
    if all_paused:
        return "all sending was paused"
    return f"it was {campaign.state}" if campaign else "its campaign is gone"
