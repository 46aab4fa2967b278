"""`newsletter keys`: of programs that work for the owner, and those that sign our links."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here
from newsletter.core.keys import Key, Scope
from newsletter.core.schedule import iso

group = typer.Typer(help="Keys of programs.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `keys list` names it.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="keys")


@group.command()
def create(
    context: typer.Context,
    scopes: Annotated[list[Scope], typer.Option("--scope", help="What it may do; again for each.")],
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="What it is for.")] = "",
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once, and never again."""
    here: Here = context.obj
    from newsletter.flows import keys

    with here.open() as app:
        made, whole = keys.create(label, scopes, app.desk)
    _shown(whole, as_json=as_json, of=made)


def _shown(whole: str, *, as_json: bool, of: Key) -> None:
    if as_json:
        terminal.document({**_plain(of), "key": whole, "error": None})
        return
    terminal.say(whole)
    terminal.note("It is shown this once. Put it where the program reads it: NEWSLETTER_SERVER__API_KEY, for CI.")


@group.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """Show every key there was: what it may do, and the day it was used last."""
    here: Here = context.obj
    from newsletter.flows import keys

    with here.open() as app:
        found = keys.every(app.desk)
    if as_json:
        terminal.document([_plain(one) for one in found])
        return
    terminal.table(
        (
            (one.pid, one.label, " ".join(one.scopes), one.used_on or "never", "" if one.holds else "revoked")
            for one in found
        ),
        ("id", "label", "scopes", "last used", ""),
    )


def _plain(one: Key) -> dict[str, object]:
    return {
        "id": one.pid,
        "label": one.label,
        "scopes": list(one.scopes),
        "made_at": iso(one.made_at),
        "used_on": one.used_on.isoformat() if one.used_on else None,
        "revoked_at": iso(one.revoked_at),
    }


@group.command()
def revoke(context: typer.Context, pid: Id) -> None:
    """End a key, at once."""
    here: Here = context.obj
    from newsletter.flows import keys

    with here.open() as app:
        ended = keys.revoke(pid, app.desk)
    terminal.say(f"{ended.pid} opens nothing any more.")


@group.command()
def rotate(
    context: typer.Context,
    pid: Annotated[str, typer.Argument(metavar="[ID]", help="A program's key; without one, those of links.")] = "",
) -> None:
    """Make a key new: a program's, which ends the old one; or the one that signs links, which keeps the old ones read.

    Links in mail that was sent keep their time, as older keys still read them.
    """
    here: Here = context.obj
    if pid:
        from newsletter.flows import keys

        with here.open() as app:
            whole = keys.rotate(pid, app.desk)
        terminal.say(whole)
        terminal.note("It is shown this once; the one before it opens nothing any more.")
        return
    from newsletter.app import rotate_secret

    new = rotate_secret(here.settings(), here.root)
    if new is None:
        terminal.say("A new key signs links from now on (var/secret.key); restart `newsletter serve`.")
        return
    terminal.say(new)
    terminal.note(
        "It is shown this once. Put it first in NEWSLETTER_SECRET_KEYS, a comma behind it, and keep the others there "
        "for 90 days: they read the links that are out. Then restart `newsletter serve`."
    )


@group.command()
def lost(
    context: typer.Context,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="How it was lost; kept with the day.")],
) -> None:
    """Go on without the suppression key, when it is in no backup either.

    Who left and was forgotten is not known any more: the providers' lists are read again, and all sending is paused.
    """
    here: Here = context.obj
    from newsletter.app import forsake_suppression_key
    from newsletter.flows import suppressions

    done = forsake_suppression_key(here.root, here.environ, why=why)
    terminal.say(f"{terminal.counted(done.known, 'address', 'addresses')} of ours: known under the new key.")
    terminal.say(
        f"{terminal.counted(done.nobodys, 'address', 'addresses')} that left and were forgotten: no longer known."
    )
    with here.open() as app:
        for one in suppressions.sync(app.desk, everything=True, strangers=True):
            terminal.say(f"{one.provider}: {one.trouble or f'{one.entries} on its list, obeyed.'}")
    terminal.note("All sending is paused. Make a backup, then: newsletter resume --all (docs/runbook/lost-key.md)")
