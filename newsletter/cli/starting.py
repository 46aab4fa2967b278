"""`init`: another publication, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its folder; made when it is not there.")],
) -> None:
    """Begin a publication in a folder.

    It asks nothing, and never changes a file that is there. What is written can be checked, shown and sent at once,
    to an outbox in the folder itself.
    """
    here: Here = context.obj
    from datetime import UTC, datetime

    from newsletter.flows import starter

    root = here.root / folder
    begun = starter.start(root, today=datetime.now(UTC).date())
    for name in begun.written:
        terminal.say(f"{folder / name}")
    for name in begun.kept:
        terminal.say(f"{folder / name}  (was there; left as it is)")
    terminal.say(f"\nNow:\n    cd {folder}\n    newsletter check\n    newsletter demo\n    newsletter preview")
