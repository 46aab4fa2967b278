"""The press: an audience comes in, is frozen, and is sent to. Each in a process of its own, for its memory.

    python -m benchmarks.press import   FOLDER URL COUNT [POSTGRES-PID]
    python -m benchmarks.press freeze   FOLDER URL COUNT [POSTGRES-PID]
    python -m benchmarks.press campaign FOLDER URL MODE SINK
    python -m benchmarks.press fill     FOLDER URL COUNT

prints one JSON object. Processor time holds the database server's, where there is one. A campaign goes out through an
adapter of ours to a sink (`benchmarks/sink.py`) over real HTTP: `merge` through SendGrid's, a thousand readers a call;
`batch` through Postmark's, five hundred whole messages a call; `single` through Brevo's. Its floor are as many calls
with as many bytes, sent by `requests` as they are.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import requests
from sqlalchemy import text

from benchmarks import cpu, publication
from benchmarks.figure import Figure, figure
from newsletter.core.campaign import Draft, Variant
from newsletter.core.consent import Reason
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Status
from newsletter.core.email import Email
from newsletter.flows import audience
from newsletter.flows.plan import plan
from newsletter.flows.send import freeze as freeze_campaign
from newsletter.flows.send import send
from newsletter.ports import Provider
from newsletter.providers.brevo import Brevo
from newsletter.providers.postmark import Postmark
from newsletter.providers.sendgrid import Sendgrid
from newsletter.store import SqlStore, open_store

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

    def check(self, need: int) -> list[Finding]:  # noqa: ARG002
        """Nothing is wrong with it."""
        return []


def sink(batch: int) -> Sink:
    """A sink for so many recipients a call."""
    can = Capabilities(max_batch=batch, mode="merge" if batch > 1 else "single", network=False, reconcile="search")
    return Sink(can)


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


def campaigns(folder: Path, url: str, readers: Mapping[str, int]) -> Iterator[Figure]:
    """Send to the audience of `url` by merge, and to as many others as `readers` says by batch and one by one."""
    with cpu.serving("benchmarks.sink") as sink_url:
        for mode in ("merge", "batch", "single"):
            at = url if mode == "merge" else filled(folder / mode, readers[mode])
            found = cpu.child("benchmarks.press", "campaign", str(folder / mode), at, mode, sink_url)
            scale = MILLION / found["sent"]
            yield figure(f"campaign_{mode}_cpu_s_per_million", found["cpu_s"] * scale, found["floor_s"] * scale)
            if mode != "single":
                yield figure(f"campaign_{mode}_rss_mb", found["peak_mb"])


def growth(folder: Path, count: int, times: int) -> Iterator[Figure]:
    """How much dearer a reader becomes, in time or in memory, when there are `times` as many: 1 is not at all."""
    with cpu.serving("benchmarks.sink") as sink_url:
        small, large = (
            cpu.child(
                "benchmarks.press",
                "campaign",
                str(folder / str(size)),
                filled(folder / str(size), size),
                "merge",
                sink_url,
            )
            for size in (count, count * times)
        )
    slower = (large["cpu_s"] / large["sent"]) / (small["cpu_s"] / small["sent"])
    yield figure("campaign_merge_growth", max(slower, large["peak_mb"] / small["peak_mb"]))


def filled(folder: Path, count: int) -> str:
    """A database with so many readers that were not imported, which takes too long; its address."""
    folder.mkdir(parents=True)
    url = f"sqlite:///{folder / 'newsletter.db'}"
    cpu.child("benchmarks.press", "fill", str(folder), url, str(count))
    return url


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


def campaign(folder: Path, url: str, mode: str, sink_url: str) -> dict[str, float]:
    """Send: by merge the whole run, plan and freeze included; else what comes after them, which cost the same."""
    publication.write(folder)
    with closing(open_store(url)) as store:
        desk = publication.desk(folder, store, _provider(mode, sink_url))
        desk = replace(desk, pace=replace(desk.pace, rate=float(MILLION)))
        plan(publication.SLUG, desk)  # warm: rendering an issue has a figure of its own
        if mode != "merge":
            freeze_campaign(publication.SLUG, desk, approval=None, again="")
        before, spent = _taken(sink_url), _spent(None)
        report = send(publication.SLUG, desk)
        used, peak = spent(), cpu.peak_mb()
    assert report.finished, report
    after = _taken(sink_url)
    calls, size = after["calls"] - before["calls"], after["bytes"] - before["bytes"]
    floor = _floor(f"{sink_url}/floor", calls, size // calls, whole=mode != "batch")
    return {**used, "floor_s": floor, "sent": report.sent, "peak_mb": peak}


def _provider(mode: str, url: str) -> Provider:
    made: dict[str, Callable[[], Provider]] = {
        "merge": lambda: Sendgrid(api_key="key", base_url=url),
        "batch": lambda: Postmark(token="token", own_unsubscribe=True, base_url=url),
        "single": lambda: Brevo(api_key="key", accept_own_unsubscribe=True, base_url=url),
    }
    return made[mode]()


def _taken(sink_url: str) -> dict[str, int]:
    found: dict[str, int] = requests.get(f"{sink_url}/taken", timeout=10).json()
    return found


_PIECE = 60_000


class _Pieces:
    """A body of so many bytes that is made while it goes out, a message's worth at a time."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        piece = b"x" * _PIECE
        yield from itertools.repeat(piece, self._size // _PIECE)
        yield piece[: self._size % _PIECE]


def _floor(url: str, calls: int, size: int, *, whole: bool) -> float:
    """Processor seconds of as many prepared calls of this size, one after the other, and nothing else."""
    session = requests.Session()
    session.trust_env = False
    body = b"x" * size
    prepared = requests.Request("POST", url, data=body).prepare()
    session.send(prepared).close()
    begun = time.process_time()
    for _ in range(calls):
        one = prepared.copy()
        one.body = body if whole else _Pieces(size)  # type: ignore[assignment]  # it has a length and can be iterated
        _ = session.send(one, allow_redirects=False).content
    return time.process_time() - begun


def fill(_folder: Path, url: str, count: int) -> dict[str, float]:
    """Make so many active readers within the database itself."""
    with closing(open_store(url)) as store:
        _fill(store, count)
    return {"readers": count}


def _fill(store: SqlStore, count: int) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
    with store._write.begin() as connection:  # noqa: SLF001 - nobody else makes readers out of nothing
        connection.execute(
            text(
                "INSERT INTO subscribers (pid, email, address_hmac, first_name, last_name, lang, state, "
                "unsubscribe_token, created_at, changed_at, confirmed_at) "
                f"{rows} SELECT printf('%022x', i), printf('reader.%d@mail%d.example', i, i % 8), "
                "CAST(printf('%016d', i) AS BLOB), 'Ann' || i % 300, 'Lee' || i % 700, 'en', 'active', "
                "printf('%026d', i), 0, 0, 0 FROM n"
            ),
            {"count": count},
        )
        connection.execute(text("INSERT INTO subscriber_topics SELECT id, 'letter' FROM subscribers ORDER BY id"))


def _spent(server: int | None) -> Callable[[], dict[str, float]]:
    """Begin to count; the result, called at the end, says what was used."""

    def now() -> tuple[float, float]:
        return time.process_time() + (cpu.of_process(server) if server else 0.0), time.perf_counter()

    begun = now()

    def since() -> dict[str, float]:
        used, wall = (end - start for end, start in zip(now(), begun, strict=True))
        return {"cpu_s": used, "wall_s": wall}

    return since


def main(work: str, folder: str, url: str, *rest: str) -> None:
    """Do one piece of work and print what it took."""
    if work == "campaign":
        print(json.dumps(campaign(Path(folder), url, *rest)))
        return
    works: dict[str, Callable[..., dict[str, float]]] = {"import": bring_in, "freeze": freeze, "fill": fill}
    print(json.dumps(works[work](Path(folder), url, *map(int, rest))))


if __name__ == "__main__":
    main(*sys.argv[1:])
