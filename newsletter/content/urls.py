"""Where a link may lead: https, http, mailto and tel, to a place that is really meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.content.blocks import MergeTag
from newsletter.core.email import UNSUBSCRIBE_URL

_WEB = re.compile(r"https?://(?P<host>[^/?#\s]+)(?P<rest>\S*)", re.IGNORECASE)
_MAIL = re.compile(r"mailto:[^\s@?]+@[^\s@?]+\.[^\s@?]+(?:\?\S*)?", re.IGNORECASE)
_PHONE = re.compile(r"tel:\+?[0-9().\-]{3,}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@/:]+@[^\s@/:]+\.[^\s@/:]+")
_HOST = re.compile(
    r"(?:[^\s.@:]+\.)+(?:[^\s.@:\d]{2,}|xn--[a-z0-9-]+)\.?(?::\d+)?|localhost(?::\d+)?|\[[0-9a-f:]+\]|\d+(?:\.\d+){3}(?::\d+)?"
)
_BARE_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}(?:[/?#]\S*)?")
_PLACEHOLDERS = re.compile(
    r"(?:\W*(?:todo|tbd|xxx+|url|link|here|insert.*|your[-_ ].*|placeholder.*|example)\W*)", re.IGNORECASE
)
_UNMEANT_HOSTS = frozenset({"url", "link", "todo", "yoursite.com", "yourdomain.com", "your-link.com", "website.com"})

_PAGE = "https://www.example.org/page"
_FLAWS = (
    (re.compile("#?"), "this link leads nowhere", _PAGE),
    (re.compile("mailto:.*", re.IGNORECASE), '"{url}" is not a whole address', "mailto:name@example.org"),
    (re.compile("tel:.*", re.IGNORECASE), '"{url}" is not a whole telephone number', "tel:+1-909-555-0100"),
    (re.compile("#.*"), "links within the letter do not work in mail programs", "Link to a page, or remove it."),
    (_PLACEHOLDERS, '"{url}" is a placeholder, no address', _PAGE),
    (_ADDRESS, "this link to an email address needs mailto: before it", "mailto:{url}"),
    (_BARE_HOST, "this link needs https:// before it", "https://{url}"),
    (re.compile(r"\.{0,2}/.*"), "a mail has no site of its own, so a link must be a whole address", _PAGE),
    (re.compile(r"[A-Za-z][\w+.-]*:.*"), 'a link cannot begin with "{scheme}:"', "Begin it with https://"),
)


@dataclass(frozen=True)
class Flaw:
    """What is wrong with an address, what to write instead, and whether it can go all the same."""

    message: str
    fix: str
    warning: bool = False


def flaw(url: Sequence[str | MergeTag]) -> Flaw | None:
    """Judge an address: literal text with merge tags between. Out: None when it is in order."""
    parts = [part for part in url if part != ""]
    if len(parts) == 1 and isinstance(parts[0], MergeTag) and parts[0].field == UNSUBSCRIBE_URL:
        return None
    if any(isinstance(part, MergeTag) and part.field == UNSUBSCRIBE_URL for part in parts):
        return Flaw("the way out must be a link's whole address", "[Unsubscribe]({{ unsubscribe_url }})")
    if parts and isinstance(parts[0], MergeTag):
        return Flaw(
            "a link must begin with https:// and a site before a merge tag", "https://www.example.org/?name=..."
        )
    return _literal("".join(part if isinstance(part, str) else "tag" for part in parts))


def _literal(url: str) -> Flaw | None:
    text = url.strip()
    if web := _WEB.fullmatch(text):
        return _web(text, web["host"].rpartition("@")[2])
    if _MAIL.fullmatch(text) or _PHONE.fullmatch(text):
        return None
    for pattern, message, fix in _FLAWS:
        if pattern.fullmatch(text):
            scheme = text.partition(":")[0][:20]
            return Flaw(message.format(url=_short(text), scheme=scheme), fix.format(url=text))
    return Flaw(f'"{_short(text)}" is not a web address', _PAGE)


def _web(url: str, host: str) -> Flaw | None:
    if host.lower() in _UNMEANT_HOSTS or url.rstrip("/") == _PAGE:
        return Flaw(f'"{_short(url)}" is a placeholder, no address', "Put the real address here.")
    if not _HOST.fullmatch(host):
        return Flaw(f'"{_short(host)}" is not the name of a site', "https://www.example.org/page")
    if url[:5].lower() == "http:":
        return Flaw("this link is not encrypted (http:)", "https:" + url[5:], warning=True)
    return None


def _short(text: str) -> str:
    most = 40
    return text if len(text) <= most else text[:most] + "…"
