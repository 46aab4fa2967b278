"""Transactional mail waiting to go: written in the transaction of its cause, taken by whoever is free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from newsletter.core.consent import Mail, State
from newsletter.core.queue import MAX_ASKED, MailState, QueuedMail
from newsletter.store.prepared import Prepared
from newsletter.store.schema import mail_queue, signups, subscribers


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
        _ENQUEUE.change(
            self._sql,
            key=key,
            kind=kind,
            subscriber_id=subscriber_id,
            signup_id=signup_id,
            magnet=magnet,
            state=MailState.WAITING,
            created_at=now,
            due_at=due_at or now,
        )

    def claim(self, owner: str, now: datetime, lease: timedelta) -> QueuedMail | None:
        """Take the oldest mail that is due into our hands."""
        row = _CLAIM.one(self._sql, at=now, by=owner, until=now + lease)
        return _mail(row) if row else None

    def holds(self, mail: QueuedMail, owner: str, now: datetime) -> bool:
        """Whether the claim is still ours: asked right before the first byte leaves."""
        return _HOLDS.one(self._sql, **_named(mail), by=owner, at=now) is not None

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
        settled = _SETTLE.change(
            self._sql,
            **_named(mail),
            to_state=state,
            to_due=due_at,
            done=None if state is MailState.WAITING else now,
            through=provider or None,
            mid=message_id,
            said=note[:500],
        )
        return settled > 0

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

    def unanswered(self, since: datetime, until: datetime, *, slowest: int, most: int) -> list[QueuedMail]:
        """Confirmations that went between two moments, which nobody answered and nobody was reminded of.

        In: `slowest`, the last lane of signups that are looked at. Out: the latest of each pending subscriber alone,
        the oldest first.
        """
        values = {"since": since, "until": until, "slowest": slowest}
        return [_mail(row) for row in self._sql.execute(_UNANSWERED.limit(most), values)]

    def holds_for(self, signup_id: int, kind: Mail) -> bool:
        """Whether a mail of a kind was ever let wait for a signup."""
        theirs = and_(mail_queue.c.signup_id == signup_id, mail_queue.c.kind == kind)
        owner = select(signups.c.subscriber_id).where(signups.c.id == signup_id).scalar_subquery()
        return (
            self._sql.execute(select(mail_queue.c.id).where(mail_queue.c.subscriber_id == owner, theirs)).first()
            is not None
        )

    def forget(self, before: datetime) -> int:
        """Drop mails that were due before a moment and wait for nothing any more. Out: how many."""
        over = mail_queue.c.state.not_in([MailState.WAITING, MailState.CLAIMED])
        old = and_(mail_queue.c.due_at < before, mail_queue.c.created_at < before)
        return self._sql.execute(delete(mail_queue).where(over, old)).rowcount

    def numbers(self) -> Mapping[str, int]:
        """How many mails stand where."""
        query = select(mail_queue.c.state, func.count()).group_by(mail_queue.c.state)
        return dict(self._sql.execute(query).all())


_ENQUEUE = Prepared(insert(mail_queue))

_other = mail_queue.alias("other")
_UNANSWERED = (
    select(mail_queue)
    .join(signups, signups.c.id == mail_queue.c.signup_id)
    .join(subscribers, subscribers.c.id == mail_queue.c.subscriber_id)
    .where(
        mail_queue.c.state == MailState.SUBMITTED,
        mail_queue.c.kind == Mail.CONFIRM,
        mail_queue.c.due_at >= bindparam("since"),  # in the index; a mail is done after it was due
        mail_queue.c.done_at >= bindparam("since"),
        mail_queue.c.done_at <= bindparam("until"),
        subscribers.c.state == State.PENDING,
        subscribers.c.gen == signups.c.gen,
        signups.c.confirmed_at.is_(None),
        signups.c.lane <= bindparam("slowest"),
        ~exists().where(
            _other.c.subscriber_id == mail_queue.c.subscriber_id,
            or_(
                and_(_other.c.kind == Mail.CONFIRM, _other.c.id > mail_queue.c.id),
                and_(_other.c.kind == Mail.REMIND, _other.c.signup_id == mail_queue.c.signup_id),
            ),
        ),
    )
    .order_by(mail_queue.c.done_at, mail_queue.c.id)
)

_DUE = (
    select(mail_queue.c.id)
    .where(mail_queue.c.state == MailState.WAITING, mail_queue.c.due_at <= bindparam("at"))
    .order_by(mail_queue.c.due_at, mail_queue.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)

_CLAIM = Prepared(
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


_HOLDS = Prepared(
    select(mail_queue.c.id).where(
        mail_queue.c.id == bindparam("which"),
        mail_queue.c.attempt == bindparam("tried"),
        mail_queue.c.state == MailState.CLAIMED,
        mail_queue.c.owner == bindparam("by"),
        mail_queue.c.lease_until > bindparam("at"),
    )
)

_SETTLE = Prepared(
    update(mail_queue)
    .where(
        mail_queue.c.id == bindparam("which"),
        mail_queue.c.attempt == bindparam("tried"),
        or_(mail_queue.c.state == MailState.CLAIMED, mail_queue.c.state == MailState.UNCERTAIN),
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
