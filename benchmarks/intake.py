"""Kill the web side with -9 while a provider tells of a campaign: what was answered with 200 is obeyed, once.

    python -m benchmarks.intake [--events 100000] [--kills 25] [--seed N]

A real `serve`, real signed requests over four connections. What was not answered comes again, as from a provider; a
part of what was answered comes again too. Ends with 1 when an event was lost or counted twice.
"""

from __future__ import annotations

import argparse
import http.client
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import cpu, kill, publication, telling
from newsletter.core.delivery import Capabilities
from newsletter.flows.send import send
from newsletter.store import open_store
from newsletter.testing import FakeProvider

_CONNECTIONS = 4
_AGAIN = 0.02  # of what was answered, the part that is told once more


@dataclass(frozen=True)
class Sizes:
    """How many events in how large requests about how many readers, how often killed. `patience` in seconds."""

    events: int = 100_000
    size: int = 20
    readers: int = 2_000
    kills: int = 25
    patience: float = 900.0


@dataclass
class Verdict:
    """What became of the events."""

    events: int = 0
    kills: int = 0
    cut: int = 0  # requests that were not answered, and came again
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For a person."""
        said = f"{self.events:,} events, {self.kills} kills, {self.cut} requests cut off, {self.seconds:.1f} s"
        return f"{said}: {'; '.join(self.broken) or 'every one obeyed, once'}"


class Site:
    """The web side as a process, that can be killed and started anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Begin; its address is another one each time."""
        command = [sys.executable, "-m", "benchmarks.site", str(self._folder)]
        self._process = subprocess.Popen(command, cwd=cpu.ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.netloc = urlsplit(self._process.stdout.readline().rpartition(" at ")[2].split()[0]).netloc

    def kill(self) -> bool:
        """Take it away in the middle of whatever it does. Out: whether that was what ended it."""
        self._process.kill()
        assert self._process.stdout
        self._process.stdout.close()
        return self._process.wait() == -signal.SIGKILL


@dataclass
class Provider:
    """Tells until each request was answered with 200, whatever happens to the other side."""

    site: Site
    sign: telling.Sign
    lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: int = 0
    cut: int = 0

    def tell(self, requests: Sequence[bytes]) -> None:
        """One after the other over one connection, as long as it holds."""
        waiting = iter(requests)
        body = next(waiting, None)
        while body is not None:
            try:
                with closing(http.client.HTTPConnection(self.site.netloc, timeout=30)) as connection:
                    while body is not None:
                        telling.post(connection, body, self.sign)
                        with self.lock:
                            self.acknowledged += 1
                        body = next(waiting, None)
            except ConnectionRefusedError:
                time.sleep(0.02)  # nobody is there
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.cut += 1


def run(folder: Path, sizes: Sizes, seed: int) -> Verdict:
    """Tell, kill, start anew, and look what is there at the end. In: an empty folder."""
    begun, chance, verdict = time.monotonic(), random.Random(seed), Verdict(sizes.events)
    keys = _campaign(folder, sizes.readers)
    telling.write_keys(folder)
    requests = list(_requests(keys, sizes))
    told = [*requests, *chance.sample(requests, int(len(requests) * _AGAIN))]
    chance.shuffle(told)
    moments = sorted(chance.uniform(0, len(told) * 0.95) for _ in range(sizes.kills))
    site = Site(folder)
    try:
        provider = Provider(site, telling.signer(folder))
        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            parts = [threads.submit(provider.tell, told[n::_CONNECTIONS]) for n in range(_CONNECTIONS)]
            for moment in moments:
                while provider.acknowledged < moment and not all(part.done() for part in parts):
                    time.sleep(0.001)
                verdict.kills += site.kill()
                site.start()
            for part in parts:
                part.result()
        verdict.cut = provider.cut
        database = folder / telling.DATABASE
        if not _read(database, begun + sizes.patience):
            verdict.broken.append("requests still wait")
    finally:
        site.kill()
    verdict.broken += _broken(database, sizes)
    verdict.seconds = time.monotonic() - begun
    return verdict


def _campaign(folder: Path, readers: int) -> list[str]:
    """A campaign that went to so many; its delivery keys."""
    publication.write(folder)
    url = f"sqlite:///{folder / telling.DATABASE}"
    kill.fill(url, readers)
    provider = FakeProvider(capabilities=Capabilities(max_batch=1000, network=False))
    with closing(open_store(url)) as store:
        send(publication.SLUG, publication.desk(folder, store, provider))
    return [one.key for call in provider.calls for one in call.batch.recipients]


def _requests(keys: Sequence[str], sizes: Sizes) -> Iterator[bytes]:
    """A hard bounce of each reader, and other events of them."""
    rounds = -(-sizes.events // len(keys))
    kinds = ["bounce", *(f"delivered{n}" for n in range(1, rounds))]
    every = chain.from_iterable(telling.bodies(kind, keys, sizes.size) for kind in kinds)
    for _, body in zip(range(-(-sizes.events // sizes.size)), every, strict=False):
        yield body


def _read(database: Path, end: float) -> bool:
    """Whether all that is kept was read in time."""
    with closing(sqlite3.connect(database)) as there:
        while there.execute("SELECT count(*) FROM webhooks WHERE processed_at IS NULL").fetchone()[0]:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
    return True


def _broken(database: Path, sizes: Sizes) -> list[str]:
    """What is there that should not be, and what is not."""
    with closing(sqlite3.connect(database)) as there:
        events = there.execute("SELECT count(*), count(DISTINCT event_id) FROM events").fetchone()
        bounced = there.execute("SELECT count(*) FROM subscribers WHERE state = 'bounced'").fetchone()[0]
        evidence = there.execute(
            "SELECT count(*), count(DISTINCT subscriber_pid) FROM consent_events WHERE kind = 'bounce'"
        ).fetchone()
        sound = there.execute("PRAGMA integrity_check").fetchone()[0]
    readers = min(sizes.readers, sizes.events)
    found = []
    if events != (sizes.events, sizes.events):
        found.append(f"{events[0]} events are there, {events[1]} different ones, of {sizes.events}")
    if (bounced, *evidence) != (readers,) * 3:
        found.append(f"{bounced} of {readers} bounced, with {evidence[0]} pieces of evidence about {evidence[1]}")
    return found if sound == "ok" else [*found, f"the database is damaged: {sound}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it. Out: 1 when a promise was broken."""
    parser = argparse.ArgumentParser("python -m benchmarks.intake", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--events", type=int, default=Sizes.events)
    parser.add_argument("--kills", type=int, default=Sizes.kills)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    asked = parser.parse_args(arguments)
    print(f"seed {asked.seed}")
    with tempfile.TemporaryDirectory(prefix="intake-") as folder:
        verdict = run(Path(folder), Sizes(events=asked.events, kills=asked.kills), asked.seed)
    print(verdict.line())
    return int(bool(verdict.broken))


if __name__ == "__main__":
    sys.exit(main())
