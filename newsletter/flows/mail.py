"""Empty the mail queue: confirmations and workbooks, one at a time, each read anew before it goes.

In: the desk. Out: how many went. Touches the queue and the transactional provider. Whoever left, was
erased, or confirmed meanwhile gets nothing: state is read in the sending transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from newsletter.content import system
from newsletter.core import address, ids
from newsletter.core.consent import ENDED_BY_CONSENT, Mail, Signup, State, Subscriber
from newsletter.core.delivery import Batch, Outcome, Recipient, Status
from newsletter.core.email import Email
from newsletter.core.queue import MAX_ATTEMPTS, MailState, QueuedMail, wait
from newsletter.flows.deliver import deliver, settle
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction

CONFIRMATIONS = "confirmations"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class _Ready:
    """A mail whose reason still holds."""

    mail: QueuedMail
    subscriber: Subscriber
    email: Email


def empty(desk: Desk, *, most: int = 1000) -> int:
    """Send what waits, at most `most`; returns how many the provider took."""
    owner = ids.pid(desk.entropy)
    _ask_again(desk)
    sent = 0
    for _ in range(most):
        with desk.store.begin() as tx:
            mail = tx.queue.claim(owner, desk.now(), desk.pace.lease)
            ready = _prepare(tx, mail, desk) if mail else None
        if mail is None:
            break
        if ready is not None:
            sent += _send(ready, desk)
    return sent


def _prepare(tx: Transaction, mail: QueuedMail, desk: Desk) -> _Ready | None:
    """Read again who it is for; drop it, or put it off, when it should not go now."""
    now = desk.now()
    subscriber = tx.audience.by_id(mail.subscriber_id)
    asked = tx.audience.signup(mail.signup_id) if mail.signup_id is not None else None
    if subscriber is None or _gone(tx, mail, subscriber, asked, desk):
        tx.queue.settle(mail, MailState.DROPPED, now, note="its reason has gone")
        return None
    if mail.kind is Mail.CONFIRM:
        limits = desk.publication.limits
        hour = tx.audience.hits(CONFIRMATIONS, now - _HOUR) >= limits.confirmations_per_hour
        day = tx.audience.hits(CONFIRMATIONS, now - _DAY) >= limits.confirmations_per_day
        if hour or day:
            later = now + timedelta(minutes=10)
            tx.queue.settle(mail, MailState.WAITING, now, due_at=later, note="the cap on confirmations is reached")
            return None
        tx.audience.hit(CONFIRMATIONS, now)
    return _Ready(mail, subscriber, _write(tx, mail, subscriber, asked, desk))


def _gone(tx: Transaction, mail: QueuedMail, who: Subscriber, asked: Signup | None, desk: Desk) -> bool:
    """Whether the mail's reason has gone since it was queued."""
    reason = tx.audience.suppression(desk.hmac(address.parse(who.email)))
    if reason is not None and (reason not in ENDED_BY_CONSENT or mail.kind is not Mail.CONFIRM):
        return True
    if mail.kind is Mail.CONFIRM:
        return asked is None or asked.confirmed_at is not None or asked.gen != who.gen
    return who.state is not State.ACTIVE


def _write(tx: Transaction, mail: QueuedMail, who: Subscriber, asked: Signup | None, desk: Desk) -> Email:
    """The mail itself, with links made now."""
    now = desk.now()
    new = [topic for topic in (asked.topics if asked else ()) if topic not in who.topics]
    confirm_url = desk.links.confirm(asked.id, asked.gen, now) if asked else ""
    lang = asked.lang if asked else who.lang
    magnet = desk.publication.magnets.get(mail.magnet)
    if mail.kind is Mail.CONFIRM:
        topics = [desk.publication.topic_name(topic) for topic in new]
        return system.confirm(
            desk.publication,
            root=desk.root,
            base_url=desk.links.base_url,
            confirm_url=confirm_url,
            magnet=magnet,
            topics=topics,
            lang=lang,
        )
    download_url = (
        (magnet.url or desk.links.download(tx.audience.grant(who.id, mail.magnet, now), now)) if magnet else ""
    )
    leave_url = desk.links.unsubscribe(who.unsubscribe_token)
    if mail.kind is Mail.WORKBOOK:
        topics = [desk.publication.topic_name(topic) for topic in who.topics]
        return system.workbook(
            desk.publication,
            root=desk.root,
            base_url=desk.links.base_url,
            download_url=download_url,
            magnet=magnet,
            topics=topics,
            lang=lang,
            leave_url=leave_url if topics else "",
        )
    return system.already(
        desk.publication,
        root=desk.root,
        base_url=desk.links.base_url,
        magnet=magnet,
        download_url=download_url,
        confirm_url=confirm_url if new else "",
        topics=[desk.publication.topic_name(topic) for topic in new],
        lang=lang,
        leave_url=leave_url,
    )


def _batch(mail: QueuedMail, who: Subscriber, desk: Desk) -> Batch:
    way_out = desk.links.unsubscribe(who.unsubscribe_token)
    return Batch((Recipient(mail.key, who.email, {}, way_out),), at=desk.now(), tag=mail.kind)


def _send(ready: _Ready, desk: Desk) -> int:
    result = deliver(
        desk.transactional,
        ready.email,
        _batch(ready.mail, ready.subscriber, desk),
        key=ready.mail.key,
        timeout=desk.pace.timeout,
    )
    _record(ready.mail, result.outcomes[0], desk, pause=result.retry_after)
    return int(result.outcomes[0].status is Status.SUBMITTED)


def _record(mail: QueuedMail, outcome: Outcome, desk: Desk, *, pause: float | None = None) -> None:
    now = desk.now()
    state = {
        Status.SUBMITTED: MailState.SUBMITTED,
        Status.REJECTED: MailState.FAILED,
        Status.SUPPRESSED: MailState.FAILED,
        Status.RETRY: MailState.WAITING if mail.attempt < MAX_ATTEMPTS else MailState.FAILED,
        Status.UNKNOWN: MailState.UNCERTAIN,
    }[outcome.status]
    later = now + (timedelta(seconds=pause) if pause else wait(mail.attempt))
    with desk.store.begin() as tx:
        tx.queue.settle(
            mail,
            state,
            now,
            due_at=later if state is MailState.WAITING else None,
            provider=desk.transactional.name,
            message_id=outcome.message_id,
            note=f"{outcome.code} {outcome.detail}".strip(),
        )


def _ask_again(desk: Desk) -> None:
    """Mails whose sender vanished: the provider is asked; what it cannot tell stays uncertain."""
    with desk.store.read() as tx:
        lapsed = [(mail, tx.audience.by_id(mail.subscriber_id)) for mail in tx.queue.lapsed(desk.now())]
    for mail, who in lapsed:
        if who is None:
            continue
        outcome = settle(desk.transactional, _batch(mail, who, desk), key=mail.key)[0]
        _record(mail, outcome, desk)
