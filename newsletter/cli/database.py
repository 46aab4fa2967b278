"""`newsletter db`: the database's shape, its copies, and the way back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.cli.sending import Json

if TYPE_CHECKING:
    from newsletter.core.backup import Manifest
    from newsletter.flows.recover import Accepted, Recovered

group = typer.Typer(help="The database, its copies, the way back.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="db")


@group.callback()
def _group() -> None:
    """The database, its copies, the way back."""


@group.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version's shape; a copy is made and looked through first."""
    here: Here = context.obj
    from newsletter.app import bare_store
    from newsletter.cli import copies

    with closing(bare_store(here.settings(), here.root)) as store:
        kept = copies.before_upgrade(store, here.settings(), here.root)
        before, after = store.upgrade()
    if before == after:
        terminal.say(f"already at {after}.")
        return
    terminal.say(f"from {before or 'empty'} to {after}.")
    if kept is not None:
        terminal.say(f"To undo it, with the version before: newsletter db restore {_shown(kept, here)} --replace")


@group.command()
def check(context: typer.Context, as_json: Json = False) -> int:
    """Look through the database: is it whole, and of this version's shape?"""
    here: Here = context.obj
    from newsletter.app import bare_store

    with closing(bare_store(here.settings(), here.root)) as store:
        revision = store.revision()
        shape = store.shape()
        if not as_json:
            store.check()
    if as_json:
        terminal.document({"revision": revision, "whole": not shape.damage, **asdict(shape)})
    else:
        terminal.say(
            f"{shape.kind} {shape.version}, at {revision}, {shape.bytes / 1e6:,.1f} MB: {shape.damage or 'whole'}."
        )
    return exits.PROBLEMS if shape.damage else exits.DONE


@group.command()
def key() -> None:
    """Make a key for backups. Nothing is kept of it: put it where you keep keys."""
    from newsletter.flows.backup import new_keys

    made = new_keys()
    terminal.say("# Opens your backups. Keep it somewhere else than this machine too.")
    terminal.say(f"NEWSLETTER_BACKUP__IDENTITY={made.identity}")
    terminal.say("# Closes them. A machine that has only this one can make backups, and read none.")
    terminal.say(f"NEWSLETTER_BACKUP__RECIPIENT={made.recipient}")


@group.command()
def backup(
    context: typer.Context,
    plain: Annotated[bool, typer.Option("--plain", help="In the clear, when the place itself is encrypted.")] = False,
    as_json: Json = False,
) -> None:
    """Make a backup: the database and its keys, encrypted, looked through; while everything goes on.

    Goes to NEWSLETTER_BACKUP__FOLDER; those older than retention: backup_days: are removed.
    """
    here: Here = context.obj
    from newsletter.app import bare_store
    from newsletter.cli import copies

    with closing(bare_store(here.settings(), here.root)) as store:
        store.check()
        path, manifest, gone = copies.back_up(store, here.settings(), here.root, plain=plain)
    size = path.stat().st_size
    if as_json:
        terminal.document({"file": str(path), "bytes": size, "removed": gone, **_manifest(manifest)})
        return
    rows = terminal.counted(sum(manifest.counts.values()), "row")
    terminal.say(f"{_shown(path, here)}: {size / 1e6:,.1f} MB, {rows}, looked through.")
    if gone:
        terminal.say(f"{terminal.counted(gone, 'older one')} removed.")


@group.command()
def restore(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A backup.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only look whether it could come back.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Move the database that is here aside.")] = False,
    came_back: Annotated[
        bool, typer.Option("--came-back", help="The database that is here is a copy (Litestream put it back).")
    ] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Let sending go on after a restore.")] = False,
    without_lists: Annotated[
        bool, typer.Option("--without-lists", help="Accept although a provider does not tell of its list.")
    ] = False,
    unsent: Annotated[str, typer.Option("--unsent", metavar="ISSUE", help="Say that this issue did not go.")] = "",
    as_json: Json = False,
) -> None:
    """Bring a backup back. Nothing is sent after it until you accept it.

    What was still to be sent becomes uncertain, whoever left since leaves again. `--accept` asks the providers for
    their lists, names the issues that may have gone after the backup, and lets sending go on.
    """
    here: Here = context.obj
    if sum((file is not None, came_back, accept, bool(unsent))) != 1:
        raise typer.BadParameter("name a backup, or --came-back, or --accept, or --unsent ISSUE.")
    if accept:
        _accepted(here, without_lists=without_lists, as_json=as_json)
    elif came_back:
        _came_back(here, as_json=as_json)
    elif unsent:
        _unsent(unsent, here)
    else:
        assert file is not None
        _restored(file, here, verify=verify, replace=replace, as_json=as_json)


def _restored(file: Path, here: Here, *, verify: bool, replace: bool, as_json: bool) -> None:
    from newsletter.cli import copies

    path = file if file.is_absolute() or file.exists() else here.root / file
    if verify:
        manifest = copies.verify(path, here.settings(), here.root)
        if as_json:
            terminal.document({"restored": False, **_manifest(manifest)})
        else:
            terminal.say(f"It could come back: {_of(manifest)}. Nothing was changed.")
        return
    manifest, done, aside = copies.restore(path, here.settings(), here.root, replace=replace)
    if as_json:
        terminal.document({"restored": True, **_manifest(manifest), **asdict(done), "aside": aside or None})
        return
    terminal.say(f"Back: {_of(manifest)}.")
    if aside:
        terminal.say(f"What was here is now {_shown(Path(aside), here)}.")
    _say_done(done)


def _came_back(here: Here, *, as_json: bool) -> None:
    from newsletter.cli import copies
    from newsletter.core.schedule import iso

    made_at, done = copies.came_back(here.root, here.environ)
    if as_json:
        terminal.document({"restored": True, "made_at": iso(made_at), **asdict(done)})
        return
    terminal.say(f"This database is of {made_at:%Y-%m-%d %H:%M} UTC, or a little later.")
    _say_done(done)


def _say_done(done: Recovered) -> None:
    terminal.say(f"{terminal.counted(done.leavers, 'reader')} who left since then left again.")
    terminal.say(f"{terminal.counted(done.batches, 'batch', 'batches')} that waited to be sent became uncertain.")
    terminal.say(f"{terminal.counted(done.mails, 'mail')} of the front door that waited will not be sent.")
    terminal.say("Nothing is sent until: newsletter db restore --accept")


def _accepted(here: Here, *, without_lists: bool, as_json: bool) -> None:
    from newsletter.flows import recover

    with here.open() as app:
        done = recover.accept(app.desk, without_lists=without_lists)
    if as_json:
        terminal.document({"doubtful": list(done.doubtful), "lists": [asdict(one) for one in done.lists]})
        return
    _say_accepted(done)


def _say_accepted(done: Accepted) -> None:
    for one in done.lists:
        said = one.trouble or f"{terminal.counted(one.stopped, 'reader')} stopped by its list."
        terminal.say(f"{one.provider}: {said}")
    for key_ in done.doubtful:
        terminal.say(f"{key_} may have gone out after the backup. If it did not: newsletter db restore --unsent {key_}")
    terminal.say("Sending goes on.")


def _unsent(name: str, here: Here) -> None:
    from newsletter.flows import recover

    with here.open() as app:
        known = recover.unsent(app.desk, name)
    terminal.say(f"{name} may be sent." if known else f"{name} was not in doubt.")


@group.command()
def copy(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="An empty database: postgresql://… or sqlite:///…")],
) -> None:
    """Copy everything into another database, such as from SQLite to PostgreSQL; counted on both sides."""
    here: Here = context.obj
    from newsletter.app import bare_store
    from newsletter.cli import copies

    with closing(bare_store(here.settings(), here.root)) as store:
        store.check()
        counts = copies.copy(store, to, here.root)
    terminal.say(f"{terminal.counted(sum(counts.values()), 'row')} copied, and counted there.")
    terminal.say("Stop what writes here, then set NEWSLETTER_DATABASE_URL to the new one.")


def _of(manifest: Manifest) -> str:
    people = manifest.counts.get("subscribers", 0)
    return f"{manifest.made_at:%Y-%m-%d %H:%M} UTC, {terminal.counted(people, 'subscriber')}"


def _manifest(manifest: Manifest) -> Mapping[str, object]:
    from newsletter.core.schedule import iso

    return {**asdict(manifest), "made_at": iso(manifest.made_at)}


def _shown(path: Path, here: Here) -> str:
    return os.path.relpath(path, here.root) if path.is_relative_to(here.root) else str(path)
