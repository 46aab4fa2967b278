"""Words within a line, as HTML pieces: the same for mail and page, dressed differently.

Everything written by a person is escaped here, for the place it stands in.
"""

from __future__ import annotations

import html
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
            yield text(words)
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
            yield picture(part, dress.picture, dress)
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
    yield f'" title="{attribute(link.title)}"{dress.link}>' if link.title else f'"{dress.link}>'
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


def picture(part: blocks.Picture, attributes: Callable[[int], str], dress: Dress, *, unknown: int = 0) -> str:
    """An image with its size, alternative text, address, and the attributes for its width.

    In: how wide a picture of unknown size is shown, in px (0: as it comes).
    """
    wide, size = unknown, f' width="{unknown}"' if unknown else ""
    if part.asset and part.asset.width:
        wide = min(part.asset.width, dress.measure or part.asset.width)
        size = f' width="{wide}" height="{round(part.asset.height * wide / part.asset.width)}"'
    return f'<img src="{attribute(dress.source(part))}" alt="{attribute(part.alt)}"{size}{attributes(wide)}>'


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
