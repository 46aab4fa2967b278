"""What the emulations share: a server that keeps what arrived and what broke the contract, and shapes of bodies.

Written from the providers' public documentation, never from our adapters. Whatever a client sends that is not
documented is answered as the provider answers it, and is noted in `broken`: a campaign must leave it empty.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.headerregistry import HeaderRegistry
from typing import Any

from newsletter.testing import Arrived, Reply, Request, Server

# --- what arrived ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message(Arrived):
    """A message as the provider would have sent it on."""

    sender: str = ""
    reply_to: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    id: str = ""
    at: float = 0.0
    tracked: bool = False  # a pixel or a rewritten link would be in it


class Emulator:
    """One provider's API. `arrived`: every message it took; `broken`: every breach of its documentation.

    `invalid`, `suppressed`, `transient`: addresses it treats so, the transient ones once. `key`: the credential it
    knows; `room`: how many messages its quota still allows.
    """

    key = "a-secret-key"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.arrived: list[Message] = []
        self.broken: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.invalid: set[str] = set()
        self.suppressed: set[str] = set()
        self.transient: set[str] = set()
        self.room: int | None = None
        self.verified = True  # whether the sender may send; each refuses it in its own documented way
        self.lock = threading.RLock()
        self.server = Server(self._answer)

    @property
    def url(self) -> str:
        """The base address, with a path of its own as a mock server may have."""
        return f"{self.server.url}/{self.name}"

    @property
    def name(self) -> str:
        """The provider's."""
        return type(self).__name__.lower()

    def close(self) -> None:
        self.server.close()

    def _answer(self, request: Request) -> Reply:
        with self.lock:
            path = request.path.removeprefix(f"/{self.name}")
            self.calls.append((request.method, path))
            if not request.headers.get("user-agent"):
                self.breach(request, "no User-Agent")
            return self.answer(request, path)

    def answer(self, request: Request, path: str) -> Reply:
        raise NotImplementedError

    def breach(self, request: Request, *problems: str) -> None:
        """Note a breach of the documentation."""
        self.broken += [f"{request.method} {request.path}: {problem}" for problem in problems]

    def nowhere(self, request: Request, reply: Reply) -> Reply:
        """A path that is not documented."""
        self.breach(request, "no such endpoint")
        return reply

    def take(self, message: Message) -> None:
        """Keep a message; header injection of any kind is a breach."""
        lines = [message.to, message.subject, message.sender, message.reply_to]
        lines += [f"{name}{value}" for name, value in message.headers.items()]
        self.broken += ["a line break in a header" for line in lines if "\r" in line or "\n" in line]
        self.arrived.append(message)
        if self.room is not None:
            self.room -= 1

    def once(self, address: str) -> bool:
        """Whether an address fails for now; the next time it does not."""
        if address in self.transient:
            self.transient.discard(address)
            return True
        return False


# --- answers --------------------------------------------------------------------------------------------


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """A JSON answer; `headers` with underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, b"" if body is None else json.dumps(body).encode(), named)


def new_id() -> str:
    return str(uuid.uuid4())


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


# --- addresses and headers ------------------------------------------------------------------------------

_HEADERS = HeaderRegistry()
_ADDRESS = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+")


def mailboxes(text: str) -> list[str] | None:
    """The bare addresses of a list of mailboxes as RFC 5322 3.4 spells them; None when it is none."""
    if not isinstance(text, str) or "\r" in text or "\n" in text:
        return None
    header = _HEADERS("To", text)
    found = [one.addr_spec for one in header.addresses]
    if header.defects or not found or not all(is_address(one) for one in found):
        return None
    return found


def is_address(text: Any) -> bool:
    """An address in ASCII, as APIs take it (IDNA domains)."""
    return isinstance(text, str) and len(text) <= 254 and bool(_ADDRESS.fullmatch(text))


def decoded(value: str) -> str:
    """A header's value as a reader sees it (RFC 2047)."""
    return str(make_header(decode_header(value))) if "=?" in value else value


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): decoded(value) for name, value in headers.items()}


def one_line_end(text: str) -> str:
    """As a mail program shows a body."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- shapes ---------------------------------------------------------------------------------------------

Shape = Callable[[Any, str], Iterator[str]]


def text(*, least: int = 0, most: int | None = None, pattern: str = "") -> Shape:
    """A string, its length in characters."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{at} is no string"
        elif len(value) < least or (most is not None and len(value) > most):
            yield f"{at} has {len(value)} characters"
        elif pattern and not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{at} does not fit {pattern}"

    return check


def kind(*types: type) -> Shape:
    """A value of these JSON types; true is no number."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{at} is {type(value).__name__}"

    return check


def one_of(*values: Any) -> Shape:
    def check(value: Any, at: str) -> Iterator[str]:
        if value not in values:
            yield f"{at} is none of {values}"

    return check


def rows(item: Shape, *, least: int = 0, most: int | None = None) -> Shape:
    """An array."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{at} is no array"
            return
        if len(value) < least or (most is not None and len(value) > most):
            yield f"{at} has {len(value)} items"
        for place, one in enumerate(value):
            yield from item(one, f"{at}[{place}]")

    return check


def table(value_: Shape, *, name: Shape | None = None, most: int | None = None) -> Shape:
    """An object with names of the client's own."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at} is no object"
            return
        if most is not None and len(value) > most:
            yield f"{at} has {len(value)} entries"
        for key, one in value.items():
            if name is not None:
                yield from name(key, f"{at}'s name {key}")
            yield from value_(one, f"{at}.{key}")

    return check


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with the names of the documentation: a missing or an unknown one is a breach."""
    known = {**required, **(optional or {})}

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at} is no object"
            return
        yield from (f"{at}.{name} is missing" for name in required if name not in value)
        yield from (f"{at}.{name} is unknown" for name in value if name not in known)
        for name, shape in known.items():
            if name in value:
                yield from shape(value[name], f"{at}.{name}")

    return check


def either(*shapes: Shape) -> Shape:
    """What fits one of them."""

    def check(value: Any, at: str) -> Iterator[str]:
        found = [list(shape(value, at)) for shape in shapes]
        if all(found):
            yield from min(found, key=len)

    return check


def address() -> Shape:
    def check(value: Any, at: str) -> Iterator[str]:
        if not is_address(value):
            yield f"{at} is no address"

    return check


def loaded(request: Request) -> Any:
    """The JSON of a body; None when it is none."""
    try:
        return json.loads(request.body)
    except ValueError:
        return None
