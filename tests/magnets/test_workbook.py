"""The workbook that readers are given: whole, readable by everyone, and made from the sources beside it."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pypdf import PdfReader

ROOT = Path(__file__).resolve().parents[2]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_workbook", ROOT / "magnets" / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = script()


@pytest.fixture(scope="module")
def book() -> PdfReader:
    return PdfReader(MAKE.WORKBOOK)


@pytest.fixture(scope="module")
def source() -> str:
    html: str = MAKE.page(MAKE.facts(ROOT / "newsletter.yml"))
    return html


def elements(book: PdfReader) -> Iterator[Any]:
    """The structure elements in reading order."""

    def under(node: Any) -> Iterator[Any]:
        node = node.get_object()
        if not hasattr(node, "get"):
            return
        if "/S" in node:
            yield node
        kids = node.get("/K", [])
        for kid in kids if isinstance(kids, list) else [kids]:
            if not isinstance(kid, int):
                yield from under(kid)

    yield from under(book.root_object["/StructTreeRoot"])


def words(book: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in book.pages).split())


def test_is_tagged_titled_and_says_its_language(book: PdfReader) -> None:
    assert book.root_object["/MarkInfo"]["/Marked"]
    assert book.root_object["/Lang"] == "en"
    assert book.root_object["/ViewerPreferences"]["/DisplayDocTitle"]
    assert book.metadata
    assert book.metadata.title == "Mental Wellness Workbook"
    assert b'pdfuaid:part="1"' in book.root_object["/Metadata"].get_data()


def test_headings_begin_with_one_title_and_never_jump(book: PdfReader) -> None:
    levels = [int(node["/S"][2]) for node in elements(book) if re.fullmatch(r"/H[1-6]", node["/S"])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert levels.count(2) >= 12
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_every_figure_is_described_and_every_table_cell_knows_its_headers(book: PdfReader) -> None:
    figures = [node for node in elements(book) if node["/S"] == "/Figure"]
    cells = [node for node in elements(book) if node["/S"] == "/TD"]
    assert figures
    assert cells
    assert all(len(node.get("/Alt", "")) > 20 for node in figures)
    assert all(node["/A"]["/Headers"] for node in cells)


def test_bookmarks_lead_to_each_part(book: PdfReader, source: str) -> None:
    def flat(outline: Any) -> Iterator[str]:
        for entry in outline:
            yield from flat(entry) if isinstance(entry, list) else [entry.title]

    parts = re.findall(r"<h2>(.*?)</h2>", source)
    assert list(flat(book.outline)) == ["Mental Wellness Workbook", *parts]


def test_fonts_are_embedded_and_their_licences_lie_beside_them(book: PdfReader) -> None:
    names = set()
    for page in book.pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            assert "/FontFile2" in inner["/FontDescriptor"] or "/FontFile3" in inner["/FontDescriptor"]
            names.add(inner["/BaseFont"].partition("+")[2].split("-Bold")[0].split("-Italic")[0].split("-Semi")[0])
    assert names == {"Gelasio", "Public-Sans"}
    for folder in (ROOT / "magnets" / "fonts").iterdir():
        assert "SIL Open Font License, Version 1.1" in (folder / "OFL.txt").read_text("utf-8")


def test_prints_on_letter_and_a4_and_is_small(book: PdfReader) -> None:
    assert 16 <= len(book.pages) <= 24
    assert MAKE.WORKBOOK.stat().st_size < 1_500_000
    for page in book.pages:
        width, height = float(page.mediabox.width), float(page.mediabox.height)
        assert width <= 595.3  # A4 is the narrower sheet (210 mm)
        assert height <= 792  # Letter is the shorter one (11 inches)


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


def test_the_practice_and_the_crisis_line_are_there_and_no_stranger_is_linked(book: PdfReader) -> None:
    facts = MAKE.facts(ROOT / "newsletter.yml")
    text = words(book)
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


def test_the_committed_book_was_made_from_these_sources(book: PdfReader, source: str) -> None:
    identifier = book.trailer["/ID"][0]
    found = identifier.original_bytes if hasattr(identifier, "original_bytes") else bytes(identifier)
    assert found == MAKE.fingerprint(source), "the workbook is older than its sources: run `python magnets/make.py`"


def weasyprint_works() -> bool:
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):  # OSError: the Python part is there, Pango is not
        return False
    return True


PANGO = pytest.mark.skipif(not weasyprint_works(), reason="WeasyPrint needs Pango: apt-get install libpangoft2-1.0-0")


@PANGO
def test_promise_10_the_same_sources_make_the_same_bytes() -> None:
    small = '<html lang="en"><title>A</title><link rel="stylesheet" href="workbook.css"><h1>One <em>page</em></h1>'
    assert MAKE.pdf(small) == MAKE.pdf(small)


@PANGO
def test_the_script_makes_the_committed_book(book: PdfReader, source: str, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.pdf"
    fresh.write_bytes(MAKE.pdf(source))
    again = PdfReader(fresh)
    assert len(again.pages) == len(book.pages)
    assert words(again) == words(book)
