"""`plan` and `send`: the press, seen from a terminal or from CI."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import documents, exits, terminal
from newsletter.cli.here import Here
from newsletter.cli.progress import Progress, is_terminal, span
from newsletter.cli.stopping import Stop
from newsletter.errors import ContentError, NewsletterError, NotApproved, NothingToDo

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.core.campaign import Counts, Plan
    from newsletter.flows.due import Due
    from newsletter.flows.send import Report

Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Again = Annotated[
    str, typer.Option("--again", metavar="WHY", help="Send words that were sent before, or were cancelled, and why.")
]
ProviderName = Annotated[str, typer.Option("--provider", metavar="NAME", help="Instead of the provider set.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (plan, send):
        app.command()(command)


def plan(
    context: typer.Context,
    issue: Issue,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="PLAN.json", help="Write it to a file.")] = None,
    provider: ProviderName = "",
    again: Again = "",
) -> None:
    """Say who would get an issue, and how.

    Who, how many, when, through what, in how many calls; what is left out, and why; with a hash.
    """
    here: Here = context.obj
    made, url = _planned(issue, here, provider, again)
    if out is not None:
        out.write_text(json.dumps(made.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
    if as_json:
        terminal.document({**made.as_json(), "review_url": url or None})
    else:
        _show(made)
        if url:
            terminal.say(f"{'look':>9}  {url}")
        if out is not None:
            terminal.say(f"\nwritten to {out}")


def _planned(issue: str, here: Here, provider: str, again: str) -> tuple[Plan, str]:
    """The plan, and where the letter can be looked at: a link that can do no more."""
    if here.asks_a_server(provider):
        from newsletter.cli import remote

        return remote.planned(issue, here, again=again)
    from newsletter.flows.plan import plan as plan_
    from newsletter.flows.review import page

    with here.open(provider) as app:
        made, ready = plan_(issue, app.desk, again=again)
        return made, page(made, ready, app.desk)


def _show(made: Plan) -> None:
    rate = f"at {made.rate:,.0f} mails per second" if made.rate and made.rate >= 1 else "at the rate set"
    free = f", {_megabytes(made.disk_free)} free" if made.disk_free is not None else ""
    rows = [
        ("issue", made.issue),
        ("subject", made.subject),
        ("to", f"{terminal.counted(made.audience, 'reader')} of {', '.join(made.segments)}"),
        *(("", f"{count:,} in {name}") for name, count in made.by_segment.items() if len(made.by_segment) > 1),
        ("left out", ", ".join(f"{count} {why}" for why, count in made.excluded.items()) or "nobody"),
        ("due", f"{made.send_at} ({made.timezone})" if made.send_at else "whenever you send it"),
        (
            "through",
            f"{made.provider}, {terminal.counted(made.calls, 'call')} of at most {made.batch_size} ({made.mode})",
        ),
        ("takes", "as long as the calls take" if made.seconds is None else f"about {span(made.seconds)} {rate}"),
        *_steps(made),
        ("size", f"{made.html_bytes:,} bytes of HTML, {made.text_bytes:,} of text; a mail {made.message_bytes:,}"),
        ("links", f"{terminal.counted(len(made.links), 'link')}"),
        ("disk", f"about {_megabytes(made.disk_bytes)} of this machine's{free}"),
        ("checks", f"passed, {terminal.counted(len(made.warnings), 'note')}" if made.warnings else "passed"),
        ("hash", made.hash),
    ]
    for name, value in rows:
        terminal.say(f"{name:>9}  {value}")
    for warning in made.warnings:
        terminal.say(f"{'note':>9}  {warning}")


def _steps(made: Plan) -> Iterator[tuple[str, str]]:
    """What happens before, between and beside: the hold, the first slice, seeds."""
    if made.hold_seconds:
        yield "hold", f"{span(made.hold_seconds)} between the approval and the first mail (none with --yes)"
    if made.first:
        soak = f"the rest {span(made.soak_seconds)} later, if all is well" if made.soak_seconds else _DEAF
        yield "first", f"{terminal.counted(made.first, 'reader')}, {soak}"
    if made.seeds:
        yield "seeds", f"{made.seeds} of your own, first and last, beside the counts"


_DEAF = "the rest at once, as this provider tells nothing afterwards"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else "1 MB"  # noqa: PLR2004 - under a megabyte nobody counts


def send(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="[ISSUE]", help="A path or a slug.")] = "",
    approval: Annotated[Path | None, typer.Option("--plan", metavar="PLAN.json", help="The plan agreed to.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send now, whatever date and send_at say.")] = False,
    due: Annotated[bool, typer.Option("--due", help="Everything whose time has come.")] = False,
    provider: ProviderName = "",
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", metavar="N", min=1, help="Stop then (75).")
    ] = None,
    again: Again = "",
    as_json: Json = False,
) -> int:
    """Send an issue, every reader once.

    Run again, it continues what was begun; finished, it sends nothing (exit 3). With --due, every issue
    whose time has come.
    """
    here: Here = context.obj
    if due:
        if issue or yes or again or approval is not None:
            raise typer.BadParameter("--due stands alone: it takes what is due, in its own time.", param_hint="--due")
        if here.asks_a_server(provider):
            from newsletter.cli import remote

            return remote.send_due(here, _stop_due(as_json=as_json), seconds=max_seconds, as_json=as_json)
        with here.open(provider) as app:
            return _send_due(app, seconds=max_seconds, as_json=as_json)
    if not issue:
        raise typer.BadParameter("name one, or say --due.", param_hint="ISSUE")
    if approval is None and not yes:
        raise NotApproved(
            "Nobody has said yes.",
            f"Make a plan (newsletter plan {issue} -o plan.json), then --plan plan.json or --yes.",
        )
    agreed = _read(approval) if approval is not None else None
    if here.asks_a_server(provider):
        from newsletter.cli import remote

        said = remote.How(plan=None if yes else agreed, again=again, seconds=max_seconds)
        return remote.send(issue, here, said, Stop({} if as_json else None), as_json=as_json)
    with here.open(provider) as app:
        hold = agreed is not None and not yes
        how = {"approval": agreed, "hold": hold, "again": again}
        report = _send(issue, app, Stop({} if as_json else None), seconds=max_seconds, **how)
        document = _document(report, app) if as_json else {}
    if as_json:
        terminal.document(document)
    else:
        _say(report)
    return _ended(report)


def _send(issue: str, app: App, stop: Stop, *, seconds: float | None, **how: Any) -> Report:
    """Send one. What the ledger says when it fails travels with the error."""
    from newsletter.flows.send import send as send_

    progress = Progress(sys.stderr, is_terminal(sys.stderr))
    try:
        return send_(issue, app.desk, stop=stop, seconds=seconds, progress=progress, **how)
    except NewsletterError as problem:
        problem.known = _known(issue, app)
        raise
    finally:
        stop.returned = stop.is_set()
        progress.end()


def _known(issue: str, app: App) -> dict[str, object]:
    from newsletter.flows.ledger import status

    try:
        campaign, counts, _ = status(issue, app.desk)
    except NewsletterError:  # it is not begun, or the database is away
        return {}
    return documents.status(campaign, counts)


def _document(report: Report, app: App) -> dict[str, object]:
    from newsletter.core.schedule import iso
    from newsletter.flows.ledger import last_claim

    return {
        **documents.status(report.campaign, report.counts),
        "sent": report.sent,
        **documents.settling(report.settling),
        "why": report.why or None,
        "notes": list(report.notes),
        "last_claim_at": iso(last_claim(report.campaign, app.desk)),
        "error": None,
    }


def _say(report: Report) -> None:
    for note in report.notes:
        terminal.say(f"note: {note}")
    terminal.say(f"{report.campaign.key}: {terminal.counted(report.sent, 'mail')} sent in this run.")
    ledger(report.counts)


# --- everything that is due ---------------------------------------------------------------------------


def _send_due(app: App, *, seconds: float | None, as_json: bool) -> int:
    """Send what is due, one after another; what goes wrong with one does not hold the others."""
    found = _due(app)
    stop = _stop_due(as_json=as_json)
    deadline = time.monotonic() + seconds if seconds is not None else None
    codes, documents_ = [], []
    for one in found:
        left = deadline - time.monotonic() if deadline is not None else None
        if stop.is_set() or (left is not None and left <= 0):
            code, document = not_begun(one)
        else:
            code, document = _send_one(one, app, stop, seconds=left, as_json=as_json)
        codes.append(code)
        documents_.append({**document, "exit": code})
    code = exits.worst(codes)
    if as_json:
        terminal.document({"issues": documents_, "exit": code, "error": None})
    return code


def _due(app: App) -> list[Due]:
    """What is due. Raises: NothingToDo when nothing is; NotApproved, as `due` does."""
    from newsletter.flows.due import due

    try:
        if found := due(app.desk):
            return found
        raise NothingToDo("Nothing is due.")
    except NewsletterError as problem:
        problem.known = {"issues": [], "exit": exits.code(problem)}
        raise


def not_begun(one: Due) -> tuple[int, dict[str, object]]:
    """What is said of a letter whose turn did not come before the run had to end."""
    what, todo = f"{one.key}: not begun, as the time was over", "Run the same command again."
    _note(what)
    return exits.LEFT, documents.failed("send", {"issue": one.key}, what, todo, exits.LEFT)


def _send_one(one: Due, app: App, stop: Stop, *, seconds: float | None, as_json: bool) -> tuple[int, dict[str, object]]:
    try:
        if one.refused is not None:
            raise one.refused
        report = _send(one.name, app, stop, seconds=seconds, hold=True)
    except NewsletterError as problem:
        if isinstance(problem, ContentError):
            terminal.problems(problem.problems, file=sys.stderr)
        terminal.complain(problem)
        code = exits.code(problem)
        return code, documents.failed("send", {"issue": one.key, **problem.known}, problem.what, problem.todo, code)
    if not as_json:
        _say(report)
    return _ended(report), _document(report, app)


# --- how a run ends -----------------------------------------------------------------------------------


def _ended(report: Report) -> int:
    """The exit code of a run, and what is to be done next."""
    from newsletter.core.campaign import CampaignState

    uncertain, still = report.counts.uncertain, report.settling
    if report.campaign.state is CampaignState.CANCELLED:
        _note(f"it was cancelled; see: newsletter status {report.campaign.key}")
    if report.finished:
        return exits.DONE
    if report.counts.pending:
        paused = report.campaign.state is CampaignState.PAUSED
        then = f"to go on: newsletter resume {report.campaign.key}" if paused else "run the same command again"
        _note(f"stopped with work left: {report.why or 'the provider took a part'}; {then}")
        return exits.LEFT
    if still.until is not None:
        _note(
            f"{still.rows} of {uncertain} uncertain: the provider can be asked from {still.until:%H:%M:%S} UTC on; "
            "run the same command again then"
        )
        return exits.LEFT
    _note(f"{uncertain} uncertain: the answer was lost, and the provider cannot tell; see: newsletter resolve")
    return exits.PROBLEMS


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotApproved(f"{path} is not a plan.", "Make one: newsletter plan ISSUE -o plan.json")
    return found


def _stop_due(*, as_json: bool) -> Stop:
    return Stop({"issues": [], "exit": exits.LEFT} if as_json else None)


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")


def ledger(counts: Counts) -> None:
    """The counts in words, and whether they add up."""
    words = {
        "submitted": "taken by the provider",
        "suppressed": "left, bounced or complained before their turn, or it was cancelled",
        "failed": "refused for good",
        "uncertain": "nobody knows; never guessed",
        "pending": "still to go",
    }
    for name, meaning in words.items():
        terminal.say(f"{getattr(counts, name):>10,}  {name:<11}{meaning}")
    terminal.say(f"{counts.audience:>10,}  audience   {'adds up' if counts.adds_up else 'DOES NOT ADD UP'}")
