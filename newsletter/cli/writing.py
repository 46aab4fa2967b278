"""`new`, `preview`, `test`, `diff`: what an editor does with one issue before it goes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here

if TYPE_CHECKING:
    from newsletter.flows.compare import Comparison


class Look(StrEnum):
    """How what is different is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"


Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")]
_SHOWN = 80
"""Characters of a link or line in a terminal's list."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(new)
    app.command()(preview)
    app.command("test")(proof)  # a function of that name would look like a test
    app.command()(diff)


def new(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="What the inbox will show.")],
    date: Annotated[str, typer.Option("--date", metavar="D", help="The day, as 2026-12-01.")] = "",
) -> None:
    """Begin an issue, as a draft.

    Without --date it is for the next day the letter goes out, after the last issue. Never overwrites.
    """
    here: Here = context.obj
    from datetime import UTC, datetime

    from newsletter.core.schedule import zone
    from newsletter.errors import NewsletterError
    from newsletter.flows.begin import begin, day

    try:
        chosen = day(date) if date else None
    except NewsletterError as problem:
        raise typer.BadParameter(f"{problem.what} {problem.todo}", param_hint="--date") from None
    publication = here.settings().publication()
    today = datetime.now(UTC).astimezone(zone(publication.timezone)).date()
    path = begin(subject, publication, root=here.root, today=today, date=chosen)
    terminal.say(_from_here(path, here))


def _from_here(path: Path, here: Here) -> str:
    """A path that can be pasted behind the next command."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.relative_to(here.root).as_posix()


def preview(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="[ISSUE]", help="A path or a slug; the latest when none.")] = "",
    system: Annotated[bool, typer.Option("--system", help="Every mail and page of the program.")] = False,
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="The port; 0 = any free one.")] = 8010,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Show issues in the browser while you write.

    Only this machine can see it. Ctrl-C stops it.
    """
    here: Here = context.obj
    from newsletter.web.preview import serve

    serve(here.root, here.environ, issue=issue, system=system, port=port, browse=not no_open)


def proof(
    context: typer.Context,
    issue: Issue,
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="The one address it goes to.")],
    as_: Annotated[str, typer.Option("--as", metavar="SEGMENT", help="As this segment gets it.")] = "all",
    no_name: Annotated[bool, typer.Option("--no-name", help="Only as a reader without a name gets it.")] = False,
) -> int:
    """Send the real mail to one address.

    Twice: as a sample person gets it, and with the words for readers without a name. The subject begins
    with [TEST]; nothing is written down as sent.
    """
    here: Here = context.obj
    if len(to) != 1:
        raise typer.BadParameter("a test goes to one address, never to a list.", param_hint="--to")
    from newsletter.core.delivery import Status
    from newsletter.flows import proofmail

    with here.open() as app:
        report = proofmail.send(issue, to[0], app.desk, segment=as_, named=not no_name)
    terminal.problems(report.problems)
    taken = 0
    for mail in report.mails:
        if mail.outcome.status is Status.SUBMITTED:
            taken += 1
            terminal.say(f"Handed to {report.provider}, written for {mail.reader}.")
        else:
            why = f"{mail.outcome.code} {mail.outcome.detail}".strip()
            said = "The answer was lost; look in the inbox" if mail.outcome.status is Status.UNKNOWN else "Not sent"
            terminal.say(f"{said}, written for {mail.reader}{f': {why}' if why else ''}.")
    return exits.DONE if taken == len(report.mails) else exits.PROBLEMS


def diff(
    context: typer.Context,
    issue: Issue,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    format_: Annotated[Look, typer.Option("--format", help="How to print it.")] = Look.TEXT,
) -> None:
    """Say what is different from the last one sent.

    As Markdown it is for a pull request: the first issue has nothing beside it there.
    """
    here: Here = context.obj
    from newsletter.flows.compare import beside, compare

    if format_ is Look.MARKDOWN and not as_json:
        from newsletter.cli.glance import markdown

        with here.open(listed=False) as app:
            terminal.say(markdown(*beside(issue, app.desk)))
        return
    with here.open(listed=False) as app:
        found = compare(issue, app.desk)
    if as_json:
        terminal.document(found.as_json())
    else:
        _show(found)


def _show(found: Comparison) -> None:
    from newsletter.flows.compare import day_of, parted

    new_, old = found.now.traits, found.before.traits
    when = f"{'sent' if found.before.sent else 'dated'} {day_of(found.before)}"
    terminal.say(f"{found.now.key}, beside {found.before.key} ({when}):\n")
    for name in ("subject", "preheader", "sender", "reply_to"):
        _line(name.replace("_", " "), getattr(new_, name), getattr(old, name))
    _line("words", f"{new_.words:,}", f"{old.words:,}")
    _line("size", f"{new_.bytes:,} bytes", f"{old.bytes:,} bytes")
    for name, word in (("links", "link"), ("images", "picture"), ("footer", "line")):
        _parts(name, word, parted(getattr(new_, name), getattr(old, name)))
    for note in found.notes:
        terminal.say(f"{'note':>9}  {note}")


def _line(name: str, now: str, before: str) -> None:
    terminal.say(f"{name:>9}  {now or 'none'}" + (f"\n{'was':>9}  {before or 'none'}" if now != before else ""))


def _parts(name: str, word: str, parts: dict[str, Any]) -> None:
    added, removed = parts["added"], parts["removed"]
    same = "" if added or removed else ", the same as before" if parts["count"] else ", as before"
    terminal.say(f"{name:>9}  {terminal.counted(parts['count'], word)}{same}")
    for sign, which in (("+", added), ("-", removed)):
        for one in which:
            terminal.say(f"{'':>9}  {sign} {one if len(one) <= _SHOWN else one[: _SHOWN - 1] + '…'}")
