"""`events` and `webhooks replay`: what providers told afterwards."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.audience import group as subscribers
from newsletter.cli.here import Here

group = typer.Typer(help="What providers told.", no_args_is_help=True, rich_markup_mode=None)
mails = typer.Typer(help="Bounces and complaints that come as mail.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    subscribers.command()(sync)
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
    marked: Annotated[
        bool, typer.Option("--marked", help="Anybody may have written these: believe only what carries a mark of ours.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Read delivery status and abuse reports; what is known already changes nothing.

    A report that carries a mark of a mail of ours (return path, Message-ID, way out) finds its reader by that; one in a
    standard form that only names an address is believed too, as you chose the file. Anybody can write such a one, so
    where a mail server pipes in what comes: newsletter -C /srv/letters bounces import --marked -
    """
    here: Here = context.obj
    from newsletter.flows import bounces

    with here.open() as app:
        if str(file) == "-":
            found = bounces.take(bounces.split(sys.stdin.buffer.read()), app.desk, trust=not marked)
        else:
            found = bounces.import_(file, app.desk, trust=not marked)
    if as_json:
        terminal.document(asdict(found))
        return
    terminal.say(
        f"{terminal.counted(found.mails, 'mail')}: {terminal.counted(found.events, 'new event')}, {found.known} known, "
        f"{found.strange} of something else."
    )
    if found.unmatched:
        terminal.say(
            f"{terminal.counted(found.unmatched, 'event')} without a mark of our mail changed nothing; "
            + ("if you know who sent them, leave --marked out" if marked else "a free text alone is never believed")
        )


def sync(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="From the beginning, not since the last time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Compare the provider's list of whom it does not write to with ours, both ways.

    What stands there is obeyed; who agreed anew is taken off; who left, bounced or complained here is put on.
    `serve` and `tick` do it once a day.
    """
    here: Here = context.obj
    from newsletter.errors import NothingToDo
    from newsletter.flows import suppressions

    with here.open() as app:
        found = suppressions.sync(app.desk, dry_run=dry_run, everything=everything)
    if not found:
        raise NothingToDo("The provider keeps no list that can be read or written.", "Ours alone counts.")
    if as_json:
        terminal.document([{**asdict(one), "trouble": one.trouble or None} for one in found])
    else:
        for one in found:
            terminal.say(
                f"{one.provider}: {terminal.counted(one.entries, 'entry', 'entries')} read, "
                f"{terminal.counted(one.stopped, 'reader')} stopped, {one.lifted} to be taken off, {one.put} put on."
            )
            if one.trouble:
                terminal.say(f"  not to the end: {one.trouble}")
    return exits.PROBLEMS if any(one.trouble for one in found) else exits.DONE


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
            heard = list(tx.events.each())
    found: list[dict[str, Any]] = [
        {name: value for name, value in asdict(one).items() if name != "matched"} for one in heard
    ]
    found = [{**event, "at": iso(one.at)} for event, one in zip(found, heard, strict=True)]
    if as_json:
        terminal.document(found)
        return
    for event, matched in zip(found, (one.matched for one in heard), strict=True):
        last = {True: "for good", False: "for now", None: ""}[event["permanent"]]
        words = " ".join(word for word in (event["type"], last, event["reason"]) if word)
        whose = event["campaign"] or ("" if matched else "about nobody we know")
        terminal.say(f"{event['at']}  {event['provider']:<9} {words:<28} {whose}".rstrip())
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
) -> int:
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
    else:
        terminal.say(f"{terminal.counted(report.requests, 'request')}, {terminal.counted(report.events, 'new event')}.")
        for fault in report.faults:
            terminal.say(f"  not read: {fault}")
    return exits.PROBLEMS if report.faults else exits.DONE


def _text(file: Path) -> str:
    from newsletter.errors import FileRefused

    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise FileRefused(f"{file} cannot be read: {type(problem).__name__}.", "It must be JSON in UTF-8.") from None
