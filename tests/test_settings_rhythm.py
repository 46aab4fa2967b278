"""When a letter is expected, and who learns that there was none: what cannot be read is told at the door."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import SettingsError
from newsletter.settings import load, not_yet

FILE = """name: Quiet Letters
senders:
  us: {{name: Quiet Letters, email: letters@quiet.example}}
{line}
"""


def write(root: Path, line: str) -> Path:
    (root / "newsletter.yml").write_text(FILE.format(line=line))
    return root


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rhythm: tuseday 09:30", '4:9: rhythm: "tuseday 09:30" is no rhythm. Write weekdays and a time'),
        ("holidays: [2026-12-29, christmas]", '4:1: holidays.1: "christmas" is no day.'),
        ("editors: [nobody]", "editors.0: this is not an email address."),
        ("owners: [owner@quiet.example, nobody]", "owners.1: this is not an email address."),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(tmp_path, line), {})
    assert said in str(refused.value)


def test_what_can_be_read_is_obeyed_by_now(tmp_path: Path) -> None:
    line = "rhythm: tuesday 09:30\nholidays: [2026-12-29]\neditors: [writer@quiet.example]"
    found = load(write(tmp_path, line), {})
    assert not_yet(found) == ()
    assert found.publication().holidays == ("2026-12-29",)
