"""What people ask of a campaign beyond its counts, within one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, exists, func, or_, select, type_coerce, update

from newsletter.core.campaign import BatchState
from newsletter.core.consent import State
from newsletter.store.conditions import is_suppressed, stands
from newsletter.store.schema import batches, campaigns, deliveries, subscriber_topics, subscribers

FIELDS = {"first_name": subscribers.c.first_name, "last_name": subscribers.c.last_name}
"""What is known of a reader that a merge tag may name."""


_ROWS_AT_ONCE = 10_000


class Control:
    """Questions about a campaign, and the two things that are done to one as a whole."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def without_value(self, topics: Sequence[str], fields: Collection[str], most: int) -> tuple[int, list[str]]:
        """Readers for whom a merge tag without a word of its own would stand empty.

        In: who receives; the fields of such tags. Out: how many they are, and the pids of the first `most`. A
        reader without a way out is one of them, whatever the fields. A field nobody has is everybody's.
        """
        empty = [subscribers.c.unsubscribe_token == ""]
        for field in fields:
            column = FIELDS.get(field)
            empty.append(subscribers.c.id.is_not(None) if column is None else func.trim(column) == "")
        asked = exists().where(
            subscriber_topics.c.subscriber_id == subscribers.c.id, subscriber_topics.c.topic.in_(topics)
        )
        state = func.coalesce(subscribers.c.state, "")  # not by its index: nearly all are active, and nobody is empty
        theirs = and_(or_(*empty), state == State.ACTIVE, asked, ~is_suppressed())
        count = self._sql.execute(select(func.count()).select_from(subscribers).where(theirs)).scalar_one()
        if not count:
            return 0, []
        return count, list(
            self._sql.scalars(select(subscribers.c.pid).where(theirs).order_by(subscribers.c.id).limit(most))
        )

    def last_claim(self, campaign_id: int) -> datetime | None:
        """When the last batch was taken that may have left: whoever left the list before was still spared."""
        sent = and_(
            batches.c.campaign_id == campaign_id, batches.c.state.not_in([BatchState.PENDING, BatchState.CANCELLED])
        )
        query = select(type_coerce(func.max(batches.c.claimed_at), batches.c.claimed_at.type)).where(sent)
        found: datetime | None = self._sql.execute(query).scalar_one()
        return found

    def cancelled(self, campaign_id: int) -> int:
        """How many rows a cancel has left out."""
        joined = deliveries.join(
            batches, and_(batches.c.campaign_id == deliveries.c.campaign_id, batches.c.n == deliveries.c.batch)
        )
        theirs = and_(
            deliveries.c.campaign_id == campaign_id,
            deliveries.c.state.is_(None),
            batches.c.state == BatchState.CANCELLED,
        )
        return self._sql.execute(select(func.count()).select_from(joined).where(theirs)).scalar_one()

    def checksum(self, campaign_id: int, now: datetime) -> str:
        """SHA-256 over the ledger's rows: a line `<subscriber's number> <state>` for each, by number.

        Numbers are never used again and name nobody, so it stays the same when somebody is erased.
        """
        joined = deliveries.join(
            batches, and_(batches.c.campaign_id == deliveries.c.campaign_id, batches.c.n == deliveries.c.batch)
        )
        query = select(deliveries.c.subscriber_id, stands(now)).select_from(joined)
        ordered = query.where(deliveries.c.campaign_id == campaign_id).order_by(deliveries.c.subscriber_id)
        found, digest = self._sql.execute(ordered.execution_options(yield_per=_ROWS_AT_ONCE)), hashlib.sha256()
        for rows in found.partitions():
            digest.update("".join([f"{number} {state}\n" for number, state in rows]).encode())
        return digest.hexdigest()

    def set_aside(self, campaign_id: int) -> None:
        """Free the key of a campaign of which nothing left: it keeps its rows under the key and its own pid."""
        key = campaigns.c.key + "~" + campaigns.c.pid
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(key=key))
