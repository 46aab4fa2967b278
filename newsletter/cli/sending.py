"""`plan`, `send`, `status`, `resolve`, `pause`, `resume`: the press, seen from a terminal or from CI."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.errors import NotApproved

if TYPE_CHECKING:
    from newsletter.core.campaign import Campaign, Counts, Plan
    from newsletter.flows.send import Report

Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Again = Annotated[str, typer.Option("--again", metavar="WHY", help="Send words that were sent before, and why.")]
ProviderName = Annotated[str, typer.Option("--provider", metavar="NAME", help="Instead of the provider set.")]


class Word(StrEnum):
    """What an operator says of rows nobody else knows of."""

    SUBMITTED = "submitted"
    UNSENT = "unsent"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (plan, send, status, resolve, pause, resume):
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
    from newsletter.flows.plan import plan as plan_

    with here.open(provider) as app:
        made, _ = plan_(issue, app.desk, again=again)
    if out is not None:
        out.write_text(json.dumps(made.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
    if as_json:
        terminal.document(made.as_json())
    else:
        _show(made)
        if out is not None:
            terminal.say(f"\nwritten to {out}")


def _show(made: Plan) -> None:
    rows = [
        ("issue", made.issue),
        ("subject", made.subject),
        ("to", f"{terminal.counted(made.audience, 'reader')} of {', '.join(made.segments)}"),
        ("left out", ", ".join(f"{count} {why}" for why, count in made.excluded.items()) or "nobody"),
        ("due", f"{made.send_at} ({made.timezone})" if made.send_at else "whenever you send it"),
        ("through", f"{made.provider}, {terminal.counted(made.calls, 'call')} of at most {made.batch_size}"),
        (
            "takes",
            "as long as the calls take" if made.seconds is None else f"about {made.seconds:,.0f} s at the rate set",
        ),
        ("size", f"{made.html_bytes:,} bytes of HTML"),
        ("hash", made.hash),
    ]
    for name, value in rows:
        terminal.say(f"{name:>9}  {value}")
    for warning in made.warnings:
        terminal.say(f"{'note':>9}  {warning}")


def send(
    context: typer.Context,
    issue: Issue,
    approval: Annotated[Path | None, typer.Option("--plan", metavar="PLAN.json", help="The plan agreed to.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send now, whatever date and send_at say.")] = False,
    provider: ProviderName = "",
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", metavar="N", min=1, help="Stop then (75).")
    ] = None,
    again: Again = "",
    as_json: Json = False,
) -> int:
    """Send an issue, every reader once.

    Run again, it continues what was begun; finished, it sends nothing (exit 3).
    """
    here: Here = context.obj
    from newsletter.flows.send import send as send_

    if approval is None and not yes:
        raise NotApproved(
            "Nobody has said yes.",
            f"Make a plan (newsletter plan {issue} -o plan.json), then --plan plan.json or --yes.",
        )
    agreed = _read(approval) if approval is not None else None
    with here.open(provider) as app:
        report = send_(
            issue,
            app.desk,
            approval=agreed,
            again=again,
            stop=_stop_on_signals(),
            seconds=max_seconds,
            progress=_progress(),
        )
        counts, campaign = report.counts, report.campaign
        if as_json:
            terminal.document({**_status(campaign, counts), "sent": report.sent, **_settling(report)})
        else:
            terminal.say(f"{campaign.key}: {terminal.counted(report.sent, 'mail')} sent in this run.")
            _ledger(counts)
    return _ended(report)


def _settling(report: Report) -> dict[str, object]:
    from newsletter.core.schedule import iso

    return {"settling": report.settling.rows, "settling_until": iso(report.settling.until), "why": report.why or None}


def _ended(report: Report) -> int:
    """The exit code of a run, and what is to be done next."""
    uncertain, still = report.counts.uncertain, report.settling
    if report.finished:
        return exits.DONE
    if report.counts.pending:
        _note(f"stopped with work left: {report.why or 'the provider took a part'}; run the same command again")
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
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise NotApproved(f"{path} is not a plan.", "Make one: newsletter plan ISSUE -o plan.json")
    return found


def _stop_on_signals() -> Event:
    """SIGINT and SIGTERM stop claiming; calls in flight finish and are written down."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _progress() -> Callable[[int, int], None]:
    """A line that is overwritten on a terminal; elsewhere a plain line every ten seconds."""
    tty = sys.stderr.isatty()
    begun = last = time.monotonic()

    def show(done: int, audience: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.1 if tty else 10) and done < audience:
            return
        last = now
        rate = done / max(now - begun, 0.001)
        left = (audience - done) / rate if rate else 0
        line = f"{done:,} of {audience:,} ({done / max(audience, 1):.0%}), {rate:,.0f}/s, {left:,.0f} s left"
        sys.stderr.write(f"\r{line}\x1b[K" if tty else line + "\n")
        if tty and done >= audience:
            sys.stderr.write("\n")
        sys.stderr.flush()

    return show


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")


def _status(campaign: Campaign, counts: Counts) -> dict[str, object]:
    from newsletter.core.schedule import iso

    return {
        "issue": campaign.key,
        "campaign": campaign.pid,
        "state": campaign.state.value,
        "subject": campaign.subject,
        "provider": campaign.provider,
        "audience": counts.audience,
        "submitted": counts.submitted,
        "suppressed": counts.suppressed,
        "failed": counts.failed,
        "uncertain": counts.uncertain,
        "pending": counts.pending,
        "batches": campaign.batches,
        "excluded": dict(campaign.excluded),
        "content_sha256": campaign.content_sha256,
        "frozen_at": iso(campaign.frozen_at),
        "started_at": iso(campaign.started_at),
        "finished_at": iso(campaign.finished_at),
    }


def _ledger(counts: Counts) -> None:
    words = {
        "submitted": "taken by the provider",
        "suppressed": "left, bounced or complained before their turn",
        "failed": "refused for good",
        "uncertain": "nobody knows; never guessed",
        "pending": "still to go",
    }
    for name, meaning in words.items():
        terminal.say(f"{getattr(counts, name):>10,}  {name:<11}{meaning}")
    terminal.say(f"{counts.audience:>10,}  audience   {'adds up' if counts.adds_up else 'DOES NOT ADD UP'}")


def status(
    context: typer.Context,
    issue: Annotated[str | None, typer.Argument(metavar="[ISSUE]", help="One issue; all when none.")] = None,
    as_json: Json = False,
) -> None:
    """Show the ledger in words.

    How many got it, how many did not, and why.
    """
    here: Here = context.obj
    from newsletter.flows.ledger import status as status_

    with here.open() as app:
        if issue is None:
            with app.desk.store.read() as tx:
                all_ = [(one, tx.campaigns.counts(one.id, app.desk.now())) for one in tx.campaigns.all()]
            _list(all_, as_json=as_json)
            return
        campaign, counts, reasons = status_(issue, app.desk)
    if as_json:
        terminal.document({**_status(campaign, counts), "reasons": dict(reasons)})
        return
    terminal.say(f"{campaign.key} is {campaign.state}, through {campaign.provider}: {campaign.subject}")
    _ledger(counts)
    for why, count in reasons.items():
        terminal.say(f"{count:>10,}  did not receive: {why or 'no reason given'}")
    for why, count in campaign.excluded.items():
        terminal.say(f"{count:>10,}  not in the audience when it was frozen: {why}")


def _list(all_: list[tuple[Campaign, Counts]], *, as_json: bool) -> None:
    if as_json:
        terminal.document([_status(campaign, counts) for campaign, counts in all_])
        return
    head = ("issue", "state", "audience", "submitted", "suppressed", "failed", "uncertain", "pending")
    terminal.table(
        (
            (one.key, one.state, n.audience, n.submitted, n.suppressed, n.failed, n.uncertain, n.pending)
            for one, n in all_
        ),
        head,
    )


def resolve(
    context: typer.Context,
    issue: Issue,
    as_: Annotated[Word | None, typer.Option("--as", help="Your word for what the provider cannot tell.")] = None,
    provider: ProviderName = "",
    as_json: Json = False,
) -> int:
    """Settle what is uncertain.

    The provider is asked first; for what it cannot tell, your word counts.
    """
    here: Here = context.obj
    from newsletter.core.delivery import Status
    from newsletter.flows.ledger import resolve as resolve_
    from newsletter.flows.ledger import status as status_

    word = {None: None, Word.SUBMITTED: Status.SUBMITTED, Word.UNSENT: Status.RETRY}[as_]
    with here.open(provider) as app:
        settled, counts = resolve_(issue, app.desk, as_=word)
        campaign, _, _ = status_(issue, app.desk)
    if as_json:
        terminal.document({**_status(campaign, counts), "settled": settled})
    else:
        terminal.say(f"{terminal.counted(settled, 'row')} settled.")
        _ledger(counts)
        if counts.uncertain:
            terminal.say("To settle the rest by your own word: --as submitted, or --as unsent (they will be sent).")
    return exits.PROBLEMS if counts.uncertain else exits.DONE


OneOrNone = Annotated[str | None, typer.Argument(metavar="[ISSUE]", help="A path or a slug.")]


def pause(
    context: typer.Context,
    issue: OneOrNone = None,
    everything: Annotated[bool, typer.Option("--all", help="All sending, whatever the issue.")] = False,
) -> None:
    """Stop a campaign after the batches in flight.

    With `--all`, every campaign, until `resume --all`.
    """
    _turn(context.obj, issue, "paused", everything=everything)


def resume(
    context: typer.Context,
    issue: OneOrNone = None,
    everything: Annotated[bool, typer.Option("--all", help="Take `pause --all` back.")] = False,
) -> None:
    """Let a paused campaign go on.

    `send` then continues it. With `--all`, what `pause --all` stopped; a campaign's own pause stays.
    """
    _turn(context.obj, issue, "sending", everything=everything)


def _turn(here: Here, issue: str | None, state: str, *, everything: bool) -> None:
    from newsletter.core.campaign import CampaignState
    from newsletter.flows.ledger import turn, turn_all

    if everything == (issue is not None):
        raise typer.BadParameter("Name one issue, or say --all.")
    with here.open() as app:
        if issue is not None:
            terminal.say(f"{turn(issue, app.desk, CampaignState(state)).key} is {state}.")
            return
        turn_all(app.desk, paused=state == "paused")
        terminal.say("All sending is paused." if state == "paused" else "Sending may go on.")
