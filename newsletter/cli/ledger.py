"""`status`, `resolve`, `pause`, `resume`, `cancel`, `resend`: what was sent, and what an operator does about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import documents, exits, terminal
from newsletter.cli.here import Here
from newsletter.cli.sending import Issue, Json, ProviderName
from newsletter.cli.sending import ledger as in_words

if TYPE_CHECKING:
    from newsletter.core.campaign import Campaign, Counts
    from newsletter.core.halt import Told
    from newsletter.flows.ledger import Held

OneOrNone = Annotated[str | None, typer.Argument(metavar="[ISSUE]", help="A path or a slug.")]


class Word(StrEnum):
    """What an operator says of rows nobody else knows of."""

    SUBMITTED = "submitted"
    UNSENT = "unsent"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (status, resolve, pause, resume, cancel, resend):
        app.command()(command)


def status(
    context: typer.Context,
    issue: Annotated[str | None, typer.Argument(metavar="[ISSUE]", help="One issue; all when none.")] = None,
    as_json: Json = False,
) -> None:
    """Show the ledger in words.

    How many got it, how many did not, and why.
    """
    here: Here = context.obj
    if here.asks_a_server():
        from newsletter.cli import remote

        remote.status(issue, here, as_json=as_json)
        return
    from newsletter.core.schedule import iso
    from newsletter.flows.brake import told as told_
    from newsletter.flows.ledger import checksum, held, last_claim
    from newsletter.flows.ledger import status as status_

    with here.open() as app:
        stopped = held(app.desk)
        if issue is None:
            with app.desk.store.read() as tx:
                all_ = [(one, tx.campaigns.counts(one.id, app.desk.now())) for one in tx.campaigns.all()]
            _list(all_, stopped, as_json=as_json)
            return
        campaign, counts, reasons = status_(issue, app.desk)
        claimed = last_claim(campaign, app.desk)
        told, proof = told_(campaign, app.desk), checksum(campaign, app.desk)
    if as_json:
        more = {
            "checksum": proof or None,
            "reasons": dict(reasons),
            "last_claim_at": iso(claimed),
            "all_paused": stopped.paused,
            "told": documents.told(told),
            "error": None,
        }
        terminal.document({**documents.status(campaign, counts), **more})
        return
    _held(stopped)
    terminal.say(f"{campaign.key} is {campaign.state}, through {campaign.provider}: {campaign.subject}")
    _back(campaign)
    in_words(counts)
    for why, count in reasons.items():
        terminal.say(f"{count:>10,}  did not receive: {why or 'no reason given'}")
    for why, count in campaign.excluded.items():
        terminal.say(f"{count:>10,}  not in the audience when it was frozen: {why}")
    _told(told)
    _leavers(claimed)
    if proof:
        terminal.say(f"The ledger's checksum is {proof}.")


def _told(told: Told) -> None:
    """What providers told afterwards. What nobody reports is no zero."""
    if told.complained is None:
        terminal.say(f"{'-':>10}  told of afterwards: nothing yet, so bounces and complaints are not reported")
        return
    some = f" (of {told.unreported:,} at Gmail: not reported)" if told.unreported else ""
    terminal.say(f"{told.heard:>10,}  told of afterwards")
    terminal.say(f"{told.bounced:>10,}  of them bounced for good")
    terminal.say(f"{told.complained:>10,}  of them complained{some}")


def _back(campaign: Campaign) -> None:
    """What holds it back."""
    from newsletter.core.campaign import CampaignState

    if campaign.state is CampaignState.PAUSED and campaign.brake:
        terminal.say(f"It stopped by itself: {campaign.brake}. To go on all the same: newsletter resume {campaign.key}")
    elif campaign.state is CampaignState.SENDING and campaign.started_at is None and campaign.held_until:
        terminal.say(f"It is held until {campaign.held_until:%Y-%m-%d %H:%M:%S} UTC.")
    elif campaign.state is CampaignState.SENDING and campaign.soak_until:
        terminal.say(f"Its first slice soaks until {campaign.soak_until:%Y-%m-%d %H:%M:%S} UTC.")


def _leavers(claimed: datetime | None) -> None:
    if claimed is not None:
        terminal.say(
            f"The last batch was taken at {claimed:%Y-%m-%d %H:%M:%S} UTC. Who has left is read when one is taken: the "
            "last mail to somebody who left can have gone within seconds of that, and none later."
        )


def _held(stopped: Held) -> None:
    if stopped.paused:
        waiting = terminal.counted(stopped.waiting, "mail")
        terminal.say(f"All sending is paused, confirmations too ({waiting} waiting). To go on: newsletter resume --all")


def _list(all_: list[tuple[Campaign, Counts]], stopped: Held, *, as_json: bool) -> None:
    if as_json:
        terminal.document([documents.status(campaign, counts) for campaign, counts in all_])
        return
    _held(stopped)
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
    from newsletter.flows.ledger import settling
    from newsletter.flows.ledger import status as status_

    word = {None: None, Word.SUBMITTED: Status.SUBMITTED, Word.UNSENT: Status.RETRY}[as_]
    with here.open(provider) as app:
        settled, counts = resolve_(issue, app.desk, as_=word)
        campaign, _, _ = status_(issue, app.desk)
        still = settling(campaign, app.desk)
    if as_json:
        more = {"settled": settled, **documents.settling(still), "error": None}
        terminal.document({**documents.status(campaign, counts), **more})
    else:
        terminal.say(f"{terminal.counted(settled, 'row')} settled.")
        in_words(counts)
        if still.until is not None:
            terminal.say(f"The provider can be asked about {still.rows} from {still.until:%H:%M:%S} UTC on.")
        if counts.uncertain:
            terminal.say("To settle the rest by your own word: --as submitted, or --as unsent (they will be sent).")
    if not counts.uncertain:
        return exits.DONE
    return exits.LEFT if still.until is not None else exits.PROBLEMS


def pause(
    context: typer.Context,
    issue: OneOrNone = None,
    everything: Annotated[bool, typer.Option("--all", help="All sending, confirmations too.")] = False,
) -> None:
    """Stop a campaign after the batches in flight.

    With `--all`, every campaign and the mail of the web side, until `resume --all`. Nothing is lost.
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
    if issue is not None and here.asks_a_server():
        from newsletter.cli import remote

        remote.turn(issue, "pause" if state == "paused" else "resume", here)
        return
    with here.open() as app:
        if issue is not None:
            terminal.say(f"{turn(issue, app.desk, CampaignState(state)).key} is {state}.")
            return
        turn_all(app.desk, paused=state == "paused")
        said = "All sending is paused, confirmations too." if state == "paused" else "Sending may go on."
        terminal.say(said)


def cancel(context: typer.Context, issue: Issue, as_json: Json = False) -> int:
    """End a campaign for good.

    What is in flight ends as it ends; nobody else gets it.
    """
    here: Here = context.obj
    if here.asks_a_server():
        from newsletter.cli import remote

        remote.turn(issue, "cancel", here, as_json=as_json)
        return exits.DONE
    from newsletter.flows.ledger import cancel as cancel_

    with here.open() as app:
        campaign, counts = cancel_(issue, app.desk)
    if as_json:
        terminal.document({**documents.status(campaign, counts), "error": None})
    else:
        terminal.say(f"{campaign.key} is cancelled.")
        in_words(counts)
        if counts.nothing_left:
            terminal.say('Nothing of it had left. To send it after all: newsletter send ... --again "why".')
        if counts.uncertain:
            terminal.say(f"To settle what is uncertain: newsletter resolve {campaign.key}")
        if counts.pending:
            terminal.say("What is still to go is in the hands of a sender, and ends by itself.")
    return exits.DONE


def resend(
    context: typer.Context,
    issue: Issue,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="The reader who asked.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is kept.")],
    provider: ProviderName = "",
    as_json: Json = False,
) -> int:
    """Send one more copy to a reader who asked.

    To one active reader, once a day. The campaign's own rows stay as they are.
    """
    here: Here = context.obj
    from newsletter.core.delivery import Status
    from newsletter.flows.resend import resend as resend_

    if not why.strip():
        raise typer.BadParameter("say why.", param_hint="--why")
    with here.open(provider) as app:
        copy = resend_(issue, to, app.desk, why=why)
    outcome = copy.outcome
    if as_json:
        terminal.document(documents.copied(copy.campaign, outcome))
    else:
        said = {
            Status.SUBMITTED: "One more copy is on its way.",
            Status.UNKNOWN: "The answer was lost: the copy may be on its way or not.",
            Status.RETRY: "Not sent now; run again later.",
        }.get(outcome.status, "The provider did not take it.")
        terminal.say(f"{said} {f'{outcome.code} {outcome.detail}'.strip()}".strip())
    return {Status.SUBMITTED: exits.DONE, Status.RETRY: exits.LEFT}.get(outcome.status, exits.PROBLEMS)
