"""An issue at a glance, for a pull request."""

from __future__ import annotations

from tests.cli.conftest import Cli

SECOND = """---
subject: Another *quiet* week | of @nobody
preheader: Something about the week, long enough to be shown whole in the line of an inbox.
date: 2026-12-08
---

Hello, write to [us](mailto:hello@quiet.example) or read [this](https://quiet.example/a).
"""


def test_the_first_letter_stands_alone_and_the_second_beside_it(cli: Cli) -> None:
    assert cli("diff", "quiet", "--format", "markdown") == 0
    assert "|  | this letter |\n|---|---|" in cli.out
    (cli.folder / "issues/2026-12-08-second.md").write_text(SECOND, "utf-8")
    settings = cli.folder / "newsletter.yml"
    settings.write_text(settings.read_text("utf-8").replace("name: Quiet Letters, email: letters", "name: Q, email: q"))
    assert cli("diff", "second", "--format", "markdown") == 0
    assert "|  | this letter | quiet, dated 1 Dec 2026 |" in cli.out
    assert "**Another \\*quiet\\* week \\| of &#64;nobody**" in cli.out
    assert "- `https://quiet.example/a` (new)" in cli.out
    assert "- `mailto:…` (new)" in cli.out
    assert "min |" in cli.out


def test_promise_12_no_address_stands_in_it(cli: Cli) -> None:
    (cli.folder / "issues/2026-12-08-second.md").write_text(SECOND, "utf-8")
    assert cli("diff", "second", "--format", "markdown") == 0
    assert "@" not in cli.out.replace("&#64;", "")


def test_what_changed_is_said_without_the_addresses(cli: Cli) -> None:
    cli.readers(1)
    assert cli("send", "quiet", "--yes") == 0
    (cli.folder / "issues/2026-12-08-second.md").write_text(SECOND, "utf-8")
    settings = cli.folder / "newsletter.yml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("email: letters@", "email: post@").replace("1 Long Road", "2 Short Road"), "utf-8")
    assert cli("diff", "second", "--format", "markdown") == 0
    assert "quiet, sent " in cli.out
    assert "- The sender is another." in cli.out
    assert "- The footer is another: 1 line came, 1 line went." in cli.out
