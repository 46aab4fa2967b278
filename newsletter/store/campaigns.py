"""The ledger: frozen audience, batches, deliveries.

    pending --claim, committed before the first byte--> claimed --answer--> submitted | pending (later) | failed rows
    claimed --answer lost, or the lease is over--> uncertain --the provider can tell--> submitted | pending

A delivery's state is its batch's, unless its own row says otherwise. Counts therefore always add up: every
row of the frozen audience is counted exactly once (promise 2).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Row,
    Select,
    String,
    Table,
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

from newsletter.core.campaign import (
    Answer,
    BatchState,
    Campaign,
    CampaignState,
    Claim,
    Counts,
    Draft,
    Variant,
    delivery_key,
)
from newsletter.core.consent import State
from newsletter.core.delivery import Outcome, Recipient, Status
from newsletter.core.email import sha256
from newsletter.core.mime import key_of
from newsletter.errors import NotApproved
from newsletter.store import brake
from newsletter.store.conditions import batch_stands, is_suppressed, most_may_be_mailed, suppressed_reason
from newsletter.store.dialect import insert_new, least, lock_dies_with_process, unindexed, update_many
from newsletter.store.schema import (
    Id,
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
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_EVERY = 2**31 - 1  # a batch's number is never higher


_recipient = Recipient._make
_Row = tuple[int, Recipient, str]  # a delivery read in a claim: whose, to whom, why it must not go (or "")


class Campaigns:
    """The press's tables within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    # --- before the freeze -------------------------------------------------------------------------

    def headcount(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Everybody on file by what would become of them: `audience`, or why they are left out.

        Counted from three ends, as most are in none but the first: all by state, the suppressed, and who has a topic.
        """
        state, has = subscribers.c.state, _has_topic(topics)
        by_state: dict[str, int] = dict(self._sql.execute(select(state, func.count()).group_by(state)).all())
        barred = select(suppressions.c.address_hmac).distinct().subquery()
        found = select(state, has.label("has"), suppressed_reason().label("why"), func.count().label("readers"))
        query = found.join_from(barred, subscribers, subscribers.c.address_hmac == barred.c.address_hmac)
        heads: dict[str, int] = {}
        with_topic = self._sql.execute(_count(subscribers, state == State.ACTIVE, has)).scalar_one()
        for row in self._sql.execute(query.group_by(state, "has", "why")):
            heads[row.why] = heads.get(row.why, 0) + row.readers
            by_state[row.state] -= row.readers
            with_topic -= row.readers if row.has and row.state == State.ACTIVE else 0
        heads["not subscribed to this"] = by_state.pop(State.ACTIVE, 0) - with_topic
        heads[AUDIENCE] = with_topic
        for other, count in by_state.items():
            heads[other] = heads.get(other, 0) + count
        return {why: count for why, count in sorted(heads.items()) if count}

    def by_key(self, key: str) -> Campaign | None:
        """The campaign of an issue."""
        return self._one(campaigns.c.key == key)

    def with_source(self, source_sha256: str) -> list[Campaign]:
        """The campaigns with the same words, under whatever key."""
        query = select(campaigns).where(campaigns.c.source_sha256 == source_sha256).order_by(campaigns.c.id)
        return [_campaign(row) for row in self._sql.execute(query)]

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
            "due_at": draft.due_at,
            "timezone": draft.timezone,
            "note": draft.note,
            "frozen_at": now,
        }
        id_ = self._sql.execute(insert(campaigns).values(values).returning(campaigns.c.id)).scalar_one()
        for variant in draft.variants:
            row = {"campaign_id": id_, "variant": variant.name, "sha256": sha256(variant.body), "body": variant.body}
            self._sql.execute(insert(emails).values(row))
        first, last = self._freeze_all(id_, draft)
        count = _count(deliveries, deliveries.c.campaign_id == id_).scalar_subquery()
        frozen = update(campaigns).where(campaigns.c.id == id_).values(audience=count, batches=last, first=first)
        self._sql.execute(frozen)
        found = self._one(campaigns.c.id == id_)
        assert found is not None
        return found

    def _freeze_all(self, campaign_id: int, draft: Draft) -> tuple[int, int]:
        """Write everybody down, the first slice first; how many batches that has, and all have."""
        first = last = 0
        rest: list[ColumnElement[bool]] = []
        if draft.first:
            brake.pick(self._sql, campaign_id, draft.first, draft.audience, _theirs(self._sql, draft))
            chosen = select(brake.ahead.c.subscriber_id)
            for variant in draft.variants:
                first = self._freeze_audience(campaign_id, draft, variant, first, subscribers.c.id.in_(chosen))
            last, rest = first, [subscribers.c.id.not_in(chosen)]
        for variant in draft.variants:
            last = self._freeze_audience(campaign_id, draft, variant, last, *rest)
        if draft.first:
            brake.ahead.drop(self._sql)
        return first, last

    def _freeze_audience(
        self, campaign_id: int, draft: Draft, variant: Variant, last: int, *part: ColumnElement[bool]
    ) -> int:
        """Write down (a part of) the readers of a variant in batches from `last` + 1 on; the number of the last now.

        They are put in order beside the ledger first: their places there number the batches, at no cost.
        """
        chosen = (
            select(subscribers.c.id)
            .where(
                *part,
                *_theirs(self._sql, draft),
                *(_has_topic(group) for group in variant.has),
                *(~_has_topic(group) for group in variant.lacks),
            )
            .order_by(subscribers.c.id)
        )
        place, size, who = _picked.c.place, draft.batch_size, _picked.c.subscriber_id
        _picked.create(self._sql, checkfirst=False)
        self._sql.execute(insert(_picked).from_select([who], chosen))
        count = self._sql.execute(select(func.coalesce(func.max(place), 0))).scalar_one()
        n = (place - 1) // size + 1 + last
        rows = select(literal(campaign_id), who, n).order_by(place)
        self._sql.execute(insert(deliveries).from_select(["campaign_id", "subscriber_id", "batch"], rows))
        end = _picked.alias("end")
        hi = select(end.c.subscriber_id).where(end.c.place == least(self._sql, place + (size - 1), literal(count)))
        values = {
            "campaign_id": literal(campaign_id),
            "n": n,
            "variant": literal(variant.name),
            "lo": who,
            "hi": hi.scalar_subquery(),
            "size": least(self._sql, literal(size), literal(count + 1) - place),
            "state": literal(BatchState.PENDING.value),
            "key": literal(f"{draft.pid}:") + cast(n, String),
        }
        made = select(*values.values()).where((place - 1) % size == 0).order_by(place)
        self._sql.execute(insert(batches).from_select([*values], made))
        _picked.drop(self._sql, checkfirst=False)
        return last + math.ceil(int(count) / size)

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
        """Take the next batch into our hands, as `claims` does."""
        found = self.claims(campaign_id, owner, now, lease=lease, way_out=way_out, most=1)
        return found[0] if found else None

    def claims(
        self, campaign_id: int, owner: str, now: datetime, *, lease: timedelta, way_out: Callable[[str], str], most: int
    ) -> list[Claim]:
        """Take the next batches into our hands, and read who of them may still receive.

        In: `way_out` makes an unsubscribe address of a reader's credential; `most`, how many batches at once.

        Whoever left, bounced, complained or lost the topic since the freeze is written out here, in the
        transaction that makes the claims (promise 4). None of them: nothing to take, paused, or not yet.
        """
        may = self._may_send(campaign_id, now)
        if may is None:
            return []
        topics, last = may
        asked = {"campaign": campaign_id, "at": now, "by": owner, "until": now + lease, "most": most, "last": last}
        taken = sorted(self._sql.execute(_CLAIM, asked).all(), key=lambda batch: int(batch.n))
        rows = self._rows(campaign_id, taken, way_out, topics)
        gone = [(who, why) for found in rows.values() for who, _, why in found if why]
        self._set(campaign_id, "suppressed", gone)
        if gone:
            rows = {n: [row for row in found if not row[2]] for n, found in rows.items()}
        return [_claim(batch, rows[batch.n]) for batch in taken]

    def _may_send(self, campaign_id: int, now: datetime) -> tuple[list[str], int] | None:
        """The campaign's topics, and the last batch that may go; None when it is held or paused, or everything is."""
        row = self._sql.execute(_STANDS, {"campaign": campaign_id}).one()
        held = row.held_until is not None and now < row.held_until
        if held or row.paused or row.state != CampaignState.SENDING:
            return None
        return json.loads(row.topics), _EVERY if row.released_at or not row.first else row.first

    def _rows(
        self,
        campaign_id: int,
        taken: Sequence[Row[Any]],
        way_out: Callable[[str], str] = str,
        topics: Sequence[str] = (),
    ) -> dict[int, list[_Row]]:
        """The open deliveries of some batches with what the claim must know of each, by the batch's number."""
        rows: dict[int, list[_Row]] = {batch.n: [] for batch in taken}
        if rows:
            asked = {"campaign": campaign_id, "batches": list(rows), "topics": topics}
            for n, who, campaign_pid, pid, email, first, last, token, why in self._sql.execute(_ROWS, asked).all():
                key = delivery_key(campaign_pid, pid or f"erased{who}")
                known = {"first_name": first or "", "last_name": last or ""}
                # `_make` of a tuple: half of what a call costs. Nobody's address, when the subscriber was erased since
                rows[n].append((who, _recipient((key, email or "", known, way_out(token or ""))), why))
        return rows

    def _set(self, campaign_id: int, state: str, rows: Sequence[tuple[int, str]]) -> None:
        """Give some deliveries a state of their own. In: subscriber and reason."""
        if rows:
            same = {"campaign": campaign_id, "to_state": state}
            self._sql.execute(_SET, [{**same, "who": who, "to_reason": why[:200] or None} for who, why in rows])

    def next_size(self, campaign_id: int, now: datetime, most: int = 1) -> int:
        """How many readers the next batches have that can be claimed, `most` of them at once; 0 when there is none."""
        may = self._may_send(campaign_id, now)
        if may is None:
            return 0
        asked = {"campaign": campaign_id, "at": now, "most": most, "last": may[1]}
        return int(self._sql.execute(_NEXT_SIZE, asked).scalar() or 0)

    def holds(self, claims: Sequence[Claim], owner: str, now: datetime) -> set[int]:
        """Which claims of a campaign are ours still at a moment and may go: asked before the first byte leaves.

        In: `now`, the moment when the last byte will have left. Out: the numbers of their batches; none while the
        campaign or all sending is paused, or when it was cancelled.
        """
        if not claims or self._may_send(claims[0].campaign_id, now) is None:
            return set()
        tried = {claim.n: claim.attempt for claim in claims}
        asked = {"campaign": claims[0].campaign_id, "batches": list(tried), "by": owner, "at": now}
        return {n for n, attempt in self._sql.execute(_HOLDS, asked) if tried[n] == attempt}

    def record(
        self,
        claim: Claim,
        outcomes: Sequence[Outcome],
        *,
        not_before: datetime | None = None,
        splits: bool = True,
        refused: bool = False,
    ) -> bool:
        """Write down a provider's answer, as `record_all` does. False: nothing was written."""
        return self.record_all([Answer(claim, tuple(outcomes), not_before, refused)], splits=splits) == 1

    def record_all(self, answers: Sequence[Answer], *, splits: bool = True) -> int:
        """Write down a provider's answers to batches of one campaign; how many were written.

        Nothing is written for a batch that somebody has claimed anew. An answer that comes after the lease (the
        batch is `uncertain` by then) still counts: it is knowledge.
        In: `splits`, whether rows that may be tried again may leave a batch of which others are unknown
        (`Capabilities.splits`; where not, they are uncertain with it).
        """
        if not answers:
            return 0
        asked = {"campaign": answers[0].claim.campaign_id, "batches": [answer.claim.n for answer in answers]}
        held = {(row.n, row.attempt): row for row in self._sql.execute(_HELD, asked)}
        settled: list[dict[str, Any]] = []
        message_ids: list[tuple[str, int, int]] = []
        for answer in answers:
            batch = held.get((answer.claim.n, answer.claim.attempt))
            if batch is not None:
                settled.append(self._settled(batch, answer, splits=splits))
                message_ids += _message_ids(answer)
        keys = (deliveries.c.campaign_id, deliveries.c.subscriber_id)
        update_many(self._sql, deliveries.c.provider_id, keys, message_ids)
        if settled:
            self._sql.execute(_RECORD, settled)
        return len(settled)

    def _settled(self, batch: Any, answer: Answer, *, splits: bool) -> dict[str, Any]:
        """What a batch becomes by an answer; its exceptions are written."""
        claim, campaign_id = answer.claim, answer.claim.campaign_id
        unknown: list[Outcome] = []
        retry: list[Outcome] = []
        note = ""
        if any(outcome.status is not Status.SUBMITTED for outcome in answer.outcomes):
            ids = claim.id_of()
            of = {status: [one for one in answer.outcomes if one.status is status] for status in Status}
            for status, state in ((Status.REJECTED, "failed"), (Status.SUPPRESSED, "suppressed")):
                self._set(campaign_id, state, [(ids[one.key], _told(one)) for one in of[status]])
            unknown, retry = of[Status.UNKNOWN], of[Status.RETRY]
            if unknown or retry:
                self._set(campaign_id, "submitted", [(ids[one.key], "") for one in of[Status.SUBMITTED]])
            if unknown and retry and splits:
                self._split_off(batch, [ids[one.key] for one in retry], answer.not_before)
            note = next(filter(None, map(_told, (*unknown, *retry))), "")
        state = BatchState.UNCERTAIN if unknown else BatchState.PENDING if retry else BatchState.SUBMITTED
        return {
            **_named(claim),
            "to_state": state,
            "to_wait": answer.not_before if state is BatchState.PENDING else None,
            "to_unknown": batch.unknown or bool(unknown),
            "more": int(answer.refused and bool(retry)),
            "to_note": note,
        }

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

    def wake(self, campaign_id: int, now: datetime) -> None:
        """Let batches go that wait by a clock that was wrong: they were last claimed at a moment that is still to come.

        What their provider asked for is kept by the row that holds for all (`store/limits.py`).
        """
        theirs = and_(batches.c.campaign_id == campaign_id, _IS_PENDING, batches.c.not_before.is_not(None))
        self._sql.execute(update(batches).where(theirs, batches.c.claimed_at > now).values(not_before=None))

    def uncertain(self, campaign_id: int) -> list[Claim]:
        """Batches whose answer was lost, with their open rows (those who left since included)."""
        query = select(batches).where(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.UNCERTAIN)
        held = self._sql.execute(query.order_by(batches.c.n)).all()
        rows = self._rows(campaign_id, held)
        return [_claim(batch, rows[batch.n]) for batch in held]

    def repeatable(self, campaign_id: int, way_out: Callable[[str], str], n: int | None = None) -> list[Claim]:
        """Those of them in which everybody may still receive: the very calls that were made, as far as we know.

        In: `n`, the number of the one that is asked about.
        """
        query = select(batches, campaigns.c.topics).join(campaigns, campaigns.c.id == batches.c.campaign_id)
        held = self._sql.execute(
            query.where(
                batches.c.campaign_id == campaign_id,
                batches.c.state == BatchState.UNCERTAIN,
                *([batches.c.n == n] if n is not None else []),
            )
        ).all()
        rows = self._rows(campaign_id, held, way_out, json.loads(held[0].topics)) if held else {}
        return [_claim(batch, rows[batch.n]) for batch in held if not any(why for _, _, why in rows[batch.n])]

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
        found: dict[str, int] = dict(self._sql.execute(_OWN, {"campaign": campaign_id}).all())
        open_ = select(batch_stands(now).label("stands"), func.sum(_OPEN_ROWS))
        for state, count in self._sql.execute(open_.where(batches.c.campaign_id == campaign_id).group_by("stands")):
            found[state] = found.get(state, 0) + int(count or 0)
        return Counts(audience=audience, **{state: count for state, count in found.items() if count})

    def has_more(self, campaign_id: int) -> bool:
        """Whether a batch of it waits, or is in somebody's hands."""
        theirs = exists().where(batches.c.campaign_id == campaign_id, or_(_IS_PENDING, _IS_CLAIMED))
        return bool(self._sql.execute(select(theirs)).scalar())

    def reasons(self, campaign_id: int) -> Mapping[str, int]:
        """Why rows of the audience did not receive, counted."""
        where = and_(deliveries.c.campaign_id == campaign_id, deliveries.c.state.in_(["suppressed", "failed"]))
        query = select(deliveries.c.reason, func.count()).where(where).group_by(deliveries.c.reason)
        return {reason or "": count for reason, count in self._sql.execute(query)}

    def next_try(self, campaign_id: int) -> datetime | None:
        """The earliest moment a pending batch may go (1970 when one may at once); None when none is pending.

        While the first slice goes, nothing beyond it counts.
        """
        first = func.min(func.coalesce(batches.c.not_before, bindparam("ever", _EVER, type_=batches.c.not_before.type)))
        query = select(type_coerce(first, batches.c.not_before.type))
        found: datetime | None = self._sql.execute(
            query.where(batches.c.campaign_id == campaign_id, _IS_PENDING, batches.c.n <= _LAST)
        ).scalar_one()
        return found

    def next_lapse(self, campaign_id: int) -> datetime | None:
        """The earliest moment the lease of a claim is over; None when nothing is claimed."""
        query = select(func.min(batches.c.lease_until)).where(batches.c.campaign_id == campaign_id, _IS_CLAIMED)
        found: datetime | None = self._sql.execute(query).scalar_one()
        return found

    def finish(self, campaign_id: int, now: datetime) -> bool:
        """Close the campaign when every row is final; False when some is not (promise 2).

        Of a cancelled one, what came back to be tried again is cancelled with the rest.
        """
        self._sql.execute(_CANCEL, {"campaign": campaign_id})
        open_ = self.counts(campaign_id, now)
        if open_.pending or open_.uncertain or not open_.adds_up:
            return False
        first = func.coalesce(campaigns.c.finished_at, bindparam("now", now, type_=campaigns.c.finished_at.type))
        cancelled = campaigns.c.state == CampaignState.CANCELLED
        values = {
            "state": case((cancelled, campaigns.c.state), else_=CampaignState.FINISHED),
            "finished_at": first,
            "counts": json.dumps(asdict(open_)),
        }
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(values))
        return True

    def set_state(self, campaign_id: int, state: CampaignState) -> bool:
        """Pause, resume, cancel. False, and nothing changed, when the campaign has ended.

        A cancel takes every batch that nobody has in hand: none of it can be claimed any more.
        """
        still = and_(
            campaigns.c.id == campaign_id, campaigns.c.state.in_([CampaignState.SENDING, CampaignState.PAUSED])
        )
        turned = self._sql.execute(update(campaigns).where(still).values(state=state)).rowcount == 1
        self._sql.execute(_CANCEL, {"campaign": campaign_id})
        return turned

    def paused_all(self) -> bool:
        """Whether all sending is paused; re-read in every claim."""
        return self._sql.execute(select(meta.c.value).where(meta.c.name == _PAUSED_ALL)).first() is not None

    def pause_all(self, now: datetime | None) -> None:
        """Pause all sending from now on; None lets it go on."""
        if now is None:
            self._sql.execute(delete(meta).where(meta.c.name == _PAUSED_ALL))
        else:
            insert_new(self._sql, meta, [{"name": _PAUSED_ALL, "value": now.isoformat()}])


_picked = Table(  # the readers of a variant in their order, while they are frozen
    "picked",
    MetaData(),
    Column("place", Id, primary_key=True),
    Column("subscriber_id", Id, nullable=False),
    prefixes=["TEMPORARY"],
)


def _count(table: Table, *where: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(table).where(*where)


def _has_topic(topics: Sequence[str] | BindParameter[Any]) -> Any:
    return exists().where(subscriber_topics.c.subscriber_id == subscribers.c.id, subscriber_topics.c.topic.in_(topics))


def _theirs(bind: Connection, draft: Draft) -> list[ColumnElement[bool]]:
    """Who receives: of very many, most."""
    chosen = select(subscriber_topics.c.subscriber_id).where(subscriber_topics.c.topic.in_(draft.topics))
    active = unindexed(bind, subscribers.c.state) == State.ACTIVE
    return [active, subscribers.c.id.in_(chosen), most_may_be_mailed(bind)]


def _named(claim: Claim) -> dict[str, Any]:
    return {"campaign": claim.campaign_id, "batch": claim.n, "tried": claim.attempt}


def _claim(batch: Row[Any], rows: Sequence[_Row]) -> Claim:
    return Claim(
        campaign_id=batch.campaign_id,
        n=batch.n,
        variant=batch.variant,
        attempt=batch.attempt,
        key=batch.key,
        recipients=tuple([recipient for _, recipient, _ in rows]),
        subscriber_ids=tuple([who for who, _, _ in rows]),
        refusals=batch.refusals,
    )


def _told(one: Outcome) -> str:
    return f"{one.code} {one.detail}".strip()


def _message_ids(answer: Answer) -> Iterable[tuple[str, int, int]]:
    """The provider's own names for the messages it took. One made of the delivery's key says nothing new."""
    taken = [
        one
        for one in answer.outcomes
        if one.message_id and not one.message_id.startswith(f"<{one.key}@") and key_of(one.message_id) != one.key
    ]
    if taken:
        ids = answer.claim.id_of()
        for one in taken:
            if one.status is Status.SUBMITTED:
                yield str(one.message_id), answer.claim.campaign_id, ids[one.key]


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
        held_until=row.held_until,
        soak_until=row.soak_until if row.released_at is None else None,
        brake=row.brake,
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
    campaigns.c.state,
    campaigns.c.topics,
    campaigns.c.held_until,
    campaigns.c.first,
    campaigns.c.released_at,
    exists().where(meta.c.name == _PAUSED_ALL).label("paused"),
).where(campaigns.c.id == bindparam("campaign"))

_SAME = and_(
    batches.c.campaign_id == bindparam("campaign"),
    batches.c.n == bindparam("batch"),
    batches.c.attempt == bindparam("tried"),
)
_THESE = and_(batches.c.campaign_id == bindparam("campaign"), batches.c.n.in_(bindparam("batches", expanding=True)))
_AT = bindparam("at", type_=batches.c.lease_until.type)
_IS_PENDING = batches.c.state == BatchState.PENDING
_IS_CLAIMED = batches.c.state == BatchState.CLAIMED

_MAY_GO = and_(
    batches.c.campaign_id == bindparam("campaign"),
    _IS_PENDING,
    batches.c.n <= bindparam("last"),
    or_(batches.c.not_before.is_(None), batches.c.not_before <= _AT),
)

_LAST = (  # batch of the campaign at hand that may be claimed by now
    select(
        case(
            (or_(campaigns.c.first == 0, campaigns.c.released_at.is_not(None)), literal(_EVERY)),
            else_=campaigns.c.first,
        )
    )
    .where(campaigns.c.id == batches.c.campaign_id)
    .scalar_subquery()
)

_OPEN_ROWS = (  # of a batch: those that stand as it does
    select(func.count())
    .where(
        deliveries.c.campaign_id == batches.c.campaign_id,
        deliveries.c.subscriber_id.between(batches.c.lo, batches.c.hi),
        deliveries.c.batch == batches.c.n,
        deliveries.c.state.is_(None),
    )
    .scalar_subquery()
)

_OWN = (
    select(deliveries.c.state, func.count())
    .where(deliveries.c.campaign_id == bindparam("campaign"), deliveries.c.state.is_not(None))
    .group_by(deliveries.c.state)
)

_NEXT_SIZE = select(
    func.sum(
        select(_OPEN_ROWS.label("open"))
        .select_from(batches)
        .where(_MAY_GO)
        .order_by(batches.c.n)
        .limit(bindparam("most"))
        .subquery()
        .c.open
    )
)

_DUE = (
    select(batches.c.n)
    .where(_MAY_GO)
    .order_by(batches.c.n)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due")  # once, and not again for each row
)

_CLAIM = (
    update(batches)
    .where(batches.c.campaign_id == bindparam("campaign"), batches.c.n.in_(select(_DUE.c.n)))
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
        batches.c.n,
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
        batches.join(campaigns, campaigns.c.id == batches.c.campaign_id)
        .join(
            deliveries,
            and_(
                deliveries.c.campaign_id == batches.c.campaign_id,
                deliveries.c.subscriber_id.between(batches.c.lo, batches.c.hi),
                # as a range too: an equality tempts PostgreSQL to hash the whole campaign
                deliveries.c.batch.between(batches.c.n, batches.c.n),
                deliveries.c.state.is_(None),
            ),
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    )
    .where(_THESE)
    .order_by(batches.c.n, deliveries.c.subscriber_id)
)

_HOLDS = select(batches.c.n, batches.c.attempt).where(
    _THESE, _IS_CLAIMED, batches.c.owner == bindparam("by"), batches.c.lease_until > _AT
)

_HELD = (
    select(batches.c.campaign_id, batches.c.n, batches.c.attempt, batches.c.variant, batches.c.unknown)
    .where(_THESE, batches.c.state.in_([BatchState.CLAIMED, BatchState.UNCERTAIN]))
    .order_by(batches.c.n)
    .with_for_update()
)

_CANCEL = (
    update(batches)
    .where(
        batches.c.campaign_id == bindparam("campaign"),
        _IS_PENDING,
        exists().where(campaigns.c.id == batches.c.campaign_id, campaigns.c.state == CampaignState.CANCELLED),
    )
    .values(state=BatchState.CANCELLED)
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

_SET = (
    update(deliveries)
    .where(deliveries.c.campaign_id == bindparam("campaign"), deliveries.c.subscriber_id == bindparam("who"))
    .values(state=bindparam("to_state"), reason=bindparam("to_reason"))
)
