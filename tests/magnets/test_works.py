"""What readers are given, each file of it: readable by everyone, and made from the sources beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pypdf import PdfReader

ROOT = Path(__file__).resolve().parents[2]
TITLES = {
    "WORKBOOK": "Mental Wellness Workbook",
    "CARDS": "Therapy-Themed Affirmation Cards",
    "SHEET": "Mental Wellness Workbook: a page to hand on",
}


@pytest.fixture(params=TITLES)
def work(request: pytest.FixtureRequest, make: ModuleType) -> Any:
    return getattr(make, request.param)


@pytest.fixture
def pdf(work: Any) -> Iterator[PdfReader]:
    with PdfReader(work.path) as opened:
        yield opened


def words(pdf: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


def test_all_are_looked_at_and_given_away(make: ModuleType) -> None:
    assert [getattr(make, name) for name in TITLES] == list(make.WORKS)
    magnet = yaml.safe_load((ROOT / "newsletter.yml").read_text("utf-8"))["magnets"][make.MAGNET]
    assert [*magnet["files"], magnet["sheet"]] == [f"magnets/{work.made}" for work in make.WORKS]


def test_is_tagged_titled_and_says_its_language(pdf: PdfReader, work: Any, make: ModuleType) -> None:
    assert pdf.root_object["/MarkInfo"]["/Marked"]
    assert pdf.root_object["/Lang"] == "en"
    assert pdf.root_object["/ViewerPreferences"]["/DisplayDocTitle"]
    assert pdf.metadata
    assert pdf.metadata.title == next(title for name, title in TITLES.items() if getattr(make, name) == work)
    assert b'pdfuaid:part="1"' in pdf.root_object["/Metadata"].get_data()


def test_reading_begins_with_the_one_title(pdf: PdfReader, elements: Callable[[PdfReader], Iterator[Any]]) -> None:
    levels = [node["/S"] for node in elements(pdf) if re.fullmatch(r"/H[1-6]", node["/S"])]
    assert levels[0] == "/H1"
    assert levels.count("/H1") == 1


def test_fonts_are_embedded_and_their_licences_lie_beside_them(pdf: PdfReader) -> None:
    names = set()
    for page in pdf.pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            assert "/FontFile2" in inner["/FontDescriptor"] or "/FontFile3" in inner["/FontDescriptor"]
            names.add(inner["/BaseFont"].partition("+")[2].split("-Bold")[0].split("-Italic")[0].split("-Semi")[0])
    assert names - {"Written"} == {"Gelasio", "Public-Sans"}  # the third is Gelasio too, for what is typed
    for folder in (ROOT / "magnets" / "fonts").iterdir():
        assert "SIL Open Font License, Version 1.1" in (folder / "OFL.txt").read_text("utf-8")


def test_prints_on_letter_and_a4(pdf: PdfReader) -> None:
    for page in pdf.pages:
        width, height = float(page.mediabox.width), float(page.mediabox.height)
        assert width <= 595.3  # A4 is the narrower sheet (210 mm)
        assert height <= 792  # Letter is the shorter one (11 inches)


def test_the_committed_file_was_made_from_these_sources(pdf: PdfReader, work: Any, facts: Mapping[str, Any]) -> None:
    identifier = pdf.trailer["/ID"][0]
    found = identifier.original_bytes if hasattr(identifier, "original_bytes") else bytes(identifier)
    told = f"{work.made} is older than its sources: run `python magnets/make.py`"
    assert found == work.fingerprint(work.page(facts)), told


# --- the sheet ------------------------------------------------------------------------------------------


@pytest.fixture
def sheet(make: ModuleType) -> Iterator[PdfReader]:
    with PdfReader(make.SHEET.path) as opened:
        yield opened


def test_the_sheet_is_one_page_that_says_where_what_and_who(sheet: PdfReader, facts: Mapping[str, Any]) -> None:
    (page,) = sheet.pages
    text = " ".join(page.extract_text().split())
    footer = facts["footer"]
    for said in (facts["crisis_text"], footer["address"], footer["phone"], "/free/workbook", "is not told"):
        assert said in text
    links = [note.get_object()["/A"]["/URI"] for note in page["/Annots"]]  # type: ignore[attr-defined]
    assert links == ["https://letters.serenepathways.com/free/workbook"]


def test_the_sheets_code_is_described(sheet: PdfReader, elements: Callable[[PdfReader], Iterator[Any]]) -> None:
    (figure,) = [node for node in elements(sheet) if node["/S"] == "/Figure"]
    assert figure["/Alt"] == "QR code that opens letters.serenepathways.com/free/workbook"


def test_the_sheet_follows_the_site_that_newsletter_yml_names(make: ModuleType, facts: Mapping[str, Any]) -> None:
    html = make.SHEET.page({**facts, "base_url": "https://other.example/x/"})
    assert 'href="https://other.example/x/free/workbook"' in html


# --- making them anew -----------------------------------------------------------------------------------


def weasyprint_works() -> bool:
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):  # OSError: the Python part is there, Pango is not
        return False
    return True


PANGO = pytest.mark.skipif(not weasyprint_works(), reason="WeasyPrint needs Pango: apt-get install libpangoft2-1.0-0")


@PANGO
def test_promise_10_the_same_sources_make_the_same_bytes(make: ModuleType) -> None:
    small = '<html lang="en"><title>A</title><link rel="stylesheet" href="workbook.css"><h1>One <em>page</em></h1>'
    assert make.WORKBOOK.pdf(small) == make.WORKBOOK.pdf(small)


@pytest.mark.slow
@PANGO
def test_the_script_makes_the_committed_file(
    pdf: PdfReader, work: Any, facts: Mapping[str, Any], tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh.pdf"
    fresh.write_bytes(work.pdf(work.page(facts)))
    with PdfReader(fresh) as again:
        assert len(again.pages) == len(pdf.pages)
        assert words(again) == words(pdf)
