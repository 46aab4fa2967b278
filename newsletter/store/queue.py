"""Transactional mail waiting to go: written in the transaction of its cause, taken by whoever is free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, insert, or_, select, update

from newsletter.core.consent import Mail
from newsletter.core.queue import MAX_ASKED, MailState, QueuedMail
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
        self._sql.execute(_ENQUEUE, values)

    def claim(self, owner: str, now: datetime, lease: timedelta) -> QueuedMail | None:
        """Take the oldest mail that is due into our hands."""
        row = self._sql.execute(_CLAIM, {"at": now, "by": owner, "until": now + lease}).one_or_none()
        return _mail(row) if row else None

    def holds(self, mail: QueuedMail, owner: str, now: datetime) -> bool:
        """Whether the claim is still ours: asked right before the first byte leaves."""
        return self._sql.execute(_HOLDS, {**_named(mail), "by": owner, "at": now}).first() is not None

    def put_off(self, mail: QueuedMail, due_at: datetime, note: str) -> None:
        """Give a claimed mail back that was not tried at all: it keeps all its attempts."""
        values = {"state": MailState.WAITING, "owner": None, "lease_until": None, "due_at": due_at, "note": note[:500]}
        attempt = mail_queue.c.attempt - 1
        self._sql.execute(update(mail_queue).where(_same(mail)).values(**values, attempt=attempt))

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
    ) -> bool:
        """Write down what became of a mail; `due_at` when it waits again, or is to be asked about.

        False, and nothing written, when it was claimed anew, or was settled already.
        """
        values = {
            **_named(mail),
            "to_state": state,
            "to_due": due_at,
            "done": None if state is MailState.WAITING else now,
            "through": provider or None,
            "mid": message_id,
            "said": note[:500],
        }
        return self._sql.execute(_SETTLE, values).rowcount > 0

    def lapsed(self, now: datetime, settle: timedelta) -> list[QueuedMail]:
        """Mails to ask the provider about: claimed, with the lease over since `settle`; or uncertain and due."""
        where = or_(
            and_(mail_queue.c.state == MailState.CLAIMED, mail_queue.c.lease_until < now - settle),
            and_(
                mail_queue.c.state == MailState.UNCERTAIN,
                mail_queue.c.due_at <= now,
                mail_queue.c.asked < MAX_ASKED,
            ),
        )
        return [_mail(row) for row in self._sql.execute(select(mail_queue).where(where).order_by(mail_queue.c.id))]

    def asked_in_vain(self, mail: QueuedMail, due_at: datetime) -> None:
        """The provider could not tell: uncertain, and to be asked about again at `due_at`, but not for ever."""
        values = {"state": MailState.UNCERTAIN, "owner": None, "lease_until": None, "due_at": due_at}
        self._sql.execute(update(mail_queue).where(_same(mail)).values(**values, asked=mail_queue.c.asked + 1))

    def numbers(self) -> Mapping[str, int]:
        """How many mails stand where."""
        query = select(mail_queue.c.state, func.count()).group_by(mail_queue.c.state)
        return dict(self._sql.execute(query).all())


_ENQUEUE = insert(mail_queue)

_DUE = (
    select(mail_queue.c.id)
    .where(mail_queue.c.state == MailState.WAITING, mail_queue.c.due_at <= bindparam("at"))
    .order_by(mail_queue.c.due_at, mail_queue.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)

_CLAIM = (
    update(mail_queue)
    .where(mail_queue.c.id == _DUE.scalar_subquery())
    .values(
        state=MailState.CLAIMED,
        attempt=mail_queue.c.attempt + 1,
        owner=bindparam("by"),
        lease_until=bindparam("until"),
    )
    .returning(mail_queue)
)


_HOLDS = select(mail_queue.c.id).where(
    mail_queue.c.id == bindparam("which"),
    mail_queue.c.attempt == bindparam("tried"),
    mail_queue.c.state == MailState.CLAIMED,
    mail_queue.c.owner == bindparam("by"),
    mail_queue.c.lease_until > bindparam("at"),
)

_SETTLE = (
    update(mail_queue)
    .where(
        mail_queue.c.id == bindparam("which"),
        mail_queue.c.attempt == bindparam("tried"),
        mail_queue.c.state.in_([MailState.CLAIMED, MailState.UNCERTAIN]),
    )
    .values(
        state=bindparam("to_state"),
        owner=None,
        lease_until=None,
        due_at=func.coalesce(bindparam("to_due", type_=mail_queue.c.due_at.type), mail_queue.c.due_at),
        done_at=bindparam("done"),
        provider=bindparam("through"),
        message_id=bindparam("mid"),
        note=bindparam("said"),
    )
)


def _named(mail: QueuedMail) -> dict[str, int]:
    return {"which": mail.id, "tried": mail.attempt}


def _same(mail: QueuedMail) -> ColumnElement[bool]:
    return and_(mail_queue.c.id == mail.id, mail_queue.c.attempt == mail.attempt)


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
        asked=row.asked,
    )
