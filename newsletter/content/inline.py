"""Words within a line, as HTML pieces: the same for mail and page, dressed differently.

Everything written by a person is escaped here, for the place it stands in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from newsletter.content import blocks
from newsletter.core.email import UNSUBSCRIBE_URL, Escape, Pieces, Site

Stream = Iterator[str | Site]


@dataclass(frozen=True)
class Dress:
    """How a line is dressed: attributes (with a leading blank) of its tags, and where pictures are.

    `picture` gets the px a picture is wide, 0 when that is not known; `measure` is the most it may be.
    `merge` keeps merge tags as sites; without it their fallback is written, and a link that leads only
    one reader somewhere is left out: a public page has no reader.
    """

    link: str
    code: str
    picture: Callable[[int], str]
    source: Callable[[blocks.Picture], str]
    measure: int = 0
    merge: bool = True
    bound: tuple[str, str] = ("", "")  # the tags around what may not be split


def attribute(text: str) -> str:
    """Text for a quoted attribute."""
    return html.escape(text)


def text(words: str) -> str:
    """Text between tags."""
    return html.escape(words, quote=False)


def pieces(stream: Iterable[str | Site]) -> Pieces:
    """A stream as pieces: neighbouring literals joined."""
    whole: list[str | Site] = []
    for literal, run in groupby(stream, key=lambda piece: isinstance(piece, str)):
        several = tuple(run)
        whole += ("".join(map(str, several)),) if literal else several
    return tuple(whole)


def line(inside: Iterable[blocks.Inline], dress: Dress) -> Stream:
    """A run of inlines."""
    for part in inside:
        yield from _one(part, dress)


def _one(part: blocks.Inline, dress: Dress) -> Stream:
    match part:
        case blocks.Words(words):
            yield bound(words, dress) if dress.bound[0] else text(words)
        case blocks.Strong(inside):
            yield from _tagged("strong", inside, dress)
        case blocks.Emphasis(inside):
            yield from _tagged("em", inside, dress)
        case blocks.Strike(inside):
            yield from _tagged("s", inside, dress)
        case blocks.Code(words):
            yield f"<code{dress.code}>{text(words)}</code>"
        case blocks.Break():
            yield "<br>"
        case blocks.MergeTag(field, fallback):
            yield Site(field, fallback, Escape.TEXT) if dress.merge else text(fallback)
        case blocks.Picture():
            yield from picture(part, dress.picture, dress)
        case blocks.Link():
            yield from _link(part, dress)


def _tagged(tag: str, inside: tuple[blocks.Inline, ...], dress: Dress) -> Stream:
    yield f"<{tag}>"
    yield from line(inside, dress)
    yield f"</{tag}>"


def _link(link: blocks.Link, dress: Dress) -> Stream:
    if not dress.merge and personal(link.url):
        yield from line(link.inside, dress)
        return
    yield '<a href="'
    yield from address(link.url, merge=dress.merge)
    yield '"'
    if link.title:
        yield ' title="'
        yield from attributed(link.title, link.title_parts, dress)
        yield '"'
    yield f"{dress.link}>"
    yield from line(link.inside, dress)
    yield "</a>"


def personal(url: tuple[str | blocks.MergeTag, ...]) -> bool:
    """Whether an address leads only its one reader somewhere."""
    return any(isinstance(part, blocks.MergeTag) and part.field == UNSUBSCRIBE_URL for part in url)


def address(url: tuple[str | blocks.MergeTag, ...], *, merge: bool) -> Stream:
    """A link's address within a quoted attribute. A reader's whole own address stands as it is (LINK)."""
    for part in url:
        if isinstance(part, str):
            yield attribute(part)
        elif not merge:
            yield attribute(_quoted(part))
        else:
            yield Site(part.field, part.fallback, Escape.LINK if part.field == UNSUBSCRIBE_URL else Escape.URL)


def _quoted(tag: blocks.MergeTag) -> str:
    return quote(tag.fallback, safe="")


def attributed(words: str, parts: blocks.Parts, dress: Dress) -> Stream:
    """A line within a quoted attribute, its merge tags as sites."""
    yield from _line(words, parts, dress, Escape.ATTRIBUTE)


def phrase(words: str, parts: blocks.Parts, dress: Dress) -> Stream:
    """A line of words and merge tags between tags: a label, a caption."""
    yield from _line(words, parts, dress, Escape.TEXT)


def _line(words: str, parts: blocks.Parts, dress: Dress, escape: Escape) -> Stream:
    literal = attribute if escape is Escape.ATTRIBUTE else text
    if not parts or not dress.merge:
        yield literal(words)
        return
    for part in parts:
        yield literal(part) if isinstance(part, str) else Site(part.field, part.fallback, escape)


def picture(part: blocks.Picture, attributes: Callable[[int], str], dress: Dress, *, unknown: int = 0) -> Stream:
    """An image with its size, alternative text, address, and the attributes for its width.

    In: how wide a picture of unknown size is shown, in px (0: as it comes).
    """
    wide, size = unknown, f' width="{unknown}"' if unknown else ""
    if part.asset and part.asset.width:
        wide = min(part.asset.width, dress.measure or part.asset.width)
        size = f' width="{wide}" height="{round(part.asset.height * wide / part.asset.width)}"'
    yield f'<img src="{attribute(dress.source(part))}" alt="'
    yield from attributed(part.alt, part.alt_parts, dress)
    yield f'"{size}{attributes(wide)}>'


_PHONE = r"(?<![\w.+/-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){1,4}(?![\w/-])"
_UNITS = r"a\.?m\.?|p\.?m\.?|uhr|h|min|sec|%|‰|°[CF]?|€|£|\$|USD|EUR|CHF|mm|cm|m|km|mg|g|kg|ml|l|KB|MB|GB|kHz|Hz|px"
_MEASURE = rf"(?<![\w.])\d[\d.,:–-]*[ \u00a0](?:{_UNITS})(?!\w)"
_STEMS = (  # how months begin in the languages that are written with these letters
    "jan|jän|feb|fév|mar|mär|mrt|apr|avr|abr|mai|may|maj|mei|jun|jui|jul|aug|aoû|ago|sep|set|okt|oct|ott|out|nov"
    "|dec|dez|déc|dic|ene|gen|mag|giu|lug"
)
_MONTH = rf"(?:{_STEMS})[^\W\d_]{{0,6}}\.?"
_DAY = rf"(?<![\w.])\d{{1,2}}(?:\.|st|nd|rd|th)?[ \u00a0]{_MONTH}(?:[ \u00a0]\d{{4}})?(?!\w)"
_COUNTED = "chapter|page|part|step|letter|suite|room|floor|figure|table|kapitel|seite|teil"
_DATED = rf"{_MONTH}[ \u00a0]\d{{1,4}}(?:, \d{{4}})?"
_NUMBERED = rf"(?<!\w)(?:{_DATED}|(?:{_COUNTED})[ \u00a0]\d{{1,4}})(?![\w%])(?![-–:,.]\d)"
_NAMED = r"(?<!\w)(?:Dr|Mr|Mrs|Ms|Prof|Rev|St|Hr|Fr|Mme|Sr|Sra|No|Nr|p|pp|vol|art)\. [^\W_][\w’'-]{0,15}"
_TOGETHER = re.compile("|".join(f"(?:{part})" for part in (_PHONE, _MEASURE, _DAY, _NUMBERED, _NAMED)), re.IGNORECASE)
_LONGEST = 24  # what is kept in one piece must fit beside a list's indent on the narrowest phone


def unsplit(words: str) -> Iterator[tuple[bool, str]]:
    """A text in parts, each with whether it may not be split: a telephone number, a day, a time, 20 %, Dr. Vale.

    Such parts stay on one line. Telephones and Gmail make links of some of them; the class around them lets
    the style sheet give those the colour of the text.
    """
    done = 0
    for found in _TOGETHER.finditer(words) if _SIGN.search(words) else ():
        if not re.search("[ -]", found.group()) or len(found.group()) > _LONGEST:
            continue
        if found.start() > done:
            yield False, words[done : found.start()]
        yield True, found.group()
        done = found.end()
    if done < len(words):
        yield False, words[done:]


_SIGN = re.compile(r"\d|\. ")


def bound(words: str, dress: Dress) -> str:
    """Text between tags, with what belongs together kept on one line. Its characters stay as they are."""
    before, after = dress.bound
    if not _SIGN.search(words):
        return text(words)
    return "".join(f"{before}{text(part)}{after}" if together else text(part) for together, part in unsplit(words))


def together(title: tuple[blocks.Inline, ...]) -> tuple[blocks.Inline, ...]:
    """A title whose last two words stay on one line when the last is short, so it is not left alone."""
    if not title or not isinstance(title[-1], blocks.Words):
        return title
    return (*title[:-1], blocks.Words(together_text(title[-1].text)))


SHORT = 8


def together_text(title: str) -> str:
    """The same for plain text."""
    start, blank, last = title.rpartition(" ")
    return f"{start}\u00a0{last}" if start and blank and len(last) <= SHORT else title
