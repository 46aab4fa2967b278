"""Brevo: one call for each reader, or (`merge`) a thousand readers a call in its own merge syntax.

Three things to know. It puts its own List-Unsubscribe into every mail, and a click there blocks the address for all
mail of the account: letters are refused until the owner has accepted that by name. Headers of each version in one call
are not documented (django-anymail uses them), so merging is off. And bodies are templates: what looks like its syntax
travels as a value.

Documented at developers.brevo.com: send a transactional email, batch sending, idempotency (30 minutes), rate limit
headers, transactional webhooks, email event reports, blocked contacts, account.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.header import Header
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

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
from newsletter.core.email import Email, Escape, Mailbox, Pieces, Site, fill, header_value
from newsletter.core.event import Event, EventType, ParseError, Reason
from newsletter.core.spelling import (
    ADDRESS,
    KEY,
    JsonTemplate,
    Merged,
    campaign_of,
    joined,
    json_template,
    merged,
    one_line,
    values,
)
from newsletter.errors import ProviderError
from newsletter.providers import webhook
from newsletter.providers.transport import (
    PAUSE,
    Answer,
    Part,
    Transport,
    Verdict,
    answered,
    hand_over,
    needed,
    parts,
    unanswered,
    unsent,
    verdict,
)

_NONE = SecretStr("")
_KEY = "NEWSLETTER_BREVO__API_KEY"
_BASE_URL = "https://api.brevo.com/v3"


@dataclass(frozen=True)
class Section:
    """Its settings."""

    api_key: SecretStr = _NONE
    accept_own_unsubscribe: bool = False
    merge: bool = False
    webhook_secret: SecretStr = _NONE
    base_url: str = _BASE_URL


def build(section: Section, root: Path) -> Brevo:  # noqa: ARG001
    """The provider as set up."""
    return Brevo(
        api_key=section.api_key.get_secret_value(),
        merge=section.merge,
        accept_own_unsubscribe=section.accept_own_unsubscribe,
        base_url=section.base_url,
    )


def reports(section: Section, _root: Path) -> Webhooks | None:
    """Its reader of webhooks; None while no secret is set."""
    secret = section.webhook_secret.get_secret_value()
    return Webhooks(secret) if secret else None


class Webhooks:
    """Reads what Brevo reports. In: the token that the webhook was made with."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:  # noqa: ARG002
        """A bearer token is all there is. Raises: BadSignature."""
        webhook.bearer(headers, self._secret)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event | ParseError]:  # noqa: ARG002
        """The events of a request: one, or an array of them."""
        return webhook.events(body, _event)


class Brevo:
    """Submits with one key. Raises: ProviderError for settings that cannot work."""

    name = "brevo"
    capabilities = Capabilities(
        signing=Signing(selectors=("brevo1", "brevo2", "mail")),
        max_batch=1,
        mode="single",
        per_recipient_headers="managed",
        idempotency_ttl=30 * 60.0,
        reconcile="search",
        settle_seconds=300.0,
        rate=1000.0,
        suppressions=frozenset({"read", "remove"}),
        webhook_auth="shared_secret",
        unsubscribe_events=True,
    )
    """As it comes; merging carries a thousand readers, who are taken or refused together."""

    def __init__(
        self,
        *,
        api_key: str,
        merge: bool = False,
        accept_own_unsubscribe: bool = False,
        base_url: str = _BASE_URL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._transport = Transport(base_url, headers={"api-key": needed(api_key, _KEY)})
        self._merge, self._accepted, self._now = merge, accept_own_unsubscribe, now
        can = replace(Brevo.capabilities, network=self._transport.network)
        self.capabilities = (
            replace(can, max_batch=1000, mode="merge", result="all_or_nothing", rate=None) if merge else can
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()

    # --- sending -------------------------------------------------------------------------------

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over the batch.

        In: `key` travels as a tag, and is what `reconcile` looks for. Out: SUBMITTED with Brevo's message id, REJECTED
        (400 for this reader), RETRY with a wait or a halt, UNKNOWN (the answer was lost, has no id, or says that the
        idempotency key was used before).
        """
        try:
            bodies = _Bodies(email, batch.tag, key)
        except ProviderError as problem:
            return unsent(batch, problem)

        def split(readers: Part) -> list[Part]:
            if not self._merge:
                return [(one,) for one in readers]
            size = lambda one: len(bodies.version(one)) + 2  # noqa: E731
            return parts(readers, count=self.capabilities.max_batch, size=size, room=_PARAMS)

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict:
            body = bodies.of_all(part) if self._merge else bodies.of(part[0])
            answer = self._transport.post("/smtp/email", body, timeout=left)
            refused = _refusal(answer)
            return refused if refused is not None else _outcomes(part, answer.json())

        return hand_over(batch, split, hand, timeout=timeout)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:
        """What the event log tells of each reader since the batch was handed over.

        Out: SUBMITTED when an event carries the batch's key as a tag; RETRY when there is no event at all; None for
        all that is not clear, and for a batch older than the log can be asked for.
        """
        return {one.key: self._became(one, batch.at, key) for one in batch.recipients}

    def _became(self, reader: Recipient, at: datetime, key: str) -> Outcome | None:
        age = self._now() - at.timestamp()
        if age > _KEPT:
            return None
        days = str(max(1, int(age // 86400) + 2))
        wanted = {"email": reader.address, "days": days, "limit": str(_EVENTS), "sort": "desc"}
        answer = self._transport.get("/smtp/statistics/events", params=wanted)
        told = answer.json() if answer.ok else None
        found = told.get("events", []) if isinstance(told, dict) else None
        if not isinstance(found, list) or len(found) >= _EVENTS:
            return None
        since = [one for one in found if not isinstance(one, dict) or _is_since(one, at - _SLACK)]
        ours = next((one for one in since if isinstance(one, dict) and _is_tagged(one, key)), None)
        if ours is not None:
            return Outcome(reader.key, Status.SUBMITTED, message_id=webhook.word(ours.get("messageId")))
        return None if since else Outcome(reader.key, Status.RETRY, detail="It is not in Brevo's log.")

    # --- the account ---------------------------------------------------------------------------

    def check(self, need: int) -> Sequence[Finding]:
        """Whether the key is right, mail is enabled, there is credit for `need` more, and its unsubscribe accepted."""
        answer = self._transport.get("/account")
        told = answer.json() if answer.ok else None
        account = _account(told, need) if isinstance(told, dict) else [unanswered(answer, _KEY)]
        own = Finding(
            "error",
            "unsubscribe",
            "Brevo puts its own unsubscribe into every letter; a click there blocks the address for all mail of the "
            "account, confirmations too.",
            "Set NEWSLETTER_BREVO__ACCEPT_OWN_UNSUBSCRIBE=true to send all the same, or choose another provider.",
        )
        tracks = Finding(
            "warning",
            "tracking",
            "It does not tell whether it tracks opens and clicks.",
            "See that tracking is off in the account's transactional settings.",
        )
        return [*account, *([] if self._accepted else [own]), tracks]

    # --- its list ------------------------------------------------------------------------------

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        """Who is blocked, the newest first, a page at a time. Raises: ProviderError when it is not told."""
        offset = 0
        while True:
            params = {"limit": "100", "offset": str(offset), "sort": "desc"}
            told = answered(self._transport.get("/smtp/blockedContacts", params=params), "Brevo") or {}
            page = told.get("contacts") or []
            for entry in page:
                at = webhook.moment(entry["blockedAt"]) if entry.get("blockedAt") else None
                if since is not None and at is not None and at < since:
                    return
                code = (entry.get("reason") or {}).get("code")
                yield Suppression(entry["email"], _BLOCKED_FOR.get(code, "other"), at)
            offset += len(page)
            if not page or offset >= int(told.get("count") or 0):
                return

    def suppress(self, entries: Sequence[Suppression]) -> None:
        """There is no call for it. Raises: ProviderError when there is anybody to block."""
        if entries:
            raise ProviderError("Brevo has no call that blocks an address.", "Our own list is the one that counts.")

    def unsuppress(self, addresses: Sequence[str]) -> None:
        """Unblock addresses; one that is not blocked is fine. Raises: ProviderError when it does not answer."""
        for address in addresses:
            path = f"/smtp/blockedContacts/{quote(address, safe='')}"
            answer = self._transport.call("DELETE", path, timeout=PAUSE)
            if answer.status != _NOT_FOUND:
                answered(answer, "Brevo")


_PARAMS = 1_000_000  # bytes of all params in one call
_EVENTS = 500
_KEPT = 25 * 86400.0  # seconds; the log keeps a month or more, by plan
_SLACK = timedelta(minutes=2)  # between two clocks
_NOT_FOUND = 404
_BLOCKED_FOR: dict[Any, Literal["bounce", "complaint", "unsubscribe"]] = {
    "hardBounce": "bounce",
    "contactFlaggedAsSpam": "complaint",
    "unsubscribedViaMA": "unsubscribe",
    "unsubscribedViaEmail": "unsubscribe",
    "unsubscribedViaApi": "unsubscribe",
}


def _is_tagged(event: Mapping[str, Any], key: str) -> bool:
    """Whether an event's tags, one or several in a text, hold the key as a whole."""
    return re.search(rf"(?<![\w:.-]){re.escape(key)}(?![\w:.-])", str(event.get("tag"))) is not None


def _is_since(event: Mapping[str, Any], moment: datetime) -> bool:
    try:
        return webhook.moment(str(event["date"])) >= moment
    except (KeyError, ValueError):
        return True  # it may be


# --- what a message says -----------------------------------------------------------------------

_ONCE = Site("@once", "", Escape.PLAIN)  # the idempotency key, as a site
_BATCH = Site("@batch", "", Escape.PLAIN)  # the batch's key: with one reader in it, it differs as often
Tag = str | Pieces
_SYNTAX = re.compile(r"\{(?:[{%#]|\Z)")
_OPENERS = re.compile(r"\{[{%#]")


class _Bodies:
    """The calls of a batch. Raises: ProviderError when a mailbox of ours is not valid."""

    def __init__(self, email: Email, tag: str, key: str) -> None:
        self._email, self._key, self._seed = email, key, campaign_of(key)
        self._tags = tuple(one for one in (key, tag) if one)
        keyed: tuple[Tag, ...] = ((_BATCH,), *self._tags[1:]) if key else self._tags
        self._template = _template(email, keyed, self._seed)

    @cached_property
    def _merged(self) -> Merged:
        return merged(self._email, _param, seed=self._seed, reserved=_SYNTAX)

    @cached_property
    def _headers(self) -> list[tuple[str, Pieces]]:
        return list(_headers(self._email))

    def of(self, one: Recipient) -> bytes:
        """The call for one reader. Equal input, equal bytes."""
        known = one._replace(values={**one.values, _ONCE.field: _once(one.key), _BATCH.field: self._key})
        if not any(letter in value for value in (*one.values.values(), *_fallbacks(self._email)) for letter in "{%#"):
            return self._template.of(known)
        said, email = values(known), self._email  # a value may begin a tag, with what stands beside it
        subject, html, text = ((fill(pieces, said),) for pieces in (email.subject, email.html, email.text))
        return _guarded(replace(email, subject=subject, html=html, text=text), self._tags, self._seed).of(known)

    def of_all(self, part: Part) -> bytes:
        """The call for many, each with headers of their own."""
        once = _once(" ".join([self._key, *(one.key for one in part)]))
        said = self._merged
        spelled = replace(self._email, subject=(said.subject,), html=(said.html,), text=(said.text,), headers=())
        shape = {**_shape(spelled, self._tags), "headers": {"X-Mailin-Track": "0", "idempotencyKey": once}}
        del shape["to"]
        head = json_template(shape).of(part[0])
        return head[:-1] + b', "messageVersions": [' + b", ".join(self.version(one) for one in part) + b"]}"

    def version(self, one: Recipient) -> bytes:
        """What differs for one reader of many."""
        known = values(one)
        headers = {name: fill(pieces, known) for name, pieces in self._headers}
        shape = {
            "to": [{"email": one.address}],
            "params": self._merged.values_of(one),
            "headers": {**headers, "X-Mailin-custom": one.key},
        }
        return json.dumps(shape).encode()


def _param(name: str) -> str:
    return f"{{{{params.{name}}}}}"


def _once(text: str) -> str:
    """An idempotency key: a UUID, the same for the same readers at every attempt."""
    return str(uuid5(NAMESPACE_URL, f"newsletter:{text}"))


def _same_for_all(pieces: Pieces) -> bool:
    return all(isinstance(piece, str) for piece in pieces)


@lru_cache(maxsize=64)
def _template(email: Email, tags: tuple[Tag, ...], seed: str) -> JsonTemplate:
    return _guarded(email, tags, seed)


@lru_cache(maxsize=16)
def _fallbacks(email: Email) -> tuple[str, ...]:
    sites = (piece for pieces in (email.subject, email.html, email.text) for piece in pieces if isinstance(piece, Site))
    return tuple({site.fallback for site in sites})


def _guarded(email: Email, tags: tuple[Tag, ...], seed: str) -> JsonTemplate:
    """One message, with whatever begins a tag of theirs as a value of a name that nobody can know beforehand."""
    start = f"v{sha256(seed.encode()).hexdigest()[:10]}x"
    names = {opener: f"{start}{place}" for place, opener in enumerate(("{{", "{%", "{#"))}

    def guarded(pieces: Pieces) -> Pieces:
        put = lambda found: _param(names[found[0]])  # noqa: E731
        return tuple(piece if isinstance(piece, Site) else _OPENERS.sub(put, piece) for piece in joined(pieces))

    safe = replace(email, subject=guarded(email.subject), html=guarded(email.html), text=guarded(email.text))
    shape = _shape(safe, tags)
    if (safe.subject, safe.html, safe.text) != (email.subject, email.html, email.text):
        shape["params"] = {name: opener for opener, name in names.items()}
    return json_template(shape)


def _shape(email: Email, tags: tuple[Tag, ...]) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "sender": _person(email.sender),
        "to": [{"email": (ADDRESS,)}],
        "subject": one_line(email.subject),
        "htmlContent": email.html,
        "textContent": email.text,
        "headers": {
            **dict(_headers(email)),
            "X-Mailin-custom": (KEY,),
            "X-Mailin-Track": ("0",),
            "idempotencyKey": (_ONCE,),
        },
        "tags": list(tags),
    }
    if email.reply_to:
        shape["replyTo"] = _person(email.reply_to, encoded=False)
    return shape


def _person(box: Mailbox, *, encoded: bool = True) -> dict[str, str]:
    """A mailbox of ours. Raises: ProviderError when its address is not valid.

    A name that is not ASCII and has a special character is lost on the way, unless it is encoded (RFC 2047); in a
    Reply-To it is sent as raw bytes, so there it is left out (django-anymail's notes on Brevo).
    """
    bare, name = mime.own_address(box), header_value(box.name)
    if not name.isascii() and not encoded:
        name = ""
    if not name.isascii() and _SPECIAL.search(name):
        word = Header(name, "utf-8").encode(maxlinelen=0)
        name = word if len(word) <= _LONGEST_NAME else " ".join(_SPECIAL.sub(" ", name).split())
    return {"email": bare, **({"name": name[:_LONGEST_NAME]} if name else {})}


_SPECIAL = re.compile(r'[()<>\[\]:;@\\,."]')
_LONGEST_NAME = 70


def _headers(email: Email) -> Iterator[tuple[str, Pieces]]:
    """The email's own headers in ASCII: encoded words are decoded on the way and sent as raw bytes."""
    for name, pieces in email.headers:
        if not _same_for_all(pieces):
            yield name, one_line(pieces)
            continue
        value = header_value(fill(pieces, {}))
        if not _passes(value):
            value = (_IN_BRACKETS.search(value) or [""])[0]
        if value and _passes(value):
            yield name, (value,)


_IN_BRACKETS = re.compile(r"<[^<>]*>\Z")


def _passes(value: str) -> bool:
    return value.isascii() and "=?" not in value and "\\u" not in value


# --- answers -----------------------------------------------------------------------------------


def _outcomes(part: Part, told: Any) -> tuple[Outcome, ...] | Verdict:
    ids: Any = None
    if isinstance(told, dict):
        ids = told["messageIds"] if "messageIds" in told else [told.get("messageId")]
    if not isinstance(ids, list) or len(ids) != len(part) or not all(map(webhook.word, ids)):
        return Verdict(Status.UNKNOWN, "answer", "It did not answer with an id for each message.")
    return tuple(Outcome(one.key, Status.SUBMITTED, message_id=id_) for one, id_ in zip(part, ids, strict=True))


def _refusal(answer: Answer) -> Verdict | None:
    """What an answer means that is not the message's id; None when it is one."""
    told = answer.json()
    code, said = (str(told.get("code") or ""), str(told.get("message") or "")) if isinstance(told, dict) else ("", "")
    meant = verdict(answer, said, retry_after=("x-sib-ratelimit-reset", "retry-after"))
    if meant is None or not answer.status:
        return meant
    if code in _DUPLICATE and meant.status is Status.REJECTED:  # taken at an earlier attempt, or being taken now
        return replace(meant, status=Status.UNKNOWN, code=code)
    if code == "not_enough_credits" or answer.status == _NO_CREDIT:
        return replace(meant, status=Status.RETRY, code=code or meant.code, halt="quota")
    ours = code in _ACCOUNT or answer.status in _NOT_OURS or (answer.status == _BAD and _SENDER.search(said))
    if ours:
        return replace(meant, status=Status.RETRY, code=code or meant.code, halt="account")
    return replace(meant, code=code or meant.code)


_DUPLICATE = {"duplicate_parameter", "duplicate_request"}  # the guide says the first, the API's list has both
_BAD, _NO_CREDIT = 400, 402
_NOT_OURS = {403, 404, 405, 406}
_ACCOUNT = {"account_under_validation", "permission_denied", "reseller_permission_denied", "method_not_allowed"}
_SENDER = re.compile(r"\bsender\b", re.IGNORECASE)


def _account(told: Mapping[str, Any], need: int) -> list[Finding]:
    found = []
    if (told.get("relay") or {}).get("enabled") is False:
        fix = "Ask Brevo's support to activate it."
        found.append(Finding("error", "account", "Transactional mail is not enabled in the account.", fix))
    plans = [one for one in told.get("plan") or () if isinstance(one, dict) and one.get("creditsType") == "sendLimit"]
    left = [one["credits"] for one in plans if one.get("type") != "sms" and isinstance(one.get("credits"), int | float)]
    if left and sum(left) < need:
        what = f"There is credit for {int(sum(left))} more mails, and {need} are needed."
        found.append(Finding("error", "quota", what, "Buy more, or wait for the plan's next day or month."))
    return found


# --- events ------------------------------------------------------------------------------------


def _event(entry: Mapping[str, Any]) -> Event:
    """One event. It has no id: message, kind, moment, reader and link tell two apart."""
    kind = str(entry["event"])
    name = kind.lower().replace("_", "")
    type_, permanent, reason = _MEANINGS.get(name, (EventType.IGNORED, None, ""))
    at = _moment(entry) if name in _MEANINGS else webhook.UNTOLD
    if type_ is EventType.BOUNCED:
        permanent, reason = webhook.judged(str(entry.get("reason") or ""), permanent is True, reason)
    email, message = webhook.word(entry.get("email")), webhook.word(entry.get("message-id"))
    link = webhook.word(entry.get("link"))
    told_apart = (message, email, at.isoformat(), link) if name in _MEANINGS else (json.dumps(entry, sort_keys=True),)
    return Event(
        type_,
        event_id=webhook.event_id(kind, *told_apart),
        at=at,
        email=email,
        permanent=permanent,
        reason=reason,
        message_id=message,
        key=webhook.word(entry.get("X-Mailin-custom")),
        url=link,
        machine=True if "proxy" in name else None,
        raw=entry,
    )


def _moment(entry: Mapping[str, Any]) -> datetime:
    """`ts_epoch`, in milliseconds, is UTC; the others, in seconds, are said to be in the account's zone."""
    epoch = entry.get("ts_epoch")
    seconds = float(entry.get("ts_event") or entry["ts"]) if epoch is None else float(epoch) / 1000
    return datetime.fromtimestamp(seconds, UTC)


_Meaning = tuple[EventType, bool | None, Reason]
_OPENED: _Meaning = (EventType.OPENED, None, "")
_COMPLAINED: _Meaning = (EventType.COMPLAINED, None, "complaint")
_LEFT: _Meaning = (EventType.UNSUBSCRIBED, None, "unsubscribe")
_INVALID: _Meaning = (EventType.BOUNCED, True, "invalid")
_MEANINGS: dict[str, _Meaning] = {
    "request": (EventType.ACCEPTED, None, ""),
    "delivered": (EventType.DELIVERED, None, ""),
    "deferred": (EventType.DEFERRED, None, ""),
    "hardbounce": (EventType.BOUNCED, True, "bounce"),
    "invalidemail": _INVALID,
    "invalid": _INVALID,
    "softbounce": (EventType.BOUNCED, False, "bounce"),
    "blocked": (EventType.REJECTED, False, "block"),  # on its own list, for a reason it does not tell
    "error": (EventType.FAILED, None, ""),
    "spam": _COMPLAINED,
    "complaint": _COMPLAINED,
    "unsubscribed": _LEFT,
    "unsubscribe": _LEFT,
    "opened": _OPENED,
    "uniqueopened": _OPENED,
    "proxyopen": _OPENED,
    "uniqueproxyopen": _OPENED,
    "click": (EventType.CLICKED, None, ""),
}
