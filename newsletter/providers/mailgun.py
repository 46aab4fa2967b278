"""Mailgun: up to 1,000 readers a call, one text with recipient variables.

    one call  ->  200 with one id for all, or 400, refused as a whole; its events can be searched afterwards

A lost answer is settled by the campaign's tag among the `accepted` events of the hours around the call. Events come
late, by up to half an hour as Mailgun says, so that much has to pass before "not found" means "not sent".

    https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages     (the call)
    https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/batch-sending     (variables)
    https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks     (events and their signature)
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import SecretStr

from newsletter.core import mime
from newsletter.core.delivery import (
    Batch,
    BatchResult,
    Capabilities,
    Finding,
    Outcome,
    Recipient,
    Signing,
    Status,
    Suppression,
)
from newsletter.core.email import Email
from newsletter.core.event import Event, EventType, ParseError, Reason
from newsletter.core.spelling import (
    KEY,
    JsonTemplate,
    Merged,
    campaign_of,
    header_pieces,
    header_sites,
    headers_fit,
    json_template,
    merged,
    one_line,
    values,
    wire_headers,
)
from newsletter.errors import BadSignature, ProviderError, StaleWebhook
from newsletter.providers import webhook
from newsletter.providers.transport import (
    Answer,
    Part,
    Transport,
    Verdict,
    answered,
    hand_over,
    needed,
    shared,
    unanswered,
    unsent,
    verdict,
)

MOST = 1000
"""Readers in a call."""

MOST_BYTES = 25 * 1024 * 1024

SETTLE = 1800.0
"""Seconds until an event that is not there will not come: "half an hour", says the guide to polling events."""

_NAME = "Mailgun"
_API_KEY = "NEWSLETTER_MAILGUN__API_KEY"
_KEY = "newsletter_key"
_STALE = 7 * 24 * 3600.0  # seconds; a webhook is repeated for eight hours with its first signature
_SPAN = 3 * 3600.0  # seconds around a call in which its events are looked for: a clock may be wrong
_KEPT = 24 * 3600.0  # seconds events are kept for certain, on any plan
_PAGE = 300  # events in an answer
_MOST_PAGES = 1000  # then the search is given up, and says nothing
_OURS = {404, 405, 406, 415}  # refusals that no reader is the reason of
_PATIENCE = 30.0  # seconds

_NONE = SecretStr("")


@dataclass(frozen=True)
class Section:
    """Its settings. A domain in the EU is asked at https://api.eu.mailgun.net/v3."""

    api_key: SecretStr = _NONE
    domain: str = ""
    signing_key: SecretStr = _NONE
    base_url: str = "https://api.mailgun.net/v3"


def build(section: Section, root: Path) -> Mailgun:  # noqa: ARG001
    """The provider as set up."""
    return Mailgun(
        api_key=section.api_key.get_secret_value(),
        domain=section.domain,
        base_url=section.base_url,
    )


def reports(section: Section, _root: Path) -> Webhooks | None:
    """Its reader of webhooks; None while no signing key is set."""
    key = section.signing_key.get_secret_value()
    return Webhooks(key) if key else None


class Mailgun:
    """Submits through one sending domain; tracking is off in every call.

    In: `now`, Unix time. Raises: ProviderError for a missing key or domain.
    """

    name = "mailgun"
    capabilities = Capabilities(
        max_batch=MOST,
        max_call_bytes=MOST_BYTES,
        mode="merge",
        result="all_or_nothing",
        reconcile="search",
        settle_seconds=SETTLE,
        suppressions=frozenset({"read", "add", "remove"}),
        holds=frozenset({"bounce", "complaint", "unsubscribe"}),
        webhook_auth="hmac",
        event_ids=True,
        unsubscribe_events=True,
    )

    def __init__(
        self,
        *,
        api_key: str,
        domain: str,
        base_url: str = Section.base_url,
        now: Callable[[], float] = time.time,
    ) -> None:
        token = base64.b64encode(f"api:{needed(api_key, _API_KEY)}".encode()).decode("ascii")
        if not _DOMAIN.fullmatch(domain):  # a slash in it would be answered by another endpoint, with 200
            raise ProviderError("Mailgun has no sending domain.", "Set NEWSLETTER_MAILGUN__DOMAIN.")
        headers = {"Authorization": f"Basic {token}"}
        self._http = Transport(base_url, headers=headers)
        self._http_v4 = Transport(f"{base_url.rstrip('/').removesuffix('/v3')}/v4", headers=headers)
        self._domain = domain
        self._now = now
        signing = Signing(spf="mailgun.org", return_path=domain)  # it chooses the name of the key
        self.capabilities = replace(Mailgun.capabilities, network=self._http.network, signing=signing)

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()
        self._http_v4.close()

    # --- sending -----------------------------------------------------------------------------------

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over the batch in as few calls as its size allows.

        A reader whose headers cannot stand as they are has a call of their own. Out: SUBMITTED, with the Message-ID
        (ours) where one reader had the call: the id of a call for many is nobody's own. REJECTED for readers who are
        refused alone; UNKNOWN for a 200 that is not the documented one.
        """
        try:
            spelled = _spelled(email, batch.tag, campaign_of(key))
        except ProviderError as problem:
            return unsent(batch, problem)
        entries, sites = {one.key: spelled.entry(one) for one in batch.recipients}, header_sites(email)
        sizes = {one.key: len(entries[one.key]) + 200 for one in batch.recipients if headers_fit(sites, values(one))}
        boundary = f"newsletter-{sha256(key.encode()).hexdigest()[:32]}"

        def split(readers: Part) -> list[Part]:
            return shared(readers, sizes, count=MOST, room=MOST_BYTES - spelled.size)

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict:
            fields = spelled.fields(part, [entries[one.key] for one in part])
            answer = self._http.post(
                f"/{self._domain}/messages",
                _multipart(fields, boundary),
                timeout=left,
                content_type=f"multipart/form-data; boundary={boundary}",
            )
            judged = _judged(answer)
            return judged or tuple(_taken(one, answer, alone=len(part) == 1) for one in part)

        return hand_over(batch, split, hand, timeout=timeout)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """What the `accepted` events say of a batch: SUBMITTED, or RETRY where a whole search found nothing.

        In: the batch with the moment of its claim and the campaign's tag. None where the search cannot tell: no
        answer, too many events, or a call so long ago that events may be gone.
        """
        wanted = {one.key: one for one in batch.recipients}
        found: dict[str, Outcome | None] = dict.fromkeys(wanted)
        if not batch.tag or not wanted:
            return found
        named = {one.address.lower(): one.key for one in batch.recipients}
        try:
            for event in self._accepted(batch):
                told = _key_of(event) or named.get(str(event.get("recipient", "")).lower())
                if told in found and found[told] is None:
                    found[told] = Outcome(told, Status.SUBMITTED, _own_id(event, told), "accepted")
                    if all(found.values()):
                        return found
        except ProviderError:
            return found
        if self._now() - batch.at.timestamp() > _KEPT:
            return found
        return {each: outcome or Outcome(each, Status.RETRY, code="not found") for each, outcome in found.items()}

    def _accepted(self, batch: Batch) -> Iterator[Mapping[str, Any]]:
        """The events of the campaign around the batch's call, to the last. Raises: ProviderError."""
        at = batch.at.timestamp()
        params = {
            "event": "accepted",
            "tags": _tag(batch.tag),
            "begin": str(int(at - _SPAN)),
            "end": str(int(at + _SPAN)),
            "ascending": "yes",
            "limit": str(_PAGE),
        }
        path, query = f"/{self._domain}/events", params
        for _ in range(_MOST_PAGES):
            items, following = self._page(path, query)
            if not items:
                return
            yield from items
            path, query = self._following(following)
        raise ProviderError("Mailgun has too many events to search.")

    def _page(self, path: str, params: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str]:
        """The items of a page and the address of the next. Raises: ProviderError."""
        told = answered(self._http.get(path, params=params), _NAME)
        try:
            return [item for item in told["items"] if isinstance(item, dict)], str(told["paging"]["next"])
        except (KeyError, TypeError):
            raise ProviderError("Mailgun answered with no list.") from None

    def _following(self, address: str) -> tuple[str, dict[str, str]]:
        """The next page by its path below our base address: a key goes nowhere else. Raises: ProviderError."""
        parted = urlsplit(address)
        _, slash, rest = parted.path.partition(f"/{self._domain}/")
        if not slash:
            raise ProviderError("Mailgun named a next page that is not ours.")
        return f"/{self._domain}/{rest}", dict(parse_qsl(parted.query))

    # --- the account -------------------------------------------------------------------------------

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002
        """Whether the key is right, the domain may send, and Mailgun leaves our way out alone."""
        answer = self._http.get(f"/domains/{self._domain}/tracking")
        if answer.status == _NOT_THERE and answer.json():  # without words it is the endpoint that is not there
            fix = "Correct NEWSLETTER_MAILGUN__DOMAIN, or the region in NEWSLETTER_MAILGUN__BASE_URL."
            return [Finding("error", "domain", "It does not know our sending domain.", fix)]
        told = answer.json()
        tracking = told.get("tracking") if answer.ok and isinstance(told, dict) else None
        if not isinstance(tracking, dict):
            return [unanswered(answer, _API_KEY)]
        return [*_own_unsubscribe(tracking), *self._domain_state()]

    def _domain_state(self) -> list[Finding]:
        told = self._http_v4.get(f"/domains/{self._domain}").json()
        domain = told.get("domain") if isinstance(told, dict) else None
        state = domain.get("state") if isinstance(domain, dict) else None
        if not isinstance(state, str) or state == "active":
            return []
        fix = "Verify it in Mailgun's control panel." if state == "unverified" else "Ask Mailgun why."
        return [Finding("error", "domain", f"Our sending domain is {state}.", fix)]

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        """Its three lists, one after the other; those since a moment. Raises: ProviderError."""
        for name, reason in _LISTS.items():
            path, params = f"/{self._domain}/{name}", {"limit": str(_PAGE_OF_LIST)}
            while True:
                items, following = self._page(path, params)
                for item in items:
                    at = _moment(item.get("created_at"))
                    if item.get("address") and (since is None or at is None or at >= since):
                        yield Suppression(str(item["address"]), reason, at)
                if not items:
                    break
                path, params = self._following(following)

    def suppress(self, entries: Sequence[Suppression]) -> None:
        """Put addresses on the list of their reason. Raises: ProviderError."""
        for name, reasons in _LIST_OF.items():
            listed = [entry for entry in entries if entry.reason in reasons]
            for start in range(0, len(listed), _PAGE_OF_LIST):
                body = json.dumps([self._entry(name, entry) for entry in listed[start : start + _PAGE_OF_LIST]])
                answered(self._http.post(f"/{self._domain}/{name}", body.encode(), timeout=_PATIENCE), _NAME)

    def _entry(self, name: str, entry: Suppression) -> dict[str, Any]:
        at = entry.at or datetime.fromtimestamp(self._now(), UTC)
        more: dict[str, Any] = {}
        if name == "bounces":
            more = {"code": "550", "error": ""}
        elif name == "unsubscribes":
            more = {"tags": ["*"]}  # of all our mail, not of one tag
        return {"address": entry.address, **more, "created_at": format_datetime(at.astimezone(UTC))}

    def unsuppress(self, addresses: Sequence[str]) -> None:
        """Take addresses off all three lists. Raises: ProviderError."""
        for address in addresses:
            for name in _LISTS:
                path = f"/{self._domain}/{name}/{quote(address, safe='')}"
                answer = self._http.call("DELETE", path, timeout=_PATIENCE)
                if answer.status != _NOT_THERE:
                    answered(answer, _NAME)


_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_NOT_THERE = 404
_PAGE_OF_LIST = 500
_LISTS: dict[str, Any] = {"bounces": "bounce", "complaints": "complaint", "unsubscribes": "unsubscribe"}
_LIST_OF = {"bounces": {"bounce"}, "complaints": {"complaint"}, "unsubscribes": {"unsubscribe", "other"}}

# --- the call's body -------------------------------------------------------------------------------

Fields = list[tuple[str, bytes]]

_RESERVED = re.compile(r"%(?=(?:recipient|unsubscribe|tag_unsubscribe|mailing_list)[\w.-]*%)", re.IGNORECASE)
"""The percent sign that begins a variable of Mailgun's own; some are filled in with no recipient variables as well."""


@dataclass(frozen=True)
class _Spelled:
    """An email as the fields of a call."""

    email: Email
    domain: str
    same: tuple[tuple[str, bytes], ...]  # of every call: from, tag, options
    text: Merged
    variables: JsonTemplate

    @property
    def size(self) -> int:
        """Bytes of a call without its readers, with room for the form around them."""
        return 8192 + len(_utf8(self.text.html)) + len(_utf8(self.text.text))

    def entry(self, recipient: Recipient) -> bytes:
        """A reader's variables with the address before them. A value is not read again, so any may stand there."""
        return b"%b: %b" % (json.dumps(recipient.address).encode(), self.variables.of(recipient))

    def fields(self, part: Part, entries: Sequence[bytes]) -> Fields:
        """A call. Without variables for each its readers would see each other's addresses."""
        return [
            *self.same,
            *(("to", one.address.encode()) for one in part),
            ("subject", _utf8(self.text.subject)),
            ("text", _utf8(self.text.text)),
            ("html", _utf8(self.text.html)),
            *self._headers(part),
            (f"v:{_KEY}", _tag_of(_KEY).encode()),
            ("recipient-variables", b"{" + b", ".join(entries) + b"}"),
        ]

    def _headers(self, part: Part) -> Fields:
        """The email's own; of a call for one as plain words, with the Message-ID of the delivery."""
        if len(part) > 1:
            return [(f"h:{name}", value.encode()) for name, value in self.text.headers]
        own = [(f"h:{name}", value.encode()) for name, value in wire_headers(self.email, part[0])]
        return [*own, ("h:Message-Id", mime.message_id(part[0].key, self.domain).encode())]


@lru_cache(maxsize=16)  # a campaign's email comes once a batch
def _spelled(email: Email, tag: str, seed: str) -> _Spelled:
    """Raises: ProviderError when the sender's address is not valid, or a header is not an email's to bring."""
    domain = mime.compile(email).domain
    plain = replace(email, subject=one_line(email.subject), headers=tuple(header_pieces(email)))
    text = merged(plain, _tag_of, seed=seed, reserved=_RESERVED)
    known = {name: (site,) for name, site in text.sites}
    same = [("from", mime.mailbox(email.sender)), ("o:tracking", "no"), ("o:tracking-clicks", "no")]
    same += [("o:tracking-opens", "no"), *([("o:tag", _tag(tag))] if tag else [])]
    same += [("h:Reply-To", mime.mailbox(email.reply_to))] if email.reply_to else []
    encoded = tuple((name, value.encode()) for name, value in same)
    return _Spelled(email, domain, encoded, text, json_template({**known, _KEY: (KEY,)}))


def _tag_of(name: str) -> str:
    return f"%recipient.{name}%"


def _tag(tag: str) -> str:
    """A campaign's tag within its limits: 128 characters of ASCII."""
    return tag.encode("ascii", "replace").decode("ascii")[:128]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _multipart(fields: Fields, boundary: str) -> bytes:
    """A form (RFC 7578). The boundary is made of the batch's key, which no text knows."""
    start = f"--{boundary}\r\nContent-Disposition: form-data; name=".encode()
    chunks = [b'%b"%b"\r\n\r\n%b\r\n' % (start, name.encode(), value) for name, value in fields]
    return b"".join([*chunks, f"--{boundary}--\r\n".encode()])


# --- what an answer means --------------------------------------------------------------------------


def _taken(recipient: Recipient, answer: Answer, *, alone: bool) -> Outcome:
    return Outcome(recipient.key, Status.SUBMITTED, answer.json()["id"] if alone else None, str(answer.status))


def _judged(answer: Answer) -> Verdict | None:
    """What an answer means; None for the one 200 that is documented: an id and "Queued".

    Another 200 is what Mailgun says at an address it does not know ("Mailgun Magnificent API").
    """
    told = answer.json()
    said = str(told.get("message", "")) if isinstance(told, dict) else ""
    judged = verdict(_with_pause(answer, said), said)
    if judged is None:
        queued = isinstance(told, dict) and bool(webhook.word(told.get("id"))) and said.startswith("Queued")
        return None if queued else Verdict(Status.UNKNOWN, str(answer.status), "The answer was not understood.")
    if answer.status in _OURS or (judged.status is Status.REJECTED and _ABOUT_US.search(said)):
        return replace(judged, status=Status.RETRY, halt="account")
    return judged


_ABOUT_US = re.compile(r"\bfrom'? parameter|send options|need at least one of|\bdomain\b", re.IGNORECASE)


def _with_pause(answer: Answer, said: str) -> Answer:
    """Words such as "limit exceeded, try again after 120 seconds" as the header that other providers send."""
    found = _AGAIN.search(said)
    if not found or "retry-after" in answer.headers:
        return answer
    return replace(answer, headers={**answer.headers, "retry-after": found[1]})


_AGAIN = re.compile(r"try again after (\d+) seconds")


def _own_unsubscribe(tracking: Mapping[str, Any]) -> list[Finding]:
    """Opens and clicks are switched off in each call; its own unsubscribe can be switched off for the domain only."""
    unsubscribe = tracking.get("unsubscribe")
    if not isinstance(unsubscribe, dict) or unsubscribe.get("active") in (False, None, "no", "false"):
        return []
    fix = "Switch unsubscribe tracking off for the domain, in Mailgun's control panel."
    return [Finding("error", "tracking", "It would add an unsubscribe link of its own.", fix)]


# --- webhooks --------------------------------------------------------------------------------------


class Webhooks:
    """Reads what Mailgun reports. In: the account's webhook signing key."""

    def __init__(self, signing_key: str) -> None:
        self._signing_key = signing_key.encode()

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:  # noqa: ARG002
        """HMAC-SHA256 of timestamp and token. It does not cover the event, so the token is the event's id.

        A captured signature with another event under it is thereby an event that is known: the store keeps an id
        once. Raises: BadSignature; StaleWebhook when it was signed more than seven days ago.
        """
        try:
            told = json.loads(body)["signature"]
            signed_at, token, signature = str(told["timestamp"]), str(told["token"]), str(told["signature"])
            age = now - float(signed_at)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BadSignature("A webhook request is not signed.") from None
        wanted = hmac.new(self._signing_key, f"{signed_at}{token}".encode(), sha256).hexdigest()
        webhook.must_be(signature.encode(), wanted.encode() if token else b"")
        if not age <= _STALE:
            raise StaleWebhook("A webhook request was signed more than seven days ago.")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event | ParseError]:  # noqa: ARG002
        """The one event of a request, by the token of its signature: its own id is unique within a day only."""
        return webhook.events(body, _event)


# --- events ----------------------------------------------------------------------------------------

Judgement = tuple[EventType, bool | None, Reason]


def _event(told: Mapping[str, Any]) -> Event:
    data = told["event-data"]
    kind = str(data["event"])
    type_, permanent, reason = _KINDS.get(kind, _ignored)(data)
    email = webhook.word(data.get("recipient")) or _addressed(data)
    if email is None and type_ not in {EventType.IGNORED, EventType.REJECTED}:
        raise KeyError("recipient")
    at = datetime.fromtimestamp(float(data["timestamp"]), UTC)
    signature = told.get("signature")
    token = webhook.word(signature.get("token")) if isinstance(signature, dict) else None
    return Event(
        type=type_,
        event_id=token or webhook.event_id(data.get("id"), at.isoformat()),
        at=at,
        email=email,
        permanent=permanent,
        reason=reason,
        message_id=_message_id(data),
        key=_key_of(data),
        url=webhook.word(data.get("url")) if type_ is EventType.CLICKED else None,
        machine=True if _bot(data) else None,
        raw=told,
    )


def _headers_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    message = data.get("message")
    headers = message.get("headers") if isinstance(message, dict) else None
    return headers if isinstance(headers, dict) else {}


def _message_id(data: Mapping[str, Any]) -> str | None:
    """The Message-ID with its brackets, which events leave out."""
    bare = webhook.word(_headers_of(data).get("message-id"))
    return f"<{bare.strip('<>')}>" if bare else None


def _addressed(data: Mapping[str, Any]) -> str | None:
    """The address of To, for the one kind of event that names no recipient."""
    to = webhook.word(_headers_of(data).get("to"))
    return to if to and mime.is_plain(to) else None


def _key_of(data: Mapping[str, Any]) -> str | None:
    known = data.get("user-variables")
    key = webhook.word(known.get(_KEY)) if isinstance(known, dict) else None
    return key if key and mime.is_safe(key) else None  # a variable that was not filled in is none


def _own_id(data: Mapping[str, Any], key: str) -> str | None:
    found = _message_id(data)
    return found if found and found.startswith(f"<{key}@") else None


def _bot(data: Mapping[str, Any]) -> bool:
    client = data.get("client-info")
    return isinstance(client, dict) and bool(client.get("bot"))


def _always(type_: EventType, reason: Reason = "") -> Callable[[Mapping[str, Any]], Judgement]:
    return lambda _: (type_, None, reason)


def _ignored(_: Mapping[str, Any]) -> Judgement:
    return EventType.IGNORED, None, ""


def _failed(data: Mapping[str, Any]) -> Judgement:
    """Whose fault it was: Mailgun's own list, our message or name, the address for good, or nobody's yet."""
    why = str(data.get("reason") or "")
    status = data.get("delivery-status")
    status = status if isinstance(status, dict) else {}
    words = " ".join(str(status.get(part) or "") for part in ("enhanced-code", "message", "description"))
    if why in _LISTED:
        return EventType.REJECTED, True, _LISTED[why]
    if data.get("severity") != "permanent":
        return EventType.DEFERRED, None, "authentication" if webhook.is_authentication(words) else ""
    return EventType.BOUNCED, *webhook.judged(words, *_WHY.get(why, (True, "bounce")))


_WHY: dict[str, tuple[bool, Reason]] = {
    "espblock": (False, "block"),
    "blocked": (False, "block"),
    "old": (False, ""),  # it had been put off until the time was over
}
_LISTED: dict[str, Reason] = {
    "suppress-bounce": "bounce",
    "suppress-complaint": "complaint",
    "suppress-unsubscribe": "unsubscribe",
}

_KINDS: dict[str, Callable[[Mapping[str, Any]], Judgement]] = {
    "accepted": _always(EventType.ACCEPTED),
    "delivered": _always(EventType.DELIVERED),
    "failed": _failed,
    "rejected": _always(EventType.REJECTED),
    "complained": _always(EventType.COMPLAINED, "complaint"),
    "unsubscribed": _always(EventType.UNSUBSCRIBED, "unsubscribe"),
    "opened": _always(EventType.OPENED),
    "clicked": _always(EventType.CLICKED),
}


def _moment(created: Any) -> datetime | None:
    try:
        read = parsedate_to_datetime(str(created).replace("UTC", "+0000"))
    except (ValueError, TypeError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
