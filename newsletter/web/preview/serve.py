"""Run the preview at 127.0.0.1, and nowhere else."""

from __future__ import annotations

import contextlib
import socket
import webbrowser
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import uvicorn

from newsletter.errors import ConfigurationError
from newsletter.web.preview.room import Room
from newsletter.web.preview.site import site
from newsletter.web.preview.watch import Bell
from newsletter.web.serve import listen

HOST = "127.0.0.1"
"""Drafts are nobody else's business: there is no setting for this."""

_say = partial(print, flush=True)


def serve(
    root: Path,
    environ: Mapping[str, str],
    *,
    issue: str = "",
    system: bool = False,
    port: int = 8010,
    browse: bool = True,
    say: Callable[[str], None] = _say,
) -> None:
    """Serve until stopped (SIGINT, SIGTERM).

    In: the publication's folder and environment; the issue to begin with, by path or slug; whether to begin
    with the program's own mails and pages; the port (0 = any that is free); whether to open a browser.
    Raises: NotFound, SettingsError; ConfigurationError when it cannot listen there.
    """
    room = Room(root, environ)
    path = "/system" if system else f"/issue/{room.invite(issue)}" if issue else "/"
    with _listening(port) as at:
        url = f"http://{HOST}:{at.getsockname()[1]}{path}"
        say(f"The preview is at {url} (Ctrl-C stops it)")
        if browse:
            webbrowser.open(url)
        with contextlib.suppress(KeyboardInterrupt):  # the usual end of it
            server(room, at.getsockname()[1]).run(sockets=[at])


def _listening(port: int) -> socket.socket:
    try:
        return listen(HOST, port)
    except ConfigurationError as problem:
        raise ConfigurationError(problem.what, problem.todo.replace("newsletter serve", "newsletter preview")) from None


def server(room: Room, port: int) -> Server:
    """A server for a room, that knows the port it is asked at."""
    bell = Bell()
    config = uvicorn.Config(
        site(room, bell, port=port),
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    return Server(config, bell)


class Server(uvicorn.Server):
    """A server whose open streams end when it is asked to stop."""

    def __init__(self, config: uvicorn.Config, bell: Bell) -> None:
        super().__init__(config)
        self._bell = bell

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first, or they would be waited for."""
        self._bell.close()
        await super().shutdown(sockets)
