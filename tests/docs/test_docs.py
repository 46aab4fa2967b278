"""What the guides say must be so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from newsletter.cli.program import app
from newsletter.content.frontmatter import FIELDS
from newsletter.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def prose(page: Path) -> str:
    """The page without its examples."""
    return re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"(?:\]\(|src=\")([^)#\s\"]+)", prose(page))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_editor_is_told_only_of_lines_that_exist() -> None:
    guide = (ROOT / "docs" / "editor.md").read_text("utf-8")
    table = guide.partition("## The lines at the top")[2].partition("## The text")[0]
    told = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert {"subject", "preheader", "date", "draft", "magnet"} <= told
    assert told <= set(FIELDS)


def commands(group: Any, before: str = "") -> set[str]:
    """Every command of the program, as it is typed."""
    found = set()
    for name, command in group.commands.items():
        if command.hidden:
            continue
        inner = commands(command, f"{before}{name} ") if hasattr(command, "commands") else {before + name}
        found |= inner
    return found


def told_in_readme() -> set[str]:
    """The commands of the README's table: `subscribers list`, `show` means both of them."""
    table = (ROOT / "README.md").read_text("utf-8").partition("## What it does now")[2].partition("## ")[0]
    told = set()
    for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE):
        group = ""
        for name in re.findall(r"`([a-z][a-z -]*)", cell):
            words = name.split()
            if words[0] in {"subscribers", "db", "webhooks", "bounces", "keys"}:
                group, words = words[0] + " ", words[1:]
            told.add(group + words[0])
    return told


def test_the_readme_names_every_command_and_no_other() -> None:
    assert told_in_readme() == commands(typer.main.get_command(app))


def documented_settings() -> set[str]:
    guide = (ROOT / "docs" / "owner.md").read_text("utf-8")
    told = set()
    for cell in re.findall(r"^\| (`NEWSLETTER_[^|]+) \|", guide, re.MULTILINE):
        names = re.findall(r"`(\w+)`", cell)
        first = names[0].removeprefix("NEWSLETTER_").lower()
        told |= {first, *(first.split("__")[0] + name.lower() for name in names[1:])}
    return told | {name.lower() for name in re.findall(r"^NEWSLETTER_(\w+)=", guide, re.MULTILINE)}


def test_the_owner_is_told_only_of_settings_that_exist() -> None:
    told = documented_settings()
    assert {"base_url", "provider", "suppression_key", "smtp__host", "send__max_growth"} <= told
    for name in told:
        top, _, inner = name.partition("__")
        assert top in Settings.model_fields, name
        part = Settings.model_fields[top].annotation
        known = getattr(part, "model_fields", None) or getattr(part, "__dataclass_fields__", {})  # a provider's is one
        assert not inner or inner in known, name


def test_the_owners_example_is_a_publication(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "owner.md").read_text("utf-8")
    example = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)[0]
    (tmp_path / "newsletter.yml").write_text(example, "utf-8")
    assert load(tmp_path, {}).publication().name == "Serene Pathways"


def test_a_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name[:4] for page in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
