"""The shared rate row, and small facts of the database itself."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection, Executable, bindparam, case, delete, func, literal, select, update

from newsletter.store.dialect import greatest, insert_new, is_sqlite
from newsletter.store.schema import limits, meta


class Limits:
    """Rate limit (GCRA) shared by all senders of a provider account, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def take(self, name: str, count: int, rate: float, *, now: float, burst: int = 1) -> float:
        """Take `count` permits at `rate` per second; returns how many seconds to wait before using them.

        One row and one statement for all threads and processes. `now` in seconds since 1970.
        """
        take = _take(on_sqlite=is_sqlite(self._sql))
        asked = {"row": name, "earliest": now - burst / rate, "more": count / rate}
        tat = self._sql.execute(take, asked).scalar()
        if tat is None:  # its first time
            insert_new(self._sql, limits, [{"name": name, "tat": now - burst / rate}])
            tat = self._sql.execute(take, asked).scalar_one()
        return max(0.0, float(tat) - count / rate - now)

    def push(self, name: str, seconds: float, *, now: float) -> None:
        """A provider asked everybody to wait (429, Retry-After)."""
        insert_new(self._sql, limits, [{"name": name, "tat": now}])
        later = greatest(self._sql, limits.c.tat, literal(now + seconds))
        longer = greatest(self._sql, case((limits.c.tat > now, limits.c.pause), else_=literal(0.0)), literal(seconds))
        self._sql.execute(update(limits).where(limits.c.name == name).values(tat=later, pause=longer))

    def shorten(self, name: str, *, now: float) -> None:
        """Hold nobody longer than was asked: a moment further ahead was written under a clock that is wrong."""
        latest = now + limits.c.pause
        self._sql.execute(update(limits).where(limits.c.name == name, limits.c.tat > latest).values(tat=latest))

    def pause(self, name: str, *, now: float) -> float:
        """How many seconds a row still asks to wait; 0 when it asks nothing. Changes nothing."""
        tat = self._sql.execute(_TAT, {"row": name}).scalar()
        return max(0.0, float(tat) - now) if tat is not None else 0.0


@cache
def _take(*, on_sqlite: bool) -> Executable:
    most, kind = (func.max if on_sqlite else func.greatest), limits.c.tat.type
    tat = most(limits.c.tat, bindparam("earliest", type_=kind)) + bindparam("more", type_=kind)
    return update(limits).where(limits.c.name == bindparam("row")).values(tat=tat).returning(limits.c.tat)


_TAT = select(limits.c.tat).where(limits.c.name == bindparam("row"))


class Facts:
    """Named values of the database: the fingerprint of its keys, a pause."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def get(self, name: str) -> str | None:
        """One fact."""
        return self._sql.scalars(select(meta.c.value).where(meta.c.name == name)).one_or_none()

    def set(self, name: str, value: str | None) -> None:
        """Write a fact; None takes it away."""
        self._sql.execute(delete(meta).where(meta.c.name == name))
        if value is not None:
            insert_new(self._sql, meta, [{"name": name, "value": value}])
