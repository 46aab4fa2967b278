"""The audience comes in, is looked at, and leaves: `newsletter subscribers`.

In: addresses and files. Out: reports that name lines, never addresses. Touches subscribers, consent and
suppressions. Importing can never bring back someone who left (promise 8): whoever is suppressed, or stands
as unsubscribed, bounced or complained, stays so.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from newsletter.core import address, ids
from newsletter.core.campaign import LETTER
from newsletter.core.consent import Evidence, Kind, Mail, Newcomer, Reason, State, Subscriber
from newsletter.core.schedule import iso
from newsletter.errors import AddressRefused, FileRefused, NotFound, NothingToDo, WorkLeft
from newsletter.flows import hear
from newsletter.flows.desk import Desk
from newsletter.flows.retention import clean, mark
from newsletter.ports import Transaction

COLUMNS = ("email", "first_name", "last_name", "lang", "topics")
_CHUNK = 20_000  # one transaction: fingerprints are random, so each rewrites most pages of their index
_MOST_NOTES = 20
_LONGEST_SOURCE = 200  # characters
_PATIENCE = 1.0  # seconds


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


class _Row(NamedTuple):
    """A subscriber as a file names them."""

    email: str
    hmac: str
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
    hmac = desk.hmac(who)
    with desk.store.begin() as tx:
        known = tx.audience.by_hmac(hmac, held=True)
        if tx.audience.suppression(hmac) is not None:
            raise NothingToDo("This address left, bounced or complained: only its own new signup brings it back.")
        if known is not None:
            raise NothingToDo(f"This address is known already, and {known.state}.")
        row = _Row(who.typed, hmac, "", "", desk.publication.language, (LETTER,))
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
    """Read a CSV file of subscribers, many rows in a transaction; flat memory for any length.

    In: `names` maps the file's columns to ours; `why` attests the consent of every row (else they become
    pending). Known columns: email, first_name, last_name, lang, topics (`;` or `|` between them).
    Raises: FileRefused for a file without an email column, or not readable to its end.
    """
    report = Import()
    with _opened(path) as file:
        reader = csv.reader(file, dialect=_dialect(file))
        try:
            head = [
                names.get(name.strip(), name.strip()).strip().lower().replace(" ", "_") for name in next(reader, [])
            ]
            if "email" not in head:
                raise FileRefused(
                    f'{path.name} has no column "email" (it has: {", ".join(head) or "nothing"}).',
                    "Name the column that holds the addresses: --map THEIRS=email",
                )
            report.ignored_columns = tuple(name for name in head if name not in COLUMNS)
            rows = _rows(reader, head, report, desk)
            while chunk := list(itertools.islice(rows, _CHUNK)):
                _take(chunk, report, desk, why, source=path.name, dry_run=dry_run)
        except csv.Error as problem:
            raise FileRefused(
                f"{path.name} cannot be read from line {reader.line_num} on: {problem}. Rows before it were taken.",
                "Look for a quotation mark that is never closed; importing again skips whoever is known.",
            ) from None
    return report


def _opened(path: Path) -> TextIO:
    """The file as text: UTF-8 when all of it is, else UTF-16 by its mark, else as Windows writes it."""
    try:
        with path.open("rb") as raw:
            mark = raw.read(2)
            raw.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                for part in iter(lambda: raw.read(1 << 20), b""):
                    decoder.decode(part)
                decoder.decode(b"", final=True)
                encoding = "utf-8-sig"
            except UnicodeDecodeError:
                encoding = "utf-16" if mark in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "cp1252"
        return path.open(encoding=encoding, newline="", errors="replace")
    except OSError as problem:
        raise FileRefused(f"{path} cannot be read: {problem.strerror}.", "Check the name of the file.") from None


def _dialect(file: TextIO) -> type[csv.Dialect]:
    first = file.readline().replace("\0", "")
    file.seek(0)

    class Found(csv.excel):
        delimiter = max(",;\t", key=first.count)
        strict = True  # a stray quotation mark must not swallow the rows after it

    return Found


def _rows(reader: Any, head: Sequence[str], report: Import, desk: Desk) -> Iterator[_Row]:
    """The rows that can be read; the others are counted with their line."""
    place = {name: at for at, name in enumerate(head)}
    email, *others = (place.get(name, len(head)) for name in COLUMNS)  # beyond the row's end where there is none
    first_name, last_name, lang, topics = others
    asked = _Topics({LETTER, *desk.publication.topics})
    language = desk.publication.language
    before = reader.line_num
    for read in reader:
        lines, before = reader.line_num - before, reader.line_num
        cells = [cell.strip() for cell in read]
        if not any(cells):
            continue
        report.rows += 1
        if lines > 1 and any("@" in cell and "\n" in cell for cell in read):
            report.refuse(before, "a quotation mark before it swallows the lines after it")
            continue
        del cells[len(head) :]
        cells += [""] * (len(head) + 1 - len(cells))
        try:
            who = address.parse(cells[email])
        except AddressRefused as problem:
            report.refuse(before, problem.what)
            continue
        wanted = asked[cells[topics]]
        if isinstance(wanted, str):
            report.refuse(before, f'there is no topic "{wanted}"; see topics in newsletter.yml')
            continue
        yield _Row(
            who.typed,
            desk.hmac(who),
            _name(cells[first_name]),
            _name(cells[last_name]),
            _lang(cells[lang]) or language,
            wanted,
        )


class _Topics(dict[str, tuple[str, ...] | str]):
    """What a cell of topics names, each cell read once: the topics, or the first that there is not."""

    def __init__(self, known: Collection[str]) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, cell: str) -> tuple[str, ...] | str:
        parts = (part.strip() for part in cell.replace("|", ";").split(";"))
        wanted = tuple(dict.fromkeys(part for part in parts if part))
        unknown = next((topic for topic in wanted if topic not in self._known), None)
        self[cell] = unknown or wanted or (LETTER,)
        return self[cell]


_LANG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def _lang(text: str) -> str:
    """A language tag (BCP 47), or nothing when it is none."""
    return text if len(text) <= 35 and _LANG.fullmatch(text) else ""  # noqa: PLR2004 - RFC 5646, section 4.4.1


def _name(text: str) -> str:
    """A name as one line of at most 200 characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text[:200]
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())[:200]


def _take(chunk: Sequence[_Row], report: Import, desk: Desk, why: str, *, source: str, dry_run: bool) -> None:
    hmacs = [row.hmac for row in chunk]
    with desk.store.read() if dry_run else desk.store.begin() as tx:
        if not dry_run:
            tx.audience.hold_all()
        suppressed = tx.audience.suppressed(hmacs)
        known = tx.audience.known(hmacs)
        fresh: dict[str, _Row] = {}
        for row in chunk:
            hmac = row.hmac
            if hmac in suppressed:
                report.suppressed += 1
            elif hmac in known:
                report.known += 1
            elif hmac in fresh:
                report.doubled += 1
            else:
                fresh[hmac] = row
        if not dry_run:
            _insert(tx, list(fresh.values()), desk, why, source=source)
        if why:
            report.active += len(fresh)
        else:
            report.pending += len(fresh)


def _insert(
    tx: Transaction, rows: Sequence[_Row], desk: Desk, why: str, *, method: str = "import", source: str = ""
) -> None:
    """Add rows with the evidence of how they came: attested ones active with their topics, others pending.

    In: `source`, where they came from (the name of a file, never its folder). Without an attestation nobody has
    consented to anything: what is recorded is a request, which only the mailbox can confirm.
    """
    now = desk.now()
    state, kind = (State.ACTIVE, Kind.IMPORT) if why else (State.PENDING, Kind.REQUEST)
    source = source[:_LONGEST_SOURCE] if "@" not in source else "a file"  # a name may be somebody's address
    groups: dict[tuple[str, ...], list[Newcomer]] = {}
    for row, (pid, token) in zip(rows, ids.pairs(desk.entropy, len(rows)), strict=True):
        one = Newcomer(row.email, row.hmac, pid, token, state, row.lang, row.first_name, row.last_name)
        groups.setdefault(row.topics, []).append(one)
    for topics, newcomers in groups.items():
        tx.audience.add(newcomers, now, topics if why else ())
        same = Evidence("", kind, now, method=method, topics=topics, source=source, note=why)
        tx.audience.record_of([one.pid for one in newcomers], same)


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
        return {**_plain(found), "suppressed": reason, **_all_about(tx, [found], desk)[0]}


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
    """All subscribers with everything kept about each."""
    with desk.store.read() as tx:
        for page in tx.audience.pages():
            for who, rest in zip(page, _all_about(tx, page, desk), strict=True):
                yield {**_plain(who), **rest}


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
        if not lifted:
            raise NothingToDo(
                "This address is not suppressed." if reason is None else f"This address is suppressed: {reason}.",
                "" if reason is None else "Only its owner can undo that, with a new signup.",
            )
        if known is not None:
            evidence = Evidence(known.pid, Kind.LIFT, desk.now(), method="command", source="cli", note=why)
            tx.audience.record([evidence])
    return reason


def erase(text: str, desk: Desk, *, method: str = "command", source: str = "cli") -> None:
    """Erase a person: afterwards the address is nowhere in the database (promise 9).

    What stays: a keyed hash of the address, so that no import brings it back, and consent events without
    any address. Raises: AddressRefused; NotFound; WorkLeft when the person is erased, and the file can only be
    cleaned of the old pages once other programs let go of it (every tick tries).
    """
    hmac = desk.hmac(address.parse(text))
    hear.read(desk)  # what waits unread may name them
    with desk.store.begin() as tx:
        tx.audience.hold(hmac)
        who = find(text, desk, tx)
        now = desk.now()
        tx.audience.record([Evidence(who.pid, Kind.ERASE, now, method=method, source=source)])
        tx.audience.suppress(who.hmac, Reason.ERASED, now)
        tx.audience.erase(who)
        mark(tx, desk)
    if not clean(desk, patience=_PATIENCE):
        raise WorkLeft(
            "The person is erased. The database's files still hold what was overwritten: another program reads them.",
            "They are cleaned by the next `newsletter tick` after it lets go (`serve` does that by itself).",
        )


def stats(desk: Desk) -> dict[str, int]:
    """How many subscribers stand in each state, and in all."""
    with desk.store.read() as tx:
        numbers = dict(tx.audience.numbers())
    return {**{state.value: numbers.get(state.value, 0) for state in State}, "all": sum(numbers.values())}
