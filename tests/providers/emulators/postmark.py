"""Postmark: https://postmarkapp.com/developer/api/overview, .../email-api, .../messages-api, .../message-streams-api,
.../suppressions-api, .../server-api. Error codes: .../overview#error-codes.
"""

from __future__ import annotations

import re
from typing import Any

from newsletter.testing import Reply, Request
from tests.providers.emulators.base import (
    Emulator,
    Message,
    iso,
    kind,
    loaded,
    lower,
    mailboxes,
    new_id,
    one_line_end,
    one_of,
    record,
    reply,
    rows,
    table,
    text,
)

_MOST, _BATCH_BYTES, _BODY_BYTES = 500, 50 * 1024 * 1024, 5 * 1024 * 1024

_MESSAGE = record(
    {"From": text(least=3), "To": text(least=3)},
    {
        "Cc": text(),
        "Bcc": text(),
        "Subject": text(),
        "Tag": text(most=1000),
        "HtmlBody": text(),
        "TextBody": text(),
        "ReplyTo": text(),
        # a name of at most 20 and a value of at most 80 characters, ten of them (support article 1125)
        "Metadata": table(text(most=80), name=text(least=1, most=20), most=10),
        "Headers": rows(record({"Name": text(least=1, pattern=r"[!-9;-~]+"), "Value": text(pattern=r"[^\r\n]*")})),
        "TrackOpens": kind(bool),
        "TrackLinks": one_of("None", "HtmlAndText", "HtmlOnly", "TextOnly"),
        "Attachments": rows(kind(dict)),
        "MessageStream": text(),
    },
)
_SUPPRESSIONS = record({"Suppressions": rows(record({"EmailAddress": text()}), least=1, most=50)})


class Postmark(Emulator):
    """A server with the streams `outbound` and `broadcast`; `handling` is how the latter takes care of leaving."""

    handling = "Postmark"
    track_opens = False
    track_links = "None"

    def answer(self, request: Request, path: str) -> Reply:  # noqa: C901, PLR0911 - one route after the other
        if request.headers.get("x-postmark-server-token") != self.key:
            return _error(401, 10, "Bad or missing Server API token.")
        if request.headers.get("accept") != "application/json":
            self.breach(request, "Accept is not application/json")
            return _error(422, 409, "JSON required")
        if request.body and request.headers.get("content-type", "").split(";")[0] != "application/json":
            self.breach(request, "Content-Type is not application/json")
            return _error(422, 409, "JSON required")
        match [request.method, *path.strip("/").split("/")]:
            case ["POST", "email", "batch"]:
                return self._batch(request)
            case ["POST", "email"]:
                return self._single(request)
            case ["GET", "messages", "outbound"]:
                return self._search(request)
            case ["GET", "server"]:
                return reply(200, self._server())
            case ["GET", "message-streams", stream]:
                return self._stream(stream)
            case ["GET", "message-streams", stream, "suppressions", "dump"] if stream in self._streams:
                return reply(200, {"Suppressions": [_entry(one) for one in sorted(self.suppressed)]})
            case ["POST", "message-streams", stream, "suppressions"] if stream in self._streams:
                return self._suppress(request, "Suppressed")
            case ["POST", "message-streams", stream, "suppressions", "delete"] if stream in self._streams:
                return self._suppress(request, "Deleted")
        return self.nowhere(request, Reply(404))

    _streams = ("outbound", "broadcast")

    def _server(self) -> dict[str, Any]:
        return {
            "ID": 1,
            "Name": "Letters",
            "ApiTokens": [self.key],
            "Color": "blue",
            "SmtpApiActivated": True,
            "DeliveryType": "Live",
            "TrackOpens": self.track_opens,
            "TrackLinks": self.track_links,
            "IncludeBounceContentInHook": False,
            "EnableSmtpApiErrorHooks": False,
        }

    def _stream(self, stream: str) -> Reply:
        if stream not in self._streams:
            return _error(422, 1226, "The message stream for the provided 'ID' was not found.")
        broadcast = stream == "broadcast"
        handling = self.handling if broadcast else "None"
        return reply(
            200,
            {
                "ID": stream,
                "ServerID": 1,
                "Name": stream.title(),
                "Description": "",
                "MessageStreamType": "Broadcasts" if broadcast else "Transactional",
                "CreatedAt": "2026-01-01T00:00:00-05:00",
                "UpdatedAt": None,
                "ArchivedAt": None,
                "ExpectedPurgeDate": None,
                "SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": handling},
            },
        )

    def _batch(self, request: Request) -> Reply:
        if len(request.body) > _BATCH_BYTES:
            self.breach(request, f"{len(request.body)} bytes")
            return Reply(413)
        messages = loaded(request)
        if not isinstance(messages, list):
            self.breach(request, "the body is no array")
            return _error(422, 402, "Invalid JSON")
        if len(messages) > _MOST:
            self.breach(request, f"{len(messages)} messages")
            return _error(422, 410, "Too many batch messages")
        if self.room is not None and self.room < len(messages):
            return _error(422, 405, "Not allowed to send: you ran out of credits.")
        return reply(200, [self._one(request, one) for one in messages])

    def _single(self, request: Request) -> Reply:
        told = self._one(request, loaded(request))
        return reply(200 if told["ErrorCode"] == 0 else 422, told)

    def _one(self, request: Request, one: Any) -> dict[str, Any]:
        problems = list(_MESSAGE(one, "message"))
        if not problems:
            bodies = [name for name in ("HtmlBody", "TextBody") if len(one.get(name, "").encode()) > _BODY_BYTES]
            problems += [f"{name} is over 5 MB" for name in bodies]
        to = mailboxes(one["To"]) if not problems else None
        if not problems and (to is None or mailboxes(one["From"]) is None):
            problems.append("From or To is no mailbox")
        if not problems and (len(to or ()) != 1 or one.get("Cc") or one.get("Bcc")):
            problems.append("more than one reader in a message")
        if not problems and not (one.get("HtmlBody") or one.get("TextBody")):
            problems.append("neither HtmlBody nor TextBody")
        if not problems and one.get("MessageStream", "outbound") not in self._streams:
            problems.append("an unknown MessageStream")
        if problems:
            self.breach(request, *problems)
            return {"ErrorCode": 300, "Message": f"Invalid email request: {problems[0]}"}
        assert to is not None
        who = to[0]
        if not self.verified:
            said = "The 'From' address you supplied is not a Sender Signature on your account."
            return {"ErrorCode": 400, "Message": said}
        if who in self.invalid:
            return {"ErrorCode": 300, "Message": f"Error parsing 'To': Illegal email address '{who}'."}
        if who in self.suppressed:
            return {
                "ErrorCode": 406,
                "Message": "You tried to send to recipient(s) that have been marked as inactive. "
                f"Found inactive addresses: {who.lower()}. Inactive recipients are ones that have generated a hard "
                "bounce, a spam complaint, or a manual suppression.",
            }
        found = self._sent(one, who)
        self.take(found)
        return {
            "To": one["To"],
            "SubmittedAt": iso(found.at),
            "MessageID": found.id,
            "ErrorCode": 0,
            "Message": "OK",
        }

    def _sent(self, one: dict[str, Any], who: str) -> Message:
        headers = lower({header["Name"]: header["Value"] for header in one.get("Headers", ())})
        html, plain = one.get("HtmlBody", ""), one.get("TextBody", "")
        if one.get("MessageStream") == "broadcast" and self.handling == "Postmark":
            leave = f"https://unsubscribe.postmarkapp.com/{new_id()}"
            headers |= {
                "list-unsubscribe": f"<{leave}>",
                "list-unsubscribe-post": "List-Unsubscribe=One-Click",
            }
            html, plain = (_TAG.sub(leave, part) for part in (html, plain))
        return Message(
            to=who,
            subject=one.get("Subject", ""),
            html=one_line_end(html),
            text=one_line_end(plain),
            headers=headers,
            sender=one["From"],
            reply_to=one.get("ReplyTo", ""),
            metadata=one.get("Metadata", {}),
            tags=(one["Tag"],) if one.get("Tag") else (),
            id=new_id(),
            at=self.clock(),
            tracked=one.get("TrackOpens", self.track_opens) or one.get("TrackLinks", self.track_links) != "None",
        )

    def _search(self, request: Request) -> Reply:
        params = request.params
        known = {"count", "offset", "recipient", "fromemail", "tag", "status", "todate", "fromdate", "subject"}
        unknown = [one for one in params if one not in {*known, "messagestream"} and not one.startswith("metadata_")]
        wanted = {name.removeprefix("metadata_"): one for name, one in params.items() if name.startswith("metadata_")}
        count, offset = params.get("count", ""), params.get("offset", "")
        if unknown or not count.isdigit() or not offset.isdigit() or int(count) > _MOST or len(wanted) > 1:
            self.breach(request, f"a search with {sorted(params)}")
            return _error(422, 600, "Query parameters are wrong: count and offset are required")
        if int(count) + int(offset) > 10_000:
            self.breach(request, "count + offset over 10,000")
            return _error(422, 600, "count + offset may not exceed 10,000")
        found = [
            one
            for one in self.arrived
            if all(one.metadata.get(name) == value for name, value in wanted.items())
            and params.get("tag", one.tags[0] if one.tags else "") == (one.tags[0] if one.tags else "")
            and params.get("recipient", one.to) == one.to
            and params.get("subject", one.subject) == one.subject
        ]
        page = found[int(offset) : int(offset) + int(count)]
        return reply(200, {"TotalCount": len(found), "Messages": [_found(one) for one in page]})

    def _suppress(self, request: Request, status: str) -> Reply:
        asked = loaded(request)
        if problems := list(_SUPPRESSIONS(asked, "body")):
            self.breach(request, *problems)
            return _error(422, 300, problems[0])
        addresses = [one["EmailAddress"] for one in asked["Suppressions"]]
        (self.suppressed.update if status == "Suppressed" else self.suppressed.difference_update)(addresses)
        told = [{"EmailAddress": one, "Status": status, "Message": None} for one in addresses]
        return reply(200, {"Suppressions": told})


_TAG = re.compile(r"\{\{\{\s*pm:unsubscribe(?:_url)?\s*\}\}\}")


def _found(one: Message) -> dict[str, Any]:
    return {
        "Tag": one.tags[0] if one.tags else "",
        "MessageID": one.id,
        "To": [{"Email": one.to, "Name": None}],
        "Cc": [],
        "Bcc": [],
        "Recipients": [one.to],
        "ReceivedAt": iso(one.at),
        "From": one.sender,
        "Subject": one.subject,
        "Attachments": [],
        "Status": "Sent",
        "TrackOpens": False,
        "TrackLinks": "None",
        "Metadata": dict(one.metadata),
        "MessageStream": "broadcast",
        "Sandboxed": False,
    }


def _entry(one: str) -> dict[str, str]:
    return {
        "EmailAddress": one,
        "SuppressionReason": "HardBounce",
        "Origin": "Recipient",
        "CreatedAt": "2026-01-02T03:04:05-05:00",
    }


def _error(status: int, code: int, said: str) -> Reply:
    return reply(status, {"ErrorCode": code, "Message": said})
