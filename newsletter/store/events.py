"""What providers told afterwards: whole requests as they came, and the events that were read in them.

A request is kept under the hash of its body before it is answered, and read later, in any order, any number of
times: an event has one row, whoever tells it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from newsletter.core.campaign import BatchState, delivery_key
from newsletter.core.event import Event, EventType, Heard, Raw
from newsletter.core.mime import key_of
from newsletter.store.dialect import insert_new
from newsletter.store.schema import batches, campaigns, deliveries, events, subscribers, webhooks

_PAGE = 1000


class Events:
    """Webhook requests and events within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    # --- requests ----------------------------------------------------------------------------------

    def keep(self, raws: Sequence[Raw], now: datetime) -> None:
        """Write requests down as they came; one that is there already is left as it is."""
        rows = [
            {
                "provider": raw.provider,
                "key": raw.key,
                "headers": json.dumps(dict(raw.headers)),
                "body": raw.body,
                "received_at": now,
                "processed_at": now if raw.ignored else None,
                "note": raw.ignored,
            }
            for raw in raws
        ]
        insert_new(self._sql, webhooks, rows)

    def waiting(self, most: int) -> list[tuple[int, Raw]]:
        """Requests nobody has read yet, the oldest first, by their row's id."""
        query = select(webhooks).where(webhooks.c.processed_at.is_(None)).order_by(webhooks.c.id).limit(most)
        return [
            (row.id, Raw(row.provider, row.key, json.loads(row.headers), row.body)) for row in self._sql.execute(query)
        ]

    def read(self, raw_id: int, now: datetime, note: str = "", *, keep: bool = False) -> bool:
        """Note that a request was read; without `keep` nothing but that it came is left of it.

        False: another reader was quicker, and what this one found is not to count.
        """
        mine = and_(webhooks.c.id == raw_id, webhooks.c.processed_at.is_(None))
        values: dict[str, Any] = {"processed_at": now, "note": note[:500]}
        if not keep:
            values |= {"headers": "{}", "body": ""}
        return self._sql.execute(update(webhooks).where(mine).values(values)).rowcount == 1

    def unread(self) -> int:
        """How many requests wait to be read."""
        return self._sql.execute(
            select(func.count()).select_from(webhooks).where(webhooks.c.processed_at.is_(None))
        ).scalar_one()

    # --- events ------------------------------------------------------------------------------------

    def add(
        self,
        provider: str,
        event: Event,
        *,
        hmac: str | None,
        subscriber_id: int | None,
        campaign_id: int | None,
        now: datetime,
    ) -> bool:
        """Write an event down. False: it is known, and must not count again."""
        twin = exists().where(events.c.provider == provider, events.c.event_id == event.event_id)
        if self._sql.execute(select(twin)).scalar():
            return False
        row = {
            "provider": provider,
            "event_id": event.event_id,
            "type": event.type,
            "email": event.email,
            "address_hmac": hmac,
            "subscriber_id": subscriber_id,
            "campaign_id": campaign_id,
            "permanent": event.permanent,
            "reason": event.reason,
            "message_id": event.message_id,
            "at": event.at,
            "received_at": now,
        }
        self._sql.execute(insert(events).values(row))
        return True

    def about(self, key: str | None, message_id: str | None, hmac: str | None) -> tuple[int, int | None] | None:
        """Whom an event is about, by the delivery's key, or the provider's id and the address: subscriber and campaign.

        A provider's id alone names nobody, as one may stand for a whole call; a Message-ID of ours holds the key.
        """
        for one in (key, key_of(message_id or "")):
            if one and (named := self._by_key(one)):
                return named
        if not message_id or hmac is None:
            return None
        query = (
            select(deliveries.c.subscriber_id, deliveries.c.campaign_id)
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .where(subscribers.c.address_hmac == hmac, deliveries.c.provider_id == message_id)
        )
        row = self._sql.execute(query.limit(1)).one_or_none()
        return (row.subscriber_id, row.campaign_id) if row else None

    def _by_key(self, key: str) -> tuple[int, int | None] | None:
        campaign_pid, _, subscriber_pid = key.partition(delivery_key("", ""))
        who = self._sql.scalar(select(subscribers.c.id).where(subscribers.c.pid == subscriber_pid))
        campaign = self._sql.scalar(select(campaigns.c.id).where(campaigns.c.pid == campaign_pid))
        return (who, campaign) if who is not None and campaign is not None else None

    def soft_bounces(self, hmac: str, since: datetime) -> list[datetime]:
        """When an address bounced softly."""
        theirs = and_(
            events.c.address_hmac == hmac,
            events.c.type == EventType.BOUNCED,
            or_(events.c.permanent.is_(None), events.c.permanent.is_(False)),
            events.c.reason.not_in(["block", "authentication"]),
            events.c.at >= since,
        )
        return list(self._sql.scalars(select(events.c.at).where(theirs)))

    def arrived(self, campaign_id: int, subscriber_id: int, message_id: str | None) -> bool:
        """An uncertain delivery of which the provider now speaks was taken (promise 3). True when it was one."""
        batch = exists().where(
            batches.c.campaign_id == deliveries.c.campaign_id,
            batches.c.n == deliveries.c.batch,
            batches.c.state == BatchState.UNCERTAIN,
        )
        theirs = and_(
            deliveries.c.campaign_id == campaign_id,
            deliveries.c.subscriber_id == subscriber_id,
            deliveries.c.state.is_(None),
        )
        values: dict[str, Any] = {"state": "submitted"}
        if message_id:
            values["provider_id"] = message_id
        return self._sql.execute(update(deliveries).where(theirs, batch).values(values)).rowcount == 1

    def each(self) -> Iterator[Heard]:
        """All events, oldest first, a page at a time."""
        joined = events.outerjoin(campaigns, campaigns.c.id == events.c.campaign_id)
        query = select(events, campaigns.c.key.label("campaign")).select_from(joined).order_by(events.c.at, events.c.id)
        place: tuple[datetime, int] | None = None
        while True:
            page = query if place is None else query.where(_after(*place))
            rows = self._sql.execute(page.limit(_PAGE)).all()
            for row in rows:
                yield Heard(
                    provider=row.provider,
                    type=EventType(row.type),
                    email=row.email,
                    permanent=row.permanent,
                    reason=row.reason,
                    message_id=row.message_id,
                    campaign=row.campaign,
                    at=row.at,
                )
            if len(rows) < _PAGE:
                return
            place = rows[-1].at, rows[-1].id

    def numbers(self, campaign_id: int) -> Mapping[tuple[str, bool | None, str], int]:
        """How many readers of a campaign were spoken of, by type, permanence and reason: each reader once."""
        query = (
            select(
                events.c.type, events.c.permanent, events.c.reason, func.count(func.distinct(events.c.subscriber_id))
            )
            .where(events.c.campaign_id == campaign_id)
            .group_by(events.c.type, events.c.permanent, events.c.reason)
        )
        return {(kind, permanent, reason): count for kind, permanent, reason, count in self._sql.execute(query)}

    # --- forgetting --------------------------------------------------------------------------------

    def forget(self, before: datetime) -> int:
        """Drop requests that were read before a moment, and events of addresses that are no subscriber's."""
        old = and_(webhooks.c.processed_at.is_not(None), webhooks.c.processed_at < before)
        gone = self._sql.execute(delete(webhooks).where(old)).rowcount
        strangers = and_(events.c.subscriber_id.is_(None), events.c.received_at < before)
        return gone + self._sql.execute(delete(events).where(strangers)).rowcount

    def erase(self, hmac: str, email: str) -> None:
        """Leave no trace of an address: not in events, and no request that was read and names it (promise 9)."""
        theirs = events.c.address_hmac == hmac
        self._sql.execute(update(events).where(theirs).values(email=None, address_hmac=None))
        named = func.lower(webhooks.c.body).contains(email.lower(), autoescape=True)
        self._sql.execute(delete(webhooks).where(named, webhooks.c.processed_at.is_not(None)))


def _after(at: datetime, id_: int) -> Any:
    return or_(events.c.at > at, and_(events.c.at == at, events.c.id > id_))
