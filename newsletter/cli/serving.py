"""`serve`, `worker` and `tick`: the web side, what is due without it, and one pass of that."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here

_EVERY = 1.0  # seconds between looks


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(worker)
    app.command()(tick)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="H", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="The port; 0 = any free one.")] = 8000,
) -> None:
    """Run the web side.

    Signup, confirm, download, leave, archive; it also sends the mail that waits.
    """
    here: Here = context.obj
    from newsletter.cli import logs
    from newsletter.web.serve import serve as serve_

    logs.begin()
    with here.open() as app:
        serve_(app.desk, host, port, trusted_proxies=app.settings.trusted_proxies)


def worker(context: typer.Context) -> None:
    """Do everything that is due, until stopped, without the web side.

    For a database that the web side shares with other machines (PostgreSQL); `serve` does the same beside its pages.
    """
    here: Here = context.obj
    from newsletter.cli import logs
    from newsletter.cli.stopping import Stop
    from newsletter.web.lanes import everything

    logs.begin()
    with here.open() as app:
        stop, lanes = Stop(), everything(app.desk, _EVERY)
        lanes.start()
        terminal.say(f"Working for {app.desk.publication.name} (Ctrl-C stops it)")
        stop.wait()
        lanes.stop()
        stop.returned = True


def tick(context: typer.Context) -> None:
    """Do everything that is due, once."""
    here: Here = context.obj
    from newsletter.cli.stopping import Stop
    from newsletter.flows import due
    from newsletter.flows.tick import tick as tick_

    with here.open() as app:
        done = tick_(app.desk)
        gone = due.go(app.desk, stop=Stop())
    terminal.say(f"{terminal.counted(done.mails, 'mail')} sent.")
    for key in gone:
        terminal.say(f"{key} went on.")
