"""Facts: of an issue, of a file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pypdf
import pytest

from newsletter.content import facts
from newsletter.content.words import words
from newsletter.core.publication import Magnet

EN = words("en")


def pdf(path: Path, pages: int, size: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    writer.write(path)
    with path.open("ab") as file:
        file.write(b"\n%" + b"." * max(0, size - path.stat().st_size - 2))


@pytest.mark.parametrize(
    ("date", "shown"),
    [(dt.date(2026, 12, 1), "Tuesday 1 December 2026"), (dt.date(2024, 2, 29), "Thursday 29 February 2024")],
)
def test_a_day_is_written_in_full(date: dt.date, shown: str) -> None:
    assert facts.day(date, EN) == shown


@pytest.mark.parametrize(
    ("pages", "size", "shown"),
    [
        (24, 1_640_000, ("PDF", "24 pages", "1.6 MB")),
        (1, 640_400, ("PDF", "1 page", "640 KB")),
        (2, 999_999, ("PDF", "2 pages", "1.0 MB")),
        (3, 0, ("PDF", "3 pages", "1 KB")),
    ],
)
def test_a_file_is_what_it_is(tmp_path: Path, pages: int, size: int, shown: tuple[str, ...]) -> None:
    pdf(tmp_path / "a.pdf", pages, size)
    assert facts.of_magnet(Magnet("A", files=("a.pdf",)), tmp_path, EN) == shown


def test_several_files_are_counted_together(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", 3, 400_000)
    pdf(tmp_path / "b.pdf", 4, 400_000)
    assert facts.of_magnet(Magnet("A", files=("a.pdf", "b.pdf")), tmp_path, EN) == ("2 PDF files", "7 pages", "800 KB")


def test_pages_are_told_only_when_all_are_known(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", 3, 400_000)
    (tmp_path / "b.png").write_bytes(b"." * 400_000)
    assert facts.of_magnet(Magnet("A", files=("a.pdf", "b.png")), tmp_path, EN) == ("2 files", "800 KB")


def test_nothing_is_told_of_what_is_not_there_or_elsewhere(tmp_path: Path) -> None:
    assert facts.of_magnet(Magnet("A", files=("a.pdf",)), tmp_path, EN) == ()
    assert facts.of_magnet(Magnet("A", url="https://example.org"), tmp_path, EN) == ()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    magnet = Magnet("A", files=("a.pdf",))
    pdf(tmp_path / "a.pdf", 3)
    assert "3 pages" in facts.of_magnet(magnet, tmp_path, EN)
    pdf(tmp_path / "a.pdf", 5)
    assert "5 pages" in facts.of_magnet(magnet, tmp_path, EN)
