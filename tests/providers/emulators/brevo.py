"""Brevo v3: its API definition (types of getbrevo/brevo-node), docs "Idempotency for batch emails", "Batch send
transactional emails", "Transactional email events", and what django-anymail reports of header encoding.

Undocumented, and taken at its worst: every body is a template; the account's own List-Unsubscribe replaces ours.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from newsletter.testing import Reply, Request
from tests.providers.emulators.base import (
    Emulator,
    Message,
    is_address,
    iso,
    kind,
    loaded,
    lower,
    new_id,
    one_line_end,
    record,
    reply,
    rows,
    table,
    text,
)

_MOST, _VERSION_MOST, _TTL = 2000, 99, 30 * 60
_PERSON = record({"email": text(least=3)}, {"name": text(most=70)})
_HEADERS = table(text(pattern=r"[ -~]*"), name=text(pattern=r"[!-9;-~]+"))
_STANDARD = {"from", "to", "cc", "bcc", "subject", "date", "message-id", "reply-to", "content-type", "mime-version"}
_COMMON = {
    "to": rows(_PERSON, least=1, most=_VERSION_MOST),
    "bcc": rows(_PERSON),
    "cc": rows(_PERSON),
    "htmlContent": text(least=1),
    "textContent": text(),
    "subject": text(least=1),
    "replyTo": _PERSON,
    "params": kind(dict),
}
_SENDER = record({}, {"email": text(least=3), "name": text(most=70), "id": kind(int)})


def _shape(version: dict[str, Any]) -> Any:
    return record(
        {"sender": _SENDER},
        {
            **_COMMON,
            "attachment": rows(kind(dict)),
            "batchId": text(),
            "headers": _HEADERS,
            "messageVersions": rows(record({"to": _COMMON["to"]}, {**_COMMON, **version}), least=1, most=1000),
            "scheduledAt": text(),
            "tags": rows(text()),
            "templateId": kind(int),
        },
    )


class Brevo(Emulator):
    """An account. `version_headers`: whether a version's own headers pass, which no document says."""

    key = "xkeysib-secret"
    version_headers = False

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.withheld: list[Message] = []
        self._keys: dict[str, float] = {}

    @property
    def url(self) -> str:
        return f"{super().url}/v3"

    def answer(self, request: Request, path: str) -> Reply:  # noqa: C901, PLR0911 - one route after the other
        if request.headers.get("api-key") != self.key:
            return _error(401, "unauthorized", "Key not found")
        match [request.method, *path.strip("/").split("/")]:
            case ["POST", "v3", "smtp", "email"]:
                return self._email(request)
            case ["GET", "v3", "smtp", "statistics", "events"]:
                return self._events(request)
            case ["GET", "v3", "smtp", "emails"]:
                return self._emails(request)
            case ["GET", "v3", "account"]:
                left = 100_000 if self.room is None else self.room
                plan = {"type": "payAsYouGo", "creditsType": "sendLimit", "credits": left}
                return reply(200, {"email": "owner@quiet.example", "plan": [plan], "relay": {"enabled": True}})
            case ["GET", "v3", "senders"]:
                return reply(200, {"senders": [{"id": 1, "email": "letters@quiet.example", "active": True}]})
            case ["GET", "v3", "senders", "domains"]:
                domain = {"id": "1", "domain_name": "quiet.example", "authenticated": True, "verified": True}
                return reply(200, {"domains": [domain]})
            case ["GET", "v3", "smtp", "blockedContacts"]:
                return self._blocked(request)
            case ["DELETE", "v3", "smtp", "blockedContacts", who]:
                if who not in self.suppressed:
                    return _error(404, "document_not_found", "Contact not found")
                self.suppressed.discard(who)
                return Reply(204)
            case ["POST", "v3", "contacts"]:
                return self._contact(request)
        return self.nowhere(request, _error(404, "document_not_found", "no such path"))

    # --- sending ----------------------------------------------------------------------------------------

    def _email(self, request: Request) -> Reply:
        asked = loaded(request)
        version = {"headers": _HEADERS} if self.version_headers else {}
        problems = list(_shape(version)(asked, "body")) or list(self._rules(asked))
        if problems:
            self.breach(request, *problems)
            return _error(400, "invalid_parameter", problems[0])
        versions = asked.get("messageVersions") or [{"to": asked["to"]}]
        everyone = [one["email"] for version in versions for one in version["to"]]
        key = self._idempotency(asked)
        if key and key in self._keys and self.clock() - self._keys[key] < _TTL:
            return _error(400, "duplicate_request", "Request with this idempotency key was processed already")
        if not self.verified:
            return _error(400, "invalid_parameter", "Sending has been rejected because the sender is not valid")
        if self.invalid & set(everyone):
            return _error(400, "invalid_parameter", "email is not valid in to")
        if self.room is not None and self.room < len(everyone):
            return _error(402, "not_enough_credits", "You do not have enough credits")
        if key:
            self._keys[key] = self.clock()
        ids = [self._sent(asked, version) for version in versions]
        return reply(201, {"messageIds": ids} if asked.get("messageVersions") else {"messageId": ids[0]})

    @staticmethod
    def _idempotency(asked: dict[str, Any]) -> str:
        names = {name.lower().replace("-", ""): value for name, value in asked.get("headers", {}).items()}
        return str(names.get("idempotencykey", ""))

    def _rules(self, asked: dict[str, Any]) -> Any:  # noqa: C901, PLR0912 - one rule after the other
        if "templateId" in asked or "scheduledAt" in asked or "batchId" in asked:
            yield "templates and schedules are not emulated"
        if not asked.get("htmlContent") or not asked.get("subject"):
            yield "htmlContent or subject is missing"
        if not is_address(asked["sender"].get("email")):
            yield "sender.email is no address"
        versions = asked.get("messageVersions") or [asked]
        everyone = [one["email"] for version in versions for one in version.get("to", ())]
        yield from (f"{one} is no address" for one in everyone if not is_address(one))
        if not 1 <= len(everyone) <= _MOST:
            yield f"{len(everyone)} recipients"
        for version in versions:
            if len(version.get("to", ())) != 1 or version.get("cc") or version.get("bcc"):
                yield "more than one reader in a message"
            if len(str(version.get("params", "")).encode()) > 100_000:
                yield "params over 100 KB"
        if sum(len(str(version.get("params", "")).encode()) for version in versions) > 1_000_000:
            yield "params over 1000 KB together"
        for name in asked.get("headers", {}):
            if name.lower() in _STANDARD:
                yield f"{name} is a standard header"
        key = self._idempotency(asked)
        if key:
            try:
                uuid.UUID(key)
            except ValueError:
                yield "the idempotency key is no UUID"
        for template in (one for part in (asked, *versions) for one in _templates(part)):
            if "{%" in template or "{#" in template:
                yield "a template with statements"

    def _sent(self, asked: dict[str, Any], version: dict[str, Any]) -> str:
        params = version.get("params", asked.get("params", {}))

        def put(template: str) -> str:
            return _TAG.sub(lambda found: str(_looked_up(found[1].strip(), params)), template)

        to = version["to"][0]["email"]
        headers = lower({**asked.get("headers", {}), **version.get("headers", {})})
        headers = {name: value for name, value in headers.items() if name.replace("-", "") != "idempotencykey"}
        sandbox = headers.pop("x-sib-sandbox", "") == "drop"
        headers |= {
            "list-unsubscribe": f"<https://r.brevo.example/un/{new_id()}>",
            "list-unsubscribe-post": "List-Unsubscribe=One-Click",
        }
        message = Message(
            to=to,
            subject=put(version.get("subject", asked.get("subject", ""))),
            html=one_line_end(put(version.get("htmlContent", asked.get("htmlContent", "")))),
            text=one_line_end(put(version.get("textContent", asked.get("textContent", "")))),
            headers=headers,
            sender=f"{asked['sender'].get('name', '')} <{asked['sender']['email']}>",
            reply_to=version.get("replyTo", asked.get("replyTo", {})).get("email", ""),
            metadata={"custom": headers.get("x-mailin-custom", "")},
            tags=tuple(asked.get("tags", ())),
            id=f"<{new_id()}@smtp-relay.mailin.fr>",
            at=self.clock(),
        )
        if not sandbox:
            if to in self.suppressed:
                self.withheld.append(message)
            else:
                self.take(message)
        return message.id

    # --- asking -----------------------------------------------------------------------------------------

    def _events(self, request: Request) -> Reply:
        known = {
            "limit", "offset", "startDate", "endDate", "days", "email", "event", "tags", "messageId", "templateId",
            "sort",
        }  # fmt: skip
        params = request.params
        limit, offset = int(params.get("limit", "2500")), int(params.get("offset", "0"))
        if set(params) - known or not 1 <= limit <= 5000:
            self.breach(request, f"a search with {sorted(params)}")
            return _error(400, "invalid_parameter", "Invalid parameter")
        log = [(one, "requests") for one in (*self.arrived, *self.withheld)]
        log += [(one, "delivered") for one in self.arrived]
        log += [(one, "blocked") for one in self.withheld]
        found = [
            {
                "email": one.to,
                "date": iso(one.at),
                "subject": one.subject,
                "messageId": one.id,
                "event": event,
                "tag": one.tags[0] if one.tags else "",
                "from": one.sender,
            }
            for one, event in log
            if params.get("email", one.to) == one.to
            and params.get("messageId", one.id) == one.id
            and params.get("event", event) == event
            and ("tags" not in params or params["tags"] in one.tags)
        ]
        return reply(200, {"events": found[offset : offset + limit]} if found[offset:] else {})

    def _emails(self, request: Request) -> Reply:
        params = request.params
        if set(params) - {"email", "templateId", "messageId", "startDate", "endDate", "sort", "limit", "offset"}:
            self.breach(request, f"a search with {sorted(params)}")
        if not {"email", "templateId", "messageId"} & set(params):
            self.breach(request, "a search with none of email, templateId, messageId")
            return _error(400, "missing_parameter", "Missing parameter")
        limit, offset = int(params.get("limit", "500")), int(params.get("offset", "0"))
        found = [
            {
                "email": one.to,
                "subject": one.subject,
                "messageId": one.id,
                "uuid": new_id(),
                "date": iso(one.at),
                "from": one.sender,
                "tags": list(one.tags),
            }
            for one in (*self.arrived, *self.withheld)
            if params.get("email", one.to) == one.to and params.get("messageId", one.id) == one.id
        ]
        return reply(200, {"count": len(found), "transactionalEmails": found[offset : offset + limit]})

    def _blocked(self, request: Request) -> Reply:
        params = request.params
        limit, offset = int(params.get("limit", "50")), int(params.get("offset", "0"))
        if set(params) - {"startDate", "endDate", "limit", "offset", "senders", "sort"} or not 1 <= limit <= 100:
            self.breach(request, f"a list with {sorted(params)}")
            return _error(400, "out_of_range", "Limit exceeds max value")
        everyone = sorted(self.suppressed)
        page = [
            {
                "email": one,
                "senderEmail": "letters@quiet.example",
                "reason": {"code": "hardBounce", "message": "Hard bounced"},
                "blockedAt": "2026-01-02T03:04:05.000Z",
            }
            for one in everyone[offset : offset + limit]
        ]
        return reply(200, {"count": len(everyone), "contacts": page})

    def _contact(self, request: Request) -> Reply:
        asked = loaded(request)
        shape = record(
            {"email": text(least=3)},
            {"emailBlacklisted": kind(bool), "updateEnabled": kind(bool), "attributes": kind(dict)},
        )
        if problems := list(shape(asked, "body")):
            self.breach(request, *problems)
            return _error(400, "invalid_parameter", problems[0])
        if asked.get("emailBlacklisted"):
            self.suppressed.add(asked["email"])
        return reply(201, {"id": 1}) if not asked.get("updateEnabled") else Reply(204)


_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def _templates(part: dict[str, Any]) -> list[str]:
    return [part[name] for name in ("subject", "htmlContent", "textContent") if name in part]


def _looked_up(expression: str, params: dict[str, Any]) -> Any:
    """A simple look-up; whatever else there may be in the language gives nothing here."""
    found: Any = {"params": params}
    for step in expression.split("."):
        found = found.get(step, "") if isinstance(found, dict) else ""
    return found


def _error(status: int, code: str, said: str) -> Reply:
    return reply(status, {"code": code, "message": said})
