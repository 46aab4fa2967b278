"""The pages of reference say what the program has: all of it, and nothing else."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from newsletter import errors
from newsletter.cli import exits
from newsletter.content.checks.codes import TITLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module  # dataclasses look there for their names
    spec.loader.exec_module(module)
    return module


def test_every_setting_has_a_sentence_and_no_other_name_has_one(make: ModuleType) -> None:
    assert {one.name for one in make.settings()} == set(make.words()["settings"])


def test_every_route_has_a_sentence_and_no_other_has_one(make: ModuleType) -> None:
    assert set(make.routes()) == set(make.words()["routes"])


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "routes.md", "errors.md"])
def test_the_page_is_the_one_of_this_program(make: ModuleType, name: str) -> None:
    again = "run: python docs/reference/make.py"
    assert (DOCS / "reference" / name).read_text("utf-8") == make.PAGES[name](), again


def test_every_option_says_what_it_is_for(make: ModuleType) -> None:
    options = [(name, one) for name, command in make.commands() for one in command.params if one.opts[0][0] == "-"]
    assert [f"{name} {one.opts[-1]}" for name, one in options if not one.help] == []
    assert [name for name, command in make.commands() if not command.help] == []


def test_every_exit_code_and_kind_of_error_is_on_its_page(make: ModuleType) -> None:
    page = (DOCS / "reference" / "errors.md").read_text("utf-8")
    codes = {number for name, number in vars(exits).items() if name.isupper() and isinstance(number, int)}
    assert codes == {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.NewsletterError):
            assert f"| `{name}` |" in page
    assert {f"E{code}.md" for code in re.findall(r"\.\./errors/E(\d+)\.md", page)} <= {f"{one}.md" for one in TITLES}
    assert all(f"../errors/{code}.md" in page for code in TITLES)


# --- the site ---------------------------------------------------------------------------------------------


def pages(nav: list[object]) -> list[str]:
    found: list[str] = []
    for one in nav:
        for part in one.values() if isinstance(one, dict) else [one]:
            found += pages(part) if isinstance(part, list) else [str(part)]
    return found


def test_the_menu_leads_to_every_page_once() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    apart = {page for page in there if page.startswith("errors/")}  # reached from the page of codes
    listed = pages(site["nav"])
    assert sorted(listed) == sorted(there - apart)


def anchors(page: Path) -> set[str]:
    """The ids of a page's headings, as the site makes them."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    found = set()
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", title).lower()
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip()))
    return found


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_a_link_to_a_heading_finds_it_and_none_leaves_the_site(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        other = (page.parent / target).resolve() if target else page
        assert other.is_relative_to(DOCS), link
        assert other.is_file(), link
        assert not anchor or anchor in anchors(other), link


def test_a_stop_an_alert_a_lost_key_each_have_their_page() -> None:
    alerts = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    assert rules
    for rule in rules:
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]
    told = (DOCS / "runbook" / "why-a-run-stops.md").read_text("utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", told, re.MULTILINE)} >= {
        exits.PROBLEMS,
        exits.NOTHING,
        exits.LEFT,
        exits.REFUSED,
        exits.CONFIG,
    }
