"""SendGrid, v3 Mail Send: up to 1,000 readers a call, one text with substitutions, each reader's own headers.

    one call  ->  202, taken as a whole, or 400, refused as a whole; nothing can be asked for later

A refusal that names its readers is believed: they are left out, the rest goes again. What became of a call whose
answer was lost only the event webhook tells, by our key among the custom arguments.

    https://www.twilio.com/docs/sendgrid/api-reference/mail-send     (the call, its limits and errors)
    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event     (webhooks)
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
from newsletter.core.email import Email, Mailbox, Pieces, Site, header_value
from newsletter.core.event import Event, EventType, ParseError, Reason
from newsletter.core.spelling import (
    ADDRESS,
    KEY,
    JsonTemplate,
    all_headers_fit,
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

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

MOST = 1000
"""Personalizations in a call."""

MOST_BYTES = 30 * 1024 * 1024

_MOST_SUBSTITUTED = 10_000  # bytes of a reader's substitutions
_OURS = {404, 405, 406, 415, 451}  # refusals that no reader is the reason of
_NAME = "SendGrid"
_API_KEY = "NEWSLETTER_SENDGRID__API_KEY"
_KEY = "newsletter_key"  # custom arguments lie flat among an event's own fields, so ours has a prefix
_STALE = 7 * 24 * 3600.0  # seconds; a webhook is repeated for a day with its first signature

_NONE = SecretStr("")


@dataclass(frozen=True)
class Section:
    """Its settings."""

    api_key: SecretStr = _NONE
    webhook_public_key: str = ""
    base_url: str = "https://api.sendgrid.com/v3"


def build(section: Section, root: Path) -> Sendgrid:  # noqa: ARG001
    """The provider as set up."""
    return Sendgrid(
        api_key=section.api_key.get_secret_value(),
        base_url=section.base_url,
    )


def reports(section: Section, _root: Path) -> Webhooks | None:
    """Its reader of webhooks; None while no public key is set."""
    return Webhooks(section.webhook_public_key) if section.webhook_public_key else None


class Sendgrid:
    """Submits through SendGrid's API; tracking and its own unsubscribe are off in every call.

    In: `now`, Unix time. Raises: ProviderError for a missing key.
    """

    name = "sendgrid"
    capabilities = Capabilities(
        signing=Signing(selectors=("s1", "s2")),
        max_batch=MOST,
        max_call_bytes=MOST_BYTES,
        mode="merge",
        result="all_or_nothing",
        reconcile="events",
        suppressions=frozenset({"read", "add", "remove"}),
        holds=frozenset({"unsubscribe"}),
        webhook_auth="ecdsa",
        event_ids=True,
        unsubscribe_events=True,
    )

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = Section.base_url,
        now: Callable[[], float] = time.time,
    ) -> None:
        bearer = f"Bearer {needed(api_key, _API_KEY)}"
        self._http = Transport(base_url, headers={"Authorization": bearer})
        self._now = now
        self.capabilities = replace(Sendgrid.capabilities, network=self._http.network)

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    # --- sending -----------------------------------------------------------------------------------

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over the batch in as few calls as its size allows.

        A reader whose values pass the limit of substitutions, or whose headers cannot stand as they are, gets a
        whole message in a call of their own. Out: SUBMITTED with the Message-ID (ours, which SendGrid keeps);
        REJECTED for readers a refusal names or who are refused alone; RETRY for all with a halt or a pause.
        """
        try:
            spelled = _spelled(email, batch.tag, campaign_of(key))
        except ProviderError as problem:
            return unsent(batch, problem)
        entries = spelled.entries(batch.recipients)
        sizes = {key: len(entry) + 2 for key, entry in entries.items()}

        def split(readers: Part) -> list[Part]:
            return shared(readers, sizes, count=MOST, room=MOST_BYTES - len(spelled.head) - 2)

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict | BatchResult:
            if part[0].key in entries:
                return self._handed(part, lambda some: spelled.body([entries[one.key] for one in some]), spelled, left)
            return self._handed(part, lambda some: spelled.whole(some[0]), spelled, left)

        return hand_over(batch, split, hand, timeout=timeout)

    def _handed(
        self, part: Part, body: Callable[[Part], bytes], spelled: _Spelled, left: float
    ) -> tuple[Outcome, ...] | Verdict | BatchResult:
        """One call; while a refusal names some of the readers, one more without them."""
        refused: dict[str, Outcome] = {}
        deadline = time.monotonic() + left
        rest = part
        while True:
            answer = self._http.post("/mail/send", body(rest), timeout=max(0.001, deadline - time.monotonic()))
            judged = self._judged(answer)
            if judged is None:
                taken, code = Status.SUBMITTED, str(answer.status)  # `hand_over` has seen the keys
                told = tuple([_outcome((one.key, taken, f"<{one.key}@{spelled.domain}>", code, "")) for one in rest])
                break
            named = _named(answer, len(rest)) if judged.status is Status.REJECTED else set()
            if not refused and len(named) in {0, len(rest)}:
                return judged
            if not named:  # whom it means now is not said: they were not sent, and come again
                status = Status.RETRY if judged.status is Status.REJECTED else judged.status
                told = replace(judged, status=status).outcomes(rest)
                break
            culprits = [one for place, one in enumerate(rest) if place in named]
            refused |= {outcome.key: outcome for outcome in judged.outcomes(culprits)}
            rest = tuple(one for one in rest if one.key not in refused)
            if not rest or time.monotonic() >= deadline:
                told = Verdict(Status.RETRY, "time", "There was no time left for it.").outcomes(rest)
                break
        if not refused and judged is None:
            return told
        found = refused | {outcome.key: outcome for outcome in told}
        outcomes = tuple(found[one.key] for one in part)
        return BatchResult(outcomes, judged.retry_after, judged.halt) if judged else outcomes

    def _judged(self, answer: Answer) -> Verdict | None:
        """What an answer means; None for a 202. "503: the API is not available", so nothing was taken."""
        said = "; ".join(dict.fromkeys(message for message, _ in _errors(answer)))
        judged = verdict(_with_pause(answer, self._now()), said, unavailable=Status.RETRY)
        if judged is None:
            known = answer.status == _ACCEPTED
            return None if known else Verdict(Status.UNKNOWN, str(answer.status), "The answer was not understood.")
        if "credits exceeded" in said.lower():  # said with 401
            return replace(judged, status=Status.RETRY, halt="quota")
        about = {field.partition(".")[0] for _, field in _errors(answer) if field}
        if answer.status in _OURS or (judged.status is Status.REJECTED and about - {"personalizations"} - _BODY):
            return replace(judged, status=Status.RETRY, halt="account")
        if judged.halt == "auth" and "from" in about:  # 403: no verified sender
            return replace(judged, halt="account")
        return judged

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """None for every row: there is no search but an add-on's; `processed` events tell what was taken."""
        return {recipient.key: None for recipient in batch.recipients}

    # --- the account -------------------------------------------------------------------------------

    def check(self, need: int) -> Sequence[Finding]:
        """Whether the key may send (`/scopes`) and credits are left (`/user/credits`, where the key may ask)."""
        answer = self._http.get("/scopes")
        told = answer.json()
        scopes = told.get("scopes") if answer.ok and isinstance(told, dict) else None
        if not isinstance(scopes, list):
            return [unanswered(answer, _API_KEY)]
        if "mail.send" not in scopes:
            return [Finding("error", "key", "Our API key may not send mail.", "Give it the scope mail.send.")]
        return _credit(self._http.get("/user/credits"), need)

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        """Its four lists, one after the other. Raises: ProviderError."""
        for path, reason in _LISTS.items():
            offset = 0
            while True:
                page = self._page(path, offset, since)
                for entry in page:
                    yield Suppression(str(entry["email"]), reason, _moment(entry.get("created")))
                if len(page) < _PAGE:
                    break
                offset += len(page)

    def _page(self, path: str, offset: int, since: datetime | None) -> list[dict[str, Any]]:
        params = {"limit": str(_PAGE), "offset": str(offset)}
        if since is not None:
            params["start_time"] = str(int(since.timestamp()))
        page = answered(self._http.get(path, params=params), _NAME)
        return [entry for entry in page or () if isinstance(entry, dict) and entry.get("email")]

    def suppress(self, entries: Sequence[Suppression]) -> None:
        """Put addresses on the list of global unsubscribes, the only one that can be written to.

        Raises: ProviderError.
        """
        for start in range(0, len(entries), _PAGE):
            some = [entry.address for entry in entries[start : start + _PAGE]]
            body = _json({"recipient_emails": some})
            answered(self._http.post("/asm/suppressions/global", body, timeout=_PATIENCE), _NAME)

    def unsuppress(self, addresses: Sequence[str]) -> None:
        """Take addresses off all its lists. Raises: ProviderError."""
        headers = {"Content-Type": "application/json"}
        for path in _DELETABLE:
            for start in range(0, len(addresses), _PAGE):
                body = _json({"emails": list(addresses[start : start + _PAGE])})
                self._gone(self._http.call("DELETE", path, body=body, headers=headers, timeout=_PATIENCE))
        for address in addresses:
            self._gone(
                self._http.call("DELETE", f"/asm/suppressions/global/{quote(address, safe='')}", timeout=_PATIENCE)
            )

    def _gone(self, answer: Answer) -> None:
        if answer.status != _NOT_THERE:
            answered(answer, _NAME)


_ACCEPTED = 202
_outcome = Outcome._make  # of a tuple: half of what a call with names and defaults costs
_NOT_THERE = 404
_PAGE = 500
_PATIENCE = 30.0  # seconds
_BODY = {"content", "subject"}  # of one reader's whole message these may be that reader's fault
_LISTS: dict[str, Any] = {
    "/suppression/bounces": "bounce",
    "/suppression/invalid_emails": "bounce",
    "/suppression/spam_reports": "complaint",
    "/suppression/unsubscribes": "unsubscribe",
}
_DELETABLE = ("/suppression/bounces", "/suppression/blocks", "/suppression/invalid_emails", "/suppression/spam_reports")

# --- the call's body -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Spelled:
    """An email as the parts of a call: what is the same for all, and a template of one reader's envelope."""

    email: Email
    tag: str
    domain: str
    head: bytes  # up to the first personalization
    envelope: JsonTemplate
    in_headers: Sequence[Site] | None

    def entries(self, readers: Part) -> dict[str, bytes]:
        """Each reader's personalization by key; none for a reader who cannot be merged."""
        if not all_headers_fit(self.in_headers, readers):
            readers = tuple([one for one in readers if headers_fit(self.in_headers, values(one))])
        made = zip(readers, self.envelope.of_all(readers), strict=True)
        return {one.key: entry for one, entry in made if len(entry) <= _MOST_SUBSTITUTED}

    def body(self, entries: Sequence[bytes]) -> bytes:
        return self.head + b", ".join(entries) + b"]}"

    def whole(self, recipient: Recipient) -> bytes:
        """A call for one reader with nothing to substitute."""
        headers = {name: (value,) for name, value in wire_headers(self.email, recipient)}
        shape = {
            **_shared(self.email, self.tag, one_line(self.email.subject), self.email.text, self.email.html),
            "personalizations": [_envelope(headers, self.domain)],
        }
        return json_template(shape).of(recipient)


@lru_cache(maxsize=16)  # a campaign's email comes once a batch
def _spelled(email: Email, tag: str, seed: str) -> _Spelled:
    """Raises: ProviderError when the sender's address is not valid, or a header is not an email's to bring."""
    domain = mime.compile(email).domain
    text = merged(email, _substitution, seed=seed)
    shared = _shared(email, tag, one_line((text.subject,)), (text.text,), (text.html,))
    envelope = _envelope(dict(header_pieces(email)), domain)
    envelope["substitutions"] = {_substitution(name): (site,) for name, site in text.sites}
    head = _json(shared)[:-1] + b', "personalizations": ['
    return _Spelled(email, tag, domain, head, json_template(envelope), header_sites(email))


def _substitution(name: str) -> str:
    return f"-{name}-"


def _shared(email: Email, tag: str, subject: Pieces, text: Pieces, html: Pieces) -> dict[str, Any]:
    """Everything but the readers; text/plain must come before text/html."""
    off = {"enable": False}
    shape: dict[str, Any] = {
        "from": _box(email.sender),
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": off,
            "subscription_tracking": off,
            "ganalytics": off,
        },
        "mail_settings": {"footer": off},
    }
    if email.reply_to:
        shape["reply_to"] = _box(email.reply_to)
    if tag:
        shape["categories"] = [tag[:255]]
    return shape


def _envelope(headers: Mapping[str, Pieces], domain: str) -> dict[str, Any]:
    """One reader alone: the address, the headers, our key."""
    return {
        "to": [{"email": (ADDRESS,)}],
        "headers": {**headers, "Message-ID": ("<", KEY, f"@{domain}>")},
        "custom_args": {_KEY: (KEY,)},
    }


def _box(box: Mailbox) -> dict[str, str]:
    name = header_value(box.name)
    return {"email": mime.own_address(box), **({"name": name} if name else {})}


def _json(shape: Any) -> bytes:
    return json_template(shape).of(_NOBODY)


_NOBODY = Recipient("", "", {})

# --- what an answer means --------------------------------------------------------------------------


def _errors(answer: Answer) -> list[tuple[str, str]]:
    """The errors of a refusal: message and field."""
    told = answer.json()
    errors = told.get("errors") if isinstance(told, dict) else None
    return [
        (str(error.get("message") or ""), str(error.get("field") or "").removeprefix("null"))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ]


def _named(answer: Answer, count: int) -> set[int]:
    """The places of the readers a refusal names; empty when it means anything else as well."""
    found = [_PLACE.match(field) for _, field in _errors(answer)]
    places = {int(one[1]) for one in found if one}
    return places if found and all(found) and max(places) < count else set()


_PLACE = re.compile(r"personalizations\.(\d{1,4})(?:\.|$)")


def _with_pause(answer: Answer, now: float) -> Answer:
    """X-RateLimit-Reset, a moment in Unix time, as the seconds until it; by the answer's own clock."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    if not reset.isdigit() or "retry-after" in answer.headers:
        return answer
    with suppress(KeyError, ValueError, TypeError):
        now = parsedate_to_datetime(answer.headers["date"]).timestamp()
    return replace(answer, headers={**answer.headers, "retry-after": str(max(1.0, float(reset) - now))})


def _credit(answer: Answer, need: int) -> list[Finding]:
    told = answer.json()
    left = told.get("remain") if answer.ok and isinstance(told, dict) else None
    if isinstance(left, int) and left < need and not told.get("overage"):
        what = f"It lets us send {left:,} more messages; {need:,} are needed."
        return [Finding("error", "quota", what, "Wait for the next period, or take a larger plan.")]
    return []


# --- webhooks --------------------------------------------------------------------------------------


class Webhooks:
    """Reads what SendGrid reports. In: the public key of its Event Webhook. Raises: ProviderError when it is none."""

    def __init__(self, public_key: str) -> None:
        self._public_key = _public_key(public_key)

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
        """ECDSA on P-256 with SHA-256 over timestamp and raw body.

        Raises: BadSignature; StaleWebhook when it was signed more than seven days ago.
        """
        signature = headers.get("x-twilio-email-event-webhook-signature", "")
        signed_at = headers.get("x-twilio-email-event-webhook-timestamp", "")
        _verify(self._public_key, signature, signed_at.encode() + body)
        try:
            age = now - float(signed_at)
        except ValueError:
            raise BadSignature("A webhook request has no time.") from None
        if not age <= _STALE:
            raise StaleWebhook("A webhook request was signed more than seven days ago.")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event | ParseError]:  # noqa: ARG002
        """The events of an array, each by its `sg_event_id`."""
        return webhook.events(body, _event)


# --- events ----------------------------------------------------------------------------------------


def _public_key(text: str) -> EllipticCurvePublicKey:
    """The key as its settings page shows it: base64 of a DER SubjectPublicKeyInfo, with or without PEM lines."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    bare = "".join(line for line in text.split() if line and "-" not in line and line not in {"PUBLIC", "BEGIN", "END"})
    try:
        key = load_der_public_key(base64.b64decode(bare, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ProviderError(
            "The public key of SendGrid's webhooks is not one.",
            "Copy the verification key of its Event Webhook into NEWSLETTER_SENDGRID__WEBHOOK_PUBLIC_KEY.",
        )
    return key


def _verify(key: EllipticCurvePublicKey, signature: str, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    if not signature:
        raise BadSignature("A webhook request is not signed.")
    try:
        key.verify(base64.b64decode(signature, validate=True), signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise BadSignature("A webhook request is not the provider's own.") from None


def _event(told: Mapping[str, Any]) -> Event:
    kind = str(told["event"])
    read = _KINDS.get(kind, _ignored)
    type_, permanent, reason = read(told)
    email = webhook.word(told.get("email"))
    if email is None and type_ is not EventType.IGNORED:
        raise KeyError("email")
    at = datetime.fromtimestamp(float(told["timestamp"]), UTC)
    message_id = webhook.word(told.get("smtp-id"))
    return Event(
        type=type_,
        event_id=webhook.word(told.get("sg_event_id")) or webhook.event_id(kind, email, message_id, at),
        at=at,
        email=email,
        permanent=permanent,
        reason=reason,
        message_id=message_id,
        key=webhook.word(told.get(_KEY)),
        url=webhook.word(told.get("url")) if type_ is EventType.CLICKED else None,
        machine=bool(told["sg_machine_open"]) if "sg_machine_open" in told else None,
        raw=told,
    )


Judgement = tuple[EventType, bool | None, Reason]


def _always(type_: EventType, reason: Reason = "") -> Callable[[Mapping[str, Any]], Judgement]:
    return lambda _: (type_, None, reason)


def _ignored(_: Mapping[str, Any]) -> Judgement:
    return EventType.IGNORED, None, ""


def _bounced(told: Mapping[str, Any]) -> Judgement:
    """`type` says whether the address or the message was refused; without it, the status does."""
    words = f"{told.get('reason') or ''} {told.get('status') or ''}"
    type_ = told.get("type") or ("bounce" if str(told.get("status") or "").startswith("5") else "")
    permanent, reason = _TYPES.get(type_, (False, ""))
    return EventType.BOUNCED, *webhook.judged(words, permanent, reason)


_TYPES: dict[object, tuple[bool, Reason]] = {"bounce": (True, "bounce"), "blocked": (False, "block")}


def _dropped(told: Mapping[str, Any]) -> Judgement:
    """Not sent, because of its own lists, or of our message."""
    why = str(told.get("reason") or "").strip().lower()
    for start, reason in _DROPS.items():
        if why.startswith(start) and why not in _NOT_THE_ADDRESS:
            return EventType.REJECTED, True, reason
    return EventType.FAILED, None, ""


_DROPS: dict[str, Reason] = {
    "bounced": "bounce",
    "invalid": "invalid",
    "spam reporting": "complaint",
    "unsubscribed": "unsubscribe",
    "group unsubscribe": "unsubscribe",
}
_NOT_THE_ADDRESS = {"invalid smtpapi header"}

_KINDS: dict[str, Callable[[Mapping[str, Any]], Judgement]] = {
    "processed": _always(EventType.ACCEPTED),
    "delivered": _always(EventType.DELIVERED),
    "deferred": _always(EventType.DEFERRED),
    "bounce": _bounced,
    "dropped": _dropped,
    "spamreport": _always(EventType.COMPLAINED, "complaint"),
    "unsubscribe": _always(EventType.UNSUBSCRIBED, "unsubscribe"),
    "group_unsubscribe": _always(EventType.UNSUBSCRIBED, "unsubscribe"),
    "group_resubscribe": _always(EventType.RESUBSCRIBED),
    "open": _always(EventType.OPENED),
    "click": _always(EventType.CLICKED),
}


def _moment(created: Any) -> datetime | None:
    return datetime.fromtimestamp(created, UTC) if isinstance(created, int) else None
