"""What more than one part of the store asks of a row, as SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal, select

from newsletter.core.campaign import BatchState
from newsletter.core.consent import STRONGEST_FIRST
from newsletter.store.dialect import is_sqlite
from newsletter.store.schema import batches, deliveries, subscribers, suppressions

_RANK = case({reason.value: place for place, reason in enumerate(STRONGEST_FIRST)}, value=suppressions.c.reason)


def is_suppressed() -> ColumnElement[bool]:
    """Whether the subscriber of the query at hand must not be mailed, for whatever reasons."""
    return exists().where(suppressions.c.address_hmac == subscribers.c.address_hmac)


def most_may_be_mailed(bind: Connection) -> ColumnElement[bool]:
    """The contrary, asked of very many: SQLite collects those it is not true of first, as numbers."""
    if not is_sqlite(bind):
        return ~is_suppressed()
    gone = subscribers.alias("gone")
    theirs = select(gone.c.id).join(suppressions, suppressions.c.address_hmac == gone.c.address_hmac)
    return subscribers.c.id.not_in(theirs)


def suppressed_reason() -> ColumnElement[str]:
    """The strongest of the reasons for which the subscriber must not be mailed; NULL when there is none.

    Ask `is_suppressed` first: it needs no sorting, and most are not.
    """
    return reason_of(subscribers.c.address_hmac)


def reason_of(address_hmac: ColumnElement[Any]) -> ColumnElement[str]:
    """The strongest of the reasons against an address; NULL when there is none."""
    query = select(suppressions.c.reason).where(suppressions.c.address_hmac == address_hmac)
    return query.order_by(_RANK).limit(1).scalar_subquery()


def why() -> ColumnElement[str]:
    """Why a delivery was left out, joined with its batch: its own word, or that its campaign was cancelled."""
    return func.coalesce(deliveries.c.reason, case((batches.c.state == BatchState.CANCELLED, literal("cancelled"))))


def stands(now: datetime) -> ColumnElement[str]:
    """Where a delivery stands, joined with its batch: its own word, or else its batch's."""
    return func.coalesce(deliveries.c.state, batch_stands(now))


def batch_stands(now: datetime) -> ColumnElement[str]:
    """Where the deliveries of a batch stand that have no word of their own."""
    lapsed = and_(batches.c.state == BatchState.CLAIMED, batches.c.lease_until <= now)
    return case(
        (lapsed, literal("uncertain")),
        (batches.c.state == BatchState.CLAIMED, literal("pending")),
        (batches.c.state == BatchState.CANCELLED, literal("suppressed")),
        else_=batches.c.state,
    )
