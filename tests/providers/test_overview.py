"""The table of docs/providers.md says what the code declares."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from newsletter import providers
from newsletter.core.delivery import Capabilities
from newsletter.providers import overview

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"


def test_the_committed_table_is_the_one_the_code_makes() -> None:
    page = PAGE.read_text("utf-8")
    assert overview.written(page) == page, "run: python -m newsletter.providers.overview docs/providers.md"


def test_every_provider_of_ours_has_a_row_and_says_how_it_was_tried() -> None:
    rows = {row.split(" | ")[0].removeprefix("| "): row for row in overview.table().splitlines()[2:]}
    assert set(rows) == set(providers.installed())
    assert all(row.removesuffix(" |").split(" | ")[-1] for row in rows.values())
    assert rows["postmark"].endswith("| emulation only |")


def test_the_page_tells_of_settings_that_exist_and_of_every_secret() -> None:
    told = set(re.findall(r"NEWSLETTER_([A-Z]+)__([A-Z_]+)", PAGE.read_text("utf-8")))
    for name in providers.installed():
        section = providers.load(name).Section
        known = {field.name.upper() for field in dataclasses.fields(section)}
        secret = {field.name.upper() for field in dataclasses.fields(section) if "SecretStr" in str(field.type)}
        ours = {setting for provider, setting in told if provider == name.upper()}
        assert ours <= known, name
        assert name == "smtp" or secret <= ours, name


def test_what_settles_a_lost_answer_is_told() -> None:
    assert overview._lost(Capabilities()) == "a person"
    assert overview._lost(Capabilities(reconcile="search", settle_seconds=90)) == "searched for after 90 s"
    assert overview._lost(Capabilities(idempotency_ttl=1800)) == "its key, 0.5 h"


def test_a_page_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="no place"):
        overview.written("# Nothing\n")
