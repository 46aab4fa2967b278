"""`serve` and `tick`: the web side, and one pass of everything that is due."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
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
    from newsletter.web.serve import serve as serve_

    with here.open() as app:
        serve_(app.desk, host, port, trusted_proxies=app.settings.trusted_proxies)


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
