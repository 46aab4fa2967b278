"""The demo is the end-to-end test of both rivers; it must hold, and hold again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from newsletter.cli.program import run

HERE = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """This publication, somewhere else."""
    for name in ("newsletter.yml", "issues", "images", "magnets"):
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def test_the_whole_story_holds_twice_and_touches_nothing_else(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = {"NEWSLETTER_PROVIDER": "smtp", "NEWSLETTER_SMTP__HOST": "mail.example.org", "PATH": "/usr/bin:/bin"}
    for _ in range(2):
        assert run(["-C", str(copy), "demo"], elsewhere) == 0
        said = capsys.readouterr().out
        assert "the ledger adds up" in said
        assert "All of it held" in said
    assert sorted(path.name for path in (copy / "var").iterdir()) == ["demo"]


@pytest.mark.slow
def test_a_publication_with_one_issue_has_a_demo_too(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((copy / "issues").iterdir())[1:]:
        path.unlink()
    assert run(["-C", str(copy), "demo"], {"PATH": "/usr/bin:/bin"}) == 0, capsys.readouterr()
