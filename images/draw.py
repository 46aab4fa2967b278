# ruff: noqa: INP001  (a script beside what it draws)
"""Draw the pictures of the issues: `python images/draw.py`.

Each is 1200 px wide (shown at 600), brings its own paper-coloured plate, and is the same bytes each time.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

PAPER, LINK, MARK = "#FBFAF6", "#37496B", "#B0741A"
HERE = Path(__file__).resolve().parent
SMOOTH = 4
"""Drawn this many times larger, then scaled down, so that edges are soft."""

HOURS = ((96, 104), (214, 132), (360, 88), (462, 118), (828, 84), (926, 100), (1040, 64))
"""The hours of a day as bars: where each begins, how wide it is (px)."""


def white_space() -> Image.Image:
    """Seven hours close together, and one opening between them, with a dot at rest in it."""
    width, height, top, ground = 1200, 520, 96, 424
    plate = Image.new("RGB", (width * SMOOTH, height * SMOOTH), PAPER)
    draw = ImageDraw.Draw(plate)
    for left, wide in HOURS:
        draw.rectangle([left * SMOOTH, top * SMOOTH, (left + wide) * SMOOTH - 1, ground * SMOOTH - 1], fill=LINK)
    draw.ellipse([688 * SMOOTH, (ground - 32) * SMOOTH, 720 * SMOOTH - 1, ground * SMOOTH - 1], fill=MARK)
    return plate.resize((width, height), Image.Resampling.LANCZOS).quantize(32)


def main() -> None:
    """Write the pictures beside this file."""
    white_space().save(HERE / "white-space.png", optimize=True)


if __name__ == "__main__":
    main()
