"""What a provider can do, in words that decide."""

from __future__ import annotations

import pytest

from newsletter.core.delivery import Capabilities, on_this_machine


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "mail.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
)
def test_here(host: str) -> None:
    assert on_this_machine(host)


@pytest.mark.parametrize("host", ["", "localhost.example.org", "notlocalhost", "10.0.0.1", "192.168.0.1", "0.0.0.0"])
def test_elsewhere(host: str) -> None:
    assert not on_this_machine(host)


def test_a_batch_is_split_only_where_its_key_means_nothing_and_each_row_is_answered() -> None:
    assert Capabilities().splits
    assert not Capabilities(idempotency_ttl=3600).splits
    assert not Capabilities(result="all_or_nothing").splits
