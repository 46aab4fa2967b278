"""What every way in and out shares: a newcomer with ids of their own, the words agreed to, a withdrawal.

In: a transaction of the caller's. Touches subscribers, evidence and suppressions within it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from newsletter.content.words import words
from newsletter.core import ids
from newsletter.core.address import Address
from newsletter.core.consent import Change, Evidence, Newcomer, Reason, State, Subscriber, step
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction


@dataclass(frozen=True)
class Wording:
    """The four parts of what a visitor agrees to: shown on the form, and kept as evidence (GDPR 7(1))."""

    promise: str
    box: str
    stop: str
    sender: str

    @property
    def text(self) -> str:
        """All of it, a part on each line."""
        return "\n".join(part for part in (self.promise, self.box, self.stop, self.sender) if part)

    @property
    def sha256(self) -> str:
        """What the evidence names it by."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def wording(form_key: str, desk: Desk, lang: str, magnet: str = "") -> Wording:
    """The very text a visitor agrees to: promise, box, how to stop, sender.

    In: `magnet`, the free resource that is asked for; the form's own when empty. A form's own words promise its
    own resource, so another one is promised by its title. Raises: KeyError for a form or magnet there is none of.
    """
    form = desk.publication.form(form_key)
    say = words(lang, desk.root)
    name = desk.publication.name
    chosen = magnet or form.magnet
    own = chosen == form.magnet and lang == desk.publication.language  # the owner wrote it in one language
    promise = form.wording if own else ""
    if not promise:
        titled = desk.publication.magnets[chosen].title if chosen else ""
        promise = (
            say["signup.button_magnet"].format(title=titled) if chosen else say["signup.wording"].format(name=name)
        )
    topics = ", ".join(desk.publication.topic_name(topic) for topic in form.topics)
    return Wording(
        promise=promise,
        box=say["signup.box"].format(topics=topics, name=name),
        stop=say["signup.stop"],
        sender=f"{name}, {desk.publication.footer.address}",
    )


def newcomer(who: Address, state: State, lang: str, desk: Desk) -> Newcomer:
    """A subscriber about to be added, with ids and credential of their own."""
    return Newcomer(
        email=who.typed,
        hmac=desk.hmac(who),
        pid=ids.pid(desk.entropy),
        unsubscribe_token=ids.credential(desk.entropy),
        state=state,
        lang=lang,
    )


def withdraw(
    tx: Transaction, subscriber: Subscriber, now: datetime, *, method: str, form: str = "", source: str = ""
) -> None:
    """Leave: the state, the evidence and the suppression, in the caller's transaction. Again is no event.

    The address must be held (`by_hmac(..., held=True)`): a confirmation at the same moment must see it.
    """
    taken = step(subscriber.state, Change.UNSUBSCRIBE)
    if taken.record is None:
        return
    tx.audience.move(subscriber.id, taken.state, now, ends_links=taken.ends_links)
    tx.audience.drop_topics(subscriber.id)
    tx.audience.suppress(subscriber.hmac, Reason.UNSUBSCRIBED, now)
    tx.audience.record(
        [Evidence(subscriber.pid, taken.record, now, method=method, form=form, topics=subscriber.topics, source=source)]
    )
