"""The numbers that tables have given out: a link may name a row by one, so none is ever given out twice."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select, text

from newsletter.store.dialect import is_sqlite
from newsletter.store.schema import metadata

GAP = 1_000_000
"""More than can have been given out between a copy and the day it comes back."""


def last(connection: Connection) -> Mapping[str, int]:
    """The highest number each table has ever given out."""
    if is_sqlite(connection):
        return dict(connection.execute(text("SELECT name, seq FROM sqlite_sequence")).all())
    found = {}
    for table, sequence in _sequences(connection).items():
        value, called = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608
        found[table] = int(value) if called else 0
    return found


def go_on_after(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Number new rows after these, and after those that are there."""
    if is_sqlite(connection):
        known = last(connection)
        for table, number in numbers.items():
            row = {"name": table, "seq": max(number, known.get(table, 0))}
            said = "UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"
            if table not in known:
                said = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"
            connection.execute(text(said), row)
        return
    for table, sequence in _sequences(connection).items():
        column = next(iter(metadata.tables[table].primary_key.columns))
        highest = connection.execute(select(func.max(column))).scalar_one() or 0
        after = max(highest, numbers.get(table, 0)) + 1
        connection.execute(text("SELECT setval(:sequence, :next, false)"), {"sequence": sequence, "next": after})


def skip(connection: Connection) -> None:
    """Leave a gap: what was given out after a copy was made is not given out again."""
    known = last(connection)
    tables = [table.name for table in metadata.sorted_tables if _numbered(connection, table.name)]
    go_on_after(connection, {table: known.get(table, 0) + GAP for table in tables})


def _numbered(connection: Connection, name: str) -> bool:
    table = metadata.tables[name]
    if is_sqlite(connection):
        return bool(table.dialect_options["sqlite"]["autoincrement"])
    return name in _sequences(connection)


def _sequences(connection: Connection) -> Mapping[str, str]:
    """PostgreSQL's sequences, by table."""
    found = {}
    for table in metadata.sorted_tables:
        keys = list(table.primary_key.columns)
        if len(keys) == 1:
            row = {"table": table.name, "column": keys[0].name}
            sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), row).scalar_one()
            if sequence:
                found[table.name] = str(sequence)
    return found
