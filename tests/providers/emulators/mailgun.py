"""Mailgun v3: its documentation's sources (mailgun/documentation: api-sending, api-events, api-suppressions,
api-domains, user_manual "Batch Sending" and "Recipient Variables").
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlencode

from newsletter.testing import Reply, Request
from tests.providers.emulators.base import Emulator, Message, lower, mailboxes, new_id, one_line_end, reply

_MOST, _BYTES, _OPTIONS, _PAGE = 1000, 25 * 1024 * 1024, 16 * 1024, 300
_FIELDS = {
    "from", "to", "cc", "bcc", "subject", "text", "html", "amp-html", "template", "t:version", "t:text", "t:variables",
    "recipient-variables", "o:tag", "o:dkim", "o:secondary-dkim", "o:secondary-dkim-public", "o:deliverytime",
    "o:deliverytime-optimize-period", "o:time-zone-localize", "o:testmode", "o:tracking", "o:tracking-clicks",
    "o:tracking-opens", "o:tracking-pixel-location-top", "o:require-tls", "o:skip-verification", "o:sending-ip",
    "o:sending-ip-pool", "o:archive-to", "o:suppress-headers",
}  # fmt: skip
_SWITCHED = {"o:tracking", "o:tracking-clicks", "o:tracking-opens", "o:dkim", "o:testmode"}
_SWITCHES = {"yes", "no", "true", "false", "htmlonly", "True", "False"}
_FILTERS = {
    "begin", "end", "ascending", "limit", "pretty", "event", "list", "attachment", "from", "message-id", "subject",
    "to", "size", "recipient", "recipients", "tags", "severity",
}  # fmt: skip


class Mailgun(Emulator):
    """One domain, `mg.quiet.example`, whose own tracking is off. `delay`: seconds until events can be found."""

    key = "key-secret"
    domain = "mg.quiet.example"
    tracking = False
    delay = 0.0

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.withheld: list[Message] = []

    @property
    def url(self) -> str:
        return f"{super().url}/v3"

    def answer(self, request: Request, path: str) -> Reply:  # noqa: C901, PLR0911 - one route after the other
        known = base64.b64encode(f"api:{self.key}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {known}":
            return Reply(401, b"Forbidden", {"Content-Type": "text/plain"})
        match [request.method, *path.strip("/").split("/")]:
            case ["POST", "v3", self.domain, "messages"]:
                return self._messages(request)
            case ["GET", "v3", self.domain, "events", *page]:
                return self._events(request, page)
            case ["GET", "v3" | "v4", "domains", self.domain]:
                return reply(200, {"domain": {"name": self.domain, "state": "active", "type": "custom"}})
            case ["GET", "v3", "domains", self.domain, "tracking"]:
                off = {"active": self.tracking}
                return reply(200, {"tracking": {"open": off, "click": off, "unsubscribe": {"active": False}}})
            case ["GET", "v3", self.domain, "bounces" | "unsubscribes" | "complaints" as list_]:
                return self._list(request, list_)
            case ["POST", "v3", self.domain, "bounces" | "unsubscribes" | "complaints" as list_]:
                return self._add(request, list_)
            case ["DELETE", "v3", self.domain, "bounces" | "unsubscribes" | "complaints" as list_, who]:
                if who not in self.suppressed:
                    return reply(404, {"message": f"Address not found in {list_} table"})
                self.suppressed.discard(who)
                return reply(200, {"message": "Address has been removed", "address": who})
            case ["POST", "v3", other, "messages"]:
                return reply(404, {"message": f"Domain not found: {other}"})
        return self.nowhere(request, Reply(200, b"Mailgun Magnificent API", {"Content-Type": "text/plain"}))

    # --- sending ----------------------------------------------------------------------------------------

    def _messages(self, request: Request) -> Reply:  # noqa: C901, PLR0911 - in the order in which it refuses
        if len(request.body) > _BYTES:
            self.breach(request, f"{len(request.body)} bytes")
            return _error(413, "request size exceeds 52.4MiB limit")
        fields = _form(request)
        if fields is None:
            self.breach(request, "no form")
            return _error(400, "malformed multipart/form-data request")
        one = dict(fields)
        problems = list(_rules(fields, one))
        try:
            variables = json.loads(one.get("recipient-variables", "{}"))
        except ValueError:
            variables = None
        if not isinstance(variables, dict) or not all(isinstance(value, dict) for value in variables.values()):
            problems.append("'recipient-variables' parameter is not a valid JSON")
        everyone = [who for name, value in fields if name == "to" for who in mailboxes(value) or [""]]
        if "" in everyone:
            problems.append("to parameter is not a valid address. please check documentation")
        if len(everyone) > _MOST:
            problems.append("Too many recipients, max is 1000")
        if len(everyone) > 1 and not problems and set(everyone) - set(variables):
            problems.append("readers without variables: they would see each other")
        if problems:
            self.breach(request, *problems)
            return _error(400, problems[0])
        if not self.verified:
            why = "The domain is unverified and requires DNS configuration."
            return _error(400, f"Domain {self.domain} is not allowed to send: {why}")
        if self.invalid & set(everyone):
            return _error(400, "to parameter is not a valid address. please check documentation")
        if self.room is not None and self.room < len(everyone):
            until = formatdate(self.clock() + 3600, usegmt=True)
            said = f"Domain {self.domain} is not allowed to send: recipient limit exceeded, try again after {until}"
            return _error(429, said)
        id_ = f"{new_id()}@{self.domain}"
        for who in everyone:
            self._sent(fields, who, variables.get(who, {}), id_)
        return reply(200, {"id": f"<{id_}>", "message": "Queued. Thank you."})

    def _sent(self, fields: list[tuple[str, str]], who: str, variables: Mapping[str, Any], id_: str) -> None:
        def value(tag: re.Match[str]) -> str:
            if tag[1] is None:
                return _PREDEFINED[tag[0]].format(who=who, id=id_)
            return str(variables.get(tag[1], "")) if variables else tag[0]

        def put(template: str) -> str:
            return _TAG.sub(value, template)

        one = {name: put(value) for name, value in fields}
        headers = lower({name[2:]: value for name, value in one.items() if name.startswith("h:")})
        off = {"no", "false", "False"}
        message = Message(
            to=who,
            subject=one.get("subject", ""),
            html=one_line_end(one.get("html", "")),
            text=one_line_end(one.get("text", "")),
            headers=headers,
            sender=one["from"],
            reply_to=headers.get("reply-to", ""),
            metadata={name[2:]: value for name, value in one.items() if name.startswith("v:")},
            tags=tuple(value for name, value in fields if name == "o:tag"),
            id=headers.get("message-id", "").strip("<>") or id_,
            at=self.clock(),
            tracked=self.tracking and one.get("o:tracking") not in off,
        )
        if one.get("o:testmode") in {"yes", "true", "True"}:
            return
        if who in self.suppressed:
            self.withheld.append(message)
        else:
            self.take(message)

    # --- events -----------------------------------------------------------------------------------------

    def _events(self, request: Request, page: list[str]) -> Reply:
        params = dict(parse_qsl(base64.urlsafe_b64decode(page[0]).decode())) if page else request.params
        start = int(params.pop("skip", "0"))
        limit = int(params.get("limit", "100"))
        if set(params) - _FILTERS or not 1 <= limit <= _PAGE:
            self.breach(request, f"a search with {sorted(params)}")
            return _error(400, "Bad parameters")
        if "begin" in params and "end" not in params and "ascending" not in params:
            self.breach(request, "a begin with neither an end nor a direction")
            return _error(400, "Bad parameters")
        found = [one for one in self._log() if all(_passes(one, name, value) for name, value in params.items())]
        urls = {
            name: f"{self.url}/{self.domain}/events/{_token({**params, 'skip': str(at)})}"
            for name, at in (("first", 0), ("previous", max(0, start - limit)), ("next", start + limit), ("last", 0))
        }
        return reply(200, {"items": found[start : start + limit], "paging": urls})

    def _log(self) -> list[dict[str, Any]]:
        log = [_event(one, "accepted") for one in (*self.arrived, *self.withheld)]
        log += [_event(one, "delivered") for one in self.arrived]
        log += [
            {**_event(one, "failed"), "severity": "permanent", "reason": "suppress-bounce"} for one in self.withheld
        ]
        return [one for one in log if one["timestamp"] + self.delay <= self.clock()]

    # --- suppressions -----------------------------------------------------------------------------------

    def _list(self, request: Request, list_: str) -> Reply:
        limit = int(request.params.get("limit", "100"))
        if set(request.params) - {"limit", "page", "address", "term"} or not 1 <= limit <= 1000:
            self.breach(request, f"a list with {sorted(request.params)}")
        everyone = sorted(self.suppressed) if list_ == "bounces" else []
        after = request.params.get("address", "")
        rest = [one for one in everyone if one > after]
        page = rest[:limit]
        last = page[-1] if page else after
        url = f"{self.url}/{self.domain}/{list_}"
        next_ = f"{url}?{urlencode({'page': 'next', 'address': last, 'limit': limit})}"
        items = [
            {"address": one, "code": "550", "error": "No such mailbox", "created_at": "Fri, 21 Oct 2011 11:02:55 GMT"}
            for one in page
        ]
        return reply(200, {"items": items, "paging": {"first": url, "next": next_, "previous": url, "last": url}})

    def _add(self, request: Request, list_: str) -> Reply:
        if request.headers.get("content-type", "").startswith("application/json"):
            given = json.loads(request.body)
            if not isinstance(given, list) or not 1 <= len(given) <= _MOST:
                self.breach(request, "no list of at most 1000")
                return _error(400, "Batch size should be less than 1000")
        else:
            given = [dict(_form(request) or [])]
        if any(
            set(one) - {"address", "code", "error", "created_at", "tag", "tags"} or "address" not in one
            for one in given
        ):
            self.breach(request, "an entry with other fields")
            return _error(400, "Missing mandatory parameter: address")
        self.suppressed |= {one["address"] for one in given}
        return reply(200, {"message": f"{len(given)} addresses have been added to the {list_} table"})


_PREDEFINED = {  # user_manual "Template Variables"; they are there with and without variables of our own
    "%recipient%": "{who}",
    "%recipient_email%": "{who}",
    "%recipient_name%": "",
    "%recipient_fname%": "",
    "%recipient_lname%": "",
    "%unsubscribe_url%": "https://email.mg.quiet.example/u/{id}",
    "%tag_unsubscribe_url%": "https://email.mg.quiet.example/u/{id}",
    "%mailing_list_unsubscribe_url%": "https://email.mg.quiet.example/u/{id}",
    "%unsubscribe_email%": "u+{id}",
}
_TAG = re.compile(r"%recipient\.([^%\s]+)%|" + "|".join(_PREDEFINED))


def _rules(fields: list[tuple[str, str]], one: Mapping[str, str]) -> Any:  # noqa: C901, PLR0912 - one rule after the other
    for name, value in fields:
        if name not in _FIELDS and not re.fullmatch(r"(?:h|v|t):[!-~]+", name):
            yield f"unknown field {name}"
        if name.startswith("h:") and re.search(r"[\r\n]", value):
            yield f"a line break in {name}"
        if name in _SWITCHED and value not in _SWITCHES:
            yield f"{name} is {value}"
        if name == "o:tag" and (len(value) > 128 or not value.isascii()):
            yield "a tag of more than 128 ASCII characters"
    for name in ("from", "to"):
        if name not in one:
            yield f"{name} parameter is missing"
    if not (one.get("text") or one.get("html")):
        yield "Need at least one of 'text' or 'html' parameters specified"
    if "cc" in one or "bcc" in one:
        yield "cc or bcc: they would see each other"
    if "from" in one and len(mailboxes(one["from"]) or ()) != 1:
        yield "from parameter is not a valid address. please check documentation"
    size = sum(len(name.encode()) + len(value.encode()) for name, value in fields if name[:2] in {"o:", "h:", "v:"})
    if size > _OPTIONS:
        yield "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total"
    if sum(name == "o:tag" for name, _ in fields) > 10:
        yield "more than ten tags"
    for name in ("from", "subject", "text", "html", "recipient-variables"):
        if sum(name == found for found, _ in fields) > 1:
            yield f"{name} is there twice"


def _form(request: Request) -> list[tuple[str, str]] | None:
    """The fields of a form in either encoding; None when it is none."""
    type_ = request.headers.get("content-type", "")
    try:
        if type_.startswith("application/x-www-form-urlencoded"):
            return parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
        boundary = re.fullmatch(r'multipart/form-data;\s*boundary="?([^";]+)"?', type_)
        return _parts(request.body, boundary[1].encode()) if boundary else None
    except ValueError:
        return None


def _parts(body: bytes, boundary: bytes) -> list[tuple[str, str]] | None:
    """RFC 7578, for text fields."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 3 or pieces[0] or not pieces[-1].startswith(b"--"):
        return None
    found = []
    for piece in pieces[1:-1]:
        head, split, value = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'content-disposition: form-data; name="([^"]*)"(?!; filename)', head, re.IGNORECASE)
        if not split or name is None:
            return None
        found.append((name[1].decode(), value.decode()))
    return found


def _event(one: Message, kind: str) -> dict[str, Any]:
    return {
        "event": kind,
        "id": f"{kind}-{one.id}-{one.to}",
        "timestamp": one.at,
        "recipient": one.to,
        "recipient-domain": one.to.rpartition("@")[2],
        "tags": list(one.tags),
        "user-variables": dict(one.metadata),
        "message": {"headers": {"message-id": one.id, "from": one.sender, "to": one.to, "subject": one.subject}},
        "flags": {"is-test-mode": False},
    }


def _passes(event: dict[str, Any], name: str, value: str) -> bool:
    wanted = [one.strip().strip('"') for one in re.split(r"\s+OR\s+", value.strip("()"))]
    match name:
        case "event" | "recipient" | "severity":
            return event.get(name) in wanted
        case "tags":
            return bool(set(event["tags"]) & set(wanted))
        case "message-id" | "to" | "subject" | "from":
            return event["message"]["headers"][name] in wanted
        case "begin":
            return event["timestamp"] >= _moment(value) - 1
    return True


def _moment(value: str) -> float:
    from email.utils import parsedate_to_datetime

    return float(value) if re.fullmatch(r"[\d.]+", value) else parsedate_to_datetime(value).timestamp()


def _token(params: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(urlencode(params).encode()).decode()


def _error(status: int, said: str) -> Reply:
    return reply(status, {"message": said})
