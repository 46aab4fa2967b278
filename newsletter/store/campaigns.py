"""The ledger: frozen audience, batches, deliveries.

    pending --claim, committed before the first byte--> claimed --answer--> submitted | pending (later) | failed rows
    claimed --answer lost, or the lease is over--> uncertain --the provider can tell--> submitted | pending

A delivery's state is its batch's, unless its own row says otherwise. Counts therefore always add up: every
row of the frozen audience is counted exactly once (promise 2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, exists, func, insert, literal, or_, select, update

from newsletter.core.campaign import BatchState, Campaign, CampaignState, Claim, Counts, Draft, delivery_key
from newsletter.core.consent import State
from newsletter.core.delivery import Outcome, Recipient, Status
from newsletter.store.schema import (
    batches,
    campaigns,
    deliveries,
    emails,
    meta,
    subscriber_topics,
    subscribers,
    suppressions,
)

AUDIENCE = "audience"
"""The reason that is none: these would receive."""

_PAUSED_ALL = "paused_all"


@dataclass(frozen=True)
class _Row:
    """A delivery read in a claim."""

    subscriber_id: int
    recipient: Recipient
    excluded: str  # why it must not go, or ""


class Campaigns:
    """The press's tables within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    # --- before the freeze -------------------------------------------------------------------------

    def headcount(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Everybody on file by what would become of them: `audience`, or why they are left out."""
        reason = case(
            (suppressions.c.reason.is_not(None), suppressions.c.reason),
            (subscribers.c.state != State.ACTIVE, subscribers.c.state),
            (~_has_topic(topics), literal("not subscribed to this")),
            else_=literal(AUDIENCE),
        ).label("why")
        query = select(reason, func.count()).select_from(_with_suppressions()).group_by("why").order_by("why")
        return dict(self._sql.execute(query).all())

    def by_key(self, key: str) -> Campaign | None:
        """The campaign of an issue."""
        return self._one(campaigns.c.key == key)

    def with_source(self, source_sha256: str) -> Campaign | None:
        """A campaign with the same words, under whatever key."""
        return self._one(campaigns.c.source_sha256 == source_sha256)

    def all(self) -> list[Campaign]:
        """All campaigns, newest first."""
        return [_campaign(row) for row in self._sql.execute(select(campaigns).order_by(campaigns.c.id.desc()))]

    def _one(self, where: Any) -> Campaign | None:
        row = self._sql.execute(select(campaigns).where(where).limit(1)).one_or_none()
        return _campaign(row) if row else None

    def freeze(self, draft: Draft, now: datetime) -> Campaign:
        """Freeze content and audience in one go: from here on the file and the list may change, this does not."""
        values = {
            "pid": draft.pid,
            "key": draft.key,
            "subject": draft.subject,
            "segments": json.dumps(list(draft.segments)),
            "topics": json.dumps(list(draft.topics)),
            "content_sha256": draft.content_sha256,
            "source_sha256": draft.source_sha256,
            "plan_hash": draft.plan_hash,
            "archive": draft.archive,
            "state": CampaignState.SENDING,
            "provider": draft.provider,
            "audience": 0,
            "excluded": json.dumps(dict(draft.excluded)),
            "batches": 0,
            "frozen_at": now,
        }
        id_ = self._sql.execute(insert(campaigns).values(values).returning(campaigns.c.id)).scalar_one()
        variant = next(iter(draft.emails))
        for name, body in draft.emails.items():
            row = {"campaign_id": id_, "variant": name, "sha256": draft.content_sha256, "body": body}
            self._sql.execute(insert(emails).values(row))
        self._freeze_audience(id_, draft.topics, draft.batch_size)
        self._make_batches(id_, draft.pid, variant)
        count = select(func.count()).select_from(deliveries).where(deliveries.c.campaign_id == id_).scalar_subquery()
        parts = select(func.count()).select_from(batches).where(batches.c.campaign_id == id_).scalar_subquery()
        self._sql.execute(update(campaigns).where(campaigns.c.id == id_).values(audience=count, batches=parts))
        found = self._one(campaigns.c.id == id_)
        assert found is not None
        return found

    def _freeze_audience(self, campaign_id: int, topics: Sequence[str], batch_size: int) -> None:
        place = func.row_number().over(order_by=subscribers.c.id) - 1
        chosen = (
            select(literal(campaign_id), subscribers.c.id, (place // batch_size) + 1)
            .select_from(_with_suppressions())
            .where(subscribers.c.state == State.ACTIVE, suppressions.c.address_hmac.is_(None), _has_topic(topics))
            .order_by(subscribers.c.id)
        )
        self._sql.execute(insert(deliveries).from_select(["campaign_id", "subscriber_id", "batch"], chosen))

    def _make_batches(self, campaign_id: int, pid: str, variant: str) -> None:
        own = deliveries.c.campaign_id == campaign_id
        n = deliveries.c.batch
        rows = select(n, func.min(deliveries.c.subscriber_id), func.max(deliveries.c.subscriber_id), func.count())
        found = self._sql.execute(rows.where(own).group_by(n))
        made = [_batch(campaign_id, pid, number, variant, lo, hi, size) for number, lo, hi, size in found]
        if made:
            self._sql.execute(insert(batches), made)

    # --- sending -----------------------------------------------------------------------------------

    def email(self, campaign_id: int, variant: str) -> str:
        """The frozen email of a variant."""
        query = select(emails.c.body).where(emails.c.campaign_id == campaign_id, emails.c.variant == variant)
        return str(self._sql.execute(query).scalar_one())

    def archive(self, key: str) -> str | None:
        """The public page of a campaign that has begun, if it has one."""
        query = select(campaigns.c.archive).where(campaigns.c.key == key, campaigns.c.started_at.is_not(None))
        return self._sql.scalars(query).one_or_none()

    def start(self, campaign_id: int, now: datetime) -> None:
        """Note that sending began."""
        first = func.coalesce(campaigns.c.started_at, bindparam("now", now, type_=campaigns.c.started_at.type))
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(started_at=first))

    def claim(
        self, campaign_id: int, owner: str, now: datetime, *, lease: timedelta, way_out: Callable[[str], str]
    ) -> Claim | None:
        """Take the next batch into our hands, and read who of it may still receive.

        `way_out` makes an unsubscribe address of a reader's credential.

        Whoever left, bounced, complained or lost the topic since the freeze is written out here, in the
        transaction that makes the claim (promise 4). None: nothing to take, paused, or not yet.
        """
        if not self._may_send(campaign_id):
            return None
        due = or_(batches.c.not_before.is_(None), batches.c.not_before <= now)
        ready = and_(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.PENDING, due)
        first = select(batches.c.n).where(ready).order_by(batches.c.n).limit(1).with_for_update(skip_locked=True)
        taken = self._sql.execute(
            update(batches)
            .where(batches.c.campaign_id == campaign_id, batches.c.n == first.scalar_subquery())
            .values(
                state=BatchState.CLAIMED,
                attempt=batches.c.attempt + 1,
                owner=owner,
                lease_until=now + lease,
                claimed_at=now,
            )
            .returning(batches)
        ).one_or_none()
        if taken is None:
            return None
        rows = self._rows(taken, way_out)
        self._write_out(campaign_id, [row for row in rows if row.excluded])
        return _claim(taken, [row for row in rows if not row.excluded])

    def _may_send(self, campaign_id: int) -> bool:
        state = self._sql.scalars(select(campaigns.c.state).where(campaigns.c.id == campaign_id)).one()
        return state == CampaignState.SENDING and not self.paused_all()

    def _rows(self, batch: Row[Any], way_out: Callable[[str], str] = str) -> list[_Row]:
        """The open deliveries of a batch with what the claim must know of each."""
        found = self._sql.execute(
            select(
                deliveries.c.subscriber_id,
                campaigns.c.pid.label("campaign_pid"),
                subscribers.c.pid,
                subscribers.c.email,
                subscribers.c.first_name,
                subscribers.c.last_name,
                subscribers.c.unsubscribe_token,
                case(
                    (subscribers.c.id.is_(None), literal("erased")),
                    (suppressions.c.reason.is_not(None), suppressions.c.reason),
                    (subscribers.c.state != State.ACTIVE, subscribers.c.state),
                    (~_still_wanted(), literal("topic")),
                    else_=literal(""),
                ).label("excluded"),
            )
            .select_from(
                deliveries.join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
                .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                .outerjoin(suppressions, suppressions.c.address_hmac == subscribers.c.address_hmac)
            )
            .where(
                deliveries.c.campaign_id == batch.campaign_id,
                deliveries.c.subscriber_id.between(batch.lo, batch.hi),
                deliveries.c.batch == batch.n,
                deliveries.c.state.is_(None),
            )
            .order_by(deliveries.c.subscriber_id)
        )
        return [_Row(row.subscriber_id, _recipient(row, way_out), row.excluded) for row in found]

    def _write_out(self, campaign_id: int, rows: Iterable[_Row]) -> None:
        for row in rows:
            self._set(campaign_id, row.subscriber_id, "suppressed", row.excluded)

    def _set(self, campaign_id: int, subscriber_id: int, state: str, reason: str = "") -> None:
        where = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.subscriber_id == subscriber_id)
        self._sql.execute(update(deliveries).where(where).values(state=state, reason=reason[:200] or None))

    def holds(self, claim: Claim, owner: str, now: datetime) -> bool:
        """Whether the claim is still ours: asked right before the first byte leaves."""
        query = select(batches.c.n).where(*_same(claim), batches.c.owner == owner, batches.c.lease_until > now)
        return self._sql.execute(query.where(batches.c.state == BatchState.CLAIMED)).first() is not None

    def record(self, claim: Claim, outcomes: Sequence[Outcome], *, not_before: datetime | None = None) -> bool:
        """Write down a provider's answer. False: somebody has claimed the batch anew, nothing was written.

        An answer that comes after the lease (the batch is `uncertain` by then) still counts: it is knowledge.
        """
        held = self._sql.execute(
            select(batches)
            .where(*_same(claim), batches.c.state.in_([BatchState.CLAIMED, BatchState.UNCERTAIN]))
            .with_for_update()
        ).one_or_none()
        if held is None:
            return False
        by_status: dict[Status, list[Outcome]] = {}
        for outcome in outcomes:
            by_status.setdefault(outcome.status, []).append(outcome)
        ids = claim.id_of()
        for status, state in ((Status.REJECTED, "failed"), (Status.SUPPRESSED, "suppressed")):
            for outcome in by_status.get(status, ()):
                self._set(claim.campaign_id, ids[outcome.key], state, f"{outcome.code} {outcome.detail}".strip())
        self._keep_message_ids(claim.campaign_id, by_status.get(Status.SUBMITTED, ()), ids)
        unknown = by_status.get(Status.UNKNOWN, [])
        retry = by_status.get(Status.RETRY, [])
        if unknown or retry:
            for outcome in by_status.get(Status.SUBMITTED, ()):
                self._set(claim.campaign_id, ids[outcome.key], "submitted")
        if unknown and retry:
            self._split_off(held, [ids[outcome.key] for outcome in retry], not_before)
        note = next((f"{one.code} {one.detail}".strip() for one in (*unknown, *retry) if one.code or one.detail), "")
        state = BatchState.UNCERTAIN if unknown else BatchState.PENDING if retry else BatchState.SUBMITTED
        self._sql.execute(
            update(batches)
            .where(batches.c.campaign_id == held.campaign_id, batches.c.n == held.n)
            .values(
                state=state,
                owner=None,
                lease_until=None,
                not_before=not_before if state is BatchState.PENDING else None,
                unknown=held.unknown or bool(unknown),
                note=note,
            )
        )
        return True

    def _keep_message_ids(self, campaign_id: int, outcomes: Iterable[Outcome], ids: Mapping[str, int]) -> None:
        rows = [{"who": ids[one.key], "mid": one.message_id} for one in outcomes if one.message_id]
        if rows:
            where = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.subscriber_id == bindparam("who"))
            self._sql.execute(update(deliveries).where(where).values(provider_id=bindparam("mid")), rows)

    def _split_off(self, batch: Row[Any], subscriber_ids: Sequence[int], not_before: datetime | None) -> None:
        """Rows that surely were not sent leave a batch of which others may have been."""
        last = select(func.max(batches.c.n)).where(batches.c.campaign_id == batch.campaign_id)
        n = self._sql.execute(last).scalar_one() + 1
        pid = self._sql.execute(select(campaigns.c.pid).where(campaigns.c.id == batch.campaign_id)).scalar_one()
        row = _batch(
            batch.campaign_id, pid, n, batch.variant, min(subscriber_ids), max(subscriber_ids), len(subscriber_ids)
        )
        self._sql.execute(insert(batches).values({**row, "not_before": not_before}))
        for subscriber_id in subscriber_ids:
            where = and_(deliveries.c.campaign_id == batch.campaign_id, deliveries.c.subscriber_id == subscriber_id)
            self._sql.execute(update(deliveries).where(where).values(batch=n))
        size = batches.c.size - len(subscriber_ids)
        self._sql.execute(
            update(batches).where(batches.c.campaign_id == batch.campaign_id, batches.c.n == batch.n).values(size=size)
        )

    # --- after a crash -----------------------------------------------------------------------------

    def reap(self, campaign_id: int, now: datetime, *, everyone: bool) -> int:
        """Claims nobody holds any more become uncertain: the lease is over, or (`everyone`) we alone may send."""
        where = and_(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.CLAIMED)
        if not everyone:
            where = and_(where, batches.c.lease_until < now)
        values = {"state": BatchState.UNCERTAIN, "unknown": True, "owner": None}
        return self._sql.execute(update(batches).where(where).values(values)).rowcount

    def uncertain(self, campaign_id: int) -> list[Claim]:
        """Batches whose answer was lost, with their open rows (those who left since included)."""
        query = select(batches).where(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.UNCERTAIN)
        held = self._sql.execute(query.order_by(batches.c.n)).all()
        return [_claim(row, self._rows(row)) for row in held]

    def claimed_at(self, claim: Claim) -> datetime | None:
        """When a batch was last claimed."""
        found: datetime | None = self._sql.execute(select(batches.c.claimed_at).where(*_same(claim))).scalar_one()
        return found

    # --- the ledger in words -----------------------------------------------------------------------

    def counts(self, campaign_id: int, now: datetime) -> Counts:
        """Every row of the audience in exactly one class."""
        lapsed = and_(batches.c.state == BatchState.CLAIMED, batches.c.lease_until <= now)
        by_batch = case(
            (lapsed, literal("uncertain")),
            (batches.c.state == BatchState.CLAIMED, literal("pending")),
            (batches.c.state == BatchState.CANCELLED, literal("suppressed")),
            else_=batches.c.state,
        )
        stands = func.coalesce(deliveries.c.state, by_batch).label("stands")
        query = (
            select(stands, func.count())
            .select_from(
                deliveries.join(
                    batches, and_(batches.c.campaign_id == deliveries.c.campaign_id, batches.c.n == deliveries.c.batch)
                )
            )
            .where(deliveries.c.campaign_id == campaign_id)
            .group_by("stands")
        )
        found: dict[str, int] = dict(self._sql.execute(query).all())
        audience = self._sql.execute(select(campaigns.c.audience).where(campaigns.c.id == campaign_id)).scalar_one()
        return Counts(audience=audience, **found)

    def reasons(self, campaign_id: int) -> Mapping[str, int]:
        """Why rows of the audience did not receive, counted."""
        where = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.state.in_(["suppressed", "failed"]))
        query = select(deliveries.c.reason, func.count()).where(where).group_by(deliveries.c.reason)
        return {reason or "": count for reason, count in self._sql.execute(query)}

    def next_try(self, campaign_id: int) -> datetime | None:
        """The earliest moment a waiting batch may go."""
        query = select(func.min(batches.c.not_before)).where(
            batches.c.campaign_id == campaign_id, batches.c.state == BatchState.PENDING
        )
        return self._sql.execute(query).scalar_one_or_none()

    def finish(self, campaign_id: int, now: datetime) -> bool:
        """Close the campaign when every row is final; False when some is not (promise 2)."""
        open_ = self.counts(campaign_id, now)
        if open_.pending or open_.uncertain or not open_.adds_up:
            return False
        first = func.coalesce(campaigns.c.finished_at, bindparam("now", now, type_=campaigns.c.finished_at.type))
        values = {"state": CampaignState.FINISHED, "finished_at": first}
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(values))
        return True

    def set_state(self, campaign_id: int, state: CampaignState) -> None:
        """Pause, resume."""
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(state=state))

    def paused_all(self) -> bool:
        """Whether all sending is paused; re-read in every claim."""
        return self._sql.execute(select(meta.c.value).where(meta.c.name == _PAUSED_ALL)).first() is not None


def _with_suppressions() -> Any:
    return subscribers.outerjoin(suppressions, suppressions.c.address_hmac == subscribers.c.address_hmac)


def _has_topic(topics: Sequence[str]) -> Any:
    return exists().where(
        subscriber_topics.c.subscriber_id == subscribers.c.id, subscriber_topics.c.topic.in_(list(topics))
    )


def _still_wanted() -> Any:
    """The subscriber still has one of the campaign's topics (a JSON array of plain names)."""
    quoted = literal('"') + subscriber_topics.c.topic + literal('"')
    return exists().where(
        subscriber_topics.c.subscriber_id == subscribers.c.id, campaigns.c.topics.contains(quoted, autoescape=False)
    )


def _same(claim: Claim) -> tuple[Any, ...]:
    return (
        batches.c.campaign_id == claim.campaign_id,
        batches.c.n == claim.n,
        batches.c.attempt == claim.attempt,
    )


def _claim(batch: Row[Any], rows: Sequence[_Row]) -> Claim:
    return Claim(
        campaign_id=batch.campaign_id,
        n=batch.n,
        variant=batch.variant,
        attempt=batch.attempt,
        key=batch.key,
        recipients=tuple(row.recipient for row in rows),
        subscriber_ids=tuple(row.subscriber_id for row in rows),
    )


def _batch(campaign_id: int, pid: str, n: int, variant: str, lo: int, hi: int, size: int) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "n": n,
        "variant": variant,
        "lo": lo,
        "hi": hi,
        "size": size,
        "state": BatchState.PENDING,
        "key": f"{pid}:{n}",
    }


def _recipient(row: Any, way_out: Callable[[str], str]) -> Recipient:
    """A row as a provider gets it; nobody's address when the subscriber was erased since."""
    return Recipient(
        key=delivery_key(row.campaign_pid, row.pid or f"erased{row.subscriber_id}"),
        address=row.email or "",
        values={"first_name": row.first_name or "", "last_name": row.last_name or ""},
        unsubscribe_url=way_out(row.unsubscribe_token or ""),
    )


def _campaign(row: Row[Any]) -> Campaign:
    return Campaign(
        id=row.id,
        pid=row.pid,
        key=row.key,
        subject=row.subject,
        segments=tuple(json.loads(row.segments)),
        content_sha256=row.content_sha256,
        state=CampaignState(row.state),
        provider=row.provider,
        audience=row.audience,
        excluded=json.loads(row.excluded),
        batches=row.batches,
        frozen_at=row.frozen_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
