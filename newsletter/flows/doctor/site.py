"""Doctor's look at the web side, from outside, as a mail program and a visitor meet it.

In: the public address, a way to ask it, a doctor's token. Out: findings. Changes nothing there, but that the server
remembers that doctor came by (which shows that it works on this very database).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

from newsletter.flows.doctor.finding import Family, Finding, Kind

WEB = Family(
    "web",
    {
        "unreachable": Kind("error", "Nobody can sign up, confirm, download or leave."),
        "not-ours": Kind("error", "Links in mails lead to something else than the web side."),
        "certificate": Kind("error", "Browsers stop visitors, and mail programs hide the one-click way out."),
        "certificate-ends": Kind("warning", "When it ends, browsers stop visitors."),
        "plain-http": Kind("warning", "Who types the address without https is not led to it."),
        "no-hsts": Kind("note", "A browser that has been here may still be led to plain http once."),
        "one-click": Kind(
            "error", "Mail programs leave in a reader's name by this request (RFC 8058); it has to work."
        ),
        "one-click-redirects": Kind("error", "RFC 8058 forbids a redirect here: mail programs stop, and readers stay."),
        "one-click-cookie": Kind("error", "A way out must not set a cookie (RFC 8058)."),
        "one-click-elsewhere": Kind("error", "Readers who leave there are not taken off the list here."),
        "leave-page": Kind("error", "Who opens the link in a browser must find the button."),
        "third-party": Kind("error", "Somebody else learns who visits."),
        "no-policy": Kind("warning", "Without it a mistake in a page could load what it should not."),
        "webhook-open": Kind("error", "Anybody can report bounces and complaints, and so take readers off."),
        "webhook-shut": Kind("error", "What the provider reports is turned away."),
        "clock": Kind("warning", "Links that expire, and mail that is due, go by this clock."),
        "old-site": Kind("note", "People who know the practice's site do not find the free resources."),
    },
)

_SOON = timedelta(days=14)
_SKEW = timedelta(seconds=30)
_ONE_CLICK = b"List-Unsubscribe=One-Click"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_LOADS = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc\s*=\s*[\"']?(?P<a>https?:)?//(?P<host>[^/\"'\s>]+)"
    r"|<link\b[^>]*\brel=[\"']?(?:stylesheet|preload|icon)[^>]*\bhref\s*=\s*[\"']?(?:https?:)?//(?P<link>[^/\"'\s>]+)",
    re.IGNORECASE,
)
_OK, _MOVED, _REFUSED, _NOT_FOUND = 200, range(300, 400), 403, 404


class Unreached(Exception):
    """Nobody answered; the message says why, in words."""


class Untrusted(Unreached):
    """The certificate is not valid."""


@dataclass(frozen=True)
class Answer:
    """An answer. Header names in lower case; `expires` is the certificate's end, None without one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    expires: datetime | None = None


class Site(Protocol):
    """Asks one thing of one machine, and follows no redirect."""

    def ask(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """Raises: Unreached, Untrusted."""
        ...


@dataclass(frozen=True)
class Visit:
    """What is looked at. `token` is a doctor's; `seen` tells whether the server has written that it came."""

    base_url: str
    token: str
    now: Callable[[], datetime]
    seen: Callable[[], bool] | None = None
    webhooks: Sequence[str] = ()  # providers whose secret is set
    old_site: str = ""


def look(visit: Visit, site: Site) -> list[Finding]:
    """Every fault of the web side, each once."""
    base = visit.base_url.rstrip("/")
    try:
        health = site.ask("GET", f"{base}/healthz")
    except Untrusted as problem:
        return [WEB.found("certificate", f"{base}: {problem}.", "Renew it; Caddy does so by itself (deploy/).")]
    except Unreached as problem:
        fix = "Start `newsletter serve`, and see that the web server in front leads to it."
        return [WEB.found("unreachable", f"{base}: {problem}.", fix)]
    if health.status != _OK:
        said = f"{base}/healthz answers {health.status}."
        return [WEB.found("not-ours", said, "See that the web server in front leads to `newsletter serve`.")]
    parts = (
        _line(base, health, visit, site),
        _leaving(base, visit, site),
        _pages(base, site),
        _hooks(base, visit, site),
    )
    return [*(one for part in parts for one in _safely(part, base)), *_safely(_old(base, visit, site), base)]


def _safely(part: Iterator[Finding], base: str) -> Iterator[Finding]:
    try:
        yield from part
    except Unreached as problem:
        yield WEB.found("unreachable", f"{base}: {problem}.", "Run doctor again, and look at the server's log.")


def _line(base: str, health: Answer, visit: Visit, site: Site) -> Iterator[Finding]:
    if health.expires is not None and health.expires - visit.now() < _SOON:
        said = f"The certificate of {urlsplit(base).hostname} ends on {health.expires:%Y-%m-%d}."
        yield WEB.found("certificate-ends", said, "Renew it; Caddy does so by itself (deploy/).")
    if (date := health.headers.get("date")) and (away := abs(parsedate_to_datetime(date) - visit.now())) > _SKEW:
        what = f"The server's clock and this machine's are {away.total_seconds():.0f} seconds apart."
        yield WEB.found("clock", what, "Let both be set by the network (timedatectl set-ntp true).")
    if base.startswith("https://"):
        if not health.headers.get("strict-transport-security"):
            what = f"{base} sends no Strict-Transport-Security."
            yield WEB.found("no-hsts", what, "Let the web server in front add it (deploy/Caddyfile does).")
        yield from _plain(base, site)


def _plain(base: str, site: Site) -> Iterator[Finding]:
    plain = "http://" + base.removeprefix("https://")
    try:
        answer = site.ask("GET", f"{plain}/")
    except Unreached:
        return  # a closed door leads nobody astray
    if answer.status not in _MOVED or not answer.headers.get("location", "").startswith("https://"):
        yield WEB.found("plain-http", f"{plain} answers {answer.status}.", "Let it lead to https (Caddy does).")


def _leaving(base: str, visit: Visit, site: Site) -> Iterator[Finding]:
    url = f"{base}/unsubscribe/{visit.token}"
    answer = site.ask("POST", url, headers=_FORM, body=_ONE_CLICK)
    if answer.status in _MOVED:
        said = f"A one-click POST is led on to another address ({answer.status})."
        yield WEB.found("one-click-redirects", said, "Let NEWSLETTER_BASE_URL be the address that answers itself.")
    elif answer.status != _OK:
        said = f"A one-click POST is answered {answer.status}."
        yield WEB.found("one-click", said, "See that nothing in front (a firewall, a login) stops POST /unsubscribe/.")
    elif visit.seen is not None and not visit.seen():
        said = "The server works on another database, or with other keys."
        fix = "Give both the same NEWSLETTER_DATABASE_URL and NEWSLETTER_SECRET_KEYS."
        yield WEB.found("one-click-elsewhere", said, fix)
    if "set-cookie" in answer.headers:
        yield WEB.found(
            "one-click-cookie", "The answer to a one-click POST sets a cookie.", "Let nothing in front add one."
        )
    shown = site.ask("GET", url)
    if shown.status != _OK or b"<form" not in shown.body:
        said = f"The page behind an unsubscribe link answers {shown.status}."
        yield WEB.found("leave-page", said, "See that nothing in front changes /unsubscribe/.")


def _pages(base: str, site: Site) -> Iterator[Finding]:
    page = site.ask("GET", f"{base}/")
    own = urlsplit(base).netloc
    others = sorted(
        {
            host
            for found in _LOADS.finditer(page.body.decode("utf-8", "replace"))
            if (host := found["host"] or found["link"]) != own
        }
    )
    if others:
        yield WEB.found(
            "third-party", f"The signup page loads from {', '.join(others)}.", "Take it out, or serve it yourself."
        )
    if "default-src" not in page.headers.get("content-security-policy", ""):
        yield WEB.found(
            "no-policy", "The signup page comes without its Content-Security-Policy.", "Let nothing in front remove it."
        )


def _hooks(base: str, visit: Visit, site: Site) -> Iterator[Finding]:
    for name in visit.webhooks:
        answer = site.ask("POST", f"{base}/webhooks/{name}", headers={"Content-Type": "application/json"}, body=b"[]")
        if answer.status == _OK:
            said = f"/webhooks/{name} takes what nobody has signed."
            yield WEB.found("webhook-open", said, "Set the provider's webhook secret on the server.")
        elif answer.status != _REFUSED:
            said = f"/webhooks/{name} answers {answer.status}."
            fix = "Set the provider's webhook secret on the server too, and let nothing in front stop POST /webhooks/."
            yield WEB.found("webhook-shut", said, fix)


def _old(base: str, visit: Visit, site: Site) -> Iterator[Finding]:
    old = visit.old_site.rstrip("/")
    if not old or urlsplit(old).netloc == urlsplit(base).netloc:
        return
    try:
        answer = site.ask("GET", f"{old}/free-offerings")
    except Unreached:
        return
    if answer.status in _MOVED and answer.headers.get("location", "").startswith(f"{base}/"):
        return
    if answer.status == _OK and base.encode() in answer.body:
        return
    fix = f"Let it lead to {base}/free-offerings (a redirect, 301)."
    yield WEB.found("old-site", f"{old}/free-offerings does not lead to the web side.", fix)
