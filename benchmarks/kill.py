"""Kill senders with -9 in the middle of a campaign, and stop others beyond their lease. Nobody twice, nobody missed.

    python -m benchmarks.kill [--readers 200000] [--kills 25] [--seed N] [--only sqlite|postgres]

Real processes of `newsletter send`; a sink over real HTTP that takes on arrival and answers later; a provider that can
be searched, and one that cannot. Prints a line for each run; ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy import create_engine, insert, text

from benchmarks import postgres, publication, sinking
from newsletter.core.campaign import LETTER
from newsletter.core.consent import State
from newsletter.store import open_store
from newsletter.store.schema import subscriber_topics, subscribers
from newsletter.testing import Reply, Request, Sink, keys_in

SETTINGS = """
name: Harbour Notes
senders:
  us: {name: Harbour Notes, email: notes@harbour.example}
footer: {address: "3 Quay Street, Port Ellen"}
fields: {first_name: friend}
provider: sink
"""


@dataclass(frozen=True)
class Sizes:
    """How many readers in how large batches, how often killed, how slow the sink is; times in seconds.

    `lease`: short, so that what a killed sender held on PostgreSQL is free again soon. `settle`: from a claim until the
    sink may be asked, as a call may be on its way after its sender's death.
    """

    readers: int = 200_000
    batch: int = 100
    kills: int = 25
    slow: float = 0.2
    lease: float = 3.0
    settle: float = 1.0
    patience: float = 400.0  # for a run


@dataclass
class Verdict:
    """What became of a campaign."""

    name: str
    audience: int = 0
    taken: int = 0
    twice: int = 0
    kills: int = 0
    held: int = 0  # uncertain at the end, listed, resolved by hand
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For a person."""
        missed = self.audience - self.taken
        said = (
            f"{self.name:<28}{self.kills:>3} kills {self.taken:>9,} taken {self.twice:>3} twice {missed:>5} not taken"
        )
        return f"{said} {self.held:>6} held {self.seconds:>6.1f} s  {'; '.join(self.broken) or 'ok'}"


# --- a publication with readers --------------------------------------------------------------------------


def fill(url: str, count: int) -> None:
    """A database with so many readers, straight into the tables."""
    open_store(url).close()
    now = datetime.now(UTC)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with closing_engine(engine), engine.begin() as connection:
        for start in range(1, count + 1, 10_000):
            numbers = range(start, min(start + 10_000, count + 1))
            people = [
                {
                    "id": n,
                    "pid": f"{n:016x}",
                    "email": f"reader{n}@harbour.example",
                    "address_hmac": f"{n:032x}",
                    "first_name": f"Ann{n % 300}",
                    "last_name": "",
                    "lang": "en",
                    "state": State.ACTIVE.value,
                    "unsubscribe_token": f"token{n}",
                    "created_at": now,
                    "changed_at": now,
                }
                for n in numbers
            ]
            connection.execute(insert(subscribers), people)
            connection.execute(insert(subscriber_topics), [{"subscriber_id": n, "topic": LETTER} for n in numbers])


@contextmanager
def closing_engine(engine: object) -> Iterator[None]:
    """Give an engine's connections back at the end."""
    try:
        yield
    finally:
        engine.dispose()  # type: ignore[attr-defined]


@dataclass
class House:
    """A publication on a database, with a sink as its provider."""

    folder: Path
    url: str
    sizes: Sizes
    search: bool = True
    chance: random.Random = field(default_factory=random.Random)
    at_work: int = 0  # the process that called last

    def __post_init__(self) -> None:
        publication.write(self.folder)
        (self.folder / "newsletter.yml").write_text(SETTINGS, "utf-8")
        fill(self.url, self.sizes.readers)
        self.said = self.folder / "said"
        self.sink = Sink(keys=self._keys, answer=self._answer, delay=lambda: self.chance.uniform(0, self.sizes.slow))
        own = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
        self.environ = {
            **own,
            "PYTHONPATH": sinking.installed(self.folder / "site"),
            "NEWSLETTER_DATABASE_URL": self.url,
            "NEWSLETTER_BASE_URL": "https://letters.harbour.example",
            "NEWSLETTER_SECRET_KEYS": "a-key-for-killing",
            "NEWSLETTER_SUPPRESSION_KEY": "another-key-for-killing",
            "NEWSLETTER_SINK__BASE_URL": self.sink.url,
            "NEWSLETTER_SINK__SEARCH": str(self.search).lower(),
            "NEWSLETTER_SEND__BATCH_SIZE": str(self.sizes.batch),
            "NEWSLETTER_SEND__LEASE": f"{self.sizes.lease}s",
            "NEWSLETTER_SEND__SETTLE": str(self.sizes.settle),
        }

    def close(self) -> None:
        """Stop the sink."""
        self.sink.close()

    def start(self) -> subprocess.Popen[str]:
        """A sender."""
        with self.said.open("a") as said:
            return self._process(["send", publication.SLUG, "--yes"], said, said)

    def run(self, *arguments: str) -> tuple[int, str]:
        """A command to its end: exit code and stdout."""
        process = self._process([*arguments], subprocess.PIPE, subprocess.DEVNULL)
        out, _ = process.communicate(timeout=60)
        return process.returncode, out

    def _process(self, arguments: Sequence[str], out: IO[str] | int, err: IO[str] | int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "newsletter", "-C", str(self.folder), *arguments]
        return subprocess.Popen(command, env=self.environ, stdout=out, stderr=err, text=True)

    def _keys(self, request: Request) -> Collection[str]:
        self.at_work = int(request.headers.get("x-sender", 0))
        return tuple(keys_in(request)) if request.path == "/send" else ()

    def _answer(self, request: Request, keys: Collection[str]) -> Reply:
        if request.path == "/search":
            asked = json.loads(request.body)
            return Reply(body=json.dumps([key for key in asked if self.sink.has(key)]).encode())
        return Reply(body=json.dumps({"taken": len(keys)}).encode())


# --- what is done to it ----------------------------------------------------------------------------------


def killed(house: House, name: str, *, senders: int) -> Verdict:
    """Kill senders at random moments of a campaign, start others, and let it end."""
    begun, verdict = time.monotonic(), Verdict(name, audience=house.sizes.readers)
    part = house.sizes.readers / (house.sizes.kills + 1)
    moments = [part * (n + house.chance.random()) for n in range(house.sizes.kills)]
    alive = [house.start() for _ in range(senders)]
    due = [time.monotonic() + _PAUSE] * senders
    ended = False
    while not ended and time.monotonic() - begun < house.sizes.patience:
        if moments and house.sink.count >= moments[0] and (victim := _victim(house, alive)):
            moments.pop(0)
            time.sleep(house.chance.uniform(0, 0.05))
            victim.kill()
            verdict.kills += victim.wait() == -signal.SIGKILL
        for place, one in enumerate(alive):
            code = one.poll()
            ended = ended or code in _ENDED
            if code is not None and time.monotonic() > due[place]:  # killed, or 75: another is at work, or work is left
                alive[place], due[place] = house.start(), time.monotonic() + _PAUSE
        time.sleep(0.002)
    for one in alive:
        one.terminate()
        one.wait()
    if not ended:
        verdict.broken.append(f"not finished after {house.sizes.patience:.0f} s")
    if moments:
        verdict.broken.append(f"{len(moments)} kills came too late")
    return _judged(house, verdict, begun)


_ENDED = {0, 1, 3}
"""Finished; held for a person; finished by another."""

_PAUSE = 2.0
"""Seconds from a start to the next in its place: who finds another at work has nothing to do yet."""


def _victim(house: House, alive: Sequence[subprocess.Popen[str]]) -> subprocess.Popen[str] | None:
    """Whoever is at work, most of the time; None when nobody is alive just now."""
    living = [one for one in alive if one.poll() is None]
    working = [one for one in living if one.pid == house.at_work]
    rather = working if working and house.chance.random() < 0.8 else living  # noqa: PLR2004
    return house.chance.choice(rather) if rather else None


def stopped(house: House, name: str, *, lose_connection: Callable[[], None] | None = None) -> Verdict:
    """Stop a sender beyond its lease while another runs, then let it go on.

    In: `lose_connection` takes the stopped one's right to send away (PostgreSQL), so that the other may begin.
    """
    begun, verdict = time.monotonic(), Verdict(name, audience=house.sizes.readers)
    first = house.start()
    _until(lambda: house.sink.count > house.sizes.readers * house.chance.uniform(0.05, 0.3), first)
    first.send_signal(signal.SIGSTOP)
    if lose_connection:
        lose_connection()
    until = time.monotonic() + house.sizes.lease + house.sizes.settle
    other, codes = house.start(), []
    while time.monotonic() < until or (lose_connection and other.poll() not in {0, 3}):
        if (code := other.poll()) is not None:
            codes.append(code)
            other = house.start() if code not in {0, 3} else other
        if time.monotonic() - begun > house.sizes.patience:
            break
        time.sleep(0.3)
    first.send_signal(signal.SIGCONT)
    for one in (other, first):
        one.wait(timeout=house.sizes.patience)
    for _ in range(20):  # the runs may have ended with work left
        code, _out = house.run("send", publication.SLUG, "--yes")
        if code in {0, 3}:
            break
        time.sleep(house.sizes.settle / 2)
    return _judged(house, verdict, begun)


def _until(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not reached():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit("the sender ended before it could be stopped")
        time.sleep(0.002)


# --- what became of it -----------------------------------------------------------------------------------


def _judged(house: House, verdict: Verdict, begun: float) -> Verdict:
    code, out = house.run("status", publication.SLUG, "--json")
    if code:
        last = house.said.read_text("utf-8").strip().splitlines()[-1:]
        verdict.broken.append(f"newsletter status ended with {code}; the senders' last line: {last}")
        return verdict
    counts = json.loads(out)
    numbers = {one: counts[one] for one in ("submitted", "suppressed", "failed", "uncertain", "pending")}
    missing = house.sizes.readers - house.sink.count
    if counts["audience"] != house.sizes.readers or sum(numbers.values()) != counts["audience"]:
        verdict.broken.append(f"the counts do not add up: {numbers}")
    if house.search and (numbers["submitted"] != house.sizes.readers or missing):
        verdict.broken.append(f"not everybody: {missing} not taken, {numbers}")
    if missing > numbers["uncertain"]:
        verdict.broken.append(f"{missing} not taken, but {numbers['uncertain']} uncertain")
    verdict.held = numbers["uncertain"]
    if verdict.held:
        verdict.broken += _by_hand(house)
    verdict.taken, verdict.twice = house.sink.count, len(house.sink.twice)
    if verdict.twice:
        verdict.broken.append(f"{verdict.twice} TWICE")
    verdict.seconds = time.monotonic() - begun
    return verdict


def _by_hand(house: House) -> list[str]:
    """A person says of the held ones that they were sent; nothing goes out by that."""
    before = house.sink.count
    code, _ = house.run("resolve", publication.SLUG, "--as", "submitted")
    again, _ = house.run("send", publication.SLUG, "--yes")
    found = [] if (code, again) == (0, 3) else [f"resolve ended with {code}, send again with {again}"]
    return found + (["something was sent by resolving"] if house.sink.count != before else [])


# --- all of it -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Database:
    """Where runs take place: a fresh database for each; how many senders; how a sender loses its connections."""

    name: str
    fresh: Callable[[Path], AbstractContextManager[str]]
    senders: int
    cut: Callable[[str], Callable[[], None]] | None = None


def sqlite() -> Database:
    """A file for each run."""
    return Database("sqlite", lambda folder: nullcontext(f"sqlite:///{folder / 'newsletter.db'}"), senders=1)


def on_server(url: str) -> Database:
    """A database for each run on a PostgreSQL server. In: the address of its maintenance database."""

    @contextmanager
    def fresh(_folder: Path) -> Iterator[str]:
        name = f"killed_{secrets.token_hex(8)}"
        _administer(url, f"CREATE DATABASE {name}")
        head, _, tail = url.partition("?")
        try:
            yield f"{head.rpartition('/')[0]}/{name}" + (f"?{tail}" if tail else "")
        finally:
            _administer(url, f"DROP DATABASE {name} WITH (FORCE)")

    def cut(own: str) -> Callable[[], None]:
        name = own.partition("?")[0].rpartition("/")[2]
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        return lambda: _administer(url, ended)

    return Database("postgres", fresh, senders=2, cut=cut)


def _administer(url: str, statement: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with closing_engine(engine), engine.connect() as connection:
        connection.execute(text(statement))


WORKS = ("search", "no search", "stopped")
"""Killed under a provider that can be searched; under one that cannot; stopped beyond the lease."""


def run(database: Database, work: str, sizes: Sizes, folder: Path, seed: int) -> Verdict:
    """One campaign on a fresh database. In: an empty folder, one of `WORKS`."""
    name = f"{database.name}, {work}"
    chance = random.Random(f"{seed} {name}")  # the same moments again
    if work == "stopped":
        sizes = replace(sizes, readers=min(sizes.readers, 20_000))  # enough to be in the middle of it
    with (
        database.fresh(folder) as url,
        closing(House(folder, url, sizes, search=work != "no search", chance=chance)) as house,
    ):
        if work == "stopped":
            return stopped(house, name, lose_connection=database.cut(url) if database.cut else None)
        return killed(house, name, senders=database.senders)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it. Out: 1 when a promise was broken."""
    parser = argparse.ArgumentParser("python -m benchmarks.kill", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--readers", type=int, default=Sizes.readers)
    parser.add_argument("--kills", type=int, default=Sizes.kills)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    asked = parser.parse_args(arguments)
    sizes = Sizes(readers=asked.readers, kills=asked.kills)
    print(f"seed {asked.seed}: {sizes.readers:,} readers, {sizes.batch} a call")
    broken = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-")))
        databases = [sqlite()] if asked.only != "postgres" else []
        server = stack.enter_context(postgres.server()) if asked.only != "sqlite" else None
        databases += [on_server(server.url)] if server else []
        for database, work in itertools.product(databases, WORKS):
            place = folder / f"{database.name}-{work.replace(' ', '-')}"
            place.mkdir()
            verdict = run(database, work, sizes, place, asked.seed)
            print(verdict.line(), flush=True)
            broken = broken or bool(verdict.broken)
    if asked.only != "sqlite" and server is None:
        print("no PostgreSQL here: only SQLite was tried")
    print("BROKEN" if broken else "nobody twice, nobody missed")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
