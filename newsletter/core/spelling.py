"""An Email spelled as a provider's API wants it: as JSON for one reader, or in its own merge syntax.

    json_template(shape)  ->  JsonTemplate     a message as JSON; every literal encoded once
    template.of(recipient)  ->  bytes
    merged(email, ...)  ->  Merged             literal text with the provider's tags, and each reader's values

Adapters build the shape of their own message; a tuple in it is `Pieces`, filled anew for each reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from newsletter.core.delivery import Recipient
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Escape, Pieces, Site, escaped, fill

ADDRESS = Site("@address", "", Escape.PLAIN)
"""The reader's address, as a site: no field of a publication can have this name."""

KEY = Site("@key", "", Escape.PLAIN)
"""The delivery's key, as a site."""


def values(recipient: Recipient) -> dict[str, str]:
    """Everything a reader's sites may ask for, by field name."""
    return {
        **recipient.values,
        UNSUBSCRIBE_URL: recipient.unsubscribe_url,
        ADDRESS.field: recipient.address,
        KEY.field: recipient.key,
    }


# --- one message as JSON ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JsonTemplate:
    """A JSON value with places for one reader's values; safe to share between threads."""

    _parts: tuple[bytes, ...]  # empty where a value goes
    _slots: tuple[tuple[Site, tuple[int, ...]], ...]

    def of(self, recipient: Recipient) -> bytes:
        """The JSON for one reader, UTF-8. Equal input, equal bytes."""
        known = values(recipient)
        parts = list(self._parts)
        for site, places in self._slots:
            value = _inside(escaped(site, known))
            for place in places:
                parts[place] = value
        return b"".join(parts)


def json_template(shape: Any) -> JsonTemplate:
    """Encode everything that is the same for all readers.

    In: dicts, lists, strings, numbers, booleans, None; and a tuple of text and sites (`Pieces`) for a string
    that differs, a key of a dict never. Out: the template.
    """
    parts: list[bytes] = []
    slots: dict[Site, list[int]] = {}
    for piece in _joined(_encoded(shape)):
        if isinstance(piece, Site):
            slots.setdefault(piece, []).append(len(parts))
        parts.append(b"" if isinstance(piece, Site) else piece.encode("utf-8", "replace"))
    return JsonTemplate(tuple(parts), tuple((site, tuple(places)) for site, places in slots.items()))


def _encoded(shape: Any) -> Iterator[str | Site]:
    if isinstance(shape, tuple):
        yield '"'
        yield from (
            piece if isinstance(piece, Site) else json.dumps(piece, ensure_ascii=False)[1:-1] for piece in shape
        )
        yield '"'
    elif isinstance(shape, dict):
        for place, (name, inner) in enumerate(shape.items()):
            yield f"{', ' if place else '{'}{json.dumps(name)}: "
            yield from _encoded(inner)
        yield "}" if shape else "{}"
    elif isinstance(shape, list):
        for place, inner in enumerate(shape):
            yield ", " if place else "["
            yield from _encoded(inner)
        yield "]" if shape else "[]"
    else:
        yield json.dumps(shape, ensure_ascii=False)


def _joined(pieces: Iterator[str | Site]) -> list[str | Site]:
    joined: list[str | Site] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _inside(value: str) -> bytes:
    """Text as it stands within the quotes of a JSON string (RFC 8259 7)."""
    if _PLAIN.fullmatch(value):
        return value.encode("ascii")
    return json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "replace")


_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # ASCII but for quotes, backslash and controls

# --- a provider's own merge syntax -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merged:
    """An email whose sites are the provider's tags; `values_of` is what travels for each reader."""

    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    sites: tuple[tuple[str, Site], ...]  # by the name in the tag

    def values_of(self, recipient: Recipient) -> dict[str, str]:
        """One reader's values by name, each escaped for the place it lands in."""
        known = values(recipient)
        return {name: escaped(site, known) for name, site in self.sites}


@lru_cache(maxsize=16)  # a campaign's email comes once a batch
def merged(email: Email, tag: Callable[[str], str], *, seed: str, reserved: re.Pattern[str] | None = None) -> Merged:
    """Spell an email in a provider's merge syntax.

    In: `tag` makes the provider's tag of a name (of letters and digits; a module's function, not one made per
    call); `seed`, something of the campaign's own and the same at every attempt (its batch key's first part), so
    that nobody can know the names beforehand and equal batches give equal bytes; `reserved`, what in our own words the
    provider would read as its syntax: it travels as a value, so that it arrives as what it is.
    """
    names: dict[Site, str] = {}
    start = sha256(seed.encode()).hexdigest()[:10]

    def name(site: Site) -> str:
        return names.setdefault(site, f"v{start}x{len(names)}")

    def spelled(pieces: Pieces) -> str:
        return "".join(tag(name(piece)) if isinstance(piece, Site) else piece for piece in _kept(pieces, reserved))

    return Merged(
        subject=spelled(email.subject),
        html=spelled(email.html),
        text=spelled(email.text),
        headers=tuple((header, spelled(pieces)) for header, pieces in email.headers),
        sites=tuple((found, site) for site, found in names.items()),
    )


def _kept(pieces: Pieces, reserved: re.Pattern[str] | None) -> Iterator[str | Site]:
    """The pieces, with what the provider would take for its own syntax as a site of one value for all."""
    for piece in pieces:
        if isinstance(piece, Site) or reserved is None:
            yield piece
            continue
        done = 0
        for found in reserved.finditer(piece):
            yield piece[done : found.start()]
            yield Site("@literal", found[0], Escape.PLAIN)
            done = found.end()
        yield piece[done:]


def campaign_of(key: str) -> str:
    """The part of a batch key that all batches of a campaign share."""
    return key.partition(":")[0]


def headers_of(email: Email, recipient: Recipient) -> list[tuple[str, str]]:
    """The email's own headers for one reader, in order, as plain text; those with nothing to say are left out."""
    known = values(recipient)
    return [(name, value) for name, pieces in email.headers if (value := fill(pieces, known))]
