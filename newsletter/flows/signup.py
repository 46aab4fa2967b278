"""The front door: a visitor asks, the mailbox confirms, a subscriber is made.

In: what was typed, or a link. Out: what the page may show. Touches subscribers, signups, consent, grants
and the mail queue, each step in one transaction. The answer to a signup tells nothing: it depends on the
form alone, and all that differs happens in the mail (promise 6).
"""

from __future__ import annotations

from collections.abc import Sequence
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
from newsletter.core.publication import Form
from newsletter.errors import AddressRefused, LinkExpired, LinkRefused, NewsletterError, NotFound
from newsletter.flows import gate
from newsletter.flows.consent import Wording, newcomer, withdraw, wording
from newsletter.flows.desk import Desk
from newsletter.flows.gate import Lane, Trapped, Visit
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
    (problem,) = signups([asked], desk)
    if problem is not None:
        raise problem


def signups(asked: Sequence[Request], desk: Desk) -> list[NewsletterError | None]:
    """Take signups that come at once, all in one transaction: they share the wait for the disk.

    Out: for each, in order, what `signup` would raise. Raises: StoreBusy, and then none was taken.
    """
    now = desk.now()
    read = [_wish(one, desk, now) for one in asked]
    wishes = [one for one in read if isinstance(one, _Wish)]
    if wishes:
        with desk.store.begin() as tx:
            said = {one.agreed.sha256: one for one in wishes}
            for sha256, one in sorted(said.items()):
                tx.audience.keep_wording(sha256, one.agreed.text, one.lang, now)
            for one in sorted(wishes, key=lambda wish: wish.hmac):  # in one order: two of us cannot wait for each other
                _take(tx, one, desk, now)
    return [one if isinstance(one, NewsletterError) else None for one in read]


def wanted(asked: Request, desk: Desk) -> tuple[str, Form, str]:
    """The form that was sent, its key first, and the free resource it is for. Raises: NotFound."""
    key = asked.form or desk.publication.default_form
    try:
        form = desk.publication.form(key)
    except KeyError:
        raise NotFound("There is no such form.", "Open the signup page again.") from None
    magnet = asked.magnet or form.magnet
    if magnet and magnet not in desk.publication.magnets:
        raise NotFound("There is no such free resource.", "See the list of free resources.")
    return key, form, magnet


@dataclass(frozen=True)
class _Wish:
    """A signup that was read, before anything is known of its address."""

    who: Address
    hmac: str
    form: str
    magnet: str
    topics: tuple[str, ...]
    lang: str
    agreed: Wording
    source: str
    visit: Visit | None
    lane: Lane
    worked: bool


def _wish(asked: Request, desk: Desk, now: datetime) -> _Wish | NewsletterError | None:
    """What a visitor wants, or what is wrong with it; None for a program that is told nothing."""
    try:
        who = address.parse(asked.email)
        form_key, form, magnet = wanted(asked, desk)
        lane = gate.lane(asked.visit, desk, now)
    except (AddressRefused, NotFound) as problem:
        return problem
    except Trapped:
        return None
    lang = asked.lang if spoken(asked.lang, desk.root) else desk.publication.language
    return _Wish(
        who,
        desk.hmac(who),
        form_key,
        magnet,
        form.topics if asked.letter or not magnet else (),
        lang,
        wording(form_key, desk, lang, magnet),
        asked.source,
        asked.visit,
        lane,
        gate.works(asked.visit),
    )


def _take(tx: Transaction, wish: _Wish, desk: Desk, now: datetime) -> None:
    """One signup, within the transaction of those who came with it."""
    lane = wish.lane
    if gate.crowd(tx, wish.visit, desk, now):
        lane = Lane.LAST
    elif wish.visit and wish.worked and lane is Lane.USUAL and gate.spent(tx, wish.visit, desk, now):
        lane = Lane.KNOWN
    subscriber, known = _find_or_add(tx, wish, desk, now)
    taken = step(known, Change.SIGNUP)
    if subscriber is None or taken.record is None:
        _as_much_work(tx, desk, now)
        return
    signup_id = tx.audience.add_signup(
        subscriber,
        form=wish.form,
        magnet=wish.magnet,
        topics=wish.topics,
        lang=wish.lang,
        wording=wish.agreed.sha256,
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
                form=wish.form,
                wording=wish.agreed.sha256,
                topics=wish.topics,
                magnet=wish.magnet,
                source=wish.source,
            )
        ]
    )
    _mail(tx, subscriber, taken, mailbox(wish.who, desk), signup_id, wish.magnet, desk, now)


def mailbox(who: Address, desk: Desk) -> str:
    """The counter of the mail that a stranger's use of our forms caused to one mailbox, however it is spelled."""
    return f"mail:{desk.hmac(address.one_mailbox(who))}"


def full(tx: Transaction, counter: str, now: datetime) -> bool:
    """Whether a mailbox had as much of it as it may (`CAPS`). Most had none, even in the longest span."""
    if not tx.audience.hits(counter, now - _WEEK):
        return False
    return any(tx.audience.hits(counter, now - span) >= most for span, most in CAPS)


def _find_or_add(tx: Transaction, wish: _Wish, desk: Desk, now: datetime) -> tuple[Subscriber | None, State | None]:
    """The subscriber of an address, made when there is none; None when it must not be written to."""
    subscriber = tx.audience.by_hmac(wish.hmac, held=True)
    reason = tx.audience.suppression(wish.hmac)
    if reason is not None and reason not in ENDED_BY_CONSENT:
        return None, None
    if subscriber is not None:
        return subscriber, subscriber.state
    one = newcomer(wish.who, State.PENDING, wish.lang, desk)
    (new,) = tx.audience.add([one], now)
    added = Subscriber(
        id=new,
        pid=one.pid,
        hmac=one.hmac,
        email=one.email,
        state=one.state,
        gen=0,
        lang=one.lang,
        first_name="",
        last_name="",
        unsubscribe_token=one.unsubscribe_token,
        created_at=now,
        confirmed_at=None,
    )
    return added, None


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
    if taken.mail is None or full(tx, counter, now):
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
