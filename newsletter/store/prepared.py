"""Statements that every visitor causes: said once in Core's words, then handed to the driver as they are.

Core's own way to a statement costs ten times what SQLite needs to run it. What differs between the databases, and how
a column keeps its values, is still Core's to say; what the driver raises is still Core's error.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

from newsletter.store.dialect import as_core, is_sqlite

Statement = Select[Any] | Insert | Update | Delete
Convert = Callable[[Any], Any]


class Prepared:
    """One statement, always run with the same names.

    In: the statement; no lists in it (`in_`), as they are spelled when it is run. An insert fills the columns it is
    run with.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement.inline() if isinstance(statement, Insert) else statement
        self._ready: dict[str, _Ready] = {}

    def rows(self, bind: Connection, **values: Any) -> list[Any]:
        """What it finds, as rows with names. In: a value for each name in it. Raises: DBAPIError."""
        ready = self._of(bind, values)
        return [ready.row(found) for found in ready.run(bind, values)[0]]

    def one(self, bind: Connection, **values: Any) -> Any | None:
        """The first row; None when there is none."""
        found = self.rows(bind, **values)
        return found[0] if found else None

    def value(self, bind: Connection, **values: Any) -> Any | None:
        """The first value of the first row; None when there is no row."""
        found = self.rows(bind, **values)
        return found[0][0] if found else None

    def change(self, bind: Connection, **values: Any) -> int:
        """Run it for what it changes. Out: how many rows."""
        return self._of(bind, values).run(bind, values)[1]

    def _of(self, bind: Connection, values: Mapping[str, Any]) -> _Ready:
        ready = self._ready.get(bind.dialect.name)
        if ready is None:
            ready = self._ready[bind.dialect.name] = _ready(self._statement, bind.dialect, list(values))
        return ready


@dataclass(frozen=True)
class _Ready:
    """A statement in one database's words."""

    sql: str
    places: tuple[str, ...]  # the names in their order, where the driver wants them so
    fixed: Mapping[str, Any]  # values that are part of the statement
    kept: tuple[tuple[str, Convert], ...]  # how a value is kept, where not as it is
    told: tuple[tuple[int, Convert], ...]  # how a column is read, where not as it is kept
    shape: Callable[[Any], Any]

    def run(self, bind: Connection, values: Mapping[str, Any]) -> tuple[Sequence[Any], int]:
        """Its rows as they are kept, and how many it found or changed."""
        given = {**self.fixed, **values}
        for name, convert in self.kept:
            given[name] = convert(given[name])
        if not is_sqlite(bind):
            result = bind.exec_driver_sql(self.sql, given)
            return (result.all() if result.returns_rows else ()), result.rowcount
        driver: Any = bind.connection.driver_connection
        try:
            cursor = driver.execute(self.sql, [given[name] for name in self.places])
            return cursor.fetchall(), cursor.rowcount
        except sqlite3.Error as problem:
            raise as_core(problem, self.sql) from problem

    def row(self, found: Any) -> Any:
        """A row with names."""
        if not self.told:
            return self.shape(found)
        cells = list(found)
        for at, convert in self.told:
            cells[at] = convert(cells[at])
        return self.shape(cells)


def _ready(statement: Statement, dialect: Dialect, names: list[str]) -> _Ready:
    """Raises: KeyError when it is run without one of its names."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    kinds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
    bound = {name: how for name, kind in kinds.items() if (how := kind.bind_processor(dialect))}
    fixed = {name: value for name, value in compiled.params.items() if name not in names}
    columns = list(statement.exported_columns)
    read = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    found: Any = namedtuple("Found", [column.name for column in columns], rename=True)  # type: ignore[misc] # noqa: PYI024
    return _Ready(
        sql=compiled.string,
        places=tuple(compiled.positiontup or ()),
        fixed={name: bound[name](value) if name in bound else value for name, value in fixed.items()},
        kept=tuple((name, bound[name]) for name in names if name in bound),
        told=tuple((at, how) for at, how in enumerate(read) if how),
        shape=found._make,
    )
