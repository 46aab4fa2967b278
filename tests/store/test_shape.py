"""The database's shape: migrations make exactly what the program works with, on both databases."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from newsletter.errors import ConfigurationError, SchemaError, StoreBusy
from newsletter.store import SqlStore, open_store
from newsletter.store.dialect import Door, engines
from newsletter.store.schema import metadata
from newsletter.store.store import REVISIONS


def test_the_migrations_make_the_tables_of_the_schema(store: SqlStore) -> None:
    with store._write.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_revisions_known_are_the_files_there() -> None:
    folder = Path(__file__).parents[2] / "newsletter/store/migrations/versions"
    assert tuple(sorted(file.name[:4] for file in folder.glob("[0-9]*.py"))) == REVISIONS


def test_an_empty_database_gets_its_tables_at_once_and_upgrading_again_is_nothing(store: SqlStore) -> None:
    assert store.revision() == REVISIONS[-1]
    assert store.upgrade() == (REVISIONS[-1], REVISIONS[-1])


def test_a_database_newer_than_the_program_is_left_alone(database_url: str) -> None:
    opened = open_store(database_url)
    with opened._write.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    opened.close()
    with pytest.raises(SchemaError, match="newer than this program"):
        open_store(database_url)
    store = SqlStore(*engines(database_url, threads=1))
    with pytest.raises(SchemaError, match="newer"):
        store.upgrade()
    assert store.revision() == "9999"
    store.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("dear diary, this is not a database\n" * 40)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        open_store(f"sqlite:///{file}")
    assert file.read_text().startswith("dear diary")


@pytest.mark.parametrize("url", ["mysql://x/y", "not an address", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_database_that_cannot_be_had_says_so(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(url)


def test_sqlite_is_opened_durable_and_scrubbing(sqlite_store: SqlStore) -> None:
    with sqlite_store._write.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_a_failed_transaction_leaves_nothing(store: SqlStore) -> None:
    def fail() -> None:
        with store.begin() as tx:
            tx.facts.set("name", "value")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as tx:
        assert tx.facts.get("name") is None


def test_only_one_holds_a_right(store: SqlStore, database_url: str) -> None:
    other = open_store(database_url)
    with store.only_one("sender") as first:
        with other.only_one("sender") as second:
            assert (first, second) == (True, False)
        with other.only_one("another") as third:
            assert third
    with other.only_one("sender") as freed:
        assert freed
    other.close()


def test_a_reader_does_not_take_the_write_lock(sqlite_store: SqlStore, tmp_path: Path) -> None:
    with sqlite_store.read() as tx:
        tx.facts.get("x")
        other = sqlite3.connect(tmp_path / "newsletter.db", timeout=0.1)
        other.execute("INSERT INTO meta VALUES ('a', 'b')")
        other.commit()
        other.close()


def test_whoever_waits_for_the_write_lock_is_heard_and_let_in(sqlite_store: SqlStore, tmp_path: Path) -> None:
    """Another process's store: it knocks while it waits, and no longer than that."""
    path = tmp_path / "newsletter.db"
    other, door = open_store(f"sqlite:///{path}"), Door(str(path))

    def write() -> None:
        with other.begin() as tx:
            tx.facts.set("who", "the one who waited")

    waiting = threading.Thread(target=write)
    try:
        assert not door._knocked()
        with sqlite_store.begin():
            waiting.start()
            end = time.monotonic() + 10
            while not door._knocked():
                assert time.monotonic() < end
                time.sleep(0.001)
        waiting.join(10)
        assert not waiting.is_alive()
        assert not door._knocked()
        with sqlite_store.read() as tx:
            assert tx.facts.get("who") == "the one who waited"
    finally:
        door.close()
        other.close()


def test_a_database_that_stays_locked_is_said_and_not_knocked_at_for_ever(
    tmp_path: Path, sqlite_store: SqlStore
) -> None:
    other, door = SqlStore(*engines(f"sqlite:///{tmp_path / 'newsletter.db'}", threads=1, patience=0.05)), None
    try:
        with sqlite_store.begin(), pytest.raises(StoreBusy, match="locked"), other.begin():
            pass
        door = Door(str(tmp_path / "newsletter.db"))
        assert not door._knocked()
        with other.begin() as tx:
            tx.facts.set("who", "later")
    finally:
        other.close()
        if door:
            door.close()
