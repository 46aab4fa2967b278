"""Subscribers, their consent, their grants, and those who must not be mailed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, insert, select, update

from newsletter.core.address import without
from newsletter.core.consent import Evidence, Grant, Newcomer, Reason, Signup, State, Subscriber
from newsletter.core.ids import digest
from newsletter.store.conditions import reason_of, stands, why
from newsletter.store.dialect import among, hold, hold_door, insert_many, insert_new, next_ids
from newsletter.store.events import Events
from newsletter.store.prepared import Prepared
from newsletter.store.schema import (
    batches,
    campaigns,
    consent_events,
    deliveries,
    grants,
    hits,
    mail_queue,
    milliseconds,
    old_links,
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
    subscribers.c.address_hmac,
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
    subscribers.c.id,
    subscribers.c.pid,
    subscribers.c.email,
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

# What every signup asks.
_BY_HMAC = Prepared(select(*_COLUMNS).where(subscribers.c.address_hmac == bindparam("who")))
_BY_ID = Prepared(select(*_COLUMNS).where(subscribers.c.id == bindparam("who")))
_TOPICS = Prepared(select(subscriber_topics.c.topic).where(subscriber_topics.c.subscriber_id == bindparam("who")))
_HMAC = Prepared(select(subscribers.c.address_hmac).where(subscribers.c.id == bindparam("who")))
_SUPPRESSION = Prepared(select(reason_of(bindparam("who")).label("reason")))
_ADD_SIGNUP = Prepared(insert(signups).returning(signups.c.id))
_SIGNUP = Prepared(select(signups).where(signups.c.id == bindparam("which")))
_WORDING = Prepared(select(wordings.c.sha256).where(wordings.c.sha256 == bindparam("which")))
_HIT = Prepared(insert(hits))
_LAST_HIT = select(hits.c.id).where(hits.c.key == bindparam("what")).order_by(hits.c.at.desc(), hits.c.id.desc())
_UNHIT = Prepared(delete(hits).where(hits.c.id == _LAST_HIT.limit(1).scalar_subquery()))
_HITS = Prepared(
    select(func.count().label("times"))
    .select_from(hits)
    .where(hits.c.key == bindparam("what"), hits.c.at > bindparam("since"))
)


_THEIRS = exists().where(subscribers.c.pid == consent_events.c.subscriber_pid)


class Audience:
    """The front door's tables within one transaction."""

    def __init__(self, connection: Connection, leavers: list[tuple[Reason, str]]) -> None:
        self._sql = connection
        self._leavers = leavers  # for the journal beside the database
        self._counted: dict[str, dict[datetime, int]] = {}  # by key and moment

    # --- subscribers -------------------------------------------------------------------------------

    def hold(self, hmac: str) -> None:
        """Be the only one who decides about this address, known or not, until the transaction ends.

        What is read before may have changed while we waited: read after it. On SQLite every writer is alone.
        """
        hold(self._sql, hmac)

    def hold_all(self) -> None:
        """Be the only one who decides about any address, until the transaction ends (imports)."""
        hold_door(self._sql)

    def by_hmac(self, hmac: str, *, held: bool = False) -> Subscriber | None:
        """Whoever has this address now; `held` holds the address first."""
        if held:
            self.hold(hmac)
        return self._one(_BY_HMAC, hmac)

    def by_id(self, subscriber_id: int, *, held: bool = False) -> Subscriber | None:
        """The subscriber of a row id; `held` holds the address first."""
        if held:
            hmac = _HMAC.value(self._sql, who=subscriber_id)
            if hmac is None:
                return None
            self.hold(hmac)
        return self._one(_BY_ID, subscriber_id)

    def by_pid(self, pid: str, *, held: bool = False) -> Subscriber | None:
        """The subscriber of a public id; `held` holds the address first."""
        row_id = self._sql.execute(select(subscribers.c.id).where(subscribers.c.pid == pid)).scalar_one_or_none()
        return self.by_id(row_id, held=held) if row_id is not None else None

    def _one(self, query: Prepared, who: str | int) -> Subscriber | None:
        row = query.one(self._sql, who=who)
        return _subscriber(row, self._topics(row.id)) if row else None

    def _topics(self, subscriber_id: int) -> tuple[str, ...]:
        return tuple(sorted(row.topic for row in _TOPICS.rows(self._sql, who=subscriber_id)))

    def known(self, hmacs: Sequence[str]) -> dict[str, State]:
        """Those of some addresses that are subscribers already, with their state."""
        columns = (subscribers.c.address_hmac, subscribers.c.state)
        found = among(self._sql, columns, subscribers.c.address_hmac, [bytes.fromhex(hmac) for hmac in hmacs])
        return {bytes(hmac).hex(): State(state) for hmac, state in found}

    def add(self, newcomers: Sequence[Newcomer], now: datetime, topics: Sequence[str] = ()) -> Sequence[int]:
        """Add subscribers with their unsubscribe links; returns their ids. `topics` are given at once (imports)."""
        moment = milliseconds(now)
        confirmed = {state: moment if state is State.ACTIVE else None for state in State}
        new = next_ids(self._sql, subscribers, len(newcomers))
        hmacs = [bytes.fromhex(one.hmac) for one in newcomers]
        insert_many(
            self._sql,
            _NEWCOMER,
            [
                (id_, pid, email, kept, first, last, lang, state.value, token, moment, moment, confirmed[state])
                for id_, kept, (email, _, pid, token, state, lang, first, last) in zip(
                    new, hmacs, newcomers, strict=True
                )
            ],
        )
        links = [
            (bytes.fromhex(digest(one.unsubscribe_token)), kept) for one, kept in zip(newcomers, hmacs, strict=True)
        ]
        insert_many(self._sql, tuple(unsubscribe_links.c), links)
        given = [(id_, topic) for id_ in new for topic in topics]
        insert_many(self._sql, tuple(subscriber_topics.c), given)
        return new

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

    def speak(self, subscriber_id: int, lang: str) -> None:
        """Write to a subscriber in another language from now on."""
        self._sql.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(lang=lang))

    def each(self, state: State | None = None, topic: str | None = None) -> Iterator[Subscriber]:
        """All subscribers, oldest first: flat memory for any number."""
        for page in self.pages(state, topic):
            yield from page

    def pages(self, state: State | None = None, topic: str | None = None) -> Iterator[list[Subscriber]]:
        """The same, a thousand at a time."""
        after = 0
        while page := self.page(after, state, topic):
            yield page
            after = page[-1].id

    def page(
        self, after: int, state: State | None = None, topic: str | None = None, size: int = 1000
    ) -> list[Subscriber]:
        """Some of them, those with a higher id than `after`."""
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
        lane: int = 0,
    ) -> int:
        """Note what was asked for; returns the signup's id."""
        new = _ADD_SIGNUP.value(
            self._sql,
            subscriber_id=subscriber.id,
            gen=subscriber.gen,
            form=form,
            magnet=magnet,
            topics=json.dumps(list(topics)),
            lang=lang,
            wording_sha256=wording,
            lane=lane,
            at=now,
        )
        assert new is not None
        return int(new)

    def signup(self, signup_id: int) -> Signup | None:
        """One signup."""
        row = _SIGNUP.one(self._sql, which=signup_id)
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
            lane=row.lane,
        )

    def confirm_signup(self, signup_id: int, now: datetime) -> None:
        """Note that a signup took effect."""
        self._sql.execute(update(signups).where(signups.c.id == signup_id).values(confirmed_at=now))

    def record(self, evidence: Sequence[Evidence]) -> None:
        """Append consent events. They are never changed (promise 8)."""
        insert_many(self._sql, _EVENT, [(one.pid, *_told(one)) for one in evidence])

    def record_of(self, pids: Sequence[str], same: Evidence) -> None:
        """Append the same event for many subscribers; whose it says itself is not looked at."""
        told = _told(same)
        insert_many(self._sql, _EVENT, [(pid, *told) for pid in pids])

    def evidence(self, pid: str) -> list[Mapping[str, Any]]:
        """All consent events of a subscriber, oldest first, with the wording they rest on."""
        return self.evidence_of([pid]).get(pid, [])

    def evidence_of(self, pids: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        """The same for many subscribers at once, by their pid."""
        query = (
            select(consent_events, wordings.c.text.label("wording"))
            .outerjoin(wordings, wordings.c.sha256 == consent_events.c.wording_sha256)
            .where(consent_events.c.subscriber_pid.in_(pids))
            .order_by(consent_events.c.id)
        )
        found: dict[str, list[Mapping[str, Any]]] = {}
        for row in self._sql.execute(query).mappings():
            found.setdefault(row["subscriber_pid"], []).append({**row, "topics": json.loads(row["topics"])})
        return found

    def evidence_alone(self, before: datetime, most: int) -> list[str]:
        """The pids of people who are gone, and of whom nothing was recorded since a moment."""
        query = select(consent_events.c.subscriber_pid).where(~_THEIRS).group_by(consent_events.c.subscriber_pid)
        return list(self._sql.execute(query.having(func.max(consent_events.c.at) < before).limit(most)).scalars())

    def forget_evidence(self, pids: Sequence[str]) -> None:
        """Drop the consent events of people who are gone."""
        self._sql.execute(delete(consent_events).where(consent_events.c.subscriber_pid.in_(pids), ~_THEIRS))

    def keep_wording(self, sha256: str, text: str, locale: str, now: datetime) -> None:
        """Keep a text a person agreed to, once."""
        if _WORDING.one(self._sql, which=sha256) is None:
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
        return self.grants_of_all([subscriber_id]).get(subscriber_id, [])

    def grants_of_all(self, subscriber_ids: Sequence[int]) -> dict[int, list[Grant]]:
        """The grants of many subscribers at once, by their id."""
        query = select(grants).where(grants.c.subscriber_id.in_(subscriber_ids)).order_by(grants.c.id)
        found: dict[int, list[Grant]] = {}
        for row in self._sql.execute(query):
            grant = Grant(row.id, row.subscriber_id, row.magnet, row.downloads)
            found.setdefault(row.subscriber_id, []).append(grant)
        return found

    def keep_grants(self, subscriber_id: int, now: datetime) -> None:
        """Let a subscriber's grants outlive their row, as nobody's, so that links in mails go on working."""
        self._sql.execute(
            update(grants).where(grants.c.subscriber_id == subscriber_id).values(subscriber_id=None, granted_at=now)
        )

    def forget_grants(self, before: datetime) -> None:
        """Drop grants that are nobody's since before a moment: no link leads to them any more."""
        self._sql.execute(delete(grants).where(grants.c.subscriber_id.is_(None), grants.c.granted_at < before))

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
        """Never mail this address. Each reason stands beside the others, with the last moment it was given."""
        self._leavers.append((reason, hmac))
        insert_new(self._sql, suppressions, [{"address_hmac": hmac, "reason": reason, "at": now, "note": note}])
        earlier = and_(_against(hmac, reason), suppressions.c.at < now)
        self._sql.execute(update(suppressions).where(earlier).values(at=now))

    def suppressed_at(self, hmac: str, reason: Reason) -> datetime | None:
        """When a reason against an address was last given; None when it stands not there."""
        return self._sql.scalars(select(suppressions.c.at).where(_against(hmac, reason))).one_or_none()

    def suppression(self, hmac: str) -> Reason | None:
        """Why an address must not be mailed, if so: the strongest reason."""
        found = _SUPPRESSION.value(self._sql, who=hmac)
        return Reason(found) if found else None

    def departed(self, since: datetime | None, after: int, most: int) -> list[tuple[Subscriber, datetime]]:
        """Subscribers who get no more mail, and since when: those since a moment, with a higher id than `after`."""
        ended = [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED]
        query = select(*_COLUMNS, subscribers.c.changed_at).where(
            subscribers.c.state.in_(ended), subscribers.c.id > after
        )
        if since is not None:
            query = query.where(subscribers.c.changed_at >= since)
        rows = self._sql.execute(query.order_by(subscribers.c.id).limit(most))
        return [(_subscriber(row, ()), row.changed_at) for row in rows]

    def erased(self, hmac: str) -> bool:
        """Whether whoever had this address was erased, and nobody has it now."""
        theirs = and_(suppressions.c.address_hmac == hmac, suppressions.c.reason == Reason.ERASED)
        back = exists().where(subscribers.c.address_hmac == hmac)
        return self._sql.execute(select(suppressions.c.reason).where(theirs, ~back)).first() is not None

    def suppressed(self, hmacs: Sequence[str]) -> set[str]:
        """Those of some addresses that must not be mailed."""
        column = suppressions.c.address_hmac
        found = among(self._sql, (column,), column, [bytes.fromhex(hmac) for hmac in hmacs])
        return {bytes(hmac).hex() for (hmac,) in found}

    def lift(self, hmac: str, reasons: Collection[Reason]) -> bool:
        """Take some reasons back, and leave the others. Out: whether there was one of them."""
        where = and_(suppressions.c.address_hmac == hmac, suppressions.c.reason.in_(reasons))
        return self._sql.execute(delete(suppressions).where(where)).rowcount > 0

    def erase(self, subscriber: Subscriber) -> None:
        """Take the subscriber's row and all that hangs on it (promise 9). Consent events keep the pid only."""
        self._sql.execute(delete(mail_queue).where(mail_queue.c.subscriber_id == subscriber.id))
        self.drop_topics(subscriber.id)
        Events(self._sql).erase(subscriber.hmac, subscriber.email)
        for notes, theirs in (
            (consent_events, consent_events.c.subscriber_pid == subscriber.pid),
            (suppressions, suppressions.c.address_hmac == subscriber.hmac),
        ):  # what somebody wrote beside it may name them
            for said in self._sql.execute(select(notes.c.note).where(theirs, notes.c.note != "").distinct()).scalars():
                kept = without(said, subscriber.email)
                if kept != said:
                    self._sql.execute(update(notes).where(theirs, notes.c.note == said).values(note=kept))
        self._sql.execute(delete(old_links).where(old_links.c.address_hmac == subscriber.hmac))
        self._sql.execute(delete(subscribers).where(subscribers.c.id == subscriber.id))

    def erase_traces(self, subscriber: Subscriber) -> None:
        """Take also what `erase` leaves: evidence, way out, counters. For who never confirmed anything."""
        self.erase(subscriber)
        self._sql.execute(delete(consent_events).where(consent_events.c.subscriber_pid == subscriber.pid))
        way_out = digest(subscriber.unsubscribe_token)
        self._sql.execute(delete(unsubscribe_links).where(unsubscribe_links.c.token_hash == way_out))
        self._sql.execute(delete(hits).where(hits.c.key == f"mail:{subscriber.hmac}"))

    def stale(
        self, state: State, before: datetime, asked_before: datetime, most: int, *, without_topics: bool = False
    ) -> list[Subscriber]:
        """Subscribers who have stood in a state since `before` and asked for nothing since `asked_before`.

        `without_topics`: only those who get no letter.
        The oldest come first; those given out are held until the transaction ends, and judged again when held.
        """
        asked = exists().where(signups.c.subscriber_id == subscribers.c.id, signups.c.at >= asked_before)
        query = select(*_COLUMNS).where(subscribers.c.state == state, subscribers.c.changed_at < before, ~asked)
        if without_topics:
            query = query.where(~exists().where(subscriber_topics.c.subscriber_id == subscribers.c.id))
        found = self._sql.execute(query.order_by(subscribers.c.changed_at).limit(most)).all()
        for hmac in sorted(row.address_hmac for row in found):  # in one order: two of us cannot wait for each other
            self.hold(hmac)
        held = query.where(subscribers.c.id.in_([row.id for row in found]))
        return [_subscriber(row, ()) for row in self._sql.execute(held)]

    def history(self, subscriber_ids: Sequence[int], now: datetime) -> dict[int, list[Mapping[str, Any]]]:
        """Which campaigns some subscribers were in, and what became of each mail, by subscriber.

        Asked for each campaign in turn, as the key of a delivery begins with its campaign.
        """
        joined = deliveries.join(
            batches, and_(batches.c.campaign_id == deliveries.c.campaign_id, batches.c.n == deliveries.c.batch)
        )
        stood = stands(now).label("state"), why().label("reason")
        query = select(deliveries.c.subscriber_id, *stood).select_from(joined)
        found: dict[int, list[Mapping[str, Any]]] = {}
        for campaign in self._sql.execute(select(campaigns.c.id, campaigns.c.key).order_by(campaigns.c.id)).all():
            theirs = and_(deliveries.c.campaign_id == campaign.id, deliveries.c.subscriber_id.in_(subscriber_ids))
            for row in self._sql.execute(query.where(theirs)):
                one = {"campaign": campaign.key, "state": row.state, "reason": row.reason}
                found.setdefault(row.subscriber_id, []).append(one)
        return found

    # --- limits on what visitors may cause ---------------------------------------------------------

    def hit(self, key: str, now: datetime) -> None:
        """Note that something countable happened."""
        _HIT.change(self._sql, key=key, at=now)
        counted = self._counted.get(key, {})
        for since in counted:
            counted[since] += now > since

    def unhit(self, key: str) -> None:
        """Take the last note of it back."""
        self._counted.pop(key, None)
        _UNHIT.change(self._sql, what=key)

    def hits(self, key: str, since: datetime) -> int:
        """How often it happened since. Counted once in a transaction: those who come together ask the same."""
        counted = self._counted.setdefault(key, {})
        if since not in counted:
            counted[since] = int(_HITS.value(self._sql, what=key, since=since) or 0)
        return counted[since]

    def forget_hits(self, before: datetime) -> None:
        """Drop what no limit looks at any more, and what only a refused signup wrote."""
        self._sql.execute(delete(hits).where(hits.c.at < before))


def _against(hmac: str, reason: Reason) -> ColumnElement[bool]:
    return and_(suppressions.c.address_hmac == hmac, suppressions.c.reason == reason)


_EVENT = tuple(consent_events.c)[1:]


def _told(one: Evidence) -> tuple[Any, ...]:
    """An event as its row, but for whose it is."""
    topics = json.dumps(list(one.topics))
    at = milliseconds(one.at)
    return one.kind.value, at, one.method, one.form, one.wording, topics, one.magnet, one.source, one.note


def _subscriber(row: Any, topics: tuple[str, ...]) -> Subscriber:
    return Subscriber(
        id=row.id,
        pid=row.pid,
        hmac=row.address_hmac,
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
