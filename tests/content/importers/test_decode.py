"""Bytes as text."""

from __future__ import annotations

import pytest

from newsletter.content.importers import decode
from newsletter.errors import NewsletterError

WORDS = "Grüße – “quiet” words, café\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_encoding_gives_the_same_words(encoding: str) -> None:
    assert decode.text(WORDS.encode(encoding)) == WORDS


def test_html_says_its_encoding() -> None:
    page = '<meta charset="windows-1255"><p>שלום</p>'
    assert "שלום" in decode.text(page.encode("cp1255"), html=True)
    assert "é" in decode.text(
        '<meta http-equiv=x content="text/html; charset=iso-8859-1">é'.encode("cp1252"), html=True
    )


def test_an_unknown_encoding_of_another_script_is_guessed() -> None:
    text = "Дорогие друзья, сегодня мы пишем о тишине и о том, как её найти среди шума большого города. " * 3
    assert decode.text(text.encode("cp1251")) == text


def test_line_ends_and_what_nobody_sees() -> None:
    assert decode.text("a\r\nb\rc\u2028d\u00a0e\u200bf\u00adg".encode()) == "a\nb\nc\nd efg"


def test_joiners_selectors_and_bidi_marks_stay() -> None:
    kept = "👩\u200d⚕️ \u200fשלום\u200e ❤️"
    assert decode.text(kept.encode()) == kept


def test_promise_11_null_characters_are_refused() -> None:
    with pytest.raises(NewsletterError, match="no text"):
        decode.text(b"one \0\xff\xfe\0\0\0 two" + b"letters " * 20)
