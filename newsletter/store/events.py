"""What providers told afterwards: whole requests as they came, and the events that were read in them.

A request is kept under the hash of its body before it is answered, and read later, in any order, any number of
times: an event has one row, whoever tells it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, or_, select, update

from newsletter.core.campaign import BatchState, delivery_key
from newsletter.core.event import Event, EventType, Heard, Raw
from newsletter.core.ids import digest
from newsletter.core.mime import key_of
from newsletter.store.dialect import insert_new
from newsletter.store.prepared import Prepared
from newsletter.store.schema import (
    batches,
    campaigns,
    deliveries,
    events,
    mail_queue,
    milliseconds,
    resends,
    subscribers,
    unsubscribe_links,
    webhooks,
)

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
        return (_KEPT if keep else _READ).change(self._sql, which=raw_id, at=now, said=note[:500]) == 1

    def unread(self) -> int:
        """How many requests wait to be read."""
        return self._sql.execute(
            select(func.count()).select_from(webhooks).where(webhooks.c.processed_at.is_(None))
        ).scalar_one()

    # --- events ------------------------------------------------------------------------------------

    def apart(self) -> AbstractContextManager[object]:
        """A part of the transaction: what breaks in it takes back that part alone."""
        return self._sql.begin_nested()

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
        """Write an event down. False: it is known, and must not count again.

        One that was nobody's, and is told again when it is known whose, counts then. It must be the same: a signature
        that covers no event (Mailgun's) may be sent again above another.
        """
        known = _TWIN.one(self._sql, whose=provider, which=event.event_id)
        if known is not None:
            same = known.type, known.permanent, known.address_hmac, milliseconds(known.at)
            if known.subscriber_id is not None or subscriber_id is None:
                return False
            if same != (event.type.value, event.permanent, hmac, milliseconds(event.at)):
                return False
            whose = {"email": event.email, "address_hmac": hmac, "subscriber_id": subscriber_id}
            mine = and_(events.c.id == known.id, events.c.subscriber_id.is_(None))
            values = {**whose, "campaign_id": campaign_id}
            return self._sql.execute(update(events).where(mine).values(values)).rowcount == 1
        _ADD.change(
            self._sql,
            provider=provider,
            event_id=event.event_id,
            type=event.type.value,
            email=event.email,
            address_hmac=hmac,
            subscriber_id=subscriber_id,
            campaign_id=campaign_id,
            permanent=event.permanent,
            reason=event.reason,
            message_id=event.message_id,
            at=event.at,
            received_at=now,
        )
        return True

    def about(
        self, key: str | None, message_id: str | None, hmac: str | None, way_out: str | None = None
    ) -> tuple[int, int | None] | None:
        """Whom an event is about, by our own marks: subscriber and campaign.

        The delivery's key; the credential of a way out; the provider's id together with the address. A provider's id
        alone names nobody, as one may stand for a whole call; a Message-ID of ours holds the key.
        """
        for one in (key, key_of(message_id or "")):
            if one and (named := self._by_key(one)):
                return named
        if way_out:
            link = and_(
                unsubscribe_links.c.token_hash == digest(way_out),
                unsubscribe_links.c.address_hmac == subscribers.c.address_hmac,
            )
            if (theirs := self._sql.scalar(select(subscribers.c.id).where(link))) is not None:
                return theirs, None
        if not message_id or hmac is None:
            return None
        row = _TO.one(self._sql, who=hmac, which=message_id)
        return (row.subscriber_id, row.campaign_id) if row else None

    def alone(self, message_id: str) -> tuple[int, int | None] | None:
        """Whom an event is about that tells a provider's id and no address: where the id stands for one mail alone.

        Every delivery is looked at, so this is for the few that ask for something.
        """
        query = select(deliveries.c.subscriber_id, deliveries.c.campaign_id).where(
            deliveries.c.provider_id == message_id
        )
        rows = self._sql.execute(query.limit(2)).all()
        return (rows[0].subscriber_id, rows[0].campaign_id) if len(rows) == 1 else None

    def _by_key(self, key: str) -> tuple[int, int | None] | None:
        campaign_pid, dash, subscriber_pid = key.partition(delivery_key("", ""))
        if not dash:  # of a mail that is no letter, or of one more copy
            for one in (mail_queue.c, resends.c):
                if (who := self._sql.scalar(select(one.subscriber_id).where(one.key == key))) is not None:
                    return who, None
            return None
        row = _BY_KEY.one(self._sql, who=subscriber_pid, which=campaign_pid)
        return (row.id, row.campaign_id) if row else None

    def soft_bounces(self, hmac: str, since: datetime) -> list[datetime]:
        """When an address bounced softly."""
        theirs = and_(
            events.c.address_hmac == hmac,
            events.c.type == EventType.BOUNCED,
            or_(events.c.permanent.is_(None), events.c.permanent.is_(False)),
            events.c.reason.not_in(["block", "authentication"]),
            events.c.at >= since,
            events.c.subscriber_id.is_not(None),  # of what only names an address nothing is believed
        )
        return list(self._sql.scalars(select(events.c.at).where(theirs)))

    def bounced_softly(self, provider: str, hmac: str, since: datetime, until: datetime) -> bool:
        """Whether a provider told of a bounce between two moments that was not for good."""
        theirs = and_(
            events.c.address_hmac == hmac,
            events.c.at.between(since, until),
            events.c.provider == provider,
            events.c.type == EventType.BOUNCED,
            events.c.permanent.is_(False),
        )
        return self._sql.execute(select(events.c.id).where(theirs).limit(1)).first() is not None

    def arrived(self, campaign_id: int, subscriber_id: int, message_id: str | None) -> bool:
        """An uncertain delivery of which the provider now speaks was taken (promise 3). True when it was one."""
        return _ARRIVED.change(self._sql, who=subscriber_id, which=campaign_id, named=message_id or None) == 1

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
                    matched=row.subscriber_id is not None,
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


# What every event asks.
_HERE = and_(webhooks.c.id == bindparam("which"), webhooks.c.processed_at.is_(None))
_KEPT = Prepared(update(webhooks).where(_HERE).values(processed_at=bindparam("at"), note=bindparam("said")))
_READ = Prepared(
    update(webhooks).where(_HERE).values(processed_at=bindparam("at"), note=bindparam("said"), headers="{}", body="")
)
_TWIN = Prepared(
    select(
        events.c.id, events.c.subscriber_id, events.c.type, events.c.permanent, events.c.address_hmac, events.c.at
    ).where(events.c.provider == bindparam("whose"), events.c.event_id == bindparam("which"))
)
_ADD = Prepared(insert(events))
_TO = Prepared(
    select(deliveries.c.subscriber_id, deliveries.c.campaign_id)
    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(subscribers.c.address_hmac == bindparam("who"), deliveries.c.provider_id == bindparam("which"))
    .limit(1)
)
_BY_KEY = Prepared(
    select(subscribers.c.id, campaigns.c.id.label("campaign_id")).where(
        subscribers.c.pid == bindparam("who"), campaigns.c.pid == bindparam("which")
    )
)
_ARRIVED = Prepared(
    update(deliveries)
    .where(
        deliveries.c.campaign_id == bindparam("which"),
        deliveries.c.subscriber_id == bindparam("who"),
        deliveries.c.state.is_(None),
        exists().where(
            batches.c.campaign_id == deliveries.c.campaign_id,
            batches.c.n == deliveries.c.batch,
            batches.c.state == BatchState.UNCERTAIN,
        ),
    )
    .values(state="submitted", provider_id=func.coalesce(bindparam("named"), deliveries.c.provider_id))
)


def _after(at: datetime, id_: int) -> Any:
    return or_(events.c.at > at, and_(events.c.at == at, events.c.id > id_))
