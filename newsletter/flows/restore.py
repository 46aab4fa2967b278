"""Bring an export of ours into another database, whole: states, consent with its words, grants, ways out.

In: a file that `newsletter subscribers export` wrote, JSON or CSV. Out: the same report as for any list. Touches
subscribers and all that hangs on them. What is here already stays as it is, and nobody who left here comes back; an
active subscriber whose evidence does not carry that is pending.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from newsletter.core import address, elsewhere, ids
from newsletter.core.consent import Reason, State
from newsletter.core.record import Against, More, Record, Told
from newsletter.core.schedule import iso
from newsletter.errors import AddressRefused, FileRefused
from newsletter.flows.desk import Desk
from newsletter.flows.roster import Import, opened
from newsletter.ports import Transaction

if TYPE_CHECKING:
    from pydantic import TypeAdapter

PLAIN = (
    "email",
    "first_name",
    "last_name",
    "lang",
    "state",
    "topics",
    "created_at",
    "confirmed_at",
    "id",
    "changed_at",
    "generation",
    "unsubscribe_url",
)
WHOLE = ("consent", "grants", "against", "old_links")
"""The columns of an export as CSV. The last ones hold JSON."""

_CHUNK = 1000
_READ = 1 << 20  # characters at a time
_LONGEST = 8 << 20  # characters of one subscriber
_FOR_STATE = {
    State.UNSUBSCRIBED: Reason.UNSUBSCRIBED,
    State.BOUNCED: Reason.BOUNCED,
    State.COMPLAINED: Reason.COMPLAINED,
}


# --- writing -----------------------------------------------------------------------------------------


def told(more: More) -> dict[str, Any]:
    """What an export says of a subscriber beside their row, their consent and their campaigns."""
    return {
        "changed_at": iso(more.changed_at),
        "grants": [
            {
                "magnet": one.magnet,
                "downloads": one.downloads,
                "granted_at": iso(one.granted_at),
                "downloaded_at": iso(one.downloaded_at),
            }
            for one in more.grants
        ],
        "against": reasons(more.against),
        "old_links": list(more.old_links),
    }


def reasons(against: Sequence[Against]) -> list[dict[str, Any]]:
    """Every reason against an address, plainly."""
    return [{"reason": one.reason, "at": iso(one.at), "note": one.note} for one in against]


def cells(row: Mapping[str, Any]) -> list[str]:
    """A row of an export as cells of CSV, in the order of `PLAIN` and `WHOLE`."""
    plain = [
        ";".join(row[name]) if name == "topics" else str(row[name] if row[name] is not None else "") for name in PLAIN
    ]
    return [*plain, *(json.dumps(row[name], ensure_ascii=False) for name in WHOLE)]


# --- reading -----------------------------------------------------------------------------------------


def is_ours(path: Path) -> bool:
    """Whether a file is an export of ours with its evidence. Raises: FileRefused when it cannot be read."""
    with opened(path) as file:
        first = file.readline(1 << 16).lstrip("\ufeff \t\r\n")
    return first[:1] in {"[", "{"} or {*PLAIN, *WHOLE} <= {name.strip() for name in next(csv.reader([first]), [])}


def restore(path: Path, desk: Desk, report: Import, *, dry_run: bool = False) -> Import:
    """Take in what the file holds. Raises: FileRefused for other JSON, and from where on it cannot be read."""
    report.format = "Newsletter"
    with opened(path) as file:
        start = file.read(1)
        file.seek(0)
        numbered = _objects(file, path.name) if start in {"[", "{", " ", "\n", "\r", "\t"} else _lines(file, path.name)
        records = _records(numbered, report, desk)
        while chunk := list(itertools.islice(records, _CHUNK)):
            _take(chunk, report, desk, dry_run=dry_run)
    return report


def _lines(file: TextIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(file, strict=True, restval="")
    try:
        for row in reader:
            yield reader.line_num, _of_cells(row)
    except csv.Error as problem:
        raise FileRefused(
            f"{name} cannot be read from line {reader.line_num} on: {problem}. Rows before it were taken.",
            "Export it anew, without opening it in another program.",
        ) from None


def _of_cells(row: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: row[name] for name in PLAIN}
    found["topics"] = [topic for topic in row["topics"].split(";") if topic]
    found["confirmed_at"] = row["confirmed_at"] or None
    for name in WHOLE:
        try:
            found[name] = json.loads(row[name])
        except json.JSONDecodeError:
            found[name] = row[name]  # no list: refused where all is judged
    return found


def _objects(file: TextIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON array, or one after the other, with their numbers; flat memory for any count."""
    decoder, held, number = json.JSONDecoder(), "", 0
    while True:
        held = held.lstrip(" \t\r\n,[]\ufeff")
        try:
            found, end = decoder.raw_decode(held) if held else (None, 0)
        except json.JSONDecodeError:
            found, end = None, 0
        if end:
            number, held = number + 1, held[end:]
            if number == 1 and not (isinstance(found, dict) and {"email", "state", "consent"} <= found.keys()):
                raise FileRefused(
                    f"{name} is JSON, and not what `newsletter subscribers export` writes.",
                    "Save the list as CSV, with a column email (and uuid, so that old letters go on leading out).",
                )
            yield number, found if isinstance(found, dict) else {}
        elif more := file.read(_READ) if len(held) < _LONGEST else "":
            held += more
        elif held:
            raise FileRefused(
                f"{name} is no JSON from its subscriber {number + 1} on. Those before it were taken.",
                "Export it anew; importing again skips whoever is known.",
            )
        else:
            return


def _records(
    numbered: Iterator[tuple[int, dict[str, Any]]], report: Import, desk: Desk
) -> Iterator[tuple[int, str, Record]]:
    """Those that are what they should be, with their number and the address's fingerprint."""
    for number, given in numbered:
        report.rows += 1
        try:
            record = _record(given)
            who = address.parse(record.email)
        except AddressRefused as problem:
            report.refuse(number, problem.what)
        except _Refused as problem:
            report.refuse(number, str(problem))
        else:
            consent = tuple(_nameless(event, who.typed) for event in record.consent)
            yield number, desk.hmac(who), replace(record, email=who.typed, consent=consent)


def _nameless(event: Told, email: str) -> Told:
    """An event whose words, which outlive an erasure (promise 9), do not hold the address."""
    form, source = address.without(event.form, email), address.without(event.source, email)
    words = address.without(event.wording or "", email)
    if words == (event.wording or ""):
        return replace(event, form=form, source=source)
    return replace(event, form=form, source=source, wording=words, wording_sha256=_sha(words))


class _Refused(ValueError):
    """What is wrong with a record, without repeating any of it."""


@cache
def _shape() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter  # noqa: PLC0415 -- heavy, and for this alone

    return TypeAdapter(Record)


_NAMES = frozenset(one.name for one in fields(Record)) - {"unsubscribe_token"}
_ID, _TOKEN, _HASH = re.compile(r"[0-9a-f]{8,32}"), re.compile(r"[\w-]{16,32}"), re.compile(r"[0-9a-f]{32}")


def _record(given: Mapping[str, Any]) -> Record:
    from pydantic import ValidationError  # noqa: PLC0415

    token = elsewhere.of_url(str(given.get("unsubscribe_url", "")))
    known = {name: value for name, value in given.items() if name in _NAMES}
    try:
        record = _shape().validate_python({**known, "unsubscribe_token": token})
    except ValidationError as problem:
        place = ".".join(str(step) for step in problem.errors()[0]["loc"])
        raise _Refused(f"{place} is not what an export has there") from None
    if not _ID.fullmatch(record.id) or not _TOKEN.fullmatch(token):
        raise _Refused("id and unsubscribe_url are not what an export has there")
    if not all(_HASH.fullmatch(link) for link in record.old_links):
        raise _Refused("old_links are not what an export has there")
    if any(len(text) > most for text, most in _texts(record)):
        raise _Refused("a text in it is longer than any that an export has")
    if any(event.wording is not None and event.wording_sha256 != _sha(event.wording) for event in record.consent):
        raise _Refused("the words of a consent are not those its hash was made of")
    return record


def _texts(record: Record) -> Iterator[tuple[str, int]]:
    """Its texts, and how long each may be in the tables."""
    yield from ((record.first_name, 200), (record.last_name, 200), (record.lang, 35))
    yield from ((topic, 64) for topic in record.topics)
    yield from ((one.magnet, 64) for one in record.grants)
    for event in record.consent:
        yield from ((event.method, 16), (event.form, 64), (event.magnet, 64), (event.source, 200))


def _sha(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def _take(chunk: Sequence[tuple[int, str, Record]], report: Import, desk: Desk, *, dry_run: bool) -> None:
    hmacs = [hmac for _, hmac, _ in chunk]
    with desk.store.read() if dry_run else desk.store.begin() as tx:
        if not dry_run:
            tx.audience.hold_all()
        suppressed, known = tx.audience.suppressed(hmacs), tx.audience.known(hmacs)
        fresh: dict[str, Record] = {}
        for number, hmac, record in chunk:
            if hmac in suppressed:
                report.decide("suppressed", number)
            elif hmac in known:
                report.decide("known", number)
            elif hmac in fresh:
                report.decide("doubled", number)
            else:
                fresh[hmac] = _sound(record)
                report.decide(_DECISIONS.get(fresh[hmac].state, "left"), number)
                report.proven += fresh[hmac].state is State.ACTIVE
        report.old_links += sum(len(record.old_links) for record in fresh.values())
        if not dry_run:
            tx.moving.put(_with_ids(fresh, tx, desk))


_DECISIONS = {State.ACTIVE: "active", State.PENDING: "pending"}


def _sound(record: Record) -> Record:
    """A record that says one thing: no letters without evidence, and a reason for who gets none."""
    if record.state is State.ACTIVE and not record.stands:
        return replace(record, state=State.PENDING, topics=())
    reason = _FOR_STATE.get(record.state)
    if reason is None or any(one.reason is reason for one in record.against):
        return record
    return replace(record, against=(*record.against, Against(reason, record.changed_at)))


def _with_ids(fresh: Mapping[str, Record], tx: Transaction, desk: Desk) -> list[tuple[str, Record]]:
    """With the ids they had, but for those that somebody else has here."""
    taken = tx.moving.pids([record.id for record in fresh.values()])
    made = []
    for hmac, record in fresh.items():
        id_ = ids.pid(desk.entropy) if record.id in taken else record.id
        taken.add(id_)
        made.append((hmac, replace(record, id=id_)))
    return made
