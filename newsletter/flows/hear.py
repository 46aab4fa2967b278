"""What a provider tells afterwards: kept first, read later, and obeyed once.

    request -> verify -> keep (one transaction for all who come at once) -> 200
    tick    -> read each request -> its events, each in the transaction that obeys it

In: requests of a provider. Out: changed subscribers, with evidence. Touches events, subscribers, suppressions
and the rows of a campaign whose answer was lost. In any order and any number of times the end is the same: an event
has one row, and one that is older than the last consent changes nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from threading import Lock
from typing import Any

from newsletter.core import address
from newsletter.core.address import Address
from newsletter.core.consent import Change, Evidence, Kind, Reason, Subscriber, step
from newsletter.core.event import Event, EventType, ParseError, Raw
from newsletter.core.feedback import REASONS, SOFT_SPAN, change_of, enough, is_soft
from newsletter.errors import AddressRefused, FileRefused, LinkRefused, NotFound, StaleWebhook
from newsletter.flows.consent import withdraw
from newsletter.flows.desk import Desk
from newsletter.flows.retention import mark
from newsletter.ports import Confirms, Reports, Transaction

log = logging.getLogger("newsletter.events")

_AT_ONCE = 100
_UNSPOKEN = {"authorization", "cookie", "proxy-authorization"}
_FAILED = {EventType.FAILED, EventType.REJECTED, EventType.IGNORED}


# --- keeping ---------------------------------------------------------------------------------------


def verified(provider: str, headers: Mapping[str, str], body: bytes, desk: Desk) -> Raw:
    """A request that is the provider's own, ready to be kept.

    In: headers with names in lower case, the body as it came. A request that was signed long ago is kept, and nobody
    reads it. Raises: NotFound for a provider that is not set up to report, BadSignature for a request of somebody
    else's, WorkLeft when that cannot be told now, ProviderError when the provider's own question cannot be answered.
    """
    reads = reporter(provider, desk)
    try:
        reads.verify_webhook(headers, body, now=desk.now().timestamp())
    except StaleWebhook as stale:
        return replace(raw(provider, headers, body), ignored=stale.what)
    if isinstance(reads, Confirms):
        reads.confirm_subscription(body)
    return raw(provider, headers, body)


def raw(provider: str, headers: Mapping[str, str], body: bytes) -> Raw:
    """A request as it is kept: without credentials, under the hash of its body."""
    text = body.decode("utf-8", "replace").replace("\x00", "\ufffd")  # PostgreSQL keeps no NUL
    kept = {name: value for name, value in headers.items() if name not in _UNSPOKEN}
    return Raw(provider, sha256(body).hexdigest(), kept, text)


def reporter(provider: str, desk: Desk) -> Reports:
    """The provider's reader of webhooks. Raises: NotFound."""
    found = desk.reports.get(provider)
    if found is None:
        raise NotFound("There are no webhooks of this provider.", "Set its webhook secret: see docs/providers.md.")
    return found


class Intake:
    """Keeps requests as they come in, all who come at once in one transaction: nothing is answered before that."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock, self._turn = Lock(), Lock()
        self._waiting: list[_Ticket] = []

    def keep(self, one: Raw) -> None:
        """Write a request down, with those who wait. Raises: StoreBusy when it was not written."""
        ticket = _Ticket(one)
        with self._lock:
            self._waiting.append(ticket)
        with self._turn:
            if not ticket.done:
                self._write()
        if ticket.problem is not None:
            raise ticket.problem

    def _write(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, []
        problem: Exception | None = None
        try:
            with self._desk.store.begin() as tx:
                tx.events.keep([ticket.raw for ticket in taken], self._desk.now())
        except Exception as broke:  # noqa: BLE001 - each of them must be told that it was not kept
            problem = broke
        for ticket in taken:
            ticket.done, ticket.problem = True, problem


@dataclass
class _Ticket:
    raw: Raw
    done: bool = False
    problem: Exception | None = None


# --- from a file -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Replay:
    """What recorded requests led to. `events` are those that were new; `faults` say what could not be read."""

    requests: int
    events: int
    faults: tuple[str, ...] = ()


def recorded(text: str, provider: str, desk: Desk) -> list[Raw]:
    """The requests of a file: JSON, or a JSON document on each line.

    In: each document is a request as recorded (`provider`, `headers`, `body`), a list of such, or a body as `provider`
    sends it. Raises: FileRefused when it is no JSON, NotFound for a provider that is not set up.
    """
    found = []
    for document in _documents(text):
        several = document if _are_requests(document) else [document]
        for one in several:
            name, headers, body = (
                (one["provider"], one.get("headers") or {}, one["body"]) if _is_request(one) else (provider, {}, one)
            )
            reporter(name, desk)
            kept = body if isinstance(body, str) else json.dumps(body)
            found.append(raw(name, {str(key).lower(): str(value) for key, value in headers.items()}, kept.encode()))
    return found


def _are_requests(document: object) -> bool:
    return isinstance(document, list) and bool(document) and all(_is_request(one) for one in document)


def _is_request(document: object) -> bool:
    return isinstance(document, dict) and {"provider", "body"} <= document.keys() <= {"provider", "headers", "body"}


def _documents(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    documents = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                documents.append(json.loads(line))
            except ValueError:
                raise FileRefused(
                    f"Line {number} is no JSON.", "Give recorded requests, one JSON document a line."
                ) from None
    return documents


def replay(raws: Sequence[Raw], desk: Desk) -> Replay:
    """Read recorded requests, also those that were read before: an event that is known changes nothing."""
    new, faults = 0, []
    for one in raws:
        found = events_of(one, desk)
        faults += [event.what for event in found if isinstance(event, ParseError)]
        with desk.store.begin() as tx:
            new += sum(obey(tx, one.provider, event, desk) for event in found if isinstance(event, Event))
    return Replay(len(raws), new, tuple(faults))


# --- reading ---------------------------------------------------------------------------------------


def read(desk: Desk, *, most: int = 5000) -> int:
    """Read the requests that wait, at most `most`; returns how many events were new."""
    new, seen = 0, 0
    while seen < most:
        with desk.store.read() as tx:
            found = tx.events.waiting(min(_AT_ONCE, most - seen))
        for id_, one in found:
            new += _read(id_, one, desk)
        seen += len(found)
        if len(found) < _AT_ONCE:
            break
    return new


def _read(id_: int, one: Raw, desk: Desk) -> int:
    """One request, in one transaction: its events, what they lead to, and that it was read."""
    found = events_of(one, desk)
    faults = [event.what for event in found if isinstance(event, ParseError)]
    with desk.store.begin() as tx:
        if not tx.events.read(id_, desk.now(), "; ".join(faults)):
            return 0
        told = [event for event in found if isinstance(event, Event)]
        new = sum(obey(tx, one.provider, event, desk) for event in told)
        _forget_the_erased(tx, told, desk)
        return new


def _forget_the_erased(tx: Transaction, told: Sequence[Event], desk: Desk) -> None:
    """A late word about somebody who was erased leaves nothing of them either (promise 9)."""
    for who in {found for event in told if (found := _address(event.email))}:
        hmac = desk.hmac(who)
        if tx.audience.suppression(hmac) is Reason.ERASED and tx.audience.by_hmac(hmac) is None:
            tx.events.erase(hmac, who.typed)
            mark(tx, desk)


def events_of(one: Raw, desk: Desk) -> Sequence[Event | ParseError]:
    """The events of a kept request; of a provider that is not set up any more, none."""
    reports = desk.reports.get(one.provider)
    if reports is None:
        return [ParseError("its provider is not set up any more")]
    try:
        return reports.parse_webhook(one.headers, one.body.encode())
    except Exception as problem:  # noqa: BLE001 - an adapter answers, it does not raise; the next request is another
        log.error("A webhook of %s could not be read: %s", one.provider, type(problem).__name__)  # noqa: TRY400
        return [ParseError(f"it could not be read: {type(problem).__name__}")]


# --- obeying ---------------------------------------------------------------------------------------


def obey(tx: Transaction, provider: str, event: Event, desk: Desk) -> bool:
    """Write an event down and do what it asks for, in the caller's transaction. False: it was known."""
    now = desk.now()
    who = _address(event.email)
    about = tx.events.about(event.key, event.message_id, desk.hmac(who) if who else None)
    subscriber = tx.audience.by_id(about[0], held=True) if about else None  # whom we wrote to: mail is forwarded
    hmac = subscriber.hmac if subscriber else desk.hmac(who) if who else None
    if subscriber is None and hmac is not None:
        subscriber = tx.audience.by_hmac(hmac, held=True)
    campaign_id = about[1] if about else None
    subscriber_id = subscriber.id if subscriber else None
    if not tx.events.add(provider, event, hmac=hmac, subscriber_id=subscriber_id, campaign_id=campaign_id, now=now):
        return False
    if about and about[1] is not None and event.type not in _FAILED:
        tx.events.arrived(about[1], about[0], event.message_id)
    change = _change(tx, event, hmac, now)
    if change is not None and hmac is not None:
        _turn(tx, subscriber, hmac, change, event, provider, now)
    return True


def _address(text: str | None) -> Address | None:
    try:
        return address.parse(text) if text else None
    except AddressRefused:
        return None


def _change(tx: Transaction, event: Event, hmac: str | None, now: datetime) -> Change | None:
    """What an event asks for, the softer ones before it counted."""
    if hmac is not None and is_soft(event) and enough(tx.events.soft_bounces(hmac, now - SOFT_SPAN), now):
        return Change.BOUNCE
    return change_of(event)


def _turn(
    tx: Transaction, who: Subscriber | None, hmac: str, change: Change, event: Event, provider: str, now: datetime
) -> None:
    """Change the subscriber's state, with evidence and suppression; of a stranger, a complaint is remembered."""
    if who is None:
        if change is Change.COMPLAINT:
            tx.audience.suppress(hmac, REASONS[change], now, provider)
        return
    if who.confirmed_at is not None and event.at < who.confirmed_at:
        return  # it is about a mail from before they agreed anew
    if change is Change.UNSUBSCRIBE:
        withdraw(tx, who, now, method="webhook", source=provider)
        return
    try:
        taken = step(who.state, change)
    except LinkRefused:
        return
    if taken.record is None:
        return
    tx.audience.move(who.id, taken.state, now, ends_links=taken.ends_links)
    tx.audience.suppress(who.hmac, REASONS[change], now, provider)
    tx.audience.record([Evidence(who.pid, Kind(taken.record), now, method="webhook", source=provider)])
