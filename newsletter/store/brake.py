"""What holds a campaign back, and what is beside it: the first slice, the hold, seeds, what the owner is told.

Within one transaction. Whether a batch may be claimed is asked in `store/campaigns.py`; here stands what decides it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from newsletter.core.brake import Tally
from newsletter.core.campaign import BatchState, CampaignState
from newsletter.core.event import EventType
from newsletter.core.halt import Notice, Standing
from newsletter.store.dialect import insert_new
from newsletter.store.schema import Id, batches, campaigns, deliveries, events, lifts, notices, seedings, subscribers

_HASH, _SPACE, _KEPT = 2654435761, 2**32, 2**31
"""Fibonacci hashing (Knuth 6.4): the golden ratio of 2^32. Ids are kept below 2^31, so that no product overflows."""

_TURN = 2246822507
"""Half a turn and a little from one campaign to the next."""

_ROOM = 2
"""Times the share of readers looked at for the first slice: only these are sorted."""

_HEARD = [one for one in EventType if one not in {EventType.ACCEPTED, EventType.RESUBSCRIBED, EventType.IGNORED}]
_MUTE = ("gmail.com", "googlemail.com")
"""Gmail tells no sender who complained, only a share, in Postmaster Tools (support.google.com/a/answer/6254652)."""

_REFUSED = [EventType.REJECTED, EventType.FAILED]

ahead = Table(  # the readers of the first slice, while they are frozen
    "ahead", MetaData(), Column("subscriber_id", Id, primary_key=True), prefixes=["TEMPORARY"]
)


def spread(campaign_id: int) -> ColumnElement[int]:
    """Where a subscriber of the query at hand stands in an order that looks like chance, another for each campaign.

    From 0 up to 2^32, evenly over ids, and so over the age of signups and whatever comes in turn with them.
    """
    return (subscribers.c.id % _KEPT * _HASH + campaign_id * _TURN % _SPACE) % _SPACE


def pick(sql: Connection, campaign_id: int, size: int, audience: int, where: Sequence[ColumnElement[bool]]) -> None:
    """Choose the first slice, `size` readers of an audience, into `ahead`: the lowest of `spread`."""
    at = spread(campaign_id)
    near = at < min(_SPACE, _ROOM * size * _SPACE // max(audience, 1) + 1)
    chosen = select(subscribers.c.id).where(near, *where).order_by(at, subscribers.c.id).limit(size)
    ahead.create(sql)
    sql.execute(insert(ahead).from_select([ahead.c.subscriber_id], chosen))


class Brake:
    """The brake's rows within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    # --- the campaign ------------------------------------------------------------------------------

    def stands(self, campaign_id: int) -> Standing:
        """What holds a campaign back now."""
        row = self._sql.execute(select(campaigns).where(campaigns.c.id == campaign_id)).one()
        return Standing(
            key=row.key,
            state=CampaignState(row.state),
            held_until=row.held_until,
            first=row.first,
            through=not row.first or row.released_at is not None or self._through(campaign_id, row.first),
            soak_until=row.soak_until,
            released=row.released_at is not None or not row.first,
            brake=row.brake,
            accepted=Tally(**json.loads(row.accepted)) if row.accepted else Tally(),
        )

    def _through(self, campaign_id: int, first: int) -> bool:
        """Whether the first slice is: what is left of it was put off by its readers' own mailboxes."""
        open_ = exists().where(
            batches.c.campaign_id == campaign_id,
            batches.c.n <= first,
            or_(
                batches.c.state == BatchState.CLAIMED,
                and_(batches.c.state == BatchState.PENDING, batches.c.refusals == 0),
            ),
        )
        return not self._sql.execute(select(open_)).scalar()

    def hold(self, campaign_id: int, until: datetime | None) -> None:
        """Let nothing be claimed before a moment; None ends it."""
        self._set(campaign_id, held_until=until)

    def soak(self, campaign_id: int, until: datetime) -> None:
        """Note until when the first slice soaks."""
        self._set(campaign_id, soak_until=until)

    def release(self, campaign_id: int, now: datetime) -> None:
        """Let the rest follow the first slice."""
        self._set(campaign_id, released_at=now)

    def stop(self, campaign_id: int, why: str) -> bool:
        """Pause a campaign by itself. False, and nothing changed, when it does not send, or nothing of it is left."""
        left = exists().where(batches.c.campaign_id == campaign_id, batches.c.state == BatchState.PENDING)
        sends = and_(campaigns.c.id == campaign_id, campaigns.c.state == CampaignState.SENDING, left)
        changed = update(campaigns).where(sends).values(state=CampaignState.PAUSED, brake=why)
        return self._sql.execute(changed).rowcount == 1

    def accept(self, campaign_id: int, tally: Tally) -> None:
        """Take what is known of its readers as it is: only what comes on top of it stops the campaign again."""
        self._set(campaign_id, brake="", accepted=json.dumps(asdict(tally)))

    def _set(self, campaign_id: int, **values: Any) -> None:
        self._sql.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(**values))

    def told(self, campaign_id: int, *, heard: bool = False) -> Tally:
        """What providers told of a campaign's readers, each counted once.

        In: `heard`, whether to count them all too; that looks at every event, the others at the bad ones alone.
        `refused` are those it took at first and refused later.
        """
        return Tally(
            refused=self._readers(campaign_id, _REFUSED),
            heard=self._readers(campaign_id, _HEARD) if heard else 0,
            bounced=self._readers(
                campaign_id, [EventType.BOUNCED], events.c.permanent.is_(True), events.c.reason != "authentication"
            ),
            complained=self._readers(campaign_id, [EventType.COMPLAINED]),
            authentication=self._readers(
                campaign_id, [EventType.BOUNCED, EventType.DEFERRED], events.c.reason == "authentication"
            ),
        )

    def unreported(self, campaign_id: int) -> int:
        """How many readers have a mailbox whose provider reports complaints to nobody; those of own domains aside."""
        email = func.lower(subscribers.c.email)
        there = or_(*(email.endswith(f"@{domain}", autoescape=True) for domain in _MUTE))
        query = select(func.count()).join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        return self._sql.execute(query.where(deliveries.c.campaign_id == campaign_id, there)).scalar_one()

    def _readers(self, campaign_id: int, types: Sequence[EventType], *where: ColumnElement[bool]) -> int:
        query = select(func.count(func.distinct(events.c.subscriber_id)))
        theirs = and_(events.c.campaign_id == campaign_id, events.c.type.in_(types), *where)
        return self._sql.execute(query.where(theirs)).scalar_one()

    # --- seeds -------------------------------------------------------------------------------------

    def seed(self, campaign_id: int, turn: str, hmac: str, key: str, now: datetime) -> bool:
        """Write a copy to a seed down before its first byte leaves. False: it was sent."""
        theirs = and_(seedings.c.campaign_id == campaign_id, seedings.c.turn == turn, seedings.c.address_hmac == hmac)
        if self._sql.execute(select(seedings.c.key).where(theirs)).first() is not None:
            return False
        row = {
            "campaign_id": campaign_id,
            "turn": turn,
            "address_hmac": hmac,
            "key": key,
            "at": now,
            "state": "claimed",
        }
        self._sql.execute(insert(seedings).values(row))
        return True

    def seeded(self, key: str, state: str, message_id: str | None) -> None:
        """Write down what became of it."""
        self._sql.execute(update(seedings).where(seedings.c.key == key).values(state=state, message_id=message_id))

    def unseed(self, key: str) -> None:
        """It surely did not leave: it may be tried again."""
        self._sql.execute(delete(seedings).where(seedings.c.key == key))

    def seeds(self, campaign_id: int) -> Mapping[str, int]:
        """How many copies went to seeds, by what became of them."""
        query = select(seedings.c.state, func.count()).where(seedings.c.campaign_id == campaign_id)
        return dict(self._sql.execute(query.group_by(seedings.c.state)).all())

    # --- what the owner is told --------------------------------------------------------------------

    def notice(
        self, key: str, campaign_id: int | None, kind: str, said: str, now: datetime, who: str = "owner-0"
    ) -> None:
        """Let somebody of the house be told something; what has its key was told them, or waits to be."""
        row = {"key": key, "who": who, "campaign_id": campaign_id, "kind": kind, "said": said, "due_at": now}
        insert_new(self._sql, notices, [row])

    def noted(self, key: str) -> bool:
        """Whether somebody was told something under a key, or is to be."""
        return self._sql.execute(select(notices.c.key).where(notices.c.key == key)).first() is not None

    def untold(self, now: datetime) -> list[Notice]:
        """What the owner is to be told now."""
        query = select(notices, campaigns.c.key.label("campaign"), campaigns.c.subject, campaigns.c.audience)
        waits = and_(notices.c.told_at.is_(None), notices.c.due_at <= now)
        joined = query.outerjoin_from(notices, campaigns, campaigns.c.id == notices.c.campaign_id)
        return [
            Notice(
                key=row.key,
                kind=row.kind,
                said=row.said,
                attempt=row.attempt,
                campaign_id=row.campaign_id or 0,
                campaign=row.campaign or "",
                subject=row.subject or "",
                audience=row.audience or 0,
                who=row.who,
            )
            for row in self._sql.execute(joined.where(waits).order_by(notices.c.due_at, notices.c.key))
        ]

    def tries(self, notice: Notice, again: datetime) -> bool:
        """Take a notice into our hands until a moment. False: somebody else has it."""
        same = and_(notices.c.key == notice.key, notices.c.attempt == notice.attempt, notices.c.told_at.is_(None))
        values = {"attempt": notice.attempt + 1, "due_at": again}
        return self._sql.execute(update(notices).where(same).values(values)).rowcount == 1

    def over(self, key: str, now: datetime) -> None:
        """A notice was told, or nobody is to be told any more."""
        self._sql.execute(update(notices).where(notices.c.key == key).values(told_at=now))

    # --- a provider's own list ---------------------------------------------------------------------

    def lift(self, subscriber_id: int, now: datetime) -> None:
        """Somebody agreed anew: they are to be taken off the provider's list."""
        self._sql.execute(delete(lifts).where(lifts.c.subscriber_id == subscriber_id))
        self._sql.execute(insert(lifts).values(subscriber_id=subscriber_id, due_at=now))

    def to_lift(self, now: datetime, most: int) -> list[tuple[int, int]]:
        """Who is to be taken off now, and how often that was tried."""
        query = select(lifts.c.subscriber_id, lifts.c.attempt).where(lifts.c.due_at <= now)
        rows = self._sql.execute(query.order_by(lifts.c.due_at, lifts.c.subscriber_id).limit(most))
        return [(row.subscriber_id, row.attempt) for row in rows]

    def lifting(self, subscriber_id: int) -> bool:
        """Whether a reader is to be taken off a provider's list."""
        query = select(lifts.c.subscriber_id).where(lifts.c.subscriber_id == subscriber_id)
        return self._sql.execute(query).first() is not None

    def lift_later(self, subscriber_id: int, due_at: datetime) -> None:
        """It did not work: once more at a moment."""
        theirs = lifts.c.subscriber_id == subscriber_id
        self._sql.execute(update(lifts).where(theirs).values(attempt=lifts.c.attempt + 1, due_at=due_at))

    def lifted(self, subscriber_id: int) -> None:
        """It is done, or given up."""
        self._sql.execute(delete(lifts).where(lifts.c.subscriber_id == subscriber_id))

    def key_of(self, campaign_id: int) -> str | None:
        """The key of a campaign by its id."""
        return self._sql.scalars(select(campaigns.c.key).where(campaigns.c.id == campaign_id)).one_or_none()
