"""The lists that providers keep of whom they will not write to, and ours: ours is the truth.

    pull   what a provider's list says is obeyed like a webhook; what is older than a renewed consent is taken off it
    push   who bounced, complained or left with us is put on the list of the letters' provider

In: the desk. Out: for each list, what was read and changed. Touches what `flows/hear.py` touches, `lifts`, and the
providers. No transaction is open while a provider answers. Addresses go only to the provider that writes to them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Literal

from newsletter.core import address
from newsletter.core.consent import Reason, State
from newsletter.core.delivery import Suppression
from newsletter.core.event import Event, EventType
from newsletter.core.event import Reason as Why
from newsletter.errors import AddressRefused, NewsletterError
from newsletter.flows.desk import Desk
from newsletter.flows.hear import obey
from newsletter.ports import Provider, Suppresses, Transaction

log = logging.getLogger("newsletter.suppressions")

_AGAIN = timedelta(days=1)  # lists are read from a day before the last time: some tell days only
_AT_ONCE = 200
_NEAR = timedelta(days=2)  # so far a list's entry may lie from the bounce that caused it


@dataclass(frozen=True)
class Synced:
    """What one list led to. `stopped`: readers who get no more mail; `lifted`: entries that are to be taken off.

    `put`: addresses of ours that it has now. `trouble`: why it could not be done, or not to the end.
    """

    provider: str
    entries: int = 0
    stopped: int = 0
    lifted: int = 0
    put: int = 0
    trouble: str = ""


def sync(desk: Desk, *, dry_run: bool = False, everything: bool = False, strangers: bool = False) -> list[Synced]:
    """Compare each list with ours, both ways; one that does not answer does not stop the others.

    In: `dry_run` changes nothing anywhere; `everything` reads and writes from the beginning, not since the last time;
    `strangers`: remember whoever stands on a list, known to us or not.
    Out: one for each list; none when no provider has one that can be read or written.
    """
    found = []
    for name, provider in _lists(desk).items():
        one = _Work(desk, provider, name, dry_run=dry_run, everything=everything, strangers=strangers)
        try:
            one.pull()
            if provider is desk.provider:
                one.push()
        except NewsletterError as problem:
            log.warning("The list of %s could not be compared with ours.", provider.name)
            one.done = replace(one.done, trouble=problem.what)
        except Exception as problem:  # noqa: BLE001 - whatever it says, it may name an address (promise 12)
            log.warning("The list of %s could not be compared with ours: %s", provider.name, type(problem).__name__)
            one.done = replace(one.done, trouble=f"{provider.name} did not answer as expected.")
        found.append(one.done)
    return found


def daily(desk: Desk) -> int:
    """As `sync`; how many readers stopped by it."""
    return sum(one.stopped for one in sync(desk))


def _lists(desk: Desk) -> dict[str, Provider]:
    """The providers with a list that can be read or written, each under a name of its own."""
    both = {desk.provider.name: desk.provider}
    if desk.transactional is not desk.provider:
        both[f"{desk.transactional.name} transactional"] = desk.transactional
    able = {"read", "add"}
    return {
        name: one for name, one in both.items() if isinstance(one, Suppresses) and able & one.capabilities.suppressions
    }


@dataclass
class _Work:
    """One list, while it is compared."""

    desk: Desk
    provider: Provider
    name: str
    dry_run: bool
    everything: bool
    strangers: bool
    done: Synced = field(init=False)

    def __post_init__(self) -> None:
        self.done = Synced(self.name)
        self.begun = self.desk.now()

    # --- from the provider to us -------------------------------------------------------------------

    def pull(self) -> None:
        """Obey what stands on the list. Raises: what the adapter raises."""
        if "read" not in self.provider.capabilities.suppressions:
            return
        assert isinstance(self.provider, Suppresses)
        since = self._since("read")
        entries = self.provider.suppressions(since - _AGAIN if since else None)
        for some in _parts(entries):
            with contextlib.suppress(_Undone), self.desk.store.begin() as tx:
                self._obey(tx, some)
                self._end()
        self._note("read")

    def _obey(self, tx: Transaction, entries: Sequence[Suppression]) -> None:
        named = {hmac: entry for entry in entries if (hmac := _hmac(entry.address, self.desk))}
        known = tx.audience.known(list(named))
        stopped = lifted = 0
        for hmac, entry in named.items():
            if hmac in known:
                if self._is_news(tx, hmac, entry):
                    after = tx.audience.known([hmac])[hmac]
                    stopped += known[hmac] in _READING and after not in _READING
                    lifted += after is State.ACTIVE and entry.reason != "complaint" and self._off(tx, hmac)
            elif (why := _STRANGERS.get(entry.reason)) and (self.strangers or why is Reason.COMPLAINED):
                tx.audience.suppress(hmac, why, entry.at or self.begun, self.provider.name)  # without the address
        self.done = replace(
            self.done,
            entries=self.done.entries + len(entries),
            stopped=self.done.stopped + stopped,
            lifted=self.done.lifted + lifted,
        )

    def _is_news(self, tx: Transaction, hmac: str, entry: Suppression) -> bool:
        """Obey an entry about a subscriber as an event. False: it says nothing, or was known."""
        if entry.reason == "other" or (entry.at is None and self._is_lifted(tx, hmac)):
            return False
        type_, permanent, why = _MEANS[entry.reason]
        at = entry.at or self.begun
        if entry.reason == "bounce" and tx.events.bounced_softly(self.provider.name, hmac, at - _NEAR, at + _NEAR):
            permanent = False  # the provider calls hard what its mail server called full, or a policy
        id_ = sha256(f"list\n{hmac}\n{entry.reason}\n{entry.at}".encode()).hexdigest()
        event = Event(type_, id_, min(at, self.begun), email=entry.address, permanent=permanent, reason=why)
        return obey(tx, self.provider.name, event, self.desk, method="list")

    def _is_lifted(self, tx: Transaction, hmac: str) -> bool:
        who = tx.audience.by_hmac(hmac)
        return who is not None and tx.brake.lifting(who.id)

    def _off(self, tx: Transaction, hmac: str) -> bool:
        """Take a reader off the list: they agreed after it, or it says nothing of the address."""
        who = tx.audience.by_hmac(hmac)
        if who is None:
            return False
        tx.brake.lift(who.id, self.begun)
        return True

    def _end(self) -> None:
        if self.dry_run:
            raise _Undone

    # --- from us to the provider -------------------------------------------------------------------

    def push(self) -> None:
        """Put on the list who bounced, complained or left since the last time. Raises: what the adapter raises."""
        if "add" not in self.provider.capabilities.suppressions:
            return
        assert isinstance(self.provider, Suppresses)
        since, after, full = self._since("written"), 0, True
        while full:
            with self.desk.store.read() as tx:
                page = tx.audience.departed(since, after, _AT_ONCE)
            entries = [Suppression(who.email, _WHY[who.state], at) for who, at in page if self._holds(_WHY[who.state])]
            if entries and not self.dry_run:
                self.provider.suppress(entries)
            self.done = replace(self.done, put=self.done.put + len(entries))
            full, after = len(page) == _AT_ONCE, page[-1][0].id if page else after
        self._note("written")

    def _holds(self, reason: str) -> bool:
        """Whether the list can keep a reason so that it comes back as it was. A complaint outweighs whatever does."""
        return reason == "complaint" or reason in self.provider.capabilities.holds

    # --- since when --------------------------------------------------------------------------------

    def _since(self, way: str) -> datetime | None:
        if self.everything:
            return None
        with self.desk.store.read() as tx:
            last = tx.facts.get(f"list.{way}:{self.name}")
        return datetime.fromisoformat(last) if last else None

    def _note(self, way: str) -> None:
        """Whatever happened before this pass began was seen by it."""
        if not self.dry_run:
            with self.desk.store.begin() as tx:
                tx.facts.set(f"list.{way}:{self.name}", self.begun.isoformat())


_READING = {State.ACTIVE, State.PENDING}
_MEANS: dict[str, tuple[EventType, bool | None, Why]] = {
    "bounce": (EventType.BOUNCED, True, "bounce"),
    "complaint": (EventType.COMPLAINED, None, "complaint"),
    "unsubscribe": (EventType.UNSUBSCRIBED, None, "unsubscribe"),
}
_STRANGERS = {"bounce": Reason.BOUNCED, "complaint": Reason.COMPLAINED, "unsubscribe": Reason.UNSUBSCRIBED}
_WHY: dict[State, Literal["bounce", "complaint", "unsubscribe"]] = {
    State.BOUNCED: "bounce",
    State.COMPLAINED: "complaint",
    State.UNSUBSCRIBED: "unsubscribe",
}


class _Undone(Exception):
    """Takes a transaction back: it was only to be looked at."""


def _hmac(text: str, desk: Desk) -> str | None:
    try:
        return desk.hmac(address.parse(text))
    except AddressRefused:
        return None


def _parts(entries: Iterator[Suppression]) -> Iterator[list[Suppression]]:
    while some := list(islice(entries, _AT_ONCE)):
        yield some
