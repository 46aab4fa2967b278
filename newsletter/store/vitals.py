"""How the ledger and the queues stand, counted by indexes: it is asked every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select, text

from newsletter.core.campaign import BatchState, CampaignState
from newsletter.core.queue import MailState
from newsletter.core.vitals import Shape, Vitals
from newsletter.store.conditions import batch_stands
from newsletter.store.dialect import is_sqlite
from newsletter.store.schema import batches, campaigns, mail_queue, subscribers, webhooks


class Vital:
    """Reads them within a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def signs(self, now: datetime) -> Vitals:
        """All of them at this moment."""
        open_mail = and_(mail_queue.c.state == MailState.WAITING, mail_queue.c.due_at <= now)
        unread = webhooks.c.processed_at.is_(None)
        return Vitals(
            subscribers=self._by(subscribers.c.state),
            queue=self._by(mail_queue.c.state),
            queue_since=self._sql.execute(select(func.min(mail_queue.c.due_at)).where(open_mail)).scalar_one(),
            webhooks_unread=self._sql.execute(select(func.count()).select_from(webhooks).where(unread)).scalar_one(),
            webhooks_since=self._sql.execute(select(func.min(webhooks.c.received_at)).where(unread)).scalar_one(),
            campaigns=self._by(campaigns.c.state),
            uncertain=self._uncertain(now),
            still=self._still(now),
        )

    def _by(self, column: ColumnElement[str]) -> Mapping[str, int]:
        return dict(self._sql.execute(select(column, func.count()).group_by(column)).all())

    def _uncertain(self, now: datetime) -> Mapping[str, int]:
        query = (
            select(campaigns.c.key, func.sum(batches.c.size))
            .join(batches, batches.c.campaign_id == campaigns.c.id)
            .where(campaigns.c.finished_at.is_(None), batch_stands(now) == "uncertain")
            .group_by(campaigns.c.key)
            .order_by(campaigns.c.key)
        )
        return {key: int(count) for key, count in self._sql.execute(query)}

    def _still(self, now: datetime) -> tuple[str, ...]:
        mine = batches.c.campaign_id == campaigns.c.id
        ready = and_(mine, batches.c.state == BatchState.PENDING)
        held = and_(mine, batches.c.state == BatchState.CLAIMED, batches.c.lease_until > now)
        query = select(campaigns.c.key).where(
            campaigns.c.state == CampaignState.SENDING,
            campaigns.c.brake == "",
            campaigns.c.held_until.is_(None) | (campaigns.c.held_until <= now),
            exists().where(ready),
            ~exists().where(held),
        )
        return tuple(self._sql.execute(query.order_by(campaigns.c.key)).scalars())


def shape(connection: Connection) -> Shape:
    """The database itself; asks SQLite to look itself through (seconds for a gigabyte)."""
    if not is_sqlite(connection):
        version = connection.execute(text("SHOW server_version")).scalar_one()
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        return Shape("postgresql", str(version), bytes=int(size))

    def pragma(name: str) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    version = str(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one())
    path = connection.engine.url.database or ""
    said = str(pragma("quick_check(1)"))
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    return Shape("sqlite", version, path, size, "" if said == "ok" else said, str(pragma("journal_mode")))
