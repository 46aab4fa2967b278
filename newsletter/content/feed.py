"""The letters as an Atom feed (RFC 4287), for whoever would rather read them there than in a mailbox.

In: public pages as they were frozen, and when they went out. Out: the feed's bytes, the same for the same input.
It holds what the pages hold: nothing of a reader, and nothing that counts one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from selectolax.lexbor import LexborHTMLParser

MEDIA_TYPE = "application/atom+xml"
_ATOM = "http://www.w3.org/2005/Atom"
_XML = "http://www.w3.org/XML/1998/namespace"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One letter. `id` never changes, wherever the site moves; `content` is HTML."""

    id: str
    url: str
    title: str
    at: datetime
    summary: str
    content: str
    lang: str


def entry(html: str, *, url: str, at: datetime) -> Entry:
    """Read a letter's entry off its public page.

    In: the page as it was frozen; where it is today; when it went out. Its id is the address it was frozen with.
    """
    tree = LexborHTMLParser(html)
    title, article = tree.css_first("h1"), tree.css_first("article")
    named = " ".join(title.text().split()) if title else ""
    if title and article:
        title.decompose()
    return Entry(
        id=_attribute(tree, 'link[rel="canonical"]', "href") or url,
        url=url,
        title=named,
        at=at,
        summary=_attribute(tree, 'meta[name="description"]', "content"),
        content=(article.inner_html or "").strip() if article else "",
        lang=_attribute(tree, "html", "lang"),
    )


def _attribute(tree: LexborHTMLParser, where: str, name: str) -> str:
    found = tree.css_first(where)
    return (found.attributes.get(name) or "") if found else ""


def atom(name: str, entries: Sequence[Entry], *, address: str, site: str, lang: str) -> bytes:
    """Write the feed.

    In: the publication's name; entries, newest first; the feed's own address and the page of all letters; the
    publication's language.
    """
    feed = ET.Element("feed", {"xmlns": _ATOM, f"{{{_XML}}}lang": lang})
    _add(feed, "id", address)
    _add(feed, "title", name)
    _add(feed, "updated", _moment(max((one.at for one in entries), default=_EPOCH)))
    _add(feed, "link", rel="self", type=MEDIA_TYPE, href=address)
    _add(feed, "link", rel="alternate", type="text/html", href=site)
    _add(_add(feed, "author"), "name", name)
    for one in entries:
        _entry(feed, one)
    body: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _entry(feed: ET.Element, one: Entry) -> None:
    under = _add(feed, "entry")
    if one.lang:
        under.set(f"{{{_XML}}}lang", one.lang)
    _add(under, "id", one.id)
    _add(under, "title", one.title)
    _add(under, "updated", _moment(one.at))
    _add(under, "published", _moment(one.at))
    _add(under, "link", rel="alternate", type="text/html", href=one.url)
    if one.summary:
        _add(under, "summary", one.summary)
    if one.content:
        _add(under, "content", one.content, type="html")


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, name, attributes)
    made.text = _NOT_XML.sub("", text) or None
    return made


def _moment(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
