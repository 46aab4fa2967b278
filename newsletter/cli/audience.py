"""`newsletter subscribers`: the audience, from a terminal."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.errors import NotApproved, NotFound

group = typer.Typer(help="The audience.", no_args_is_help=True, rich_markup_mode=None)

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Attest = Annotated[
    str,
    typer.Option(
        "--attest-consent", metavar="WHY", help="You vouch that they asked for it, and how; kept as evidence."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="subscribers")


@group.command()
def add(context: typer.Context, address: Address, why: Attest = "", as_json: Json = False) -> None:
    """Add one address; without attested consent it gets a confirmation mail and is pending until then."""
    here: Here = context.obj
    from newsletter.flows import audience

    with here.open() as app:
        state = audience.add(address, app.desk, why=why.strip())
    if as_json:
        terminal.document({"state": state})
        return
    terminal.say(
        f"added, {state}." + ("" if why else " A confirmation mail waits; `newsletter tick` or `serve` sends it.")
    )


@group.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with a column email; first_name, last_name, lang, topics.")
    ],
    names: Annotated[list[str] | None, typer.Option("--map", metavar="THEIRS=OURS", help="Name a column.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
    why: Attest = "",
    as_json: Json = False,
) -> int:
    """Bring subscribers in from a file; never anyone who left. Without attested consent they are pending."""
    here: Here = context.obj
    from newsletter.flows import audience

    with here.open() as app:
        report = audience.import_(file, app.desk, names=_map(names or []), why=why.strip(), dry_run=dry_run)
    if as_json:
        terminal.document({**vars(report), "ignored_columns": list(report.ignored_columns), "dry_run": dry_run})
    else:
        _report(report, dry_run=dry_run)
    return exits.PROBLEMS if report.invalid else exits.DONE


def _map(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not equals or not theirs.strip() or not ours.strip():
            raise typer.BadParameter(f'"{pair}" is not THEIRS=OURS, as in --map "Email Address=email"')
        found[theirs.strip()] = ours.strip()
    return found


def _report(report: object, *, dry_run: bool) -> None:
    words = {
        "rows": "rows read",
        "active": "become active (consent attested)",
        "pending": "become pending (nobody vouched for their consent)",
        "known": "known already, left as they are",
        "suppressed": "left, bounced or complained before: not brought back",
        "doubled": "twice in the file",
        "invalid": "cannot be read",
    }
    for name, meaning in words.items():
        if count := getattr(report, name):
            terminal.say(f"{count:>10,}  {meaning}")
    for note in getattr(report, "notes", ()):
        terminal.say(f"            {note}")
    if ignored := getattr(report, "ignored_columns", ()):
        terminal.say(f"            columns not used: {', '.join(ignored)}")
    if dry_run:
        terminal.say("This was a dry run: nothing was changed.")


@group.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str, typer.Option(metavar="STATE", help="Only those: pending, active, unsubscribed, ...")] = "",
    topic: Annotated[str, typer.Option(metavar="TOPIC", help="Only those with this topic.")] = "",
    as_json: Json = False,
) -> None:
    """Everybody on file, oldest first."""
    here: Here = context.obj
    from newsletter.core.consent import State
    from newsletter.flows import audience

    if state and state not in {one.value for one in State}:
        raise NotFound(f'There is no state "{state}".', f"There are: {', '.join(State)}.")
    with here.open() as app:
        rows = audience.each(app.desk, State(state) if state else None, topic or None)
        if as_json:
            _stream(rows)
            return
        head = ("email", "state", "topics", "confirmed_at")
        terminal.table(
            ((row["email"], row["state"], ", ".join(row["topics"]), row["confirmed_at"]) for row in rows), head
        )


def _stream(rows: object) -> None:
    """A JSON array written row by row: flat memory for a million readers."""
    first = True
    sys.stdout.write("[")
    for row in rows:  # type: ignore[attr-defined]
        sys.stdout.write(("" if first else ",") + "\n  " + json.dumps(row, ensure_ascii=False, default=str))
        first = False
    sys.stdout.write("\n]\n")


@group.command()
def show(context: typer.Context, address: Address, as_json: Json = False) -> None:
    """Everything kept about one address."""
    here: Here = context.obj
    from newsletter.flows import audience

    with here.open() as app:
        found = audience.show(address, app.desk)
    if as_json:
        terminal.document(found)
        return
    for name, value in found.items():
        if not isinstance(value, list) or name == "topics":
            terminal.say(f"{name:>13}  {', '.join(value) if isinstance(value, list) else value or '-'}")
    for event in found.get("consent", []):
        topics = ", ".join(event["topics"])
        terminal.say(
            f"{'consent':>13}  {event['at']}  {event['kind']} by {event['method']}  {topics} {event['note']}".rstrip()
        )
    for grant in found.get("grants", []):
        terminal.say(f"{'granted':>13}  {grant['magnet']}, downloaded {grant['downloads']} times")


@group.command()
def export(
    context: typer.Context,
    format_: Annotated[
        str, typer.Option("--format", metavar="csv|json", help="csv: one row each; json: with all consent.")
    ] = "csv",
    as_json: Json = False,
) -> None:
    """Everybody on file, on stdout."""
    here: Here = context.obj
    from newsletter.flows import audience

    if format_ not in {"csv", "json"}:
        raise typer.BadParameter('--format is "csv" or "json"')
    with here.open() as app:
        if as_json or format_ == "json":
            _stream(audience.export(app.desk))
            return
        names = ("email", "first_name", "last_name", "lang", "state", "topics", "created_at", "confirmed_at")
        sys.stdout.write(_csv(names))
        for row in audience.each(app.desk):
            sys.stdout.write(_csv([";".join(row[name]) if name == "topics" else row[name] or "" for name in names]))


def _csv(cells: object) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)  # type: ignore[arg-type]
    return line.getvalue()


@group.command()
def suppress(
    context: typer.Context,
    address: Address,
    note: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept beside it.")] = "",
    as_json: Json = False,
) -> None:
    """Never mail this address, known or not."""
    here: Here = context.obj
    from newsletter.flows import audience

    with here.open() as app:
        audience.suppress(address, app.desk, note=note)
    _done("suppressed", as_json=as_json)


@group.command()
def unsuppress(
    context: typer.Context,
    address: Address,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept as evidence.")],
    as_json: Json = False,
) -> None:
    """Take back your own `suppress`; what a reader decided stays."""
    here: Here = context.obj
    from newsletter.flows import audience

    with here.open() as app:
        left = audience.unsuppress(address, app.desk, why=why)
    _done(
        f"your word is taken back; it stays {left} by the reader's" if left else "no longer suppressed", as_json=as_json
    )


@group.command()
def erase(
    context: typer.Context,
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a person for good; afterwards the address is nowhere in the database."""
    here: Here = context.obj
    from newsletter.flows import audience

    if not yes and not (sys.stdin.isatty() and typer.confirm("Erase this person for good?")):
        raise NotApproved("Nobody has said yes.", "Run it again with --yes.")
    with here.open() as app:
        audience.erase(address, app.desk)
    _done("erased", as_json=as_json)


def _done(what: str, *, as_json: bool) -> None:
    if as_json:
        terminal.document({"done": what})
    else:
        terminal.say(f"{what}.")


@group.command()
def stats(context: typer.Context, as_json: Json = False) -> None:
    """How many stand where."""
    here: Here = context.obj
    from newsletter.flows import audience

    with here.open() as app:
        found = audience.stats(app.desk)
    if as_json:
        terminal.document(found)
        return
    for name, count in found.items():
        terminal.say(f"{count:>10,}  {name}")
