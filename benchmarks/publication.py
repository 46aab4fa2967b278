"""A publication to measure with: a folder with one issue of eight kilobytes, and a desk on a database."""

from __future__ import annotations

import csv
import secrets
from datetime import UTC, datetime
from pathlib import Path

from newsletter.core.brake import Canary
from newsletter.core.links import Links
from newsletter.core.pace import Pace
from newsletter.core.publication import Footer, Form, Limits, Publication, Sender
from newsletter.flows.desk import Desk
from newsletter.ports import Provider, Store

SLUG = "measured"
SIZE = 8 * 1024
WHY = "they asked at the counter"

PUBLICATION = Publication(
    name="Harbour Notes",
    senders={"us": Sender("Harbour Notes", "notes@harbour.example", "answers@harbour.example")},
    footer=Footer(address="3 Quay Street, Port Ellen", email="answers@harbour.example"),
    fields={"first_name": "friend"},
    forms={"letter": Form(topics=("letter",), wording="Send me the letter.")},
    limits=Limits(*(1_000_000,) * 3),
)

_HEAD = """---
subject: Low water
preheader: What the harbour looks like when the sea has gone out, and who walks there then.
date: 2026-12-01
draft: false
---

Good morning, {{ first_name, "friend" }}. The tide turned before anybody was awake.
"""

_PART = """
## Along the wall, part {number}

The boats lie on their sides, and the ropes that held them hang slack. It’s the hour for looking at what is
usually covered: the *old* chain, the steps, a [bicycle](https://harbour.example/found/{number}) nobody misses.

- What was under water all this time?
- What was it that **held**?

> The sea takes its time and gives it back.

1. Walk as far as the last post.
2. Turn round, {{{{ first_name, "friend" }}}}, and read the wall from its other end.
"""


def issue() -> str:
    """An issue of about eight kilobytes, with most kinds of block in it."""
    text, number = _HEAD, 1
    while len(text.encode()) < SIZE - len(_PART):
        text += _PART.format(number=number)
        number += 1
    return text


def write(root: Path) -> None:
    """The publication's folder."""
    (root / "issues").mkdir(parents=True, exist_ok=True)
    (root / "issues" / f"2026-12-01-{SLUG}.md").write_text(issue(), "utf-8")


def desk(root: Path, store: Store, provider: Provider, base_url: str = "https://letters.harbour.example") -> Desk:
    """A desk as the program builds it, with real time and chance."""
    return Desk(
        root=root,
        publication=PUBLICATION,
        store=store,
        provider=provider,
        transactional=provider,
        links=Links(base_url, [secrets.token_urlsafe(32)]),
        suppression_key=b"a key for measuring",
        now=lambda: datetime.now(UTC),
        entropy=secrets.token_bytes,
        pace=Pace(canary=Canary(share=0)),  # a soak is waiting, and nothing to measure
    )


def people(file: Path, count: int) -> None:
    """A list of subscribers as another program would export it: half of them at a few large hosts."""
    hosts = [f"mail{number}.example" for number in range(8)]
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["email", "first_name", "last_name"])
        for number in range(count):
            host = hosts[number % 8] if number % 2 else f"place{number % 5000}.example"
            rows.writerow([f"reader.{number * 7919 % count}@{host}", f"Ann{number % 300}", f"Lee{number % 700}"])
