"""Read a list of people from a CSV file, whoever wrote it.

In: a file, names for its columns, the desk. Out: a row for each person it names, and a report that tells lines, never
addresses. Touches nothing. A row that cannot be read does not stop the others.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from newsletter.core import address, columns, elsewhere
from newsletter.core.campaign import LETTER
from newsletter.core.columns import Layout, Meaning, Standing, Unclear
from newsletter.core.schedule import iso
from newsletter.core.stamps import moment
from newsletter.errors import AddressRefused, FileRefused, NotFound
from newsletter.flows.desk import Desk

_MOST_NOTES = 20
_EXAMPLES = 5  # lines told for each decision
_MOST_TAGS = 20
_TRAIT = 64  # characters of a form's name


DECISIONS = ("active", "pending", "known", "suppressed", "left", "withdrawn", "never", "doubled", "invalid")
"""What may become of a row; each is counted under one."""


@dataclass
class Import:
    """What an import did, or would do: each row is counted under one decision, with the first lines it met.

    Line 1 is the head of the file. `proven` are those of `active` whose consent the file itself proves.
    """

    format: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    active: int = 0
    proven: int = 0
    pending: int = 0
    known: int = 0
    suppressed: int = 0
    left: int = 0
    withdrawn: int = 0
    never: int = 0
    doubled: int = 0
    invalid: int = 0
    lines: dict[str, list[int]] = field(default_factory=lambda: {decision: [] for decision in DECISIONS})
    notes: list[str] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()
    ignored_tags: tuple[str, ...] = ()
    old_links: int = 0

    def decide(self, decision: str, line: int) -> None:
        """Count a row."""
        setattr(self, decision, getattr(self, decision) + 1)
        if len(seen := self.lines[decision]) < _EXAMPLES:
            seen.append(line)

    def refuse(self, line: int, why: str) -> None:
        """Count a row that cannot be read; the first ones are told."""
        self.decide("invalid", line)
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(f"line {line}: {why}")


@dataclass(frozen=True)
class Proof:
    """What a file has to say of how somebody agreed, beside that they are on it."""

    at: datetime
    form: str = ""
    wording: str = ""
    note: str = ""


class Row(NamedTuple):
    """A person as a file names them."""

    email: str
    hmac: str
    first_name: str
    last_name: str
    lang: str
    topics: tuple[str, ...]
    line: int = 0
    standing: Standing = Standing.READER
    proof: Proof | None = None
    left_at: datetime | None = None
    old_link: str = ""  # the keyed hash of the other system's id


def read(path: Path, desk: Desk, report: Import, names: Mapping[str, str]) -> Iterator[Row]:
    """The rows of a file, one at a time; those that cannot be read are counted with their line.

    Raises: FileRefused for a file without a column of addresses, or not readable to its end; NotFound for a name in
    `names` that does not fit.
    """
    with opened(path) as file:
        reader = csv.reader(file, dialect=_dialect(file))
        try:
            layout = _layout(next(reader, []), path, desk, names)
            report.format = layout.system.name
            report.columns = {theirs: meaning.value for theirs, meaning in layout.columns.items()}
            report.ignored_columns = layout.unused
            yield from _rows(reader, layout, report, desk, names)
        except csv.Error as problem:
            raise FileRefused(
                f"{path.name} cannot be read from line {reader.line_num} on: {problem}. Rows before it were taken.",
                "Look for a quotation mark that is never closed; importing again skips whoever is known.",
            ) from None


def opened(path: Path) -> TextIO:
    """The file as text: UTF-8 when all of it is, else UTF-16 by its mark, else as Windows writes it."""
    try:
        with path.open("rb") as raw:
            start = raw.read(64)
            raw.seek(0)
            encoding = _sixteen(start) or "utf-8-sig"
            if encoding == "utf-8-sig":
                decoder = codecs.getincrementaldecoder("utf-8")()
                try:
                    for part in iter(lambda: raw.read(1 << 20), b""):
                        decoder.decode(part)
                    decoder.decode(b"", final=True)
                except UnicodeDecodeError:
                    encoding = "cp1252"
        return path.open(encoding=encoding, newline="", errors="replace")
    except OSError as problem:
        raise FileRefused(f"{path} cannot be read: {problem.strerror}.", "Check the name of the file.") from None


def _sixteen(start: bytes) -> str:
    """Which UTF-16 a text begins in: by its mark, or because every other byte of a head in Latin letters is zero."""
    if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    for skipped, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = start[skipped::2]
        if len(zeros) > 1 and not any(zeros) and all(start[1 - skipped :: 2]):
            return name
    return ""


def _dialect(file: TextIO) -> type[csv.Dialect]:
    first = file.readline().replace("\0", "")
    file.seek(0)
    if named := re.fullmatch(r"\ufeff?\"?sep=(.)\"?\s*", first, re.IGNORECASE):  # Excel's own hint, before the head
        file.readline()

    class Found(csv.excel):
        delimiter = named[1] if named else max(",;\t|", key=first.count)
        strict = True  # a stray quotation mark must not swallow the rows after it

    return Found


def _layout(head: Sequence[str], path: Path, desk: Desk, names: Mapping[str, str]) -> Layout:
    head = [name.strip() for name in head]
    has = ", ".join(_shown(name) for name in head) or "nothing"
    try:
        layout = columns.layout(head, names, path.name)
    except KeyError as problem:
        raise NotFound(
            f'{path.name} has no column "{problem.args[0]}" (it has: {has}).', "Spell it as the file does."
        ) from None
    except ValueError as problem:
        raise NotFound(
            f'--map: "{_shown(str(problem.args[0]))}" is nothing an import knows.',
            f"A column can be {', '.join(Meaning)}; a status word active, pending, unsubscribed, bounced, complained.",
        ) from None
    topics = {LETTER, *desk.publication.topics}
    for topic in columns.tag_topics(names).values():
        if topic not in topics:
            raise NotFound(f'There is no topic "{topic}" for a tag.', "See topics in newsletter.yml.")
    if Meaning.EMAIL not in layout.place:
        headless = any("@" in name for name in head)
        raise FileRefused(
            f'{path.name} has no column "email" (it has: {has}).',
            "Its first line must name the columns, as in: email,first_name"
            if headless
            else "Name the column that holds the addresses: --map THEIRS=email",
        )
    return layout


def _shown(name: str) -> str:
    """A column's name, unless it is somebody's address: a file without a head begins with one."""
    return "…" if "@" in name else name[:60]


def _rows(reader: Any, layout: Layout, report: Import, desk: Desk, names: Mapping[str, str]) -> Iterator[Row]:
    width = 1 + max(layout.place.values())
    email, first_name, last_name, lang = (
        layout.place.get(meaning, width)  # beyond the row's end where there is none
        for meaning in (Meaning.EMAIL, Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.LANG)
    )
    topics_of, names_of = _topics_of(layout, desk, report, names), _names_of(layout)
    judge, language = _Judge(layout, desk), desk.publication.language
    full = len(layout.place) + len(layout.unused) - 1  # delimiters of a whole row, at least
    before = reader.line_num
    for read in reader:
        lines, before = reader.line_num - before, reader.line_num
        cells = [cell.strip() for cell in read]
        if not any(cells):
            continue
        report.rows += 1
        if lines > 1 and _swallowed(read, reader.dialect.delimiter, full):
            report.refuse(before, "a quotation mark before it swallows the lines after it")
            continue
        del cells[width:]
        cells += [""] * (width + 1 - len(cells))
        try:
            who = address.parse(cells[email])
            wanted = topics_of(cells)
            judged = judge(cells, who.typed)
        except AddressRefused as problem:
            report.refuse(before, problem.what)
            continue
        except _NoTopic as problem:
            report.refuse(before, f'there is no topic "{_shown(str(problem))}"; see topics in newsletter.yml')
            continue
        except Unclear as problem:
            word = _shown(problem.word)
            report.refuse(before, f'the status "{word}" is not known; say what it means: --map "status:{word}=active"')
            continue
        first, last = names_of(cells) if names_of else (cells[first_name], cells[last_name])
        yield Row(
            who.typed,
            desk.hmac(who),
            _name(first),
            _name(last),
            _lang(cells[lang]) or language,
            wanted,
            before,
            *judged,
        )


def _swallowed(cells: Sequence[str], delimiter: str, full: int) -> bool:
    """Whether a cell holds what looks like whole rows: the quotation mark before them was never meant."""
    lines = (line for cell in cells if "\n" in cell for line in cell.split("\n")[1:])
    return any("@" in line and line.count(delimiter) >= full for line in lines)


class _Judge:
    """Where a row's person stands, what proves it, and since when they are gone. Quick where no column tells."""

    def __init__(self, layout: Layout, desk: Desk) -> None:
        self._layout, self._desk = layout, desk
        self._always = layout.system.default, None, None, ""
        told = (*_TELLING, Meaning.OLD_ID, Meaning.OLD_URL)
        self._quick = not layout.judges and not any(meaning in layout.place for meaning in told)

    def __call__(self, cells: Sequence[str], email: str) -> tuple[Standing, Proof | None, datetime | None, str]:
        """Raises: Unclear."""
        if self._quick:
            return self._always
        layout = self._layout
        standing = layout.standing(cells)
        proof = self._proof(cells, email) if standing is Standing.READER else None
        left_at = self._past(layout.cell(cells, Meaning.LEFT_AT)) if standing.reason else None
        return standing, proof, left_at, self._old_link(cells)

    def _past(self, text: str) -> datetime | None:
        """A moment that has been; an export tells of no other."""
        found = moment(text)
        return found if found is not None and found <= self._desk.now() else None

    def _proof(self, cells: Sequence[str], email: str) -> Proof | None:
        """Double opt-in is proven by two moments: asking, and later confirming (a list with single opt-in, or one that
        was itself imported, has the same moment twice). Else by when, where and to which words somebody agreed. Words
        outlive an erasure (promise 9), so they never hold the address.
        """
        cell = self._layout.cell
        asked = self._past(cell(cells, Meaning.ASKED_AT))
        confirmed = self._past(cell(cells, Meaning.CONFIRMED_AT))
        form, wording = (
            address.without(cell(cells, meaning), email) for meaning in (Meaning.CONSENT_FORM, Meaning.CONSENT_WORDING)
        )
        agreed = self._past(cell(cells, Meaning.CONSENT_AT)) if form and wording else None
        if asked and confirmed and asked < confirmed:
            told = f"asked {iso(asked)}, confirmed {iso(confirmed)} ({self._layout.system.name})"
            return Proof(confirmed, form[:_TRAIT], wording, told)
        return Proof(agreed, form[:_TRAIT], wording, f"agreed {iso(agreed)}") if agreed else None

    def _old_link(self, cells: Sequence[str]) -> str:
        cell = self._layout.cell
        given = cell(cells, Meaning.OLD_ID) or elsewhere.of_url(cell(cells, Meaning.OLD_URL))
        known = elsewhere.bare(given)
        return elsewhere.keyed(known, self._desk.suppression_key) if known else ""


_TELLING = (Meaning.ASKED_AT, Meaning.CONFIRMED_AT, Meaning.CONSENT_AT)


class _NoTopic(ValueError):
    """A topic that newsletter.yml does not have."""


def _topics_of(
    layout: Layout, desk: Desk, report: Import, names: Mapping[str, str]
) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """What reads a row's topics: those it names, those its tags stand for, or the letter."""
    column, tagged = layout.place.get(Meaning.TOPICS), layout.place.get(Meaning.TAGS)
    asked = _Topics({LETTER, *desk.publication.topics})
    meant = _Tags(columns.tag_topics(names), report)
    if column is None and tagged is None:
        return lambda _cells: (LETTER,)

    def read(cells: Sequence[str]) -> tuple[str, ...]:
        named = asked[cells[column]] if column is not None else (LETTER,)
        return tuple(dict.fromkeys((*named, *meant[cells[tagged]]))) if tagged is not None else named

    return read


class _Topics(dict[str, tuple[str, ...]]):
    """What a cell of topics names, each cell read once."""

    def __init__(self, known: Collection[str]) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, cell: str) -> tuple[str, ...]:
        parts = (part.strip() for part in cell.replace("|", ";").split(";"))
        wanted = tuple(dict.fromkeys(part for part in parts if part))
        for topic in wanted:
            if topic not in self._known:
                raise _NoTopic(topic)
        self[cell] = wanted or (LETTER,)
        return self[cell]


class _Tags(dict[str, tuple[str, ...]]):
    """Which topics a cell of tags stands for; tags without a topic are told, not taken."""

    def __init__(self, meant: Mapping[str, str], report: Import) -> None:
        super().__init__()
        self._meant, self._report = meant, report

    def __missing__(self, cell: str) -> tuple[str, ...]:
        found = columns.tags(cell)
        for tag in found:
            told = self._report.ignored_tags
            if columns.key(tag) not in self._meant and tag not in told and len(told) < _MOST_TAGS:
                self._report.ignored_tags = (*told, _shown(tag))
        topics = tuple(self._meant[columns.key(tag)] for tag in found if columns.key(tag) in self._meant)
        if len(self) < _MOST_CELLS:
            self[cell] = topics
        return topics


_MOST_CELLS = 10_000  # remembered: people's tags make many combinations


def _names_of(layout: Layout) -> Callable[[Sequence[str]], tuple[str, str]] | None:
    """What splits a whole name, where the file has no first names: its first word, and the rest."""
    whole = layout.place.get(Meaning.NAME)
    if whole is None or Meaning.FIRST_NAME in layout.place:
        return None

    def split(cells: Sequence[str]) -> tuple[str, str]:
        first, _, last = " ".join(cells[whole].split()).partition(" ")
        return first, layout.cell(cells, Meaning.LAST_NAME) or last

    return split


_LANG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def _lang(text: str) -> str:
    """A language tag (BCP 47), or nothing when it is none."""
    return text if len(text) <= 35 and _LANG.fullmatch(text) else ""  # noqa: PLR2004 - RFC 5646, section 4.4.1


def _name(text: str) -> str:
    """A name as one line of at most 200 characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text[:200]
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())[:200]
