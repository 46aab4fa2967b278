"""The audience comes in, is looked at, and leaves: `newsletter subscribers`.

In: addresses and files. Out: reports that name lines, never addresses. Touches subscribers, consent and
suppressions. Importing can never bring back someone who left (promise 8): whoever is suppressed, or stands
as unsubscribed, bounced or complained, stays so.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.core import address, ids
from newsletter.core.address import Address
from newsletter.core.campaign import LETTER
from newsletter.core.consent import Evidence, Kind, Mail, Newcomer, Reason, State, Subscriber
from newsletter.core.schedule import iso
from newsletter.errors import AddressRefused, NotFound, NothingToDo, SettingsError
from newsletter.flows.desk import Desk
from newsletter.flows.signup import newcomer
from newsletter.ports import Transaction

COLUMNS = ("email", "first_name", "last_name", "lang", "topics")
_CHUNK = 1000
_MOST_NOTES = 20


@dataclass
class Import:
    """What an import did, line by line where something was refused. Line 1 is the head of the file."""

    rows: int = 0
    active: int = 0
    pending: int = 0
    known: int = 0
    suppressed: int = 0
    doubled: int = 0
    invalid: int = 0
    notes: list[str] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()

    def refuse(self, line: int, why: str) -> None:
        """Count a row that cannot be read; the first ones are told."""
        self.invalid += 1
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(f"line {line}: {why}")


@dataclass(frozen=True)
class _Row:
    line: int
    who: Address
    first_name: str
    last_name: str
    lang: str
    topics: tuple[str, ...]


def add(text: str, desk: Desk, *, why: str = "") -> State:
    """Add one address: active when its consent is attested (`why`), else pending with a confirmation mail.

    Raises: AddressRefused; NothingToDo when it is known or must not be mailed.
    """
    who = address.parse(text)
    now = desk.now()
    with desk.store.begin() as tx:
        hmac = desk.hmac(who)
        if tx.audience.suppression(hmac) is not None:
            raise NothingToDo("This address left, bounced or complained: only its own new signup brings it back.")
        known = tx.audience.by_hmac(hmac)
        if known is not None:
            raise NothingToDo(f"This address is known already, and {known.state}.")
        row = _Row(1, who, "", "", desk.publication.language, (LETTER,))
        _insert(tx, [row], desk, why)
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
    """Read a CSV file of subscribers, a thousand rows in a transaction; flat memory for any length.

    In: `names` maps the file's columns to ours; `why` attests the consent of every row (else they become
    pending). Known columns: email, first_name, last_name, lang, topics (`;` or `|` between them).
    Raises: SettingsError for a file without an email column, or not readable as text.
    """
    report = Import()
    with _opened(path) as file:
        reader = csv.reader(file, dialect=_dialect(file))
        head = [names.get(name.strip(), name.strip()).strip().lower().replace(" ", "_") for name in next(reader, [])]
        if "email" not in head:
            raise SettingsError(
                f'{path.name} has no column "email" (it has: {", ".join(head) or "nothing"}).',
                "Name the column that holds the addresses: --map THEIRS=email",
            )
        report.ignored_columns = tuple(name for name in head if name not in COLUMNS)
        rows = _rows(reader, head, report, desk)
        while chunk := list(itertools.islice(rows, _CHUNK)):
            _take(chunk, report, desk, why, dry_run=dry_run)
    return report


def _opened(path: Path) -> io.TextIOBase:
    try:
        raw = path.read_bytes() if path.stat().st_size < 1 << 20 else b""
        encoding = "utf-8-sig"
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            encoding = "cp1252"
        return path.open(encoding=encoding, newline="", errors="strict" if raw else "replace")
    except OSError as problem:
        raise SettingsError(f"{path} cannot be read: {problem.strerror}.", "Check the name of the file.") from None


def _dialect(file: io.TextIOBase) -> type[csv.Dialect]:
    first = file.readline()
    file.seek(0)

    class Found(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Found


def _rows(reader: Any, head: Sequence[str], report: Import, desk: Desk) -> Iterator[_Row]:
    """The rows that can be read; the others are counted with their line."""
    topics = {LETTER, *desk.publication.topics}
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        report.rows += 1
        value = dict(zip(head, (cell.strip() for cell in cells), strict=False))
        try:
            who = address.parse(value.get("email", ""))
        except AddressRefused as problem:
            report.refuse(line, problem.what)
            continue
        parts = (part.strip() for part in value.get("topics", "").replace("|", ";").split(";"))
        wanted = tuple(dict.fromkeys(part for part in parts if part))
        if unknown := [topic for topic in wanted if topic not in topics]:
            report.refuse(line, f'there is no topic "{unknown[0]}"; see topics in newsletter.yml')
            continue
        yield _Row(
            line=line,
            who=who,
            first_name=_name(value.get("first_name", "")),
            last_name=_name(value.get("last_name", "")),
            lang=value.get("lang") or desk.publication.language,
            topics=wanted or (LETTER,),
        )


def _name(text: str) -> str:
    """A name as one line of at most 200 characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text[:200]
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())[:200]


def _take(chunk: Sequence[_Row], report: Import, desk: Desk, why: str, *, dry_run: bool) -> None:
    hmacs = {row.who.key: desk.hmac(row.who) for row in chunk}
    with desk.store.read() if dry_run else desk.store.begin() as tx:
        suppressed = tx.audience.suppressed(list(hmacs.values()))
        known = tx.audience.known(list(hmacs.values()))
        fresh: dict[str, _Row] = {}
        for row in chunk:
            hmac = hmacs[row.who.key]
            if hmac in suppressed:
                report.suppressed += 1
            elif hmac in known:
                report.known += 1
            elif row.who.key in fresh:
                report.doubled += 1
            else:
                fresh[row.who.key] = row
        if not dry_run:
            _insert(tx, list(fresh.values()), desk, why)
        if why:
            report.active += len(fresh)
        else:
            report.pending += len(fresh)


def _insert(tx: Transaction, rows: Sequence[_Row], desk: Desk, why: str) -> None:
    """Add rows with the evidence of how they came: attested ones active with their topics, others pending."""
    now = desk.now()
    state = State.ACTIVE if why else State.PENDING
    groups: dict[tuple[str, ...], list[Newcomer]] = {}
    evidence = []
    for row in rows:
        one = newcomer(row.who, state, row.lang, desk, row.first_name, row.last_name)
        groups.setdefault(row.topics, []).append(one)
        evidence.append(Evidence(one.pid, Kind.IMPORT, now, method="import", topics=row.topics, note=why))
    for topics, newcomers in groups.items():
        tx.audience.add(newcomers, now, topics if why else ())
    tx.audience.record(evidence)


def find(text: str, desk: Desk, tx: Transaction) -> Subscriber:
    """The subscriber of an address. Raises: AddressRefused, NotFound."""
    found = tx.audience.by_hmac(desk.hmac(address.parse(text)))
    if found is None:
        raise NotFound("There is no subscriber with this address.", "See: newsletter subscribers list")
    return found


def show(text: str, desk: Desk) -> dict[str, Any]:
    """Everything kept about one address: state, topics, consent with its wording, grants, campaigns."""
    with desk.store.read() as tx:
        who = address.parse(text)
        reason = tx.audience.suppression(desk.hmac(who))
        found = tx.audience.by_hmac(desk.hmac(who))
        if found is None:
            if reason is None:
                raise NotFound("There is no subscriber with this address.", "See: newsletter subscribers list")
            return {"email": None, "state": None, "suppressed": reason}
        return {**_plain(found), "suppressed": reason, **_all_about(tx, found)}


def _all_about(tx: Transaction, who: Subscriber) -> dict[str, Any]:
    return {
        "consent": [
            {
                **{name: value for name, value in event.items() if name not in {"id", "subscriber_pid"}},
                "at": iso(event["at"]),
            }
            for event in tx.audience.evidence(who.pid)
        ],
        "grants": [{"magnet": grant.magnet, "downloads": grant.downloads} for grant in tx.audience.grants_of(who.id)],
        "campaigns": tx.audience.history(who.id),
    }


def each(desk: Desk, state: State | None = None, topic: str | None = None) -> Iterator[dict[str, Any]]:
    """All subscribers as plain rows, oldest first."""
    with desk.store.read() as tx:
        for who in tx.audience.each(state, topic):
            yield _plain(who)


def export(desk: Desk) -> Iterator[dict[str, Any]]:
    """All subscribers with everything kept about each."""
    with desk.store.read() as tx:
        for who in tx.audience.each():
            yield {**_plain(who), **_all_about(tx, who)}


def _plain(who: Subscriber) -> dict[str, Any]:
    return {
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
    who = address.parse(text)
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(who), Reason.OWNER, desk.now(), note)


def unsuppress(text: str, desk: Desk, *, why: str) -> None:
    """Take back the owner's own word, with a reason. What the person decided, or a complaint, stays.

    Raises: NothingToDo.
    """
    who = address.parse(text)
    with desk.store.begin() as tx:
        hmac = desk.hmac(who)
        reason = tx.audience.suppression(hmac)
        if reason is not Reason.OWNER:
            raise NothingToDo(
                "This address is not suppressed." if reason is None else f"This address is suppressed: {reason}.",
                "" if reason is None else "Only its owner can undo that, with a new signup.",
            )
        tx.audience.lift(hmac)
        known = tx.audience.by_hmac(hmac)
        if known is not None:
            tx.audience.record([Evidence(known.pid, Kind.LIFT, desk.now(), method="command", note=why)])


def erase(text: str, desk: Desk) -> None:
    """Erase a person: afterwards the address is nowhere in the database (promise 9).

    What stays: a keyed hash of the address, so that no import brings it back, and consent events without
    any address. Raises: AddressRefused, NotFound.
    """
    with desk.store.begin() as tx:
        who = find(text, desk, tx)
        now = desk.now()
        tx.audience.record([Evidence(who.pid, Kind.ERASE, now, method="command")])
        tx.audience.suppress(desk.hmac(address.parse(who.email)), Reason.ERASED, now)
        tx.audience.erase(who)
    desk.store.scrub()


def stats(desk: Desk) -> dict[str, int]:
    """How many subscribers stand in each state, and in all."""
    with desk.store.read() as tx:
        numbers = dict(tx.audience.numbers())
    return {**{state.value: numbers.get(state.value, 0) for state in State}, "all": sum(numbers.values())}
