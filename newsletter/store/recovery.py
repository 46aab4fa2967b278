"""A database that came back from a copy: what it takes for not yet done may have been done since.

Nothing of it is guessed: it becomes uncertain, as after a lost answer, and is asked about or decided by somebody.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, and_, bindparam, func, select, update

from newsletter.core.campaign import BatchState, CampaignState
from newsletter.core.queue import MailState
from newsletter.store import numbers
from newsletter.store.schema import (
    batches,
    campaigns,
    events,
    mail_queue,
    old_links,
    subscribers,
    suppressions,
    unsubscribe_links,
)

_AT_ONCE = 5000


class Recovery:
    """What is done once after a restore, within a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def skip_numbers(self) -> None:
        """Let no row get a number that may have been given out after the copy was made: links name rows by them."""
        numbers.skip(self._sql)

    def doubt(self) -> tuple[int, int]:
        """Batches and mails that were still to go become uncertain; how many of each."""
        going = campaigns.c.state.in_([CampaignState.SENDING, CampaignState.PAUSED])
        open_ = and_(
            batches.c.state.in_([BatchState.PENDING, BatchState.CLAIMED]),
            batches.c.campaign_id.in_(campaigns.select().with_only_columns(campaigns.c.id).where(going)),
        )
        lost = {"state": BatchState.UNCERTAIN, "unknown": True, "owner": None, "note": "restored"}
        count = self._sql.execute(update(batches).where(open_).values(lost)).rowcount
        waiting = mail_queue.c.state.in_([MailState.WAITING, MailState.CLAIMED])
        mails = update(mail_queue).where(waiting).values(state=MailState.UNCERTAIN, owner=None, note="restored")
        return count, self._sql.execute(mails).rowcount

    def rekey(self, fingerprint: Callable[[str], str | None]) -> tuple[int, int]:
        """Everybody whose address is known, under another key; how many, and how many suppressions are nobody's now.

        In: the fingerprint of an address under the new key, None for what is no address.
        """
        last, count = 0, 0
        before = self._sql.scalar(select(func.count(suppressions.c.address_hmac.distinct()))) or 0
        kept = 0
        known = select(subscribers.c.id, subscribers.c.email, subscribers.c.address_hmac).order_by(subscribers.c.id)
        while page := self._sql.execute(known.where(subscribers.c.id > last).limit(_AT_ONCE)).all():
            last = page[-1].id
            pairs = [{"was": row.address_hmac, "now": new} for row in page if (new := fingerprint(row.email))]
            if not pairs:
                continue
            held = suppressions.c.address_hmac.in_([pair["was"] for pair in pairs])
            kept += len(self._sql.execute(select(suppressions.c.address_hmac).distinct().where(held)).all())
            for table in (subscribers, suppressions, unsubscribe_links, old_links, events):
                column = table.c.address_hmac
                self._sql.execute(
                    update(table).where(column == bindparam("was")).values({column: bindparam("now")}), pairs
                )
            count += len(pairs)
        return count, before - kept
