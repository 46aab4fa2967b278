r"""Bytes of a file as text.

In: the bytes. Out: text with `\n` line ends, in NFC, without what nobody sees (zero-width space, soft
hyphen); joiners, variation selectors and bidi marks are kept, quotes are never straightened.
Order: a byte-order mark; strict UTF-8; UTF-16 without a mark; what the HTML says; Windows-1252.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from newsletter.errors import NewsletterError

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029\x0b\x0c]")
_UNSEEN = dict.fromkeys([0x200B, 0xFEFF, 0x00AD, 0x2060], None)
_BLANKS = dict.fromkeys([0x00A0, 0x202F, 0x2007, 0x2002, 0x2003, 0x2009], " ")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")
_ENOUGH = 64
_SHARE = 0.3


def text(raw: bytes, *, html: bool = False) -> str:
    """Decode. `html`: a `<meta charset>` counts. Raises: NewsletterError when it is no text."""
    return tidy(_decoded(raw, html=html))


def _decoded(raw: bytes, *, html: bool) -> str:
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(name, "replace")
    if name := _without_mark(raw):
        return raw.decode(name, "replace")
    if b"\0" in raw:
        raise NewsletterError(
            "This file is no text: it holds signs that no text has.",
            "Save it as plain text, Word or HTML, and try again.",
        )
    said = _META.search(raw[:4096]) if html else None
    for name in [said[1].decode("ascii"), "utf-8"] if said else ["utf-8"]:
        try:
            return raw.decode(_windows(name))
        except (UnicodeDecodeError, LookupError):
            continue
    return _guessed(raw)


def _windows(name: str) -> str:
    """Browsers read these names as Windows-1252 (WHATWG Encoding), and so do the files mean them."""
    return "cp1252" if name.lower() in {"iso-8859-1", "latin1", "ascii", "us-ascii", "windows-1252"} else name


def _without_mark(raw: bytes) -> str:
    """UTF-16 that does not say so: half of its bytes are zero for most letters."""
    head = raw[:4096]
    if len(head) < 4 or b"\0" not in head:  # noqa: PLR2004
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) / 2
    if odd > _SHARE * half and even < odd / 10:
        return "utf-16-le"
    return "utf-16-be" if even > _SHARE * half and odd < even / 10 else ""


def _guessed(raw: bytes) -> str:
    """Neither UTF-8 nor said: Windows-1252, unless that makes no words and another does."""
    western = raw.decode("cp1252", "replace")
    letters = sum(ch.isalpha() for ch in western)
    odd = sum(0xA0 <= ord(ch) <= 0xFF or ord(ch) > 0x2FF for ch in western)  # noqa: PLR2004
    if len(raw) > _ENOUGH and letters and odd > _SHARE * letters and (best := from_bytes(raw[:20_000]).best()):
        try:
            return raw.decode(best.encoding)
        except (UnicodeDecodeError, LookupError):
            pass
    return western


def tidy(text: str) -> str:
    """Line ends, blanks and invisible signs as described above."""
    one = _LINE_ENDS.sub("\n", text).translate(_UNSEEN).translate(_BLANKS)
    return unicodedata.normalize("NFC", _CONTROLS.sub("", one))
