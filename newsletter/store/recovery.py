"""A database that came back from a copy: what it takes for not yet done may have been done since.

Nothing of it is guessed: it becomes uncertain, as after a lost answer, and is asked about or decided by somebody.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, update

from newsletter.core.campaign import BatchState, CampaignState
from newsletter.core.queue import MailState
from newsletter.store.schema import batches, campaigns, mail_queue


class Recovery:
    """What is done once after a restore, within a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

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
