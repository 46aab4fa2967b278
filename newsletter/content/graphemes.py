"""What a reader sees as one sign: emoji, and how many cells of a terminal a text is wide.

Emoji are told by ranges of UTS #51 (the standard library has no such property): a sign that is one by
itself, or one made so by U+FE0F, with skin tones, joiners (ZWJ), flags, keycaps and tag sequences.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ALONE = "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2600-\u27bf\u2b1b\u2b1c\u2b50\u2b55"
_ALONE += "\U0001f004\U0001f0cf\U0001f170-\U0001f19a\U0001f201-\U0001f265\U0001f300-\U0001faff"
_WITH_SELECTOR = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u25ff\u2900-\u297f"
_WITH_SELECTOR += "\u2b00-\u2bff\u3030\u303d\u3297\u3299"
_TONE = "\U0001f3fb-\U0001f3ff"
_ONE = rf"(?:[{_ALONE}]\ufe0f?|[{_WITH_SELECTOR}]\ufe0f)[{_TONE}]?"
_EMOJI = (
    r"(?:[\U0001f1e6-\U0001f1ff]{2}"  # flags
    r"|[0-9#*]\ufe0f?\u20e3"  # keycaps
    r"|\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # flags of regions
    rf"|{_ONE}(?:\u200d{_ONE}|\u200d[{_WITH_SELECTOR}])*)"
)
_LEADING = re.compile(rf"(?P<emoji>{_EMOJI}+)[ \u00a0\ufe0e]*")
_SIGNS = re.compile(rf"{_EMOJI}|.", re.DOTALL)
EMOJI = re.compile(_EMOJI)


def leading_emoji(text: str) -> tuple[str, str]:
    """The emoji a text begins with and the rest, blanks between dropped; ("", text) when there is none."""
    match = _LEADING.match(text)
    return (match["emoji"], text[match.end() :]) if match else ("", text)


@lru_cache(maxsize=4096)
def width(text: str) -> int:
    """Cells of a terminal: 2 for emoji and wide letters, 0 for marks that join the sign before."""
    if text.isascii():
        return len(text)
    return sum(_cells(match.group()) for match in _SIGNS.finditer(text))


def _cells(sign: str) -> int:
    if len(sign) > 1:
        return 2
    if unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    if unicodedata.east_asian_width(sign) in {"W", "F"}:
        return 2
    return 1
