"""What a reader sees as one sign."""

from __future__ import annotations

import pytest

from newsletter.content import graphemes


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("日本", 4),
        ("💡", 2),
        ("🌤️", 2),
        ("👩🏽‍⚕️", 2),
        ("🇪🇺", 2),
        ("1️⃣", 2),
        ("❤️a", 3),
        ("—“”", 3),
        ("a\u200bb", 2),
        ("", 0),
    ],
)
def test_cells_of_a_terminal(text: str, cells: int) -> None:
    assert graphemes.width(text) == cells


def test_leading_emoji() -> None:
    assert graphemes.leading_emoji("🧘 Sit") == ("🧘", "Sit")
    assert graphemes.leading_emoji("Sit 🧘") == ("", "Sit 🧘")
    assert graphemes.leading_emoji("2026") == ("", "2026")
