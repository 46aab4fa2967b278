"""SendGrid v3: its OpenAPI file (sendgrid-oai), docs "Mail Send errors", "Rate limits", "Suppressions"."""

from __future__ import annotations

import re
import time
from typing import Any

from newsletter.testing import Reply, Request
from tests.providers.emulators.base import (
    Emulator,
    Message,
    is_address,
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

_MOST, _BYTES, _SUBSTITUTIONS, _CUSTOM_ARGS = 1000, 30 * 1024 * 1024, 10_000, 10_000
_PERSON = record({"email": text(least=3)}, {"name": text()})
_HEADERS = table(text(pattern=r"[ -~]*"), name=text(pattern=r"[!-9;-~]+"))  # others must be encoded beforehand
_RESERVED = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
_ENABLED = {"enable": kind(bool)}
_SEND = record(
    {
        "personalizations": rows(
            record(
                {"to": rows(_PERSON, least=1, most=1000)},
                {
                    "from": _PERSON,
                    "cc": rows(_PERSON),
                    "bcc": rows(_PERSON),
                    "subject": text(least=1),
                    "headers": _HEADERS,
                    "substitutions": table(text()),
                    "dynamic_template_data": kind(dict),
                    "custom_args": table(text()),
                    "send_at": kind(int),
                },
            ),
            least=1,
            most=1000,
        ),
        "from": _PERSON,
        "subject": text(least=1),
        "content": rows(record({"type": text(least=1), "value": text(least=1)}), least=1),
    },
    {
        "reply_to": _PERSON,
        "reply_to_list": rows(_PERSON, most=1000),
        "attachments": rows(kind(dict)),
        "template_id": text(),
        "sections": table(text()),
        "headers": _HEADERS,
        "categories": rows(text(most=255), most=10),
        "custom_args": table(text()),
        "send_at": kind(int),
        "batch_id": text(),
        "asm": record({"group_id": kind(int)}, {"groups_to_display": rows(kind(int), most=25)}),
        "ip_pool_name": text(least=2, most=64),
        "mail_settings": record(
            {},
            {
                "bypass_list_management": record({}, _ENABLED),
                "bypass_spam_management": record({}, _ENABLED),
                "bypass_bounce_management": record({}, _ENABLED),
                "bypass_unsubscribe_management": record({}, _ENABLED),
                "footer": record({}, {**_ENABLED, "text": text(), "html": text()}),
                "sandbox_mode": record({}, _ENABLED),
            },
        ),
        "tracking_settings": record(
            {},
            {
                "click_tracking": record({}, {**_ENABLED, "enable_text": kind(bool)}),
                "open_tracking": record({}, {**_ENABLED, "substitution_tag": text()}),
                "subscription_tracking": record(
                    {}, {**_ENABLED, "text": text(), "html": text(), "substitution_tag": text()}
                ),
                "ganalytics": record(
                    {},
                    {
                        **_ENABLED,
                        **{f"utm_{one}": text() for one in ("source", "medium", "term", "content", "campaign")},
                    },
                ),
            },
        ),
    },
)
_LISTS = ("bounces", "blocks", "invalid_emails", "spam_reports")


class Sendgrid(Emulator):
    """An account whose clicks and opens are tracked unless a call says otherwise, as new accounts come."""

    key = "SG.a-secret-key"

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.withheld: list[Message] = []
        self.unsubscribed: set[str] = set()

    @property
    def url(self) -> str:
        return f"{super().url}/v3"

    def answer(self, request: Request, path: str) -> Reply:  # noqa: C901, PLR0911 - one route after the other
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, "The provided authorization grant is invalid, expired, or revoked")
        match [request.method, *path.strip("/").split("/")]:
            case ["POST", "v3", "mail", "send"]:
                return self._send(request)
            case ["GET", "v3", "scopes"]:
                return reply(200, {"scopes": ["mail.send", "suppression.read", "user.credits.read"]})
            case ["GET", "v3", "user", "credits"]:
                left = 100_000 if self.room is None else self.room
                told = {"remain": left, "total": 100_000, "overage": 0, "used": 100_000 - left}
                return reply(200, {**told, "last_reset": "2026-11-01", "next_reset": "2026-12-01"})
            case ["GET", "v3", "tracking_settings", "open" | "click" | "subscription"]:
                return reply(200, {"enabled": True})
            case ["GET", "v3", "whitelabel", "domains"]:
                return reply(200, [{"id": 1, "domain": "letters.quiet.example", "valid": True, "default": True}])
            case ["GET", "v3", "suppression", "unsubscribes"]:
                return self._page(request, sorted(self.unsubscribed))
            case ["GET", "v3", "suppression", list_] if list_ in _LISTS:
                return self._page(request, sorted(self.suppressed) if list_ == "bounces" else [])
            case ["DELETE", "v3", "suppression", list_, *who] if list_ in _LISTS:
                return self._delete(request, who)
            case ["POST", "v3", "asm", "suppressions", "global"]:
                return self._add(request)
            case ["DELETE", "v3", "asm", "suppressions", "global", who]:
                self.unsubscribed.discard(who)
                return Reply(204)
        return self.nowhere(request, _error(404, "not found"))

    # --- sending ----------------------------------------------------------------------------------------

    def _send(self, request: Request) -> Reply:  # noqa: PLR0911 - in the order in which it refuses
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            self.breach(request, "Content-Type is not application/json")
            return _error(415, "Content-Type should be application/json.")
        if len(request.body) > _BYTES:
            self.breach(request, f"{len(request.body)} bytes")
            return _error(413, "The message is too large.")
        asked = loaded(request)
        problems = list(_SEND(asked, "body")) or list(self._rules(asked))
        if problems:
            self.breach(request, *problems)
            return _error(400, problems[0])
        if not self.verified:
            said = "The from address does not match a verified Sender Identity."
            return _error(403, said, "from")
        for place, one in enumerate(asked["personalizations"]):
            if one["to"][0]["email"] in self.invalid:
                return _error(400, "Does not contain a valid address.", f"personalizations.{place}.to.0.email")
        if self.room is not None and self.room < len(asked["personalizations"]):
            return _error(401, "Maximum credits exceeded")
        id_ = new_id().replace("-", "")[:22]
        for one in asked["personalizations"]:
            self._sent(asked, one, id_)
        return Reply(202, b"", {"X-Message-Id": id_, **self._limits()})

    def _limits(self) -> dict[str, str]:
        reset = str(int(time.time()) + 60)
        return {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599", "X-RateLimit-Reset": reset}

    def _rules(self, asked: Any) -> Any:
        everyone = [one["email"] for part in asked["personalizations"] for one in part["to"]]
        if len(everyone) > _MOST:
            yield f"{len(everyone)} recipients"
        if len({one.lower() for one in everyone}) != len(everyone):
            yield "an address is there twice"
        yield from (f"{one} is no address" for one in [asked["from"]["email"], *everyone] if not is_address(one))
        types = [one["type"] for one in asked["content"]]
        if types != sorted(types, key=["text/plain", "text/html"].index):
            yield f"content in the order {types}"
        for part in asked["personalizations"]:
            if len(part["to"]) != 1 or part.get("cc") or part.get("bcc"):
                yield "more than one reader in a personalization"
            if _size(part.get("substitutions", {})) > _SUBSTITUTIONS:
                yield "substitutions over 10,000 bytes"
            if _size({**asked.get("custom_args", {}), **part.get("custom_args", {})}) > _CUSTOM_ARGS:
                yield "custom_args over 10,000 bytes"
            names = {name.lower() for name in (*asked.get("headers", {}), *part.get("headers", {}))}
            yield from (f"the header {name} is reserved" for name in sorted(names & _RESERVED))
        if asked.get("asm") or asked.get("template_id"):
            yield "asm and templates are not emulated"

    def _sent(self, asked: dict[str, Any], part: dict[str, Any], id_: str) -> None:
        to = part["to"][0]["email"]
        put = _substitution(part.get("substitutions", {}))
        bodies = {one["type"]: one_line_end(put(one["value"])) for one in asked["content"]}
        tracking = asked.get("tracking_settings", {})
        message = Message(
            to=to,
            subject=put(part.get("subject", asked["subject"])),
            html=bodies.get("text/html", ""),
            text=bodies.get("text/plain", ""),
            headers=lower({**asked.get("headers", {}), **part.get("headers", {})}),
            sender=f"{asked['from'].get('name', '')} <{asked['from']['email']}>",
            reply_to=asked.get("reply_to", {}).get("email", ""),
            metadata={**asked.get("custom_args", {}), **part.get("custom_args", {})},
            tags=tuple(asked.get("categories", ())),
            id=f"{id_}.recvd-{new_id()[:8]}",
            at=self.clock(),
            tracked=any(
                tracking.get(name, {}).get("enable", True)
                for name in ("click_tracking", "open_tracking", "subscription_tracking")
            ),
        )
        if asked.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return
        if to in self.suppressed | self.unsubscribed:
            self.withheld.append(message)
        else:
            self.take(message)

    # --- suppressions -----------------------------------------------------------------------------------

    def _page(self, request: Request, everyone: list[str]) -> Reply:
        unknown = set(request.params) - {"start_time", "end_time", "limit", "offset", "email"}
        if unknown:
            self.breach(request, f"a list with {sorted(unknown)}")
        start, limit = int(request.params.get("offset", "0")), int(request.params.get("limit", "500"))
        page = everyone[start : start + limit]
        rest = {"reason": "550 5.1.1 no such mailbox", "status": "5.1.1"}
        return reply(200, [{"created": 1_760_000_000, "email": one, **rest} for one in page])

    def _add(self, request: Request) -> Reply:
        asked = loaded(request)
        if problems := list(record({"recipient_emails": rows(text(), least=1)})(asked, "body")):
            self.breach(request, *problems)
            return _error(400, problems[0])
        self.unsubscribed |= set(asked["recipient_emails"])
        return reply(201, asked)

    def _delete(self, request: Request, who: list[str]) -> Reply:
        asked = loaded(request) if request.body else {"emails": who}
        if problems := list(record({}, {"emails": rows(text()), "delete_all": kind(bool)})(asked, "body")):
            self.breach(request, *problems)
        self.suppressed -= set(asked.get("emails", ()))
        return Reply(204)


def _size(values: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in values.items())


def _substitution(values: dict[str, str]) -> Any:
    """Each tag by its value, all at once; nothing is escaped. In subject and bodies, not in headers."""
    if not values:
        return lambda template: template
    tags = re.compile("|".join(re.escape(one) for one in sorted(values, key=len, reverse=True)))
    return lambda template: tags.sub(lambda found: values[found[0]], template)


def _error(status: int, said: str, field: str | None = None) -> Reply:
    return reply(status, {"errors": [{"message": said, "field": field, "help": None}]})
