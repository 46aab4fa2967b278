"""`newsletter embed FORM`: HTML on stdout, what to mind on stderr."""

from __future__ import annotations

from typing import Any

import pytest

SITE = {"NEWSLETTER_BASE_URL": "https://letters.quiet.example"}


@pytest.mark.parametrize(
    ("kind", "begins"),
    [("form", "<form "), ("script", "<form "), ("frame", "<iframe "), ("link", "<a href=")],
)
def test_each_kind_is_html_to_copy(cli: Any, kind: str, begins: str) -> None:
    assert cli("embed", "workbook", "--as", kind, **SITE) == 0
    assert cli.out.startswith(begins)
    assert "https://letters.quiet.example/" in cli.out
    assert "note:" not in cli.out


def test_the_plain_form_is_the_usual_kind_and_no_database_is_made(cli: Any) -> None:
    assert cli("embed", "workbook", **SITE) == 0
    assert cli.out.startswith('<form method="post" action="https://letters.quiet.example/subscribe">')
    assert "<script" not in cli.out
    assert not (cli.folder / "var/newsletter.db").exists()


def test_it_says_what_the_other_site_needs(cli: Any) -> None:
    cli("embed", "workbook", "--as", "script")
    assert "no other site may use this form yet" in cli.err
    for word in ("form-action", "script-src", "connect-src", "NEWSLETTER_BASE_URL"):
        assert word in cli.err
    with (cli.folder / "newsletter.yml").open("a", encoding="utf-8") as file:
        file.write("  plain: {origins: [https://www.quiet.example]}\n")
    cli("embed", "plain", "--as", "frame", **SITE)
    assert "it works on https://www.quiet.example" in cli.err
    assert "frame-src" in cli.err


def test_other_words_and_other_names(cli: Any) -> None:
    assert cli("embed", "workbook", "--lang", "es", **SITE) == 0
    assert "Obtener «The Workbook»" in cli.out
    assert cli("embed", "nope") == 2
    assert 'There is no form "nope"' in cli.err
    assert "workbook" in cli.err
    assert cli("embed", "workbook", "--as", "popup") == 2
    assert cli("embed", "workbook", "--lang", "xx") == 2
    assert "en, es" in cli.err
