"""The audience for the owner's programs: added, changed and found by public ids.

In: what a program asks, and by which key. Out: subscribers. Touches subscribers, consent, suppressions. A key is no
consent: without a word on how a reader agreed, they are asked themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.core import address, ids
from newsletter.core.consent import Evidence, Kind, Mail, Newcomer, State, Subscriber
from newsletter.errors import NotApproved, NotFound, NothingToDo
from newsletter.flows.desk import Desk
from newsletter.flows.preferences import on_offer

METHOD = "api"


@dataclass(frozen=True)
class New:
    """A reader to add. `why` attests how they agreed; without it they become pending and are asked by mail."""

    email: str
    topics: tuple[str, ...]
    why: str = ""
    first_name: str = ""
    last_name: str = ""
    lang: str = ""


def add(new: New, desk: Desk, *, by: str) -> Subscriber:
    """Add a reader. In: `by`, the key's id, kept as evidence.

    Raises: AddressRefused; NotFound for a topic there is none of; NothingToDo when the address is known, or left.
    """
    who, now = address.parse(new.email), desk.now()
    hmac, why = desk.hmac(who), new.why.strip()
    _topics(new.topics, desk)
    with desk.store.begin() as tx:
        known = tx.audience.by_hmac(hmac, held=True)
        if tx.audience.suppression(hmac) is not None:
            raise NothingToDo("This address left, bounced or complained: only its own new signup brings it back.")
        if known is not None:
            raise NothingToDo(f"This address is known already, and {known.state}.")
        state, kind = (State.ACTIVE, Kind.IMPORT) if why else (State.PENDING, Kind.REQUEST)
        pid, token = next(ids.pairs(desk.entropy, 1))
        lang = new.lang or desk.publication.language
        one = Newcomer(who.typed, hmac, pid, token, state, lang, new.first_name, new.last_name)
        tx.audience.add([one], now, new.topics if why else ())
        tx.audience.record([Evidence(pid, kind, now, METHOD, topics=new.topics, source=f"key {by}", note=why)])
        added = tx.audience.by_pid(pid)
        assert added is not None
        if not why:
            signup = tx.audience.add_signup(
                added, form="", magnet="", topics=new.topics, lang=lang, wording="", now=now
            )
            key = ids.pid(desk.entropy)
            tx.queue.enqueue(Mail.CONFIRM, key=key, subscriber_id=added.id, signup_id=signup, now=now)
    return added


def choose(pid: str, topics: Sequence[str], desk: Desk, *, why: str, by: str) -> Subscriber:
    """Change what a reader gets; what comes on top needs a word on how they agreed.

    In: at least one topic. Raises: NotFound; NothingToDo for who gets nothing; NotApproved without that word.
    """
    _topics(topics, desk)
    wanted, now = tuple(dict.fromkeys(topics)), desk.now()
    with desk.store.begin() as tx:
        who = tx.audience.by_pid(pid, held=True)
        if who is None:
            raise _nobody()
        if who.state is not State.ACTIVE:
            raise NothingToDo(f"This reader is {who.state}.", "Only their own new signup changes that.")
        if {*wanted} - {*who.topics} and not why.strip():
            raise NotApproved(
                "They would get what they have not asked for.", 'Say how they agreed, in "attested", or leave it out.'
            )
        if {*wanted} != {*who.topics}:
            tx.audience.drop_topics(who.id)
            tx.audience.give_topics(who.id, wanted)
            said = Evidence(pid, Kind.PREFERENCES, now, METHOD, topics=wanted, source=f"key {by}", note=why.strip())
            tx.audience.record([said])
        changed = tx.audience.by_pid(pid)
    assert changed is not None
    return changed


def _topics(topics: Sequence[str], desk: Desk) -> None:
    unknown = sorted({*topics} - {*on_offer(desk)})
    if unknown:
        raise NotFound("There is no such topic.", f"There are: {', '.join(on_offer(desk))}.")


def find(pid: str, desk: Desk) -> Subscriber:
    """A reader by their public id. Raises: NotFound."""
    with desk.store.read() as tx:
        who = tx.audience.by_pid(pid)
    if who is None:
        raise _nobody()
    return who


def named(email: str, desk: Desk) -> Subscriber:
    """A reader by their address. Raises: AddressRefused, NotFound."""
    with desk.store.read() as tx:
        who = tx.audience.by_hmac(desk.hmac(address.parse(email)))
    if who is None:
        raise _nobody()
    return who


def page(desk: Desk, *, after: int, state: State | None, topic: str | None, size: int) -> list[Subscriber]:
    """So many readers behind a row, oldest first."""
    with desk.store.read() as tx:
        return tx.audience.page(after, state, topic, size)


def _nobody() -> NotFound:
    return NotFound("There is no such subscriber.", "See: newsletter subscribers list")
