"""Transactional mail waiting to go: written in the transaction of its cause, taken by whoever is free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from newsletter.core.consent import Mail
from newsletter.core.queue import MailState, QueuedMail
from newsletter.store.schema import mail_queue


class MailQueue:
    """The mail queue within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def enqueue(
        self,
        kind: Mail,
        *,
        key: str,
        subscriber_id: int,
        now: datetime,
        signup_id: int | None = None,
        magnet: str = "",
        due_at: datetime | None = None,
    ) -> None:
        """Let a mail wait. It holds no address and no link: both are read and made when it goes."""
        values = {
            "key": key,
            "kind": kind,
            "subscriber_id": subscriber_id,
            "signup_id": signup_id,
            "magnet": magnet,
            "state": MailState.WAITING,
            "created_at": now,
            "due_at": due_at or now,
        }
        self._sql.execute(insert(mail_queue).values(values))

    def claim(self, owner: str, now: datetime, lease: timedelta) -> QueuedMail | None:
        """Take the oldest mail that is due into our hands."""
        ready = and_(mail_queue.c.state == MailState.WAITING, mail_queue.c.due_at <= now)
        first = (
            select(mail_queue.c.id)
            .where(ready)
            .order_by(mail_queue.c.due_at, mail_queue.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = self._sql.execute(
            update(mail_queue)
            .where(mail_queue.c.id == first.scalar_subquery())
            .values(state=MailState.CLAIMED, attempt=mail_queue.c.attempt + 1, owner=owner, lease_until=now + lease)
            .returning(mail_queue)
        ).one_or_none()
        return _mail(row) if row else None

    def settle(
        self,
        mail: QueuedMail,
        state: MailState,
        now: datetime,
        *,
        due_at: datetime | None = None,
        provider: str = "",
        message_id: str | None = None,
        note: str = "",
    ) -> None:
        """Write down what became of a mail; `due_at` when it waits again."""
        self._sql.execute(
            update(mail_queue)
            .where(mail_queue.c.id == mail.id, mail_queue.c.attempt == mail.attempt)
            .values(
                state=state,
                owner=None,
                lease_until=None,
                due_at=due_at or mail_queue.c.due_at,
                done_at=None if state is MailState.WAITING else now,
                provider=provider or None,
                message_id=message_id,
                note=note[:500],
            )
        )

    def lapsed(self, now: datetime) -> list[QueuedMail]:
        """Mails whose sender vanished: claimed with the lease over, or uncertain."""
        where = or_(
            and_(mail_queue.c.state == MailState.CLAIMED, mail_queue.c.lease_until < now),
            mail_queue.c.state == MailState.UNCERTAIN,
        )
        return [_mail(row) for row in self._sql.execute(select(mail_queue).where(where).order_by(mail_queue.c.id))]

    def numbers(self) -> Mapping[str, int]:
        """How many mails stand where."""
        query = select(mail_queue.c.state, func.count()).group_by(mail_queue.c.state)
        return dict(self._sql.execute(query).all())


def _mail(row: Row[tuple[object, ...]]) -> QueuedMail:
    return QueuedMail(
        id=row.id,
        key=row.key,
        kind=Mail(row.kind),
        subscriber_id=row.subscriber_id,
        signup_id=row.signup_id,
        magnet=row.magnet,
        attempt=row.attempt,
        created_at=row.created_at,
    )
