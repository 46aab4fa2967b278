"""Ask those whom an import brought without proof whether they want the letter: one mail each, once.

In: the desk. Out: how many mails now wait, and until when the last of them does. Touches signups, evidence and the mail
queue. They wait spread over the time, so that mail providers see no sudden crowd and visitors' own confirmations are
not behind them; whoever does not answer is forgotten like any address that was never confirmed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.content.words import spoken, words
from newsletter.core import ids
from newsletter.core.campaign import LETTER
from newsletter.core.consent import Evidence, Kind, Mail, State, Subscriber
from newsletter.flows import recover
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction

FORM = "ask"
"""What evidence names this way of asking by."""

_HOUR = timedelta(hours=1)
_AT_ONCE = 200  # subscribers in a transaction: visitors wait for it
_COUNTER = "asks"


@dataclass(frozen=True)
class Asked:
    """How many are asked, how many are left for another time, and when the last mail is due."""

    asked: int
    left: int
    per_hour: int
    last_at: datetime | None


def ask(desk: Desk, *, dry_run: bool = False) -> Asked:
    """Let a mail wait for each pending subscriber who was never asked, no more than go before they are forgotten."""
    per_hour = desk.publication.limits.asks_per_hour
    most = per_hour * 24 * desk.publication.retention.pending_days
    with desk.store.read() as tx:
        recover.refuse(tx)
        waiting = tx.moving.count_never_asked()
    begun, done, after = desk.now(), 0, 0
    if dry_run:
        done = min(waiting, most)
    while not dry_run and done < most:
        with desk.store.begin() as tx:
            page = tx.moving.never_asked(after, min(_AT_ONCE, most - done))
            for subscriber_id, _ in page:
                done += _ask(tx, subscriber_id, begun + _HOUR * (done / per_hour), desk)
        if not page:
            break
        after = page[-1][0]
    last_at = begun + _HOUR * ((done - 1) / per_hour) if done else None
    return Asked(done, max(0, waiting - done), per_hour, last_at)


def _ask(tx: Transaction, subscriber_id: int, due_at: datetime, desk: Desk) -> bool:
    who = tx.audience.by_id(subscriber_id, held=True)
    if who is None or who.state is not State.PENDING or tx.audience.suppression(who.hmac) is not None:
        return False
    topics = _topics(tx, who, desk)
    lang = who.lang if spoken(who.lang, desk.root) else desk.publication.language
    text = wording(topics, lang, desk)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    now = desk.now()
    tx.audience.keep_wording(sha256, text, lang, now)
    signup_id = tx.audience.add_signup(who, form=FORM, magnet="", topics=topics, lang=lang, wording=sha256, now=due_at)
    told = Evidence(
        who.pid, Kind.REQUEST, now, method="command", form=FORM, wording=sha256, topics=topics, source="cli"
    )
    tx.audience.record([told])
    key = ids.pid(desk.entropy)
    tx.queue.enqueue(Mail.ASK, key=key, subscriber_id=who.id, signup_id=signup_id, now=now, due_at=due_at)
    return True


def _topics(tx: Transaction, who: Subscriber, desk: Desk) -> tuple[str, ...]:
    """What they came with, as far as there is such a topic still; else the letter."""
    on_offer = {LETTER, *desk.publication.topics}
    named = next((event["topics"] for event in reversed(tx.audience.evidence(who.pid)) if event["topics"]), ())
    return tuple(topic for topic in named if topic in on_offer) or (LETTER,)


def wording(topics: Sequence[str], lang: str, desk: Desk) -> str:
    """What the mail says they agree to: kept as evidence."""
    say, name = words(lang, desk.root), desk.publication.name
    named = ", ".join(desk.publication.topic_name(topic) for topic in topics)
    box = say["signup.box"].format(name=name, topics=named)
    sender = f"{name}, {desk.publication.footer.address}"
    return "\n".join((say["notice.moved.nothing"].format(name=name), box, say["signup.stop"], sender))


def may_go(tx: Transaction, desk: Desk, now: datetime) -> bool:
    """Whether one more may go in this hour; counts it then."""
    if tx.audience.hits(_COUNTER, now - _HOUR) >= desk.publication.limits.asks_per_hour:
        return False
    tx.audience.hit(_COUNTER, now)
    return True
