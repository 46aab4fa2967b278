"""The front door: signups from many addresses over sixteen connections, beside the least a server could do.

The floor is a bare FastAPI handler that reads the same form and makes one durable commit. Both servers are
processes of their own, and so is the load: on two cores the rates are those of half a machine. The ratio
compares the servers' processor time alone; ours holds the confirmation mails written meanwhile.
"""

from __future__ import annotations

import itertools
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    """Each number signs up once; how long each took, in seconds.

    All connections share a thread and speak no more HTTP than they must: whoever asks takes little from who answers.
    """
    waiting, times = iter(numbers), list[float]()
    with ExitStack() as open_, selectors.DefaultSelector() as ready:
        for number in itertools.islice(waiting, CONNECTIONS):
            connection = open_.enter_context(socket.create_connection((_PROXY, port), timeout=30))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(connection, selectors.EVENT_READ, _Visitor(connection, number))
        while ready.get_map():
            for key, _ in ready.select(30):
                visitor: _Visitor = key.data
                if not visitor.heard():
                    continue
                times.append(visitor.took)
                if (number := next(waiting, -1)) < 0:
                    ready.unregister(visitor.connection)
                else:
                    visitor.ask(number)
    return times


class _Visitor:
    """One connection of the proxy: a visitor asks, then the next."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.ask(number)

    def ask(self, number: int) -> None:
        body = urlencode({"email": f"reader{number}@mail{number % 8}.example", "letter": "on"})
        head = (
            f"POST /subscribe HTTP/1.1\r\nHost: {_PROXY}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"X-Forwarded-For: 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\r\n\r\n"
        )
        self._answer, self._begun = b"", time.perf_counter()
        self.connection.sendall((head + body).encode())

    def heard(self) -> bool:
        """Whether the answer is here, whole. Raises: RuntimeError for one that is not 200, or breaks off."""
        part = self.connection.recv(1 << 16)
        self._answer += part
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not part or (end and not head.startswith(b"HTTP/1.1 200 ")):
            raise RuntimeError(f"a signup was not answered with 200 but {head[:40]!r}")
        length = _LENGTH.search(head)
        self.took = time.perf_counter() - self._begun
        return bool(end and length) and len(body) >= int(length[1])


_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
