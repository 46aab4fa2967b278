"""The front door: a visitor asks, the mailbox confirms, a subscriber is made.

In: what was typed, or a link. Out: what the page may show. Touches subscribers, signups, consent, grants
and the mail queue, each step in one transaction. The answer to a signup tells nothing: it depends on the
form alone, and all that differs happens in the mail (promise 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.content.words import spoken
from newsletter.core import address, ids
from newsletter.core.address import Address
from newsletter.core.consent import (
    ENDED_BY_CONSENT,
    Change,
    Evidence,
    Kind,
    Mail,
    Signup,
    State,
    Step,
    Subscriber,
    step,
)
from newsletter.core.links import Purpose
from newsletter.errors import LinkExpired, LinkRefused, NotFound
from newsletter.flows import gate
from newsletter.flows.consent import newcomer, withdraw, wording
from newsletter.flows.desk import Desk
from newsletter.flows.gate import Trapped, Visit
from newsletter.ports import Transaction

_GAP, _DAY, _WEEK = timedelta(minutes=10), timedelta(hours=24), timedelta(days=7)
MONTH = timedelta(days=30)
CAPS = ((_GAP, 1), (_DAY, 3), (_WEEK, 6))
"""At most so many mails to one address within so long: nobody can be bombed through our form."""


@dataclass(frozen=True)
class Request:
    """What a visitor sent."""

    email: str
    form: str = ""
    magnet: str = ""
    letter: bool = False
    lang: str = ""
    source: str = ""  # the path of the page, without anything personal
    visit: Visit | None = None  # what tells a person from a program; None = somebody who is known


@dataclass(frozen=True)
class Asked:
    """What a confirm link is about: shown by GET, which changes nothing."""

    magnet: str
    topics: tuple[str, ...]
    lang: str


@dataclass(frozen=True)
class Confirmed:
    """What the page shows after the one click."""

    magnet: str
    topics: tuple[str, ...]
    download_url: str | None
    lang: str


def signup(asked: Request, desk: Desk) -> None:
    """Take a signup: one transaction holds the subscriber, the evidence and the mail that waits.

    Raises: AddressRefused for what is no address; NotFound for a form or magnet that does not exist.
    """
    who = address.parse(asked.email)
    form_key = asked.form or desk.publication.default_form
    try:
        form = desk.publication.form(form_key)
    except KeyError:
        raise NotFound("There is no such form.", "Open the signup page again.") from None
    magnet = asked.magnet or form.magnet
    if magnet and magnet not in desk.publication.magnets:
        raise NotFound("There is no such free resource.", "See the list of free resources.")
    lang = asked.lang if spoken(asked.lang, desk.root) else desk.publication.language
    agreed = wording(form_key, desk, lang, magnet)
    topics = form.topics if asked.letter or not magnet else ()
    now = desk.now()
    try:
        lane = gate.lane(asked.visit, desk, now)
    except Trapped:
        return
    with desk.store.begin() as tx:
        lane = max(lane, gate.crowd(tx, asked.visit, desk, now))
        tx.audience.keep_wording(agreed.sha256, agreed.text, lang, now)
        subscriber, known = _find_or_add(tx, who, lang, desk, now)
        taken = step(known, Change.SIGNUP)
        if subscriber is None or taken.record is None:
            _as_much_work(tx, desk, now)
            return
        signup_id = tx.audience.add_signup(
            subscriber,
            form=form_key,
            magnet=magnet,
            topics=topics,
            lang=lang,
            wording=agreed.sha256,
            now=now,
            lane=lane,
        )
        tx.audience.record(
            [
                Evidence(
                    subscriber.pid,
                    taken.record,
                    now,
                    method="form",
                    form=form_key,
                    wording=agreed.sha256,
                    topics=topics,
                    magnet=magnet,
                    source=asked.source,
                )
            ]
        )
        counter = f"mail:{desk.hmac(address.one_mailbox(who))}"
        _mail(tx, subscriber, taken, counter, signup_id, magnet, desk, now)


def _find_or_add(
    tx: Transaction, who: Address, lang: str, desk: Desk, now: datetime
) -> tuple[Subscriber | None, State | None]:
    """The subscriber of an address, made when there is none; None when it must not be written to."""
    hmac = desk.hmac(who)
    subscriber = tx.audience.by_hmac(hmac, held=True)
    reason = tx.audience.suppression(hmac)
    if reason is not None and reason not in ENDED_BY_CONSENT:
        return None, None
    if subscriber is not None:
        return subscriber, subscriber.state
    tx.audience.add([newcomer(who, State.PENDING, lang, desk)], now)
    return tx.audience.by_hmac(hmac), None


_DECOYS = 5


def _as_much_work(tx: Transaction, desk: Desk, now: datetime) -> None:
    """Write about as much for an address we refuse as for one we take: the time of the answer tells nothing either.

    The rows count nothing, hold nothing of the address, and are forgotten with the counters.
    """
    for _ in range(_DECOYS):
        key = f"nothing:{ids.pid(desk.entropy)}"
        tx.audience.hits(key, now)
        tx.audience.hit(key, now)


def _mail(
    tx: Transaction,
    subscriber: Subscriber,
    taken: Step,
    counter: str,
    signup_id: int,
    magnet: str,
    desk: Desk,
    now: datetime,
) -> None:
    """Let the step's mail wait, within the caps of the mailbox that `counter` names."""
    if taken.mail is None or any(tx.audience.hits(counter, now - span) >= most for span, most in CAPS):
        return
    if subscriber.state is State.BOUNCED and _tried_again(tx, subscriber, now):
        return
    tx.audience.hit(counter, now)
    tx.queue.enqueue(
        taken.mail, key=ids.pid(desk.entropy), subscriber_id=subscriber.id, signup_id=signup_id, magnet=magnet, now=now
    )


def _tried_again(tx: Transaction, subscriber: Subscriber, now: datetime) -> bool:
    """Whether a bounced address was asked for before, since it bounced and within a month.

    A mailbox that is gone harms whoever writes to it: it is tried once, and then after a month of quiet.
    """
    asked = 0
    for event in reversed(tx.audience.evidence(subscriber.pid)):
        if event["kind"] == Kind.BOUNCE:
            return asked > 1  # the one that asks now is there already
        asked += event["kind"] == Kind.REQUEST and now - event["at"] < MONTH
    return False


def look(token: str, desk: Desk) -> Asked:
    """What a confirm link is about. Changes nothing (promise 5).

    Raises: LinkRefused, LinkExpired.
    """
    with desk.store.read() as tx:
        asked, _ = _read(tx, token, desk)
    return Asked(asked.magnet, asked.topics, asked.lang)


def confirm(token: str, desk: Desk) -> Confirmed:
    """The one click: pending becomes active, with evidence; the magnet is granted and its mail waits.

    Pressed again: the same answer, no second event and no second mail.
    Raises: LinkRefused when the link is not ours or consent was withdrawn after it was made; LinkExpired.
    """
    now = desk.now()
    with desk.store.begin() as tx:
        asked, subscriber = _read(tx, token, desk, held=True)
        taken = step(subscriber.state, Change.CONFIRM)
        grant_id = tx.audience.grant(subscriber.id, asked.magnet, now) if asked.magnet else None
        if asked.confirmed_at is None:
            if tx.audience.lift(subscriber.hmac, ENDED_BY_CONSENT):
                tx.brake.lift(subscriber.id, now)  # from the provider's own list too
            tx.audience.move(subscriber.id, taken.state, now)
            tx.audience.give_topics(subscriber.id, asked.topics)
            tx.audience.confirm_signup(asked.id, now)
            tx.audience.record(
                [
                    Evidence(
                        subscriber.pid,
                        Kind.CONFIRM,
                        now,
                        method="page",
                        form=asked.form,
                        topics=asked.topics,
                        magnet=asked.magnet,
                        source="/confirm",
                    )
                ]
            )
            if asked.magnet and taken.mail:
                tx.queue.enqueue(
                    Mail.WORKBOOK,
                    key=ids.pid(desk.entropy),
                    subscriber_id=subscriber.id,
                    signup_id=asked.id,
                    magnet=asked.magnet,
                    now=now,
                )
    elsewhere = desk.publication.magnets[asked.magnet].url if asked.magnet in desk.publication.magnets else ""
    url = elsewhere or (desk.links.download(grant_id, now) if grant_id is not None else None)
    return Confirmed(asked.magnet, asked.topics, url, asked.lang)


def refuse(token: str, desk: Desk) -> str:
    """Take a "That was not me": a pending address becomes unsubscribed, and no further confirm mail goes.

    Whoever is a subscriber already stays one: a stranger's use of the form changes nothing for them. Said again,
    or after leaving, it changes nothing.
    Out: the language it was asked in. Raises: LinkRefused; LinkExpired for a link that is too old.
    """
    now = desk.now()
    with desk.store.begin() as tx:
        asked, subscriber = _behind(tx, token, desk, held=True)
        if subscriber.state is State.PENDING and subscriber.gen == asked.gen:
            withdraw(tx, subscriber, now, method="page", form="not me", source="/confirm")
    return asked.lang


def _read(tx: Transaction, token: str, desk: Desk, *, held: bool = False) -> tuple[Signup, Subscriber]:
    """The signup and subscriber behind a confirm link that still holds."""
    asked, subscriber = _behind(tx, token, desk, held=held)
    if subscriber.gen != asked.gen:
        raise LinkExpired(
            "This link was made before you left us, so it no longer works.", "Ask anew with the form if you like."
        )
    reason = tx.audience.suppression(subscriber.hmac)
    if reason is not None and reason not in ENDED_BY_CONSENT:
        raise LinkRefused("This link no longer works.", "Write to us if you would like to hear from us again.")
    return asked, subscriber


def _behind(tx: Transaction, token: str, desk: Desk, *, held: bool) -> tuple[Signup, Subscriber]:
    """The signup and subscriber behind a confirm link of ours, whatever happened since; `held` to act on them."""
    payload = desk.links.read(Purpose.CONFIRM, token, desk.now())
    signup_id, gen = (*payload, -1, -1)[:2]
    asked = tx.audience.signup(signup_id)
    subscriber = tx.audience.by_id(asked.subscriber_id, held=held) if asked else None
    if held:
        asked = tx.audience.signup(signup_id)  # as it stands now that nobody else can change it
    if asked is None or subscriber is None or asked.gen != gen:
        raise LinkRefused("This link no longer works.", "You can ask for a new one with the form.")
    return asked, subscriber
