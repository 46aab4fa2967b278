"""`import` and `tidy`: texts from elsewhere, and what was pasted into an issue."""

from __future__ import annotations

import difflib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from newsletter.content.importers.report import Contact, Guess
    from newsletter.core.publication import Publication
    from newsletter.flows.importing import Brought


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    app.command()(tidy)


def import_(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files ending in .txt, .md, .docx or .html.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where the issues go.")] = None,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="NAME.md and NAME.import.json instead of a dated name.")
    ] = False,
    day: Annotated[str, typer.Option("--date", metavar="DAY", help="The day they are for, as 2026-12-01.")] = "",
    lang: Annotated[str, typer.Option("--lang", metavar="LANGUAGE", help="Their language, as en.")] = "",
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the issue, write nothing.")] = False,
    write_settings: Annotated[
        bool, typer.Option("--write-settings", help="Write contact facts into newsletter.yml.")
    ] = False,
) -> int:
    """Make issues of texts from elsewhere.

    Tells every guess with its line and how to undo it. Writes over nothing; exit 1 when a file could not be taken.
    """
    from newsletter.flows import importing

    here: Here = context.obj
    publication = _publication(here)
    results: list[Brought] = []
    for one in importing.bring(
        files,
        publication,
        here.root,
        date=_day(day, publication),
        out=out,
        keep_names=keep_names,
        lang=lang,
        write=not stdout,
    ):
        results.append(one)
        _tell(one, stdout=stdout)
    found = [one.letter.contact for one in results if one.letter and one.letter.contact.facts]
    if found and not stdout:
        _facts(found, here.root, write=write_settings)
    refused = sum(one.trouble is not None for one in results)
    if refused and len(results) > 1:
        sys.stderr.write(f"{refused} of {len(results)} files could not be taken; what to do about each stands above.\n")
    return exits.PROBLEMS if refused else exits.DONE


def _publication(here: Here) -> Publication:
    """The publication here; a bare one where there is none yet, as an import may come first."""
    from newsletter.core.publication import Publication

    if (here.root / "newsletter.yml").exists():
        return here.settings().publication()
    return Publication(name="", senders={}, fields={"first_name": "friend"})


def _day(said: str, publication: Publication) -> date:
    from newsletter.content import dates
    from newsletter.core.schedule import zone
    from newsletter.errors import NewsletterError
    from newsletter.flows.importing import next_day

    if not said:
        return next_day(publication, datetime.now(UTC).astimezone(zone(publication.timezone)).date())
    day = dates.day(said)
    if day is None:
        raise NewsletterError(f'"{said}" is not a day.', "Write it as --date 2026-12-01")
    return day


def _tell(one: Brought, *, stdout: bool) -> None:
    """What became of a file: on stderr when the issue itself goes to stdout."""
    from newsletter.flows.importing import warnings

    if one.letter is None:
        what = one.trouble
        sys.stderr.write(f"{one.source}: {what.what if what else ''}\n  {what.todo if what else ''}\n")
        return
    say = _to_stderr if stdout else terminal.say
    if stdout:
        sys.stdout.write(one.letter.text)
    if one.written is not None:
        say(f"{one.source} -> {one.written}")
    for guess in one.letter.guesses:
        say(f"  {guess}")
    for warning in warnings(one.letter.contact):
        say(f"  warning: {warning}")


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


def _facts(found: Sequence[Contact], root: Path, *, write: bool) -> None:
    """Contact facts for newsletter.yml: shown first, written when asked."""
    from newsletter.errors import SettingsError
    from newsletter.flows import importing

    try:
        proposal = importing.propose(found, root)
    except SettingsError as trouble:
        if write:
            raise
        facts = {key: value for one in found for key, value in one.facts.items()}
        terminal.say(f"Contact facts for newsletter.yml, under footer ({trouble.what}):")
        _show(facts)
        return
    for key, value in proposal.differing.items():
        terminal.say(f"newsletter.yml has another {key} than the text ({value}); it was left as it is.")
    if proposal.empty:
        return
    terminal.say("Contact facts that newsletter.yml does not have yet, under footer:")
    _show(proposal.facts)
    if write:
        importing.exchange(root / importing.SETTINGS, proposal.text.encode())
        terminal.say("They are written into newsletter.yml.")
    else:
        terminal.say("To write them there: the same command with --write-settings, or by hand.")


def _show(facts: dict[str, str]) -> None:
    for key, value in facts.items():
        terminal.say(f"  {key}: {value}")


def tidy(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, write nothing.")] = False,
) -> None:
    """Find the headings, lists and quotations in text pasted into an issue.

    The lines at its top stay as they are. Shows every guess and the difference.
    """
    from newsletter.flows import importing

    here: Here = context.obj
    done = importing.tidy(issue, _publication(here), here.root)
    if done.before == done.after:
        terminal.say(f"{done.path.name}: nothing to tidy.")
        return
    _guesses(done.guesses)
    _difference(done.before, done.after, done.path.name)
    if not dry_run:
        importing.exchange(done.path, done.after.encode())
        terminal.say(f"{done.path.name} is written.")


def _guesses(guesses: Iterable[Guess]) -> None:
    for guess in guesses:
        terminal.say(f"  {guess}")


_COLOURS = {"+": "32", "-": "31", "@": "36"}


def _difference(before: str, after: str, name: str) -> None:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name} (tidied)", lineterm="", n=1)
    for line in lines:
        terminal.say(terminal.styled(line, _COLOURS.get(line[:1], "0"), sys.stdout))
