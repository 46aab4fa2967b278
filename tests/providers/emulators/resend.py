"""Resend: https://resend.com/docs/api-reference (and its OpenAPI file), .../api-reference/errors,
.../dashboard/emails/idempotency-keys, changelog "Batch Validation Modes".
"""

from __future__ import annotations

import hashlib
from typing import Any

from newsletter.testing import Reply, Request
from tests.providers.emulators.base import (
    Emulator,
    Message,
    either,
    iso,
    kind,
    loaded,
    lower,
    mailboxes,
    new_id,
    one_line_end,
    record,
    reply,
    rows,
    table,
    text,
)

_MOST, _BYTES, _DAY = 100, 40 * 1024 * 1024, 24 * 3600

_PEOPLE = either(text(least=3), rows(text(least=3), least=1, most=50))
_TAG = text(least=1, most=256, pattern=r"[A-Za-z0-9_-]+")
_EMAIL = {
    "bcc": _PEOPLE,
    "cc": _PEOPLE,
    "reply_to": _PEOPLE,
    "html": text(),
    "text": text(),
    "headers": table(text(pattern=r"[^\r\n]*"), name=text(pattern=r"[!-9;-~]+")),
    "tags": rows(record({"name": _TAG, "value": _TAG})),
    "topic_id": text(),
}
_REQUIRED = {"from": text(least=3), "to": _PEOPLE, "subject": text(least=1)}
_BATCH_EMAIL = record(_REQUIRED, _EMAIL)
_ONE_EMAIL = record(_REQUIRED, {**_EMAIL, "scheduled_at": text(), "attachments": rows(kind(dict))})
_EMAILS = record({"emails": rows(text(), least=1, most=100)})


class Resend(Emulator):
    """A team with one verified domain. `rate`: calls a second it takes, None = any."""

    key = "re_secret_key"
    domain = "letters.quiet.example"
    tracking = False

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._answers: dict[str, tuple[float, bytes, Reply]] = {}

    def answer(self, request: Request, path: str) -> Reply:  # noqa: C901, PLR0911 - one route after the other
        if not request.headers.get("user-agent"):
            return Reply(403, b"error code: 1010")
        if "authorization" not in request.headers:
            return _error(401, "missing_api_key", "Missing API key in the authorization header.")
        if request.headers["authorization"] != f"Bearer {self.key}":
            return _error(403, "invalid_api_key", "API key is invalid")
        match [request.method, *path.strip("/").split("/")]:
            case ["POST", "emails", "batch"]:
                return self._keyed(request, self._batch)
            case ["POST", "emails"]:
                return self._keyed(request, self._single)
            case ["GET", "domains"]:
                return reply(200, {"object": "list", "has_more": False, "data": [self._domain()]})
            case ["GET", "domains", _]:
                return reply(200, {"object": "domain", **self._domain(), "records": []})
            case ["GET", "suppressions"]:
                return self._suppressions(request)
            case ["POST", "suppressions", "batch", ("add" | "remove") as verb]:
                return self._batch_of_suppressions(request, verb)
            case ["POST", "suppressions"]:
                self.suppressed.add(loaded(request)["email"])
                return reply(201, {"object": "suppression", "id": new_id()})
            case ["DELETE", "suppressions", who]:
                self.suppressed.discard(who)
                return reply(200, {"object": "suppression", "id": new_id(), "deleted": True})
        return self.nowhere(request, _error(404, "not_found", "The requested endpoint does not exist."))

    def _domain(self) -> dict[str, Any]:
        return {
            "id": "d91cd9bd-1176-453e-8fc1-35364d380206",
            "name": self.domain,
            "status": "verified",
            "created_at": "2026-01-01 00:00:00.000000+00",
            "region": "us-east-1",
            "open_tracking": self.tracking,
            "click_tracking": self.tracking,
        }

    # --- sending ----------------------------------------------------------------------------------------

    def _keyed(self, request: Request, work: Any) -> Reply:
        """The same key within 24 hours: the same answer, or 409 for another body."""
        key = request.headers.get("idempotency-key")
        if key is None:
            return work(request)
        if not 1 <= len(key) <= 256:
            self.breach(request, f"an idempotency key of {len(key)} characters")
            return _error(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        digest = hashlib.sha256(request.body).digest()
        known = self._answers.get(key)
        if known and self.clock() - known[0] < _DAY:
            if known[1] != digest:
                self.breach(request, "the same idempotency key with another body")
                return _error(409, "invalid_idempotent_request", "Same idempotency key used with a different payload.")
            return known[2]
        told = work(request)
        if told.status < 300:
            self._answers[key] = (self.clock(), digest, told)
        return told

    def _batch(self, request: Request) -> Reply:
        mode = request.headers.get("x-batch-validation", "strict")
        emails = loaded(request)
        if mode not in {"strict", "permissive"} or not isinstance(emails, list) or not 1 <= len(emails) <= _MOST:
            self.breach(request, f"validation {mode}, {len(emails) if isinstance(emails, list) else 'no'} emails")
            return _error(422, "validation_error", "The batch must contain between 1 and 100 emails.")
        if len(request.body) > _BYTES:
            self.breach(request, f"{len(request.body)} bytes")
            return _error(422, "validation_error", "The payload is too large.")
        if not self.verified:
            return _error(403, "validation_error", f"The {self.domain} domain is not verified.")
        if self.room is not None and self.room < len(emails):
            return _error(429, "daily_quota_exceeded", "You have reached your daily email sending quota.")
        errors = {at: said for at, one in enumerate(emails) if (said := self._wrong(request, one, _BATCH_EMAIL))}
        if errors and mode == "strict":
            return _error(422, "validation_error", next(iter(errors.values())))
        data = [{"id": self._sent(one)} for at, one in enumerate(emails) if at not in errors]
        body: dict[str, Any] = {"data": data}
        if mode == "permissive":
            body["errors"] = [{"index": at, "message": said} for at, said in errors.items()]
        return reply(200, body)

    def _single(self, request: Request) -> Reply:
        one = loaded(request)
        if self.room is not None and self.room < 1:
            return _error(429, "daily_quota_exceeded", "You have reached your daily email sending quota.")
        if said := self._wrong(request, one, _ONE_EMAIL):
            return _error(422, "validation_error", said)
        return reply(200, {"id": self._sent(one)})

    def _wrong(self, request: Request, one: Any, shape: Any) -> str:
        """Why an email is refused, or "". A reader's bad address is no breach of ours."""
        problems = list(shape(one, "email"))
        to = None if problems else mailboxes(", ".join(one["to"]) if isinstance(one["to"], list) else one["to"])
        if not problems and (to is None or mailboxes(one["from"]) is None):
            problems.append("from or to is no mailbox")
        if not problems and (len(to or ()) != 1 or one.get("cc") or one.get("bcc")):
            problems.append("more than one reader in a message")
        if not problems and not (one.get("html") or one.get("text")):
            problems.append("neither html nor text")
        if problems:
            self.breach(request, *problems)
            return f"Invalid `email`: {problems[0]}"
        assert to is not None
        return "Invalid `to` field. The email address is not valid." if to[0] in self.invalid else ""

    def _sent(self, one: dict[str, Any]) -> str:
        to = mailboxes(one["to"][0] if isinstance(one["to"], list) else one["to"])
        assert to is not None
        reply_to = one.get("reply_to", "")
        message = Message(
            to=to[0],
            subject=one["subject"],
            html=one_line_end(one.get("html", "")),
            text=one_line_end(one.get("text", "")),
            headers=lower(one.get("headers", {})),
            sender=one["from"],
            reply_to=reply_to if isinstance(reply_to, str) else ", ".join(reply_to),
            metadata={tag["name"]: tag["value"] for tag in one.get("tags", ())},
            tags=tuple(tag["value"] for tag in one.get("tags", ())),
            id=new_id(),
            at=self.clock(),
            tracked=self.tracking,
        )
        self.take(message)
        return message.id

    # --- suppressions -----------------------------------------------------------------------------------

    def _suppressions(self, request: Request) -> Reply:
        unknown = set(request.params) - {"origin", "limit", "after", "before"}
        limit = int(request.params.get("limit", "20"))
        if unknown or not 1 <= limit <= 100:
            self.breach(request, f"a list with {sorted(request.params)}")
            return _error(422, "validation_error", "The limit must be between 1 and 100.")
        everyone = sorted(self.suppressed)
        ids = [hashlib.sha256(one.encode()).hexdigest()[:32] for one in everyone]
        start = ids.index(request.params["after"]) + 1 if request.params.get("after") in ids else 0
        data = [
            {"id": id_, "email": one, "origin": "bounce", "source_id": None, "created_at": iso(0.0)}
            for id_, one in list(zip(ids, everyone, strict=True))[start : start + limit]
        ]
        return reply(200, {"object": "list", "has_more": start + limit < len(everyone), "data": data})

    def _batch_of_suppressions(self, request: Request, verb: str) -> Reply:
        asked = loaded(request)
        if problems := list(_EMAILS(asked, "body")):
            self.breach(request, *problems)
            return _error(422, "validation_error", problems[0])
        (self.suppressed.update if verb == "add" else self.suppressed.difference_update)(asked["emails"])
        rest = {} if verb == "add" else {"deleted": True}
        return reply(200, {"data": [{"object": "suppression", "id": new_id(), **rest} for _ in asked["emails"]]})


def _error(status: int, name: str, said: str) -> Reply:
    return reply(status, {"statusCode": status, "name": name, "message": said})
