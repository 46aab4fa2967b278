"""What a provider tells afterwards: kept first, read later, and obeyed once.

    request -> verify -> keep (one transaction for all who come at once) -> 200
    tick    -> read each request -> its events, each in the transaction that obeys it

In: requests of a provider. Out: changed subscribers, with evidence. Touches events, subscribers, suppressions
and the rows of a campaign whose answer was lost. In any order and any number of times the same people may be mailed in
the end: an event has one row, and one that is older than the last consent changes nothing.
"""

from __future__ import annotations

import json
import logging
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock
from typing import Any

from newsletter.core import address, bouncemail
from newsletter.core.address import Address
from newsletter.core.consent import Change, Evidence, Kind, State, Subscriber, step
from newsletter.core.event import UNTOLD, Event, EventType, ParseError, Raw
from newsletter.core.feedback import REASONS, SOFT_SPAN, change_of, enough, is_soft
from newsletter.errors import (
    AddressRefused,
    BadSignature,
    FileRefused,
    NewsletterError,
    NotFound,
    StaleWebhook,
    WorkLeft,
)
from newsletter.flows.desk import Desk
from newsletter.flows.retention import mark
from newsletter.ports import Confirms, Reports, Transaction

log = logging.getLogger("newsletter.events")

BY_MAIL = "mail"
"""The provider of events that came as mail: nobody vouches for them."""

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
    except StaleWebhook as stale:  # a key of its own: the same body may come again, signed now
        return Raw(provider, sha256(b"stale" + body).hexdigest(), {}, "", ignored=stale.what)
    except NewsletterError:
        raise
    except Exception as problem:  # noqa: BLE001 - a signature that cannot even be read is not the provider's
        raise BadSignature(f"A webhook request is not signed as it must be ({type(problem).__name__}).") from None
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
        found += [_recorded(one, provider) for one in (document if _are_requests(document) else [document])]
    for one in found:
        reporter(one.provider, desk)
    return found


def _recorded(document: Any, provider: str) -> Raw:
    """A request as recorded, or a body as `provider` sends it."""
    request = document if _is_request(document) else {"provider": provider, "body": document}
    headers = {str(name).lower(): str(value) for name, value in (request.get("headers") or {}).items()}
    body = request["body"] if isinstance(request["body"], str) else json.dumps(request["body"])
    return raw(request["provider"], headers, body.encode("utf-8", "replace"))


def _are_requests(document: object) -> bool:
    return isinstance(document, list) and bool(document) and all(_is_request(one) for one in document)


def _is_request(document: object) -> bool:
    if not isinstance(document, dict) or not {"provider", "body"} <= document.keys() <= {"provider", "headers", "body"}:
        return False
    return isinstance(document["provider"], str) and isinstance(document.get("headers") or {}, dict)


def _documents(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except RecursionError:
        raise FileRefused("The file is nested too deeply to be read.", "Give recorded requests.") from None
    except ValueError:
        pass
    documents = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                documents.append(json.loads(line))
            except (ValueError, RecursionError):
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
            found = [
                _Parsed(id_, one, events_of(one, desk)) for id_, one in tx.events.waiting(min(_AT_ONCE, most - seen))
            ]
        seen += len(found)
        waiting = list(found)
        while waiting:
            new += _read(waiting, desk)
        if len(found) < _AT_ONCE:
            break
    return new


@dataclass(frozen=True)
class _Parsed:
    """A request, and what it holds."""

    id: int
    raw: Raw
    events: Sequence[Event | ParseError]


def _read(waiting: list[_Parsed], desk: Desk) -> int:
    """The next requests in one transaction, as many as `_HELD` is time for; how many events were new.

    Takes them off `waiting`. One that cannot be obeyed takes none of the others with it.
    """
    new, first, end = 0, list(waiting), time.monotonic() + _HELD
    try:
        with desk.store.begin() as tx:
            while waiting and time.monotonic() < end:
                new += _obey_all(tx, waiting.pop(0), desk)
    except WorkLeft:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the other requests are not to blame
        waiting[:] = first[1:]
        return _alone(first[0], desk)
    return new


_HELD = 0.04
"""Seconds others who write may wait for a reader of events: someone who leaves is to be answered at once."""


def _alone(one: _Parsed, desk: Desk) -> int:
    """A request in a transaction of its own, each event apart; one that cannot be obeyed loses none of the others.

    Such a request is kept as it came, with the reason.
    """
    new, left = 0, []
    with desk.store.begin() as tx:
        for event in one.events:
            done = _apart(tx, one.raw, event, desk) if isinstance(event, Event) else event
            if isinstance(done, ParseError):
                left.append(done)
            else:
                new += done
        _obey_all(tx, replace(one, events=left), desk)
    return new


def _apart(tx: Transaction, one: Raw, event: Event, desk: Desk) -> bool | ParseError:
    try:
        with tx.events.apart():
            return _heed(tx, one, event, desk)
    except WorkLeft:
        raise
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other events are not to blame
        why = type(problem).__name__
    log.error("An event of %s could not be obeyed: %s", one.provider, why)
    return ParseError(f"it could not be obeyed: {why}")


def _obey_all(tx: Transaction, one: _Parsed, desk: Desk) -> int:
    """The events of a request, what they lead to, and that it was read.

    What was read whole is not kept: its events are. Of what could not be, the body stays for a while, unless it names
    somebody who was erased (promise 9).
    """
    faults = [event.what for event in one.events if isinstance(event, ParseError)]
    erased = bool(faults) and _names_the_erased(tx, one.raw.body, desk)
    if erased:
        mark(tx, desk)
    if not tx.events.read(one.id, desk.now(), "; ".join(faults), keep=bool(faults) and not erased):
        return 0
    return sum(_heed(tx, one.raw, event, desk) for event in one.events if isinstance(event, Event))


def _heed(tx: Transaction, one: Raw, event: Event, desk: Desk) -> bool:
    """Obey an event of a kept request; of a mail, as anybody could have written it."""
    if one.provider == BY_MAIL:
        return event.type is not EventType.IGNORED and obey(tx, BY_MAIL, event, desk, method="mail", named=True)
    return obey(tx, one.provider, event, desk)


def _names_the_erased(tx: Transaction, body: str, desk: Desk) -> bool:
    """Whether a text names an address that was erased, or so many that nobody looks."""
    named = set(address.mentioned(json.dumps(_read_json(body), ensure_ascii=False)))
    known = [desk.hmac(who) for text in named if (who := _address(text))]
    return len(named) > _MOST_NAMED or any(tx.audience.erased(hmac) for hmac in known)


def _read_json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


_MOST_NAMED = 2000


def events_of(one: Raw, desk: Desk) -> Sequence[Event | ParseError]:
    """The events of a kept request; of a provider that is not set up any more, none."""
    if one.provider == BY_MAIL:
        return [sound(event, desk.now()) for event in bouncemail.events_of(b64decode(one.body), desk.now())]
    reports = desk.reports.get(one.provider)
    if reports is None:
        return [ParseError("its provider is not set up any more")]
    try:
        return [sound(event, desk.now()) for event in reports.parse_webhook(one.headers, one.body.encode())]
    except Exception as problem:  # noqa: BLE001 - an adapter answers, it does not raise; the next request is another
        log.error("A webhook of %s could not be read: %s", one.provider, type(problem).__name__)  # noqa: TRY400
        return [ParseError(f"it could not be read: {type(problem).__name__}")]


def sound(event: Event | ParseError, now: datetime) -> Event | ParseError:
    """An event that can be written down: letters that are letters, a time that has been, no more than there is room."""
    if isinstance(event, ParseError):
        return event
    event = replace(event, at=now) if event.at == UNTOLD else event
    texts = (event.event_id, event.email, event.message_id, event.key)
    if any("\x00" in text or not _encodes(text) for text in texts if text):
        return ParseError("An event holds characters that are none.")
    if event.at < _EARLIEST:
        return ParseError("An event is of a time before there was mail.")
    id_ = event.event_id if len(event.event_id) <= _LONGEST else sha256(event.event_id.encode()).hexdigest()
    message_id = event.message_id if event.message_id and len(event.message_id) <= _LONGEST else None
    email = event.email if event.email and len(event.email) <= _LONGEST_ADDRESS else None
    return replace(event, event_id=id_, at=min(event.at, now), email=email, message_id=message_id)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_LONGEST = 255  # characters the database keeps
_LONGEST_ADDRESS = 254


# --- obeying ---------------------------------------------------------------------------------------


def obey(
    tx: Transaction, provider: str, event: Event, desk: Desk, *, method: str = "webhook", named: bool = False
) -> bool:
    """Write an event down and do what it asks for, in the caller's transaction. False: it was known.

    In: how it came, for the evidence; `named`, whether it counts only when it carries a mark of ours, as anybody can
    write a report about anybody. Without one it is written down, and changes nothing.
    """
    now = desk.now()
    hmac, about = marked(tx, event, desk)
    if about is None and event.email is None and event.message_id and provider != BY_MAIL and change_of(event):
        about = tx.events.alone(event.message_id)
    subscriber = tx.audience.by_id(about[0], held=True) if about else None  # whom we wrote to: mail is forwarded
    hmac = subscriber.hmac if subscriber else hmac
    if subscriber is None and hmac is not None and not named:
        subscriber = tx.audience.by_hmac(hmac, held=True)
    if subscriber is not None:
        event = replace(event, email=subscriber.email)
    elif hmac is not None and tx.audience.erased(hmac):
        event, hmac = replace(event, email=None), None  # a late word about somebody who was erased (promise 9)
        mark(tx, desk)
    campaign_id = about[1] if about else None
    subscriber_id = subscriber.id if subscriber else None
    if not tx.events.add(provider, event, hmac=hmac, subscriber_id=subscriber_id, campaign_id=campaign_id, now=now):
        return False
    if about and about[1] is not None and event.type not in _FAILED:
        tx.events.arrived(about[1], about[0], event.message_id)
    if subscriber is not None:
        _turn(tx, subscriber, event, provider, now, method)
    elif hmac is not None and not named and change_of(event) is Change.COMPLAINT:
        tx.audience.suppress(hmac, REASONS[Change.COMPLAINT], now, provider)  # a stranger: it is remembered
    return True


def marked(tx: Transaction, event: Event, desk: Desk) -> tuple[str | None, tuple[int, int | None] | None]:
    """Whom an event is about, by a mark of ours: subscriber and campaign; else the fingerprint of the address in it."""
    if found := tx.events.about(event.key, event.message_id, None, event.way_out):
        return None, found
    who = _address(event.email)
    hmac = desk.hmac(who) if who else None
    return hmac, tx.events.about(None, event.message_id, hmac) if hmac else None


def _address(text: str | None) -> Address | None:
    try:
        return address.parse(text) if text else None
    except AddressRefused:
        return None


def _turn(tx: Transaction, who: Subscriber, event: Event, provider: str, now: datetime, method: str) -> None:
    """Change the subscriber's state as an event asks, with evidence and suppression.

    Told in any order, the same in the end: each reason is kept with the last moment it was given, a complaint outweighs
    the others, and of leaving and bouncing the later one names the state (leaving, at the same moment).
    """
    change, at = _change(tx, event, who, now)
    if change is None or at < _agreed(tx, who, change):
        return  # it asks for nothing, or is about a mail from before they agreed anew
    if event.type is EventType.REJECTED and tx.brake.lifting(who.id):
        return  # the provider's list does not know yet that they agreed anew
    reason, taken = REASONS[change], step(who.state, change)
    new = tx.audience.suppressed_at(who.hmac, reason) is None
    tx.audience.suppress(who.hmac, reason, at, provider)
    if change is Change.UNSUBSCRIBE:
        tx.audience.drop_topics(who.id)
    if new or taken.state is not who.state:
        state = who.state if _overtaken(tx, who, change, at) else taken.state
        if new or state is not who.state:
            tx.audience.move(who.id, state, now, ends_links=taken.ends_links)
    if new:
        topics = who.topics if change is Change.UNSUBSCRIBE else ()
        kind = _KINDS[change]
        tx.audience.record([Evidence(who.pid, kind, now, method=method, topics=topics, source=provider)])


_KINDS = {Change.UNSUBSCRIBE: Kind.WITHDRAW, Change.BOUNCE: Kind.BOUNCE, Change.COMPLAINT: Kind.COMPLAINT}


def _change(tx: Transaction, event: Event, who: Subscriber, now: datetime) -> tuple[Change | None, datetime]:
    """What an event asks for, and of when; the softer ones before it counted since they last agreed."""
    if is_soft(event):
        since = max(now - SOFT_SPAN, _agreed(tx, who, Change.BOUNCE))
        moments = tx.events.soft_bounces(who.hmac, since)
        if enough(moments, now):
            return Change.BOUNCE, max(moments)
    return change_of(event), event.at


def _agreed(tx: Transaction, who: Subscriber, change: Change) -> datetime:
    """When they last agreed, or asked: what happened before means nothing any more. A complaint outlives asking.

    Their own word counts, given here or proven by the file they came with; that somebody else vouched for them takes
    nothing back (promise 8). To the second, as many providers tell no more of a moment.
    """
    told = tx.audience.evidence(who.pid)
    own: list[datetime] = [one["at"] for one in told if one["kind"] in {Kind.CONFIRM, Kind.UNDO}]
    brought = [one["at"] for one in told if one["kind"] == Kind.IMPORT]
    if own:
        agreed = max(own)
    elif who.confirmed_at and (not brought or who.confirmed_at < brought[-1]):
        agreed = who.confirmed_at
    else:
        agreed = _NEVER if brought or change is Change.COMPLAINT else who.created_at
    return agreed.replace(microsecond=0)


_NEVER = datetime.min.replace(tzinfo=UTC)


def _overtaken(tx: Transaction, who: Subscriber, change: Change, at: datetime) -> bool:
    """Whether what names the state now happened after this: providers tell in any order."""
    if change is Change.UNSUBSCRIBE and who.state is State.BOUNCED:
        bounced = tx.audience.suppressed_at(who.hmac, REASONS[Change.BOUNCE])
        return bounced is not None and at < bounced
    if change is Change.BOUNCE and who.state is State.UNSUBSCRIBED:
        left = tx.audience.suppressed_at(who.hmac, REASONS[Change.UNSUBSCRIBE])
        return left is not None and at <= left
    return False
