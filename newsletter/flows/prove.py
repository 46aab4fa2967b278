"""Prove a provider against the owner's own account, by the addresses it keeps for tests.

In: the desk, whose provider is the one to prove. Out: a transcript, a step at a time, without secrets and without
anybody's address. Sends to the provider's test addresses alone; touches the events, never a subscriber or the ledger.

    account -> send to each test address -> (the same call again) -> look it up -> hear of it by webhook -> replay
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from newsletter.core import ids
from newsletter.core.delivery import Batch, Outcome, Recipient, Status, Trial
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Escape, Mailbox, Site
from newsletter.core.event import EventType, Heard, Raw
from newsletter.core.redact import redacted
from newsletter.errors import NothingToDo
from newsletter.flows import hear
from newsletter.flows.deliver import deliver, settle
from newsletter.flows.desk import Desk

Result = Literal["passed", "failed", "unseen", "skipped"]

EVERY = 3.0
"""Seconds between two looks at what has come in."""

_MOST = 100
"""Requests looked at in one go."""

_SKEW = timedelta(minutes=5)
"""How far a provider's clock may be behind ours."""

WAY_OUT = "a-proof-of-nobody"
"""Stands where a reader's own credential stands: the page it leads to answers as for any link."""

_TELLS: Mapping[Trial, frozenset[tuple[EventType, bool | None]]] = {
    "delivered": frozenset({(EventType.DELIVERED, None)}),
    "bounced": frozenset({(EventType.BOUNCED, True)}),
    "soft_bounced": frozenset({(EventType.BOUNCED, False), (EventType.DEFERRED, None)}),
    "complained": frozenset({(EventType.COMPLAINED, None)}),
    "suppressed": frozenset({(EventType.REJECTED, None), (EventType.BOUNCED, True), (EventType.FAILED, None)}),
}
"""What each trial is to be told as; a permanence of None is any."""

_UNREPORTED: frozenset[Trial] = frozenset({"suppressed"})
"""Trials that the answer to the call may settle, so that no event need follow."""


@dataclass(frozen=True)
class Step:
    """One thing that was tried. `unseen` is neither good nor bad: nobody said anything in time."""

    name: str
    result: Result
    said: str = ""


@dataclass(frozen=True)
class _Sent:
    trial: Trial
    batch: Batch
    key: str
    outcome: Outcome

    @property
    def address(self) -> str:
        return self.batch.recipients[0].address


def prove(
    desk: Desk, *, wait: float, sleep: Callable[[float], None], tell: Callable[[Step], None] = lambda _step: None
) -> tuple[Step, ...]:
    """Go through all of it.

    In: how many seconds to wait for what comes by webhook, and how to wait; `tell` is called with each step as it
    is done. Raises: NothingToDo for a provider without test addresses.
    """
    if not desk.provider.capabilities.test_addresses:
        raise NothingToDo(
            f"{desk.provider.name} keeps no addresses for tests.",
            "Send yourself a letter instead: newsletter test ISSUE --to ADDRESS",
        )
    done = []
    for step in _steps(desk, wait, sleep):
        tell(step)
        done.append(step)
    return tuple(done)


def _steps(desk: Desk, wait: float, sleep: Callable[[float], None]) -> Iterator[Step]:
    yield from _account(desk)
    begun = desk.now()
    sent = []
    for trial, to in sorted(desk.provider.capabilities.test_addresses.items()):
        one = _send(trial, to, desk)
        sent.append(one)
        yield _taken(one)
    yield from _again(sent, desk)
    heard, raws = _listen(sent, desk, begun, wait, sleep)
    yield from _looked_up(sent, desk, begun, sleep)
    for one in sent:
        yield _told(one, heard)
    yield _replayed(raws, desk)


def _account(desk: Desk) -> Iterator[Step]:
    """What the provider says of the account."""
    try:
        found = desk.provider.check(len(desk.provider.capabilities.test_addresses))
    except Exception as problem:  # noqa: BLE001 - an adapter that breaks off has failed its proof
        yield Step("account", "failed", f"the adapter broke off: {type(problem).__name__}")
        return
    if not found:
        yield Step("account", "passed", "nothing to find fault with")
    for one in found:
        yield Step(f"account: {one.id}", "failed" if one.level == "error" else "skipped", redacted(one.what))


def _send(trial: Trial, to: str, desk: Desk) -> _Sent:
    key = f"prove-{ids.pid(desk.entropy)}"
    reader = Recipient(key, to, {"first_name": "Zoë “Z” {{x}}"}, desk.links.unsubscribe(WAY_OUT))
    batch = Batch((reader,), at=desk.now(), tag="prove")
    result = deliver(desk.provider, _email(desk), batch, key=key, timeout=desk.pace.timeout)
    return _Sent(trial, batch, key, result.outcomes[0])


def _email(desk: Desk) -> Email:
    """A small mail with a name and a way out in it."""
    sender, name = desk.publication.default_sender, "first_name"
    way_out = Site(UNSUBSCRIBE_URL, "", Escape.LINK)
    return Email(
        sender=Mailbox(sender.name, sender.email),
        reply_to=None,
        subject=("A proof, ", Site(name, "friend", Escape.HEADER)),
        html=("<p>A proof, ", Site(name, "friend", Escape.TEXT), '. <a href="', way_out, '">Leave</a></p>'),
        text=("A proof, ", Site(name, "friend", Escape.PLAIN), ".\n\n", Site(UNSUBSCRIBE_URL, "", Escape.PLAIN), "\n"),
        headers=(
            ("List-Unsubscribe", ("<", Site(UNSUBSCRIBE_URL, "", Escape.HEADER), ">")),
            ("List-Unsubscribe-Post", ("List-Unsubscribe=One-Click",)),
        ),
    )


def _taken(one: _Sent) -> Step:
    """Whether the answer to the call is one we expect of this trial."""
    good = {Status.SUBMITTED}
    if one.trial in _UNREPORTED:
        good |= {Status.SUPPRESSED, Status.REJECTED}
    said = f"{one.outcome.status} {one.outcome.code} {one.outcome.detail}"
    return Step(
        f"send: {one.trial}", "passed" if one.outcome.status in good else "failed", redacted(said, [one.address])
    )


def _again(sent: Sequence[_Sent], desk: Desk) -> Iterator[Step]:
    """A key that is remembered: the same call again is the same message."""
    taken = next((one for one in sent if one.outcome.status is Status.SUBMITTED), None)
    if desk.provider.capabilities.idempotency_ttl is None or taken is None:
        return
    result = deliver(desk.provider, _email(desk), taken.batch, key=taken.key, timeout=desk.pace.timeout)
    same = result.outcomes[0].message_id == taken.outcome.message_id is not None
    yield Step("the same call again", "passed" if same else "failed", "one message" if same else "another message")


def _listen(
    sent: Sequence[_Sent], desk: Desk, begun: datetime, wait: float, sleep: Callable[[float], None]
) -> tuple[list[Heard], list[Raw]]:
    """Wait until each trial was spoken of, or for as long as was said. Out: the events, the requests read here."""
    name, end = desk.provider.name, desk.now() + timedelta(seconds=wait)
    raws: list[Raw] = []
    while True:
        with desk.store.read() as tx:
            raws += [raw for _, raw in tx.events.waiting(_MOST) if raw.provider == name]
        hear.read(desk)
        with desk.store.read() as tx:
            heard = [one for one in tx.events.each() if one.provider == name and one.at >= begun - _SKEW]
        if desk.now() >= end or all(_told(one, heard).result in {"passed", "skipped"} for one in sent):
            return heard, raws
        sleep(EVERY)


def _looked_up(sent: Sequence[_Sent], desk: Desk, begun: datetime, sleep: Callable[[float], None]) -> Iterator[Step]:
    """What the provider says it took, once it can know."""
    can = desk.provider.capabilities
    if can.reconcile != "search":
        return
    early = (begun + timedelta(seconds=can.settle_seconds) - desk.now()).total_seconds()
    if early > 0:
        sleep(early)
    for one in sent:
        if one.outcome.status is not Status.SUBMITTED:
            continue
        found = settle(desk.provider, one.batch, key=one.key)[0].status
        result: Result = "passed" if found is Status.SUBMITTED else "unseen" if found is Status.UNKNOWN else "failed"
        yield Step(f"look up: {one.trial}", result, f"{found}")


def _told(one: _Sent, heard: Sequence[Heard]) -> Step:
    """Whether the trial was told as what it is."""
    name = f"webhook: {one.trial}"
    own = [event for event in heard if _about(event, one)]
    good = _TELLS[one.trial]
    if any((event.type, event.permanent) in good or (event.type, None) in good for event in own):
        return Step(name, "passed", ", ".join(dict.fromkeys(_words(event) for event in own)))
    if one.trial in _UNREPORTED and one.outcome.status in {Status.SUPPRESSED, Status.REJECTED}:
        return Step(name, "skipped", "the answer to the call said it")
    if wrong := [event for event in own if event.type not in {EventType.ACCEPTED, EventType.IGNORED}]:
        return Step(name, "failed", ", ".join(dict.fromkeys(_words(event) for event in wrong)))
    return Step(name, "unseen", "nothing came in time")


def _words(event: Heard) -> str:
    lasting = {True: " for good", False: " for now", None: ""}[event.permanent]
    return f"{event.type}{lasting}"


def _about(event: Heard, one: _Sent) -> bool:
    by_id = event.message_id is not None and event.message_id == one.outcome.message_id
    return by_id or (event.email or "").lower() == one.address.lower()


def _replayed(raws: Sequence[Raw], desk: Desk) -> Step:
    """What came in, once more: it changes nothing."""
    if not raws:
        return Step("replay", "skipped", "no request was read here; the web side may have read them")
    again = hear.replay(raws, desk)
    told = f"{again.requests} requests, {again.events} new events"
    return Step("replay", "passed" if not again.events and not again.faults else "failed", told)
