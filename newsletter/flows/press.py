"""The server as the sender: it plans, freezes and sends what another machine has rendered.

In: a bundle, and who asks. Out: a plan, or a campaign that is frozen; the server's own thread sends it (`work`).
Touches the campaign's rows and its order; nothing is sent while somebody waits for an answer.

The bytes are the bundle's own, bound by its hash: nothing is rendered again. What is looked at is whether they may go
from here - links, sender, segments, way out, postal address, pictures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from threading import Event

from newsletter.content import check, headers, images
from newsletter.content.issue import Issue
from newsletter.core.bundle import Bundle
from newsletter.core.campaign import Campaign, CampaignState, Counts, Plan, topics_of
from newsletter.core.email import Email, Site, fill, freeze, parts, thaw
from newsletter.core.order import Order, Trouble
from newsletter.core.problem import errors
from newsletter.core.review import Person, Role
from newsletter.errors import (
    AccessRefused,
    AddressRefused,
    ConfigurationError,
    ContentError,
    FileRefused,
    KeysAway,
    NewsletterError,
    NotApproved,
    NotFound,
    NothingToDo,
    ScopeRefused,
    WorkLeft,
)
from newsletter.flows import people, review
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import Settling, last_claim, settling
from newsletter.flows.plan import of_bundle, on_time, withdrawn
from newsletter.flows.send import Report, freeze_as, go_on

KINDS: tuple[tuple[type[NewsletterError], str], ...] = (
    (ContentError, "content"),
    (NotFound, "not-found"),
    (NothingToDo, "nothing-to-do"),
    (KeysAway, "keys-away"),
    (WorkLeft, "work-left"),
    (NotApproved, "not-approved"),
    (ScopeRefused, "scope"),
    (AccessRefused, "access"),
    (AddressRefused, "address"),
    (ConfigurationError, "configuration"),
    (FileRefused, "file-refused"),
    (NewsletterError, "trouble"),
)
"""The words by which another machine learns what kind of error it was; the first row that fits decides."""

MOST_NAMED = 5
_LEGAL = frozenset({"E300", "E303", "E304"})


def kind(problem: NewsletterError) -> str:
    """The word for an error."""
    return next(word for one, word in KINDS if isinstance(problem, one))


def error(word: str, what: str, todo: str) -> NewsletterError:
    """The error of a word, on the other machine."""
    if word == "content":
        return NewsletterError(what, todo)  # its findings stayed where they were found
    return next((one for one, known in KINDS if known == word), NewsletterError)(what, todo)


@dataclass(frozen=True)
class Standing:
    """Where a campaign stands, for whoever follows it."""

    campaign: Campaign
    counts: Counts
    settling: Settling
    order: Order | None
    paused_all: bool
    last_claim_at: datetime | None = None


# --- what came ----------------------------------------------------------------------------------------


def plan(bundle: Bundle, desk: Desk, *, again: str = "") -> Plan:
    """Who would get a bundle, and how; changes nothing. Raises: as `flows.plan.plan`, and what `order` refuses."""
    _fits(bundle, desk)
    return of_bundle(bundle, desk, again=again)


def page(made: Plan, bundle: Bundle, desk: Desk) -> str:
    """Where a bundle of which a plan was made can be looked at: a link that can do no more.

    It is kept, so that its owners are asked before its time, and told if it does not go.
    """
    with desk.store.begin() as tx:
        kept = review.keep(tx, review.of_plan(made, bundle, desk))
    return people.link(kept.id, Person(Role.LOOK), desk)


def order(
    bundle: Bundle, desk: Desk, *, by: str, approval: Mapping[str, object] | None, again: str = "", now: bool = True
) -> tuple[Standing, bool]:
    """Freeze a bundle for the server to send; the same again is the same campaign.

    In: `by`, who asks (no address); `approval`, a plan somebody agreed to; `now`, whether it goes at once, whatever
    the date says, and not in its own time after the hold. Out: where it stands, and whether it was begun by this.
    Raises: all of `flows.send.send`; NotApproved when the key was begun with other content; ConfigurationError,
    NewsletterError for what may not go from here.
    """
    _fits(bundle, desk)
    with desk.store.only_one("order") as alone:
        if not alone:
            raise WorkLeft("Another request is being taken.", "Ask again in a moment.")
        if (begun := _begun(bundle, desk)) is not None:
            return begun, False
        made = of_bundle(bundle, desk, again=again)
        if not now and approval is None:  # else its comparison looks at the time
            on_time(bundle.key, bundle.due_at, desk)
        campaign = freeze_as(made, bundle, desk, approval=approval, again=again, hold=not now, tell=lambda _line: None)
        with desk.store.begin() as tx:
            tx.orders.add(campaign.id, by, desk.now())
    return standing(campaign.key, desk), True


def _begun(bundle: Bundle, desk: Desk) -> Standing | None:
    """The campaign of this key, when it has one that counts. Raises: NotApproved for another content."""
    with desk.store.read() as tx:
        campaign = tx.campaigns.by_key(bundle.key)
        if campaign is None:
            return None
        gone = withdrawn(campaign, tx.campaigns.counts(campaign.id, desk.now()))
    if gone:
        return None  # the plan decides: it needs a reason
    if campaign.content_sha256 != bundle.sha256:
        raise NotApproved(
            f"{bundle.key} was begun with other words than these: it goes on, or has gone, as it was frozen.",
            f"See: newsletter status {bundle.key}. New words need a new name.",
        )
    return standing(bundle.key, desk)


def standing(key: str, desk: Desk) -> Standing:
    """Where a campaign stands, by its own key. Raises: NotFound."""
    with desk.store.read() as tx:
        campaign = tx.campaigns.by_key(key)
        if campaign is None:
            raise NotFound("There is no such campaign.", "See: newsletter status")
        counts = tx.campaigns.counts(campaign.id, desk.now())
        ordered, paused = tx.orders.of(campaign.id), tx.campaigns.paused_all()
    still = settling(campaign, desk) if counts.uncertain else Settling()
    return Standing(campaign, counts, still, ordered, paused, last_claim(campaign, desk))


# --- whether it may go from here ------------------------------------------------------------------------


def _fits(bundle: Bundle, desk: Desk) -> None:
    """Refuse what must not go from here. Raises: NewsletterError of some kind."""
    if bundle.base_url != desk.links.base_url:
        raise ConfigurationError(
            "The links in this letter lead to another address than this server's.",
            "Set NEWSLETTER_BASE_URL to the same in both places.",
        )
    _segments(bundle, desk)
    for one in bundle.variants:
        _mail(bundle, email(one.body), desk)
    _pictures(bundle, desk)


def email(body: str) -> Email:
    """A frozen email that came from elsewhere. Raises: FileRefused when it is none, or not written as we do."""
    try:
        found = thaw(body)
        strict = all(
            isinstance(piece, str) or all(isinstance(part, str) for part in (piece.field, piece.fallback))
            for pieces in parts(found)
            for piece in pieces
        )
        same = freeze(found) == body and all(name.isprintable() for name, _ in found.headers)
        named = all(map(str.isprintable, (found.lang, found.sender.name, found.sender.email)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        strict = same = named = False
    if not (strict and same and named):
        raise FileRefused("This is no email as this program freezes one.", "Use the same version in both places.")
    return found


def _segments(bundle: Bundle, desk: Desk) -> None:
    """Whom it is for must mean the same here; every reader must fall into exactly one variant."""
    here = desk.publication.segments
    for name, topics in bundle.topics.items():
        if topics_of((name,), here) != topics:
            raise NotApproved(
                f'What the segment "{name}" means is not the same here and where the letter was rendered.',
                "Bring newsletter.yml to the same state in both places, then plan again.",
            )
    if not {*bundle.segments} <= {*bundle.topics}:
        raise FileRefused("The bundle does not say what its segments mean.", "Use the same version in both places.")
    groups = {group for one in bundle.variants for group in (*one.has, *one.lacks)}
    chosen = Counter(frozenset(one.has) for one in bundle.variants if {*one.has} ^ {*one.lacks} == groups)
    each = [
        frozenset(group for group, has in zip(groups, choice, strict=True) if has)
        for choice in product((False, True), repeat=len(groups))
    ]
    if chosen != Counter(each) or bundle.variants[0].has:
        raise FileRefused("The bundle's versions do not share out all readers.", "Use the same version in both places.")


def _mail(bundle: Bundle, mail: Email, desk: Desk) -> None:
    """The sender is ours, the way out and the postal address are there."""
    publication = desk.publication
    if mail.sender.email not in {sender.email for sender in publication.senders.values()}:
        raise ConfigurationError(
            "The letter is from an address that is none of this publication's senders.",
            "Bring newsletter.yml to the same state in both places.",
        )
    if mail.headers != headers.of_list(publication.name, desk.links.base_url):
        raise ConfigurationError(
            "The letter's list headers are not this publication's.",
            "Bring name in newsletter.yml, and the program, to the same state in both places.",
        )
    empty = Issue(
        path=Path(bundle.name),
        name=bundle.name,
        slug=bundle.key,
        subject=bundle.subject,
        preheader="",
        title=bundle.subject,
        date=None,
        body=(),
    )
    found = [one for one in check.of_mail(empty, publication, desk.root, mail) if one.code in _LEGAL]
    if errors(found):
        raise NewsletterError(
            "The letter cannot go: " + "; ".join(one.message for one in errors(found)) + ".",
            "Check it where it is rendered: newsletter check",
        )


def _pictures(bundle: Bundle, desk: Desk) -> None:
    """Every picture of ours that the letter shows can be shown from here. Raises: WorkLeft."""
    base = desk.publication.images.base_url or f"{desk.links.base_url}/images"
    if not base.startswith(desk.links.base_url):
        return  # they lie elsewhere
    html = "".join(_literal(bundle))
    names = dict.fromkeys(re.findall(rf"{re.escape(base.rstrip('/'))}/([0-9a-f]{{12}}-[a-z0-9._-]+)", html))
    lost = [name for name in names if images.served(desk.root, name) is None]
    if lost:
        raise WorkLeft(
            f"The server has not got {len(lost)} of the letter's pictures: {', '.join(lost[:MOST_NAMED])}.",
            "Bring images/ to the server (a deploy of this commit), then run again.",
        )


def _literal(bundle: Bundle) -> Iterator[str]:
    for one in bundle.variants:
        yield fill(tuple(piece for piece in thaw(one.body).html if not isinstance(piece, Site)), {})


# --- the server's own thread ------------------------------------------------------------------------------


def work(order_: Order, desk: Desk, *, stop: Event, send: Callable[..., Report] = go_on) -> bool:
    """Send what was ordered, as far as it goes now; what stood in the way is written down for whoever follows.

    Out: whether nothing stood in the way. Never raises for what a person must mend.
    """
    trouble = None
    try:
        report = send(order_.key, desk, stop=stop)
        if not report.finished and report.campaign.state is CampaignState.SENDING:
            trouble = Trouble("work-left", report.why or "The provider took a part.", "The server goes on by itself.")
    except NothingToDo:  # it ended meanwhile
        pass
    except NewsletterError as problem:
        trouble = Trouble(kind(problem), problem.what, problem.todo)
    if trouble != order_.trouble:
        with desk.store.begin() as tx:
            tx.orders.note(order_.campaign_id, trouble)
    return trouble is None


def ready(desk: Desk) -> list[Order]:
    """What the server may send now: ordered, not paused, not held, not soaking, with something to do."""
    now = desk.now()
    with desk.store.read() as tx:
        if tx.campaigns.paused_all():
            return []
        open_ = [(one, tx.campaigns.by_key(one.key)) for one in tx.orders.open()]
    return [
        one
        for one, campaign in open_
        if campaign is not None
        and not (campaign.held_until and now < campaign.held_until)
        and not (campaign.soak_until and now < campaign.soak_until)
    ]
