"""The picture that stands beside a link to a letter when somebody shares it: the masthead and the title, as type.

In: words and a theme. Out: a PNG of 1200 x 630 px, the same bytes for the same input. The letters are Gelasio's,
which may be shipped (SIL Open Font License, `fonts/OFL.txt`); a font of the publication's own can take its place.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features
from selectolax.lexbor import LexborHTMLParser

from newsletter.content.inline import together_text
from newsletter.content.theme import Theme

SIZE = (1200, 630)  # what networks and messengers show whole
FONT = Path(__file__).parent / "fonts" / "Gelasio-Regular.ttf"
_MARGIN = 88
_NAME = 44
_TITLES = ((88, 104), (76, 90), (66, 78), (56, 66), (48, 57))  # size and line, the first that fits
_LINES = 5
_TOP = 3.0  # how much larger the waymark is than in mail


def of_page(html: str, theme: Theme) -> bytes:
    """Draw it for a letter that has been sent, from its public page as it was frozen.

    In: the page, the theme of today: where the page names its colours, those are taken, so the picture stays
    what it was when the looks change.
    """
    tree = LexborHTMLParser(html)
    title, site = tree.css_first("h1"), tree.css_first('meta[property="og:site_name"]')
    way = tree.root.attributes.get("dir") if tree.root else None
    return share_image(
        " ".join((title.text() if title else "").split(" ")),
        (site.attributes.get("content") or "") if site else "",
        replace(theme, light=replace(theme.light, **_colours(html))),
        dir=way or "ltr",
    )


def _colours(html: str) -> dict[str, str]:
    """The colours of a page's light scheme that the picture needs: its style sheet begins with them."""
    light = html.partition(":root{")[2].partition("}")[0]
    return dict(re.findall(r"--(paper|ink|soft|mark):(#[0-9A-Fa-f]{6})(?=[;}]|$)", light))


@lru_cache(maxsize=64)
def share_image(
    title: str,
    name: str,
    theme: Theme,
    *,
    dir: str = "ltr",  # noqa: A002
    font: Path | None = None,
) -> bytes:
    """Draw it.

    In: the letter's title, the publication's name, `rtl` for languages that run so; `font` is a file of the
    publication's own, for letters that Gelasio lacks. What cannot be written in the font is left out: single
    signs and emoji alone, a title of other letters as a whole, and the name takes its place.
    """
    file = font or FONT
    picture = Image.new("RGB", SIZE, theme.light.paper)
    pen = Pen(ImageDraw.Draw(picture), file, rtl=dir == "rtl")
    name, title = written(name, file), written(title, file)
    top = _masthead(pen, name if title else "", theme)
    _title(pen, together_text(title or name), theme, top + 56)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


class Pen:
    """Writes lines that begin at the start edge."""

    def __init__(self, draw: ImageDraw.ImageDraw, font: Path, *, rtl: bool) -> None:
        self.draw, self._font, self._rtl = draw, font, rtl

    @property
    def measure(self) -> int:
        """How wide a line may be."""
        return SIZE[0] - 2 * _MARGIN

    def width(self, words: str, size: int) -> float:
        """How wide words are."""
        return _font(self._font, size).getlength(words)

    def bar(self, at: int, top: int, wide: int, high: int, colour: str) -> None:
        """A filled rectangle, `at` px from the start edge."""
        left = SIZE[0] - at - wide if self._rtl else at
        self.draw.rectangle((left, top, left + wide - 1, top + high - 1), colour)

    def write(self, words: str, at: int, top: int, size: int, colour: str) -> None:
        """One line, its box beginning at `top`."""
        font = _font(self._font, size)
        place = (SIZE[0] - at, top) if self._rtl else (at, top)
        direction = "rtl" if self._rtl and features.check("raqm") else None
        self.draw.text(place, words, colour, font, anchor="ra" if self._rtl else "la", direction=direction)


@lru_cache(maxsize=16)
def _font(file: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(file), size)


def _masthead(pen: Pen, name: str, theme: Theme) -> int:
    """The waymark and the name; where they end."""
    wide, high = (round(_TOP * side) for side in theme.shape.waymark)
    pen.bar(_MARGIN, _MARGIN, wide, high, theme.light.mark)
    shown = _cut(name, pen, _NAME, pen.measure - wide - 36)
    if shown:
        pen.write(shown, _MARGIN + wide + 36, _MARGIN + (high - round(_NAME * 1.25)) // 2, _NAME, theme.light.soft)
    return _MARGIN + high


def _title(pen: Pen, title: str, theme: Theme, top: int) -> None:
    """As large as it fits, standing on the lower margin."""
    room = SIZE[1] - _MARGIN - top
    size, line, lines = _fitted(title, pen, room)
    for number, words in enumerate(reversed(lines)):
        pen.write(words, _MARGIN, SIZE[1] - _MARGIN - (number + 1) * line, size, theme.light.ink)


def _fitted(title: str, pen: Pen, room: int) -> tuple[int, int, list[str]]:
    for size, line in _TITLES:
        lines = list(_lines(title, pen, size))
        if len(lines) <= _LINES and len(lines) * line <= room:
            return size, line, lines
    size, line = _TITLES[-1]
    lines = list(_lines(title, pen, size))[: min(_LINES, room // line)]
    return size, line, [*lines[:-1], _cut(lines[-1] + "…", pen, size, pen.measure)]


def _lines(title: str, pen: Pen, size: int) -> Iterator[str]:
    """A title in lines; a word that is longer than a line is split."""
    line = ""
    for word in title.split(" "):
        longer = f"{line} {word}".strip(" ")
        if pen.width(longer, size) <= pen.measure:
            line = longer
            continue
        if line:
            yield line
        line = word
        while pen.width(line, size) > pen.measure:
            head = _head(line, pen, size)
            yield head
            line = line[len(head) :]
    if line:
        yield line


def _head(word: str, pen: Pen, size: int) -> str:
    """As much of a word as a line holds, at least one letter."""
    for end in range(1, len(word)):
        if pen.width(word[: end + 1], size) > pen.measure:
            return word[:end]
    return word


def _cut(words: str, pen: Pen, size: int, most: float) -> str:
    if pen.width(words, size) <= most:
        return words
    while words and pen.width(words.rstrip(" …") + "…", size) > most:
        words = words.rstrip(" …")[:-1]
    return words.rstrip(" …") + "…" if words else ""


# --- letters ---------------------------------------------------------------------------------------


def written(words: str, font: Path = FONT) -> str:
    """Words without the signs a font lacks; nothing when it lacks letters, for half a title would mislead."""
    composed = unicodedata.normalize("NFC", " ".join(words.split(" ")))
    kept = "".join(sign for sign in composed if sign in " \u00a0" or _has(font, sign))
    lost = [sign for sign in composed if sign not in kept and unicodedata.category(sign)[0] in "LN"]
    return "" if lost else re.sub(" {2,}", " ", kept).strip()


_SELECTORS = "\ufe0e\ufe0f\u20e3"  # they follow an emoji and are nothing without it


@lru_cache(maxsize=4096)
def _has(font: Path, sign: str) -> bool:
    """Whether a font has a shape for a sign: without one it draws the box it draws for what is no sign at all."""
    if unicodedata.category(sign)[0] == "C" or sign in _SELECTORS:
        return False
    drawn, box = (_font(font, 32).getmask(one, mode="L") for one in (sign, "\uffff"))
    return drawn.size != box.size or bytes(drawn) != bytes(box)
