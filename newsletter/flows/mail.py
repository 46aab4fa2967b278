"""Empty the mail queue: confirmations and workbooks, one at a time, each read anew before it goes.

In: the desk. Out: how many went. Touches the queue and the transactional provider. Whoever left, was
erased, or confirmed meanwhile gets nothing: state is read in the transaction that takes the mail. It is written
after that, with no transaction open: nobody waits for a template.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from newsletter.content import system
from newsletter.core import ids
from newsletter.core.consent import ENDED_BY_CONSENT, Mail, Signup, State, Subscriber
from newsletter.core.delivery import Batch, BatchResult, Outcome, Recipient, Status
from newsletter.core.email import Email
from newsletter.core.links import Purpose
from newsletter.core.publication import Magnet
from newsletter.core.queue import MAX_ATTEMPTS, MailState, QueuedMail, wait
from newsletter.flows import gate
from newsletter.flows.deliver import deliver, settle
from newsletter.flows.desk import Desk
from newsletter.flows.preferences import REACHABLE
from newsletter.ports import Transaction

log = logging.getLogger("newsletter.mail")

CONFIRMATIONS = "confirmations"
_PERSONAL = {Mail.EXPORT: Purpose.EXPORT, Mail.ERASE: Purpose.ERASE}
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class _Ready:
    """A mail whose reason still holds, and what it is written from."""

    mail: QueuedMail
    subscriber: Subscriber
    asked: Signup | None
    grant_id: int | None


def empty(desk: Desk, *, most: int = 1000) -> int:
    """Send what waits, at most `most`; returns how many the provider took."""
    owner = ids.pid(desk.entropy)
    _ask_again(desk)
    sent, kept = 0, _Kept()
    for _ in range(most):
        with desk.store.begin() as tx:
            held = tx.campaigns.paused_all()  # `pause --all`: what waits goes on waiting
            mail = None if held else tx.queue.claim(owner, desk.now(), desk.pace.lease)
            ready = _prepare(tx, mail, desk) if mail else None
        if mail is None:
            break
        if ready is None:
            continue
        result = _send(ready, owner, desk, kept)
        if result is None:
            continue
        sent += result.outcomes[0].status is Status.SUBMITTED
        if result.halt:
            break  # whatever it is, it would meet the next mail too
    return sent


def _prepare(tx: Transaction, mail: QueuedMail, desk: Desk) -> _Ready | None:
    """Read again who it is for; drop it, or put it off, when it should not go now."""
    now = desk.now()
    subscriber = tx.audience.by_id(mail.subscriber_id)
    asked = tx.audience.signup(mail.signup_id) if mail.signup_id is not None else None
    if subscriber is None or _gone(tx, mail, subscriber, asked):
        tx.queue.settle(mail, MailState.DROPPED, now, note="its reason has gone")
        return None
    if mail.kind is Mail.CONFIRM and asked is not None:
        limits = desk.publication.limits
        hour = tx.audience.hits(CONFIRMATIONS, now - _HOUR) >= limits.confirmations_per_hour
        day = tx.audience.hits(CONFIRMATIONS, now - _DAY) >= limits.confirmations_per_day
        if hour or day or gate.crowded(tx, asked, limits, now):
            later = now + timedelta(minutes=10)
            tx.queue.put_off(mail, later, "the cap on confirmations is reached")
            return None
    magnet = desk.publication.magnets.get(mail.magnet)
    granted = mail.kind is not Mail.CONFIRM and magnet is not None and not magnet.url
    return _Ready(mail, subscriber, asked, tx.audience.grant(subscriber.id, mail.magnet, now) if granted else None)


def _gone(tx: Transaction, mail: QueuedMail, who: Subscriber, asked: Signup | None) -> bool:
    """Whether the mail's reason has gone since it was queued."""
    reason = tx.audience.suppression(who.hmac)
    if mail.kind in _PERSONAL:
        return reason not in REACHABLE
    if reason is not None and (reason not in ENDED_BY_CONSENT or mail.kind is not Mail.CONFIRM):
        return True
    if mail.kind is Mail.CONFIRM:
        return asked is None or asked.confirmed_at is not None or asked.gen != who.gen
    return who.state is not State.ACTIVE


class _Kept(dict[tuple[object, ...], Email]):
    """Confirmations that were written in this pass: those who ask for the same differ by their link alone."""

    def confirmation(self, desk: Desk, url: str, magnet: Magnet | None, topics: Sequence[str], lang: str) -> Email:
        """The same mail as if it were written for this link."""
        start, _, token = url.rpartition("/")
        blank = "x" * max(len(token), _LEAST)  # as long as the token: lines break where they would
        asked = (blank, magnet, *topics, lang)
        if asked not in self:
            self[asked] = system.confirm(
                desk.publication,
                root=desk.root,
                base_url=desk.links.base_url,
                confirm_url=f"{start}/{blank}",
                magnet=magnet,
                topics=topics,
                lang=lang,
            )
        written = self[asked]
        html, text = (
            tuple(piece.replace(blank, token) if isinstance(piece, str) else piece for piece in pieces)
            for pieces in (written.html, written.text)
        )
        return replace(written, html=html, text=text)


_LEAST = 24  # letters that nobody writes in a row


def _write(ready: _Ready, desk: Desk, kept: _Kept) -> Email:
    """The mail itself, with links made now."""
    mail, who, asked, now = ready.mail, ready.subscriber, ready.asked, desk.now()
    new = [topic for topic in (asked.topics if asked else ()) if topic not in who.topics]
    confirm_url = desk.links.confirm(asked.id, asked.gen, now) if asked else ""
    lang = asked.lang if asked else who.lang
    magnet = desk.publication.magnets.get(mail.magnet)
    if mail.kind in _PERSONAL:
        url = desk.links.personal(_PERSONAL[mail.kind], who.id, now)
        return system.personal(
            desk.publication, mail.kind, root=desk.root, base_url=desk.links.base_url, url=url, lang=lang
        )
    if mail.kind is Mail.CONFIRM:
        topics = [desk.publication.topic_name(topic) for topic in new]
        return kept.confirmation(desk, confirm_url, magnet, topics, lang)
    granted = desk.links.download(ready.grant_id, now) if ready.grant_id is not None else ""
    download_url = (magnet.url or granted) if magnet else ""
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


def _send(ready: _Ready, owner: str, desk: Desk, kept: _Kept) -> BatchResult | None:
    """Write the mail and hand it over, no transaction open. None when it was not handed over."""
    mail = ready.mail
    try:
        email = _write(ready, desk, kept)
    except Exception as problem:  # noqa: BLE001 -- whatever is wrong with this mail, the others go on
        name = type(problem).__name__  # its message may hold an address
        log.error("A %s mail could not be written: %s", mail.kind, name)  # noqa: TRY400
        with desk.store.begin() as tx:
            tx.queue.settle(mail, MailState.FAILED, desk.now(), note=f"it could not be written: {name}")
        return None
    timeout = desk.pace.call
    with desk.store.read() as tx:  # the last byte must have left before anybody else may ask what became of it
        if not tx.queue.holds(mail, owner, desk.now() + timedelta(seconds=timeout)):
            return None
    result = deliver(desk.transactional, email, _batch(mail, ready.subscriber, desk), key=mail.key, timeout=timeout)
    _record(mail, result.outcomes[0], desk, pause=result.retry_after)
    return result


def _record(mail: QueuedMail, outcome: Outcome, desk: Desk, *, pause: float | None = None) -> None:
    now = desk.now()
    state = {
        Status.SUBMITTED: MailState.SUBMITTED,
        Status.REJECTED: MailState.FAILED,
        Status.SUPPRESSED: MailState.FAILED,
        Status.RETRY: MailState.WAITING if mail.attempt < MAX_ATTEMPTS else MailState.FAILED,
        Status.UNKNOWN: MailState.UNCERTAIN,
    }[outcome.status]
    later = now + max(timedelta(seconds=pause or 0), wait(mail.attempt))
    due_at = {MailState.WAITING: later, MailState.UNCERTAIN: now + _settle_time(desk)}
    with desk.store.begin() as tx:
        written = tx.queue.settle(
            mail,
            state,
            now,
            due_at=due_at.get(state),
            provider=desk.transactional.name,
            message_id=outcome.message_id,
            note=f"{outcome.code} {outcome.detail}".strip(),
        )
        if written and mail.kind is Mail.CONFIRM and state is MailState.SUBMITTED:
            tx.audience.hit(CONFIRMATIONS, now)
            if asked := tx.audience.signup(mail.signup_id) if mail.signup_id is not None else None:
                gate.passed(tx, asked, now)


def _settle_time(desk: Desk) -> timedelta:
    """How long before "not found" at the provider means that it was not sent."""
    own = desk.transactional.capabilities.settle_seconds
    return timedelta(seconds=own if desk.pace.settle is None else desk.pace.settle)


def _ask_again(desk: Desk) -> None:
    """Mails whose sender vanished, or whose answer was lost: the provider is asked, later and later.

    Not before its settle time is over; and what it cannot tell stays uncertain (promise 3).
    """
    now = desk.now()
    with desk.store.read() as tx:
        lapsed = [(mail, tx.audience.by_id(mail.subscriber_id)) for mail in tx.queue.lapsed(now, _settle_time(desk))]
    for mail, who in lapsed:
        if who is None:
            continue
        outcome = settle(desk.transactional, _batch(mail, who, desk), key=mail.key)[0]
        if outcome.status is Status.UNKNOWN:
            with desk.store.begin() as tx:
                tx.queue.asked_in_vain(mail, now + wait(mail.asked + 1))
        else:
            _record(mail, outcome, desk)
