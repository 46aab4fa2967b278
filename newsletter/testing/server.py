"""The other side over real HTTP, on this machine: it answers as told, and fails as scripted.

    Server(answer)      every request goes to a function; connections are kept, one thread for each
    server.then(...)    the next requests that send something meet these, one each
    Sink(...)           takes everything, and remembers for whom

HTTP/1.1 (RFC 9112) as far as clients with a Content-Length need it. For tests: it trusts whoever calls.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import socketserver
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from newsletter.testing import record as records
from newsletter.testing.script import Accept, CutAfter, CutBefore, Die, Garbage, Sleep


@dataclass(frozen=True)
class Request:
    """A request as it came. `path` is decoded and without its query; names of headers are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    target: str = ""  # path and query as they stood on the line

    @property
    def params(self) -> dict[str, str]:
        """The query by name; of a name that is there twice, the last."""
        return dict(self.query)


@dataclass(frozen=True)
class Reply:
    """What to answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = Accept | CutBefore | CutAfter | Garbage | Die | Sleep | Reply
"""What may stand in a server's script. A `Reply` is given instead of asking the function: nothing was taken."""

_GARBAGE = Reply(200, b"\x00<html>It works!</html>", {"Content-Type": "text/html"})


class Server:
    """Answers on a free port of 127.0.0.1 until closed.

    In: `answer`, called in many threads at once; `sends`, the methods a script's faults are meant for (others ask,
    and are answered). `url` is its address.
    """

    def __init__(
        self, answer: Callable[[Request], Reply], *, sends: Collection[str] = ("POST",), port: int = 0
    ) -> None:
        self.answer = answer
        self.sends = sends
        self._faults: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._tcp = _Tcp(("127.0.0.1", port), _Handler)
        self._tcp.owner = self
        self.url = f"http://127.0.0.1:{self._tcp.server_address[1]}"
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.02,), name="server", daemon=True)
        self._thread.start()

    def then(self, *faults: Fault) -> None:
        """Add to the script: each request that sends takes the next fault, with every `Sleep` before it."""
        with self._lock:
            self._faults.extend(faults)

    @property
    def waiting(self) -> int:
        """How many faults of the script nobody has met yet."""
        with self._lock:
            return len(self._faults)

    def close(self) -> None:
        """Stop, and cut every connection."""
        self._tcp.shutdown()
        self._tcp.cut()
        self._tcp.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def next_fault(self, method: str) -> tuple[Fault, float]:
        """The fault a request with this method meets, and how many seconds it waits first."""
        pause = 0.0
        if method not in self.sends:
            return Accept(), pause
        with self._lock:
            while self._faults:
                fault = self._faults.popleft()
                if not isinstance(fault, Sleep):
                    return fault, pause
                pause += fault.seconds
        return Accept(), pause


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = True
    owner: Server

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._held = threading.Lock()
        super().__init__(address, handler)

    def keep(self, connection: socket.socket) -> None:
        with self._held:
            self._open.add(connection)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        with self._held:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        with self._held:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Cut(Exception):
    """The connection is to be cut now."""


class _Handler(socketserver.StreamRequestHandler):
    rbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: _Tcp

    def handle(self) -> None:
        self.server.keep(self.request)
        with contextlib.suppress(OSError, _Cut):
            while self._one():
                pass

    def _one(self) -> bool:
        """One request and its answer. False: they have gone."""
        owner = self.server.owner
        head = _head(self.rfile)
        if head is None:
            return False
        method, target, headers = head
        fault, pause = owner.next_fault(method)
        if isinstance(fault, CutBefore):
            self._cut()
        length = int(headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # they went away in the middle of it: that is no request
            return False
        request = _request(method, target, headers, body)
        if pause:
            time.sleep(pause)
        self._send(self._reply(request, fault))
        return headers.get("connection", "").lower() != "close"

    def _reply(self, request: Request, fault: Fault) -> Reply:
        answer = self.server.owner.answer
        match fault:
            case Reply():
                return fault
            case Garbage(taken):
                if taken:
                    answer(request)
                return _GARBAGE
            case Die(taken, code):
                if taken:
                    answer(request)
                os._exit(code)
            case CutAfter():
                answer(request)
                self._cut()
        return answer(request)

    def _send(self, reply: Reply) -> None:
        phrase = HTTPStatus(reply.status).phrase if reply.status in _KNOWN else ""
        lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Content-Length: {len(reply.body)}"]
        if not any(name.lower() == "content-type" for name in reply.headers):
            lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        self.request.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)

    def _cut(self) -> None:
        """Reset, so that nothing that waits in a buffer arrives after all."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Cut


_KNOWN = {status.value for status in HTTPStatus}


def _head(file: BufferedIOBase) -> tuple[str, str, dict[str, str]] | None:
    line = file.readline()
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split()
    headers: dict[str, str] = {}
    while (line := file.readline()) not in {b"\r\n", b"\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return method, target, headers


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    parts = urlsplit(target)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers, body, target)


# --- takes everything --------------------------------------------------------------------------------

_KEY = re.compile(rb"\b(?:[0-9a-f]{16}|[0-9a-f]{22})-(?:[0-9a-f]{16}|[0-9a-f]{22})\b")


def keys_in(request: Request) -> Iterable[str]:
    """The delivery keys that a request's body holds, each once, in order (`core.campaign.delivery_key`)."""
    return dict.fromkeys(found.decode() for found in _KEY.findall(request.body))


class Sink(Server):
    """Takes everything, and remembers for whom.

    In: `keys`, who a request was for; `answer`, what to say then; `record`, a file that another process may read
    (`newsletter.testing.record.read`); `delay`, seconds for each answer, as a far provider takes. What was taken is
    written down before it is answered.
    """

    def __init__(
        self,
        *,
        keys: Callable[[Request], Iterable[str]] = keys_in,
        answer: Callable[[Request, Collection[str]], Reply] = lambda _request, _keys: Reply(body=b"{}"),
        record: Path | None = None,
        delay: Callable[[], float] = lambda: 0.0,
        port: int = 0,
    ) -> None:
        self._keys, self._say, self._record, self._delay = keys, answer, record, delay
        self._taken = records.read(record) if record else Counter()
        self._counting = threading.Lock()
        super().__init__(self._take, port=port)

    @property
    def taken(self) -> Counter[str]:
        """How often each delivery key was taken."""
        with self._counting:
            return Counter(self._taken)

    @property
    def count(self) -> int:
        """How many different keys were taken."""
        with self._counting:
            return len(self._taken)

    @property
    def twice(self) -> list[str]:
        """Keys that were taken more than once: promise 1 says none."""
        return [key for key, times in self.taken.items() if times > 1]

    def has(self, key: str) -> bool:
        """Whether a key was taken."""
        with self._counting:
            return key in self._taken

    def _take(self, request: Request) -> Reply:
        keys = tuple(self._keys(request)) if request.method in self.sends else ()
        if keys:
            with self._counting:
                self._taken.update(keys)
            if self._record:
                records.add(self._record, keys)
            if wait := self._delay():
                time.sleep(wait)
        return self._say(request, keys)
