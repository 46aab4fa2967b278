"""Who would get an issue, how many, when, through what - and every reason not to send it.

In: an issue's name. Out: a plan and the proof it binds. Touches files, reads the store; changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from newsletter.content import variants
from newsletter.content.issue import Issue
from newsletter.core.campaign import CampaignState, Plan, growth_allowed, topics_of
from newsletter.core.delivery import on_this_machine
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.core.schedule import due, iso
from newsletter.errors import ConfigurationError, NotApproved, NothingToDo
from newsletter.flows.desk import Desk
from newsletter.flows.publish import Proof, proof


def plan(name: str, desk: Desk, *, again: str = "") -> tuple[Plan, Proof]:
    """Make the plan of an issue.

    `again` is the reason why words that were sent before may go once more under this key.
    Raises: ContentError, NothingToDo, NotApproved, ConfigurationError - each says what to do.
    """
    able(desk)
    ready = proof(name, desk)
    issue, publication = ready.issue, desk.publication
    if issue.draft:
        raise NothingToDo(f"{issue.name} is still a draft.", "Set `draft: false` in it when it is ready.")
    topics = topics_of(issue.audience, publication.segments)
    with desk.store.read() as tx:
        begun = tx.campaigns.by_key(issue.key)
        twin = tx.campaigns.with_source(ready.source_sha256)
        heads = dict(tx.campaigns.headcount(topics))
    if begun is not None:
        raise NothingToDo(
            f"{issue.key} was sent on {begun.frozen_at:%Y-%m-%d}."
            if begun.state is CampaignState.FINISHED
            else f"{issue.key} has been begun and is not finished.",
            f"See: newsletter status {issue.key}",
        )
    if twin is not None and not again:
        raise NotApproved(
            f'The same words were already sent as "{twin.key}".',
            'To send them again on purpose: --again "why".',
        )
    if issue.date and publication.first_send and issue.date < publication.first_send:
        raise NotApproved(
            f"{issue.name} is dated before first_send ({publication.first_send}): it is for the archive only.",
            "Give it a later date, or change first_send in newsletter.yml.",
        )
    audience = heads.pop("audience", 0)
    limits(audience, desk.pace)
    size = batch_size(desk)
    made = Plan(
        issue=issue.key,
        subject=ready.issue.subject,
        segments=issue.audience,
        topics=definitions(issue, publication),
        audience=audience,
        excluded=heads,
        provider=desk.provider.name,
        calls=math.ceil(audience / size),
        batch_size=size,
        seconds=round(audience / rate, 1) if (rate := rate_of(desk)) else None,
        send_at=iso(due(issue.date, issue.send_at, publication.send_at, publication.timezone)),
        timezone=publication.timezone,
        content_sha256=ready.sha256,
        made_at=iso(desk.now()) or "",
        html_bytes=sum(len(piece.encode()) for piece in ready.email.html if isinstance(piece, str)),
        warnings=(*(str(problem) for problem in ready.problems), *desk.notes),
    )
    return made, ready


def definitions(issue: Issue, publication: Publication) -> Mapping[str, tuple[str, ...]]:
    """What the segments mean that an issue is for, and those that its blocks name: their topics, by name."""
    return {name: topics_of((name,), publication.segments) for name in (*issue.audience, *variants.names(issue))}


def able(desk: Desk, base_url: str = "") -> None:
    """Refuse what cannot rightly be sent from this set-up. Raises: ConfigurationError.

    In: `base_url`, the one a campaign was frozen with, when there is one. A provider that leads nowhere but
    to this machine (`Capabilities.network` False) may carry links to it.
    """
    if not desk.publication.footer.address.strip():
        raise ConfigurationError(
            "There is no postal address, and the law asks for one in every letter.",
            "Set footer: address: in newsletter.yml.",
        )
    host = urlsplit(base_url or desk.links.base_url).hostname or ""
    if desk.provider.capabilities.network and on_this_machine(host):
        raise ConfigurationError(
            f"Letters sent by {desk.provider.name} would carry links to {host}, which no reader can open.",
            "Set NEWSLETTER_BASE_URL to the public address of the web side (https://...).",
        )


def limits(audience: int, pace: Pace) -> None:
    """Refuse an empty or an oversized audience."""
    if audience == 0:
        raise NothingToDo("Nobody would receive this.", "See: newsletter subscribers list")
    if pace.max_recipients is not None and audience > pace.max_recipients:
        raise NotApproved(
            f"{audience} readers are more than send.max_recipients allows ({pace.max_recipients}).",
            "Raise NEWSLETTER_SEND__MAX_RECIPIENTS if that is right.",
        )


def batch_size(desk: Desk) -> int:
    """Recipients in one call: the provider's maximum, or fewer when the settings say so."""
    most = desk.provider.capabilities.max_batch
    return max(1, min(most, desk.pace.batch_size or most))


def rate_of(desk: Desk) -> float | None:
    """Messages per second: the settings', else the provider's documented limit."""
    return desk.pace.rate or desk.provider.capabilities.rate


def agreed(desk: Desk) -> None:
    """Refuse when the settings ask for an approval this version cannot take. Raises: NotApproved."""
    if desk.pace.approval != "none":
        raise NotApproved(
            f"send.approval is {desk.pace.approval}, and approving by link is not in this version yet.",
            "Set send: approval: none in newsletter.yml, and let the review of the plan be the approval.",
        )


def approved(approval: Mapping[str, object], now_made: Plan, desk: Desk) -> None:
    """Compare an approved plan with the one made now.

    Raises: NothingToDo when it is too early; NotApproved when content, provider, a segment or what it means
    changed, when the audience grew beyond `max_growth`, or when it is too late. Leavers never block.
    """
    planned = approval.get("audience")
    if not isinstance(planned, int) or approval.get("hash") is None:
        raise NotApproved("This file is not a plan.", f"Make one: newsletter plan {now_made.issue} -o plan.json")
    for name, what in (
        ("issue", "It is the plan of another issue."),
        ("content_sha256", "The issue has changed since the plan was made."),
        ("provider", "The provider has changed since the plan was made."),
        ("send_at", "The time to send has changed since the plan was made."),
        ("segments", "The segments have changed since the plan was made."),
        ("topics", "What a segment means (newsletter.yml) has changed since the plan was made."),
    ):
        if approval.get(name) != now_made.as_json()[name]:
            raise NotApproved(what, f"Make a new plan and have it approved: newsletter plan {now_made.issue}")
    if Plan(**{**vars(now_made), "audience": planned}).hash != approval["hash"]:
        raise NotApproved("The plan was edited after it was made.", f"Make a new one: newsletter plan {now_made.issue}")
    grown = now_made.audience - planned
    if grown > growth_allowed(planned, desk.pace.max_growth):
        raise NotApproved(
            f"The audience grew from {planned} to {now_made.audience} since the plan was made.",
            f"Make a new plan and have it approved: newsletter plan {now_made.issue}",
        )
    on_time(now_made, desk)


def on_time(made: Plan, desk: Desk) -> None:
    """Refuse when it is too early (NothingToDo: it stays due) or too late (NotApproved)."""
    if made.send_at is None:
        return
    moment = datetime.fromisoformat(made.send_at)
    if desk.now() < moment:
        raise NothingToDo(f"{made.issue} is due at {made.send_at}.", "It stays due; run again then.")
    if desk.now() > moment + desk.pace.max_lateness:
        raise NotApproved(
            f"{made.issue} was due at {made.send_at}, longer ago than max_lateness allows.",
            "Send it on purpose with --yes, or give it a new date.",
        )
