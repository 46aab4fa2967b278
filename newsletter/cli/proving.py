"""`prove`: a provider against the owner's own account."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.cli.sending import Json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(prove)


def prove(
    context: typer.Context,
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Its name.")],
    wait: Annotated[float, typer.Option("--wait", metavar="N", min=0, max=3600, help="Seconds for webhooks.")] = 120,
    as_json: Json = False,
) -> int:
    """Try a provider with your own account.

    Sends to its test addresses, looks it up, waits for the webhooks and reads them twice. Prints what
    happened, without keys and addresses.
    """
    here: Here = context.obj
    from newsletter.core.schedule import iso
    from newsletter.flows.prove import Step
    from newsletter.flows.prove import prove as prove_

    def tell(step: Step) -> None:
        if not as_json:
            terminal.say(f"{step.result:>8}  {step.name}{f': {step.said}' if step.said else ''}")

    with here.open(provider) as app:
        name, begun = app.desk.provider.name, iso(app.desk.now())
        if not as_json:
            terminal.say(f"{name}, {begun}")
        steps = prove_(app.desk, wait=wait, sleep=time.sleep, tell=tell)
    proven = all(step.result in {"passed", "skipped"} for step in steps)
    if as_json:
        document = {"provider": name, "at": begun, "proven": proven, "steps": [asdict(step) for step in steps]}
        terminal.document({**document, "error": None})
    else:
        terminal.say(f"{'proven live' if proven else 'not proven'} on {begun}")
    if any(step.result == "unseen" and step.name.startswith("webhook") for step in steps) and not as_json:
        terminal.say(
            f"Webhooks: let {name} report to {here.settings().base_url}/webhooks/{name}, and run `newsletter serve` "
            "on this database."
        )
    return exits.DONE if proven else exits.PROBLEMS
