"""The pages of the blocks: what they say can be written, and reads as they show."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from newsletter.content import blocks
from newsletter.content.dialect import BOXES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "blocks"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
names = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(draw: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    draw.prepare(folder)
    return folder


@names
def test_the_example_can_be_written_and_reads_as_shown(page: Path, draw: ModuleType, root: Path) -> None:
    assert draw.source(page)
    assert draw.read(page, root)[1] == ()
    shown = re.search(r"```text\n(.*?)\n```\n", page.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert draw.text(page, root) == shown[1]


@names
def test_the_picture_is_there_and_small(page: Path) -> None:
    picture = ROOT / "docs" / "images" / "blocks" / f"{page.stem}.png"
    assert f"({Path('..', 'images', 'blocks', picture.name)})" in page.read_text("utf-8")
    assert 0 < picture.stat().st_size < 40_000


def test_every_block_has_its_page(draw: ModuleType, root: Path) -> None:
    shown = {type(block) for page in PAGES for block, _ in blocks.walk(draw.read(page, root)[0])}
    made_by_us = {blocks.Contents, blocks.Aside, blocks.Unready}
    assert shown == set(blocks.Block.__args__) - made_by_us  # type: ignore[attr-defined]
    listed = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"]({page.name})" in listed for page in PAGES)


def test_every_box_is_told_of_in_the_guide() -> None:
    guide = (ROOT / "docs" / "editor.md").read_text("utf-8")
    assert [name for name in BOXES if f"::: {name}" not in guide] == []
