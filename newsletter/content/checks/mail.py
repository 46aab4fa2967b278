"""The mail itself, once it is rendered: what must be in it, and what must not (E211, E300, E303, E304, E306, W316)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tinycss2
from selectolax.lexbor import LexborHTMLParser

from newsletter.content.checks import addresses
from newsletter.content.checks.case import Case
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Pieces, Site, fill
from newsletter.core.problem import Level, Problem

HTML_WARN, HTML_MOST = 80_000, 95_000  # bytes; Gmail cuts a mail off after about 102 KB
STYLE_MOST = 16_384  # characters in all <style>; Gmail drops every one beyond (hteumeuleu/email-bugs 90)
_STUB = 0.5  # of the words of the other part


def size(case: Case) -> Iterator[Problem]:
    """How big it is (E303)."""
    if case.email is None:
        return
    size = len(fill(case.email.html, {}).encode())
    if size > HTML_WARN:
        level = Level.ERROR if size > HTML_MOST else Level.WARNING
        message = f"the mail has {size:,} bytes, and mail programs cut it off after about 100,000"
        yield case.whole("E303", message, "Put part of it on a page and link to it.", level)


def style(case: Case) -> Iterator[Problem]:
    """Styles that Gmail would drop (E304)."""
    if case.email is None:
        return
    sheets = re.findall(r"<style\b[^>]*>(.*?)</style>", seen(case.email.html), re.DOTALL | re.IGNORECASE)
    total = sum(map(len, sheets))
    fix = "Shorten the styles in templates/email/ of this publication."
    if total > STYLE_MOST:
        message = f"the styles have {total:,} characters, and Gmail drops them all beyond {STYLE_MOST:,}"
        yield case.whole("E304", message, fix, Level.ERROR)
    if nested := next((name for sheet in sheets for name in _nested(sheet)), ""):
        message = f"the styles have @{nested} inside another @ rule, and Gmail drops them all for it"
        yield case.whole("E304", message, "Take the inner rule out of the other.", Level.ERROR)


def seen(pieces: Pieces) -> str:
    """The mail as other programs than Outlook for Windows see it: without what is for that one alone."""
    html = re.sub(r"<!--\[if !mso\]><!-->|<!--<!\[endif\]-->", "", fill(pieces, {}))
    return re.sub(r"<!--\[if [^\]]*\]>.*?<!\[endif\]-->", "", html, flags=re.DOTALL)


def _nested(sheet: str) -> Iterator[str]:
    for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True):
        if rule.type == "at-rule" and rule.content is not None and rule.lower_at_keyword in {"media", "supports"}:
            for inner in tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True):
                if inner.type == "at-rule":
                    yield str(inner.lower_at_keyword)


def imprint(case: Case) -> Iterator[Problem]:
    """The way out and the postal address, in both parts (CAN-SPAM, RFC 8058): a template may lose them (E300)."""
    if case.email is None:
        return
    first = _words(case.publication.footer.address)[:2]
    for name, pieces, said in _parts(case.email):
        if not any(isinstance(piece, Site) and piece.field == UNSUBSCRIBE_URL for piece in pieces):
            message = f"the {name} has no link to unsubscribe"
            yield case.whole("E300", message, "Put the footer back into templates/ of this publication.", Level.ERROR)
        if first and any(word not in said for word in first):
            message = f"the {name} lacks the postal address"
            yield case.whole("E300", message, "Put the footer back into templates/ of this publication.", Level.ERROR)


def plain_part(case: Case) -> Iterator[Problem]:
    """A text part that is missing or says less than half of the letter (E306, W316)."""
    if case.email is None:
        return
    (_, _, shown), (_, plain, said) = _parts(case.email)
    file = _file(case)
    if not said or len(said) < _STUB * min(len(shown), 400):
        message = f"the text part{file} says {len(said)} words, and the letter {len(shown)}"
        fix = "Write all of it there, or delete plain: and it is made of the letter."
        yield case.about("plain", "E306", message, fix, Level.ERROR)
        return
    if case.issue.plain:
        here = fill(plain, {})
        lost = [place for place in case.links if _web(place.address) and place.address.rstrip("/") not in here]
        if lost:
            message = f"the text part{file} lacks {len(lost)} of the links, first {lost[0].address}"
            yield case.about("plain", "W316", message, "Add them there.")


def _file(case: Case) -> str:
    name = case.head.plain().get("plain")
    return f" ({name})" if isinstance(name, str) else ""


def _web(url: str) -> bool:
    return url.lower().startswith(("https://", "http://"))


def _parts(email: Email) -> tuple[tuple[str, Pieces, list[str]], tuple[str, Pieces, list[str]]]:
    """Both parts: their name, their pieces, their words."""
    tree = LexborHTMLParser(seen(email.html))
    body = tree.body.text(separator=" ") if tree.body else ""
    return (("mail", email.html, _words(body)), ("text part", email.text, _words(fill(email.text, {}))))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def third_parties(case: Case) -> Iterator[Problem]:
    """Promise 7: nothing in the mail is fetched from a site that is not our own (E211)."""
    if case.email is None:
        return
    html = seen(case.email.html)
    own = {addresses.host(url) for url in (case.publication.images.base_url, *_own(case.email)) if url}
    told = set(_named(case))
    for what, url in _fetched(html):
        name = addresses.host(url)
        if name and name not in own and url not in told:
            message = f"the mail fetches {what} from {name}, which tells that site who reads this"
            fix = "Take it out of templates/ or the theme of this publication."
            yield case.whole("E211", message, fix, Level.ERROR)


def _own(email: Email) -> Iterator[str]:
    """Where we are at home: the address of the list is in a header of ours."""
    for name, pieces in email.headers:
        if name.lower() == "list-id":  # <letter.the-host-of-the-base-url>, RFC 2919
            yield from (f"https://{host}" for host in re.findall(r"<letter\.([\w.-]+)>$", fill(pieces, {})))


def _named(case: Case) -> Iterator[str]:
    """Pictures that were told already, at their line."""
    yield from re.findall(r"https?://[^\s)\"'>]+", case.issue.source)


def _fetched(html: str) -> Iterator[tuple[str, str]]:
    tree = LexborHTMLParser(html)
    for selector, attribute, what in (
        ("img[src]", "src", "a picture"),
        ("link[href]", "href", "a style or font"),
        ("iframe[src], script[src], embed[src], source[src], video[src], audio[src]", "src", "something"),
        ("[background]", "background", "a picture"),
    ):
        for node in tree.css(selector):
            yield what, node.attributes.get(attribute) or ""
    for url in re.findall(r"(?:@import\s+(?:url\()?|url\()\s*['\"]?(https?:[^'\")\s;]+)", html, re.IGNORECASE):
        yield "a style, font or picture", url
