"""Amazon SES v2: its service model as botocore ships it (names, types, lengths, patterns), and the developer guide:
"Using templates to send personalized email", "Signing AWS API requests" (SigV4), "Account-level suppression list".
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from newsletter.testing import Arrived, Reply, Request
from tests.providers.emulators.base import (
    Emulator,
    Message,
    is_address,
    loaded,
    lower,
    mailboxes,
    new_id,
    one_line_end,
    reply,
)

_MOST, _INLINE_BYTES, _RAW_BYTES = 50, 1024 * 1024, 40 * 1024 * 1024
_SKEW = 15 * 60


@cache
def model() -> Any:
    """The service model of the API, without importing the library that carries it."""
    found = importlib.util.find_spec("botocore")
    assert found is not None
    assert found.origin is not None
    file = next(Path(found.origin).parent.glob("data/sesv2/*/service-2.json.gz"))
    return json.loads(gzip.decompress(file.read_bytes()))


class Ses(Emulator):
    """A production account in one region, with one configuration set, `letters`."""

    access_key_id = "AKIDEXAMPLE"
    region = "eu-central-1"
    configuration_set = "letters"
    quota = 50_000.0

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.withheld: list[Message] = []  # taken, and not sent on

    def answer(self, request: Request, path: str) -> Reply:
        if wrong := self._unsigned(request):
            self.broken += [f"signature: {wrong}"] if wrong != "key" else []
            said = "The request signature we calculated does not match the signature you provided."
            name = "InvalidSignatureException" if wrong != "key" else "UnrecognizedClientException"
            return _error(403, name, said if wrong != "key" else "The security token included is invalid.")
        found = _operation(request.method, path)
        if found is None:
            return self.nowhere(request, _error(404, "UnknownOperationException", ""))
        name, operation, named = found
        if problems := list(_breaches(operation, request)):
            self.breach(request, *problems)
            return _error(400, "BadRequestException", problems[0])
        work = getattr(self, f"_{name}", None)
        return work(request, named) if work else self.nowhere(request, _error(404, "NotFoundException", ""))

    # --- SigV4 ------------------------------------------------------------------------------------------

    def _unsigned(self, request: Request) -> str:
        """What is wrong with a signature; "key" when the credential is another, "" when nothing is."""
        given = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if given is None:
            return "no Authorization as SigV4 writes it"
        key, date, region, service, signed, signature = given.groups()
        names = signed.split(";")
        stamp = request.headers.get("x-amz-date", "")
        if (region, service) != (self.region, "ses") or not stamp.startswith(date) or names != sorted(names):
            return f"the scope {date}/{region}/{service}"
        if not {"host", "x-amz-date"} <= set(names):
            return "host and x-amz-date are not signed"
        if abs(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() - self.clock()) > _SKEW:
            return "the date"
        path, _, query = request.target.partition("?")
        canonical = "\n".join(
            [
                request.method,
                quote(path, safe="/-_.~"),  # encoded once on the wire, and once more here
                "&".join(sorted(one if "=" in one else f"{one}=" for one in query.split("&") if one)),
                *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
                "",
                signed,
                hashlib.sha256(request.body).hexdigest(),
            ]
        )
        scope = f"{date}/{region}/{service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        secret = f"AWS4{self.key}".encode()
        for part in (*scope.split("/"), to_sign):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        if key != self.access_key_id or secret.hex() != signature:
            return "key" if self.rejects_key else "it does not match"
        return ""

    rejects_key = False

    # --- sending ----------------------------------------------------------------------------------------

    def _SendBulkEmail(self, request: Request, _named: Mapping[str, str]) -> Reply:  # noqa: N802
        asked = loaded(request)
        entries, template = asked["BulkEmailEntries"], asked["DefaultContent"].get("Template", {})
        content = template.get("TemplateContent")
        problems = []
        if not 1 <= len(entries) <= _MOST:
            problems.append(f"{len(entries)} destinations")
        if content is None or not (content.get("Html") or content.get("Text")) or not content.get("Subject"):
            problems.append("no inline template with a subject and a body")
        if len(request.body) > _INLINE_BYTES:
            problems.append(f"{len(request.body)} bytes with an inline template: 1 MB is the most")
        problems += self._senders(asked)
        if problems:
            self.breach(request, *problems)
            return _error(400, "BadRequestException", problems[0])
        if (set_ := asked.get("ConfigurationSetName")) not in {None, self.configuration_set}:
            return _error(404, "NotFoundException", f"Configuration set <{set_}> does not exist.")
        return reply(200, {"BulkEmailEntryResults": [self._entry(request, asked, one) for one in entries]})

    def _entry(self, request: Request, asked: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
        to = self._one_reader(request, entry["Destination"])
        if not self.verified:
            said = "Email address is not verified. The following identities failed the check: a@b.example"
            return {"Status": "MESSAGE_REJECTED", "Error": said}
        if to is None or to in self.invalid:
            return {"Status": "INVALID_PARAMETER", "Error": f"Illegal address: {to}"}
        if self.once(to):
            return {"Status": "TRANSIENT_FAILURE", "Error": "Try again."}
        if self.room is not None and self.room < 1:
            return {"Status": "ACCOUNT_DAILY_QUOTA_EXCEEDED", "Error": "Daily message quota exceeded."}
        template = asked["DefaultContent"]["Template"]
        replaced = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
        data = {
            **json.loads(template.get("TemplateData") or "{}"),
            **json.loads(replaced.get("ReplacementTemplateData") or "{}"),
        }
        headers = {one["Name"].lower(): one["Value"] for one in template.get("Headers", ())}
        headers |= {one["Name"].lower(): one["Value"] for one in entry.get("ReplacementHeaders", ())}
        if len(headers) > 15:
            self.breach(request, f"{len(headers)} headers")
        content, failed = template["TemplateContent"], set()
        subject, html, text = (_rendered(content.get(part, ""), data, failed) for part in ("Subject", "Html", "Text"))
        id_ = f"0107{new_id()}-000000"
        if failed:
            self.breach(request, *(f"Rendering Failure: {one}" for one in sorted(failed)))
            return {"Status": "SUCCESS", "MessageId": id_}  # the event tells, the answer does not
        tags = [*asked.get("DefaultEmailTags", ()), *entry.get("ReplacementTags", ())]
        self._sent(
            Message(
                to=to,
                subject=subject,
                html=one_line_end(html),
                text=one_line_end(text),
                headers=lower(headers),
                sender=asked["FromEmailAddress"],
                reply_to=", ".join(asked.get("ReplyToAddresses", ())),
                metadata={one["Name"]: one["Value"] for one in tags},
                tags=tuple(one["Value"] for one in tags),
                id=id_,
                at=self.clock(),
            )
        )
        return {"Status": "SUCCESS", "MessageId": id_}

    def _SendEmail(self, request: Request, _named: Mapping[str, str]) -> Reply:  # noqa: N802
        asked = loaded(request)
        raw = asked["Content"].get("Raw")
        to = self._one_reader(request, asked.get("Destination", {}))
        problems = self._senders(asked)
        if raw is None:
            problems.append("no raw message: other kinds are not emulated")
        elif len(mime := base64.b64decode(raw["Data"], validate=True)) > _RAW_BYTES:
            problems.append("over 40 MB")
        if to is None or problems:
            self.breach(request, *problems)
            return _error(400, "BadRequestException", (problems or ["no address"])[0])
        if not self.verified:
            return _error(400, "MessageRejected", "Email address is not verified.")
        if to in self.invalid:
            return _error(400, "BadRequestException", "Illegal address")
        if self.once(to):
            return _error(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
        if self.room is not None and self.room < 1:
            return _error(429, "TooManyRequestsException", "Daily message quota exceeded.")
        read = message_from_bytes(mime, policy=policy.default)
        if mailboxes(str(read["To"])) != [to] or read["Cc"] or read["Bcc"]:
            self.breach(request, "the message's To is not its destination")
        arrived = Arrived.of(mime)
        id_ = f"0107{new_id()}-000000"
        tags = asked.get("EmailTags", ())
        self._sent(
            Message(
                to=to,
                subject=arrived.subject,
                html=arrived.html,
                text=arrived.text,
                headers=arrived.headers,
                sender=asked.get("FromEmailAddress", str(read["From"])),
                reply_to=str(read["Reply-To"] or ""),
                metadata={one["Name"]: one["Value"] for one in tags},
                tags=tuple(one["Value"] for one in tags),
                id=id_,
                at=self.clock(),
            )
        )
        return reply(200, {"MessageId": id_})

    def _sent(self, message: Message) -> None:
        if message.to in self.suppressed:
            self.withheld.append(message)
        else:
            self.take(message)

    def _senders(self, asked: dict[str, Any]) -> list[str]:
        given = [asked.get("FromEmailAddress", ""), *asked.get("ReplyToAddresses", ())]
        return [
            "a sender is no mailbox in ASCII (names in RFC 2047)"
            for one in given
            if one and (not one.isascii() or mailboxes(one) is None)
        ]

    def _one_reader(self, request: Request, destination: dict[str, Any]) -> str | None:
        to = destination.get("ToAddresses", [])
        if len(to) != 1 or destination.get("CcAddresses") or destination.get("BccAddresses"):
            self.breach(request, "not one reader in a destination")
            return None
        found = mailboxes(to[0])
        if found is None or not to[0].isascii() or not is_address(found[0]):
            self.breach(request, "a destination is no address")
            return None
        return found[0]

    # --- the account ------------------------------------------------------------------------------------

    def _GetAccount(self, _request: Request, _named: Mapping[str, str]) -> Reply:  # noqa: N802
        sent = self.quota - self.room if self.room is not None else float(len(self.arrived))
        return reply(
            200,
            {
                "DedicatedIpAutoWarmupEnabled": False,
                "EnforcementStatus": "HEALTHY",
                "ProductionAccessEnabled": True,
                "SendQuota": {"Max24HourSend": self.quota, "MaxSendRate": 100_000.0, "SentLast24Hours": sent},
                "SendingEnabled": True,
                "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
            },
        )

    def _GetConfigurationSet(self, _request: Request, named: Mapping[str, str]) -> Reply:  # noqa: N802
        name = named["ConfigurationSetName"]
        if name != self.configuration_set:
            return _error(404, "NotFoundException", f"Configuration set <{name}> does not exist.")
        return reply(200, {"ConfigurationSetName": name, "SendingOptions": {"SendingEnabled": True}})

    def _GetConfigurationSetEventDestinations(self, _request: Request, named: Mapping[str, str]) -> Reply:  # noqa: N802
        if named["ConfigurationSetName"] != self.configuration_set:
            return _error(404, "NotFoundException", "Configuration set does not exist.")
        return reply(200, {"EventDestinations": []})

    def _GetEmailIdentity(self, _request: Request, _named: Mapping[str, str]) -> Reply:  # noqa: N802
        return reply(
            200,
            {
                "IdentityType": "DOMAIN",
                "VerifiedForSendingStatus": True,
                "FeedbackForwardingStatus": True,
                "DkimAttributes": {"SigningEnabled": True, "Status": "SUCCESS"},
            },
        )

    def _ListSuppressedDestinations(self, request: Request, _named: Mapping[str, str]) -> Reply:  # noqa: N802
        size, start = int(request.params.get("PageSize", "1000")), int(request.params.get("NextToken", "0"))
        everyone = sorted(self.suppressed)
        page = [
            {"EmailAddress": one, "Reason": "BOUNCE", "LastUpdateTime": 1.7e9} for one in everyone[start : start + size]
        ]
        more = {"NextToken": str(start + size)} if start + size < len(everyone) else {}
        return reply(200, {"SuppressedDestinationSummaries": page, **more})

    def _PutSuppressedDestination(self, request: Request, _named: Mapping[str, str]) -> Reply:  # noqa: N802
        self.suppressed.add(loaded(request)["EmailAddress"])
        return reply(200, {})

    def _DeleteSuppressedDestination(self, _request: Request, named: Mapping[str, str]) -> Reply:  # noqa: N802
        if named["EmailAddress"] not in self.suppressed:
            return _error(404, "NotFoundException", "Email address does not exist on the suppression list.")
        self.suppressed.discard(named["EmailAddress"])
        return reply(200, {})


_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/([a-z]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


def _error(status: int, name: str, said: str) -> Reply:
    return reply(status, {"message": said}, x_amzn_ErrorType=name)


def _rendered(template: str, data: Mapping[str, Any], failed: set[str]) -> str:
    """Simple substitutions, as inline templates have them. Nothing is escaped; a value is never read again."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or ""
        if name not in data:
            failed.add(f"Attribute '{name}' is not present in the rendering data.")
        return str(data.get(name, ""))

    if "{{" in _TAG.sub("", template):
        failed.add("the template has a tag that is no simple substitution")
    return _TAG.sub(value, template)


_TAG = re.compile(r"\{\{\{\s*([\w.-]+)\s*\}\}\}|\{\{\s*([\w.-]+)\s*\}\}")

# --- the model ------------------------------------------------------------------------------------------


@cache
def _operations() -> list[tuple[str, str, re.Pattern[str], Any]]:
    found = []
    for name, one in model()["operations"].items():
        path = re.sub(r"\{(\w+)\+?\}", r"(?P<\1>[^/]+)", one["http"]["requestUri"])
        found.append((name, one["http"]["method"], re.compile(path), one))
    return found


def _operation(method: str, path: str) -> tuple[str, Any, dict[str, str]] | None:
    for name, verb, pattern, one in _operations():
        if verb == method and (found := pattern.fullmatch(path)):
            return name, one, {key: unquote(value) for key, value in found.groupdict().items()}
    return None


def _breaches(operation: Any, request: Request) -> Iterator[str]:
    """What of a request is not as the model says."""
    shape = model()["shapes"][operation["input"]["shape"]]
    members = shape["members"]
    asked = {one.get("locationName", name) for name, one in members.items() if one.get("location") == "querystring"}
    yield from (f"an unknown parameter {name}" for name, _ in request.query if name not in asked)
    inside = {name: one for name, one in members.items() if "location" not in one}
    if not inside:
        if request.body:
            yield "a body where none is"
        return
    body = loaded(request)
    if body is None:
        yield "the body is no JSON"
        return
    required = [name for name in shape.get("required", ()) if name in inside]
    yield from _fits(body, {**shape, "members": inside, "required": required}, "body")


def _fits(value: Any, shape: Any, at: str) -> Iterator[str]:  # noqa: C901 - a kind after the other
    shapes = model()["shapes"]
    match shape["type"]:
        case "structure":
            if not isinstance(value, dict):
                yield f"{at} is no object"
                return
            yield from (f"{at}.{name} is missing" for name in shape.get("required", ()) if name not in value)
            for name, one in value.items():
                if name not in shape["members"]:
                    yield f"{at}.{name} is unknown"
                else:
                    yield from _fits(one, shapes[shape["members"][name]["shape"]], f"{at}.{name}")
        case "list":
            if not isinstance(value, list):
                yield f"{at} is no array"
                return
            if not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
                yield f"{at} has {len(value)} items"
            for place, one in enumerate(value):
                yield from _fits(one, shapes[shape["member"]["shape"]], f"{at}[{place}]")
        case "string" | "blob" | "timestamp":
            yield from _fits_text(value, shape, at)
        case "boolean":
            if not isinstance(value, bool):
                yield f"{at} is no boolean"


def _fits_text(value: Any, shape: Any, at: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{at} is no string"
    elif not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
        yield f"{at} has {len(value)} characters"
    elif "enum" in shape and value not in shape["enum"]:
        yield f"{at} is not of its enumeration"
    elif "pattern" in shape and not re.fullmatch(shape["pattern"], value):
        yield f"{at} does not fit {shape['pattern']}"
    elif at.endswith((".Name", ".Value")) and "Tags" in at and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value):
        yield f"{at} is no tag"  # MessageTag's documentation
