"""What a mail server's words mean for an event."""

from __future__ import annotations

import pytest

from newsletter.core.event import is_authentication


@pytest.mark.parametrize(
    "words",
    [
        "550 5.7.515 Access denied, sending domain example.org does not meet the required level",
        "smtp;550-5.7.26 This mail has been blocked",
        "421-4.7.32 not aligned",
        "5.7.30",
    ],
)
def test_our_own_authentication_is_broken(words: str) -> None:
    assert is_authentication(words)


@pytest.mark.parametrize(
    "words", ["550 5.1.1 unknown", "5.7.1 blocked", "5.7.25 no PTR", "5.7.33", "5.7.260", "15.7.26", "2.5.7.26", ""]
)
def test_it_is_something_else(words: str) -> None:
    assert not is_authentication(words)
