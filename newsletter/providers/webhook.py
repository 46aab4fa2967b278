"""Webhooks for the adapters: whose a request is, and how its body becomes events.

events(body, read)  ->  [Event | ParseError]      never raises
must_be(...), basic(...), bearer(...)             raise BadSignature
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from newsletter.core.event import UNTOLD as UNTOLD  # noqa: PLC0414 - said again for adapters
from newsletter.core.event import Event, ParseError
from newsletter.core.feedback import is_authentication as is_authentication  # noqa: PLC0414 - said again for adapters
from newsletter.core.feedback import judged as judged  # noqa: PLC0414 - the one rule of what a refusal means
from newsletter.errors import BadSignature

_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError)  # of a stranger's JSON


def events(body: bytes, read: Callable[[Mapping[str, Any]], Event]) -> list[Event | ParseError]:
    """The events of a body: one JSON object, or an array of them.

    In: `read` makes an event of an object; what it stumbles over becomes a ParseError in its place.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return [ParseError("The body is not JSON.")]
    return each(told if isinstance(told, list) else [told], read)


def each(entries: Iterable[Any], read: Callable[[Mapping[str, Any]], Event]) -> list[Event | ParseError]:
    """An event of each entry, or a ParseError in its place."""
    return [_event(entry, read) for entry in entries]


def _event(entry: Any, read: Callable[[Mapping[str, Any]], Event]) -> Event | ParseError:
    if not isinstance(entry, dict):
        return ParseError("An event is not an object.", entry)
    try:
        return read(entry)
    except KeyError as missing:
        return ParseError(f"An event has no {missing.args[0]}.", entry)
    except _UNREADABLE as problem:
        return ParseError(f"An event cannot be read ({type(problem).__name__}).", entry)


def event_id(*fields: object) -> str:
    """An id for an event that has none of its own: the hash of the fields that tell two apart."""
    return sha256("\n".join("" if one is None else str(one) for one in fields).encode("utf-8", "replace")).hexdigest()


def moment(text: str) -> datetime:
    """A time in ISO 8601, aware; without a zone it is UTC. Raises: ValueError."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def word(value: Any) -> str | None:
    """A text, or None for anything else and for an empty one."""
    return value if isinstance(value, str) and value else None


def must_be(given: bytes, wanted: bytes) -> None:
    """Compare in constant time. Raises: BadSignature."""
    if not wanted or not hmac.compare_digest(given, wanted):
        raise BadSignature("A webhook request is not the provider's own.")


def basic(headers: Mapping[str, str], user: str, password: str) -> None:
    """HTTP basic authentication (RFC 7617). Nothing passes when no password is set. Raises: BadSignature."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        given = b""
    must_be(given, f"{user}:{password}".encode() if password else b"")


def bearer(headers: Mapping[str, str], secret: str) -> None:
    """A bearer token (RFC 6750 2.1). Nothing passes when none is set. Raises: BadSignature."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    must_be(token.strip().encode() if scheme.lower() == "bearer" else b"", secret.encode())
