"""One page that shows a theme: every block, in every way, measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args

import pytest

from newsletter.content import blocks, specimen, theme

THEMES = ("letter", "field")
NOT_SHOWN = {blocks.Unready, blocks.Only, blocks.Inserted}  # they are gone, or opened, before a letter is written


def parts(value: object) -> Iterator[type]:
    if is_dataclass(value):
        yield type(value)
        for field in fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from parts(one)


@pytest.mark.parametrize("way", ["ltr", "rtl"])
def test_every_kind_of_block_and_of_word_is_shown(way: str) -> None:
    shown = set(parts(specimen.body(theme.load("letter", None), specimen._SAMPLES[way])))
    assert (set(get_args(blocks.Block)) | set(get_args(blocks.Inline))) - shown <= NOT_SHOWN


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = specimen.page(theme.load("letter", None), None)
    assert not re.findall(r'(?:src|url\()=?"?(?!&quot;data:|data:)https?:', page)
    assert "<script" not in page
    assert page.count("<iframe") == len(specimen.PANES)


def test_every_pair_is_measured_under_every_recolouring() -> None:
    page = specimen.page(theme.load("letter", None), None)
    line = re.search(r"<th scope=row>ink on tint</th>((?:<td>[\d.]+</td>)+)", page)
    assert line
    assert [float(ratio) for ratio in re.findall(r"[\d.]+", line[1])][:3] == [4.5, 12.2, 11.1]
    assert line[1].count("<td>") == 8


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("width", [375, 1300])
def test_nothing_overflows_in_the_page_and_in_its_frames(browser: Any, name: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, requests = context.new_page(), []
    page.on("request", lambda request: requests.append(request.url))
    page.set_content(specimen.page(theme.load(name, None), None))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    frames = page.frames[1:]
    assert len(frames) == len(specimen.PANES)
    for frame in frames:
        wide = frame.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], frame.evaluate("document.title")
        assert len(frame.evaluate("document.body.innerText")) > 500
    assert [url for url in requests if not url.startswith(("data:", "about:"))] == []
    context.close()
