"""Copies of each letter to addresses of the house's own (`seeds` of newsletter.yml): the first, and the last.

In: a campaign and its frozen mail. Out: nothing. Touches `seedings` and the provider; the campaign's rows and counts
know nothing of them. A copy is written down before its first byte leaves, so no seed gets one twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.content.variants import EVERYBODY
from newsletter.core import address, ids
from newsletter.core.campaign import Campaign
from newsletter.core.delivery import Batch, Recipient, Status
from newsletter.core.email import Email
from newsletter.flows.deliver import deliver
from newsletter.flows.desk import Desk

FIRST, LAST = "first", "last"

WAY_OUT = "a-seed-of-nobody"
"""Stands where a reader's own credential stands: the page it leads to answers as for any link."""


def sow(campaign: Campaign, emails: Mapping[str, Email], turn: str, desk: Desk) -> int:
    """Send each seed its copy of this turn, unless it was sent one; how many the provider took.

    An address that left, bounced or complained gets none, seed or not.
    """
    email = emails.get(EVERYBODY) or next(iter(emails.values()))
    return sum(_sown(campaign, email, turn, seed, desk) for seed in desk.publication.seeds)


def _sown(campaign: Campaign, email: Email, turn: str, seed: str, desk: Desk) -> bool:
    who = address.parse(seed)
    hmac, key = desk.hmac(who), f"seed-{ids.pid(desk.entropy)}"
    with desk.store.begin() as tx:
        held = tx.audience.suppression(hmac) is not None
        if held or not tx.brake.seed(campaign.id, turn, hmac, key, desk.now()):
            return False
    links = desk.links_of(campaign)
    batch = Batch((Recipient(key, who.typed, {}, links.unsubscribe(WAY_OUT)),), at=desk.now(), tag=campaign.key)
    outcome = deliver(desk.provider, email, batch, key=key, timeout=desk.pace.timeout).outcomes[0]
    with desk.store.begin() as tx:
        if outcome.status is Status.RETRY:
            tx.brake.unseed(key)
        else:
            tx.brake.seeded(key, outcome.status, outcome.message_id)
    return outcome.status is Status.SUBMITTED
