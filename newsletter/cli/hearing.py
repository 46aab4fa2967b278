"""`events` and `webhooks replay`: what providers told afterwards."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here

group = typer.Typer(help="What providers told.", no_args_is_help=True, rich_markup_mode=None)
mails = typer.Typer(help="Bounces and complaints that come as mail.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(events)
    app.add_typer(group, name="webhooks")
    app.add_typer(mails, name="bounces")


@group.callback()
def _group() -> None:
    """What providers told."""


@mails.callback()
def _mails() -> None:
    """Bounces and complaints that come as mail."""


@mails.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A mail, an mbox or a folder of mails; - for a pipe.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Read delivery status and abuse reports; what is known already changes nothing.

    A mail server can pipe each bounce here: newsletter -C /srv/letters bounces import -
    """
    here: Here = context.obj
    from newsletter.flows import bounces

    with here.open() as app:
        if str(file) == "-":
            found = bounces.take(bounces.split(sys.stdin.buffer.read()), app.desk)
        else:
            found = bounces.import_(file, app.desk)
    if as_json:
        terminal.document(asdict(found))
        return
    terminal.say(
        f"{terminal.counted(found.mails, 'mail')}: {terminal.counted(found.events, 'new event')}, {found.known} known, "
        f"{found.strange} of something else."
    )


def events(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """What became of the mail: bounces, complaints, deliveries, oldest first."""
    here: Here = context.obj
    from newsletter.core.schedule import iso
    from newsletter.flows import hear

    with here.open() as app:
        hear.read(app.desk)
        with app.store.read() as tx:
            found = [{**asdict(event), "at": iso(event.at)} for event in tx.events.each()]
    if as_json:
        terminal.document(found)
        return
    for event in found:
        last = {True: "for good", False: "for now", None: ""}[event["permanent"]]
        words = " ".join(word for word in (event["type"], last, event["reason"]) if word)
        terminal.say(f"{event['at']}  {event['provider']:<9} {words:<28} {event['campaign'] or ''}".rstrip())
    terminal.say(f"{terminal.counted(len(found), 'event')}.")


@group.command()
def replay(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Recorded requests, or bodies as the provider sends them; - for stdin."),
    ],
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="Whose they are, when they do not say it.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Feed recorded webhooks again; what is known already changes nothing.

    FILE holds JSON, or a JSON document on each line: {"provider": ..., "headers": {...}, "body": ...} as recorded,
    or, with --provider, a body as that provider sends it. Signatures are not asked for: you have the file.
    """
    here: Here = context.obj
    from newsletter.flows import hear

    text = sys.stdin.read() if str(file) == "-" else _text(file)
    with here.open() as app:
        raws = hear.recorded(text, provider or app.desk.provider.name, app.desk)
        report = hear.replay(raws, app.desk)
    if as_json:
        terminal.document(asdict(report))
        return
    terminal.say(f"{terminal.counted(report.requests, 'request')}, {terminal.counted(report.events, 'new event')}.")
    for fault in report.faults:
        terminal.say(f"  not read: {fault}")


def _text(file: Path) -> str:
    from newsletter.errors import FileRefused

    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise FileRefused(f"{file} cannot be read: {type(problem).__name__}.", "It must be JSON in UTF-8.") from None
