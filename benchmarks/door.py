"""The front door: signups from many addresses over sixteen connections, beside the least a server could do.

The floor is a bare FastAPI handler that reads the same form and makes one durable commit. Both servers are
processes of their own, and so is the load: on two cores the rates are those of half a machine. The ratio
compares the servers' processor time alone; ours holds the confirmation mails written meanwhile.
"""

from __future__ import annotations

import http.client
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import cpu
from benchmarks.figure import Figure, figure

CONNECTIONS = 16
_WARM = 50
_PROXY = "127.0.0.1"


@dataclass(frozen=True)
class Load:
    """What some signups took: processor seconds of the server each, how many a second, the slow ones."""

    cpu_s: float
    per_s: float
    p99_ms: float


def measure(folder: Path, count: int) -> Iterator[Figure]:
    """In: an empty folder, how many signups."""
    bare, ours = (_loaded(server, folder / server, count) for server in ("bare", "site"))
    yield figure("signup_ratio", ours.cpu_s / bare.cpu_s)
    yield figure("signup_per_s", ours.per_s, bare.per_s)
    yield figure("signup_p99_ms", ours.p99_ms, bare.p99_ms)


def _loaded(server: str, folder: Path, count: int) -> Load:
    folder.mkdir(parents=True, exist_ok=True)
    with _serving(server, folder) as (pid, port):
        _send(port, range(_WARM))
        before, begun = cpu.of_process(pid), time.perf_counter()
        times = _send(port, range(_WARM, _WARM + count))
        wall = time.perf_counter() - begun
        used = cpu.of_process(pid) - before
    return Load(used / count, count / wall, sorted(times)[int(len(times) * 0.99)] * 1e3)


@contextmanager
def _serving(module: str, folder: Path) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", f"benchmarks.{module}", str(folder)]
    with subprocess.Popen(command, cwd=cpu.ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            said = server.stdout.readline()
            yield server.pid, int(said.rpartition(":")[2].split()[0])
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _send(port: int, numbers: range) -> list[float]:
    """Each number signs up once; how long each took, in seconds."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)
    times: list[float] = []
    threads = [threading.Thread(target=_visitor, args=(port, waiting, times)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(times) != len(numbers):
        raise RuntimeError(f"{len(numbers) - len(times)} of {len(numbers)} signups were not answered with 200")
    return times


def _visitor(port: int, waiting: queue.SimpleQueue[int], times: list[float]) -> None:
    """One connection of the proxy: takes the next visitor as long as there are any."""
    with closing(http.client.HTTPConnection(_PROXY, port, timeout=30)) as connection:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            body = urlencode({"email": f"reader{number}@mail{number % 8}.example", "letter": "on"})
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            }
            begun = time.perf_counter()
            connection.request("POST", "/subscribe", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                return
            times.append(time.perf_counter() - begun)
