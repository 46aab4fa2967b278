"""Campaigns that a program asked this server to send, within one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from newsletter.core.campaign import CampaignState
from newsletter.core.order import Order, Trouble
from newsletter.store.schema import campaigns, orders

_COLUMNS = (orders, campaigns.c.key)


class Orders:
    """Who asked, and what stands in the way."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, campaign_id: int, by: str, now: datetime) -> None:
        """Write down that a campaign is the server's to send."""
        self._sql.execute(insert(orders).values(campaign_id=campaign_id, asked_by=by, at=now))

    def of(self, campaign_id: int) -> Order | None:
        """The order of a campaign; None when somebody sends it by hand."""
        row = self._sql.execute(self._query().where(orders.c.campaign_id == campaign_id)).one_or_none()
        return _order(row) if row else None

    def open(self) -> list[Order]:
        """What is to be sent, in the order it was asked for."""
        query = self._query().where(campaigns.c.state == CampaignState.SENDING).order_by(orders.c.at, campaigns.c.id)
        return [_order(row) for row in self._sql.execute(query)]

    def note(self, campaign_id: int, trouble: Trouble | None) -> None:
        """What the last try met; None when nothing stands in the way any more."""
        met = trouble or Trouble("", "", "")
        values = {"kind": met.kind, "what": met.what, "todo": met.todo}
        self._sql.execute(update(orders).where(orders.c.campaign_id == campaign_id).values(values))

    def _query(self) -> Any:
        return select(*_COLUMNS).join_from(orders, campaigns, campaigns.c.id == orders.c.campaign_id)


def _order(row: Row[Any]) -> Order:
    trouble = Trouble(row.kind, row.what, row.todo) if row.kind else None
    return Order(row.campaign_id, row.key, row.asked_by, row.at, trouble)
