"""Amazon SES, API v2: 50 readers a call with an inline template, or one whole message a call.

    SendBulkEmail   a template of our own text, values and headers for each reader, an answer for each
    SendEmail       raw MIME (core/mime.py), for readers and emails that a template cannot carry

Events come through SNS (sns.py), with our key only where a configuration set publishes them. SES puts its own
Message-ID into every mail, so ours is not given.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/     (the calls; its schema is in botocore)
    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html     (events)
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from pydantic import SecretStr

from newsletter.core import mime
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Recipient, Status, Suppression
from newsletter.core.email import Email, Pieces, Site
from newsletter.core.event import Event, EventType, ParseError, Reason
from newsletter.core.redact import redacted
from newsletter.core.spelling import (
    ADDRESS,
    JsonTemplate,
    campaign_of,
    header_pieces,
    header_sites,
    headers_fit,
    json_template,
    merged,
    one_line,
    values,
)
from newsletter.errors import ProviderError
from newsletter.providers import sns, webhook
from newsletter.providers.transport import (
    Answer,
    Halt,
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
    wait_of,
)

if TYPE_CHECKING:
    import requests

MOST = 50
"""Destinations in a call."""

MOST_BYTES = 1_000_000
"""Of a call with an inline template ("1 MB", says the guide to personalised email)."""

THROTTLED = 5.0
"""Seconds all senders wait when the account's rate is exceeded: it is counted by the second."""

_MOST_DATA = 262_144  # characters of one reader's values
_MOST_TEMPLATE = 500_000  # bytes of subject and bodies
_MOST_HEADERS = 15
_LONGEST_HEADER = 996  # name and value
_NAME = "Amazon SES"
_KEY = "newsletter_key"
_CAMPAIGN = "campaign"
_ID, _SECRET = "NEWSLETTER_SES__ACCESS_KEY_ID", "NEWSLETTER_SES__SECRET_ACCESS_KEY"
_PATIENCE = 30.0  # seconds

_NONE = SecretStr("")


@dataclass(frozen=True)
class Section:
    """Its settings. `{region}` in the base URL is filled in; the certificate is a PEM file to trust without asking."""

    access_key_id: SecretStr = _NONE
    secret_access_key: SecretStr = _NONE
    region: str = ""
    configuration_set: str = ""
    topic_arn: str = ""
    signing_certificate: str = ""
    base_url: str = "https://email.{region}.amazonaws.com"


def build(section: Section, root: Path) -> Ses:  # noqa: ARG001
    """The provider as set up. Raises: ProviderError."""
    return Ses(
        access_key_id=section.access_key_id.get_secret_value(),
        secret_access_key=section.secret_access_key.get_secret_value(),
        region=section.region,
        configuration_set=section.configuration_set,
        base_url=section.base_url,
    )


def reports(section: Section, root: Path) -> Webhooks | None:
    """Its reader of webhooks; None while no topic is named."""
    certificate = root / section.signing_certificate if section.signing_certificate else None
    return Webhooks(section.topic_arn, certificate) if section.topic_arn else None


class Ses:
    """Submits to one region; opens and clicks are not tracked, whatever the account says.

    Raises: ProviderError for a missing key, region or signer.
    """

    name = "ses"
    capabilities = Capabilities(
        max_batch=MOST,
        max_call_bytes=MOST_BYTES,
        mode="merge",
        reconcile="events",
        suppressions=frozenset({"read", "add", "remove"}),
        holds=frozenset({"bounce", "complaint"}),
        webhook_auth="sns",
        event_ids=True,
        test_addresses={
            "delivered": "success@simulator.amazonses.com",
            "bounced": "bounce@simulator.amazonses.com",
            "complained": "complaint@simulator.amazonses.com",
            "suppressed": "suppressionlist@simulator.amazonses.com",
        },
    )

    def __init__(
        self,
        *,
        access_key_id: str,
        secret_access_key: str,
        region: str,
        configuration_set: str = "",
        base_url: str = Section.base_url,
    ) -> None:
        if not _REGION.fullmatch(region):
            raise ProviderError("Amazon SES has no region.", "Set NEWSLETTER_SES__REGION, such as eu-west-1.")
        if find_spec("botocore") is None:
            raise ProviderError("The signer for Amazon SES is not installed.", 'Run: pip install "newsletter[ses]"')
        signer = _Signer(needed(access_key_id, _ID), needed(secret_access_key, _SECRET), region)
        self._http = Transport(base_url.replace("{region}", region), sign=signer)
        self._set = configuration_set
        self.capabilities = replace(
            Ses.capabilities,
            network=self._http.network,
            reconcile="events" if configuration_set else "no",  # without one no event carries our key
        )

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    # --- sending -----------------------------------------------------------------------------------

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:
        """Hand over the batch in as few calls as its size allows, each reader with an answer of their own.

        A reader whose values hold template syntax or are too long, or whose headers do not fit, gets a whole message
        in a call of their own, and everybody does when the email does not fit a template. Out: SUBMITTED with the id
        of SES; REJECTED for readers it refuses; RETRY with a halt or a pause for all.
        """
        try:
            spelled = _spelled(email, batch.tag, campaign_of(key), self._set)
        except ProviderError as problem:
            return unsent(batch, problem)
        entries = {one.key: entry for one in batch.recipients if (entry := spelled.entry(one))}
        sizes = {key: len(entry) + 2 for key, entry in entries.items()}

        def split(readers: Part) -> list[Part]:
            return shared(readers, sizes, count=MOST, room=MOST_BYTES - len(spelled.head) - 2)

        def hand(part: Part, left: float) -> tuple[Outcome, ...] | Verdict | BatchResult:
            if part[0].key in entries:
                body = spelled.body([entries[one.key] for one in part])
                return _bulk(self._http.post("/v2/email/outbound-bulk-emails", body, timeout=left), part)
            body = spelled.whole(part[0], batch.at)
            return _single(self._http.post("/v2/email/outbound-emails", body, timeout=left), part[0])

        return hand_over(batch, split, hand, timeout=timeout)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """None for every row: SES can only be asked by ids it has given; `Send` events tell what was taken."""
        return {recipient.key: None for recipient in batch.recipients}

    # --- the account -------------------------------------------------------------------------------

    def check(self, need: int) -> Sequence[Finding]:
        """Quota of 24 hours, sandbox, whether sending is on (GetAccount), and the configuration set."""
        answer = self._http.get("/v2/email/account")
        told = answer.json()
        if not answer.ok or not isinstance(told, dict):
            return [_refused_key() if _type(answer) in _AUTH else unanswered(answer, _SECRET)]
        return [*_account(told), *_quota(told.get("SendQuota"), need), *self._configured()]

    def _configured(self) -> list[Finding]:
        if not self._set:
            fix = "Set NEWSLETTER_SES__CONFIGURATION_SET to one that publishes to our SNS topic."
            return [Finding("warning", "events", "No configuration set is named, so events do not carry our key.", fix)]
        answer = self._http.get(f"/v2/email/configuration-sets/{quote(self._set, safe='')}")
        if _type(answer) == "NotFoundException":
            fix = "Correct NEWSLETTER_SES__CONFIGURATION_SET."
            return [Finding("error", "configuration", "It does not know our configuration set.", fix)]
        told = answer.json()
        sending = told.get("SendingOptions") if answer.ok and isinstance(told, dict) else None
        if isinstance(sending, dict) and sending.get("SendingEnabled") is False:
            fix = "Switch it on in the SES console."
            return [Finding("error", "configuration", "Sending is switched off in our configuration set.", fix)]
        return []

    def suppressions(self, since: datetime | None = None) -> Iterator[Suppression]:
        """The account's list, a page at a time. Raises: ProviderError."""
        params = {"PageSize": "1000"}
        if since is not None:
            params["StartDate"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        while True:
            told = answered(self._http.get("/v2/email/suppression/addresses", params=params), _NAME)
            for entry in told.get("SuppressedDestinationSummaries") or ():
                reason: Any = "complaint" if entry.get("Reason") == "COMPLAINT" else "bounce"
                at = datetime.fromtimestamp(float(entry["LastUpdateTime"]), UTC)
                yield Suppression(str(entry["EmailAddress"]), reason, at)
            if not told.get("NextToken"):
                return
            params["NextToken"] = str(told["NextToken"])

    def suppress(self, entries: Sequence[Suppression]) -> None:
        """Put addresses on the account's list, which holds for all its mail and knows two reasons: who left by
        themselves stand there like those who complained. Raises: ProviderError.
        """
        for entry in entries:
            reason = "BOUNCE" if entry.reason in {"bounce", "other"} else "COMPLAINT"
            body = json.dumps({"EmailAddress": entry.address, "Reason": reason}).encode()
            path, headers = "/v2/email/suppression/addresses", {"Content-Type": "application/json"}
            answered(self._http.call("PUT", path, body=body, headers=headers, timeout=_PATIENCE), _NAME)

    def unsuppress(self, addresses: Sequence[str]) -> None:
        """Take addresses off the account's list. Raises: ProviderError."""
        for address in addresses:
            path = f"/v2/email/suppression/addresses/{quote(address, safe='')}"
            answer = self._http.call("DELETE", path, timeout=_PATIENCE)
            if _type(answer) != "NotFoundException":
                answered(answer, _NAME)


_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")

# --- signing ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Signer:
    """Signature Version 4 of a prepared request, made by botocore's signer; loaded at the first call."""

    access_key: str
    secret_key: str
    region: str
    token: None = None

    def __call__(self, request: requests.PreparedRequest) -> None:
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        kept = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        signed = AWSRequest(request.method, request.url, headers=kept, data=request.body or b"")
        SigV4Auth(self, "ses", self.region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))


# --- the call's body -------------------------------------------------------------------------------

_RESERVED = re.compile(r"[{}\\](?=[{}\\])|(?<=[{}\\])[{}\\]|[{}\\]\Z|\A[{}\\]")
"""Braces and backslashes that stand together, or beside a tag: alone they mean nothing to the template."""


@dataclass(frozen=True)
class _Spelled:
    """An email as the parts of a call: what is the same for all, and templates of one reader's entry."""

    email: Email
    tag: str
    head: bytes  # up to the first entry; empty when the email does not fit a template
    destination: JsonTemplate
    data: JsonTemplate
    header_room: int  # characters left for a reader's values in the longest header
    header_fields: tuple[Site, ...]
    options: Mapping[str, Any]

    def entry(self, recipient: Recipient) -> bytes | None:
        """A reader's entry; None when the reader cannot be merged."""
        known = values(recipient)
        if not self.head or not headers_fit(header_sites(self.email), known) or not self._has_room(known):
            return None
        data = self.data.fill(known)
        if len(data) > _MOST_DATA or b"{{" in data:
            return None
        tags = b', "ReplacementTags": %b' % json.dumps(_tags(recipient.key, self.tag)).encode()
        template = b'{"ReplacementTemplate": {"ReplacementTemplateData": %b}}' % json.dumps(data.decode()).encode()
        return b'%b%b, "ReplacementEmailContent": %b}' % (self.destination.fill(known)[:-1], tags, template)

    def _has_room(self, known: Mapping[str, str]) -> bool:
        return sum(len(known.get(site.field) or site.fallback) for site in self.header_fields) <= self.header_room

    def body(self, entries: Sequence[bytes]) -> bytes:
        return self.head + b", ".join(entries) + b"]}"

    def whole(self, recipient: Recipient, at: datetime) -> bytes:
        """A call for one reader: a MIME message, nothing to substitute."""
        template = mime.compile(self.email)
        message = template.message(recipient, at=at, message_id=mime.message_id(recipient.key, template.domain))
        shape = {
            "Destination": {"ToAddresses": [recipient.address]},
            "Content": {"Raw": {"Data": base64.b64encode(message).decode("ascii")}},
            "EmailTags": _tags(recipient.key, self.tag),
            **self.options,
        }
        return json.dumps(shape).encode()


@lru_cache(maxsize=16)  # a campaign's email comes once a batch
def _spelled(email: Email, tag: str, seed: str, configuration_set: str) -> _Spelled:
    """Raises: ProviderError when the sender's address is not valid, or a header is not an email's to bring."""
    mime.compile(email)
    off = {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}
    options: dict[str, Any] = {"ConfigurationOverrides": {"Tracking": off}}
    if configuration_set:
        options["ConfigurationSetName"] = configuration_set
    same, own = _headers(email)
    text = merged(replace(email, subject=one_line(email.subject), headers=()), _tag, seed=seed, reserved=_RESERVED)
    longest = max(
        (len(name) + sum(len(p) for p in pieces if isinstance(p, str)) for name, pieces in same + own), default=0
    )
    fits = (
        len(same) + len(own) <= _MOST_HEADERS
        and longest <= _LONGEST_HEADER
        and len((text.subject + text.text + text.html).encode("utf-8", "replace")) <= _MOST_TEMPLATE
    )
    content: dict[str, Any] = {
        "TemplateContent": {"Subject": (text.subject,), "Text": (text.text,), "Html": (text.html,)},
        "TemplateData": "{}",
    }
    if same:
        content["Headers"] = [{"Name": name, "Value": pieces} for name, pieces in same]
    shape: dict[str, Any] = {"FromEmailAddress": mime.mailbox(email.sender)}
    if email.reply_to:
        shape["ReplyToAddresses"] = [mime.mailbox(email.reply_to)]
    shape |= {"DefaultContent": {"Template": content}, **options}
    destination: dict[str, Any] = {"Destination": {"ToAddresses": [(ADDRESS,)]}}
    if own:
        destination["ReplacementHeaders"] = [{"Name": name, "Value": pieces} for name, pieces in own]
    head = json_template(shape).of(_NOBODY)[:-1] + b', "BulkEmailEntries": ['
    return _Spelled(
        email=email,
        tag=tag,
        head=head if fits else b"",
        destination=json_template(destination),
        data=json_template({name: (site,) for name, site in text.sites}),
        header_room=_LONGEST_HEADER - longest,
        header_fields=tuple(piece for _, pieces in own for piece in pieces if isinstance(piece, Site)),
        options=options,
    )


def _headers(email: Email) -> tuple[list[tuple[str, Pieces]], list[tuple[str, Pieces]]]:
    """The email's headers: those that are the same for all, and each reader's own."""
    said = header_pieces(email)
    own = [one for one in said if any(isinstance(piece, Site) for piece in one[1])]
    return [one for one in said if one not in own], own


def _tag(name: str) -> str:
    return "{{" + name + "}}"


def _tags(key: str, campaign: str) -> list[dict[str, str]]:
    """Message tags: letters, digits, - and _ only."""
    tags = [{"Name": _KEY, "Value": _as_tag(key)}]
    return [*tags, {"Name": _CAMPAIGN, "Value": _NOT_A_TAG.sub("-", campaign)[:256]}] if campaign else tags


_NOT_A_TAG = re.compile(r"[^A-Za-z0-9_-]")


def _as_tag(key: str) -> str:
    """A delivery key as a tag's value, and back: a dot is written _d, an underscore __."""
    return key.replace("_", "__").replace(".", "_d")


def _from_tag(value: str) -> str | None:
    key = re.sub("_(.)", lambda found: {"_": "_", "d": "."}.get(found[1], "?"), value)
    return key if mime.is_safe(key) else None


_NOBODY = Recipient("", "", {})

# --- what an answer means --------------------------------------------------------------------------


def _single(answer: Answer, recipient: Recipient) -> tuple[Outcome, ...] | Verdict:
    judged = _judged(answer)
    if judged is not None:
        return judged
    told = answer.json()
    id_ = webhook.word(told.get("MessageId")) if isinstance(told, dict) else None
    if id_ is None:
        return _NOT_UNDERSTOOD
    return (Outcome(recipient.key, Status.SUBMITTED, id_, "SUCCESS"),)


def _bulk(answer: Answer, part: Part) -> Verdict | BatchResult:
    """An answer for each entry, in order; one that means us all stops the run as well."""
    judged = _judged(answer)
    if judged is not None:
        return judged
    told = answer.json()
    results = told.get("BulkEmailEntryResults") if isinstance(told, dict) else None
    if not isinstance(results, list) or len(results) != len(part):
        return _NOT_UNDERSTOOD
    each = [_entry_verdict(result) for result in results]
    outcomes = tuple(
        Outcome(one.key, said.status, said.id, said.code, redacted(said.detail, [one.address]))
        for one, said in zip(part, each, strict=True)
    )
    pause = THROTTLED if any(said.code == "ACCOUNT_THROTTLED" for said in each) else None
    return BatchResult(outcomes, pause, next((said.halt for said in each if said.halt), ""))


class _Said(NamedTuple):
    status: Status
    code: str = ""
    detail: str = ""
    id: str | None = None
    halt: Halt = ""


def _entry_verdict(result: Any) -> _Said:
    if not isinstance(result, dict):
        return _Said(Status.UNKNOWN, "answer")
    code, detail = str(result.get("Status")), str(result.get("Error") or "")
    id_ = webhook.word(result.get("MessageId"))
    if code == "SUCCESS":
        return _Said(Status.SUBMITTED if id_ else Status.UNKNOWN, code, id=id_)
    if code in _REFUSED and _NOT_VERIFIED in detail:  # our own identity, or a sandbox: no reader's fault
        return _Said(Status.RETRY, code, detail, halt="account")
    if code in _REFUSED:
        return _Said(Status.REJECTED, code, detail)
    if code in _HALTS:
        return _Said(Status.RETRY, code, detail, halt=_HALTS[code])
    return _Said(Status.RETRY if code in _LATER else Status.UNKNOWN, code, detail)


_NOT_VERIFIED = "not verified"
_REFUSED = {"MESSAGE_REJECTED", "INVALID_PARAMETER"}
_LATER = {"ACCOUNT_THROTTLED", "TRANSIENT_FAILURE", "FAILED"}  # "was unable to process your request"
_HALTS: dict[str, Halt] = {
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": "quota",
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "account",
    "CONFIGURATION_SET_NOT_FOUND": "account",
    "TEMPLATE_NOT_FOUND": "account",
    "ACCOUNT_SUSPENDED": "account",
    "INVALID_SENDING_POOL_NAME": "account",
    "ACCOUNT_SENDING_PAUSED": "account",
    "CONFIGURATION_SET_SENDING_PAUSED": "account",
}

_NOT_UNDERSTOOD = Verdict(Status.UNKNOWN, "answer", "The answer was not understood.")


def _judged(answer: Answer) -> Verdict | None:
    """What an answer means by its error's type, then by its status; None for a 2xx.

    503 ServiceUnavailable: "the request has failed due to a temporary failure of the server".
    """
    type_, said = _type(answer), _message(answer)
    if not answer.status or answer.ok:
        return verdict(answer)
    if type_ in _THROTTLING or answer.status == _TOO_MANY:
        if "daily" in said.lower():
            return Verdict(Status.RETRY, type_, said, halt="quota")
        return Verdict(Status.RETRY, type_ or "429", said, retry_after=wait_of(answer) or THROTTLED)
    ours: Halt = "account" if answer.status in _OURS or _NOT_VERIFIED in said else ""
    if halt := _TYPES.get(type_) or ours:
        return Verdict(Status.RETRY, type_ or str(answer.status), said, halt=halt)
    judged = verdict(answer, said, unavailable=Status.RETRY)
    return replace(judged, code=type_) if judged and type_ else judged


_TOO_MANY = 429
_OURS = {404, 405, 406, 415}
_THROTTLING = {"TooManyRequestsException", "ThrottlingException", "Throttling"}
_AUTH = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "ExpiredTokenException",
    "RequestExpired",
)
_TYPES: dict[str, Halt] = {
    "AccountSuspendedException": "account",
    "SendingPausedException": "account",
    "MailFromDomainNotVerifiedException": "account",
    "NotFoundException": "account",
    "LimitExceededException": "quota",
    **dict.fromkeys(_AUTH, "auth"),
}


def _type(answer: Answer) -> str:
    """The error's name: a header, or a field of the body, each with more around it."""
    told = answer.json()
    named = answer.headers.get("x-amzn-errortype") or (told.get("__type") if isinstance(told, dict) else "") or ""
    return str(named).partition(":")[0].rpartition("#")[2]


def _message(answer: Answer) -> str:
    told = answer.json()
    return str(told.get("message") or told.get("Message") or "") if isinstance(told, dict) else ""


# --- the account -----------------------------------------------------------------------------------


def _refused_key() -> Finding:
    return Finding("error", "key", "It does not accept our key.", f"Correct {_ID} and {_SECRET}.")


def _account(told: Mapping[str, Any]) -> Iterator[Finding]:
    if told.get("SendingEnabled") is False:
        yield Finding("error", "account", "Sending is switched off for our account.", "See the SES console.")
    if told.get("ProductionAccessEnabled") is False:
        what = "Our account is in the sandbox: it mails verified addresses only."
        yield Finding("error", "sandbox", what, "Ask for production access in the SES console.")
    if told.get("EnforcementStatus") == "SHUTDOWN":
        yield Finding("error", "account", "Our account has been shut down.", "See the SES console.")
    elif told.get("EnforcementStatus") == "PROBATION":
        yield Finding("warning", "account", "Our account is under review.", "See the SES console.")


def _quota(told: Any, need: int) -> Iterator[Finding]:
    try:
        most, sent = float(told["Max24HourSend"]), float(told["SentLast24Hours"])
    except (TypeError, KeyError, ValueError):
        return
    if 0 <= most < sent + need:  # -1 is no limit
        what = f"It lets us send {max(0, int(most - sent)):,} more messages today; {need:,} are needed."
        yield Finding("error", "quota", what, "Ask for a higher sending quota in the SES console, or wait.")


# --- webhooks --------------------------------------------------------------------------------------


class Webhooks:
    """Reads what SNS brings of our topic.

    In: the topic's ARN; a PEM file to trust instead of the certificate a request names. Raises: ProviderError when
    the file holds none.
    """

    def __init__(self, topic_arn: str, signing_certificate: Path | None = None) -> None:
        self._topic = sns.Topic(topic_arn, signing_certificate)

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:  # noqa: ARG002
        """Whether SNS signed it, for our topic. Raises: BadSignature, StaleWebhook, WorkLeft (see `sns.py`)."""
        self._topic.verify(body, now=now)

    def confirm_subscription(self, body: bytes) -> bool:
        """Answer a request to confirm the subscription of our topic, after it was verified.

        In: the request's body. Out: whether it was one, and was confirmed. Raises: ProviderError when SNS does not
        take the confirmation.
        """
        return self._topic.confirm(body)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Event | ParseError]:  # noqa: ARG002
        """The events of a notification: one for each of its recipients, by SNS's MessageId."""
        try:
            told = json.loads(body)
            if not isinstance(told, dict):
                return [ParseError("The body is not an object.")]
            id_, event = _notification(told)
            if event is None:
                return []
            about = _about(event)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
            return [ParseError(f"The notification cannot be read ({type(problem).__name__}).")]
        several = len(about) > 1
        found = [{"who": who, "id": f"{id_}/{n}" if several else id_, "event": event} for n, who in enumerate(about)]
        return webhook.each(found, _event)


# --- events ----------------------------------------------------------------------------------------


def _notification(told: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """The event in an envelope and its id; an event without one (raw delivery) by its hash. None: there is none."""
    if "Type" not in told:
        return webhook.event_id(json.dumps(told, sort_keys=True)), told
    if told["Type"] != "Notification" or str(told["Message"]).startswith("Successfully validated SNS topic"):
        return "", None
    event = json.loads(told["Message"])
    if not isinstance(event, dict):
        raise TypeError
    return str(told["MessageId"]), {"Timestamp": told.get("Timestamp"), **event}


def _kind(event: Mapping[str, Any]) -> str:
    return str(event.get("eventType") or event.get("notificationType") or "")


def _part(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event says of its kind: the field of its name, as in `bounce` or `deliveryDelay`."""
    kind = _kind(event)
    found = event.get({"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower()))
    return found if isinstance(found, dict) else {}


def _about(event: Mapping[str, Any]) -> list[Any]:
    """Whom an event is about: the list of its kind, else everybody the mail went to."""
    part = _part(event)
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients"):
        if isinstance(part.get(name), list):
            return list(part[name])
    mail = event.get("mail")
    if not _kind(event) or not isinstance(mail, dict):
        raise KeyError("mail")
    return list(mail.get("destination") or [None])


def _event(told: Mapping[str, Any]) -> Event:
    who, event = told["who"], told["event"]
    mail, part = event["mail"], _part(event)
    recipient = who if isinstance(who, dict) else {"emailAddress": who}
    type_, permanent, reason = _KINDS.get(_kind(event), _ignored)(part, recipient)
    email = recipient["emailAddress"]
    if type_ is not EventType.IGNORED and not webhook.word(email):
        raise KeyError("emailAddress")
    tags = mail.get("tags")
    key = tags.get(_KEY) if isinstance(tags, dict) else None
    return Event(
        type=type_,
        event_id=told["id"],
        at=webhook.moment(part.get("timestamp") or mail.get("timestamp") or event["Timestamp"]),
        email=webhook.word(email),
        permanent=permanent,
        reason=reason,
        message_id=webhook.word(mail.get("messageId")),
        key=_from_tag(str(key[0])) if isinstance(key, list) and key else None,
        url=webhook.word(part.get("link")) if type_ is EventType.CLICKED else None,
        raw=event,
    )


Judgement = tuple[EventType, bool | None, Reason]
Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], Judgement]


def _always(type_: EventType) -> Judge:
    return lambda _part, _who: (type_, None, "")


def _ignored(_part: Mapping[str, Any], _who: Mapping[str, Any]) -> Judgement:
    return EventType.IGNORED, None, ""


def _bounced(part: Mapping[str, Any], who: Mapping[str, Any]) -> Judgement:
    """`Permanent` is the address's fault but for our own authentication; of the others some are our message's."""
    words = f"{who.get('diagnosticCode') or ''} {who.get('status') or ''}"
    if part.get("bounceType") == "Permanent":
        return EventType.BOUNCED, *webhook.judged(words, True, "bounce")
    reason: Reason = "block" if part.get("bounceSubType") in _OUR_MESSAGE else ""
    return EventType.BOUNCED, *webhook.judged(words, False, reason)


_OUR_MESSAGE = {"MessageTooLarge", "ContentRejected", "AttachmentRejected"}


def _complained(part: Mapping[str, Any], _who: Mapping[str, Any]) -> Judgement:
    if part.get("complaintFeedbackType") == "not-spam":
        return EventType.IGNORED, None, ""
    if part.get("complaintSubType") == "OnAccountSuppressionList":  # not sent: it had complained before
        return EventType.REJECTED, True, "complaint"
    return EventType.COMPLAINED, None, "complaint"


def _subscribed(part: Mapping[str, Any], _who: Mapping[str, Any]) -> Judgement:
    """A change in SES's own list management, which we do not use; leaving is obeyed all the same."""
    after = part.get("newTopicPreferences")
    left = isinstance(after, dict) and after.get("unsubscribeAll") is True
    return (EventType.UNSUBSCRIBED, None, "unsubscribe") if left else (EventType.IGNORED, None, "")


_KINDS: dict[str, Judge] = {
    "Send": _always(EventType.ACCEPTED),
    "Delivery": _always(EventType.DELIVERED),
    "DeliveryDelay": _always(EventType.DEFERRED),
    "Bounce": _bounced,
    "Complaint": _complained,
    "Reject": _always(EventType.FAILED),
    "Rendering Failure": _always(EventType.FAILED),
    "Open": _always(EventType.OPENED),
    "Click": _always(EventType.CLICKED),
    "Subscription": _subscribed,
}
