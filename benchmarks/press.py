"""The press: an audience comes in, is frozen, and is sent to. Each in a process of its own, for its memory.

    python -m benchmarks.press import   FOLDER URL COUNT [POSTGRES-PID]
    python -m benchmarks.press freeze   FOLDER URL COUNT [POSTGRES-PID]
    python -m benchmarks.press campaign FOLDER URL BATCH

prints one JSON object. Processor time holds the database server's, where there is one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cpu, publication
from benchmarks.figure import Figure, figure
from newsletter.core.campaign import Draft, Variant
from newsletter.core.consent import Reason
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Outcome, Status
from newsletter.core.email import Email
from newsletter.flows import audience
from newsletter.flows.plan import plan
from newsletter.flows.send import send
from newsletter.store import open_store

MILLION = 1_000_000


@dataclass(frozen=True)
class Sink:
    """A provider that takes everything at once: what is measured is ours."""

    capabilities: Capabilities
    name: str = "sink"

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:  # noqa: ARG002
        """Taken. One message in a call has an id of its own, as providers give it."""
        alone = f"{key}@sink.example" if self.capabilities.max_batch == 1 else None
        return BatchResult(tuple(Outcome(one.key, Status.SUBMITTED, alone) for one in batch.recipients))

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """Nothing is ever lost here."""
        return dict.fromkeys(one.key for one in batch.recipients)


def sink(batch: int) -> Sink:
    """A sink for so many recipients a call."""
    return Sink(Capabilities(max_batch=batch, mode="merge" if batch > 1 else "single", network=False))


# --- what the parent asks for ------------------------------------------------------------------------


def measure(folder: Path, url: str, count: int, *, server: int | None = None) -> Iterator[Figure]:
    """Import `count` readers and freeze them, on one database; the seconds are scaled to a million."""
    suffix = "" if server is None else "_pg"
    publication.write(folder)
    publication.people(folder / "people.csv", count)
    pid = [] if server is None else [str(server)]
    for work in ("import", "freeze"):
        found = cpu.child("benchmarks.press", work, str(folder), url, str(count), *pid)
        yield figure(f"{work}_million_s{suffix}", found["cpu_s"] * MILLION / count)


def campaigns(many: Path, url: str, few: Path, count: int) -> Iterator[Figure]:
    """Send to the audience of `url` with a thousand a call, and to `count` other readers one a call."""
    merge = cpu.child("benchmarks.press", "campaign", str(many), url, "1000")
    yield figure("campaign_merge_cpu_s_per_million", merge["cpu_s"] * MILLION / merge["sent"])
    yield figure("campaign_merge_rss_mb", merge["peak_mb"])
    single = f"sqlite:///{few / 'newsletter.db'}"
    publication.write(few)
    publication.people(few / "people.csv", count)
    cpu.child("benchmarks.press", "import", str(few), single, str(count))
    one = cpu.child("benchmarks.press", "campaign", str(few), single, "1")
    yield figure("campaign_single_cpu_s_per_million", one["cpu_s"] * MILLION / one["sent"])


# --- in the child ------------------------------------------------------------------------------------


def bring_in(folder: Path, url: str, count: int, server: int | None = None) -> dict[str, float]:
    """Import the list; afterwards one in a hundred of others has left, as in any list of some age."""
    with closing(open_store(url)) as store:
        desk = publication.desk(folder, store, sink(1000))
        spent = _spent(server)
        report = audience.import_(folder / "people.csv", desk, names={}, why=publication.WHY)
        used = spent()
        assert report.active == count, report
        with store.begin() as tx:
            for number in range(count // 100):
                tx.audience.suppress(f"{number:064x}", Reason.UNSUBSCRIBED, desk.now())
    return {**used, "peak_mb": cpu.peak_mb()}


def freeze(_folder: Path, url: str, count: int, server: int | None = None) -> dict[str, float]:
    """Freeze the audience alone, content aside."""
    draft = Draft(
        key="frozen",
        pid="frozen",
        subject="Low water",
        segments=("all",),
        topics=("letter",),
        content_sha256="",
        source_sha256="frozen",
        provider="sink",
        batch_size=1000,
        archive=None,
        excluded={},
        plan_hash="",
        variants=(Variant("all", "{}"),),
    )
    with closing(open_store(url)) as store:
        spent = _spent(server)
        with store.begin() as tx:
            campaign = tx.campaigns.freeze(draft, datetime.now(UTC))
        used = spent()
    assert campaign.audience == count, campaign
    return {**used, "peak_mb": cpu.peak_mb()}


def campaign(folder: Path, url: str, batch: int) -> dict[str, float]:
    """Freeze, claim, read, record: the whole run of `send`."""
    with closing(open_store(url)) as store:
        desk = publication.desk(folder, store, sink(batch))
        plan(publication.SLUG, desk)  # warm: rendering an issue has a figure of its own
        spent = _spent(None)
        report = send(publication.SLUG, desk)
        used = spent()
    assert report.finished, report
    return {**used, "sent": report.sent, "peak_mb": cpu.peak_mb()}


def _spent(server: int | None) -> Callable[[], dict[str, float]]:
    """Begin to count; the result, called at the end, says what was used."""

    def now() -> tuple[float, float]:
        return time.process_time() + (cpu.of_process(server) if server else 0.0), time.perf_counter()

    begun = now()

    def since() -> dict[str, float]:
        used, wall = (end - start for end, start in zip(now(), begun, strict=True))
        return {"cpu_s": used, "wall_s": wall}

    return since


def main(work: str, folder: str, url: str, *numbers: str) -> None:
    """Do one piece of work and print what it took."""
    works: dict[str, Callable[..., dict[str, float]]] = {"import": bring_in, "freeze": freeze, "campaign": campaign}
    print(json.dumps(works[work](Path(folder), url, *map(int, numbers))))


if __name__ == "__main__":
    main(*sys.argv[1:])
