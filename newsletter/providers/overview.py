"""What each provider of ours can do, as the table of docs/providers.md.

    python -m newsletter.providers.overview docs/providers.md      writes it anew, between its two marks

In: the capabilities the adapters declare. Out: Markdown.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter import providers
from newsletter.core.delivery import Capabilities

BEGIN, END = "<!-- the table: made by newsletter.providers.overview -->", "<!-- end of the table -->"

PROVEN: Mapping[str, str] = MappingProxyType({"outbox": "on every machine", "smtp": "against local servers"})
"""How an adapter was tried beyond an emulation: "proven live on 2026-12-01" after `newsletter prove`."""

_HEAD = (
    "provider",
    "readers a call",
    "how",
    "one-click headers",
    "result",
    "a lost answer",
    "its own list",
    "webhooks",
    "tried",
)
_HOW = {"merge": "one text and values", "batch": "whole messages", "single": "one whole message"}
_HEADERS = {"yes": "ours", "managed": "its own", "no": "none"}
_RESULT = {"per_recipient": "for each reader", "all_or_nothing": "for all together"}
_PROOF = {
    "svix": "Svix",
    "ecdsa": "ECDSA",
    "hmac": "HMAC",
    "sns": "SNS",
    "shared_secret": "a shared secret",
    "none": "–",
}


def table() -> str:
    """The table: a row for each provider that this package names, as it is when nothing is set."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *(_row(name, can) for name, can in sorted(declared().items()))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def declared() -> dict[str, Capabilities]:
    """The capabilities of our own providers, by name."""
    ours = (name for name, point in providers.installed().items() if point.module.startswith(f"{providers.__name__}."))
    return {name: _capabilities(providers.load(name)) for name in ours}


def _capabilities(module: Any) -> Capabilities:
    """Those of the one class of a module that has some."""
    own = (thing for thing in vars(module).values() if getattr(thing, "__module__", "") == module.__name__)
    found: Capabilities = next(thing.capabilities for thing in own if hasattr(thing, "capabilities"))
    return found


def _row(name: str, can: Capabilities) -> tuple[str, ...]:
    return (
        name,
        f"{can.max_batch:,}",
        _HOW[can.mode],
        _HEADERS[can.per_recipient_headers],
        _RESULT[can.result],
        _lost(can),
        ", ".join(one for one in ("read", "add", "remove") if one in can.suppressions) or "–",
        _PROOF[can.webhook_auth],
        PROVEN.get(name, "emulation only"),
    )


def _lost(can: Capabilities) -> str:
    """What settles a batch whose answer was lost."""
    ways = {"search": f"searched for after {can.settle_seconds:g} s", "events": "told by events", "no": ""}
    key = f"its key, {can.idempotency_ttl / 3600:g} h" if can.idempotency_ttl else ""
    return ", ".join(way for way in (key, ways[can.reconcile]) if way) or "a person"


def written(page: str) -> str:
    """A page with the table between its marks as it should be. Raises: ValueError when it has no marks."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text("utf-8")), "utf-8")
