"""What the guides say must be so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.content.frontmatter import FIELDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def prose(page: Path) -> str:
    """The page without its examples."""
    return re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", prose(page))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_editor_is_told_only_of_lines_that_exist() -> None:
    guide = (ROOT / "docs" / "editor.md").read_text("utf-8")
    table = guide.partition("## The lines at the top")[2].partition("## The text")[0]
    told = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert {"subject", "preheader", "date", "draft", "magnet"} <= told
    assert told <= set(FIELDS)


def test_a_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name[:4] for page in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
