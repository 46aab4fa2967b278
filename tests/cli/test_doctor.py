"""`newsletter doctor` as it is run, and its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from newsletter.flows.doctor import catalogue
from newsletter.flows.doctor.doctor import FAMILIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"


def test_the_page_has_all_it_can_find() -> None:
    page = PAGE.read_text("utf-8")
    assert catalogue.written(page) == page, "run: python -m newsletter.flows.doctor.catalogue docs/doctor.md"
    for family in FAMILIES:
        assert f"- **{family.name}**" in page


def test_a_folder_to_try_things_is_well(cli: Any) -> None:
    keys = {"NEWSLETTER_SECRET_KEYS": "k" * 43, "NEWSLETTER_SUPPRESSION_KEY": "s" * 43}
    assert cli("doctor", "--offline", **keys) == 0, cli.out
    assert "config.nothing-leaves" in cli.out


def test_what_is_found_is_a_document_with_every_key(cli: Any) -> None:
    setting = {"NEWSLETTER_BASE_URL": "http://letters.example.org", "NEWSLETTER_OWNER__EMAIL": "me@example.org"}
    assert cli("doctor", "--offline", "--json", "--only", "config", **setting) == 1
    found = json.loads(cli.out)
    assert {frozenset(one) for one in found} == {frozenset({"id", "level", "what", "why", "fix"})}
    assert found[0]["id"] == "config.base-url-plain"
    assert "me@example.org" not in cli.out


def test_settings_that_are_not_understood_are_its_first_finding(cli: Any) -> None:
    assert cli("doctor", "--offline", "--json", NEWSLETTER_PROVIDR="smtp", NEWSLETTER_SEND__RATE="quick") == 1
    assert [one["id"] for one in json.loads(cli.out)] == ["config.settings", "config.settings"]


def test_a_database_that_cannot_be_opened(cli: Any) -> None:
    assert cli("doctor", "--offline", NEWSLETTER_DATABASE_URL="sqlite:////proc/nowhere/a.db") == 1
    assert "[database.closed]" in cli.out


def test_a_family_there_is_none_of(cli: Any) -> None:
    assert cli("doctor", "--only", "weather") == 2
    assert "config, database" in cli.err


def test_the_owner_is_mailed_what_should_be_mended_once_a_day(cli: Any) -> None:
    setting = {"NEWSLETTER_BASE_URL": "http://letters.example.org", "NEWSLETTER_OWNER__EMAIL": "me@example.org"}
    for _ in range(2):
        assert cli("doctor", "--offline", "--mail", "--only", "config", **setting) == 1
    assert cli.addresses() == {"me@example.org": 1}
