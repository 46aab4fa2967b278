"""Who may speak for the owner, and what they were answered: keys, tokens that were used, answers that are kept.

All within one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Insert, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from newsletter.core.keys import Kept, Key, Scope
from newsletter.store.schema import answers, api_keys, spent_tokens


class Keys:
    """Keys of programs."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, pid: str, label: str, scopes: Sequence[Scope], digest: str, now: datetime) -> None:
        """Keep a new key."""
        row = {"pid": pid, "label": label, "scopes": ",".join(scopes), "digest": digest, "made_at": now}
        self._sql.execute(insert(api_keys).values(row))

    def all(self) -> list[Key]:
        """Every key there was, oldest first."""
        query = select(api_keys).order_by(api_keys.c.made_at, api_keys.c.pid)
        return [_key(row) for row in self._sql.execute(query)]

    def by_pid(self, pid: str) -> Key | None:
        """One key, revoked or not."""
        row = self._sql.execute(select(api_keys).where(api_keys.c.pid == pid)).one_or_none()
        return _key(row) if row else None

    def renew(self, pid: str, digest: str) -> None:
        """Give a key another secret; the old one ends."""
        self._sql.execute(update(api_keys).where(api_keys.c.pid == pid).values(digest=digest))

    def revoke(self, pid: str, now: datetime) -> None:
        """End a key."""
        self._sql.execute(update(api_keys).where(api_keys.c.pid == pid).values(revoked_at=now))

    def used(self, pid: str, day: date) -> None:
        """Note the day a key was used last."""
        self._sql.execute(update(api_keys).where(api_keys.c.pid == pid).values(used_on=day.isoformat()))

    def spend(self, digest: str, until: datetime, now: datetime) -> bool:
        """Use up a token that is good for once; False when it was used before. In: when it ends by itself."""
        self._sql.execute(delete(spent_tokens).where(spent_tokens.c.until < now))
        return first(self._sql, insert(spent_tokens).values(digest=digest, until=until))


class Answers:
    """What was answered to a request that may come again (`Idempotency-Key`)."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def begin(self, digest: str, request: str, now: datetime) -> bool:
        """Take a request in hand; False when it was, by anybody, before.

        In: the hash of who asks and of their key, the hash of what they ask.
        """
        return first(self._sql, insert(answers).values(digest=digest, request=request, at=now))

    def of(self, digest: str) -> Kept | None:
        """What is known of a request."""
        row = self._sql.execute(select(answers).where(answers.c.digest == digest)).one_or_none()
        return Kept(row.request, row.at, row.status, row.body) if row else None

    def keep(self, digest: str, status: int, body: str) -> None:
        """Keep the answer."""
        self._sql.execute(update(answers).where(answers.c.digest == digest).values(status=status, body=body))

    def drop(self, digest: str) -> None:
        """Nothing came of it: it may be asked again."""
        self._sql.execute(delete(answers).where(answers.c.digest == digest))

    def forget(self, before: datetime, unanswered: datetime) -> None:
        """Drop what is old, and what was taken in hand so long ago that whoever did must have died."""
        old = answers.c.at < before
        dead = and_(answers.c.status.is_(None), answers.c.at < unanswered)
        self._sql.execute(delete(answers).where(old | dead))


def first(bind: Connection, statement: Insert) -> bool:
    """Insert a row; False when its key is there already, whoever else inserts at the same time."""
    try:
        with bind.begin_nested():
            bind.execute(statement)
    except IntegrityError:
        return False
    return True


def _key(row: Row[Any]) -> Key:
    return Key(
        pid=row.pid,
        label=row.label,
        scopes=tuple(Scope(one) for one in row.scopes.split(",") if one),
        digest=row.digest,
        made_at=row.made_at,
        used_on=date.fromisoformat(row.used_on) if row.used_on else None,
        revoked_at=row.revoked_at,
    )
