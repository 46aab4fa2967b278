"""A whole database into another: the rows of every table, from one moment.

A backup of either kind of database is a SQLite file, so that one program reads them all, and so that a list can move
from one kind to the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select

from newsletter.errors import ConfigurationError, FileRefused
from newsletter.store import numbers
from newsletter.store.dialect import engines, is_sqlite
from newsletter.store.schema import metadata

_AT_ONCE = 5000


def snapshot(source: Engine, path: Path) -> None:
    """Write the database, as it is at this moment, to a new SQLite file; whoever writes meanwhile is not held up.

    What was erased is not in it: SQLite's own copy leaves free pages behind (VACUUM INTO).
    """
    path.touch(mode=0o600)
    if is_sqlite(source):
        with source.connect() as connection:
            driver: Any = connection.connection.driver_connection
            try:
                driver.execute("VACUUM INTO ?", (str(path),))
            except sqlite3.Error as problem:
                raise _not_copied(problem) from None
        return
    made, _ = engines(f"sqlite:///{path}", threads=1)
    try:
        _shape(made)
        with source.begin() as connection, made.begin() as target:
            _rows(connection, target)
            numbers.go_on_after(target, numbers.last(connection))
    finally:
        made.dispose()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=DELETE")  # one file, without a journal beside it


def _not_copied(problem: sqlite3.Error) -> ConfigurationError:
    if "full" in str(problem):
        return ConfigurationError("There is no room for a copy of the database.", "Make room, then run it again.")
    return ConfigurationError(
        f"The database cannot be copied: {problem}.", "Look through it: newsletter db check. Earlier backups are kept."
    )


def fill(target: Engine, path: Path) -> Mapping[str, int]:
    """Put the rows of such a file into a database that has our tables and nothing in them; how many by table.

    All of them are there at once, or none.
    """
    source, _ = engines(f"sqlite:///{path}", threads=1)
    try:
        with source.begin() as connection, target.begin() as made:
            counts = _rows(connection, made)
            numbers.go_on_after(made, numbers.last(connection))
        return counts
    finally:
        source.dispose()


def look_through(path: Path) -> tuple[str, Mapping[str, int]]:
    """The revision of such a file, and its rows by table. Raises: FileRefused when it is damaged, or not ours."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as file:
            said = file.execute("PRAGMA integrity_check(1)").fetchone()[0]
            broken = file.execute("PRAGMA foreign_key_check").fetchone()
            if said != "ok" or broken is not None:
                raise FileRefused("The copy of the database is damaged.", "Take another backup.")
            revision = file.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            names = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            ours = [table.name for table in metadata.sorted_tables if table.name in names]
            counts = {name: file.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in ours}  # noqa: S608
    except sqlite3.Error:
        raise FileRefused(
            "This is not a database of ours.", "Choose a file that `newsletter db backup` made."
        ) from None
    return str(revision), counts


def _shape(engine: Engine) -> None:
    from newsletter.store.migrations.run import upgrade  # noqa: PLC0415 -- Alembic only when it is used

    upgrade(engine)


def _rows(source: Connection, target: Connection) -> Mapping[str, int]:
    counts = {}
    for table in metadata.sorted_tables:
        counts[table.name] = _table(table, source, target)
        there = target.execute(select(func.count()).select_from(table)).scalar_one()
        if there != counts[table.name]:
            raise ConfigurationError(
                f"The copy of {table.name} has {there:,} rows instead of {counts[table.name]:,}.",
                "Nothing was changed. Copy into an empty database.",
            )
    return counts


def _table(table: Table, source: Connection, target: Connection) -> int:
    count = 0
    result = source.execution_options(yield_per=_AT_ONCE).execute(select(table))
    for page in result.mappings().partitions():
        target.execute(insert(table), [dict(row) for row in page])
        count += len(page)
    return count
