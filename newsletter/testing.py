"""Small real doubles, and the promises every provider keeps: for our tests, and for yours.

    FakeProvider        takes mail, remembers it, and fails as scripted
    Clock               stands still until moved
    Chance              randomness and ids that are the same in every run
    sample_email, sample_batch
    ProviderContract    subclass it, say how your provider is built, and pytest runs the promises

Nothing here knows a test runner: the contract's checks are plain methods with plain asserts.
"""

from __future__ import annotations

import email as stdlib_email
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import policy
from itertools import islice
from typing import Literal

from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Recipient, Status, all_of
from newsletter.core.email import Email, Escape, Mailbox, Site, fill
from newsletter.ports import Provider

# --- time and chance -------------------------------------------------------------------------------


class Clock:
    """A clock that stands still. Call it for the time; hand `sleep` to what would wait."""

    def __init__(self, now: datetime = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """The time, aware, UTC unless it was given otherwise."""
        return self._now

    def move(self, by: timedelta | float) -> datetime:
        """Move by a duration, or by seconds. Out: the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now

    def sleep(self, seconds: float) -> None:
        """Pass the time without waiting."""
        self.move(seconds)

    def monotonic(self) -> float:
        """Seconds, as `time.monotonic` counts them."""
        return self._now.timestamp()


class Chance:
    """Randomness that comes out the same for the same seed. Never for anything secret."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - for tests
        self._count = 0

    def bytes(self, count: int = 16) -> bytes:
        """As `secrets.token_bytes`."""
        return self._random.randbytes(count)

    def token(self, count: int = 16) -> str:
        """As `secrets.token_hex`: twice `count` characters."""
        return self.bytes(count).hex()

    def uniform(self) -> float:
        """From 0 up to 1."""
        return self._random.random()

    def id(self, prefix: str = "id") -> str:
        """Ids that count: `id-1`, `id-2`, ..."""
        self._count += 1
        return f"{prefix}-{self._count}"


# --- something to send -----------------------------------------------------------------------------

_NAME, _LEAVE = ("first_name", "friend"), ("unsubscribe_url", "")


def sample_email(subject: str = "A quiet week") -> Email:
    """A small email with every kind of merge site: name in header, text, attribute and link; the way out."""
    return Email(
        sender=Mailbox("Sam Rivers", "sam@letter.example.org"),
        reply_to=Mailbox("", "answers@letter.example.org"),
        subject=(f"{subject}, ", Site(*_NAME, Escape.HEADER)),
        html=(
            "<p>Dear ", Site(*_NAME, Escape.TEXT), ",</p>\n",
            '<p title="for ', Site(*_NAME, Escape.ATTRIBUTE), '">100 % rest – café, {{x}}, %recipient.x%.</p>\n',
            '<a href="https://letter.example.org/?for=', Site(*_NAME, Escape.URL), '">Read</a>\n',
            '<a href="', Site(*_LEAVE, Escape.LINK), '">Leave</a>\n',
        ),
        text=(
            "Dear ", Site(*_NAME, Escape.PLAIN), ",\n\n.100 % rest – café, {{x}}.\n\n",
            "Leave: ", Site(*_LEAVE, Escape.PLAIN), "\n",
        ),
        headers=(
            ("List-Id", ("Quiet Letters <letter.example.org>",)),
            ("List-Unsubscribe", ("<", Site(*_LEAVE, Escape.HEADER), ">")),
            ("List-Unsubscribe-Post", ("List-Unsubscribe=One-Click",)),
        ),
    )  # fmt: skip


def sample_batch(count: int, *, first: int = 1, at: datetime = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)) -> Batch:
    """Readers numbered from `first`: key `d.1`, address `reader1@example.org`, a name, a way out of their own."""
    return Batch(tuple(_sample(number) for number in range(first, first + count)), at=at, tag="a-quiet-week")


def _sample(number: int) -> Recipient:
    return Recipient(
        key=f"d.{number}",
        address=f"reader{number}@example.org",
        values={"first_name": f"Reader {number}"},
        unsubscribe_url=f"https://letter.example.org/unsubscribe/token-{number}",
    )


# --- a provider that does as it is told ------------------------------------------------------------


@dataclass(frozen=True)
class Accept:
    """Take the batch."""


@dataclass(frozen=True)
class Reject:
    """Refuse the recipients with these addresses for good, and take the others."""

    addresses: Collection[str]
    status: Status = Status.REJECTED
    code: str = "550"


@dataclass(frozen=True)
class Retry:
    """Take nothing: "later", or with a `halt` "stop everything"."""

    after: float | None = None
    halt: Literal["", "auth", "quota", "account", "bug"] = ""


@dataclass(frozen=True)
class CutBefore:
    """Take nothing, and let nobody know: UNKNOWN, while nothing was sent."""


@dataclass(frozen=True)
class CutAfter:
    """Take the batch, and lose the answer: UNKNOWN, while everything was sent."""


@dataclass(frozen=True)
class Raise:
    """Break off with an exception, before (or, with `taken`, after) taking the batch."""

    error: BaseException
    taken: bool = False


@dataclass(frozen=True)
class Sleep:
    """Wait, then do the next step."""

    seconds: float


Step = Accept | Reject | Retry | CutBefore | CutAfter | Raise | Sleep


@dataclass(frozen=True)
class Call:
    """One `submit`, as it came."""

    key: str
    email: Email
    batch: Batch
    timeout: float


@dataclass
class FakeProvider:
    """Takes mail and remembers it; each call does the next step of the script, and accepts when it is over.

    `received` holds, by delivery key, every copy that was taken, in order; `calls` every call. With an
    `idempotency_ttl` among its capabilities a batch key it has taken is answered again, not taken again.
    With reconcile="search" it tells what it took. Safe to share between threads.
    """

    script: Iterable[Step] = ()
    name: str = "fake"
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(max_batch=500, mode="batch", reconcile="search", network=False)
    )
    sleep: Callable[[float], None] = time.sleep
    findings: Sequence[Finding] = ()
    calls: list[Call] = field(default_factory=list)
    received: dict[str, list[Recipient]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._steps = deque(self.script)
        self._answers: dict[str, BatchResult] = {}
        self._lock = threading.Lock()

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Do the next step. Raises: what the script says."""
        with self._lock:
            self.calls.append(Call(key, email, batch, timeout))
            if self.capabilities.idempotency_ttl is not None and key in self._answers:
                return self._answers[key]
            step, pause = self._next()
        if pause:
            self.sleep(pause)
        with self._lock:
            return self._done(step, batch, key)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """SUBMITTED for what it took, RETRY for what it did not; None when it cannot search."""
        if self.capabilities.reconcile != "search":
            return dict.fromkeys((recipient.key for recipient in batch.recipients), None)
        with self._lock:
            return {recipient.key: self._settled(recipient.key) for recipient in batch.recipients}

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002
        """What it was told to say."""
        return self.findings

    def then(self, *steps: Step) -> None:
        """Add to the script."""
        with self._lock:
            self._steps.extend(steps)

    @property
    def addresses(self) -> Counter[str]:
        """How many copies each address was sent."""
        with self._lock:
            return Counter(copy.address for copies in self.received.values() for copy in copies)

    @property
    def twice(self) -> list[str]:
        """Delivery keys it took more than once: promise 1 says none."""
        with self._lock:
            return [key for key, copies in self.received.items() if len(copies) > 1]

    def _next(self) -> tuple[Step, float]:
        pause = 0.0
        while self._steps:
            step = self._steps.popleft()
            if not isinstance(step, Sleep):
                return step, pause
            pause += step.seconds
        return Accept(), pause

    def _done(self, step: Step, batch: Batch, key: str) -> BatchResult:
        match step:
            case Retry(after, halt):
                return BatchResult(all_of(batch, Status.RETRY), retry_after=after, halt=halt)
            case CutBefore():
                return BatchResult(all_of(batch, Status.UNKNOWN))
            case CutAfter():
                self._answers[key] = self._taken(batch)
                return BatchResult(all_of(batch, Status.UNKNOWN))
            case Raise(error, taken):
                if taken:
                    self._answers[key] = self._taken(batch)
                raise error
            case Reject(addresses, status, code):
                self._answers[key] = self._taken(batch, addresses, status, code)
            case _:
                self._answers[key] = self._taken(batch)
        return self._answers[key]

    def _taken(
        self, batch: Batch, refused: Collection[str] = (), status: Status = Status.REJECTED, code: str = ""
    ) -> BatchResult:
        outcomes: list[Outcome] = []
        for recipient in batch.recipients:
            if recipient.address in refused:
                outcomes.append(Outcome(recipient.key, status, code=code))
            else:
                self.received.setdefault(recipient.key, []).append(recipient)
                outcomes.append(self._settled(recipient.key))
        return BatchResult(tuple(outcomes))

    def _settled(self, key: str) -> Outcome:
        if key in self.received:
            return Outcome(key, Status.SUBMITTED, message_id=f"fake-{key}")
        return Outcome(key, Status.RETRY)


# --- what every provider promises ------------------------------------------------------------------


@dataclass(frozen=True)
class Arrived:
    """A message as the other side got it, whatever way it was spelled."""

    to: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str]  # names in lower case

    @classmethod
    def of(cls, message: bytes) -> Arrived:
        """Read a MIME message; line ends become LF."""
        read = stdlib_email.message_from_bytes(message, policy=policy.default)
        bodies = {part.get_content_subtype(): _body(part.get_payload(decode=True)) for part in read.walk()}
        return cls(
            to=str(read["To"]),
            subject=str(read["Subject"]),
            html=bodies.get("html", ""),
            text=bodies.get("plain", ""),
            headers={name.lower(): str(value) for name, value in read.items()},
        )


def _body(payload: object) -> str:
    return payload.decode("utf-8").replace("\r\n", "\n") if isinstance(payload, bytes) else ""


HOSTILE = (
    "Anna\r\nBcc: everyone@example.org",
    "<script>alert(1)</script>",
    '" onclick="x',
    "{{x}} {{{y}}} %recipient.x% -tag- *|X|* [[z]] ${w}",
    "Zoë 🌿 \u202eenola",
    ".\r\n.\r\nQUIT",
    "x" * 3000,
)
"""Values that have broken somebody's mail."""


class ProviderContract:
    """The promises of `newsletter.ports.Provider`. Subclass it as `Test...` and say two things:

    `provider()`  the provider under test, whose other side accepts everything
    `arrived()`   what that other side has got, in order

    `repeats_safely`: whether submitting the same batch twice must not double anybody.
    """

    repeats_safely = False

    def provider(self) -> Provider:
        """The provider, ready to send; new or the same at each call, always with the same other side."""
        raise NotImplementedError

    def arrived(self) -> list[Arrived]:
        """Every message the other side has taken, the oldest first."""
        raise NotImplementedError

    def test_it_has_a_name_and_sane_capabilities(self) -> None:
        """The name fits settings and paths; a batch holds somebody."""
        provider = self.provider()
        assert provider.name.isidentifier()
        assert provider.name == provider.name.lower()
        assert provider.capabilities.max_batch >= 1

    def test_one_outcome_for_each_recipient_in_order(self) -> None:
        """And each of them arrived, once, at the right address."""
        batch = sample_batch(3)
        outcomes = self._submit(sample_email(), batch)
        assert [outcome.key for outcome in outcomes] == [recipient.key for recipient in batch.recipients]
        assert {outcome.status for outcome in outcomes} == {Status.SUBMITTED}
        addresses = [recipient.address for recipient in batch.recipients]
        assert sorted(message.to for message in self.arrived()) == sorted(addresses)

    def test_an_empty_batch_is_no_call(self) -> None:
        """Nobody to write to, nothing sent."""
        result = self.provider().submit(sample_email(), sample_batch(0), key="empty", timeout=5)
        assert result == BatchResult(())
        assert self.arrived() == []

    def test_each_reader_gets_their_own_values_and_headers(self) -> None:
        """Name, way out and one-click headers are the reader's own (RFC 8058)."""
        email, batch = sample_email(), sample_batch(3)
        self._submit(email, batch)
        by_address = {message.to: message for message in self.arrived()}
        for recipient in batch.recipients:
            message = by_address[recipient.address]
            self._assert_as_filled(email, recipient, message)
            if self.provider().capabilities.per_recipient_headers == "yes":
                assert message.headers["list-unsubscribe"] == f"<{recipient.unsubscribe_url}>"
                assert message.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"

    def test_promise_11_hostile_values_arrive_as_what_they_are(self) -> None:
        """No value becomes markup, a header, another reader or a merge tag."""
        email, standard = sample_email(), sample_batch(len(HOSTILE))
        readers = zip(standard.recipients, HOSTILE, strict=True)
        batch = replace(standard, recipients=tuple(replace(one, values={"first_name": evil}) for one, evil in readers))
        self._submit(email, batch)
        by_address = {message.to: message for message in self.arrived()}
        assert set(by_address) == {recipient.address for recipient in batch.recipients}
        for recipient in batch.recipients:
            message = by_address[recipient.address]
            self._assert_as_filled(email, recipient, message)
            assert "bcc" not in message.headers
            assert "cc" not in message.headers

    def test_reconcile_answers_for_each_recipient(self) -> None:
        """An outcome or None for each key and no other; what was never submitted is never SUBMITTED."""
        batch = sample_batch(2)
        found = self.provider().reconcile(batch, key="never-submitted")
        assert set(found) == {recipient.key for recipient in batch.recipients}
        for key, outcome in found.items():
            assert outcome is None or (outcome.key == key and outcome.status is not Status.SUBMITTED)

    def test_promise_1_the_same_batch_again_doubles_nobody(self) -> None:
        """For providers that promise it: one copy each, and the same answer."""
        if not self.repeats_safely:
            return
        email, batch = sample_email(), sample_batch(3)
        first, second = self._submit(email, batch), self._submit(email, batch)
        assert second == first
        assert len(self.arrived()) == len(batch.recipients)

    def _submit(self, email: Email, batch: Batch) -> list[Outcome]:
        """The batch in calls of at most `max_batch`; no answer may tell an address (promise 12)."""
        provider = self.provider()
        rows = iter(batch.recipients)
        outcomes: list[Outcome] = []
        while part := tuple(islice(rows, provider.capabilities.max_batch)):
            result = provider.submit(email, replace(batch, recipients=part), key=f"key-{part[0].key}", timeout=10)
            assert len(result.outcomes) == len(part)
            outcomes += result.outcomes
        for outcome, recipient in zip(outcomes, batch.recipients, strict=True):
            assert recipient.address not in outcome.detail + outcome.code
        return outcomes

    def _assert_as_filled(self, email: Email, recipient: Recipient, message: Arrived) -> None:
        values = {**recipient.values, "unsubscribe_url": recipient.unsubscribe_url}
        assert message.subject == fill(email.subject, values)
        assert message.html == _one_line_end(fill(email.html, values))
        assert message.text == _one_line_end(fill(email.text, values))


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
