"""Resend: up to 100 whole messages a call, under a key that it remembers for 24 hours.

A call whose answer was lost is made once more at once, with the same key and the same bytes: it is answered as the
first one was, and nothing is sent twice. Beyond that nothing can be asked: it has no search by anything of ours.

Documented at resend.com/docs: send batch emails, batch validation modes, idempotency keys, errors, usage limits,
domains, suppressions, webhooks (signed by Svix). It keeps no Message-ID of ours, and tracking is a domain's setting.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

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
from newsletter.core.spelling import ADDRESS, KEY, JsonTemplate, header_pieces, json_template, mailbox, one_line
from newsletter.errors import BadSignature, ProviderError
from newsletter.providers import webhook
from newsletter.providers.transport import (
    PAUSE,
    Answer,
    Part,
    Transport,
    Verdict,
    answered,
    array,
    hand_over,
    needed,
    parts,
    unanswered,
    unsent,
    verdict,
    wait_of,
)

_NONE = SecretStr("")
_KEY = "NEWSLETTER_RESEND__API_KEY"
_SECRET = "NEWSLETTER_RESEND__WEBHOOK_SECRET"  # noqa: S105 - its name
_BASE_URL = "https://api.resend.com"


@dataclass(frozen=True)
class Section:
    """Its settings."""

    api_key: SecretStr = _NONE
    webhook_secret: SecretStr = _NONE
    base_url: str = _BASE_URL


def build(section: Section, root: Path) -> Resend:  # noqa: ARG001
    """The provider as set up."""
    return Resend(api_key=section.api_key.get_secret_value(), base_url=section.base_url)


def reports(section: Section, _root: Path) -> Webhooks | None:
    """Its reader of webhooks; None while no secret is set."""
    secret = section.webhook_secret.get_secret_value()
    return Webhooks(secret) if secret else None


class Webhooks:
    """Reads what Resend reports. In: the signing secret, `whsec_...`. Raises: ProviderError when it is none."""

    def __init__(self, secret: str) -> None:
        try:
            self._secret = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
        except ValueError:
            self._secret = b""
        if secret and not self._secret:  # with an empty one anybody could sign
            raise ProviderError(
                "The webhook secret is not one of Resend's (whsec_...).", f"Correct {_SECRET}."
            ) from None

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
        """Svix's signature (docs.svix.com, verifying manually); each attempt is signed anew, so five minutes hold.

        Raises: BadSignature.
        """
        id_, sent = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
        if not self._secret or not sent.isascii() or not sent.isdigit() or abs(now - int(sent)) > _FRESH:
            raise BadSignature("A webhook request is unsigned, or was signed at another time.")
        signed = f"{id_}.{sent}.".encode("utf-8", "replace") + body
        wanted = base64.b64encode(hmac.digest(self._secret, signed, "sha256"))
        given = [
            one.removeprefix("v1,").encode() for one in headers.get("svix-signature", "").split(" ") if one[:3] == "v1,"
        ]
        if not any([hmac.compare_digest(one, wanted) for one in given]):  # noqa: C419 - each is compared
            raise BadSignature("A webhook request is not the provider's own.")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event | ParseError]:
        """The event of a request (one each), under the id of its header."""
        return webhook.events(body, lambda entry: _event(entry, headers.get("svix-id", "")))


class Resend:
    """Submits with one key. Raises: ProviderError for settings that cannot work."""

    name = "resend"
    capabilities = Capabilities(
        signing=Signing(selectors=("resend",), spf="amazonses.com", return_path="send.{domain}"),
        max_batch=100,
        max_call_bytes=40_000_000,
        mode="batch",
        idempotency_ttl=24 * 3600.0,
        rate=500.0,  # 5 calls a second
        suppressions=frozenset({"read", "add", "remove"}),
        holds=frozenset({"bounce", "complaint", "unsubscribe"}),
        webhook_auth="svix",
        event_ids=True,
        test_addresses={
            "delivered": "delivered@resend.dev",
            "bounced": "bounced@resend.dev",
            "complained": "complained@resend.dev",
            "suppressed": "suppressed@resend.dev",
        },
    )

    def __init__(self, *, api_key: str, base_url: str = _BASE_URL) -> None:
        self._transport = Transport(base_url, headers={"Authorization": f"Bearer {needed(api_key, _KEY)}"})
        self.capabilities = replace(Resend.capabilities, network=self._transport.network)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()

    # --- sending -------------------------------------------------------------------------------

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over the batch, in permissive mode: one message that is refused leaves the others alone.

        In: `key`, the Idempotency-Key; what is left of a batch that was refused as a whole goes under keys made of it.
        Out: SUBMITTED with Resend's id, REJECTED (this message is refused), RETRY with a wait or a halt, UNKNOWN (no
        answer after two attempts, or the key was used for other readers before).
        """
        try:
            template = _template(email, batch.tag)
        except ProviderError as problem:
            return unsent(batch, problem)

        fit = sum(mime.is_plain(one.address) for one in batch.recipients)

        def split(readers: Part) -> list[Part]:
            can = self.capabilities
            size = lambda one: template.size(_tagged(one)) + 1  # noqa: E731
            return parts(readers, count=can.max_batch, size=size, room=(can.max_call_bytes or 0) - 1)

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict:
            return self._hand(template, part, key if len(part) == fit else _key_of(key, part), left)

        return hand_over(batch, split, hand, timeout=timeout)

    def _hand(self, template: JsonTemplate, part: Part, key: str, left: float) -> tuple[Outcome, ...] | Verdict:
        first = self._post(template, part, key, left * _FIRST)
        told = _read(part, first)
        if not isinstance(told, Verdict) or told.status is not Status.UNKNOWN or 0 < first.status < _FAULTS:
            return told
        again = _read(part, self._post(template, part, key, left * (1 - _FIRST)))
        return told if isinstance(again, Verdict) else again  # what is refused now may have been taken before

    def _post(self, template: JsonTemplate, part: Part, key: str, timeout: float) -> Answer:
        tagged = tuple(_tagged(one) for one in part)
        headers = {"Idempotency-Key": key, "x-batch-validation": "permissive"}
        body = array(tagged, of=template.of, size=template.size)
        return self._transport.post("/emails/batch", body, timeout=timeout, headers=headers)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """None for every row: it can be asked by ids of its own only, and those were in the answer that was lost."""
        return {recipient.key: None for recipient in batch.recipients}

    # --- the account ---------------------------------------------------------------------------

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002 - it tells what was used, not what is left
        """Whether the key is right, and a domain is verified and does not track."""
        answer = self._transport.get("/domains")
        told = answer.json() if answer.ok else None
        if isinstance(told, dict) and isinstance(told.get("data"), list):
            return list(
                _domains([one for one in told["data"] if isinstance(one, dict)], whole=not told.get("has_more"))
            )
        if _said(answer)[0] == "restricted_api_key":
            return [Finding("warning", "account", "Its key may only send, so the domains could not be looked at.")]
        return [unanswered(replace(answer, status=401) if _is_wrong_key(answer) else answer, _KEY)]

    # --- its list ------------------------------------------------------------------------------

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        """What stands on the account's list, a page at a time. Raises: ProviderError when it is not told."""
        after: dict[str, str] = {}
        while True:
            told = answered(self._transport.get("/suppressions", params={"limit": "100", **after}), "Resend") or {}
            page = told.get("data") or []
            for entry in page:
                at = webhook.moment(entry["created_at"]) if entry.get("created_at") else None
                if since is None or at is None or at >= since:
                    yield Suppression(entry["email"], _ORIGINS.get(entry.get("origin"), "other"), at)
            if not told.get("has_more") or not page:
                return
            after = {"after": str(page[-1]["id"])}

    def suppress(self, entries: Sequence[Suppression]) -> None:
        """Put addresses on it. Raises: ProviderError when it does not take them."""
        self._change("/suppressions/batch/add", [one.address for one in entries])

    def unsuppress(self, addresses: Sequence[str]) -> None:
        """Take addresses off it. Raises: ProviderError when it does not."""
        self._change("/suppressions/batch/remove", addresses)

    def _change(self, path: str, addresses: Sequence[str]) -> None:
        for first in range(0, len(addresses), _CHANGES):
            body = json.dumps({"emails": list(addresses[first : first + _CHANGES])}).encode()
            answered(self._transport.post(path, body, timeout=PAUSE), "Resend")


_FIRST = 0.6  # of the time, for the first attempt
_FAULTS = 500
_CHANGES = 100  # addresses in one call
_FRESH = 300  # seconds
_ORIGINS: dict[Any, Literal["bounce", "complaint", "other"]] = {"bounce": "bounce", "complaint": "complaint"}


@lru_cache(maxsize=16)
def _template(email: Email, tag: str) -> JsonTemplate:
    """One message. Raises: ProviderError when a mailbox of ours is not valid."""
    tags: list[dict[str, Any]] = [{"name": "delivery", "value": (KEY,)}]
    if campaign := _NOT_IN_TAGS.sub("-", tag)[:_LONGEST_TAG]:
        tags.append({"name": "campaign", "value": campaign})
    shape: dict[str, Any] = {
        "from": mailbox(email.sender),
        "to": [(ADDRESS,)],
        "subject": one_line(email.subject),
        "html": email.html,
        "text": email.text,
        "headers": dict(header_pieces(email)),
        "tags": tags,
    }
    if email.reply_to:
        shape["reply_to"] = mailbox(email.reply_to)
    return json_template(shape)


_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_TAG = 256


def _tagged(one: Recipient) -> Recipient:
    """A reader whose key can stand in a tag, which holds letters, digits, _ and - only; `_untagged` is the way back."""
    if _AS_IT_IS.fullmatch(one.key):
        return one
    return one._replace(key=one.key.replace("_", "__").replace(".", "_-"))


def _untagged(value: Any) -> str | None:
    return re.sub(r"_(.)", lambda found: {"-": "."}.get(found[1], found[1]), value) if webhook.word(value) else None


_AS_IT_IS = re.compile(r"[A-Za-z0-9-]+")


def _key_of(key: str, part: Part) -> str:
    """The key of a call with a part of a batch. The whole goes under the batch's own: with others it is refused."""
    return f"{key}/{sha256(' '.join(one.key for one in part).encode()).hexdigest()[:16]}"


# --- answers -----------------------------------------------------------------------------------


def _read(part: Part, answer: Answer) -> tuple[Outcome, ...] | Verdict:
    refused = _refusal(answer)
    return refused if refused is not None else _outcomes(part, answer.json())


def _outcomes(part: Part, told: Any) -> tuple[Outcome, ...] | Verdict:
    """`errors` names by index what was refused; `data` holds an id for each of the others, in order."""
    unclear = Verdict(Status.UNKNOWN, "answer", "It did not answer for each message.")
    data, errors = (told.get("data"), told.get("errors") or []) if isinstance(told, dict) else (None, [])
    if not isinstance(data, list) or not isinstance(errors, list):
        return unclear
    refused = {one.get("index"): str(one.get("message") or "") for one in errors if isinstance(one, dict)}
    ids = [webhook.word(one.get("id")) if isinstance(one, dict) else None for one in data]
    if not set(refused) <= set(range(len(part))) or len(refused) != len(errors) or len(ids) + len(refused) != len(part):
        return unclear
    if None in ids:
        return unclear
    waiting = iter(ids)
    return tuple(
        Verdict(Status.REJECTED, "validation_error", refused[place]).outcomes([one])[0]
        if place in refused
        else Outcome(one.key, Status.SUBMITTED, message_id=next(waiting))
        for place, one in enumerate(part)
    )


def _said(answer: Answer) -> tuple[str, str]:
    """The name and the message of an error."""
    told = answer.json()
    return (str(told.get("name") or ""), str(told.get("message") or "")) if isinstance(told, dict) else ("", "")


def _is_wrong_key(answer: Answer) -> bool:
    name, said = _said(answer)
    return name in _WRONG_KEY or "api key is invalid" in said.lower()


def _refusal(answer: Answer) -> Verdict | None:
    """What an answer means that is not the list of results; None when it is one."""
    name, said = _said(answer)
    meant = verdict(answer, said, retry_after=_WAITS)
    if meant is None or not answer.status:
        return meant
    if _is_wrong_key(answer):
        return Verdict(Status.RETRY, name, said, halt="auth")
    if name in _HALTS or (answer.status == _FORBIDDEN and name) or answer.status in _NOT_THE_API:
        meant = replace(meant, status=Status.RETRY, halt=_HALTS.get(name, "account"), retry_after=None)
    elif name == "concurrent_idempotent_requests":  # the same key is being worked on: it is asked for again
        meant = replace(meant, status=Status.RETRY, retry_after=wait_of(answer, _WAITS) or _MOMENT)
    elif name == "invalid_idempotent_request":  # the key was used for others: some of these may have been among them
        meant = replace(meant, status=Status.UNKNOWN)
    return replace(meant, code=name or meant.code)


_WAITS = ("retry-after", "ratelimit-reset")
_MOMENT = 5.0  # seconds
_FORBIDDEN = 403
_NOT_THE_API = {404, 405}
_WRONG_KEY = {"missing_api_key", "restricted_api_key", "invalid_api_key"}
_HALTS: dict[str, Literal["quota", "account", "bug"]] = {
    "daily_quota_exceeded": "quota",
    "monthly_quota_exceeded": "quota",
    "invalid_from_address": "account",
    "invalid_access": "account",
    "security_error": "account",
    "invalid_idempotency_key": "bug",
}


# --- its domains and its events ----------------------------------------------------------------


def _domains(domains: Sequence[Mapping[str, Any]], *, whole: bool) -> Iterator[Finding]:
    """Which domain a letter comes from is not known here, so one of several that tracks is a warning."""
    usable = [one for one in domains if one.get("status") in {"verified", "partially_verified"}]
    tracking = [str(one.get("name")) for one in usable if one.get("open_tracking") or one.get("click_tracking")]
    fix = "Switch open and click tracking off in the domain's settings."
    if not usable and whole:
        yield Finding("error", "domain", "No domain of the account is verified.", "Verify the sender's domain there.")
    if tracking and whole and len(tracking) == len(usable):
        yield Finding("error", "tracking", f"It tracks opens or clicks of {', '.join(tracking)}.", fix)
    elif tracking:
        yield Finding("warning", "tracking", f"It tracks opens or clicks of {', '.join(tracking)}.", fix)


def _event(entry: Mapping[str, Any], id_: str) -> Event:
    kind, at = str(entry["type"]), str(entry["created_at"])
    type_, permanent, reason = _meant(kind, entry["data"])
    known = entry["data"] if kind in _KINDS else {}
    message = webhook.word(known.get("email_id"))
    tags = known.get("tags")
    to = known.get("to") or []
    click = known.get("click")
    return Event(
        type_,
        event_id=id_ or webhook.event_id(kind, message, at, *to),
        at=webhook.moment(at),
        email=_bare(to[0]) if len(to) == 1 else None,
        permanent=permanent,
        reason=reason,
        message_id=message,
        key=_untagged(tags.get("delivery")) if isinstance(tags, dict) else None,
        url=webhook.word(click.get("link")) if isinstance(click, dict) else None,
        raw=entry,
    )


def _bare(text: str) -> str | None:
    """The address of `Name <address>`, or of an address alone."""
    return webhook.word(text.rpartition("<")[2].rstrip("> "))


_Meaning = tuple[EventType, bool | None, Reason]
_KINDS: dict[str, _Meaning] = {
    "email.sent": (EventType.ACCEPTED, None, ""),
    "email.delivered": (EventType.DELIVERED, None, ""),
    "email.delivery_delayed": (EventType.DEFERRED, None, ""),
    "email.bounced": (EventType.BOUNCED, False, "bounce"),
    "email.suppressed": (EventType.REJECTED, True, "bounce"),
    "email.complained": (EventType.COMPLAINED, None, "complaint"),
    "email.failed": (EventType.FAILED, None, ""),
    "email.opened": (EventType.OPENED, None, ""),
    "email.clicked": (EventType.CLICKED, None, ""),
}


def _meant(kind: str, data: Mapping[str, Any]) -> _Meaning:
    if kind == "email.bounced":
        return _bounce(data["bounce"])
    if kind == "email.suppressed" and (data.get("suppressed") or {}).get("reason") == "previous_complaint":
        return EventType.REJECTED, True, "complaint"
    return _KINDS.get(kind, (EventType.IGNORED, None, ""))


def _bounce(bounce: Mapping[str, Any]) -> _Meaning:
    """Its types are those of SES: only Permanent is hard."""
    words = " ".join([str(bounce.get("message") or ""), *map(str, bounce.get("diagnosticCode") or ())])
    if bounce.get("type") == "Permanent":
        return EventType.BOUNCED, *webhook.judged(words, True, "bounce")
    blocked = bounce.get("subType") in {"ContentRejected", "AttachmentRejected", "MessageTooLarge"}
    return EventType.BOUNCED, *webhook.judged(words, False, "block" if blocked else "bounce")
