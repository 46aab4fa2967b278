"""Subscribers, their consent, their grants, and those who must not be mailed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from newsletter.core.consent import Evidence, Grant, Newcomer, Reason, Signup, State, Subscriber
from newsletter.core.ids import digest
from newsletter.store.dialect import insert_many, insert_new
from newsletter.store.schema import (
    consent_events,
    deliveries,
    grants,
    hits,
    mail_queue,
    milliseconds,
    signups,
    subscriber_topics,
    subscribers,
    suppressions,
    unsubscribe_links,
    wordings,
)

_COLUMNS = (
    subscribers.c.id,
    subscribers.c.pid,
    subscribers.c.email,
    subscribers.c.state,
    subscribers.c.gen,
    subscribers.c.lang,
    subscribers.c.first_name,
    subscribers.c.last_name,
    subscribers.c.unsubscribe_token,
    subscribers.c.created_at,
    subscribers.c.confirmed_at,
)

_NEWCOMER = (
    subscribers.c.pid,
    subscribers.c.email,
    subscribers.c.email_key,
    subscribers.c.address_hmac,
    subscribers.c.first_name,
    subscribers.c.last_name,
    subscribers.c.lang,
    subscribers.c.state,
    subscribers.c.unsubscribe_token,
    subscribers.c.created_at,
    subscribers.c.changed_at,
    subscribers.c.confirmed_at,
)


class Audience:
    """The front door's tables within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    # --- subscribers -------------------------------------------------------------------------------

    def by_hmac(self, hmac: str) -> Subscriber | None:
        """Whoever has this address now."""
        return self._one(subscribers.c.address_hmac == hmac)

    def by_id(self, subscriber_id: int) -> Subscriber | None:
        """The subscriber of a row id."""
        return self._one(subscribers.c.id == subscriber_id)

    def _one(self, where: Any) -> Subscriber | None:
        row = self._sql.execute(select(*_COLUMNS).where(where)).one_or_none()
        return _subscriber(row, self._topics(row.id)) if row else None

    def _topics(self, subscriber_id: int) -> tuple[str, ...]:
        query = select(subscriber_topics.c.topic).where(subscriber_topics.c.subscriber_id == subscriber_id)
        return tuple(sorted(self._sql.scalars(query)))

    def known(self, hmacs: Sequence[str]) -> dict[str, State]:
        """Those of some addresses that are subscribers already, with their state."""
        query = select(subscribers.c.address_hmac, subscribers.c.state).where(subscribers.c.address_hmac.in_(hmacs))
        return {row.address_hmac: State(row.state) for row in self._sql.execute(query)}

    def add(self, newcomers: Sequence[Newcomer], now: datetime, topics: Sequence[str] = ()) -> None:
        """Add subscribers with their unsubscribe links; `topics` are given at once (imports)."""
        if not newcomers:
            return
        moment = milliseconds(now)
        confirmed = {state: moment if state is State.ACTIVE else None for state in State}
        rows = [
            (
                *(one.pid, one.email, one.key, one.hmac, one.first_name, one.last_name, one.lang, one.state.value),
                *(one.unsubscribe_token, moment, moment, confirmed[one.state]),
            )
            for one in newcomers
        ]
        insert_many(self._sql, _NEWCOMER, rows)
        links = [(digest(one.unsubscribe_token), one.hmac) for one in newcomers]
        insert_many(self._sql, tuple(unsubscribe_links.c), links)
        if topics:
            added = select(subscribers.c.id).where(subscribers.c.pid.in_([one.pid for one in newcomers]))
            given = [(topic, id_) for id_ in self._sql.scalars(added) for topic in topics]
            insert_many(self._sql, tuple(subscriber_topics.c), given)

    def move(self, subscriber_id: int, state: State, now: datetime, *, ends_links: bool = False) -> None:
        """Put a subscriber into a state; `ends_links` raises `gen`, so that older links no longer act."""
        values: dict[str, Any] = {"state": state, "changed_at": now}
        if state is State.ACTIVE:
            values["confirmed_at"] = now
        if ends_links:
            values["gen"] = subscribers.c.gen + 1
        self._sql.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(values))

    def give_topics(self, subscriber_id: int, topics: Iterable[str]) -> None:
        """Add topics a subscriber has asked for."""
        insert_new(self._sql, subscriber_topics, [{"topic": topic, "subscriber_id": subscriber_id} for topic in topics])

    def drop_topics(self, subscriber_id: int) -> None:
        """Take all topics away."""
        self._sql.execute(delete(subscriber_topics).where(subscriber_topics.c.subscriber_id == subscriber_id))

    def each(self, state: State | None = None, topic: str | None = None) -> Iterator[Subscriber]:
        """All subscribers, oldest first, a thousand at a time: flat memory for any number."""
        after = 0
        while page := self._page(after, state, topic):
            yield from page
            after = page[-1].id

    def _page(self, after: int, state: State | None, topic: str | None, size: int = 1000) -> list[Subscriber]:
        query = select(*_COLUMNS).where(subscribers.c.id > after).order_by(subscribers.c.id).limit(size)
        if state is not None:
            query = query.where(subscribers.c.state == state)
        if topic is not None:
            chosen = select(subscriber_topics.c.subscriber_id).where(subscriber_topics.c.topic == topic)
            query = query.where(subscribers.c.id.in_(chosen))
        rows = self._sql.execute(query).all()
        topics: dict[int, list[str]] = {}
        for row in self._sql.execute(
            select(subscriber_topics).where(subscriber_topics.c.subscriber_id.in_([row.id for row in rows]))
        ):
            topics.setdefault(row.subscriber_id, []).append(row.topic)
        return [_subscriber(row, tuple(sorted(topics.get(row.id, ())))) for row in rows]

    def numbers(self) -> Mapping[str, int]:
        """How many subscribers stand in each state."""
        query = select(subscribers.c.state, func.count()).group_by(subscribers.c.state)
        return dict(self._sql.execute(query).all())

    # --- signups and consent -----------------------------------------------------------------------

    def add_signup(
        self,
        subscriber: Subscriber,
        *,
        form: str,
        magnet: str,
        topics: Sequence[str],
        lang: str,
        wording: str,
        now: datetime,
    ) -> int:
        """Note what was asked for; returns the signup's id."""
        values = {
            "subscriber_id": subscriber.id,
            "gen": subscriber.gen,
            "form": form,
            "magnet": magnet,
            "topics": json.dumps(list(topics)),
            "lang": lang,
            "wording_sha256": wording,
            "at": now,
        }
        return int(self._sql.execute(insert(signups).values(values).returning(signups.c.id)).scalar_one())

    def signup(self, signup_id: int) -> Signup | None:
        """One signup."""
        row = self._sql.execute(select(signups).where(signups.c.id == signup_id)).one_or_none()
        if row is None:
            return None
        return Signup(
            id=row.id,
            subscriber_id=row.subscriber_id,
            gen=row.gen,
            form=row.form,
            magnet=row.magnet,
            topics=tuple(json.loads(row.topics)),
            lang=row.lang,
            confirmed_at=row.confirmed_at,
        )

    def confirm_signup(self, signup_id: int, now: datetime) -> None:
        """Note that a signup took effect."""
        self._sql.execute(update(signups).where(signups.c.id == signup_id).values(confirmed_at=now))

    def record(self, evidence: Sequence[Evidence]) -> None:
        """Append consent events. They are never changed (promise 8)."""
        topics = {one.topics: json.dumps(list(one.topics)) for one in evidence}
        rows = [
            (
                *(one.pid, one.kind.value, milliseconds(one.at), one.method, one.form, one.wording),
                *(topics[one.topics], one.magnet, one.source, one.note),
            )
            for one in evidence
        ]
        if rows:
            insert_many(self._sql, tuple(consent_events.c)[1:], rows)

    def evidence(self, pid: str) -> list[Mapping[str, Any]]:
        """All consent events of a subscriber, oldest first, with the wording they rest on."""
        query = (
            select(consent_events, wordings.c.text.label("wording"))
            .outerjoin(wordings, wordings.c.sha256 == consent_events.c.wording_sha256)
            .where(consent_events.c.subscriber_pid == pid)
            .order_by(consent_events.c.id)
        )
        return [{**row, "topics": json.loads(row["topics"])} for row in self._sql.execute(query).mappings()]

    def keep_wording(self, sha256: str, text: str, locale: str, now: datetime) -> None:
        """Keep a text a person agreed to, once."""
        insert_new(self._sql, wordings, [{"sha256": sha256, "text": text, "locale": locale, "first_used": now}])

    # --- lead magnets ------------------------------------------------------------------------------

    def grant(self, subscriber_id: int, magnet: str, now: datetime) -> int:
        """Give a subscriber the right to a magnet; again gives the same grant. Returns its id."""
        insert_new(self._sql, grants, [{"subscriber_id": subscriber_id, "magnet": magnet, "granted_at": now}])
        query = select(grants.c.id).where(grants.c.subscriber_id == subscriber_id, grants.c.magnet == magnet)
        return int(self._sql.execute(query).scalar_one())

    def granted(self, grant_id: int) -> Grant | None:
        """One grant."""
        row = self._sql.execute(select(grants).where(grants.c.id == grant_id)).one_or_none()
        return Grant(row.id, row.subscriber_id, row.magnet, row.downloads) if row else None

    def grants_of(self, subscriber_id: int) -> list[Grant]:
        """All grants of a subscriber."""
        rows = self._sql.execute(select(grants).where(grants.c.subscriber_id == subscriber_id).order_by(grants.c.id))
        return [Grant(row.id, row.subscriber_id, row.magnet, row.downloads) for row in rows]

    def count_download(self, grant_id: int, now: datetime) -> None:
        """One more download, counted on the POST."""
        self._sql.execute(
            update(grants).where(grants.c.id == grant_id).values(downloads=grants.c.downloads + 1, downloaded_at=now)
        )

    # --- leaving -----------------------------------------------------------------------------------

    def address_of_link(self, token_hash: str) -> str | None:
        """The address HMAC an unsubscribe link was made for; links outlive the subscriber's row."""
        query = select(unsubscribe_links.c.address_hmac).where(unsubscribe_links.c.token_hash == token_hash)
        return self._sql.scalars(query).one_or_none()

    def suppress(self, hmac: str, reason: Reason, now: datetime, note: str = "") -> None:
        """Never mail this address. A complaint or the owner's word is never weakened by a later reason."""
        kept = self.suppression(hmac)
        if kept in {Reason.COMPLAINED, Reason.OWNER} and reason is not Reason.COMPLAINED:
            return
        self.lift(hmac)
        self._sql.execute(insert(suppressions).values(address_hmac=hmac, reason=reason, at=now, note=note))

    def suppression(self, hmac: str) -> Reason | None:
        """Why an address must not be mailed, if so."""
        found = self._sql.scalars(
            select(suppressions.c.reason).where(suppressions.c.address_hmac == hmac)
        ).one_or_none()
        return Reason(found) if found else None

    def suppressed(self, hmacs: Sequence[str]) -> set[str]:
        """Those of some addresses that must not be mailed."""
        query = select(suppressions.c.address_hmac).where(suppressions.c.address_hmac.in_(hmacs))
        return set(self._sql.scalars(query))

    def lift(self, hmac: str) -> None:
        """Allow an address again."""
        self._sql.execute(delete(suppressions).where(suppressions.c.address_hmac == hmac))

    def erase(self, subscriber: Subscriber) -> None:
        """Take the subscriber's row and all that hangs on it (promise 9). Consent events keep the pid only."""
        self._sql.execute(delete(mail_queue).where(mail_queue.c.subscriber_id == subscriber.id))
        self._sql.execute(delete(subscribers).where(subscribers.c.id == subscriber.id))

    def stale(self, state: State, before: datetime, most: int) -> list[Subscriber]:
        """Subscribers who have stood in a state since before some moment, oldest first."""
        query = select(*_COLUMNS).where(subscribers.c.state == state, subscribers.c.changed_at < before)
        return [_subscriber(row, ()) for row in self._sql.execute(query.order_by(subscribers.c.changed_at).limit(most))]

    def history(self, subscriber_id: int) -> list[Mapping[str, Any]]:
        """Which campaigns a subscriber was in (export)."""
        query = select(deliveries.c.campaign_id, deliveries.c.batch, deliveries.c.state, deliveries.c.reason).where(
            deliveries.c.subscriber_id == subscriber_id
        )
        return [dict(row) for row in self._sql.execute(query).mappings()]

    # --- limits on what visitors may cause ---------------------------------------------------------

    def hit(self, key: str, now: datetime) -> None:
        """Note that something countable happened."""
        self._sql.execute(insert(hits).values(key=key, at=now))

    def hits(self, key: str, since: datetime) -> int:
        """How often it happened since."""
        query = select(func.count()).select_from(hits).where(hits.c.key == key, hits.c.at > since)
        return int(self._sql.execute(query).scalar_one())

    def forget_hits(self, before: datetime) -> None:
        """Drop what no limit looks at any more."""
        self._sql.execute(delete(hits).where(hits.c.at < before))


def _subscriber(row: Any, topics: tuple[str, ...]) -> Subscriber:
    return Subscriber(
        id=row.id,
        pid=row.pid,
        email=row.email,
        state=State(row.state),
        gen=row.gen,
        lang=row.lang,
        first_name=row.first_name,
        last_name=row.last_name,
        unsubscribe_token=row.unsubscribe_token,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        topics=topics,
    )
