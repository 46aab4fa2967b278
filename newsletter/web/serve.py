"""Run the web side on an address of this machine."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from newsletter.errors import ConfigurationError
from newsletter.flows.desk import Desk
from newsletter.web import traces
from newsletter.web.limit import PATIENCE
from newsletter.web.site import site

_LAST_PORT = 65535
_WAITING = 2048  # connections not yet taken
_HEAD = 16 * 1024  # bytes of a head without an end; a whole one is judged by `limit.py`
_GRACE = 10  # seconds a stopping server gives to requests in hand


_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Patient(H11Protocol):
    """Closes a connection whose head is not whole in time, however steadily it drips; bodies are `limit.py`'s.

    uvicorn itself waits for ever, but for the pause between two requests. A head that has begun is answered by 408
    (RFC 9110, 15.5.9).
    """

    patience = PATIENCE
    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on waiting, from its first byte on, while a head is not whole."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._settle()
        elif self._waits is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._settle()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waits = self.loop.call_later(self.patience, self._close)

    def _settle(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _close(self) -> None:
        if self.conn.trailing_data[0]:
            self.transport.write(_LATE)
        self.transport.close()


_say = partial(print, flush=True)  # also when a journal reads it


def serve(
    desk: Desk,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    trusted_proxies: Sequence[str] = (),
    tick_seconds: float = 1.0,
    say: Callable[[str], None] = _say,
) -> None:
    """Serve until stopped (SIGINT, SIGTERM).

    In: the desk; where to listen (port 0 = any that is free); the addresses of proxies whose
    `X-Forwarded-For` is believed. Says its address once. There is no access log: paths hold people's keys.
    Raises: ConfigurationError when it cannot listen there.
    """
    listening = listen(host, port)
    with listening:
        name, number = listening.getsockname()[:2]
        where = f"[{name}]" if ":" in name else name
        say(f"Serving {desk.publication.name} at http://{where}:{number} (Ctrl-C stops it)")
        uvicorn.Server(config(desk, trusted_proxies, tick_seconds)).run(sockets=[listening])


def config(desk: Desk, trusted_proxies: Sequence[str] = (), tick_seconds: float = 1.0) -> uvicorn.Config:
    """How uvicorn runs the site. `*` is refused: it would believe whatever a client says of itself."""
    if "*" in trusted_proxies:
        raise ConfigurationError(
            'A trusted proxy cannot be "*": then any visitor could claim any address.',
            "List the addresses of your proxies, for example 127.0.0.1.",
        )
    return uvicorn.Config(
        _traced(site(desk, tick_seconds=tick_seconds)),
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        access_log=False,
        log_config=None,  # whoever runs it says how (cli/logs.py)
        server_header=False,
        log_level="warning",
        http=Patient,
        h11_max_incomplete_event_size=_HEAD,
        timeout_graceful_shutdown=_GRACE,
    )


def _traced(app: ASGIApp) -> ASGIApp:
    made = traces.tracer(os.environ)  # OpenTelemetry's own variables, which it reads there itself
    return app if made is None else traces.Traced(app, made)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises: ConfigurationError, saying what to do."""
    if not 0 <= port <= _LAST_PORT:
        raise ConfigurationError(f"{port} is no port.", f"Choose one from 1 to {_LAST_PORT}.")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise ConfigurationError(
            f'"{host}" is no address of this machine.', "Use 127.0.0.1, or 0.0.0.0 for all."
        ) from None
    # With the protocol named, asyncio turns Nagle's algorithm off; else every answer waits 40 ms for an ACK.
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for old ones
        listening.bind(where)
        listening.listen(_WAITING)
    except OSError as problem:
        listening.close()
        raise _refused(problem, host, port) from None
    return listening


def _refused(problem: OSError, host: str, port: int) -> ConfigurationError:
    if problem.errno == errno.EADDRINUSE:
        todo = f"Stop the program that uses it, or choose another: newsletter serve --port {port + 1}"
        return ConfigurationError(f"Port {port} is in use already.", todo)
    if problem.errno == errno.EACCES:
        return ConfigurationError(f"Port {port} is not ours to take.", "Choose one above 1023, behind a proxy.")
    return ConfigurationError(
        f"Cannot listen at {host}:{port}: {problem.strerror}.", "Choose another --host or --port."
    )
