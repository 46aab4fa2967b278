"""The few places where SQLite and PostgreSQL differ: opening, `greatest`, one at a time, scrubbing.

SQLite: WAL, `synchronous=FULL` (a confirm lost in a power cut is a lost consent), `BEGIN IMMEDIATE` for
every write, foreign keys, `secure_delete` (what is erased is overwritten). PostgreSQL: as it comes.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Table,
    create_engine,
    event,
    func,
    literal_column,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError

from newsletter.errors import ConfigurationError

BUSY_SECONDS = 10
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
)


def is_sqlite(bind: Engine | Connection) -> bool:
    """True on SQLite."""
    return bind.dialect.name == "sqlite"


def engines(url: str, *, threads: int, patience: float = BUSY_SECONDS) -> tuple[Engine, Engine]:
    """Two engines on one database: for writing and for reading.

    In: `patience`, seconds to wait for the write lock of SQLite. There a reader must not take it, hence the second
    engine; on PostgreSQL both are one.

    Raises: ConfigurationError for an address no driver answers to.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "The database address cannot be read.",
            "Use sqlite:///var/newsletter.db or postgresql://user@host/name (NEWSLETTER_DATABASE_URL).",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            _folder(Path(parsed.database).parent)
        return _sqlite(url, _WRITING, threads, patience), _sqlite(url, "BEGIN", threads)
    if parsed.get_backend_name() != "postgresql":
        raise ConfigurationError(
            f"There is no store for {parsed.get_backend_name()} databases.", "Use sqlite or postgresql."
        )
    try:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=threads + 2,
            max_overflow=threads,
            pool_use_lifo=True,
            hide_parameters=True,
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ConfigurationError(
            "PostgreSQL needs a driver that is not installed.", "Install newsletter[postgres]."
        ) from None
    return engine, engine


def _folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigurationError(
            f"The database's folder cannot be made: {problem.strerror}.",
            "Choose another place (NEWSLETTER_DATABASE_URL), or make the folder writable.",
        ) from None


def _sqlite(url: str, begin: str, threads: int, patience: float = BUSY_SECONDS) -> Engine:
    engine = create_engine(
        url,
        pool_size=threads + 2,
        max_overflow=threads,
        pool_use_lifo=True,  # few connections at work, few page caches filled
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # an error must not quote an address (promise 12)
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are ours to begin
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if begin == _WRITING:
            connection.execute("PRAGMA busy_timeout=0")  # `Door` does the waiting

    door = Door(engine.url.database, patience) if begin == _WRITING else None
    if door is not None:
        event.listen(engine, "engine_disposed", lambda _engine: door.close())

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if door is None:
            connection.exec_driver_sql(begin)
        else:
            door.enter(connection)

    return engine


class Door:
    """The write lock of a SQLite file, shared between processes that would not let each other in.

    SQLite's own waiting is sleeping, longer and longer, and a campaign's threads take the lock again before the sleeper
    looks: a visitor's click waited for seconds. Here whoever waits knocks (a lock on a file beside the database) and
    looks each millisecond; whoever comes without having waited, and hears it, lets a few go by. Only manners: nobody
    who knocks and dies, or stands still, keeps anybody out.
    """

    def __init__(self, database: str | None, patience: float = BUSY_SECONDS) -> None:
        self._patience = patience
        self._path = f"{database}.door.lock" if database and database != ":memory:" else ""
        self._file: TextIO | None = None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def enter(self, connection: Connection) -> None:
        """Begin a writing transaction. Raises: OperationalError when somebody else's takes too long."""
        if self._knocked():
            time.sleep(_GAP)
        end = time.monotonic() + self._patience
        knocks = False
        try:
            while True:
                try:
                    connection.exec_driver_sql(_WRITING)
                except OperationalError as problem:
                    if not _is_locked(problem) or time.monotonic() > end:
                        raise
                    if not knocks:
                        knocks = self._flock(fcntl.LOCK_SH)
                    time.sleep(_LOOK)
                else:
                    return
        finally:
            if knocks:
                self._flock(fcntl.LOCK_UN)

    def _knocked(self) -> bool:
        """Whether somebody else waits."""
        if self._flock(fcntl.LOCK_EX):
            self._flock(fcntl.LOCK_UN)
            return False
        return bool(self._path)

    def _flock(self, how: int) -> bool:
        if not self._path:
            return False
        try:
            self._file = self._file or Path(self._path).open("a")  # noqa: SIM115 -- as long as the engine
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _is_locked(problem: OperationalError) -> bool:
    code: int = getattr(problem.orig, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY  # the extended codes say why


_WRITING = "BEGIN IMMEDIATE"
_LOOK = 0.001  # seconds between two looks of one who waits
_GAP = 0.004  # seconds that one who has not waited leaves to them


def greatest(bind: Connection, *values: ColumnElement[float]) -> ColumnElement[float]:
    """The larger of some values: `max` on SQLite, `greatest` on PostgreSQL."""
    return func.max(*values) if is_sqlite(bind) else func.greatest(*values)


def least(bind: Connection, *values: ColumnElement[int]) -> ColumnElement[int]:
    """The smaller of some values: `min` on SQLite, `least` on PostgreSQL."""
    return func.min(*values) if is_sqlite(bind) else func.least(*values)


def unindexed(bind: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """A column for a question most rows say yes to: SQLite would walk an index of it, and sort what it finds."""
    return literal_column(f"+{column.table.name}.{column.name}", column.type) if is_sqlite(bind) else column


def insert_new(bind: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows that are not there yet; a row whose key exists is left as it is."""
    if rows:
        bind.execute(_insert_new(table, on_sqlite=is_sqlite(bind)), list(rows))


@cache
def _insert_new(table: Table, *, on_sqlite: bool) -> Executable:
    if on_sqlite:
        from sqlalchemy.dialects.sqlite import insert as sqlite  # noqa: PLC0415

        return sqlite(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert as postgresql  # noqa: PLC0415 -- 3 MB, for those who use it

    return postgresql(table).on_conflict_do_nothing()


_MANY = 1000  # rows, from which on a transaction is one of many like it
_FEW = 20  # rows, up to which COPY is not worth beginning


def insert_many(bind: Connection, columns: Sequence[ColumnElement[Any]], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert many rows of some columns of one table: COPY on PostgreSQL, prepared once on SQLite.

    In: values as the database keeps them (an `Instant` in milliseconds, a `Digest` in bytes), in the order of the
    columns. Ten times cheaper than rows that pass through the columns' types. Raises: IntegrityError.
    """
    if not rows:
        return
    into = _into(tuple(columns))
    driver: Any = bind.connection.driver_connection
    if is_sqlite(bind):
        if len(rows) >= _MANY:
            driver.execute("PRAGMA cache_size=-65536")  # KB: what a transaction has changed stays in memory
        insert = f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - our names
        try:
            driver.executemany(insert, rows)
        except sqlite3.Error as problem:
            raise as_core(problem, insert) from problem
        return
    if len(rows) <= _FEW:
        bind.exec_driver_sql(f"INSERT INTO {into} VALUES ({', '.join(['%s'] * len(columns))})", list(rows))  # noqa: S608
        return
    copy = f"COPY {into} FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(copy) as out:
            for row in rows:
                out.write_row(row)
    except bind.dialect.loaded_dbapi.IntegrityError as problem:
        raise IntegrityError(copy, None, problem) from problem


@cache
def _into(columns: tuple[ColumnElement[Any], ...]) -> str:
    return f"{columns[0].table.name} ({', '.join(column.name for column in columns)})"


def as_core(problem: sqlite3.Error, sql: str) -> DBAPIError:
    """What SQLite's driver raised, as Core would have raised it."""
    return DBAPIError.instance(sql, None, problem, sqlite3.Error, hide_parameters=True)  # type: ignore[return-value]


def update_many(
    bind: Connection, column: ColumnElement[Any], keys: Sequence[ColumnElement[Any]], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Set one column of many rows, each found by its keys. In: tuples of the new value and the keys, as kept."""
    if rows:
        place = "?" if is_sqlite(bind) else "%s"
        where = " AND ".join(f"{key.name} = {place}" for key in keys)
        bind.exec_driver_sql(f"UPDATE {column.table.name} SET {column.name} = {place} WHERE {where}", list(rows))  # noqa: S608 - our names


def next_ids(bind: Connection, table: Table, count: int) -> Sequence[int]:
    """Row ids for so many rows about to be inserted, in order. Nobody else gets them, now or later."""
    if is_sqlite(bind):  # whoever writes is alone; the sequence takes note of the rows themselves
        driver: Any = bind.connection.driver_connection
        (last,) = driver.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone() or (0,)
        return range(last + 1, last + 1 + count)
    return bind.scalars(_NEXT_IDS, {"table": table.name, "count": count}).all()


_NEXT_IDS = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")


def among(
    bind: Connection, columns: Sequence[ColumnElement[Any]], key: ColumnElement[Any], values: Sequence[Any]
) -> Sequence[Any]:
    """Rows of some columns of one table whose `key` is one of many values, both as the database keeps them."""
    query = f"SELECT {', '.join(column.name for column in columns)} FROM {key.table.name} WHERE {key.name} "  # noqa: S608 - our names
    if not is_sqlite(bind):
        return bind.exec_driver_sql(query + "= ANY(%b)", (list(values),)).all()  # in binary: nothing to escape
    found: list[Any] = []
    for chunk in (values[at : at + _MOST_VALUES] for at in range(0, len(values), _MOST_VALUES)):
        places = ",".join("?" * len(chunk))
        found += bind.exec_driver_sql(f"{query}IN ({places})", tuple(chunk))
    return found


_MOST_VALUES = 30_000  # SQLite as it comes takes 32,766 in a statement


def lock_dies_with_process(bind: Engine | Connection) -> bool:
    """Whether what `only_one` holds is lost by dying alone: then a new holder knows that the old one is no more."""
    return is_sqlite(bind)


@contextmanager
def only_one(engine: Engine, name: str) -> Iterator[bool]:
    """Hold the one right called `name` on this database; yields False when somebody else holds it.

    SQLite: a lock on a file beside the database, gone with the process. PostgreSQL: an advisory lock, gone
    with the connection, so an earlier holder may still be at work (`lock_dies_with_process`). The connection
    is in no transaction meanwhile: a server may end those that idle in one.
    """
    if not is_sqlite(engine):
        right = {"name": f"newsletter.{name}"}
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = bool(connection.execute(text("SELECT pg_try_advisory_lock(hashtext(:name))"), right).scalar())
            try:
                yield held
            finally:
                if held:
                    with suppress(OperationalError):  # the connection broke, and the lock went with it
                        connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), right)
        return
    database = engine.url.database
    if not database or database == ":memory:":
        yield True
        return
    with Path(f"{database}.{name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


_DOOR = "newsletter.door"


def hold(bind: Connection, name: str) -> None:
    """Wait until nobody else holds `name` (or the whole door), and hold it until the transaction ends.

    At READ COMMITTED two who look for the same row both find none; this puts one behind the other. On SQLite a
    writer is alone from its first statement (`BEGIN IMMEDIATE`).
    """
    if not is_sqlite(bind):
        bind.execute(_HOLD, {"door": _DOOR, "name": name})


def hold_door(bind: Connection) -> None:
    """Hold every name at once."""
    if not is_sqlite(bind):
        bind.execute(_HOLD_DOOR, {"door": _DOOR})


_HOLD = text(
    "SELECT pg_advisory_xact_lock_shared(hashtextextended(:door, 0)), pg_advisory_xact_lock(hashtextextended(:name, 1))"
)
_HOLD_DOOR = text("SELECT pg_advisory_xact_lock(hashtextextended(:door, 0))")


def scrub(engine: Engine, patience: float) -> bool:
    """After an erasure: nothing of the old rows stays in the file (SQLite: pages and journal too).

    False on SQLite while another program reads, for `patience` seconds: its view of the past keeps the journal.
    """
    if is_sqlite(engine):
        with engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute(f"PRAGMA busy_timeout={round(patience * 1000)}")
            try:
                busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.execute("PRAGMA busy_timeout=0")
            return not busy
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (
            "subscribers",
            "subscriber_topics",
            "signups",
            "grants",
            "mail_queue",
            "consent_events",
            "events",
            "webhooks",
        ):
            connection.exec_driver_sql(f"VACUUM {table}")
    return True
