"""Run the web side on an address of this machine."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from functools import partial

import uvicorn

from newsletter.errors import ConfigurationError
from newsletter.flows.desk import Desk
from newsletter.web.site import site

_LAST_PORT = 65535
_WAITING = 2048  # connections not yet taken
_HEAD = 16 * 1024  # bytes of a head without an end; a whole one is judged by `limit.py`
_GRACE = 10  # seconds a stopping server gives to requests in hand


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
        site(desk, tick_seconds=tick_seconds),
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        access_log=False,
        log_config=None,  # whoever runs it says how (cli/logs.py)
        server_header=False,
        log_level="warning",
        http="h11",
        h11_max_incomplete_event_size=_HEAD,
        timeout_graceful_shutdown=_GRACE,
    )


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
