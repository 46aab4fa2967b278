"""One reminder, a day after a confirmation was sent that nobody has answered.

In: the desk. Out: how many reminders now wait in the mail queue. Touches the queue and the counters. Each signup is
reminded of once at most, only while its address is pending, and within the caps of its mailbox; whether its reason
still holds is read again when it goes (`flows/mail.py`).
"""

from __future__ import annotations

from datetime import timedelta

from newsletter.core import address, ids
from newsletter.core.consent import Mail
from newsletter.core.queue import QueuedMail
from newsletter.flows.desk import Desk
from newsletter.flows.gate import Lane
from newsletter.flows.signup import full, mailbox

AFTER = timedelta(hours=24)
"""So long after the confirmation went."""

LATEST = timedelta(hours=72)
"""After that the program was not running when it was time, and a reminder would come out of the blue."""

_AT_ONCE = 200


def remind(desk: Desk) -> int:
    """Let a reminder wait for each signup that is due for one. Crowds from one network are not reminded."""
    now = desk.now()
    with desk.store.read() as tx:
        due = tx.queue.unanswered(now - LATEST, now - AFTER, slowest=Lane.LAST - 1, most=_AT_ONCE)
    return sum(_remind(mail, desk) for mail in due)


def _remind(mail: QueuedMail, desk: Desk) -> bool:
    now = desk.now()
    with desk.store.begin() as tx:
        who = tx.audience.by_id(mail.subscriber_id, held=True)
        asked = tx.audience.signup(mail.signup_id) if mail.signup_id is not None else None
        if who is None or asked is None or tx.queue.holds_for(asked.id, Mail.REMIND):
            return False  # erased a moment ago, or another process was faster
        counter = mailbox(address.parse(who.email), desk)
        if full(tx, counter, now):
            return False
        tx.audience.hit(counter, now)
        tx.queue.enqueue(
            Mail.REMIND,
            key=ids.pid(desk.entropy),
            subscriber_id=who.id,
            signup_id=asked.id,
            magnet=mail.magnet,
            now=now,
        )
    return True
