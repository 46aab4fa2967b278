"""The list headers of a letter: what it belongs to, and the way out."""

from __future__ import annotations

from email.header import Header
from urllib.parse import urlsplit

import idna

from newsletter.core.email import UNSUBSCRIBE_URL, Escape, Pieces, Site, header_value

SPECIALS = set('()<>[]:;@\\,."')


def of_list(name: str, base_url: str) -> tuple[tuple[str, Pieces], ...]:
    """List-Id (RFC 2919), List-Unsubscribe (RFC 2369) and one-click (RFC 8058).

    In: the publication's name, the base URL whose host makes the list's own.
    """
    return (("List-Id", (f"{phrase(name)} <letter.{host(base_url)}>",)), *unsubscribe())


def unsubscribe() -> tuple[tuple[str, Pieces], ...]:
    """The reader's own way out, with one click."""
    return (
        ("List-Unsubscribe", ("<", Site(UNSUBSCRIBE_URL, "", Escape.HEADER), ">")),
        ("List-Unsubscribe-Post", ("List-Unsubscribe=One-Click",)),
    )


def phrase(name: str) -> str:
    """A name as a header's phrase: as it is, quoted (RFC 5322 3.2.5), or as encoded words (RFC 2047)."""
    plain = header_value(name)
    if not plain.isascii():
        return " ".join(Header(plain, "utf-8", maxlinelen=75).encode(linesep="").split())
    if SPECIALS & set(plain):
        return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return plain


def host(base_url: str) -> str:
    """The host of a base URL, in ASCII."""
    name = urlsplit(base_url).hostname or "localhost"
    return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
