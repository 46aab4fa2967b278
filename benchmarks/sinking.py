"""A provider as anybody may install one: a call carries many readers, and goes to a `newsletter.testing.Sink`.

    POST /send    {"html", ..., "readers": [{"key", "to", "values"}]}    taken whole, or not at all
    POST /search  [key, ...]                                             which of them were taken

With `search` off it cannot be asked, as most providers cannot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Recipient, Status
from newsletter.core.email import Email
from newsletter.core.spelling import campaign_of, merged
from newsletter.providers.transport import Part, Transport, Verdict, one_part, sift, verdict


@dataclass(frozen=True)
class Section:
    """Its settings, NEWSLETTER_SINK__..."""

    base_url: str = ""
    search: bool = True


def build(section: Section, root: Path) -> Sinking:  # noqa: ARG001
    """The provider."""
    return Sinking(section)


class Sinking:
    """Fits `newsletter.ports.Provider`."""

    name = "sink"

    def __init__(self, section: Section) -> None:
        self._transport = Transport(section.base_url, headers={"X-Sender": str(os.getpid())})
        self.capabilities = Capabilities(
            max_batch=1000,
            mode="merge",
            result="all_or_nothing",
            reconcile="search" if section.search else "no",
            network=self._transport.network,
        )

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """One call for all."""

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict:
            answer = self._transport.post("send", _body(email, part, key), timeout=left)
            refused = verdict(answer)
            if refused is None and answer.json() != {"taken": len(part)}:
                return Verdict(Status.UNKNOWN, "answer")
            return refused or tuple(Outcome(one.key, Status.SUBMITTED) for one in part)

        return sift(one_part(batch), hand, timeout=timeout)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """Which were taken; None for all where it cannot tell."""
        keys = [one.key for one in batch.recipients]
        if self.capabilities.reconcile != "search":
            return dict.fromkeys(keys)
        taken = self._transport.post("search", json.dumps(keys).encode(), timeout=10).json()
        if not isinstance(taken, list):
            return dict.fromkeys(keys)
        known = set(taken)
        return {key: Outcome(key, Status.SUBMITTED if key in known else Status.RETRY) for key in keys}

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002
        """Always well."""
        return ()

    def close(self) -> None:
        """Let the connections go."""
        self._transport.close()


def _body(email: Email, part: Sequence[Recipient], key: str) -> bytes:
    spelled = merged(email, _tag, seed=campaign_of(key))
    readers = [{"key": one.key, "to": one.address, "values": spelled.values_of(one)} for one in part]
    return json.dumps(
        {"subject": spelled.subject, "html": spelled.html, "text": spelled.text, "readers": readers}
    ).encode()


def _tag(name: str) -> str:
    return f"[[{name}]]"


def installed(folder: Path) -> str:
    """Install it by its entry point, in a folder that goes onto PYTHONPATH. Out: that path."""
    package = folder / "sink-1.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: sink\nVersion: 1\n", "utf-8")
    (package / "entry_points.txt").write_text("[newsletter.providers]\nsink = benchmarks.sinking\n", "utf-8")
    return os.pathsep.join([str(folder), str(Path(__file__).resolve().parent.parent)])
