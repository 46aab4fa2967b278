"""`newsletter db`: the database's shape."""

from __future__ import annotations

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here

group = typer.Typer(help="The database.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="db")


@group.callback()
def _group() -> None:
    """The database."""


@group.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version's shape."""
    here: Here = context.obj
    from newsletter.app import database_url
    from newsletter.store.dialect import engines
    from newsletter.store.store import SqlStore

    store = SqlStore(*engines(database_url(here.settings(), here.root), threads=1))
    try:
        before, after = store.upgrade()
    finally:
        store.close()
    terminal.say(f"already at {after}." if before == after else f"from {before or 'empty'} to {after}.")
