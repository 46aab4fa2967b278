"""The audience in bulk, on its way in from another system or out to another database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, insert, select

from newsletter.core.consent import Reason, State, Subscriber
from newsletter.core.ids import digest
from newsletter.core.record import Against, Granted, More, Record
from newsletter.store.dialect import insert_new, next_ids, update_many
from newsletter.store.schema import (
    consent_events,
    grants,
    milliseconds,
    old_links,
    signups,
    subscriber_topics,
    subscribers,
    suppressions,
    unsubscribe_links,
    wordings,
)


class Moving:
    """What comes and goes by the thousand, within one transaction."""

    def __init__(self, connection: Connection, leavers: list[tuple[Reason, str]]) -> None:
        self._sql = connection
        self._leavers = leavers  # for the journal beside the database

    def suppress(self, given: Iterable[tuple[str, Reason, datetime]], note: str) -> None:
        """Never mail these addresses (their fingerprints), each for its reason, since its moment."""
        known = list(given)
        self._leavers += [(reason, hmac) for hmac, reason, _ in known]
        rows = [{"address_hmac": hmac, "reason": reason, "at": at, "note": note} for hmac, reason, at in known]
        insert_new(self._sql, suppressions, rows)

    def confirmed(self, given: Sequence[tuple[int, datetime]]) -> None:
        """Say when some active subscribers confirmed, elsewhere and earlier than they came here."""
        rows = [(milliseconds(at), id_) for id_, at in given]
        update_many(self._sql, subscribers.c.confirmed_at, (subscribers.c.id,), rows)

    def keep_links(self, given: Iterable[tuple[str, str]]) -> None:
        """Keep what another system's links end in: pairs of an id's keyed hash and the address it stands for."""
        rows = [{"id_hmac": id_hmac, "address_hmac": hmac} for id_hmac, hmac in given]
        insert_new(self._sql, old_links, rows)

    def address_of(self, id_hmac: str) -> str | None:
        """The address an old link was made for."""
        query = select(old_links.c.address_hmac).where(old_links.c.id_hmac == id_hmac)
        return self._sql.scalars(query).one_or_none()

    def more(self, page: Sequence[Subscriber]) -> dict[int, More]:
        """What the rows of some subscribers do not say, by their ids."""
        ids, hmacs = [who.id for who in page], [who.hmac for who in page]
        changed = dict(
            self._sql.execute(select(subscribers.c.id, subscribers.c.changed_at).where(subscribers.c.id.in_(ids))).all()
        )
        given: dict[int, list[Granted]] = {}
        for row in self._sql.execute(select(grants).where(grants.c.subscriber_id.in_(ids)).order_by(grants.c.id)):
            one = Granted(row.magnet, row.downloads, row.granted_at, row.downloaded_at)
            given.setdefault(row.subscriber_id, []).append(one)
        against = self.against(hmacs)
        links: dict[str, list[str]] = {}
        for row in self._sql.execute(select(old_links).where(old_links.c.address_hmac.in_(hmacs))):
            links.setdefault(row.address_hmac, []).append(row.id_hmac)
        return {
            who.id: More(
                changed[who.id],
                tuple(given.get(who.id, ())),
                tuple(against.get(who.hmac, ())),
                tuple(sorted(links.get(who.hmac, ()))),
            )
            for who in page
        }

    def against(self, hmacs: Sequence[str]) -> dict[str, list[Against]]:
        """Every reason not to mail some addresses, by their fingerprints, the oldest first."""
        query = select(suppressions).where(suppressions.c.address_hmac.in_(hmacs))
        found: dict[str, list[Against]] = {}
        for row in self._sql.execute(query.order_by(suppressions.c.at, suppressions.c.reason)):
            found.setdefault(row.address_hmac, []).append(Against(Reason(row.reason), row.at, row.note))
        return found

    def put(self, records: Sequence[tuple[str, Record]]) -> None:
        """Add subscribers as they were elsewhere. In: pairs of the address's fingerprint and the record.

        None of them may be known. Raises: IntegrityError for a public id that somebody has.
        """
        if not records:
            return
        new = list(zip(next_ids(self._sql, subscribers, len(records)), records, strict=True))
        self._many(subscribers, [_row(id_, hmac, one) for id_, (hmac, one) in new])
        self._many(subscriber_topics, [{"subscriber_id": id_, "topic": t} for id_, (_, one) in new for t in one.topics])
        self._many(grants, [_grant(id_, given) for id_, (_, one) in new for given in one.grants])
        self._many(consent_events, [_event(one.id, told) for _, one in records for told in one.consent])
        insert_new(self._sql, wordings, _words(one for _, one in records))
        links = [{"token_hash": digest(one.unsubscribe_token), "address_hmac": hmac} for hmac, one in records]
        insert_new(self._sql, unsubscribe_links, links)
        self.keep_links((link, hmac) for hmac, one in records for link in one.old_links)
        insert_new(self._sql, suppressions, [_against(hmac, told) for hmac, one in records for told in one.against])

    def _many(self, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._sql.execute(insert(table), list(rows))

    def pids(self, pids: Sequence[str]) -> set[str]:
        """Those of some public ids that a subscriber, or the evidence of one who is gone, has."""
        found = set(self._sql.scalars(select(subscribers.c.pid).where(subscribers.c.pid.in_(pids))))
        events = consent_events.c.subscriber_pid
        return found | set(self._sql.scalars(select(events).where(events.in_(pids)).distinct()))

    def never_asked(self, after: int, most: int) -> list[tuple[int, str]]:
        """Pending subscribers for whom no signup was ever noted, those with a higher id than `after`, oldest first.

        Out: their ids and the fingerprints of their addresses. Whoever must not be mailed is not among them.
        """
        return [(row.id, row.address_hmac) for row in self._sql.execute(_never_asked(after).limit(most))]

    def count_never_asked(self) -> int:
        """How many there are."""
        return int(self._sql.execute(select(func.count()).select_from(_never_asked(0).subquery())).scalar_one())


def _never_asked(after: int) -> Any:
    asked = exists().where(signups.c.subscriber_id == subscribers.c.id)
    against = exists().where(suppressions.c.address_hmac == subscribers.c.address_hmac)
    waits = and_(subscribers.c.state == State.PENDING, subscribers.c.id > after)
    return (
        select(subscribers.c.id, subscribers.c.address_hmac).where(waits, ~asked, ~against).order_by(subscribers.c.id)
    )


def _row(id_: int, hmac: str, one: Record) -> dict[str, Any]:
    return {
        "id": id_,
        "pid": one.id,
        "email": one.email,
        "address_hmac": hmac,
        "first_name": one.first_name,
        "last_name": one.last_name,
        "lang": one.lang,
        "state": one.state,
        "gen": one.generation,
        "unsubscribe_token": one.unsubscribe_token,
        "created_at": one.created_at,
        "changed_at": one.changed_at,
        "confirmed_at": one.confirmed_at,
    }


def _grant(id_: int, given: Granted) -> dict[str, Any]:
    return {
        "subscriber_id": id_,
        "magnet": given.magnet,
        "granted_at": given.granted_at,
        "downloads": given.downloads,
        "downloaded_at": given.downloaded_at,
    }


def _event(pid: str, told: Any) -> dict[str, Any]:
    kept = {
        name: getattr(told, name) for name in ("at", "method", "form", "wording_sha256", "magnet", "source", "note")
    }
    return {"subscriber_pid": pid, "kind": told.kind, "topics": json.dumps(list(told.topics)), **kept}


def _against(hmac: str, told: Against) -> dict[str, Any]:
    return {"address_hmac": hmac, "reason": told.reason, "at": told.at, "note": told.note}


def _words(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [
        {"sha256": told.wording_sha256, "text": told.wording, "locale": one.lang, "first_used": told.at}
        for one in records
        for told in one.consent
        if told.wording_sha256 and told.wording is not None
    ]
