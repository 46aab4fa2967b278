"""An Email spelled as a provider's API wants it: as JSON for one reader, or in its own merge syntax.

    json_template(shape)  ->  JsonTemplate     a message as JSON; every literal encoded once
    template.of(recipient)  ->  bytes
    merged(email, ...)  ->  Merged             literal text with the provider's tags, and each reader's values

Adapters build the shape of their own message; a tuple in it is `Pieces`, filled anew for each reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from functools import lru_cache
from hashlib import sha256
from itertools import chain, count, repeat
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from newsletter.core import mime
from newsletter.core.delivery import Recipient
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Escape, Mailbox, Pieces, Site, escaped, fill, header_value

ADDRESS = Site("@address", "", Escape.PLAIN)
"""The reader's address, as a site: no field of a publication can have this name."""

KEY = Site("@key", "", Escape.PLAIN)
"""The delivery's key, as a site."""


def values(recipient: Recipient) -> dict[str, str]:
    """Everything a reader's sites may ask for, by field name."""
    return {
        **recipient.values,
        UNSUBSCRIBE_URL: recipient.unsubscribe_url,
        ADDRESS.field: recipient.address,
        KEY.field: recipient.key,
    }


# --- one message as JSON ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JsonTemplate:
    """A JSON value with places for one reader's values; safe to share between threads."""

    _parts: tuple[bytes, ...]  # the literals, and one that is empty
    _slots: tuple[_Slot, ...]
    _order: Callable[[tuple[Any, ...]], tuple[Any, ...]]  # literals and values as they stand in the message
    _fixed: int  # bytes of the literals
    _times: tuple[int, ...]  # how often each value stands there
    _asked: tuple[tuple[str, str], ...]  # each slot's field and fallback
    _in_address: bool  # whether a site of any is part of an address
    _of_slots: Callable[[list[bytes]], tuple[bytes, ...]]  # a value for each slot as one for each site, and one more

    def size(self, recipient: Recipient) -> int:
        """How many bytes `of` gives, without making them."""
        found = zip(self._values(values(recipient)), self._times)  # noqa: B905 - what is one more is not in it
        return self._fixed + sum(len(value) * times for value, times in found)

    def of(self, recipient: Recipient, before: bytes = b"") -> bytes:
        """The JSON for one reader, UTF-8. Equal input, equal bytes.

        In: `before`, what stands in front of it; to put it there later would copy a whole message once more.
        """
        return self.fill(values(recipient), before)

    def fill(self, known: Mapping[str, str], before: bytes = b"") -> bytes:
        """The same. In: the reader's `values`."""
        return b"".join((before, *self._order((*self._parts, *self._values(known)))))

    def of_all(self, readers: Sequence[Recipient]) -> list[bytes]:
        """What `of` gives for each of many readers, at a third of the cost: made column by column."""
        columns = chain.from_iterable(_column(slot, readers) for slot in self._slots)
        literals = (repeat(part, len(readers)) for part in self._parts)
        return list(map(b"".join, zip(*self._order((*literals, *columns)))))  # noqa: B905 - all are as long

    def _values(self, known: Mapping[str, str]) -> Sequence[bytes]:
        """What stands at each site, as JSON; values that no site's escaping would change are spelled once for all."""
        told = "\n".join([known.get(field) or fallback for field, fallback in self._asked])
        if not self._in_address and _ALL_THE_SAME(told):
            each = told.encode().split(b"\n")
            if len(each) == len(self._slots):  # else a value has a line end of its own, or there is no value
                return self._of_slots(each)
        found: list[bytes] = []
        for field, fallback, sites, in_address in self._slots:
            value = known.get(field) or fallback
            if in_address or not _SAME_EVERYWHERE(value):
                found += [_inside(escaped(site, known)) for site in sites]
            else:
                found += [value.encode()] * len(sites)
        return found


class _Slot(NamedTuple):
    """Where one field goes, with the same fallback."""

    field: str
    fallback: str
    sites: tuple[Site, ...]
    in_address: bool  # whether one of them is part of an address, where fewer characters stand as they are


def column(field: str, fallback: str, readers: Sequence[Recipient]) -> list[str]:
    """One of the readers' `values` by the field's name, or the fallback, for each of them in order."""
    if own := _OWN.get(field):
        return [own(one) or fallback for one in readers]
    return [one.values.get(field) or fallback for one in readers]


_OWN: Mapping[str, Callable[[Recipient], str]] = {
    UNSUBSCRIBE_URL: attrgetter("unsubscribe_url"),
    ADDRESS.field: attrgetter("address"),
    KEY.field: attrgetter("key"),
}


def _column(slot: _Slot, readers: Sequence[Recipient]) -> list[list[bytes]]:
    """What stands at each of the slot's sites for each reader, as JSON."""
    told = column(slot.field, slot.fallback, readers)
    lines = "\n".join(told)
    if not slot.in_address and _ALL_THE_SAME(lines):
        each = lines.encode().split(b"\n")
        if len(each) == len(told):  # else a value has a line end of its own, or there is no reader
            return [each] * len(slot.sites)
    return [[_inside(escaped(site, {slot.field: value})) for value in told] for site in slot.sites]


_ALL_THE_SAME = re.compile(r"[A-Za-z0-9@:/._+\n-]*").fullmatch
"""Whether that is so of values on lines of their own, of which a value without a blank takes the least to see."""

_SAME_EVERYWHERE = re.compile(r"[A-Za-z0-9@:/._+-]+(?: [A-Za-z0-9@:/._+-]+)*").fullmatch
"""Whether a value is the same in text, attribute, link, header and JSON: what none of them escapes."""


def json_template(shape: Any) -> JsonTemplate:
    """Encode everything that is the same for all readers.

    In: dicts, lists, strings, numbers, booleans, None; and a tuple of text and sites (`Pieces`) for a string
    that differs, a key of a dict never. Out: the template.
    """
    pieces = joined(_encoded(shape))
    of_field: dict[tuple[str, str], list[Site]] = {}
    for site in dict.fromkeys(piece for piece in pieces if isinstance(piece, Site)):
        of_field.setdefault((site.field, site.fallback), []).append(site)
    slots = tuple(
        _Slot(*field, tuple(sites), any(site.escape is Escape.URL for site in sites))
        for field, sites in of_field.items()
    )
    literals = [piece.encode("utf-8", "replace") for piece in pieces if isinstance(piece, str)]
    valued = [site for slot in slots for site in slot.sites]
    place, numbers = {site: len(literals) + 1 + at for at, site in enumerate(valued)}, count()
    order = [place[piece] if isinstance(piece, Site) else next(numbers) for piece in pieces]
    return JsonTemplate(
        (*literals, b""),
        slots,
        itemgetter(*order, len(literals)),  # the empty one, as of a single number it would not give a tuple
        sum(map(len, literals)),
        tuple(pieces.count(site) for site in valued),
        tuple(slot[:2] for slot in slots),
        any(slot.in_address for slot in slots),
        itemgetter(*(at for at, slot in enumerate(slots) for _ in slot.sites), 0),
    )


def _encoded(shape: Any) -> Iterator[str | Site]:
    if isinstance(shape, tuple):
        yield '"'
        yield from (
            piece if isinstance(piece, Site) else json.dumps(piece, ensure_ascii=False)[1:-1] for piece in shape
        )
        yield '"'
    elif isinstance(shape, dict):
        for place, (name, inner) in enumerate(shape.items()):
            yield f"{', ' if place else '{'}{json.dumps(name)}: "
            yield from _encoded(inner)
        yield "}" if shape else "{}"
    elif isinstance(shape, list):
        for place, inner in enumerate(shape):
            yield ", " if place else "["
            yield from _encoded(inner)
        yield "]" if shape else "[]"
    else:
        yield json.dumps(shape, ensure_ascii=False)


def joined(pieces: Iterable[str | Site]) -> list[str | Site]:
    """Pieces with neighbouring literals as one, so that nothing in them is judged by half."""
    whole: list[str | Site] = []
    for piece in pieces:
        before = whole[-1] if whole else None
        if isinstance(piece, str) and isinstance(before, str):
            whole[-1] = before + piece
        else:
            whole.append(piece)
    return whole


def _inside(value: str) -> bytes:
    """Text as it stands within the quotes of a JSON string (RFC 8259 7)."""
    if _PLAIN.fullmatch(value):
        return value.encode("ascii")
    return json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "replace")


_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # ASCII but for quotes, backslash and controls

# --- a provider's own merge syntax -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merged:
    """An email whose sites are the provider's tags; `values_of` is what travels for each reader."""

    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    sites: tuple[tuple[str, Site], ...]  # by the name in the tag

    def values_of(self, recipient: Recipient) -> dict[str, str]:
        """One reader's values by name, each escaped for the place it lands in."""
        known = values(recipient)
        return {name: escaped(site, known) for name, site in self.sites}


@lru_cache(maxsize=16)  # a campaign's email comes once a batch
def merged(email: Email, tag: Callable[[str], str], *, seed: str, reserved: re.Pattern[str] | None = None) -> Merged:
    """Spell an email in a provider's merge syntax.

    In: `tag` makes the provider's tag of a name (of letters and digits; a module's function, not one made per
    call); `seed`, something of the campaign's own and the same at every attempt (its batch key's first part), so
    that nobody can know the names beforehand and equal batches give equal bytes; `reserved`, what in our own words the
    provider would read as its syntax: it travels as a value, so that it arrives as what it is.
    """
    names: dict[Site, str] = {}
    start = sha256(seed.encode()).hexdigest()[:10]

    def name(site: Site) -> str:
        return names.setdefault(site, f"v{start}x{len(names)}")

    def spelled(pieces: Pieces) -> str:
        return "".join(tag(name(piece)) if isinstance(piece, Site) else piece for piece in _kept(pieces, reserved))

    return Merged(
        subject=spelled(email.subject),
        html=spelled(email.html),
        text=spelled(email.text),
        headers=tuple((header, spelled(pieces)) for header, pieces in email.headers),
        sites=tuple((found, site) for site, found in names.items()),
    )


def _kept(pieces: Pieces, reserved: re.Pattern[str] | None) -> Iterator[str | Site]:
    """The pieces, with what the provider would take for its own syntax as a site of one value for all."""
    for piece in joined(pieces):
        if isinstance(piece, Site) or reserved is None:
            yield piece
            continue
        done = 0
        for found in reserved.finditer(piece):
            yield piece[done : found.start()]
            yield Site("@literal", found[0], Escape.PLAIN)
            done = found.end()
        yield piece[done:]


def campaign_of(key: str) -> str:
    """The part of a batch key that all batches of a campaign share."""
    return key.partition(":")[0]


def mailbox(box: Mailbox) -> str:
    """A mailbox of ours as one text, its name quoted where it must be (RFC 5322 3.4), not encoded: JSON is UTF-8.

    Raises: ProviderError when its address is not valid.
    """
    name, bare = header_value(box.name), mime.own_address(box)
    return str(Address(display_name=name, addr_spec=bare)) if name else bare


def header_pieces(email: Email, *, without: Collection[str] = ()) -> list[tuple[str, Pieces]]:
    """The email's own headers for a JSON API, in order; what is the same for all is pure ASCII (RFC 2047).

    In: `without`, names to leave out, in lower case. A header with nothing to say is left out too.
    """
    told = ((name, _header(name, pieces)) for name, pieces in email.headers if name.lower() not in without)
    return [(name, pieces) for name, pieces in told if pieces != ("",)]


def _header(name: str, pieces: Pieces) -> Pieces:
    if any(isinstance(piece, Site) for piece in pieces):
        return one_line(pieces)
    return (mime.one_line(name, fill(pieces, {})),)


def one_line(pieces: Pieces) -> Pieces:
    """A subject's or header's pieces without line ends or other controls; sites see to their own (`Escape.HEADER`)."""
    return tuple(piece if isinstance(piece, Site) else _CONTROLS.sub(" ", piece) for piece in pieces)


_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def headers_of(email: Email, recipient: Recipient) -> list[tuple[str, str]]:
    """The email's own headers for one reader, in order, as plain text; those with nothing to say are left out."""
    known = values(recipient)
    return [(name, value) for name, pieces in email.headers if (value := fill(pieces, known))]


def headers_fit(sites: Sequence[Site] | None, known: Mapping[str, str]) -> bool:
    """Whether `header_pieces` can be filled for a reader as they are: all ASCII, and no value empty.

    In: the email's `header_sites`, the reader's `values`.
    """
    if sites is None:
        return False
    for site in sites:
        value = known.get(site.field) or site.fallback
        if not value or not value.isascii():
            return False
    return True


def all_headers_fit(sites: Sequence[Site] | None, readers: Sequence[Recipient]) -> bool:
    """Whether they can be for each of some readers."""
    if sites is None:
        return False
    told = [column(site.field, site.fallback, readers) for site in sites]
    return all(all(values) and "".join(values).isascii() for values in told)


def wire_headers(email: Email, recipient: Recipient) -> list[tuple[str, str]]:
    """`headers_of` as lines of ASCII (RFC 2047), for a provider that passes them on as they are."""
    lines = ((name, mime.one_line(name, value)) for name, value in headers_of(email, recipient))
    return [(name, line) for name, line in lines if line]


@lru_cache(maxsize=16)
def header_sites(email: Email) -> tuple[Site, ...] | None:
    """The sites of all headers; None when a header that has one holds more than ASCII beside it."""
    mixed = [pieces for _, pieces in email.headers if any(isinstance(piece, Site) for piece in pieces)]
    if not all(piece.isascii() for pieces in mixed for piece in pieces if isinstance(piece, str)):
        return None
    return tuple(dict.fromkeys(piece for pieces in mixed for piece in pieces if isinstance(piece, Site)))
