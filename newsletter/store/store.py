"""The store: transactions over the tables, and the shape of the database itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from newsletter.core.consent import Reason
from newsletter.core.vitals import Shape
from newsletter.errors import ConfigurationError, SchemaError, StoreBusy
from newsletter.store import copying
from newsletter.store.audience import Audience
from newsletter.store.brake import Brake
from newsletter.store.campaigns import Campaigns
from newsletter.store.control import Control
from newsletter.store.dialect import engines, is_sqlite, only_one, scrub
from newsletter.store.events import Events
from newsletter.store.journal import Journal
from newsletter.store.keys import Answers, Keys
from newsletter.store.limits import Facts, Limits
from newsletter.store.moving import Moving
from newsletter.store.orders import Orders
from newsletter.store.queue import MailQueue
from newsletter.store.recovery import Recovery
from newsletter.store.resends import Resends
from newsletter.store.reviews import Reviews
from newsletter.store.vitals import Vital, shape

REVISIONS = ("0001",)
"""All migrations of this version, oldest first. The last is the shape the program works with."""


@dataclass(frozen=True)
class Transaction:
    """One transaction: what it touches is named by the part that is used."""

    audience: Audience
    moving: Moving
    campaigns: Campaigns
    control: Control
    brake: Brake
    resends: Resends
    reviews: Reviews
    events: Events
    queue: MailQueue
    keys: Keys
    answers: Answers
    orders: Orders
    limits: Limits
    facts: Facts
    vital: Vital
    recovery: Recovery


class SqlStore:
    """Transactions on one database. Safe to share between threads."""

    def __init__(self, write: Engine, read: Engine, journal: Journal | None = None) -> None:
        self._write = write
        self._read = read
        self._journal = journal
        if not is_sqlite(read):
            self._read = read.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # In front of SQLite's own lock, whose waiting sleeps: p99 of a signup falls from 0.8 to 0.12 s.
        self._lock = Lock()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A writing transaction: commits at the end, rolls back on any error.

        Raises: StoreBusy when the database cannot be written now.
        """
        with _in_words(), self._lock if is_sqlite(self._write) else nullcontext(), self._write.begin() as connection:
            leavers: list[tuple[Reason, str]] = []
            yield _parts(connection, leavers)
            if leavers and self._journal is not None:
                self._journal.write(leavers)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A reading transaction: one consistent moment. Raises: StoreBusy."""
        with _in_words(), self._read.begin() as connection:
            yield _parts(connection, [])

    def only_one(self, name: str) -> AbstractContextManager[bool]:
        """Hold the one right called `name`; False when another process has it."""
        return only_one(self._write, name)

    def scrub(self, *, patience: float = 1.0) -> bool:
        """After an erasure: leave no trace of it in the file. False: others read it for `patience` seconds."""
        with self._lock:
            return scrub(self._write, patience)

    def shape(self) -> Shape:
        """The database itself, looked through. Raises: StoreBusy."""
        with _in_words(), self._read.begin() as connection:
            return shape(connection)

    def close(self) -> None:
        """Give the connections back."""
        self._write.dispose()
        self._read.dispose()

    @property
    def kind(self) -> str:
        """Which database it is: "sqlite" or "postgresql"."""
        return self._write.dialect.name

    # --- copies ------------------------------------------------------------------------------------

    def snapshot(self, path: Path) -> tuple[str, Mapping[str, int]]:
        """Write all of it, as it is at this moment, to a new SQLite file, and look that through.

        Out: its revision, its rows by table. Raises: StoreBusy, FileRefused.
        """
        with _in_words():
            copying.snapshot(self._read, path)
        return copying.look_through(path)

    def fill(self, path: Path) -> Mapping[str, int]:
        """Put the rows of such a file into this database, which has our tables and nothing else; how many by table."""
        with _in_words():
            return copying.fill(self._write, path)

    def move_aside(self, name: str) -> None:
        """Let the tables that are here lie in a schema of that name, and begin anew (PostgreSQL)."""
        with _in_words(), self._write.begin() as connection:
            connection.execute(text(f'ALTER SCHEMA public RENAME TO "{name}"'))
            connection.execute(text("CREATE SCHEMA public"))

    # --- the shape ---------------------------------------------------------------------------------

    def revision(self) -> str | None:
        """The migration the database stands at; None when it is empty.

        Raises: ConfigurationError when it cannot be opened, or is something else than our database.
        """
        try:
            with self._read.begin() as connection:
                names = set(inspect(connection).get_table_names())
                if "alembic_version" in names:
                    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
        except (OperationalError, DatabaseError) as problem:
            raise ConfigurationError(
                f"The database cannot be opened: {str(problem.orig).splitlines()[0]}.",
                "Check NEWSLETTER_DATABASE_URL, and that the file or server is there and may be read and written.",
            ) from None
        if names & {"subscribers", "campaigns"}:
            raise SchemaError("The database has our tables but no version.", "Restore a backup; nothing was changed.")
        return None

    def check(self) -> None:
        """Raise SchemaError unless the database has exactly the shape this version works with."""
        found = self.revision()
        if found == REVISIONS[-1]:
            return
        if found is None:
            raise SchemaError("The database is empty.", "Run: newsletter db upgrade")
        if found in REVISIONS:
            raise SchemaError(
                f"The database is at {found}, this version works with {REVISIONS[-1]}.",
                "Make a copy of it, then run: newsletter db upgrade",
            )
        raise SchemaError(
            f"The database is newer than this program ({found}; this version knows up to {REVISIONS[-1]}).",
            "Install the newer program again; nothing was changed.",
        )

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the database to this version's shape; from where, to where.

        Raises: SchemaError when it is newer than the program.
        """
        before = self.revision()
        if before is not None and before not in REVISIONS:
            self.check()
        from newsletter.store.migrations.run import upgrade  # noqa: PLC0415 - Alembic only when it is used

        with self.only_one("upgrade") as alone:
            if alone:
                upgrade(self._write)
            else:
                self._await(REVISIONS[-1])
        return before, REVISIONS[-1]

    def _await(self, revision: str) -> None:
        """Another process is at the upgrade: wait for it. Raises: SchemaError when it takes too long."""
        end = time.monotonic() + _PATIENCE
        while self.revision() != revision:
            if time.monotonic() > end:
                raise SchemaError("Another process is upgrading this database.", "Wait for it, then run again.")
            time.sleep(0.1)


@contextmanager
def _in_words() -> Iterator[None]:
    """What a database says when it is locked, full, read-only or away, as an error of ours."""
    try:
        yield
    except OperationalError as problem:
        said = str(problem.orig).strip().splitlines()[0] if str(problem.orig).strip() else "no answer"
        raise StoreBusy(f"The database did not take this now: {said}.", _FREE_IT) from problem
    except PoolTimeout as problem:
        raise StoreBusy("The database had no connection free.", _FREE_IT) from problem


_FREE_IT = "See that it is there, may be written and has room; then run again. What was done before is kept."
_PATIENCE = 60.0


def _parts(connection: Connection, leavers: list[tuple[Reason, str]]) -> Transaction:
    return Transaction(
        audience=Audience(connection, leavers),
        moving=Moving(connection, leavers),
        campaigns=Campaigns(connection),
        control=Control(connection),
        brake=Brake(connection),
        resends=Resends(connection),
        reviews=Reviews(connection),
        events=Events(connection),
        queue=MailQueue(connection),
        keys=Keys(connection),
        answers=Answers(connection),
        orders=Orders(connection),
        limits=Limits(connection),
        facts=Facts(connection),
        vital=Vital(connection),
        recovery=Recovery(connection),
    )


def bare_store(url: str) -> SqlStore:
    """A store on the database at `url` as it is: nothing is made, nothing is checked. Raises: ConfigurationError."""
    return SqlStore(*engines(url, threads=1))


def open_store(url: str, *, threads: int = 8, journal: Journal | None = None) -> SqlStore:
    """A store on the database at `url`; an empty database gets its tables at once.

    In: `journal`, where it is written down beside it who left. Raises: SchemaError when the database is older or
    newer than the program; ConfigurationError when it cannot be opened.
    """
    _private(url)
    store = SqlStore(*engines(url, threads=threads), journal)
    try:
        if store.revision() is None:
            store.upgrade()
        store.check()
    except BaseException:
        store.close()
        raise
    return store


def _private(url: str) -> None:
    """Make a new SQLite file for its owner's eyes only: the list can be health information.

    Its journal files inherit the mode. Raises: ConfigurationError when the file cannot be made.
    """
    if not url.startswith("sqlite:///"):
        return
    path = Path(url.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as problem:
        raise ConfigurationError(
            f"The database cannot be made: {problem.strerror}.",
            "Choose another place (NEWSLETTER_DATABASE_URL), or make the folder writable.",
        ) from None
