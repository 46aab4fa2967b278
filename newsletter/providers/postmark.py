"""Postmark: up to 500 whole messages a call, an answer for each.

Letters go through a Broadcast stream, as its terms ask; confirmations and workbooks through a transactional one
(`build_transactional`). On a Broadcast stream Postmark writes the unsubscribe headers and a footer itself, unless its
support has set the stream to "Custom": then `unsubscribe` is "own", and the headers are ours. Whoever leaves by its own
link is told of by SubscriptionChange events.

Documented at postmarkapp.com/developer: Email API (batch), Messages API (search), Message Streams, Suppressions and
Server APIs, webhooks, and the API error codes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import SecretStr

from newsletter.core import mime
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Recipient, Status, Suppression
from newsletter.core.email import Email
from newsletter.core.event import Event, EventType, ParseError, Reason
from newsletter.core.spelling import ADDRESS, KEY, JsonTemplate, header_pieces, json_template, mailbox, one_line
from newsletter.errors import ProviderError
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
)

_NONE = SecretStr("")
_TOKEN = "NEWSLETTER_POSTMARK__TOKEN"  # noqa: S105 - its name
_BASE_URL = "https://api.postmarkapp.com"


@dataclass(frozen=True)
class Section:
    """Its settings."""

    token: SecretStr = _NONE
    stream: str = "broadcast"
    transactional_stream: str = "outbound"
    unsubscribe: Literal["own", "provider"] = "provider"
    webhook_user: str = ""
    webhook_password: SecretStr = _NONE
    base_url: str = _BASE_URL


def build(section: Section, root: Path) -> Postmark:  # noqa: ARG001
    """The provider for letters."""
    return _built(section, section.stream, transactional=False)


def build_transactional(section: Section, root: Path) -> Postmark:  # noqa: ARG001
    """The provider for the front door's mail: another stream, where nobody can unsubscribe by Postmark."""
    return _built(section, section.transactional_stream, transactional=True)


def _built(section: Section, stream: str, *, transactional: bool) -> Postmark:
    return Postmark(
        token=section.token.get_secret_value(),
        stream=stream,
        transactional=transactional,
        own_unsubscribe=section.unsubscribe == "own",
        base_url=section.base_url,
    )


def reports(section: Section, _root: Path) -> Webhooks | None:
    """Its reader of webhooks; None while no password is set."""
    password = section.webhook_password.get_secret_value()
    return Webhooks(section.webhook_user, password) if password else None


class Webhooks:
    """Reads what Postmark reports. In: the user and password that stand in the webhook's URL."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:  # noqa: ARG002
        """HTTP basic authentication is all there is. Raises: BadSignature."""
        webhook.basic(headers, self._user, self._password)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event | ParseError]:  # noqa: ARG002
        """The event of a request (one each)."""
        return webhook.events(body, _event)


class Postmark:
    """Submits to one message stream of one server. Raises: ProviderError for settings that cannot work."""

    name = "postmark"
    capabilities = Capabilities(
        max_batch=500,
        max_call_bytes=50_000_000,
        mode="batch",
        per_recipient_headers="managed",
        reconcile="search",
        settle_seconds=120.0,
        suppressions=frozenset({"read", "add", "remove"}),
        holds=frozenset({"unsubscribe"}),
        webhook_auth="shared_secret",
        unsubscribe_events=True,
        test_addresses={
            "delivered": "test@blackhole.postmarkapp.com",
            "bounced": "hardbounce@bounce-testing.postmarkapp.com",
            "soft_bounced": "softbounce@bounce-testing.postmarkapp.com",
        },
    )
    """As it comes; with its own unsubscribe off, and on a transactional stream, headers are the reader's."""

    def __init__(
        self,
        *,
        token: str,
        stream: str = "broadcast",
        transactional: bool = False,
        own_unsubscribe: bool = False,
        base_url: str = _BASE_URL,
        now: Callable[[], float] = time.time,
    ) -> None:
        headers = {"X-Postmark-Server-Token": needed(token, _TOKEN)}
        self._transport = Transport(base_url, headers=headers)
        self._stream, self._transactional, self._own = stream, transactional, own_unsubscribe
        self._now = now
        self.capabilities = replace(
            Postmark.capabilities,
            network=self._transport.network,
            per_recipient_headers="yes" if own_unsubscribe or transactional else "managed",
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._transport.close()

    # --- sending -------------------------------------------------------------------------------

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over the batch, in as many calls as its bytes need.

        In: `key` travels with each message as metadata, and is what `reconcile` searches for. Out: SUBMITTED with
        Postmark's MessageID, SUPPRESSED (406, on its list), REJECTED (this message is refused), RETRY with a wait or a
        halt, UNKNOWN (the answer was lost, or is not an answer for each).
        """
        try:
            template = _template(email, self._stream, batch.tag, key, managed=self._managed)
        except ProviderError as problem:
            return unsent(batch, problem)

        def split(readers: Part) -> list[Part]:
            can = self.capabilities
            return parts(
                readers,
                count=can.max_batch,
                size=lambda one: template.size(one) + 1,
                room=(can.max_call_bytes or 0) - 1,
            )

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict | BatchResult:
            body = array(part, of=template.of, size=template.size)
            answer = self._transport.post("/email/batch", body, timeout=left)
            return _refusal(answer, alone=len(part) == 1) or _outcomes(part, answer.json())

        return hand_over(batch, split, hand, timeout=timeout)

    @property
    def _managed(self) -> bool:
        return self.capabilities.per_recipient_headers == "managed"

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:
        """What a search for the batch's key in the activity of the stream finds.

        Out: SUBMITTED for what is there; RETRY for what is not, when the search was read whole and the batch is younger
        than the shortest time activity is kept (7 days); None for all that is not clear.
        """
        nothing: dict[str, Outcome | None] = {one.key: None for one in batch.recipients}
        found = self._found(key)
        if found is None:
            return nothing
        there = {
            each: Outcome(each, Status.SUBMITTED, message_id=id_) for each, id_ in found.items() if each in nothing
        }
        if self._now() - batch.at.timestamp() > _KEPT:
            return nothing | there
        return {each: Outcome(each, Status.RETRY, detail=_NOT_THERE) for each in nothing} | there

    def _found(self, key: str) -> dict[str, str] | None:
        """MessageIDs by delivery key of everything with this batch key; None when it was not told whole."""
        found: dict[str, str] = {}
        read, total = 0, 1
        while read < total:
            told = self._page(key, read)
            if told is None:
                return None
            messages, total = told
            read += len(messages)
            for message in messages:
                ours = _metadata(message)
                if ours.get("batch") != key or not (delivery := webhook.word(ours.get("delivery"))):
                    return None  # not what was asked for
                found[delivery] = str(message.get("MessageID") or "")
            if not messages:
                break
        return found if read >= total else None

    def _page(self, key: str, offset: int) -> tuple[list[Mapping[str, Any]], int] | None:
        wanted = {"count": "500", "offset": str(offset), "messagestream": self._stream, "metadata_batch": key}
        answer = self._transport.get("/messages/outbound", params=wanted)
        told = answer.json() if answer.ok else None
        if not isinstance(told, dict):
            return None
        messages, total = told.get("Messages"), told.get("TotalCount")
        if not isinstance(messages, list) or not isinstance(total, int):
            return None
        return ([one for one in messages if isinstance(one, dict)], total) if total <= _FARTHEST else None

    # --- the account ---------------------------------------------------------------------------

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002 - it tells of no quota
        """Whether key, stream and tracking are right; it tells of no quota before it is used up."""
        server = self._transport.get("/server")
        if not server.ok:
            return [unanswered(server, _TOKEN)]
        stream = self._transport.get(f"/message-streams/{quote(self._stream, safe='')}")
        return [*_server(server.json()), *self._stream_findings(stream)]

    def _stream_findings(self, answer: Answer) -> Iterator[Finding]:
        told = answer.json() if answer.ok else None
        if answer.status in _NO_STREAM:
            yield Finding("error", "stream", f'There is no message stream "{self._stream}" on the server.', _STREAM_FIX)
        elif not isinstance(told, dict):
            yield unanswered(answer, _TOKEN)
        elif told.get("ArchivedAt"):
            yield Finding("error", "stream", f'The message stream "{self._stream}" is archived.', _STREAM_FIX)
        elif told.get("MessageStreamType") not in ({"Transactional"} if self._transactional else _BROADCAST):
            kind = "transactional" if self._transactional else "broadcast"
            yield Finding("error", "stream", f'The message stream "{self._stream}" is not a {kind} one.', _STREAM_FIX)
        elif not self._transactional:
            yield from self._unsubscribe_findings(told)

    def _unsubscribe_findings(self, stream: Mapping[str, Any]) -> Iterator[Finding]:
        handling = (stream.get("SubscriptionManagementConfiguration") or {}).get("UnsubscribeHandlingType")
        if handling is None:
            yield Finding("warning", "unsubscribe", "It does not say who puts in the unsubscribe of this stream.")
        elif self._own and handling != "Custom":
            yield Finding(
                "error",
                "unsubscribe",
                "The stream does not let us put in our own unsubscribe.",
                "Ask Postmark's support for custom unsubscribe handling, "
                "or set NEWSLETTER_POSTMARK__UNSUBSCRIBE to provider.",
            )
        elif not self._own and handling != "Postmark":
            yield Finding(
                "error",
                "unsubscribe",
                "Postmark puts no unsubscribe into the mails of this stream.",
                "Set NEWSLETTER_POSTMARK__UNSUBSCRIBE to own.",
            )

    # --- its list ------------------------------------------------------------------------------

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        """What stands on the stream's list. Raises: ProviderError when it is not told."""
        params = {"fromdate": since.date().isoformat()} if since else None
        told = answered(self._transport.get(f"{self._list}/dump", params=params), "Postmark")
        for entry in (told or {}).get("Suppressions", ()):
            reason = _ON_ITS_LIST.get(entry.get("SuppressionReason"), "other")
            at = entry.get("CreatedAt")
            yield Suppression(entry["EmailAddress"], reason, webhook.moment(at) if at else None)

    def suppress(self, entries: Sequence[Suppression]) -> None:
        """Put addresses on it, as its "ManualSuppression". Raises: ProviderError when it does not take them."""
        self._change(self._list, [one.address for one in entries])

    def unsuppress(self, addresses: Sequence[str]) -> None:
        """Take addresses off it. Raises: ProviderError when it does not; a complaint can never be taken off."""
        self._change(f"{self._list}/delete", addresses)

    @property
    def _list(self) -> str:
        return f"/message-streams/{quote(self._stream, safe='')}/suppressions"

    def _change(self, path: str, addresses: Sequence[str]) -> None:
        failed = 0
        for first in range(0, len(addresses), _CHANGES):
            some = [{"EmailAddress": address} for address in addresses[first : first + _CHANGES]]
            body = json.dumps({"Suppressions": some}).encode()
            told = answered(self._transport.post(path, body, timeout=PAUSE), "Postmark")
            failed += sum(entry.get("Status") == "Failed" for entry in (told or {}).get("Suppressions", ()))
        if failed:
            raise ProviderError(
                f"Postmark did not change its list for {failed} of {len(addresses)} addresses.",
                "It never takes a complaint off: ask the reader for another address.",
            )


_KEPT = 6.5 * 86400  # seconds; "retention can be customized from 7 to 365 days"
_FARTHEST = 10_000  # count and offset together
_CHANGES = 50  # addresses in one call
_NOT_THERE = "It is not in Postmark's activity."
_NO_STREAM = {404, 422}
_BROADCAST = {"Broadcasts", "Broadcast"}
_STREAM_FIX = "Correct NEWSLETTER_POSTMARK__STREAM (letters) or NEWSLETTER_POSTMARK__TRANSACTIONAL_STREAM."
_ON_ITS_LIST: dict[Any, Literal["bounce", "complaint", "unsubscribe", "other"]] = {
    "HardBounce": "bounce",
    "SpamComplaint": "complaint",
    "ManualSuppression": "unsubscribe",
}


@lru_cache(maxsize=64)
def _template(email: Email, stream: str, tag: str, key: str, *, managed: bool) -> JsonTemplate:
    """One message. Raises: ProviderError when a mailbox of ours is not valid."""
    domain = mime.own_address(email.sender).rpartition("@")[2]
    without = {"list-unsubscribe", "list-unsubscribe-post"} if managed else ()
    headers = [
        ("Message-ID", ("<", KEY, f"@{domain}>")),
        ("X-PM-KeepID", "true"),
        *header_pieces(email, without=without),
    ]
    shape: dict[str, Any] = {
        "From": mailbox(email.sender),
        "To": (ADDRESS,),
        "ReplyTo": mailbox(email.reply_to) if email.reply_to else None,
        "Subject": one_line(email.subject),
        "HtmlBody": email.html,
        "TextBody": email.text,
        "Headers": [{"Name": name, "Value": value} for name, value in headers],
        "Metadata": {"delivery": (KEY,), "batch": key},
        "Tag": tag or None,
        "MessageStream": stream,
        "TrackOpens": False,
        "TrackLinks": "None",
    }
    return json_template({name: value for name, value in shape.items() if value is not None})


# --- answers -----------------------------------------------------------------------------------


def _refusal(answer: Answer, *, alone: bool) -> Verdict | None:
    """What an answer means that is not the list of results; None when it is one."""
    told = answer.json()
    code, said = (told.get("ErrorCode"), str(told.get("Message") or "")) if isinstance(told, dict) else (None, "")
    planned = Status.RETRY if code == _MAINTENANCE else Status.UNKNOWN
    whole = verdict(answer, said, unavailable=planned)
    if whole is None or whole.status is not Status.REJECTED:
        return whole
    if answer.status == _UNPROCESSABLE and isinstance(code, int):
        meant = _meaning(code, said)
        return meant if meant.stops or alone else replace(whole, code=str(code))
    if answer.status == _TOO_LARGE:
        return whole
    return replace(whole, status=Status.RETRY, halt="account")


def _outcomes(part: Part, told: Any) -> tuple[Outcome, ...] | Verdict | BatchResult:
    """The results of a batch, in the order of its messages; HTTP 200 says nothing of them."""
    if not isinstance(told, list) or len(told) != len(part):
        return Verdict(Status.UNKNOWN, "answer", "It did not answer for each message.")
    outcomes: list[Outcome] = []
    stop = Verdict(Status.RETRY)
    for reader, result in zip(part, told, strict=True):
        outcome, meant = _outcome(reader, result if isinstance(result, dict) else {})
        outcomes.append(outcome)
        stop = meant if meant.stops and not stop.halt else stop
    return BatchResult(tuple(outcomes), stop.retry_after, stop.halt) if stop.stops else tuple(outcomes)


def _outcome(reader: Recipient, result: Mapping[str, Any]) -> tuple[Outcome, Verdict]:
    code, id_ = result.get("ErrorCode"), webhook.word(result.get("MessageID"))
    if code == 0 and id_:
        return Outcome(reader.key, Status.SUBMITTED, message_id=id_), Verdict(Status.SUBMITTED)
    meant = (
        _meaning(code, str(result.get("Message") or ""))
        if isinstance(code, int) and code
        else Verdict(Status.UNKNOWN, "answer", "Its result was not understood.")
    )
    return meant.outcomes([reader])[0], meant


def _meaning(code: int, said: str) -> Verdict:
    """What an ErrorCode means. They look like HTTP codes and are not."""
    if code == _INACTIVE:
        return Verdict(Status.SUPPRESSED, str(code), said)
    if code in _LATER:
        return Verdict(Status.RETRY, str(code), said, retry_after=PAUSE)
    if code in _HALTS:
        return Verdict(Status.RETRY, str(code), said, halt=_HALTS[code])
    if code in _STREAMS or (code == _INVALID and any(field in said for field in _OURS)):
        return Verdict(Status.RETRY, str(code), said, halt="account")
    return Verdict(Status.REJECTED, str(code), said)


_UNPROCESSABLE, _TOO_LARGE = 422, 413
_INVALID, _INACTIVE, _MAINTENANCE = 300, 406, 100
_LATER = {_MAINTENANCE, 429}
_HALTS: dict[int, Literal["auth", "quota", "account", "bug"]] = {
    10: "auth",  # bad or missing token
    400: "account",  # the sender signature is not there
    401: "account",  # nor confirmed
    402: "bug",  # not JSON
    403: "bug",  # not its JSON
    405: "quota",  # no credits left
    409: "bug",  # the headers do not say JSON
    410: "bug",  # too many messages
    412: "account",  # pending approval
    413: "account",  # may not send
}
_STREAMS = range(1200, 1300)  # of message streams: not there, archived, of the wrong kind
_OURS = ("'From'", "'ReplyTo'", "'Reply-To'", "'Headers'", "'Metadata'", "'Tag'")


# --- its server and its events -----------------------------------------------------------------


def _server(told: Any) -> Iterator[Finding]:
    """Tracking of a whole server, and a sandbox. The tracking is off in each message too, so this is a second lock."""
    server = told if isinstance(told, dict) else {}
    if server.get("TrackOpens") is True or server.get("TrackLinks") not in {None, "None"}:
        yield Finding(
            "error", "tracking", "The server tracks opens or links.", "Switch both off in the server's settings."
        )
    if server.get("DeliveryType") == "Sandbox":
        yield Finding(
            "error", "account", "The server is a sandbox: nothing is delivered.", f"Set {_TOKEN} to a live one."
        )


def _metadata(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("Metadata")
    return found if isinstance(found, dict) else {}


def _event(entry: Mapping[str, Any]) -> Event:
    """One record. Its id: that of a bounce; else its kind, message, reader and moment."""
    kind = str(entry["RecordType"])
    type_, permanent, reason = _meant(kind, entry)
    known = kind in _TIMES and (kind != "Bounce" or type_ is not EventType.UNSUBSCRIBED)  # of leaving, its id is told
    time_ = str(entry[_TIMES[kind]] if known else entry.get(_TIMES.get(kind, ""), ""))
    email = webhook.word(entry.get("Email")) or webhook.word(entry.get("Recipient"))
    own = entry.get("ID") if kind in {"Bounce", "SpamComplaint"} else None
    message, url = webhook.word(entry.get("MessageID")), webhook.word(entry.get("OriginalLink"))
    told_apart = (message, email, time_, url) if time_ else (json.dumps(entry, sort_keys=True),)
    return Event(
        type_,
        event_id=f"{kind}-{own}" if own else webhook.event_id(kind, *told_apart),
        at=webhook.moment(time_) if time_ else webhook.UNTOLD,
        email=email,
        permanent=permanent,
        reason=reason,
        message_id=message,
        key=webhook.word(_metadata(entry).get("delivery")),
        url=url,
        raw=entry,
    )


_TIMES = {
    "Delivery": "DeliveredAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "SubscriptionChange": "ChangedAt",
}

_Meaning = tuple[EventType, bool | None, Reason]
_IGNORED: _Meaning = (EventType.IGNORED, None, "")
_LEFT: _Meaning = (EventType.UNSUBSCRIBED, None, "unsubscribe")
_COMPLAINED: _Meaning = (EventType.COMPLAINED, None, "complaint")
_HARD: _Meaning = (EventType.BOUNCED, True, "bounce")
_BLOCKED: _Meaning = (EventType.BOUNCED, False, "block")
_BOUNCES: dict[str, _Meaning] = {
    "HardBounce": _HARD,
    "ManuallyDeactivated": _HARD,
    "BadEmailAddress": (EventType.BOUNCED, True, "invalid"),
    "SoftBounce": (EventType.BOUNCED, False, "bounce"),
    "DnsError": (EventType.BOUNCED, False, "bounce"),
    "Unknown": (EventType.BOUNCED, False, "bounce"),
    "Blocked": _BLOCKED,
    "SpamNotification": _BLOCKED,  # a filter's verdict, not a person's
    "VirusNotification": _BLOCKED,
    "DMARCPolicy": (EventType.BOUNCED, False, "authentication"),
    "Transient": (EventType.DEFERRED, None, ""),
    "SMTPApiError": (EventType.FAILED, None, ""),
    "TemplateRenderingFailed": (EventType.FAILED, None, ""),
    "SpamComplaint": _COMPLAINED,
    "Unsubscribe": _LEFT,
}
_KINDS: dict[str, _Meaning] = {
    "Delivery": (EventType.DELIVERED, None, ""),
    "Open": (EventType.OPENED, None, ""),
    "Click": (EventType.CLICKED, None, ""),
    "SpamComplaint": _COMPLAINED,
}
_CHANGED: dict[Any, _Meaning] = {"HardBounce": _HARD, "SpamComplaint": _COMPLAINED, "ManualSuppression": _LEFT}


def _meant(kind: str, entry: Mapping[str, Any]) -> _Meaning:
    if kind == "Bounce":
        return _bounce(entry)
    if kind == "SubscriptionChange":
        if entry["SuppressSending"]:
            return _CHANGED.get(entry.get("SuppressionReason"), _LEFT)
        return (EventType.RESUBSCRIBED, None, "")
    return _KINDS.get(kind, _IGNORED)


def _bounce(entry: Mapping[str, Any]) -> _Meaning:
    """Auto-replies, changes of address and the like come as bounces too, and mean nothing."""
    type_, permanent, reason = _BOUNCES.get(str(entry.get("Type")), _IGNORED)
    if type_ is EventType.BOUNCED:
        permanent, reason = webhook.judged(str(entry.get("Details") or ""), permanent is True, reason)
        if reason != "authentication" and entry.get("Inactive") is True:
            return type_, True, reason if permanent else "bounce"  # Postmark will not try this address again
    return type_, permanent, reason
