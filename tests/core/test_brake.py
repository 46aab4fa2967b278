"""When a campaign stops by itself."""

from __future__ import annotations

import pytest

from newsletter.core.brake import Canary, Limits, Tally, silent, stops


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(submitted=1000, heard=900), ""),
        (Tally(submitted=1000, bounced=50), ""),
        (Tally(submitted=1000, bounced=51), "51 of 1000 bounced for good (5.1%; the limit is 5.0%)"),
        (Tally(submitted=199, bounced=190), ""),
        (Tally(submitted=1000, complained=2), "2 of 1000 complained (0.2%; the limit is 0.1%)"),
        (Tally(submitted=500, complained=1), ""),
        (Tally(submitted=3000, complained=3), ""),
        (Tally(submitted=150, refused=50), "50 of 200 were refused by the provider (25.0%; the limit is 5.0%)"),
        (Tally(submitted=0, refused=200), "200 of 200 were refused by the provider (100.0%; the limit is 5.0%)"),
        (Tally(submitted=20, authentication=3), "3 mailboxes refused us because our own authentication is broken"),
        (Tally(submitted=1000, authentication=3), ""),
        (Tally(submitted=20, authentication=2), ""),
    ],
)
def test_what_stops_a_run(tally: Tally, words: str) -> None:
    found = stops(tally, Limits())
    assert found.startswith(words)
    assert bool(found) is bool(words)


def test_what_was_accepted_once_does_not_stop_again() -> None:
    before = Tally(submitted=1000, heard=900, bounced=60)
    assert stops(before, Limits())
    assert not stops(Tally(submitted=2000, heard=1900, bounced=70).since(before), Limits())
    assert stops(Tally(submitted=2000, heard=1900, bounced=170).since(before), Limits())


@pytest.mark.parametrize(
    ("audience", "size"), [(0, 0), (1000, 0), (1001, 50), (2500, 50), (10_000, 200), (1_000_000, 20_000)]
)
def test_how_large_the_first_slice_is(audience: int, size: int) -> None:
    assert Canary().size(audience) == size
    assert Canary(share=0).size(audience) == 0


def test_silence_is_less_than_half() -> None:
    assert silent(Tally(submitted=50, heard=24))
    assert not silent(Tally(submitted=50, heard=25))
    assert not silent(Tally())
