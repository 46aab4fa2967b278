"""`init`: another publication, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here

if TYPE_CHECKING:
    from newsletter.flows.starter import Begun


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its folder; made when it is not there.")],
    admin: Annotated[bool, typer.Option("--admin", help="An editor for the browser too; later on, alone.")] = False,
) -> None:
    """Begin a publication in a folder.

    It asks nothing, and never changes a file that is there. What is written can be checked, shown and sent at once,
    to an outbox in the folder itself. With --admin where a publication is: its editor, made anew.
    """
    here: Here = context.obj
    from datetime import UTC, datetime

    from newsletter.flows import starter
    from newsletter.settings import load

    root = here.root / folder
    there = (root / starter.SETTINGS).exists()
    if not (there and admin):
        _show(starter.start(root, today=datetime.now(UTC).date()), folder)
    if admin:
        _show(starter.editor(root, load(root, here.environ).publication()), folder)
        terminal.say("\nThe editor is a page for https: admin/README.md says what it needs.")
    if not there:
        terminal.say(f"\nNow:\n    cd {folder}\n    newsletter check\n    newsletter demo\n    newsletter preview")


def _show(begun: Begun, folder: Path) -> None:
    for name in begun.written:
        terminal.say(f"{folder / name}")
    for name in begun.kept:
        terminal.say(f"{folder / name}  (was there; left as it is)")
