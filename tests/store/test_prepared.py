"""Statements that go to the driver as they are: values, errors and counts as Core would have them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from newsletter.store import SqlStore
from newsletter.store.prepared import Prepared
from newsletter.store.schema import suppressions

AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
ADD = Prepared(insert(suppressions))
OF = Prepared(select(suppressions).where(suppressions.c.address_hmac == bindparam("who")))
NOTE = Prepared(update(suppressions).where(suppressions.c.reason == bindparam("why")).values(note=bindparam("said")))


def test_values_are_kept_and_told_by_their_columns(store: SqlStore) -> None:
    with store._write.begin() as sql:
        assert ADD.change(sql, address_hmac="ab" * 16, reason="owner", at=AT) == 1
        assert NOTE.change(sql, why="owner", said="100% sure") == 1
        assert NOTE.change(sql, why="none", said="") == 0
        assert OF.one(sql, who="cd" * 16) is None
        (row,) = OF.rows(sql, who="ab" * 16)
        assert (row.address_hmac, row.reason, row.at, row.note) == ("ab" * 16, "owner", AT, "100% sure")
        assert OF.value(sql, who="ab" * 16) == "ab" * 16


def test_what_the_driver_raises_is_cores_error(store: SqlStore) -> None:
    def twice() -> None:
        with store._write.begin() as sql:
            for _ in range(2):
                ADD.change(sql, address_hmac="ab" * 16, reason="owner", at=AT)

    with pytest.raises(IntegrityError):
        twice()
    with store._write.begin() as sql:
        assert OF.rows(sql, who="ab" * 16) == []  # and nothing of it stays
