"""`doctor`: what is wrong with this set-up, and what to do about it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.cli.sending import Json

if TYPE_CHECKING:
    from newsletter.flows.doctor.finding import Finding

_STYLES = {"error": "31;1", "warning": "33", "note": "36"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    as_json: Json = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody: settings, database and workflows only.")
    ] = False,
    mail: Annotated[bool, typer.Option("--mail", help="Mail the owner what should be mended, once a day.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="FAMILY", help="config, database, provider, dns, web or ci.")
    ] = None,
) -> int:
    """Say what is wrong with this set-up, and the fix.

    Looks at settings, database, provider, DNS, web side and workflows. Ends with 1 when something must be
    mended, with 0 when there are only warnings and notes.
    """
    here: Here = context.obj
    from newsletter.flows.doctor import doctor as doctor_

    known = [family.name for family in doctor_.FAMILIES]
    if wrong := [name for name in only or () if name not in known]:
        raise typer.BadParameter(f'there is nothing called "{wrong[0]}" to look at; choose {", ".join(known)}')
    findings = _findings(here, offline=offline, only=tuple(only or ()), mail=mail)
    if as_json:
        terminal.document([asdict(one) for one in findings])
    else:
        _say(findings, offline=offline)
    return exits.PROBLEMS if any(one.level == "error" for one in findings) else exits.DONE


def _findings(here: Here, *, offline: bool, only: tuple[str, ...], mail: bool) -> list[Finding]:
    from newsletter.app import open_app, setup
    from newsletter.errors import ConfigurationError, SettingsError
    from newsletter.flows.doctor import database, doctor, web, zone
    from newsletter.flows.doctor import setup as setup_

    try:
        with open_app(here.root, here.environ) as app:
            world = None if offline else doctor.World(zone.System(), web.Web())
            selectors = app.settings.dns.selectors
            found = doctor.look(
                setup(app.settings, here.root, app.desk), app.desk, world, only=only, selectors=selectors
            )
            if mail:
                doctor.tell(app.desk, found)
            return found
    except SettingsError as problem:
        return [setup_.CONFIG.found("settings", line, problem.todo) for line in problem.what.splitlines()]
    except ConfigurationError as problem:
        return [database.DATABASE.found("closed", problem.what, problem.todo)]


def _say(findings: list[Finding], *, offline: bool) -> None:
    for one in findings:
        level = terminal.styled(one.level, _STYLES[one.level], sys.stdout)
        terminal.say(f"{level}: {one.what} [{one.id}]")
        terminal.say(f"  why: {one.why}")
        terminal.say(f"  fix: {one.fix}")
    if not findings:
        terminal.say("Nothing is wrong." if not offline else "Nothing is wrong here; nobody was asked.")
        return
    counts = ((sum(one.level == level for one in findings), level) for level in ("error", "warning", "note"))
    terminal.say()
    terminal.say(", ".join(terminal.counted(count, level) for count, level in counts if count) + ".")
