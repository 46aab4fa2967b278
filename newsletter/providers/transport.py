"""HTTP for the adapters: one call, and what its answer means for those it was about.

    Transport.call(...)  ->  Answer            never raises; says whether a byte of the body may have left
    verdict(answer)      ->  Verdict | None    None: a 2xx, to be read by the adapter
    sift(...)            ->  BatchResult       halves a batch that was refused as a whole

What a lost answer means hangs on one moment, as with SMTP: before the first byte of the body has left, nothing
can have been accepted (RETRY); after it, only the provider knows (UNKNOWN). Nothing is tried again here, and
no redirect is followed: a POST that is repeated by a library is a second copy.
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from newsletter import __version__
from newsletter.core import mime
from newsletter.core.delivery import Batch, BatchResult, Finding, Outcome, Recipient, Status, all_of, on_this_machine
from newsletter.core.redact import redacted
from newsletter.errors import ProviderError

if TYPE_CHECKING:
    import requests

    from newsletter.providers.line import Line

Halt = Literal["", "auth", "quota", "account", "bug"]

PAUSE = 30.0
"""Seconds all senders wait when a provider says "later" without saying how long, or cannot be reached."""

_LONGEST_PAUSE = 6 * 3600.0
_CONNECT = 10.0  # seconds
_MOST = 32 * 1024 * 1024  # bytes of an answer
_SUSPECTS = 3  # readers refused alone, one after the other with nobody taken: then it is us, not them


# --- the call --------------------------------------------------------------------------------------


class Body:
    """A request's body that is made while it goes out, and knows whether it has begun to.

    In: its chunks, and how many bytes they are together. When `late` says so before the first byte, none leaves: a
    process that stood still must not hand over what others have taken in hand meanwhile.
    """

    def __init__(self, chunks: Iterable[bytes], length: int) -> None:
        self._chunks = iter(chunks)
        self._length = length
        self.begun = False
        self.late: Callable[[], bool] = lambda: False

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self.begun and self.late():
            raise TimeoutError
        chunk = next(self._chunks)
        self.begun = True
        return chunk


@dataclass(frozen=True)
class Answer:
    """What came back. `status` 0: nothing did; `broken`: the body ended early, or was no answer of theirs."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    begun: bool = True  # whether a byte of our body may have left
    broken: bool = False
    problem: str = ""  # what went wrong on the way, in words
    untrusted: bool = False  # the server's certificate was not accepted

    @property
    def ok(self) -> bool:
        """Whether the provider said yes."""
        return 200 <= self.status < 300  # noqa: PLR2004

    def json(self) -> Any:
        """The body as JSON; None when it is none, or was not read to its end."""
        if self.broken:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Transport:
    """Calls to one provider over connections that are kept, one for each thread.

    In: its base address (a path of its own is kept); headers of every call; `sign`, which finishes a prepared request
    (basic auth, a signature over the body). Proxies and authorities are those of the environment at the first call:
    `requests` would look for them again at each. Raises: ProviderError when the address is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        sign: Callable[[requests.PreparedRequest], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url.strip().rstrip("/")
        self.network = not on_this_machine(_host(self.base_url))
        self._headers = {"User-Agent": f"newsletter/{__version__}", "Accept": "application/json", **(headers or {})}
        self._sign = sign
        self._monotonic = monotonic
        self._proxies: dict[str, str] | None = None
        self._verify: str | bool = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._local = threading.local()
        self._lines: list[Line] = []  # append is atomic
        self._prepared: dict[tuple[str, str], requests.PreparedRequest] = {}

    def close(self) -> None:
        """Close the kept connections; the next call opens one anew."""
        while self._lines:
            self._lines.pop().close()

    def post(
        self,
        path: str,
        body: bytes | Body,
        *,
        timeout: float,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One POST. In: the path after the base address, the body, seconds for the whole call."""
        return self.call(
            "POST", path, body=body, timeout=timeout, headers={"Content-Type": content_type, **(headers or {})}
        )

    def get(self, path: str, *, params: Mapping[str, str] | None = None, timeout: float = PAUSE) -> Answer:
        """One GET."""
        return self.call("GET", path, params=params, timeout=timeout)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Body | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Answer:
        """One call, never repeated. Out: the answer; whatever goes wrong on the way is one too."""
        import requests  # noqa: PLC0415 -- loaded by those who call, not by those who read the settings

        request = self._made(method, path, params, headers or {})
        stream = Body([body], len(body)) if isinstance(body, bytes) else body
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
            request.body = body if isinstance(body, bytes) else None
        if self._sign:
            self._sign(request)
        request.body = stream  # type: ignore[assignment]  # requests streams what has a length and can be iterated
        deadline = self._monotonic() + timeout
        if stream is not None:
            stream.late = lambda: self._monotonic() > deadline
        try:
            answer = self._line().send(
                request,
                timeout=(min(_CONNECT, timeout), timeout),
                stream=True,
                verify=self._verify,
                proxies=self._environ_proxies(),
            )
        except (requests.RequestException, OSError, ValueError) as problem:
            begun = stream.begun if stream is not None else True
            return Answer(0, begun=begun, problem=_words(problem), untrusted=_is_untrusted(problem))
        return self._read(answer, deadline)

    def _environ_proxies(self) -> dict[str, str]:
        from requests.utils import get_environ_proxies  # noqa: PLC0415

        if self._proxies is None:
            self._proxies = dict(get_environ_proxies(self.base_url))
        return self._proxies

    def _read(self, answer: requests.Response, deadline: float) -> Answer:
        """The body, up to a size and a moment: a server that drips may not hold a sender beyond its lease."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        headers = {name.lower(): value for name, value in answer.raw.headers.items()}
        body, problem = bytearray(), ""
        try:
            while chunk := answer.raw.read1(65536, decode_content=True):  # what is there, without waiting for more
                body += chunk
                if answer.raw.length_remaining == 0 and "content-encoding" not in headers:
                    break
                if len(body) > _MOST or self._monotonic() > deadline:
                    problem = "it took too long"
                    answer.close()
                    break
        except (HTTPError, OSError, ValueError) as broke:
            problem = _words(broke)
            answer.close()
        return Answer(answer.status_code, bytes(body), headers, broken=bool(problem), problem=problem)

    def _made(
        self, method: str, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        """A prepared request; those without a query are prepared once and copied."""
        if params:
            request = self._prepare(method, path, params)
        else:
            kept = self._prepared.get((method, path))
            if kept is None:
                kept = self._prepare(method, path, None)
                if method == "POST":  # the few paths of sending; others may hold an address
                    self._prepared[method, path] = kept
            request = kept.copy()
        request.headers.update(headers)
        return request

    def _prepare(self, method: str, path: str, params: Mapping[str, str] | None) -> requests.PreparedRequest:
        import requests  # noqa: PLC0415

        url = f"{self.base_url}/{path.lstrip('/')}"
        return requests.Request(method, url, headers=self._headers, params=dict(params or {})).prepare()

    def _line(self) -> Line:
        from newsletter.providers.line import Line  # noqa: PLC0415

        line: Line | None = getattr(self._local, "line", None)
        if line is None:
            line = self._local.line = Line()
            self._lines.append(line)
        return line


def _words(problem: Exception) -> str:
    """What went wrong, without the address that was called: it may hold a secret or a reader's address."""
    import requests  # noqa: PLC0415

    if isinstance(problem, requests.exceptions.SSLError):
        return "the server's certificate is not trusted" if _is_untrusted(problem) else "TLS failed"
    if isinstance(problem, requests.exceptions.ConnectTimeout):
        return "nobody answered there"
    if isinstance(problem, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(problem, requests.exceptions.ProxyError):
        return "the proxy refused"
    cause = next((one for one in _causes(problem) if isinstance(one, OSError) and one.strerror), None)
    return cause.strerror.lower() if cause and cause.strerror else "the connection was lost"


def _is_untrusted(problem: Exception) -> bool:
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(problem))


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """An exception and what it was made of: `requests` and urllib3 put the first one deep inside."""
    waiting, seen = [problem], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting += [other for other in inner if isinstance(other, BaseException)]


def _host(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:  # a port or an IPv6 address that is none
        pass
    raise ProviderError("The provider's base URL is not one.", "It begins with https://, see docs/providers.md.")


def needed(value: str, variable: str) -> str:
    """A credential as it can stand in a header. In: the value, the variable it is set by.

    Raises: ProviderError when there is none, or it can be none.
    """
    bare = value.strip()
    if not bare:
        raise ProviderError("A setting of the provider is missing.", f"Set {variable}.")
    if not (bare.isascii() and bare.isprintable()) or " " in bare:
        raise ProviderError("A credential of the provider has characters it cannot have.", f"Correct {variable}.")
    return bare


# --- what it means ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, judged, for everybody it was about. REJECTED: refused; of whom of several is not said."""

    status: Status
    code: str = ""
    detail: str = ""
    retry_after: float | None = None
    halt: Halt = ""

    @property
    def stops(self) -> bool:
        """Whether it holds for what has not been tried yet as well."""
        return bool(self.halt) or self.retry_after is not None

    def outcomes(self, recipients: Iterable[Recipient]) -> tuple[Outcome, ...]:
        """The same for each; the words without their addresses."""
        told = tuple(recipients)
        detail = redacted(self.detail, [one.address for one in told]) if self.detail else ""
        return tuple(Outcome(one.key, self.status, code=self.code, detail=detail) for one in told)


def verdict(
    answer: Answer,
    said: str = "",
    *,
    unavailable: Status = Status.UNKNOWN,
    retry_after: Sequence[str] = ("retry-after",),
) -> Verdict | None:
    """What an answer means by its status alone; None for a 2xx that was read whole.

    In: `said`, the provider's own words, found by the adapter; `unavailable`, what a 503 means with it (RETRY
    only where it documents that nothing was taken); `retry_after`, the headers that say how long to wait.
    The rules: not sent at all, 429, 401, 403 and other 3xx: surely not taken. Other 4xx: refused (REJECTED). 408, 5xx,
    no answer and half an answer: UNKNOWN.
    """
    code = str(answer.status)
    if not answer.status:
        return _unanswered(answer)
    if answer.ok:
        return Verdict(Status.UNKNOWN, code, f"The answer broke off: {answer.problem}.") if answer.broken else None
    if answer.status < _REFUSALS or answer.status in _HALTS:
        said = said if answer.status >= _REFUSALS else "It answered with a redirect: is its base URL right?"
        return Verdict(Status.RETRY, code, said, halt=_HALTS.get(answer.status, "account"))
    return _refused(answer, said, unavailable, wait_of(answer, retry_after))


def _refused(answer: Answer, said: str, unavailable: Status, pause: float | None) -> Verdict:
    code = str(answer.status)
    if answer.status == _TOO_MANY or (answer.status == _UNAVAILABLE and unavailable is Status.RETRY):
        return Verdict(Status.RETRY, code, said, retry_after=pause or PAUSE)
    if answer.status in _UNCLEAR or answer.status >= _FAULTS:
        return Verdict(Status.UNKNOWN, code, said, retry_after=pause if answer.status == _UNAVAILABLE else None)
    return Verdict(Status.REJECTED, code, said)


_REFUSALS, _FAULTS = 400, 500
_TOO_MANY, _UNAVAILABLE = 429, 503
_UNCLEAR = {408}
_HALTS: dict[int, Halt] = {401: "auth", 402: "account", 403: "auth"}


def _unanswered(answer: Answer) -> Verdict:
    if answer.begun:
        return Verdict(Status.UNKNOWN, "lost", f"The answer was lost: {answer.problem}.")
    if answer.untrusted:
        return Verdict(Status.RETRY, "certificate", f"It cannot be trusted: {answer.problem}.", halt="account")
    return Verdict(Status.RETRY, "connect", f"It cannot be reached: {answer.problem}.", retry_after=PAUSE)


def wait_of(answer: Answer, names: Sequence[str] = ("retry-after",)) -> float | None:
    """Seconds to wait as a header says, in seconds or as a date (RFC 9110 10.2.3); None when none says so."""
    for name in names:
        value = answer.headers.get(name, "").strip()
        if not value:
            continue
        try:
            seconds = float(value)
        except ValueError:
            seconds = _until(value, answer.headers.get("date", ""))
        if 0 < seconds < float("inf"):
            return min(seconds, _LONGEST_PAUSE)
    return None


def _until(value: str, date: str) -> float:
    """Seconds from the answer's own date (our clock may be wrong) to a date; 0 when it is none."""
    try:
        then = parsedate_to_datetime(value)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return (then - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0


# --- batches ---------------------------------------------------------------------------------------

Part = tuple[Recipient, ...]
Hand = Callable[[Part, float], "tuple[Outcome, ...] | Verdict | BatchResult"]
"""Hands over some readers within so many seconds: an outcome for each in order, or one verdict for all.

A BatchResult says both: an outcome for each, and that all others must wait or stop.
"""


def parts(recipients: Part, *, count: int, size: Callable[[Recipient], int], room: int) -> list[Part]:
    """Readers in parts of at most `count` and `room` bytes, as `size` counts; one alone may be larger.

    No address stands twice in a part: some providers refuse such a call, some send one message for both.
    """
    addresses = {one.address.lower() for one in recipients}
    if 0 < len(recipients) == len(addresses) and len(recipients) <= count and sum(map(size, recipients)) <= room:
        return [recipients]
    found: list[list[Recipient]] = []
    here: set[str] = set()
    used = 0
    for one in recipients:
        more, who = size(one), one.address.lower()
        if not found or len(found[-1]) >= count or used + more > room or who in here:
            found.append([])
            here, used = set(), 0
        found[-1].append(one)
        here.add(who)
        used += more
    return [tuple(part) for part in found]


def shared(recipients: Part, sizes: Mapping[str, int], *, count: int, room: int) -> list[Part]:
    """Readers who can share a call in parts as above, each taking the bytes of `sizes` by key; the others alone."""
    merging = tuple([one for one in recipients if one.key in sizes])
    alone = [(one,) for one in recipients if one.key not in sizes] if len(merging) < len(recipients) else []
    return [*parts(merging, count=count, size=lambda one: sizes[one.key], room=room), *alone]


def sift(
    first: Iterable[Part], hand: Hand, *, timeout: float, monotonic: Callable[[], float] = time.monotonic
) -> BatchResult:
    """Hand over parts, one after the other; one that is refused as a whole is halved until who is meant stands alone.

    Only what was surely refused is handed over again. A verdict that stops holds for all who follow; when the first
    few who stand alone are refused, and the last of all as well, and nobody was taken, it is us they mean, and the run
    stops. What cannot be begun within `timeout` seconds is RETRY. Out: outcomes in the order of the readers.
    """
    waiting = list(first)
    order = [one.key for one in chain.from_iterable(waiting)]
    waiting.reverse()
    deadline = monotonic() + timeout
    found: dict[str, Outcome] = {}
    refused: list[Recipient] = []
    taken, stop = False, Verdict(Status.RETRY)
    while waiting and not stop.stops:
        part = waiting.pop()
        left = deadline - monotonic()
        if left <= 0:
            waiting.append(part)
            break
        told = hand(part, left)
        if isinstance(told, BatchResult):
            stop = Verdict(Status.RETRY, retry_after=told.retry_after, halt=told.halt)
            told = told.outcomes
        if isinstance(told, tuple) and not found and not waiting:
            return BatchResult(told, stop.retry_after, stop.halt)
        if isinstance(told, tuple):
            taken = taken or any(outcome.status is Status.SUBMITTED for outcome in told)
            found |= {outcome.key: outcome for outcome in told}
        elif told.status is Status.REJECTED and len(part) > 1:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
        else:
            found |= {outcome.key: outcome for outcome in told.outcomes(part)}
            stop = told if told.stops else stop
            refused += part if told.status is Status.REJECTED else ()
            if len(refused) > _SUSPECTS and not taken:
                stop = replace(told, status=Status.RETRY, halt="account")
                found |= {outcome.key: outcome for outcome in stop.outcomes(refused)}
            elif len(refused) == _SUSPECTS and not taken:
                waiting = _last_first(waiting)
    rest = tuple(chain.from_iterable(reversed(waiting)))
    later = (
        replace(stop, status=Status.RETRY)
        if stop.stops
        else Verdict(Status.RETRY, "time", "There was no time left for it.")
    )
    found |= {outcome.key: outcome for outcome in later.outcomes(rest)}
    return BatchResult(tuple(found[key] for key in order), stop.retry_after, stop.halt)


def _last_first(waiting: Sequence[Part]) -> list[Part]:
    """The parts that wait, the next at the end, with the very last reader alone before them all."""
    if not waiting:
        return []
    last = waiting[0]
    rest = [last[:-1], *waiting[1:]] if len(last) > 1 else list(waiting[1:])
    return [*rest, last[-1:]]


def hand_over(batch: Batch, split: Callable[[Part], Iterable[Part]], hand: Hand, *, timeout: float) -> BatchResult:
    """Hand over a batch in parts, as `sift` does.

    In: `split` makes parts of readers. Those whose address could be read as anything but one plain address are
    refused here: no call may hold them. Out: an outcome for each, in the batch's order; a halt when a delivery key is
    not fit for a Message-ID.
    """
    keys = [one.key for one in batch.recipients]
    if not mime.all_safe(keys):
        return BatchResult(all_of(batch, Status.RETRY, code="key", detail=_UNSAFE), halt="bug")
    fit = batch.recipients
    if not mime.all_plain([one.address for one in fit]):
        fit = tuple([one for one in fit if mime.is_plain(one.address)])
    result = sift(split(fit), hand, timeout=timeout)
    if [outcome.key for outcome in result.outcomes] == keys:
        return result
    found = {outcome.key: outcome for outcome in result.outcomes}
    order = (
        found.get(one.key) or Outcome(one.key, Status.REJECTED, code="address", detail=_NOT_PLAIN)
        for one in batch.recipients
    )
    return replace(result, outcomes=tuple(order))


_UNSAFE = "A delivery key is not fit for a Message-ID."
_NOT_PLAIN = "The address has characters that cannot stand in a message."


def array(part: Part, *, of: Callable[[Recipient, bytes], bytes], size: Callable[[Recipient], int]) -> Body:
    """A JSON array with an element for each reader, each made while it goes out.

    In: an element, with what it is given in front of it; its size without that.
    """
    chunks = (of(one, b"," if place else b"[") for place, one in enumerate(part))
    return Body(chain(chunks, [b"]"]), sum(map(size, part)) + len(part) + 1)


def answered(answer: Answer, provider: str) -> Any:
    """What a call about our account told, as JSON; None for a yes without words.

    In: the provider's name for people. Raises: ProviderError for any other answer.
    """
    if not answer.ok or answer.broken or (answer.body.strip() and answer.json() is None):
        why = f"it answered {answer.status}" if answer.status else answer.problem
        raise ProviderError(f"{provider} did not tell of its list: {why}.", "Try again later, or see its status page.")
    return answer.json()


def unanswered(answer: Answer, variable: str) -> Finding:
    """What it means that a question about our account was not answered: a refused key is clear, all else is not.

    In: the variable of the key.
    """
    if answer.status == _UNAUTHORISED:
        return Finding("error", "key", "It does not accept our key.", f"Correct {variable}.")
    why = f"it answered {answer.status}" if answer.status else answer.problem
    return Finding("warning", "account", f"It could not be asked about the account: {why}.")


_UNAUTHORISED = 401


def unsent(batch: Batch, problem: ProviderError) -> BatchResult:
    """Nothing was handed over, as the email itself cannot go through this provider."""
    return BatchResult(all_of(batch, Status.RETRY, code="email", detail=problem.what), halt="account")


def one_part(batch: Batch) -> list[Part]:
    """The whole batch as one part; none when it is empty."""
    return [batch.recipients] if batch.recipients else []
