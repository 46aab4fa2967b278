"""Where things are built: who carries letters, and who the front door's mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.app import make_provider, make_reports, make_transactional
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RESEND__WEBHOOK_SECRET", "whsec_*"),
        ("RESEND__WEBHOOK_SECRET", "whsec_"),
        ("SENDGRID__WEBHOOK_PUBLIC_KEY", "not a key"),
    ],
)
def test_a_webhook_secret_that_is_none_is_told_at_the_start(tmp_path: Path, name: str, value: str) -> None:
    """Its route would answer 404 for ever, and everything the provider tells be lost."""
    (tmp_path / "newsletter.yml").write_text(YML, "utf-8")
    found = load(tmp_path, {f"NEWSLETTER_{name}": value})
    with pytest.raises(ConfigurationError) as told:
        make_reports(found, tmp_path)
    assert f"NEWSLETTER_{name}" in str(told.value)
    assert value not in str(told.value).replace(f"NEWSLETTER_{name}", "").replace("(whsec_...)", "")  # promise 12


def test_a_certificate_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "newsletter.yml").write_text(YML, "utf-8")
    topic = {"NEWSLETTER_SES__TOPIC_ARN": "arn:aws:sns:eu-west-1:1:t", "NEWSLETTER_SES__SIGNING_CERTIFICATE": "no.pem"}
    with pytest.raises(ConfigurationError, match=r"NEWSLETTER_SES__"):
        make_reports(load(tmp_path, topic), tmp_path)
