"""The audience comes in, is looked at, and leaves: `newsletter subscribers`.

In: addresses and files. Out: reports that name lines, never addresses. Touches subscribers, consent and
suppressions. Importing can never bring back someone who left (promise 8): whoever is suppressed, or stands
as unsubscribed, bounced or complained, stays so.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from newsletter.core import address, ids
from newsletter.core.campaign import LETTER
from newsletter.core.columns import Standing
from newsletter.core.consent import Evidence, Kind, Mail, Newcomer, Reason, State, Subscriber
from newsletter.core.schedule import iso
from newsletter.errors import NotFound, NothingToDo, ProviderError, WorkLeft
from newsletter.flows import hear, leavers, restore, roster
from newsletter.flows.desk import Desk
from newsletter.flows.leavers import Leaver
from newsletter.flows.retention import clean, mark, unsend
from newsletter.flows.roster import Import, Proof, Row
from newsletter.ports import Transaction

_CHUNK = 20_000  # one transaction: fingerprints are random, so each rewrites most pages of their index
_LONGEST_SOURCE = 200  # characters
_PATIENCE = 1.0  # seconds
_UNCONFIRMED = "never confirmed where they come from"


def add(text: str, desk: Desk, *, why: str = "") -> State:
    """Add one address: active when its consent is attested (`why`), else pending with a confirmation mail.

    Raises: AddressRefused; NothingToDo when it is known or must not be mailed.
    """
    who = address.parse(text)
    now = desk.now()
    hmac = desk.hmac(who)
    with desk.store.begin() as tx:
        known = tx.audience.by_hmac(hmac, held=True)
        if tx.audience.suppression(hmac) is not None:
            raise NothingToDo("This address left, bounced or complained: only its own new signup brings it back.")
        if known is not None:
            raise NothingToDo(f"This address is known already, and {known.state}.")
        row = Row(who.typed, hmac, "", "", desk.publication.language, (LETTER,))
        _insert(tx, [row], desk, why, method="command", source="cli")
        subscriber = tx.audience.by_hmac(hmac)
        assert subscriber is not None
        if not why:
            signup_id = tx.audience.add_signup(
                subscriber, form="", magnet="", topics=(LETTER,), lang=subscriber.lang, wording="", now=now
            )
            tx.queue.enqueue(
                Mail.CONFIRM, key=ids.pid(desk.entropy), subscriber_id=subscriber.id, signup_id=signup_id, now=now
            )
    return subscriber.state


def import_(path: Path, desk: Desk, *, names: Mapping[str, str], why: str = "", dry_run: bool = False) -> Import:
    """Read a file of subscribers, many rows in a transaction; flat memory for any length.

    In: a CSV file of any of the systems in `core/columns.py`, or an export of ours (CSV or JSON), which comes in
    whole; `names` maps the file's columns to ours, tags to topics and status words to ours; `why` attests the consent
    of every row (else those without proof become pending, and so do those who never confirmed there).
    Raises: FileRefused for a file without an email column, or not readable to its end; NotFound for a name in `names`
    that does not fit.
    """
    report = Import()
    if restore.is_ours(path):
        if names or why:
            report.notes.append("an export of ours brings its own evidence and names: nothing else is looked at")
        return restore.restore(path, desk, report, dry_run=dry_run)
    rows = roster.read(path, desk, report, names)
    with _few_collections():
        while chunk := list(itertools.islice(rows, _CHUNK)):
            _take(chunk, report, desk, why, source=path.name, dry_run=dry_run)
    return report


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for cycles once in a chunk or so: rows make none, and looking through them took a fifth of an import."""
    usual = gc.get_threshold()
    gc.set_threshold(10 * _CHUNK, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _take(chunk: Sequence[Row], report: Import, desk: Desk, why: str, *, source: str, dry_run: bool) -> None:
    with desk.store.read() if dry_run else desk.store.begin() as tx:
        if not dry_run:
            tx.audience.hold_all()
        pile = _Pile.of(chunk, tx, why)
        for row in chunk:
            report.decide(pile.decision(row, tx), row.line)
        report.proven += sum(row.proof is not None for row in (*pile.fresh.values(), *pile.raised.values()))
        links = {row.old_link: row.hmac for row in chunk if row.old_link and pile.holds(row.hmac)}
        report.old_links += len(links)
        if not dry_run:
            leavers.obey(pile.gone, tx, desk, source=_source(source))
            _insert(tx, list(pile.fresh.values()), desk, why, source=source)
            for row in pile.raised.values():
                _raise(tx, row, desk, why, source=source)
            tx.moving.keep_links(links.items())


@dataclass(frozen=True)
class _Pile:
    """Rows that are taken together, while it is decided what becomes of each."""

    why: str
    suppressed: Collection[str]
    known: Mapping[str, State]
    gone: Mapping[str, Leaver]
    fresh: dict[str, Row] = field(default_factory=dict)
    raised: dict[str, Row] = field(default_factory=dict)  # pending here, and now vouched for

    @staticmethod
    def of(chunk: Sequence[Row], tx: Transaction, why: str) -> _Pile:
        """What is known of them before."""
        hmacs = [row.hmac for row in chunk]
        known = tx.audience.known(hmacs)
        return _Pile(why, tx.audience.suppressed(hmacs), known, leavers.of(chunk, known, tx))

    def decision(self, row: Row, tx: Transaction) -> str:
        """What becomes of a row: one of `DECISIONS`."""
        hmac = row.hmac
        if hmac in self.gone:
            return self.gone[hmac].decision(row, self.suppressed)
        if hmac in self.suppressed:
            return "suppressed"
        if hmac in self.known:
            return self._again(row, tx)
        if hmac in self.fresh:
            return "doubled"
        if row.standing is Standing.NEVER:
            return "never"
        self.fresh[hmac] = row
        return "active" if _is_active(row, self.why) else "pending"

    def _again(self, row: Row, tx: Transaction) -> str:
        waits = self.known[row.hmac] is State.PENDING and row.hmac not in self.raised
        if not (waits and _is_active(row, self.why) and _was_only_brought(tx, row.hmac)):
            return "known"
        self.raised[row.hmac] = row
        return "active"

    def holds(self, hmac: str) -> bool:
        """Whether the address is a subscriber's when all is done."""
        return hmac in self.fresh or hmac in self.known


def _is_active(row: Row, why: str) -> bool:
    """Whether somebody vouches for them, the file or the owner; not for who never confirmed where they come from."""
    return row.standing is Standing.READER and (bool(why) or row.proof is not None)


def _was_only_brought(tx: Transaction, hmac: str) -> bool:
    """Whether all we know of somebody who is pending is that an import brought them: nobody asked them yet."""
    who = tx.audience.by_hmac(hmac)
    brought = (Kind.REQUEST, "import", "")
    return who is not None and all(
        (event["kind"], event["method"], event["note"]) == brought for event in tx.audience.evidence(who.pid)
    )


def _raise(tx: Transaction, row: Row, desk: Desk, why: str, *, source: str) -> None:
    """Make an active reader of somebody who was brought before without a word on their consent."""
    who, now = tx.audience.by_hmac(row.hmac, held=True), desk.now()
    if who is None:
        return
    tx.audience.move(who.id, State.ACTIVE, now)
    tx.audience.give_topics(who.id, row.topics)
    same = Evidence(who.pid, Kind.IMPORT, now, method="import", topics=row.topics, source=_source(source), note=why)
    tx.audience.record([_evidence(who.pid, who.lang, row.proof, same, tx) if row.proof else same])
    if row.proof:
        tx.moving.confirmed([(who.id, row.proof.at)])


def _source(name: str) -> str:
    """The name of a file as it may be kept: it may be somebody's address."""
    return name[:_LONGEST_SOURCE] if "@" not in name else "a file"


def _insert(
    tx: Transaction, rows: Sequence[Row], desk: Desk, why: str, *, method: str = "import", source: str = ""
) -> None:
    """Add rows with the evidence of how they came: attested or proven ones active with their topics, others pending.

    In: `source`, where they came from (the name of a file, never its folder). Without attestation or proof nobody has
    consented to anything: what is recorded is a request, which only the mailbox can confirm.
    """
    now = desk.now()
    source = _source(source)
    groups: dict[tuple[State, tuple[str, ...], str], tuple[list[Newcomer], list[Proof | None]]] = {}
    for row, (pid, token) in zip(rows, ids.pairs(desk.entropy, len(rows)), strict=True):
        state = State.ACTIVE if _is_active(row, why) else State.PENDING
        one = Newcomer(row.email, row.hmac, pid, token, state, row.lang, row.first_name, row.last_name)
        note = why if state is State.ACTIVE else _UNCONFIRMED if row.standing is Standing.WAITING else ""
        newcomers, proofs = groups.setdefault((state, row.topics, note), ([], []))
        newcomers.append(one)
        proofs.append(row.proof)
    for (state, topics, note), (newcomers, proofs) in groups.items():
        active = state is State.ACTIVE
        new = tx.audience.add(newcomers, now, topics if active else ())
        kind = Kind.IMPORT if active else Kind.REQUEST
        same = Evidence("", kind, now, method=method, topics=topics, source=source, note=note)
        tx.audience.record_of([one.pid for one, proof in zip(newcomers, proofs, strict=True) if proof is None], same)
        proven = [(id_, one, proof) for id_, one, proof in zip(new, newcomers, proofs, strict=True) if proof]
        tx.moving.confirmed([(id_, proof.at) for id_, _, proof in proven])
        tx.audience.record([_evidence(one.pid, one.lang, proof, same, tx) for _, one, proof in proven])


def _evidence(pid: str, lang: str, proof: Proof, same: Evidence, tx: Transaction) -> Evidence:
    """What the file itself has to say of somebody's consent, with its words kept."""
    wording = hashlib.sha256(proof.wording.encode()).hexdigest() if proof.wording else ""
    if wording:
        tx.audience.keep_wording(wording, proof.wording, lang, proof.at)
    note = "; ".join(part for part in (proof.note, same.note) if part)
    return replace(same, pid=pid, form=proof.form, wording=wording, note=note)


def find(text: str, desk: Desk, tx: Transaction) -> Subscriber:
    """The subscriber of an address. Raises: AddressRefused, NotFound."""
    found = tx.audience.by_hmac(desk.hmac(address.parse(text)))
    if found is None:
        raise NotFound("There is no subscriber with this address.", "See: newsletter subscribers list")
    return found


def show(text: str, desk: Desk) -> dict[str, Any]:
    """Everything kept about one address: state, topics, consent with its wording, grants, campaigns, reasons against.

    Of one that left and was forgotten, the reasons alone: nobody knows the address any more. Raises: AddressRefused,
    NotFound.
    """
    with desk.store.read() as tx:
        hmac = desk.hmac(address.parse(text))
        found = tx.audience.by_hmac(hmac)
        against = restore.reasons(tx.moving.against([hmac]).get(hmac, ()))
        if found is None and not against:
            raise NotFound("There is no subscriber with this address.", "See: newsletter subscribers list")
        plain = _plain(found) if found else {**dict.fromkeys(_PLAIN), "topics": []}
        rest = _all_about(tx, [found], desk)[0] if found else {name: [] for name in _ALL}
        return {**plain, "suppressed": tx.audience.suppression(hmac), **rest, "against": against}


_PLAIN = ("id", "email", "first_name", "last_name", "lang", "state", "topics", "created_at", "confirmed_at")
_ALL = ("consent", "grants", "campaigns", "copies")


def _all_about(tx: Transaction, page: Sequence[Subscriber], desk: Desk) -> list[dict[str, Any]]:
    """Consent, grants and campaigns of some subscribers, in their order, asked for all of them at once."""
    consent = tx.audience.evidence_of([who.pid for who in page])
    grants = tx.audience.grants_of_all([who.id for who in page])
    campaigns = tx.audience.history([who.id for who in page], desk.now())
    copies = tx.resends.of([who.id for who in page])
    return [
        {
            "consent": [_event(event) for event in consent.get(who.pid, ())],
            "grants": [{"magnet": grant.magnet, "downloads": grant.downloads} for grant in grants.get(who.id, ())],
            "campaigns": [dict(one) for one in campaigns.get(who.id, ())],
            "copies": [{**one, "at": iso(one["at"])} for one in copies.get(who.id, ())],
        }
        for who in page
    ]


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in event.items() if name not in {"id", "subscriber_pid"}}
    return {**kept, "at": iso(event["at"])}


def each(desk: Desk, state: State | None = None, topic: str | None = None) -> Iterator[dict[str, Any]]:
    """All subscribers as plain rows, oldest first."""
    with desk.store.read() as tx:
        for who in tx.audience.each(state, topic):
            yield _plain(who)


def export(desk: Desk) -> Iterator[dict[str, Any]]:
    """All subscribers with everything kept about each.

    `import_` makes the same of it in an empty database, but for what belongs to campaigns.
    """
    with desk.store.read() as tx:
        for page in tx.audience.pages():
            more = tx.moving.more(page)
            for who, rest in zip(page, _all_about(tx, page, desk), strict=True):
                out = {"generation": who.gen, "unsubscribe_url": desk.links.unsubscribe(who.unsubscribe_token)}
                yield {**_plain(who), **out, **rest, **restore.told(more[who.id])}


def _plain(who: Subscriber) -> dict[str, Any]:
    return {
        "id": who.pid,  # how messages name a reader, as none holds an address
        "email": who.email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "lang": who.lang,
        "state": who.state,
        "topics": list(who.topics),
        "created_at": iso(who.created_at),
        "confirmed_at": iso(who.confirmed_at),
    }


def suppress(text: str, desk: Desk, *, note: str = "") -> None:
    """Never mail this address again, by the owner's word; known to us or not."""
    hmac = desk.hmac(address.parse(text))
    with desk.store.begin() as tx:
        tx.audience.hold(hmac)
        tx.audience.suppress(hmac, Reason.OWNER, desk.now(), note)


def unsuppress(text: str, desk: Desk, *, why: str) -> Reason | None:
    """Take back the owner's own word, with a reason. What the person decided, or a complaint, stays.

    Out: why the address must not be mailed all the same, if so. Raises: NothingToDo when it was not the owner's word.
    """
    hmac = desk.hmac(address.parse(text))
    with desk.store.begin() as tx:
        known = tx.audience.by_hmac(hmac, held=True)
        lifted = tx.audience.lift(hmac, {Reason.OWNER})
        reason = tx.audience.suppression(hmac)
        if reason is not None and not lifted:
            todo = "Only its owner can undo that, with a new signup."
            raise NothingToDo(
                f"This address is suppressed: {reason}.",
                "Nothing takes a complaint back." if reason is Reason.COMPLAINED else todo,
            )
        if not lifted:
            raise NothingToDo("This address is not suppressed.")
        if known is not None:
            evidence = Evidence(known.pid, Kind.LIFT, desk.now(), method="command", source="cli", note=why)
            tx.audience.record([evidence])
    return reason


def erase(text: str, desk: Desk, *, method: str = "command", source: str = "cli") -> None:
    """Erase a person: afterwards the address is nowhere in the database, nor in an outbox of ours (promise 9).

    What stays: a keyed hash of the address, so that no import brings it back, and consent events without
    any address. Raises: AddressRefused; NotFound when there was no subscriber; WorkLeft when the person is erased, and
    the file can only be cleaned of the old pages once other programs let go of it (every tick tries).
    """
    typed = address.parse(text)
    hmac = desk.hmac(typed)
    hear.read(desk)  # what waits unread may name them
    with desk.store.begin() as tx:
        tx.audience.hold(hmac)
        who = tx.audience.by_hmac(hmac)
        if who is None:  # what mail servers reported about a stranger goes all the same
            tx.events.erase(hmac, typed.typed)
        else:
            now = desk.now()
            tx.audience.record([Evidence(who.pid, Kind.ERASE, now, method=method, source=source)])
            tx.audience.suppress(who.hmac, Reason.ERASED, now)
            tx.audience.erase(who)
        mark(tx, desk)
    try:
        unsend(desk, [who.email if who else typed.typed])
    except ProviderError as problem:
        raise WorkLeft(f"The person is erased, but mail to them is not: {problem.what}", problem.todo) from None
    if not clean(desk, patience=_PATIENCE):
        raise WorkLeft(
            "The person is erased. The database's files still hold what was overwritten: another program reads them.",
            "They are cleaned by the next `newsletter tick` after it lets go (`serve` does that by itself).",
        )
    if who is None:
        raise NotFound(
            "There is no subscriber with this address; what mail servers reported about it is erased.",
            "See: newsletter subscribers list",
        )


def stats(desk: Desk) -> dict[str, int]:
    """How many subscribers stand in each state, and in all."""
    with desk.store.read() as tx:
        numbers = dict(tx.audience.numbers())
    return {**{state.value: numbers.get(state.value, 0) for state in State}, "all": sum(numbers.values())}
