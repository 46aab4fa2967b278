"""Values that would break the program later: each is refused at the door, by its name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.app import database_url
from newsletter.core.brake import Canary, Limits
from newsletter.core.pace import Pace
from newsletter.errors import ConfigurationError, SettingsError
from newsletter.settings import load

FILE = """name: Quiet Letters
senders:
  us: {name: Quiet Letters, email: letters@quiet.example}
"""


@pytest.fixture
def publication(tmp_path: Path) -> Path:
    (tmp_path / "newsletter.yml").write_text(FILE)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NEWSLETTER_SEND", '{"rate":1', "this should be JSON"),
        ("NEWSLETTER_SEND__LEASE", "999999999999d", "less than or equal to 366 d"),
        ("NEWSLETTER_SEND__LEASE", "9" * 400, "less than or equal to 366 d"),
        ("NEWSLETTER_SEND__LEASE", "2d", "less than or equal to 1 d"),
        ("NEWSLETTER_SEND__MAX_LATENESS", "400d", "less than or equal to 366 d"),
        ("NEWSLETTER_SEND__RATE", "nan", "send.rate: this should be"),
        ("NEWSLETTER_SEND__RATE", "inf", "send.rate: this should be"),
        ("NEWSLETTER_SEND__RATE", "1e-300", "send.rate: this should be"),
        ("NEWSLETTER_SEND__TIMEOUT", "inf", "send.timeout: this should be"),
        ("NEWSLETTER_SEND__SETTLE", "1e12", "send.settle: this should be"),
        ("NEWSLETTER_SEND__CANARY", "200%", "send.canary: this should be"),
        ("NEWSLETTER_SEND__BRAKE_BOUNCES", "-1", "send.brake_bounces: this should be"),
        ("NEWSLETTER_SEND__HOLD", "8d", "less than or equal to 7 d"),
        ("NEWSLETTER_OWNER__EMAIL", "nobody", "not an email address"),
        ("NEWSLETTER_SEND__MAX_GROWTH", "inf", "send.max_growth: this should be"),
        ("NEWSLETTER_BASE_URL", "https://[::1", "name a host"),
        ("NEWSLETTER_BASE_URL", "https://letters.example:port", "name a host"),
        ("NEWSLETTER_BASE_URL", "https://:443", "name a host"),
    ],
)
def test_promise_11_a_value_out_of_bounds_is_named(publication: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(publication, {name: value})
    assert refused.value.what.startswith(f"{name}: ")
    assert said in refused.value.what
    assert "timedelta" not in refused.value.what


def test_what_is_within_bounds_is_taken(publication: Path) -> None:
    given = {
        "NEWSLETTER_SEND": '{"rate": 1.5}',
        "NEWSLETTER_SEND__LEASE": "1d",
        "NEWSLETTER_BASE_URL": "https://[::1]:8",
    }
    pace = load(publication, given).send.pace()
    assert (pace.rate, pace.lease.days) == (1.5, 1)
    assert pace.patience == Pace().patience


def test_the_brake_is_set_by_shares(publication: Path) -> None:
    given = {
        "NEWSLETTER_SEND__CANARY": "5%",
        "NEWSLETTER_SEND__CANARY_SOAK": "1h",
        "NEWSLETTER_SEND__HOLD": "0",
        "NEWSLETTER_SEND__BRAKE_BOUNCES": "3 %",
        "NEWSLETTER_SEND__BRAKE_COMPLAINTS": "0.002",
        "NEWSLETTER_SEND__BRAKE_REJECTIONS": "10%",
    }
    pace = load(publication, given).send.pace()
    assert pace.canary == Canary(0.05, timedelta(hours=1))
    assert pace.hold == timedelta(0)
    assert pace.brake == Limits(0.03, 0.002, 0.1)
    default = load(publication, {}).send.pace()
    assert (default.canary, default.brake, default.hold) == (Canary(), Limits(), None)


def test_an_env_file_that_is_no_text_is_named(publication: Path) -> None:
    (publication / ".env").write_bytes(b"\xff\xfe\x00NEWSLETTER_PROVIDER")
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        load(publication, {})


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_promise_1_a_database_that_forgets_is_none(publication: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="forget what was sent"):
        database_url(load(publication, {"NEWSLETTER_DATABASE_URL": url}), publication)
