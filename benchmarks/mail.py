"""One mail: rendering an issue, putting a name into it, making a message of it, writing it down."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cpu, publication
from benchmarks.figure import Figure, figure
from newsletter.content import library
from newsletter.content.render import render
from newsletter.core import mime
from newsletter.core.delivery import Batch, Recipient
from newsletter.core.email import Email, Escape, Pieces, Site, fill
from newsletter.providers.outbox import Outbox

_BASE = "https://letters.harbour.example"
_AT = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
_SIZE = 60_000
_SITES = 19
_FIELDS = ("first_name", "last_name", "city", "unsubscribe_url")


def measure(folder: Path, *, seconds: float) -> Iterator[Figure]:
    """In: an empty folder, how long each measurement may last."""
    publication.write(folder)
    email = _rendered(folder)
    yield figure("render_issue_ms", cpu.each(lambda: _rendered(folder), seconds=seconds) * 1e3)
    yield personalise(seconds)
    yield _mime(email, seconds)
    yield _outbox(email, folder / "outbox", seconds)


def _rendered(root: Path) -> Email:
    issue = library.load(library.find(publication.SLUG, root), publication.PUBLICATION, root)
    return render(issue, publication.PUBLICATION, root=root, base_url=_BASE)


def reader(number: int) -> Recipient:
    """One of many."""
    values = {"first_name": f"Ann{number % 300}", "last_name": "O'Lee", "city": "Port Ellen & Sons"}
    return Recipient(f"m{number}", f"reader{number}@mail1.example", values, f"{_BASE}/unsubscribe/{number:022d}")


def page() -> Pieces:
    """HTML of 60 KB with 19 places for values, as a letter has them."""
    literal = ('<p style="margin:0 0 16px">The tide turned before anybody was awake.</p>\n' * 60)[
        : _SIZE // (_SITES + 1)
    ]
    escapes = itertools.cycle((Escape.TEXT, Escape.ATTRIBUTE, Escape.TEXT))
    parts: list[str | Site] = [literal]
    for field, escape in zip(itertools.islice(itertools.cycle(_FIELDS), _SITES), escapes, strict=False):
        parts += [Site(field, "", escape), literal]
    return tuple(parts)


def personalise(seconds: float) -> Figure:
    """Joining the pieces for a reader, beside copying as many bytes."""
    pieces, one = page(), reader(1)
    values = {**one.values, "unsubscribe_url": one.unsubscribe_url}
    body = bytearray(fill(pieces, values).encode())
    value = cpu.each(lambda: fill(pieces, values), seconds=seconds)
    return figure("personalise_us", value * 1e6, cpu.each(lambda: bytes(body), seconds=seconds) * 1e6)


def _mime(email: Email, seconds: float) -> Figure:
    html, text = (fill(part, {}) for part in (email.html, email.text))
    padded = replace(email, html=(*email.html, " " * max(0, _SIZE - len(html))), text=(*email.text, text))
    template, numbers = mime.compile(padded), itertools.count()

    def message() -> bytes:
        one = reader(next(numbers))
        return template.message(one, at=_AT, message_id=f"<{one.key}@harbour.example>")

    body = bytearray(message())
    value = cpu.each(message, seconds=seconds)
    return figure("mime_us", value * 1e6, cpu.each(lambda: bytes(body), seconds=seconds) * 1e6)


def _outbox(email: Email, path: Path, seconds: float) -> Figure:
    """Per message of a batch, made, written and synced."""
    provider, numbers = Outbox(path=path), itertools.count()

    def batch() -> None:
        readers = tuple(reader(next(numbers)) for _ in range(100))
        provider.submit(email, Batch(readers, at=_AT), key="", timeout=1)

    return figure("outbox_us", cpu.each(batch, seconds=seconds) / 100 * 1e6)
