"""The workbook: what is in it, and where. What all files share is in `test_works.py`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest
from pypdf import PdfReader

Elements = Callable[[PdfReader], Iterator[Any]]


@pytest.fixture(scope="module")
def book(make: ModuleType) -> PdfReader:
    return PdfReader(make.WORKBOOK.path)


@pytest.fixture(scope="module")
def source(make: ModuleType, facts: Mapping[str, Any]) -> str:
    html: str = make.WORKBOOK.page(facts)
    return html


def test_headings_begin_with_one_title_and_never_jump(book: PdfReader, elements: Elements) -> None:
    levels = [int(node["/S"][2]) for node in elements(book) if re.fullmatch(r"/H[1-6]", node["/S"])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert levels.count(2) >= 12
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_every_figure_is_described_and_every_table_cell_knows_its_headers(book: PdfReader, elements: Elements) -> None:
    figures = [node for node in elements(book) if node["/S"] == "/Figure"]
    cells = [node for node in elements(book) if node["/S"] == "/TD"]
    assert figures
    assert cells
    assert all(len(node.get("/Alt", "")) > 20 for node in figures)
    assert all(node["/A"]["/Headers"] for node in cells)


def test_every_place_to_write_is_a_field_with_a_name_that_is_read_out(book: PdfReader, elements: Elements) -> None:
    fields = book.get_fields() or {}
    assert len(fields) > 90
    names = {str(field["/TU"]) for field in fields.values()}
    assert "What does my body report?" in names  # the question above it
    assert "What would let the first thing end" in names  # the head of its column
    assert not any("<" in name or not name.strip() for name in names)
    tagged = [one for one in elements(book) if one["/S"] == "/Form"]
    assert len(tagged) == len(fields)
    widgets = [one.get_object() for page in book.pages for one in page.get("/Annots", ())]
    assert sum(one["/Subtype"] == "/Widget" for one in widgets) == len(fields)


def test_bookmarks_lead_to_each_part(book: PdfReader, source: str) -> None:
    def flat(outline: Any) -> Iterator[str]:
        for entry in outline:
            yield from flat(entry) if isinstance(entry, list) else [entry.title]

    parts = re.findall(r"<h2>(.*?)</h2>", source)
    assert list(flat(book.outline)) == ["Mental Wellness Workbook", *parts]


def test_has_the_length_of_an_evening_book_and_is_small(book: PdfReader, make: ModuleType) -> None:
    assert 16 <= len(book.pages) <= 24
    assert make.WORKBOOK.path.stat().st_size < 1_500_000


def test_contents_name_the_pages_where_things_stand(book: PdfReader) -> None:
    contents = book.pages[2].extract_text()
    for title in ("Five kinds of tired", "When you need someone now"):
        found = re.search(rf"{title}\D*?(\d+)", contents)
        assert found
        assert title in book.pages[int(found[1]) - 1].extract_text()


def test_cards_have_a_back_on_the_next_page(book: PdfReader) -> None:
    pages = [page.extract_text() for page in book.pages]
    fronts = [number for number, text in enumerate(pages, 1) if text.startswith("Affirmation cards")]
    assert len(fronts) == 2
    for front in fronts:
        assert front % 2 == 1  # a right-hand page, so both lie on one sheet
        assert pages[front].startswith("The other side of the cards")


def test_the_practice_and_the_crisis_line_are_there_and_no_stranger_is_linked(
    book: PdfReader, facts: Mapping[str, Any]
) -> None:
    text = " ".join(" ".join(page.extract_text() for page in book.pages).split())
    for fact in (facts["crisis_text"], *(facts["footer"][key] for key in ("address", "phone", "email"))):
        assert fact in text
    links = {
        note.get_object()["/A"]["/URI"]
        for page in book.pages
        for note in page.get("/Annots", [])
        if "/A" in note.get_object()
    }
    assert {link.partition(":")[0] for link in links} == {"tel", "mailto", "https"}
    assert [link for link in links if link.startswith("https:")] == [facts["footer"]["website"]]
