"""Links in letters from before a move: what they end in, and how that is kept.

In: an id of another system, or its unsubscribe address. Out: the id, or its keyed hash. Whoever holds such an id can do
one thing with it, leave; so what could be guessed by counting is not kept at all.

Which addresses the systems write (read in their sources, November 2026): listmonk, in cmd/handlers.go,
`/subscription/{campaign}/{subscriber}`; Ghost, in the tests of its members' middleware,
`/unsubscribe/?uuid={member}&key=...&newsletter=...`.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

PLACE = "{id}"
"""Where the id stands in `old_unsubscribe` of newsletter.yml."""

_LEAST = 12  # characters: fewer, or digits alone, can be counted through
_HALF = 16  # bytes of a hash


def bare(given: str) -> str:
    """An id as it is compared; empty when it could be guessed."""
    text = given.strip()
    if len(text) < _LEAST or text.isdigit() or len(text) > 200:  # noqa: PLR2004 -- no system's id is longer
        return ""
    return text.lower() if _UUID.fullmatch(text) else text


_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def of_url(url: str) -> str:
    """The id that an unsubscribe address ends in: `uuid` of its query, else the end of its path."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    return parse_qs(parts.query).get("uuid", [""])[0] or parts.path.rstrip("/").rpartition("/")[2]


def keyed(id_: str, key: bytes) -> str:
    """What is kept of an id: hex digits that mean nothing without the key."""
    return hmac.digest(key, b"newsletter.old_link:" + id_.encode(), "sha256")[:_HALF].hex()


@dataclass(frozen=True)
class Way:
    """An address that old letters link to.

    `path` is spelled as routes are; the id is its `{token}`, or the value of `query` where there is one.
    """

    path: str
    query: str = ""


LISTMONK = Way("/subscription/{campaign:uuid}/{token}")
GHOST = (Way("/unsubscribe/", "uuid"), Way("/unsubscribe", "uuid"))


def way(text: str) -> Way | None:
    """`old_unsubscribe` as an address; None when it cannot be one.

    It begins with `/` and holds `{id}` once, within a step of the path or as a whole value of the query (of which the
    rest is not looked at); `*` stands for anything within one step.
    """
    path, _, query = text.partition("?")
    if text.count(PLACE) != 1 or not _PATH.fullmatch(path):
        return None
    if PLACE in path:
        return Way(_numbered(path.replace(PLACE, "{token}")))
    names = [name for name, _, value in (part.partition("=") for part in query.split("&")) if value == PLACE]
    return Way(_numbered(path), names[0]) if names and names[0].isidentifier() else None


_PATH = re.compile(r"(?:/(?:[\w.~*-]|\{id\})*)+")


def _numbered(path: str) -> str:
    """Each `*` as a place of its own."""
    first, *rest = path.split("*")
    return first + "".join(f"{{any{number}}}{part}" for number, part in enumerate(rest))
