"""Who would get an issue, how many, when, through what - and every reason not to send it.

In: an issue's name. Out: a plan and the proof it binds. Touches files, reads the store; changes nothing.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from newsletter.content import variants
from newsletter.content.issue import Issue
from newsletter.core import mime
from newsletter.core.bundle import Bundle
from newsletter.core.campaign import Campaign, CampaignState, Counts, Plan, growth_allowed, topics_of
from newsletter.core.delivery import Recipient
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Pieces, Site, fill, parts, thaw
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.core.schedule import due, iso
from newsletter.errors import NewsletterError, NotApproved, NothingToDo
from newsletter.flows import brake, recover
from newsletter.flows.able import able, asked, disk, room
from newsletter.flows.desk import Desk, Place
from newsletter.flows.publish import Proof, proof
from newsletter.ports import Transaction

LEAST_TRAVEL = 1.1
"""A message in a provider's call is a little larger than as MIME: quotes and line ends are escaped."""

RESERVED, RESERVED_MOST = 0.1, 1.0
"""Of an account's rate, what is kept for confirmations: a share, and how many a second are always enough."""

NAMED = 5
"""Readers named by their ids when a mail cannot be written for them."""


def plan(name: str, desk: Desk, *, again: str = "") -> tuple[Plan, Proof]:
    """Make the plan of an issue.

    `again` is the reason why words that were sent before, or an issue that was cancelled before anything of it
    left, may go all the same.
    Raises: ContentError, NothingToDo, NotApproved, ConfigurationError - each says what to do.
    """
    able(desk)
    ready, found = rendered(name, desk)
    return of_bundle(ready, desk, again=again), found


def rendered(name: str, place: Place) -> tuple[Bundle, Proof]:
    """An issue as whoever sends it takes it, here or elsewhere; neither the list nor a provider is needed for it.

    Raises: NotFound, ContentError; NothingToDo for a draft.
    """
    found = proof(name, place)
    if found.issue.draft:
        raise NothingToDo(f"{found.issue.name} is still a draft.", "Set `draft: false` in it when it is ready.")
    return bundle(found, place), found


def of_bundle(ready: Bundle, desk: Desk, *, again: str = "", ask: bool = True) -> Plan:
    """Make the plan of an issue that is rendered already, here or elsewhere. In and raises: as `plan`.

    `ask`: whether the provider is asked about the account.
    """
    able(desk)
    _for_sending(ready, desk.publication)
    _unsent(ready, desk, again=again)
    topics = tuple(dict.fromkeys(topic for name in ready.segments for topic in ready.topics[name]))
    emails = [thaw(one.body) for one in ready.variants]
    with desk.store.read() as tx:
        heads = dict(tx.campaigns.headcount(topics))
        audience = heads.pop("audience", 0)
        sizes = {
            segment: tx.campaigns.headcount(theirs).get("audience", 0) if theirs != topics else audience
            for segment, theirs in ready.topics.items()
        }
        _written_for_all(tx, topics, emails)
    limits(audience, desk.pace)
    message = max(_message_bytes(email, desk.now()) for email in emails)
    size, rate = batch_size(desk, message), rate_of(desk)
    need = disk(desk.provider.capabilities, audience, message, sum(len(one.body.encode()) for one in ready.variants))
    free = desk.free()
    room(need, free)
    first = desk.pace.canary.size(audience)
    return Plan(
        issue=ready.key,
        subject=ready.subject,
        segments=ready.segments,
        topics=ready.topics,
        audience=audience,
        by_segment=sizes,
        excluded=heads,
        provider=desk.provider.name,
        mode=desk.provider.capabilities.mode,
        calls=math.ceil(first / size) + math.ceil((audience - first) / size),
        batch_size=size,
        rate=rate,
        seconds=round(audience / rate, 1) if rate else None,
        send_at=iso(ready.due_at),
        timezone=desk.publication.timezone,
        content_sha256=ready.sha256,
        made_at=iso(desk.now()) or "",
        html_bytes=_bytes(emails[0].html),
        text_bytes=_bytes(emails[0].text),
        message_bytes=message,
        links=_links(emails[0]),
        disk_bytes=need,
        disk_free=free,
        first=first,
        soak_seconds=desk.pace.canary.soak.total_seconds() if first and brake.hears(desk) else 0.0,
        hold_seconds=brake.hold_of(desk).total_seconds(),
        seeds=len(desk.publication.seeds),
        warnings=(
            *ready.warnings,
            *desk.notes,
            *_untold(desk, first),
            *(asked(desk, audience) if ask else ()),
        ),
    )


def bundle(ready: Proof, place: Place) -> Bundle:
    """What a proof becomes for whoever sends it, here or elsewhere. Raises: SettingsError for a time that is none."""
    issue, publication = ready.issue, place.publication
    return Bundle(
        key=issue.key,
        name=issue.name,
        subject=issue.subject,
        segments=issue.audience,
        topics=definitions(issue, publication),
        variants=ready.variants,
        source_sha256=ready.source_sha256,
        base_url=place.links.base_url,
        archive=ready.page,
        day=issue.date,
        due_at=due(issue.date, issue.send_at, publication.send_at, publication.timezone),
        warnings=tuple(str(problem) for problem in ready.problems),
    )


def _untold(desk: Desk, first: int) -> tuple[str, ...]:
    """What the owner should know of the settings: that nothing would be heard, that nobody would be told of a stop."""
    deaf = brake.deaf(desk)
    nobody = not desk.owner and (first or brake.hold_of(desk))
    alone = "owner.email is not set: nobody is told when the letter is held, or stops by itself."
    return (*((deaf,) if deaf else ()), *((alone,) if nobody else ()))


def _for_sending(ready: Bundle, publication: Publication) -> None:
    """Refuse what is for the archive only. Raises: NotApproved."""
    if ready.day and publication.first_send and ready.day < publication.first_send:
        raise NotApproved(
            f"{ready.name} is dated before first_send ({publication.first_send}): it is for the archive only.",
            "Give it a later date, or change first_send in newsletter.yml.",
        )


def _unsent(ready: Bundle, desk: Desk, *, again: str) -> None:
    """Refuse what was sent, under this key or the same words under another. Raises: NothingToDo, NotApproved."""
    with desk.store.read() as tx:
        recover.refuse(tx, ready.key, ready.day)
        begun = tx.campaigns.by_key(ready.key)
        if begun is not None:
            _begun(begun, tx.campaigns.counts(begun.id, desk.now()), again=again)
        twins = [
            one
            for one in tx.campaigns.with_source(ready.source_sha256)
            if not withdrawn(one, tx.campaigns.counts(one.id, desk.now()))
        ]
    if twins and not again.strip():
        raise NotApproved(
            f'The same words were already sent as "{twins[0].key}".',
            'To send them again on purpose: --again "why".',
        )


def _begun(campaign: Campaign, counts: Counts, *, again: str) -> None:
    """Refuse what has a campaign, unless that was withdrawn and somebody says why it goes after all."""
    key = campaign.key
    if withdrawn(campaign, counts):
        if again.strip():
            return
        raise NothingToDo(f"{key} was cancelled before anything of it left.", 'To send it after all: --again "why".')
    said = {
        CampaignState.FINISHED: f"{key} was sent on {campaign.frozen_at:%Y-%m-%d}.",
        CampaignState.CANCELLED: f"{key} was cancelled when a part of it had left.",
    }
    raise NothingToDo(
        said.get(campaign.state, f"{key} has been begun and is not finished."), f"See: newsletter status {key}"
    )


def withdrawn(campaign: Campaign, counts: Counts) -> bool:
    """Whether a campaign was cancelled before anything of it left: then its issue may be sent anew."""
    return campaign.state is CampaignState.CANCELLED and counts.nothing_left


def _written_for_all(tx: Transaction, topics: tuple[str, ...], emails: Sequence[Email]) -> None:
    """Refuse a mail that cannot be written for each of its readers. Raises: NewsletterError, with their ids.

    Writing a mail is joining its pieces with a reader's values, and a merge tag has one or stands on its own word.
    So a dry run for each reader can only fail where both are missing, and the database is asked just that.
    """
    sites = (site for email in emails for pieces in parts(email) for site in pieces if isinstance(site, Site))
    bare = sorted({site.field for site in sites if not site.fallback.strip()} - {UNSUBSCRIBE_URL})
    count, pids = tx.control.without_value(topics, bare, NAMED)
    if count:
        more = f" and {count - len(pids)} more" if count > len(pids) else ""
        raise NewsletterError(
            f"The mail cannot be written for {count} of its readers: a merge tag ({', '.join(bare) or 'the way out'}) "
            f"has no value for {', '.join(pids)}{more}.",
            'Give the tag a word for readers without one, as in {{ first_name, "friend" }}.',
        )


def _message_bytes(email: Email, now: datetime) -> int:
    """How large a message is, written for a reader of whom nothing is known."""
    reader = Recipient("a-reader", "a.reader@example.org", {}, "https://example.org/unsubscribe/" + "x" * 22)
    return len(mime.compile(email).message(reader, at=now, message_id="<a-reader@example.org>"))


def _bytes(pieces: Pieces) -> int:
    return sum(len(piece.encode()) for piece in pieces if isinstance(piece, str))


def _links(email: Email) -> tuple[str, ...]:
    """Where the mail leads to, each once, in reading order; a reader's own way out aside."""
    found = re.findall(r'href="(https?://[^"]+)"', fill(email.html, {}))
    return tuple(dict.fromkeys(html.unescape(url) for url in found))


def definitions(issue: Issue, publication: Publication) -> Mapping[str, tuple[str, ...]]:
    """What the segments mean that an issue is for, and those that its blocks name: their topics, by name."""
    return {name: topics_of((name,), publication.segments) for name in (*issue.audience, *variants.names(issue))}


def limits(audience: int, pace: Pace) -> None:
    """Refuse an empty or an oversized audience."""
    if audience == 0:
        raise NothingToDo("Nobody would receive this.", "See: newsletter subscribers list")
    if pace.max_recipients is not None and audience > pace.max_recipients:
        raise NotApproved(
            f"{audience} readers are more than send.max_recipients allows ({pace.max_recipients}).",
            "Raise NEWSLETTER_SEND__MAX_RECIPIENTS if that is right.",
        )


def batch_size(desk: Desk, message: int = 0) -> int:
    """Recipients in one call: the provider's maximum, or fewer when the settings or its bytes say so.

    In: bytes of one whole message; where the provider merges, a call carries it once and no limit of bytes is met.
    """
    can = desk.provider.capabilities
    most = min(can.max_batch, desk.pace.batch_size or can.max_batch)
    if can.max_call_bytes and can.mode != "merge" and message:
        most = min(most, int(can.max_call_bytes / (message * LEAST_TRAVEL)))
    return max(1, most)


def rate_of(desk: Desk) -> float | None:
    """Messages per second of the account: the settings', else the provider's documented limit."""
    return desk.pace.rate or desk.provider.capabilities.rate


def letters_rate(desk: Desk) -> float | None:
    """What a campaign takes of it: where the front door's mail goes through the same account, a share is kept."""
    rate = rate_of(desk)
    if rate is None or desk.transactional.name != desk.provider.name:
        return rate
    return rate - min(rate * RESERVED, RESERVED_MOST)


def approved(approval: Mapping[str, object], now_made: Plan, desk: Desk) -> tuple[str, ...]:
    """Compare an approved plan with the one made now. Out: what differs and passes.

    Raises: NothingToDo when it is too early; NotApproved when it is too late, and as `unchanged` does.
    """
    told = unchanged(approval, now_made, desk)
    on_time(now_made.issue, datetime.fromisoformat(now_made.send_at) if now_made.send_at else None, desk)
    return told


def unchanged(approval: Mapping[str, object], now_made: Plan, desk: Desk) -> tuple[str, ...]:
    """Compare an approved plan with the one made now, whatever the time. Out: what differs and passes.

    Raises: NotApproved when content, provider, a segment or what it means changed, or when the audience grew beyond
    `max_growth`. Leavers never block.
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
    return (f"The audience grew from {planned} to {now_made.audience} since the plan was made.",) if grown > 0 else ()


def on_time(issue: str, moment: datetime | None, desk: Desk) -> None:
    """Refuse when it is too early (NothingToDo: it stays due) or too late (NotApproved)."""
    if moment is None:
        return
    if desk.now() < moment:
        raise NothingToDo(f"{issue} is due at {iso(moment)}.", "It stays due; run again then.")
    if desk.now() > moment + desk.pace.max_lateness:
        raise NotApproved(
            f"{issue} was due at {iso(moment)}, longer ago than max_lateness allows.",
            f"Send it on purpose (newsletter send {issue} --yes), or give it a new date.",
        )
