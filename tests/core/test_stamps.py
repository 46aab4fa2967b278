"""Moments as the exports of others write them."""

from __future__ import annotations

import pytest

from newsletter.core.schedule import iso
from newsletter.core.stamps import moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-04-21 11:16:57", "2023-04-21T11:16:57Z"),  # Mailchimp
        ("2023-03-24 10:23:10 UTC", "2023-03-24T10:23:10Z"),  # beehiiv
        ("2018-08-27T15:06:27.713Z", "2018-08-27T15:06:27Z"),  # Substack, Ghost
        ("2024-05-01 10:00:00.123456 +0000 UTC", "2024-05-01T10:00:00Z"),  # listmonk (Go)
        ("2024-05-01 10:00:00.5 +0530 IST", "2024-05-01T04:30:00Z"),
        ("2024-01-05", "2024-01-05T00:00:00Z"),  # Buttondown
        ("2024-05-01T10:00:00-07:00", "2024-05-01T17:00:00Z"),
        ("4/23/2024 3:07 PM", "2024-04-23T15:07:00Z"),
        ("23/04/2024", "2024-04-23T00:00:00Z"),
        ("Jan 15, 2026", "2026-01-15T00:00:00Z"),
        ("15 January 2026", "2026-01-15T00:00:00Z"),
    ],
)
def test_a_moment_is_read(text: str, expected: str) -> None:
    assert iso(moment(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "3/4/2024", "2024-02-31", "0001-01-01 00:00:00", "1/1/1", "13 Foo 2024", "2024-05-01 25:00"]
)
def test_what_is_not_sure_is_no_moment(text: str) -> None:
    assert moment(text) is None
