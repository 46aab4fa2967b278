"""What the readers of webhooks share."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature
from newsletter.providers import webhook


def read(entry: Mapping[str, Any]) -> Event:
    return Event(EventType.DELIVERED, event_id=entry["id"], at=webhook.moment(entry["at"]))


def test_a_bad_event_stands_in_its_place_and_loses_no_other() -> None:
    good = {"id": "1", "at": "2026-12-01T17:30:00"}
    body = json.dumps([good, "x", {"id": "2"}, {"id": "3", "at": "soon"}, {**good, "id": "4"}]).encode()
    told = webhook.events(body, read)
    assert [one.event_id if isinstance(one, Event) else one.what for one in told] == [
        "1",
        "An event is not an object.",
        "An event has no at.",
        "An event cannot be read (ValueError).",
        "4",
    ]
    assert webhook.events(json.dumps(good).encode(), read) == [
        Event(EventType.DELIVERED, "1", datetime(2026, 12, 1, 17, 30, tzinfo=UTC))
    ]
    assert webhook.events(b"[]", read) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_body_that_is_not_json_is_one_error(body: bytes) -> None:
    assert webhook.events(body, read) == [ParseError("The body is not JSON.")]


def test_ids_tell_fields_apart() -> None:
    assert webhook.event_id("a", None, 1) == webhook.event_id("a", "", "1")
    assert webhook.event_id("ab", "c") != webhook.event_id("a", "bc")


def basic(text: bytes) -> dict[str, str]:
    return {"authorization": "basic " + base64.b64encode(text).decode()}


def test_basic_and_bearer_pass_with_the_secret_alone() -> None:
    webhook.basic(basic(b"u:p:q"), "u", "p:q")
    webhook.bearer({"authorization": "bearer t"}, "t")
    for headers in ({}, basic(b"u:p"), basic(b"u"), {"authorization": "Basic \u00e9"}, {"authorization": "Bearer t"}):
        with pytest.raises(BadSignature):
            webhook.basic(headers, "u", "p:q")
    for headers in ({}, basic(b"t"), {"authorization": "Bearer é"}):
        with pytest.raises(BadSignature):
            webhook.bearer(headers, "t")
    with pytest.raises(BadSignature):
        webhook.basic(basic(b":"), "", "")
    with pytest.raises(BadSignature):
        webhook.bearer({"authorization": "Bearer "}, "")
