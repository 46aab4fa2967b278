"""The front door while a campaign goes out from the same database: who signs up is answered, who leaves has left.

A campaign of one call a reader runs in a process of its own, the web side in another, and visitors come at a steady
pace, and so does what the provider tells of each mail. How long a confirmation takes is read from the mail queue: from
the signup to the provider's answer. What an event costs the web side is measured after it, at full speed.
"""

from __future__ import annotations

import http.client
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benchmarks import cpu, publication, telling
from benchmarks.figure import Figure, figure

_PACE = 0.05  # seconds between two visitors
_SIGNUP_EACH = 4  # visitors, of whom one signs up and the others leave
_PATIENCE = 60.0  # seconds for the mail queue to be empty afterwards, and for events to be read
_ARRAY = 10  # events in a request
_EVENTS = 1000.0  # a second, while the campaign goes out


def measure(folder: Path, count: int) -> Iterator[Figure]:
    """In: a folder that is not there, how many readers the campaign has."""
    publication.write(folder)
    publication.people(folder / "people.csv", count)
    telling.write_keys(folder)
    database = folder / telling.DATABASE
    url = f"sqlite:///{database}"
    cpu.child("benchmarks.press", "import", str(folder), url, str(count))
    with cpu.serving("benchmarks.sink") as sink, _site(folder) as (site, pid):
        command = [sys.executable, "-m", "benchmarks.press", "campaign", str(folder), url, "single", sink]
        with (
            subprocess.Popen(command, cwd=cpu.ROOT, stdout=subprocess.DEVNULL) as campaign,
            _telling(folder, site, count, pace=_EVENTS) as told,
        ):
            times = list(_visits(site, _leavers(database), campaign))
        waited = _confirmations(database)
        _heard(database, "delivered", count)
        if told.returncode:
            raise RuntimeError("not every event was taken")
        arrays, alone = (_told(folder, site, pid, *how) for how in ((count, _ARRAY), (count // 4, 1)))
    yield figure("confirm_p99_s_during_campaign", _p99(waited))
    yield figure("one_click_p99_ms_during_campaign", _p99(times) * 1e3)
    yield figure("webhook_events_per_s", arrays)
    yield figure("webhook_requests_per_s", alone)


@contextmanager
def _site(folder: Path) -> Iterator[tuple[str, int]]:
    """The web side, in a process of its own: its address and its id."""
    command = [sys.executable, "-m", "benchmarks.site", str(folder)]
    with subprocess.Popen(command, cwd=cpu.ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield "http://" + server.stdout.readline().rpartition("http://")[2].split()[0], server.pid
        finally:
            server.terminate()
            server.wait(30)


def _telling(
    folder: Path, site: str, count: int, *, size: int = _ARRAY, pace: float = 0, kind: str = "delivered"
) -> subprocess.Popen[bytes]:
    """A provider that tells of the campaign, in a process of its own."""
    how = [str(folder), site, str(count), str(size), str(pace), kind]
    return subprocess.Popen([sys.executable, "-m", "benchmarks.telling", *how], cwd=cpu.ROOT)


def _told(folder: Path, site: str, pid: int, count: int, size: int) -> float:
    """Events a second of one processor, from the request to its last trace: taken, kept, answered, read, obeyed."""
    kind, before = ("open" if size == 1 else "click"), cpu.of_process(pid)
    with _telling(folder, site, count, size=size, kind=kind):
        pass
    _heard(folder / telling.DATABASE, {"open": "opened", "click": "clicked"}[kind], count)
    return count / (cpu.of_process(pid) - before)


def _heard(database: Path, kind: str, count: int) -> None:
    """Wait until all is read. Raises: RuntimeError when there is not one event of a kind for each reader."""
    end = time.monotonic() + _PATIENCE
    with closing(sqlite3.connect(database)) as there:
        while there.execute("SELECT count(*) FROM webhooks WHERE processed_at IS NULL").fetchone()[0]:
            if time.monotonic() > end:
                raise RuntimeError("events still wait")
            time.sleep(0.1)
        found = there.execute("SELECT count(*) FROM events WHERE type = ?", [kind]).fetchone()[0]
    if found != count:
        raise RuntimeError(f"{found} events of {count} were read")


def _leavers(database: Path) -> list[str]:
    """Credentials of the readers whose turn comes last."""
    with closing(sqlite3.connect(database)) as there:
        return [row[0] for row in there.execute("SELECT unsubscribe_token FROM subscribers ORDER BY id DESC")]


def _visits(site: str, tokens: Sequence[str], campaign: subprocess.Popen[bytes]) -> Iterator[float]:
    """Visitors until the campaign is over; how long each one-click took, in seconds."""
    with closing(http.client.HTTPConnection(urlsplit(site).netloc, timeout=60)) as connection:
        for number, token in enumerate(tokens):
            if number > _SIGNUP_EACH and campaign.poll() is not None:
                return
            begun = time.perf_counter()
            if number % _SIGNUP_EACH:
                _post(connection, f"/unsubscribe/{token}", {"List-Unsubscribe": "One-Click"}, number)
                yield time.perf_counter() - begun
            else:
                _post(connection, "/subscribe", {"email": f"new{number}@mail1.example", "letter": "on"}, number)
            time.sleep(max(0.0, begun + _PACE - time.perf_counter()))


def _post(connection: http.client.HTTPConnection, path: str, form: dict[str, str], number: int) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
    }
    connection.request("POST", path, urlencode(form), headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path.split('/')[1]} was answered with {answer.status}")


def _confirmations(database: Path) -> list[float]:
    """Seconds each confirmation took, once none waits any more."""
    end = time.monotonic() + _PATIENCE
    with closing(sqlite3.connect(database)) as there:
        while there.execute("SELECT count(*) FROM mail_queue WHERE done_at IS NULL").fetchone()[0]:
            if time.monotonic() > end:
                raise RuntimeError("confirmations still wait")
            time.sleep(0.1)
        found = there.execute("SELECT (done_at - created_at) / 1000.0 FROM mail_queue WHERE kind = 'confirm'")
        return [row[0] for row in found]


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
