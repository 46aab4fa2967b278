"""The ledger: frozen audience, batches, deliveries.

    pending --claim, committed before the first byte--> claimed --answer--> submitted | pending (later) | failed rows
    claimed --answer lost, or the lease is over--> uncertain --the provider can tell--> submitted | pending

A delivery's state is its batch's, unless its own row says otherwise. Counts therefore always add up: every
row of the frozen audience is counted exactly once (promise 2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from newsletter.core.campaign import BatchState, Campaign, CampaignState, Claim, Counts, Draft, Variant, delivery_key
from newsletter.core.consent import State
from newsletter.core.delivery import Outcome, Recipient, Status
from newsletter.core.email import sha256
from newsletter.errors import NotApproved
from newsletter.store.conditions import is_suppressed, stands, suppressed_reason
from newsletter.store.dialect import insert_new, lock_dies_with_process
from newsletter.store.schema import (
    batches,
    campaigns,
    deliveries,
    emails,
    meta,
    subscriber_topics,
    subscribers,
)

AUDIENCE = "audience"
"""The reason that is none: these would receive."""

_PAUSED_ALL = "paused_all"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class _Row(NamedTuple):
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
            (is_suppressed(), suppressed_reason()),
            (subscribers.c.state != State.ACTIVE, subscribers.c.state),
            (~_has_topic(topics), literal("not subscribed to this")),
            else_=literal(AUDIENCE),
        ).label("why")
        query = select(reason, func.count()).select_from(subscribers).group_by("why").order_by("why")
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
            "base_url": draft.base_url,
            "archive": draft.archive,
            "state": CampaignState.SENDING,
            "provider": draft.provider,
            "audience": 0,
            "excluded": json.dumps(dict(draft.excluded)),
            "batches": 0,
            "frozen_at": now,
        }
        id_ = self._sql.execute(insert(campaigns).values(values).returning(campaigns.c.id)).scalar_one()
        last = 0
        for variant in draft.variants:
            row = {"campaign_id": id_, "variant": variant.name, "sha256": sha256(variant.body), "body": variant.body}
            self._sql.execute(insert(emails).values(row))
            self._freeze_audience(id_, draft.topics, variant, draft.batch_size, last)
            last = self._make_batches(id_, draft.pid, variant.name, last)
        count = select(func.count()).select_from(deliveries).where(deliveries.c.campaign_id == id_).scalar_subquery()
        parts = select(func.count()).select_from(batches).where(batches.c.campaign_id == id_).scalar_subquery()
        self._sql.execute(update(campaigns).where(campaigns.c.id == id_).values(audience=count, batches=parts))
        found = self._one(campaigns.c.id == id_)
        assert found is not None
        return found

    def _freeze_audience(
        self, campaign_id: int, topics: Sequence[str], variant: Variant, batch_size: int, last: int
    ) -> None:
        """Write down the readers of a variant, numbered into batches from `last` + 1 on."""
        place = func.row_number().over(order_by=subscribers.c.id) - 1
        asked = select(subscriber_topics.c.subscriber_id).where(subscriber_topics.c.topic.in_(topics))
        chosen = (
            select(literal(campaign_id), subscribers.c.id, (place // batch_size) + 1 + last)
            .where(
                subscribers.c.state == State.ACTIVE,
                ~is_suppressed(),
                subscribers.c.id.in_(asked),
                *(_has_topic(group) for group in variant.has),
                *(~_has_topic(group) for group in variant.lacks),
            )
            .order_by(subscribers.c.id)
        )
        self._sql.execute(insert(deliveries).from_select(["campaign_id", "subscriber_id", "batch"], chosen))

    def _make_batches(self, campaign_id: int, pid: str, variant: str, last: int) -> int:
        """A row for each batch after `last`; returns the number of the last now."""
        n, who = deliveries.c.batch, deliveries.c.subscriber_id
        values = {
            "campaign_id": literal(campaign_id),
            "n": n,
            "variant": literal(variant),
            "lo": func.min(who),
            "hi": func.max(who),
            "size": func.count(),
            "state": literal(BatchState.PENDING.value),
            "key": literal(f"{pid}:") + cast(n, String),
        }
        new = and_(deliveries.c.campaign_id == campaign_id, n > last)
        made = select(*values.values()).where(new).group_by(n).order_by(n)
        self._sql.execute(insert(batches).from_select([*values], made))
        newest = select(func.max(batches.c.n)).where(batches.c.campaign_id == campaign_id)
        return self._sql.execute(newest).scalar_one() or last

    # --- sending -----------------------------------------------------------------------------------

    def email(self, campaign_id: int, variant: str) -> str:
        """The frozen email of a variant. Raises: NotApproved when it is not what was frozen (promise 10)."""
        query = select(emails).where(emails.c.campaign_id == campaign_id, emails.c.variant == variant)
        return _unchanged(self._sql.execute(query).one())

    def emails(self, campaign_id: int) -> Mapping[str, str]:
        """The frozen emails of a campaign, by variant. Raises: NotApproved, as `email` does."""
        query = select(emails).where(emails.c.campaign_id == campaign_id).order_by(emails.c.variant)
        return {row.variant: _unchanged(row) for row in self._sql.execute(query)}

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
        topics = self._may_send(campaign_id)
        if topics is None:
            return None
        taken = self._sql.execute(
            _CLAIM, {"campaign": campaign_id, "at": now, "by": owner, "until": now + lease}
        ).one_or_none()
        if taken is None:
            return None
        rows = self._rows(taken, way_out, topics)
        self._write_out(campaign_id, [row for row in rows if row.excluded])
        return _claim(taken, [row for row in rows if not row.excluded])

    def _may_send(self, campaign_id: int) -> list[str] | None:
        """The campaign's topics; None when it is paused, or everything is."""
        row = self._sql.execute(_STANDS, {"campaign": campaign_id}).one()
        return json.loads(row.topics) if row.state == CampaignState.SENDING and not row.paused else None

    def _rows(self, batch: Row[Any], way_out: Callable[[str], str] = str, topics: Sequence[str] = ()) -> list[_Row]:
        """The open deliveries of a batch with what the claim must know of each."""
        found = self._sql.execute(
            _ROWS, {"campaign": batch.campaign_id, "batch": batch.n, "lo": batch.lo, "hi": batch.hi, "topics": topics}
        )
        return [_row(*row, way_out) for row in found.all()]

    def _write_out(self, campaign_id: int, rows: Iterable[_Row]) -> None:
        for row in rows:
            self._set(campaign_id, row.subscriber_id, "suppressed", row.excluded)

    def _set(self, campaign_id: int, subscriber_id: int, state: str, reason: str = "") -> None:
        where = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.subscriber_id == subscriber_id)
        self._sql.execute(update(deliveries).where(where).values(state=state, reason=reason[:200] or None))

    def next_size(self, campaign_id: int, now: datetime) -> int:
        """How many readers the next batch has that can be claimed; 0 when there is none."""
        if self._may_send(campaign_id) is None:
            return 0
        return self._sql.execute(_NEXT_SIZE, {"campaign": campaign_id, "at": now}).scalar() or 0

    def holds(self, claim: Claim, owner: str, now: datetime) -> bool:
        """Whether the claim is ours still at a moment: asked before the first byte leaves, of when the last will."""
        return self._sql.execute(_HOLDS, {**_named(claim), "by": owner, "at": now}).first() is not None

    def record(
        self,
        claim: Claim,
        outcomes: Sequence[Outcome],
        *,
        not_before: datetime | None = None,
        splits: bool = True,
        refused: bool = False,
    ) -> bool:
        """Write down a provider's answer. False: somebody has claimed the batch anew, nothing was written.

        An answer that comes after the lease (the batch is `uncertain` by then) still counts: it is knowledge.
        In: `not_before`, until when rows that may be tried again wait; `splits`, whether such rows may leave a
        batch of which others are unknown (`Capabilities.splits`; where not, they are uncertain with it);
        `refused`, that it was its readers who were put off, not the whole run: this is counted.
        """
        held = self._sql.execute(_HELD, _named(claim)).one_or_none()
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
        if unknown and retry and splits:
            self._split_off(held, [ids[outcome.key] for outcome in retry], not_before)
        note = next((f"{one.code} {one.detail}".strip() for one in (*unknown, *retry) if one.code or one.detail), "")
        state = BatchState.UNCERTAIN if unknown else BatchState.PENDING if retry else BatchState.SUBMITTED
        after = {
            **_named(claim),
            "to_state": state,
            "to_wait": not_before if state is BatchState.PENDING else None,
            "to_unknown": held.unknown or bool(unknown),
            "more": int(refused and bool(retry)),
            "to_note": note,
        }
        self._sql.execute(_RECORD, after)
        return True

    def _keep_message_ids(self, campaign_id: int, outcomes: Iterable[Outcome], ids: Mapping[str, int]) -> None:
        rows = [
            {"campaign": campaign_id, "who": ids[one.key], "mid": one.message_id} for one in outcomes if one.message_id
        ]
        if rows:
            self._sql.execute(_MESSAGE_ID, rows)

    def _split_off(self, batch: Any, subscriber_ids: Sequence[int], not_before: datetime | None) -> None:
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
        """Claims nobody holds any more become uncertain; how many batches.

        Those whose lease is over; with `everyone` (the caller has the right to send, and has not claimed yet)
        those of an earlier holder too, where that right is lost only by dying. On PostgreSQL it is lost with a
        connection as well, and whoever had it may be in the middle of a call: there the lease alone decides.
        """
        where = and_(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.CLAIMED)
        if not (everyone and lock_dies_with_process(self._sql)):
            where = and_(where, batches.c.lease_until <= now)
        values = {"state": BatchState.UNCERTAIN, "unknown": True, "owner": None}
        return self._sql.execute(update(batches).where(where).values(values)).rowcount

    def uncertain(self, campaign_id: int) -> list[Claim]:
        """Batches whose answer was lost, with their open rows (those who left since included)."""
        query = select(batches).where(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.UNCERTAIN)
        held = self._sql.execute(query.order_by(batches.c.n)).all()
        return [_claim(row, self._rows(row)) for row in held]

    def claimed_at(self, claim: Claim) -> datetime | None:
        """When a batch was last claimed."""
        found: datetime | None = self._sql.execute(
            select(batches.c.claimed_at).where(_SAME), _named(claim)
        ).scalar_one()
        return found

    # --- the ledger in words -----------------------------------------------------------------------

    def counts(self, campaign_id: int, now: datetime) -> Counts:
        """Every row of the audience in exactly one class.

        Once the campaign has finished nothing changes any more, and what was counted then is said again.
        """
        audience, kept = self._sql.execute(
            select(campaigns.c.audience, campaigns.c.counts).where(campaigns.c.id == campaign_id)
        ).one()
        if kept is not None:
            return Counts(**json.loads(kept))
        query = (
            select(stands(now).label("stands"), func.count())
            .select_from(
                deliveries.join(
                    batches, and_(batches.c.campaign_id == deliveries.c.campaign_id, batches.c.n == deliveries.c.batch)
                )
            )
            .where(deliveries.c.campaign_id == campaign_id)
            .group_by("stands")
        )
        found: dict[str, int] = dict(self._sql.execute(query).all())
        return Counts(audience=audience, **found)

    def reasons(self, campaign_id: int) -> Mapping[str, int]:
        """Why rows of the audience did not receive, counted."""
        where = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.state.in_(["suppressed", "failed"]))
        query = select(deliveries.c.reason, func.count()).where(where).group_by(deliveries.c.reason)
        return {reason or "": count for reason, count in self._sql.execute(query)}

    def next_try(self, campaign_id: int) -> datetime | None:
        """The earliest moment a pending batch may go (1970 when one may at once); None when none is pending."""
        first = func.min(func.coalesce(batches.c.not_before, bindparam("ever", _EVER, type_=batches.c.not_before.type)))
        query = select(type_coerce(first, batches.c.not_before.type))
        found: datetime | None = self._sql.execute(
            query.where(batches.c.campaign_id == campaign_id, _IS_PENDING)
        ).scalar_one()
        return found

    def next_lapse(self, campaign_id: int) -> datetime | None:
        """The earliest moment the lease of a claim is over; None when nothing is claimed."""
        query = select(func.min(batches.c.lease_until)).where(batches.c.campaign_id == campaign_id, _IS_CLAIMED)
        found: datetime | None = self._sql.execute(query).scalar_one()
        return found

    def finish(self, campaign_id: int, now: datetime) -> bool:
        """Close the campaign when every row is final; False when some is not (promise 2)."""
        open_ = self.counts(campaign_id, now)
        if open_.pending or open_.uncertain or not open_.adds_up:
            return False
        first = func.coalesce(campaigns.c.finished_at, bindparam("now", now, type_=campaigns.c.finished_at.type))
        values = {"state": CampaignState.FINISHED, "finished_at": first, "counts": json.dumps(asdict(open_))}
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(values))
        return True

    def set_state(self, campaign_id: int, state: CampaignState) -> bool:
        """Pause, resume. False, and nothing changed, when the campaign has ended."""
        still = and_(
            campaigns.c.id == campaign_id, campaigns.c.state.in_([CampaignState.SENDING, CampaignState.PAUSED])
        )
        return self._sql.execute(update(campaigns).where(still).values(state=state)).rowcount == 1

    def paused_all(self) -> bool:
        """Whether all sending is paused; re-read in every claim."""
        return self._sql.execute(select(meta.c.value).where(meta.c.name == _PAUSED_ALL)).first() is not None

    def pause_all(self, now: datetime | None) -> None:
        """Pause all sending from now on; None lets it go on."""
        if now is None:
            self._sql.execute(delete(meta).where(meta.c.name == _PAUSED_ALL))
        else:
            insert_new(self._sql, meta, [{"name": _PAUSED_ALL, "value": now.isoformat()}])


def _has_topic(topics: Sequence[str] | BindParameter[Any]) -> Any:
    return exists().where(subscriber_topics.c.subscriber_id == subscribers.c.id, subscriber_topics.c.topic.in_(topics))


def _named(claim: Claim) -> dict[str, Any]:
    return {"campaign": claim.campaign_id, "batch": claim.n, "tried": claim.attempt}


def _claim(batch: Row[Any], rows: Sequence[_Row]) -> Claim:
    return Claim(
        campaign_id=batch.campaign_id,
        n=batch.n,
        variant=batch.variant,
        attempt=batch.attempt,
        key=batch.key,
        recipients=tuple(row.recipient for row in rows),
        subscriber_ids=tuple(row.subscriber_id for row in rows),
        refusals=batch.refusals,
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


def _row(
    subscriber_id: int,
    campaign_pid: str,
    pid: str | None,
    email: str | None,
    first_name: str | None,
    last_name: str | None,
    token: str | None,
    excluded: str,
    way_out: Callable[[str], str],
) -> _Row:
    """A row as a provider gets it; nobody's address when the subscriber was erased since."""
    recipient = Recipient(
        key=delivery_key(campaign_pid, pid or f"erased{subscriber_id}"),
        address=email or "",
        values={"first_name": first_name or "", "last_name": last_name or ""},
        unsubscribe_url=way_out(token or ""),
    )
    return _Row(subscriber_id, recipient, excluded)


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
        base_url=row.base_url,
    )


def _unchanged(row: Row[Any]) -> str:
    if sha256(row.body) != row.sha256:
        raise NotApproved(
            "The frozen mail in the database is not the one that was reviewed: its hash does not fit.",
            "Nothing was sent. Restore a backup of the database.",
        )
    return str(row.body)


# --- what is said once for every batch: a statement costs more to build than to run ------------------

_STANDS = select(
    campaigns.c.state, campaigns.c.topics, exists().where(meta.c.name == _PAUSED_ALL).label("paused")
).where(campaigns.c.id == bindparam("campaign"))

_SAME = and_(
    batches.c.campaign_id == bindparam("campaign"),
    batches.c.n == bindparam("batch"),
    batches.c.attempt == bindparam("tried"),
)
_AT = bindparam("at", type_=batches.c.lease_until.type)
_IS_PENDING = batches.c.state == BatchState.PENDING
_IS_CLAIMED = batches.c.state == BatchState.CLAIMED

_MAY_GO = and_(
    batches.c.campaign_id == bindparam("campaign"),
    _IS_PENDING,
    or_(batches.c.not_before.is_(None), batches.c.not_before <= _AT),
)

_NEXT_SIZE = (
    select(
        select(func.count())
        .where(
            deliveries.c.campaign_id == batches.c.campaign_id,
            deliveries.c.subscriber_id.between(batches.c.lo, batches.c.hi),
            deliveries.c.batch == batches.c.n,
            deliveries.c.state.is_(None),
        )
        .scalar_subquery()
    )
    .where(_MAY_GO)
    .order_by(batches.c.n)
    .limit(1)
)

_CLAIM = (
    update(batches)
    .where(
        batches.c.campaign_id == bindparam("campaign"),
        batches.c.n
        == select(batches.c.n)
        .where(_MAY_GO)
        .order_by(batches.c.n)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery(),
    )
    .values(
        state=BatchState.CLAIMED,
        attempt=batches.c.attempt + 1,
        owner=bindparam("by"),
        lease_until=bindparam("until"),
        claimed_at=_AT,
    )
    .returning(batches)
)

_ROWS = (
    select(
        deliveries.c.subscriber_id,
        campaigns.c.pid,
        subscribers.c.pid,
        subscribers.c.email,
        subscribers.c.first_name,
        subscribers.c.last_name,
        subscribers.c.unsubscribe_token,
        case(
            (subscribers.c.id.is_(None), literal("erased")),
            (is_suppressed(), suppressed_reason()),
            (subscribers.c.state != State.ACTIVE, subscribers.c.state),
            (~_has_topic(bindparam("topics", expanding=True)), literal("topic")),
            else_=literal(""),
        ),
    )
    .select_from(
        deliveries.join(campaigns, campaigns.c.id == deliveries.c.campaign_id).outerjoin(
            subscribers, subscribers.c.id == deliveries.c.subscriber_id
        )
    )
    .where(
        deliveries.c.campaign_id == bindparam("campaign"),
        deliveries.c.subscriber_id.between(bindparam("lo"), bindparam("hi")),
        deliveries.c.batch == bindparam("batch"),
        deliveries.c.state.is_(None),
    )
    .order_by(deliveries.c.subscriber_id)
)

_HOLDS = select(batches.c.n).where(_SAME, _IS_CLAIMED, batches.c.owner == bindparam("by"), batches.c.lease_until > _AT)

_HELD = (
    select(batches.c.campaign_id, batches.c.n, batches.c.variant, batches.c.unknown)
    .where(_SAME, batches.c.state.in_([BatchState.CLAIMED, BatchState.UNCERTAIN]))
    .with_for_update()
)

_RECORD = (
    update(batches)
    .where(_SAME)
    .values(
        state=bindparam("to_state"),
        owner=None,
        lease_until=None,
        not_before=bindparam("to_wait"),
        unknown=bindparam("to_unknown"),
        refusals=batches.c.refusals + bindparam("more", type_=batches.c.refusals.type),
        note=bindparam("to_note"),
    )
)

_MESSAGE_ID = (
    update(deliveries)
    .where(deliveries.c.campaign_id == bindparam("campaign"), deliveries.c.subscriber_id == bindparam("who"))
    .values(provider_id=bindparam("mid"))
)
