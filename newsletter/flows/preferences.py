"""A reader's own choices: topics, language, a copy of all we hold, and to be erased.

In: the credential of an unsubscribe link (every letter has it), or a link that was mailed to the address. Out: what
the page may show. Touches topics, language, evidence and the mail queue.

A letter may be handed on, so what it holds opens little: whoever has it can choose topics and language, and leave.
To see what we hold, or to take it away, needs the mailbox: a fresh link is sent there, good for a day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from newsletter.content.words import spoken, words
from newsletter.core import ids
from newsletter.core.campaign import LETTER
from newsletter.core.consent import Evidence, Kind, Mail, Reason, State, Subscriber
from newsletter.core.links import Purpose
from newsletter.errors import LinkExpired, LinkRefused, NotFound, WorkLeft
from newsletter.flows import audience
from newsletter.flows.consent import withdraw
from newsletter.flows.desk import Desk
from newsletter.flows.leave import behind
from newsletter.ports import Transaction

CAPS = ((timedelta(minutes=10), 1), (timedelta(hours=24), 3))
"""At most so many mails of a kind to one address: whoever holds a letter cannot bomb its reader."""

REACHABLE = (None, Reason.UNSUBSCRIBED)
"""Who may be sent what they ask for here: also who has left, for their data are still theirs."""

_SOURCE = "/preferences"


@dataclass(frozen=True)
class Choices:
    """What the page shows. `reads`: whether there is anything to choose, or they have left."""

    chosen: tuple[str, ...]
    lang: str
    reads: bool


@dataclass(frozen=True)
class Mailed:
    """A link that came by mail: what it is good for, and whose it is (None: gone already)."""

    purpose: Purpose
    who: Subscriber | None

    @property
    def lang(self) -> str:
        """The language it was written in."""
        return self.who.lang if self.who else ""


def on_offer(desk: Desk) -> tuple[str, ...]:
    """The topics one can choose; the letter is always one."""
    return tuple(dict.fromkeys((LETTER, *desk.publication.topics)))


def look(token: str, desk: Desk) -> Choices:
    """What a reader has chosen. Changes nothing (promise 5). Raises: LinkRefused."""
    with desk.store.read() as tx:
        return _choices(_known(tx, token, desk))


def change(token: str, topics: Collection[str], lang: str, desk: Desk) -> Choices:
    """Take a reader's choice. No topic at all is leaving, for who had any.

    In: topics that are on offer (others are not looked at), a language of ours. Raises: LinkRefused.
    """
    now = desk.now()
    with desk.store.begin() as tx:
        who = _known(tx, token, desk, held=True)
        if who.state is not State.ACTIVE:
            return _choices(who)
        offered = on_offer(desk)
        wanted = tuple(topic for topic in offered if topic in topics)
        kept = tuple(topic for topic in who.topics if topic not in offered)  # of a topic that is paused, say
        if spoken(lang, desk.root) and lang != who.lang:
            tx.audience.speak(who.id, lang)
        if who.topics and not wanted + kept:
            withdraw(tx, who, now, method="page", source=_SOURCE)
        elif {*wanted, *kept} != {*who.topics}:
            tx.audience.drop_topics(who.id)
            tx.audience.give_topics(who.id, wanted + kept)
            _record(tx, who, wanted, lang, desk)
        return _choices(_known(tx, token, desk))


def ask(token: str, what: Mail, desk: Desk) -> str:
    """Mail the link that shows (`Mail.EXPORT`) or erases (`Mail.ERASE`) to the address itself, within its caps.

    Out: their language. Raises: LinkRefused.
    """
    now = desk.now()
    with desk.store.begin() as tx:
        who = _known(tx, token, desk, held=True)
        counter = f"{what}:{who.pid}"
        if any(tx.audience.hits(counter, now - span) >= most for span, most in CAPS):
            return who.lang
        tx.audience.hit(counter, now)
        tx.queue.enqueue(what, key=ids.pid(desk.entropy), subscriber_id=who.id, now=now)
    return who.lang


def mailed(token: str, desk: Desk) -> Mailed | None:
    """What a mailed link is for; None for the credential of a letter. Changes nothing.

    Raises: LinkExpired, LinkRefused.
    """
    if "." not in token:  # credentials have none, and signatures are set off by it
        return None
    try:
        return _mailed(Purpose.EXPORT, token, desk)
    except LinkExpired:
        raise
    except LinkRefused:
        return _mailed(Purpose.ERASE, token, desk)


def export(link: Mailed, desk: Desk) -> dict[str, Any]:
    """Everything kept about whoever a mailed link was made for. Raises: LinkRefused."""
    if link.purpose is not Purpose.EXPORT or link.who is None:
        raise LinkRefused("There is nothing here any more.", "The address was erased, or its time was over.")
    return audience.show(link.who.email, desk)


def erase(link: Mailed, desk: Desk) -> None:
    """Erase whoever a mailed link was made for; again changes nothing. Raises: LinkRefused."""
    if link.purpose is not Purpose.ERASE:
        raise LinkRefused("This link is not for that.", "Ask for the one that erases.")
    if link.who is not None:
        with suppress(WorkLeft, NotFound):  # the file is cleaned by the next tick; somebody was faster
            audience.erase(link.who.email, desk, method="page", source=_SOURCE)


def _mailed(purpose: Purpose, token: str, desk: Desk) -> Mailed:
    payload = desk.links.read(purpose, token, desk.now())
    with desk.store.read() as tx:
        return Mailed(purpose, tx.audience.by_id(payload[0]) if payload else None)


def _known(tx: Transaction, token: str, desk: Desk, *, held: bool = False) -> Subscriber:
    who = behind(tx, token, desk, held=held)
    if who is None:
        raise LinkRefused("This link leads to nobody we know.", "Open it again from the newest letter.")
    return who


def _choices(who: Subscriber) -> Choices:
    return Choices(who.topics, who.lang, who.state is State.ACTIVE)


def _record(tx: Transaction, who: Subscriber, topics: tuple[str, ...], lang: str, desk: Desk) -> None:
    """The choice as evidence, with the words it was made by (promise 8)."""
    say, now = words(lang, desk.root), desk.now()
    named = ", ".join(desk.publication.topic_name(topic) for topic in on_offer(desk))
    text = "\n".join((say["prefs.topics"], named, say["signup.stop"]))
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    tx.audience.keep_wording(sha256, text, lang, now)
    tx.audience.record(
        [Evidence(who.pid, Kind.PREFERENCES, now, method="page", wording=sha256, topics=topics, source=_SOURCE)]
    )
