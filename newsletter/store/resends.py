"""One more copy to a reader who asked, within one transaction. Nothing here touches the campaign's own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, type_coerce, update

from newsletter.core.delivery import Status
from newsletter.store.conditions import stands
from newsletter.store.schema import batches, campaigns, deliveries, resends


class Resends:
    """The copies beside the ledger."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def delivery(self, campaign_id: int, subscriber_id: int, now: datetime) -> tuple[str, str] | None:
        """Where a reader's own delivery stands, and the variant it is of; None when they were not in the audience."""
        joined = deliveries.join(
            batches, and_(batches.c.campaign_id == deliveries.c.campaign_id, batches.c.n == deliveries.c.batch)
        )
        theirs = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.subscriber_id == subscriber_id)
        query = select(stands(now), batches.c.variant).select_from(joined).where(theirs)
        row = self._sql.execute(query).one_or_none()
        return (row[0], row[1]) if row else None

    def last(self, campaign_id: int, subscriber_id: int) -> datetime | None:
        """When a reader was last sent a copy of this campaign's mail; one that surely did not leave does not count."""
        theirs = and_(
            resends.c.campaign_id == campaign_id,
            resends.c.subscriber_id == subscriber_id,
            resends.c.state != Status.RETRY,
        )
        query = select(type_coerce(func.max(resends.c.at), resends.c.at.type)).where(theirs)
        found: datetime | None = self._sql.execute(query).scalar_one()
        return found

    def of(self, subscriber_ids: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
        """The copies some readers were sent, by reader, oldest first: of what, when, why, and what became of it."""
        query = (
            select(resends.c.subscriber_id, campaigns.c.key, resends.c.at, resends.c.why, resends.c.state)
            .join_from(resends, campaigns, campaigns.c.id == resends.c.campaign_id)
            .where(resends.c.subscriber_id.in_(subscriber_ids))
            .order_by(resends.c.id)
        )
        found: dict[int, list[Mapping[str, Any]]] = {}
        for row in self._sql.execute(query):
            one = {"campaign": row.key, "at": row.at, "why": row.why, "state": row.state}
            found.setdefault(row.subscriber_id, []).append(one)
        return found

    def add(self, key: str, campaign_id: int, subscriber_id: int, *, why: str, provider: str, now: datetime) -> None:
        """Write a copy down before its first byte leaves."""
        row = {
            "key": key,
            "campaign_id": campaign_id,
            "subscriber_id": subscriber_id,
            "why": why,
            "at": now,
            "state": "claimed",
            "provider": provider,
        }
        self._sql.execute(insert(resends).values(row))

    def settle(self, key: str, state: str, *, message_id: str | None, note: str) -> None:
        """Write down what became of it."""
        values: dict[str, Any] = {"state": state, "message_id": message_id, "note": note[:500]}
        self._sql.execute(update(resends).where(resends.c.key == key).values(values))
