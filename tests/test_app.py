"""Where things are built: who carries letters, and who the front door's mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.app import make_provider, make_transactional
from newsletter.errors import ConfigurationError, ProviderError
from newsletter.ports import Provider
from newsletter.settings import load

YML = """
name: Quiet Letters
senders:
  us: {name: Letters, email: letters@quiet.example}
footer:
  address: 1 Long Road, Chino, CA 91710
"""


def both(folder: Path, **environ: str) -> tuple[Provider, Provider]:
    (folder / "newsletter.yml").write_text(YML, "utf-8")
    found = load(folder, {f"NEWSLETTER_{name}": value for name, value in environ.items()})
    letters = make_provider(found.provider, found, folder)
    return letters, make_transactional(found.transactional.provider or letters.name, found, folder, letters)


def test_one_provider_carries_both_unless_another_is_named(tmp_path: Path) -> None:
    letters, door = both(tmp_path)
    assert door is letters
    letters, door = both(tmp_path, TRANSACTIONAL__PROVIDER="smtp", SMTP__HOST="127.0.0.1")
    assert (letters.name, door.name) == ("outbox", "smtp")


def test_a_provider_with_streams_keeps_the_two_apart(tmp_path: Path) -> None:
    letters, door = both(tmp_path, PROVIDER="postmark", POSTMARK__TOKEN="t")
    assert letters.name == door.name == "postmark"
    assert letters.capabilities.per_recipient_headers == "managed"
    assert door.capabilities.per_recipient_headers == "yes"
    letters, door = both(tmp_path, TRANSACTIONAL__PROVIDER="postmark", POSTMARK__TOKEN="t")
    assert (letters.name, door.capabilities.per_recipient_headers) == ("outbox", "yes")


def test_what_is_missing_or_unknown_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_POSTMARK__TOKEN"):
        both(tmp_path, PROVIDER="postmark")
    with pytest.raises(ConfigurationError, match="no provider"):
        both(tmp_path, TRANSACTIONAL__PROVIDER="pigeon")
