"""The rendered form of an issue: literal pieces with neutral merge sites between them.

One `Email` serves all readers of a variant. It is personalised by joining pieces (`fill`), or spelled in
a provider's own merge syntax by its adapter. Each site knows the escaping its place needs, so a value can
never become markup, a header or another address.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import quote


class Escape(StrEnum):
    """The place a value lands in."""

    TEXT = "text"  # between tags
    ATTRIBUTE = "attribute"  # inside a quoted attribute
    URL = "url"  # inside an address, percent-encoded
    LINK = "link"  # a whole address of ours, inside a quoted attribute
    PLAIN = "plain"  # the text part
    HEADER = "header"  # a header's value

    __hash__ = str.__hash__  # an enum's own is Python, and this is asked for at every site of every mail


@dataclass(frozen=True)
class Site:
    """A merge tag in its place: the field, what stands there without a value, the escaping."""

    field: str
    fallback: str
    escape: Escape


Pieces = tuple[str | Site, ...]

UNSUBSCRIBE_URL = "unsubscribe_url"
"""The one field every reader has: their own way out."""


@dataclass(frozen=True)
class Mailbox:
    """A name and an address for a From or Reply-To header."""

    name: str
    email: str


@dataclass(frozen=True)
class Email:
    """What is sent, before anybody's name is in it.

    `headers` holds the list headers and others of our own (List-Id, List-Unsubscribe, ...), never From,
    To, Subject, Date, Message-ID or MIME headers: those are written where the message is made.
    """

    sender: Mailbox
    reply_to: Mailbox | None
    subject: Pieces
    html: Pieces
    text: Pieces
    headers: tuple[tuple[str, Pieces], ...] = ()
    lang: str = "en"

    def __hash__(self) -> int:
        """Made once: what is compiled of an email is looked up by it at every call, some of it for every reader."""
        known: int | None = self.__dict__.get("_hash")
        if known is None:
            known = hash((self.sender, self.reply_to, self.subject, self.html, self.text, self.headers, self.lang))
            object.__setattr__(self, "_hash", known)
        return known


def header_value(text: str) -> str:
    """A value made safe for one header line: control characters and bidi overrides become blanks."""
    return " ".join(_UNSAFE.sub(" ", text).split())


_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # category Cc: the controls
    "\u2028\u2029"  # Zl, Zp: line and paragraph separators
    "\u202a-\u202e\u2066-\u2069]"  # bidi embeddings, overrides and isolates
)


_once = lru_cache(maxsize=1024)  # a mail has a value in several places

_ESCAPES: dict[Escape, Callable[[str], str]] = {
    Escape.TEXT: _once(lambda value: html.escape(value, quote=False)),
    Escape.ATTRIBUTE: _once(html.escape),
    Escape.URL: _once(lambda value: quote(value, safe="")),
    Escape.LINK: _once(html.escape),
    Escape.PLAIN: str,
    Escape.HEADER: _once(header_value),
}


def escaped(site: Site, values: Mapping[str, str]) -> str:
    """The site's text for one reader: the value, or the fallback, escaped for its place."""
    value = values.get(site.field) or site.fallback
    if value.isalnum() and value.isascii():  # most names: the same in every place
        return value
    return _ESCAPES[site.escape](value)


def fill(pieces: Pieces, values: Mapping[str, str]) -> str:
    """Join pieces for one reader.

    In: pieces, and values by field name (`unsubscribe_url` among them). Out: the text.
    """
    return "".join([piece if isinstance(piece, str) else escaped(piece, values) for piece in pieces])


def parts(email: Email) -> list[Pieces]:
    """All that is written for a reader: subject, bodies, headers."""
    return [email.subject, email.html, email.text, *(pieces for _, pieces in email.headers)]


def fields(email: Email) -> set[str]:
    """The names of all merge fields the email uses."""
    return {piece.field for pieces in parts(email) for piece in pieces if isinstance(piece, Site)}


def freeze(email: Email) -> str:
    """The email as canonical JSON: equal emails give equal text, on every machine."""
    return json.dumps(_plain(email), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def thaw(text: str) -> Email:
    """The email back from `freeze`."""
    raw = json.loads(text)
    return Email(
        sender=Mailbox(**raw["sender"]),
        reply_to=Mailbox(**raw["reply_to"]) if raw["reply_to"] else None,
        subject=_pieces(raw["subject"]),
        html=_pieces(raw["html"]),
        text=_pieces(raw["text"]),
        headers=tuple((name, _pieces(pieces)) for name, pieces in raw["headers"]),
        lang=raw["lang"],
    )


def sha256(frozen: str) -> str:
    """The hash that binds what was reviewed to what is sent."""
    return hashlib.sha256(frozen.encode()).hexdigest()


def _plain(email: Email) -> dict[str, Any]:
    box = email.reply_to
    return {
        "sender": {"name": email.sender.name, "email": email.sender.email},
        "reply_to": {"name": box.name, "email": box.email} if box else None,
        "subject": _raw(email.subject),
        "html": _raw(email.html),
        "text": _raw(email.text),
        "headers": [[name, _raw(pieces)] for name, pieces in email.headers],
        "lang": email.lang,
    }


def _raw(pieces: Pieces) -> list[str | list[str]]:
    return [piece if isinstance(piece, str) else [piece.field, piece.fallback, piece.escape.value] for piece in pieces]


def _pieces(raw: list[str | list[str]]) -> Pieces:
    return tuple(piece if isinstance(piece, str) else Site(piece[0], piece[1], Escape(piece[2])) for piece in raw)
