"""What holds a campaign back: an approval's hold, the first slice and its soak, the brake, the owner's Stop.

In: a campaign, and what a run knows of it. Out: whether it may go on, until when it must not, or why it stopped.
Touches the campaign's row and what the owner is to be told; nothing is sent here.

    frozen -[hold]-> first slice -[soak: are bounces, complaints and silence bearable?]-> the rest
                     stopped by itself, for a reason -[resume: what was counted is accepted]-> on from there
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from newsletter.core import ids
from newsletter.core.brake import Tally, silent, stops
from newsletter.core.campaign import Campaign, CampaignState, Counts
from newsletter.core.halt import Gate, Standing, Told
from newsletter.core.links import Purpose
from newsletter.core.pace import HOLD
from newsletter.core.review import Person, Role
from newsletter.errors import LinkExpired, LinkRefused, NotFound
from newsletter.flows import hear, people
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction

SILENT = "no delivery events received: webhooks?"
"""Why a run stops of whose first slice too little was heard."""

HELD, STOPPED, PAUSED = "held", "stopped", "paused"


def hears(desk: Desk) -> bool:
    """Whether events can come of what the provider for letters took; where not, waiting for them is in vain.

    A provider that could tell and has no webhook set up here is deaf too: a plan says so.
    """
    return desk.provider.name in desk.reports


def deaf(desk: Desk) -> str:
    """What to tell of a provider that could report and is not set up to; empty when all is well."""
    if hears(desk) or desk.provider.capabilities.webhook_auth == "none":
        return ""
    return f"No webhooks of {desk.provider.name} are set up: what becomes of the mail will not be known."


def hold_of(desk: Desk) -> timedelta:
    """How long lies between an approval and the first byte: as set, else nothing where no mail leaves this machine."""
    if desk.pace.hold is not None:
        return desk.pace.hold
    return HOLD if desk.provider.capabilities.network else timedelta(0)


def begin(tx: Transaction, campaign: Campaign, desk: Desk) -> Campaign:
    """Hold a campaign that was frozen just now, and let the owner be told; in the transaction of the freeze."""
    span = hold_of(desk)
    if not span:
        return campaign
    until = desk.now() + span
    tx.brake.hold(campaign.id, until)
    tx.brake.notice(ids.pid(desk.entropy), campaign.id, HELD, until.isoformat(), desk.now())
    return replace(campaign, held_until=until)


# --- may it go on? ---------------------------------------------------------------------------------


def gate(campaign: Campaign, desk: Desk, taken: Tally) -> Gate:
    """Whether a campaign may go on now; what has come due is done: a soak begins, the rest is let go, or it stops.

    In: `taken`, how many the provider took and refused so far.
    """
    with desk.store.read() as tx:
        stands, told = tx.brake.stands(campaign.id), tx.brake.told(campaign.id)
    now = desk.now()
    if stands.state is not CampaignState.SENDING:
        return Gate(stands.brake or f"it was {stands.state}")
    if stands.held_until and now < stands.held_until:
        return Gate(f"held until {_clock(stands.held_until)}", stands.held_until)
    if why := judged(taken, told, stands.accepted, desk):
        return stop(campaign, why, desk)
    if stands.released or not stands.through:
        return Gate()
    return _soaked(campaign, stands, taken, desk)


def _soaked(campaign: Campaign, stands: Standing, taken: Tally, desk: Desk) -> Gate:
    """The first slice is through: the rest waits for what is told of it. As small as it is, it is judged whole."""
    now, whole = desk.now(), taken.submitted + taken.refused
    until = stands.soak_until
    if until is None:
        until = now + (desk.pace.canary.soak if hears(desk) else timedelta(0))
        with desk.store.begin() as tx:
            tx.brake.soak(campaign.id, until)
    if now < until:
        return Gate(f"soaking until {_clock(until)}", until)
    if hears(desk) and desk.pace.canary.soak:
        hear.read(desk)  # what came in by now counts
        with desk.store.read() as tx:
            told = tx.brake.told(campaign.id, heard=True)
        mute = silent(replace(told, submitted=taken.submitted))
        why = judged(taken, told, stands.accepted, desk, most=whole) or (SILENT if mute else "")
        if why:
            return stop(campaign, why, desk)
    with desk.store.begin() as tx:
        tx.brake.release(campaign.id, now)
    return Gate()


def judged(taken: Tally, told: Tally, accepted: Tally, desk: Desk, *, most: int | None = None) -> str:
    """Why a run must stop, in words; "" while it may.

    In: what the run knows, what was told, what was let pass; `most`, how many readers there are to judge by for now.
    """
    limits = desk.pace.brake
    if most is not None:
        limits = replace(limits, after=min(limits.after, most))
    return stops(_tally(taken, told).since(accepted), limits)


def _tally(taken: Tally, told: Tally) -> Tally:
    """Both together: whoever was taken and refused later counts as refused."""
    return replace(
        told,
        submitted=max(0, taken.submitted - told.refused),
        refused=taken.refused + told.refused,
        authentication=taken.authentication + told.authentication,
    )


def stop(campaign: Campaign, why: str, desk: Desk) -> Gate:
    """Pause a campaign by itself, and let the owner be told. Open when there was nothing left to stop."""
    with desk.store.begin() as tx:
        if not tx.brake.stop(campaign.id, why):
            return Gate()
        tell_all(tx, campaign, STOPPED, why, desk)
    return Gate(why)


def tell_all(tx: Transaction, campaign: Campaign, kind: str, said: str, desk: Desk) -> None:
    """Let the owner, and every editor, be told something of a campaign."""
    for person in people.everyone(desk) or (Person(Role.OWNER),):
        tx.brake.notice(ids.pid(desk.entropy), campaign.id, kind, said, desk.now(), person.code)


def accept(tx: Transaction, campaign: Campaign, desk: Desk) -> None:
    """Somebody lets a campaign go on that stopped by itself: what was counted so far is no reason any more."""
    stands = tx.brake.stands(campaign.id)
    if not stands.brake or stands.state is not CampaignState.PAUSED:
        return
    told, now = tx.brake.told(campaign.id), desk.now()
    tx.brake.accept(campaign.id, _tally(counted(tx.campaigns.counts(campaign.id, now)), told))
    if stands.through and stands.soak_until and stands.soak_until <= now:
        tx.brake.release(campaign.id, now)


def told(campaign: Campaign, desk: Desk) -> Told:
    """What is known afterwards of a campaign's readers."""
    with desk.store.read() as tx:
        tally, mute = tx.brake.told(campaign.id, heard=True), tx.brake.unreported(campaign.id)
    return Told(tally.heard, tally.bounced, tally.complained if tally.heard else None, mute)


def counted(counts: Counts) -> Tally:
    """What the ledger knows of what the provider said at once."""
    return Tally(submitted=counts.submitted, refused=counts.failed)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC" if not moment.second else f"{moment:%H:%M:%S} UTC"


# --- the owner's Stop ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stoppable:
    """A campaign as the owner's Stop page shows it: `open` while there is something to stop."""

    campaign: Campaign
    counts: Counts

    @property
    def open(self) -> bool:
        """Whether it would go on."""
        return self.campaign.state is CampaignState.SENDING


def look(token: str, desk: Desk) -> Stoppable:
    """The campaign a Stop link is for. Changes nothing (promise 5). Raises: LinkRefused, NotFound."""
    with desk.store.read() as tx:
        return _behind(tx, token, desk)


def press(token: str, desk: Desk) -> Stoppable:
    """Pause the campaign a Stop link is for; it acts within one batch. Again, or after its end, nothing happens.

    Raises: LinkRefused, NotFound.
    """
    with desk.store.begin() as tx:
        found = _behind(tx, token, desk)
        if found.open:
            pause(tx, found.campaign, "stop", desk)
        return _behind(tx, token, desk)


def pause(tx: Transaction, campaign: Campaign, by: str, desk: Desk) -> None:
    """Somebody stops a campaign; the people of the house are told. In: who, as a code or a word."""
    if tx.campaigns.set_state(campaign.id, CampaignState.PAUSED):
        tell_all(tx, campaign, PAUSED, by, desk)


def _behind(tx: Transaction, token: str, desk: Desk) -> Stoppable:
    try:
        payload = desk.links.read(Purpose.STOP, token, desk.now())
    except LinkExpired:
        raise NotFound("This link has grown too old.", "To stop a letter: newsletter pause ISSUE") from None
    except LinkRefused:
        raise NotFound("This link is not complete, or not ours.", "Open it again from the mail.") from None
    key = tx.brake.key_of(payload[0]) if len(payload) == 1 else None
    campaign = tx.campaigns.by_key(key) if key is not None else None
    if campaign is None:
        raise NotFound("There is no such letter any more.")
    return Stoppable(campaign, tx.campaigns.counts(campaign.id, desk.now()))
