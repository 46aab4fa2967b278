"""Empty the mail queue: confirmations and workbooks, one at a time, each read anew before it goes.

In: the desk. Out: how many went. Touches the queue and the transactional provider. Whoever left, was
erased, or confirmed meanwhile gets nothing: state is read in the transaction that takes the mail. It is written
after that, with no transaction open: nobody waits for a template.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from newsletter.content import system
from newsletter.core import address, ids
from newsletter.core.consent import ENDED_BY_CONSENT, Mail, Reason, Signup, State, Subscriber
from newsletter.core.delivery import Batch, BatchResult, Outcome, Recipient, Status
from newsletter.core.email import Email
from newsletter.core.hand import FRESH, IN_HAND, Hand
from newsletter.core.links import Purpose
from newsletter.core.publication import Magnet
from newsletter.core.queue import MAX_ATTEMPTS, MailState, QueuedMail, wait
from newsletter.flows import ask, gate, lift
from newsletter.flows.deliver import deliver, settle
from newsletter.flows.desk import Desk
from newsletter.flows.preferences import REACHABLE
from newsletter.flows.remind import LATEST
from newsletter.ports import Transaction

log = logging.getLogger("newsletter.mail")

_ASKING = frozenset({Mail.CONFIRM, Mail.REMIND})  # what visitors cause
_CONFIRMING = _ASKING | {Mail.ASK}
_PERSONAL = {Mail.EXPORT: Purpose.EXPORT, Mail.ERASE: Purpose.ERASE}
_LATER = timedelta(minutes=10)


@dataclass(frozen=True)
class _Ready:
    """A mail whose reason still holds, and what it is written from."""

    mail: QueuedMail
    subscriber: Subscriber
    asked: Signup | None
    grant_id: int | None
    left: bool = False  # before; what ends that is the answer to this mail


def empty(desk: Desk, *, most: int = 1000, hand: Hand | None = None) -> int:
    """Send what waits, at most `most`; returns how many the provider took.

    As many are claimed and recorded together as go in a quarter of a second: a transaction costs more than a mail.
    In: `hand`, what an earlier pass learned of how many that are.
    """
    owner = ids.pid(desk.entropy)
    _ask_again(desk)
    hand = hand or Hand.of(desk.transactional.capabilities)
    sent, kept, more = 0, _Kept(), True
    while more and most > 0:
        size = min(hand.size, most)
        claimed, ready = _claim(owner, desk, size)
        most, more = most - claimed, claimed == size
        begun = time.monotonic()
        took, goes_on = _send(ready, owner, desk, kept)
        hand.took(claimed, time.monotonic() - begun)
        sent += took
        if not goes_on:
            break  # whatever it is, it would meet the next mail too
    return sent


def _claim(owner: str, desk: Desk, most: int) -> tuple[int, list[_Ready]]:
    """Take the oldest mails that are due. Out: how many, and those of them that go."""
    now, claimed, ready = desk.now(), 0, []
    with desk.store.begin() as tx:
        if tx.campaigns.paused_all():  # `pause --all`: what waits goes on waiting
            return 0, []
        while claimed < most and (mail := tx.queue.claim(owner, now, desk.pace.lease)) is not None:
            claimed += 1
            if (one := _prepare(tx, mail, desk, now)) is not None:
                ready.append(one)
    return claimed, ready


def _prepare(tx: Transaction, mail: QueuedMail, desk: Desk, now: datetime) -> _Ready | None:
    """Read again who it is for; drop it, or put it off, when it should not go now."""
    subscriber = tx.audience.by_id(mail.subscriber_id)
    asked = tx.audience.signup(mail.signup_id) if mail.signup_id is not None else None
    reason = tx.audience.suppression(subscriber.hmac) if subscriber is not None else None
    if subscriber is None or _gone(mail, subscriber, asked, reason, now):
        tx.queue.settle(mail, MailState.DROPPED, now, note="its reason has gone")
        return None
    if mail.kind in _ASKING and asked is not None:
        gently = mail.kind is Mail.REMIND
        who = address.parse(subscriber.email)
        if gate.held_up(tx, asked, who, desk, now, gently=gently):
            tx.queue.put_off(mail, now + _LATER, "the cap on confirmations is reached")
            if not gently:
                gate.tell(tx, desk, now)
            return None
        gate.passed(tx, asked, who, desk, now)  # those who are claimed with it must find the caps as they will be
    if mail.kind is Mail.ASK and not ask.may_go(tx, desk, now):
        tx.queue.put_off(mail, now + _LATER, "as many as go in an hour have gone")
        return None
    magnet = desk.publication.magnets.get(mail.magnet)
    granted = mail.kind not in _CONFIRMING and magnet is not None and not magnet.url
    grant_id = tx.audience.grant(subscriber.id, mail.magnet, now) if granted else None
    return _Ready(mail, subscriber, asked, grant_id, left=reason is not None)


def _gone(mail: QueuedMail, who: Subscriber, asked: Signup | None, reason: Reason | None, now: datetime) -> bool:
    """Whether the mail's reason has gone since it was queued. In: `reason`, why the address must not be mailed."""
    if mail.kind in _PERSONAL:
        return reason not in REACHABLE
    if reason is not None and (reason not in ENDED_BY_CONSENT or mail.kind is not Mail.CONFIRM):
        return True
    if mail.kind is Mail.REMIND and (who.state is not State.PENDING or now - mail.created_at > LATEST):
        return True
    if mail.kind is Mail.ASK and who.state is not State.PENDING:
        return True
    if mail.kind in _CONFIRMING:
        return asked is None or asked.confirmed_at is not None or asked.gen != who.gen
    return who.state is not State.ACTIVE


class _Kept(dict[tuple[object, ...], Email]):
    """Confirmations that were written in this pass: those who ask for the same differ by their link alone."""

    def confirmation(
        self, desk: Desk, url: str, magnet: Magnet | None, topics: Sequence[str], lang: str, kind: Mail
    ) -> Email:
        """The same mail as if it were written for this link."""
        start, _, token = url.rpartition("/")
        blank = "x" * max(len(token), _LEAST)  # as long as the token: lines break where they would
        asked = (blank, magnet, *topics, lang, kind)
        if asked not in self:
            self[asked] = system.confirm(
                desk.publication,
                root=desk.root,
                base_url=desk.links.base_url,
                confirm_url=f"{start}/{blank}",
                magnet=magnet,
                topics=topics,
                lang=lang,
                kind=kind,
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
    if mail.kind in _CONFIRMING:
        topics = [desk.publication.topic_name(topic) for topic in new]
        return kept.confirmation(desk, confirm_url, magnet, topics, lang, mail.kind)
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


def _send(ready: Sequence[_Ready], owner: str, desk: Desk, kept: _Kept) -> tuple[int, bool]:
    """Write the mails and hand them over, no transaction open. Out: how many were taken; False when that is over."""
    written = deque((one, email) for one in ready if (email := _written(one, desk, kept)) is not None)
    answers: list[tuple[_Ready, BatchResult]] = []
    held: Collection[int] = ()
    sent, looked, recorded, goes_on = 0, 0.0, time.monotonic(), True
    while written and goes_on:
        if not held or time.monotonic() - looked > FRESH:
            held, looked = _held([one.mail for one, _ in written], owner, desk), time.monotonic()
        one, email = written.popleft()
        if one.mail.id not in held:
            continue
        if one.left and one.mail.kind is Mail.CONFIRM:
            lift.admit(one.subscriber, desk)  # whoever left may stand on the provider's list
        batch = _batch(one.mail, one.subscriber, desk)
        result = deliver(desk.transactional, email, batch, key=one.mail.key, timeout=desk.pace.call)
        answers.append((one, result))
        sent += result.outcomes[0].status is Status.SUBMITTED
        goes_on = not result.halt
        if time.monotonic() - recorded > IN_HAND:
            _record_all(answers, desk)
            answers, recorded = [], time.monotonic()
    _record_all(answers, desk, untried=[one for one, _ in written])
    return sent, goes_on


def _written(ready: _Ready, desk: Desk, kept: _Kept) -> Email | None:
    """The mail; None for one that cannot be written: whatever is wrong with it, the others go on."""
    try:
        return _write(ready, desk, kept)
    except Exception as problem:  # noqa: BLE001 -- see above
        name = type(problem).__name__  # its message may hold an address
        log.error("A %s mail could not be written: %s", ready.mail.kind, name)  # noqa: TRY400
        with desk.store.begin() as tx:
            tx.queue.settle(ready.mail, MailState.FAILED, desk.now(), note=f"it could not be written: {name}")
            _did_not_go(tx, ready, desk)
        return None


def _held(mails: Sequence[QueuedMail], owner: str, desk: Desk) -> Collection[int]:
    """Those whose claim is ours for the length of a call, asked right before the first byte and each second anew.

    The last byte must have left before anybody else may ask what became of it.
    """
    until = desk.now() + timedelta(seconds=desk.pace.call)
    with desk.store.read() as tx:
        return {mail.id for mail in mails if tx.queue.holds(mail, owner, until)}


def _record_all(answers: Sequence[tuple[_Ready, BatchResult]], desk: Desk, *, untried: Sequence[_Ready] = ()) -> None:
    """Write down what became of mails, and give back those that were not tried."""
    if not answers and not untried:
        return
    now = desk.now()
    with desk.store.begin() as tx:
        for one, result in answers:
            if _record(tx, one.mail, result.outcomes[0], desk, now, pause=result.retry_after):
                _did_not_go(tx, one, desk)
        for one in untried:
            tx.queue.put_off(one.mail, now, "the provider takes none now")
            _did_not_go(tx, one, desk)


def _did_not_go(tx: Transaction, ready: _Ready, desk: Desk) -> None:
    """Count a confirmation no more, which was counted when it was claimed."""
    if ready.mail.kind in _ASKING and ready.asked is not None:
        gate.came_back(tx, ready.asked, address.parse(ready.subscriber.email), desk)


def _record(
    tx: Transaction, mail: QueuedMail, outcome: Outcome, desk: Desk, now: datetime, *, pause: float | None = None
) -> bool:
    """Write down what became of a mail. Out: whether it surely did not go."""
    state = {
        Status.SUBMITTED: MailState.SUBMITTED,
        Status.REJECTED: MailState.FAILED,
        Status.SUPPRESSED: MailState.FAILED,
        Status.RETRY: MailState.WAITING if mail.attempt < MAX_ATTEMPTS else MailState.FAILED,
        Status.UNKNOWN: MailState.UNCERTAIN,
    }[outcome.status]
    later = now + max(timedelta(seconds=pause or 0), wait(mail.attempt))
    due_at = {MailState.WAITING: later, MailState.UNCERTAIN: now + _settle_time(desk)}
    written = tx.queue.settle(
        mail,
        state,
        now,
        due_at=due_at.get(state),
        provider=desk.transactional.name,
        message_id=outcome.message_id,
        note=f"{outcome.code} {outcome.detail}".strip(),
    )
    return written and state in {MailState.WAITING, MailState.FAILED}


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
            with desk.store.begin() as tx:
                asked = tx.audience.signup(mail.signup_id) if mail.signup_id is not None else None
                if _record(tx, mail, outcome, desk, now):
                    _did_not_go(tx, _Ready(mail, who, asked, None), desk)
