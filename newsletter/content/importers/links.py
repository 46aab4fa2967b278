"""Addresses in running text made into links, and the redirects of other programs taken off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.content.importers.stream import Rich, Run, merged

_TOP = "com|org|net|edu|gov|io|co|info|app|me|health|care|de|at|ch|fr|es|it|uk|us|ca|au|eu|nl|be|mx|il|jp|cn|tw"
_FOUND = re.compile(
    r"(?P<angle><(?P<inner>(?:https?://|mailto:|www\.)[^<>\s]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>)"
    r"|(?P<url>(?:https?://|www\.)[^\s<>\"“”„«»]+)"
    r"|(?P<mail>(?:mailto:)?(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    rf"|(?P<bare>(?<![\w@./-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_TOP})(?:/[^\s<>\"“”„«»]*)?(?![\w@]|-\w|\.\w))",
    re.IGNORECASE,
)
_SIGN = re.compile(r"[.@]")  # no address without one
_TRAILING = ".,;:!?'’”…。，；：！？、）」』*_"
_CJK_STOP = re.compile("[\u3000-\u303f\u3040-\u30ff\u4e00-\u9fff\uff00-\uffef\u0590-\u06ff]")


def linked(rich: Rich) -> Rich:
    """The same words, with every address in them a link."""
    whole: list[Run] = []
    for one in rich:
        if one.href or one.src or one.code or one.raw or not _SIGN.search(one.text):
            whole.append(one)
        else:
            whole.extend(_parts(one))
    return merged(whole)


def _parts(one: Run) -> Iterator[Run]:
    done = 0
    text = one.text
    for found in _FOUND.finditer(text):
        start, end, shown, href = _address(found)
        if not href or start < done:
            continue
        yield replace(one, text=text[done:start])
        yield replace(one, text=shown, href=href)
        done = end
    yield replace(one, text=text[done:])


def _address(found: re.Match[str]) -> tuple[int, int, str, str]:
    if found["angle"]:
        shown = found["inner"].removeprefix("mailto:")
        return found.start(), found.end(), shown, _href(found["inner"])
    shown = _trimmed(found.group())
    if found["bare"] and not found["url"] and "/" not in shown and shown != shown.lower():
        return 0, 0, "", ""  # Booking.com is a name
    if found["url"] and not re.match(r"(?:https?://)?[^\s/.]+\.[^\s/]", shown, re.IGNORECASE):
        return 0, 0, "", ""
    start = found.start()
    return start, start + len(shown), shown.removeprefix("mailto:"), _href(shown)


def _trimmed(text: str) -> str:
    """Without the punctuation of the sentence it stands in."""
    if stop := _CJK_STOP.search(text):
        text = text[: stop.start()]
    while text:
        if text[-1] in _TRAILING or (
            text[-1] in ")]" and text.count(text[-1]) > text.count("(["[")]".index(text[-1])])
        ):
            text = text[:-1]
        else:
            break
    return text


def _href(shown: str) -> str:
    if shown.lower().startswith(("http://", "https://", "mailto:")):
        return unwrapped(shown)
    return f"mailto:{shown}" if "@" in shown.split("/", maxsplit=1)[0] else f"https://{shown}"


def web(text: str) -> str:
    """A line that is an address, as an address: with https:// and without brackets."""
    return _href(_trimmed(text.strip().strip("<>()")))


_REDIRECTS = (
    (re.compile(r"(?:www\.)?google\.[a-z.]+\Z"), "/url", ("q", "url")),
    (re.compile(r".*\.safelinks\.protection\.outlook\.com\Z"), "", ("url",)),
    (re.compile(r"l\.facebook\.com\Z|lm\.facebook\.com\Z"), "/l.php", ("u",)),
    (re.compile(r"urldefense\.proofpoint\.com\Z"), "/v2/url", ()),
)


def unwrapped(url: str) -> str:
    """The address a redirect of a mail or document program leads to; any other as it is."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return url.strip()
    for site, path, keys in _REDIRECTS:
        if site.match(host) and parts.path.startswith(path):
            query = parse_qs(parts.query)
            for key in keys:
                if target := next((one for one in query.get(key, []) if re.match(r"https?://|mailto:", one)), ""):
                    return target
            if not keys and (coded := query.get("u")):
                return unquote(coded[0].replace("-", "%").replace("_", "/"))
    return url.strip()
