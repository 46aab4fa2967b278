"""`newsletter subscribers`: the audience, from a terminal."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.errors import NotApproved, NotFound, NothingToDo

if TYPE_CHECKING:
    from newsletter.flows.roster import Import

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
    waits = "" if why.strip() else " A confirmation mail waits; `newsletter tick` or `serve` sends it."
    terminal.say(f"added, {state}.{waits}")


@group.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV of Mailchimp, Kit, Substack, Ghost, listmonk, Buttondown, beehiiv, or with a column email; "
            "or what `subscribers export` wrote.",
        ),
    ],
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="THEIRS=OURS",
            help="Name a column (Mail=email), a tag's topic (tag:VIP=trips), a status word (status:VIP=active).",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
    why: Attest = "",
    as_json: Json = False,
) -> int:
    """Bring subscribers in from a file; never anyone who left. Without attested or proven consent they are pending."""
    here: Here = context.obj
    from newsletter.flows import audience

    given = _map(names or [])
    with here.open() as app:
        report = audience.import_(file, app.desk, names=given, why=why.strip(), dry_run=dry_run)
    if as_json:
        told = {"ignored_columns": list(report.ignored_columns), "ignored_tags": list(report.ignored_tags)}
        terminal.document({**vars(report), **told, "dry_run": dry_run})
    else:
        _report(report, dry_run=dry_run)
    return exits.PROBLEMS if report.invalid else exits.DONE


def _map(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs.strip() or not ours.strip():
            raise typer.BadParameter(f'"{pair}" is not THEIRS=OURS, as in --map "Email Address=email"')
        found[theirs.strip()] = ours.strip()
    return found


_DECISIONS = {
    "active": "become active (consent attested or proven)",
    "pending": "become pending (nobody vouched for their consent)",
    "known": "known already, left as they are",
    "suppressed": "left, bounced or complained before: not brought back",
    "left": "left, bounced or complained there: never written to",
    "withdrawn": "were readers here, and left there: no more letters",
    "never": "did not ask for letters there: left out",
    "doubled": "twice in the file",
    "invalid": "cannot be read",
}


def _report(report: Import, *, dry_run: bool) -> None:
    terminal.say(f"{report.rows:>10,}  rows read, as {report.format or 'plain'}")
    for name, meaning in _DECISIONS.items():
        if count := getattr(report, name):
            lines = report.lines.get(name, [])
            more = ", ..." if count > len(lines) else ""
            terminal.say(f"{count:>10,}  {meaning} (line {', '.join(map(str, lines))}{more})")
    if report.proven:
        terminal.say(f"{report.proven:>10,}  of the active ones bring their own proof")
    if report.old_links:
        terminal.say(f"{report.old_links:>10,}  ways out of old letters go on working")
    for note in report.notes:
        terminal.say(f"            {note}")
    used = ", ".join(theirs if theirs == ours else f"{theirs} as {ours}" for theirs, ours in report.columns.items())
    for what, names in (
        ("columns used", used),
        ("columns not used", ", ".join(report.ignored_columns)),
        ("tags not used", ", ".join(report.ignored_tags)),
    ):
        if names:
            terminal.say(f"            {what}: {names}")
    if report.pending and not dry_run:
        terminal.say("To ask the pending ones, once: newsletter subscribers ask")
    if dry_run:
        terminal.say("This was a dry run: nothing was changed.")


@group.command()
def ask(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many, ask nobody.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask me.")] = False,
    as_json: Json = False,
) -> None:
    """Ask those whom an import brought without proof: one mail each, once, spread over the time."""
    here: Here = context.obj
    from newsletter.core.schedule import iso
    from newsletter.flows import ask as asking

    with here.open() as app:
        would = asking.ask(app.desk, dry_run=True)
        if not would.asked:
            raise NothingToDo("Nobody is pending who was not asked already.")
        if not dry_run and not yes:
            question = f"Write to {would.asked:,} people who are pending?"
            if not (sys.stdin.isatty() and typer.confirm(question)):
                raise NotApproved("Nobody has said yes.", "Run it again with --yes.")
        done = would if dry_run else asking.ask(app.desk)
    if as_json:
        terminal.document({**vars(done), "last_at": iso(done.last_at), "dry_run": dry_run})
        return
    terminal.say(f"{done.asked:>10,}  {'would be' if dry_run else 'are'} asked, {done.per_hour:,} an hour at most")
    if done.last_at:
        terminal.say(f"            the last mail is due {iso(done.last_at)}; `serve` or `newsletter tick` sends them")
    if done.left:
        terminal.say(f"{done.left:>10,}  are left for another time: run it again when those have gone")


@group.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str, typer.Option(metavar="STATE", help="Only those: pending, active, unsubscribed, ...")] = "",
    topic: Annotated[str, typer.Option(metavar="TOPIC", help="Only those with this topic.")] = "",
    as_json: Json = False,
) -> None:
    """Everybody on file, oldest first."""
    here: Here = context.obj
    from newsletter.core.campaign import LETTER
    from newsletter.core.consent import State
    from newsletter.flows import audience

    if state and state not in {one.value for one in State}:
        raise NotFound(f'There is no state "{state}".', f"There are: {', '.join(State)}.")
    with here.open() as app:
        topics = {LETTER, *app.desk.publication.topics}
        if topic and topic not in topics:
            raise NotFound(f'There is no topic "{topic}".', f"There are: {', '.join(sorted(topics))}.")
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
    for event in found["consent"]:
        topics = ", ".join(event["topics"])
        terminal.say(
            f"{'consent':>13}  {event['at']}  {event['kind']} by {event['method']}  {topics} {event['note']}".rstrip()
        )
    for grant in found["grants"]:
        terminal.say(f"{'granted':>13}  {grant['magnet']}, downloaded {grant['downloads']} times")
    for one in found["against"]:
        terminal.say(f"{'against':>13}  {one['at']}  {one['reason']}  {one['note']}".rstrip())
    for one in found["campaigns"]:
        terminal.say(f"{'letter':>13}  {one['campaign']}  {one['state']}  {one['reason'] or ''}".rstrip())


@group.command()
def export(
    context: typer.Context,
    format_: Annotated[
        str, typer.Option("--format", metavar="csv|json", help="Both hold all; `subscribers import` reads both.")
    ] = "csv",
    as_json: Json = False,
) -> None:
    """Everybody on file with all their consent, on stdout."""
    here: Here = context.obj
    from newsletter.flows import audience, restore

    if format_ not in {"csv", "json"}:
        raise typer.BadParameter('--format is "csv" or "json"')
    with here.open() as app:
        rows = audience.export(app.desk)
        if as_json or format_ == "json":
            _stream(rows)
            return
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow((*restore.PLAIN, *restore.WHOLE))
        out.writerows(map(restore.cells, rows))


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
    if not why.strip():
        raise typer.BadParameter("--why needs a few words; they are kept as evidence")
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
