"""One more copy for a reader who asked for it: the campaign's frozen mail, written down beside the campaign.

In: an issue that was sent, one address, the reason. Out: what the provider said. Touches `resends` and the
provider. The row is written before the first byte leaves, so however it ends, there is one a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from newsletter.content.variants import EVERYBODY
from newsletter.core import address, ids
from newsletter.core.campaign import Campaign, CampaignState
from newsletter.core.consent import State, Subscriber
from newsletter.core.delivery import Batch, Outcome, Recipient
from newsletter.core.email import thaw
from newsletter.core.redact import redacted
from newsletter.errors import NotApproved, NotFound, NothingToDo, WorkLeft
from newsletter.flows import recover
from newsletter.flows.able import able
from newsletter.flows.deliver import deliver
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import status
from newsletter.ports import Transaction

EVERY = timedelta(days=1)
"""How long after one copy of an issue the same reader may get another."""

_STILL_TO_COME = "pending"


@dataclass(frozen=True)
class Copy:
    """One more copy: of which campaign, and what the provider said."""

    campaign: Campaign
    outcome: Outcome


@dataclass(frozen=True)
class _Ready:
    campaign: Campaign
    reader: Subscriber
    key: str
    body: str


def resend(name: str, to: str, desk: Desk, *, why: str) -> Copy:
    """Send an issue's frozen mail to one active reader once more.

    Readers who were not in its audience get it as readers of no named segment do. Raises: AddressRefused; NotFound for
    an issue that was not sent, or an address nobody has; NotApproved for a reader who is not active or had a copy
    within a day, and for a campaign that was cancelled; NothingToDo when the reader's own copy is still to come;
    WorkLeft when sending is paused; ConfigurationError.
    """
    who = address.parse(to)
    campaign, _, _ = status(name, desk)
    able(desk, campaign.base_url)
    with desk.store.begin() as tx:
        _may_go(tx, campaign)
        reader = _reader(tx, desk.hmac(who))
        variant = _asked(tx, campaign, reader, desk)
        ready = _Ready(campaign, reader, f"again-{ids.pid(desk.entropy)}", tx.campaigns.email(campaign.id, variant))
        through, now = desk.provider.name, desk.now()
        tx.resends.add(ready.key, campaign.id, reader.id, why=redacted(why), provider=through, now=now)
    return Copy(campaign, _sent(ready, desk))


def _may_go(tx: Transaction, campaign: Campaign) -> None:
    recover.refuse(tx)
    if campaign.state is CampaignState.CANCELLED:
        raise NotApproved(f"{campaign.key} was cancelled: nobody gets it any more.")
    if tx.campaigns.paused_all():
        raise WorkLeft("All sending is paused.", "To go on: newsletter resume --all")
    if campaign.state is CampaignState.PAUSED:
        raise WorkLeft(f"{campaign.key} is paused.", f"To go on: newsletter resume {campaign.key}")


def _reader(tx: Transaction, hmac: str) -> Subscriber:
    """The reader, held until the copy is written down: of two who ask at once, one is first."""
    tx.audience.hold(hmac)
    reader = tx.audience.by_hmac(hmac, held=True)
    if tx.audience.suppression(hmac) is not None or (reader is not None and reader.state is not State.ACTIVE):
        raise NotApproved("This reader is not active, and nothing is sent to them.", "Their own new signup changes it.")
    if reader is None:
        raise NotFound("There is no subscriber with this address.", "See: newsletter subscribers list")
    return reader


def _asked(tx: Transaction, campaign: Campaign, reader: Subscriber, desk: Desk) -> str:
    """The variant the reader gets. Raises: NothingToDo, NotApproved when it is not the time for a copy."""
    own = tx.resends.delivery(campaign.id, reader.id, desk.now())
    stands, variant = own or ("", EVERYBODY)
    if stands == _STILL_TO_COME:
        raise NothingToDo(
            f"This reader's own copy of {campaign.key} is still to go.", f"See: newsletter status {campaign.key}"
        )
    last = tx.resends.last(campaign.id, reader.id)
    if last is not None and desk.now() - last < EVERY:
        raise NotApproved(
            f"This reader was sent a copy of {campaign.key} at {last:%Y-%m-%d %H:%M} UTC, and there is one a day.",
            "Ask them to look among junk mail; or try again a day later.",
        )
    return variant


def _sent(ready: _Ready, desk: Desk) -> Outcome:
    reader, campaign = ready.reader, ready.campaign
    links = desk.links_of(campaign)
    values = {"first_name": reader.first_name, "last_name": reader.last_name}
    row = Recipient(ready.key, reader.email, values, links.unsubscribe(reader.unsubscribe_token))
    batch = Batch((row,), at=desk.now(), tag=campaign.key)
    result = deliver(desk.provider, thaw(ready.body), batch, key=ready.key, timeout=desk.pace.timeout)
    outcome = result.outcomes[0]
    with desk.store.begin() as tx:
        note = f"{outcome.code} {outcome.detail}".strip()
        tx.resends.settle(ready.key, outcome.status, message_id=outcome.message_id, note=note)
    return outcome
