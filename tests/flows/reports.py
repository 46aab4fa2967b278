"""A provider that reports as tests need it: JSON events, signed with a word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature, StaleWebhook


class Telling:
    """Reads a list of events; `signature: right` signs it."""

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
        assert now
        assert isinstance(body, bytes)
        if headers.get("signature") == "stale":
            raise StaleWebhook("It was signed long ago.")
        if headers.get("signature") == "breaks":
            raise ValueError("a number of five thousand digits")
        if headers.get("signature") != "right":
            raise BadSignature("This is not signed.")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event | ParseError]:
        if body == b"boom":
            raise RuntimeError("an adapter with a fault")
        return [_event(one) if isinstance(one, dict) else ParseError("it is no event", one) for one in json.loads(body)]


def _event(one: Mapping[str, Any]) -> Event:
    return Event(
        EventType(one["type"]),
        one["id"],
        datetime.fromisoformat(one["at"]),
        email=one.get("email"),
        permanent=one.get("permanent"),
        reason=one.get("reason", ""),
        message_id=one.get("message_id"),
        key=one.get("key"),
    )
