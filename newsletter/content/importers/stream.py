"""The stream every format is read into: pieces in reading order, each with its words and where it stood.

Words are runs: text with the marks the source gave it. A run is cut by plain offsets, so the rules can
look at the text alone and take a marker off its beginning without losing a link or a bold word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from newsletter.errors import NewsletterError

LETTER_MOST = 200_000  # characters
LINES_MOST = 5_000  # lines or paragraphs


@dataclass(frozen=True)
class Run:
    """Some words with their marks. `src` makes it a picture, whose words are what it says."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    href: str = ""
    src: str = ""
    raw: bool = False  # Markdown already: written as it is

    @property
    def marks(self) -> tuple[bool, bool, bool, bool, str, bool]:
        """All but the words."""
        return (self.bold, self.italic, self.strike, self.code, self.href, self.raw)


Rich = tuple[Run, ...]


class Kind(StrEnum):
    """What a piece is, or TEXT when that is still to be judged."""

    TEXT = "text"
    HEADING = "heading"
    ITEM = "item"
    QUOTE = "quote"
    RULE = "rule"
    TABLE = "table"
    CODE = "code"
    BUTTON = "button"
    PICTURE = "picture"
    VERBATIM = "verbatim"


@dataclass(frozen=True)
class Piece:
    """A line, a paragraph or a block.

    `line` counts from 1 in the source (0: the source has no lines); `gap`: blank space stood before it;
    `level` is a heading's size (1 the largest) or an item's depth (0 the outermost); `sure`: the source
    said so itself, nothing was guessed.
    """

    kind: Kind
    rich: Rich = ()
    line: int = 0
    gap: bool = False
    level: int = 0
    ordered: bool = False
    number: int = 0
    rows: tuple[tuple[Rich, ...], ...] = ()
    style: str = ""  # "title", "subtitle", "joined" ...
    sure: bool = False
    group: int = 0  # items of one list share it
    of_item: bool = False  # a paragraph that belongs to the item before it
    mark: str = ""  # the marker as it was typed: "1. ", "一、"

    @property
    def text(self) -> str:
        """The words alone."""
        return plain(self.rich)


@dataclass(frozen=True)
class Source:
    """What a reader of a format found."""

    pieces: tuple[Piece, ...]
    title: str = ""
    called: str = ""  # what a page is called, for want of a title in its text
    preheader: str = ""
    footer: tuple[str, ...] = ()  # lines of a footer the format itself marks
    files: tuple[Attached, ...] = ()
    front: dict[str, str] = field(default_factory=dict)  # subject, preheader, date, lang ... as typed
    notes: tuple[tuple[int, str], ...] = ()  # line and what to tell the editor
    dense: bool = False  # blank lines mean nothing here


def judge_size(characters: int, lines: int) -> None:
    """Raises: NewsletterError for more than a letter can be."""
    todo = "Take out a part, or make several files of it."
    if characters > LETTER_MOST:
        raise NewsletterError(f"This is longer than a letter can be (more than {LETTER_MOST:,} characters).", todo)
    if lines > LINES_MOST:
        raise NewsletterError(f"This has more lines than a letter can have (more than {LINES_MOST:,}).", todo)


@dataclass(frozen=True)
class Attached:
    """A picture that came along; `name` stands in the pieces as `src`."""

    name: str
    content: bytes = field(repr=False)


def run(text: str) -> Rich:
    """Plain words."""
    return (Run(text),) if text else ()


def plain(rich: Rich) -> str:
    """The words alone."""
    return "".join(one.text for one in rich)


def cut(rich: Rich, start: int = 0, end: int | None = None) -> Rich:
    """The runs between two offsets of the plain text."""
    last = len(plain(rich)) if end is None else end
    kept: list[Run] = []
    at = 0
    for one in rich:
        begin, stop = max(start - at, 0), min(last - at, len(one.text))
        if begin < stop:
            kept.append(replace(one, text=one.text[begin:stop]))
        elif one.src and start <= at <= last and not one.text:
            kept.append(one)
        at += len(one.text)
    return tuple(kept)


def stripped(rich: Rich) -> Rich:
    """Without blanks at the ends."""
    text = plain(rich)
    return cut(rich, len(text) - len(text.lstrip()), len(text.rstrip()))


def joined(parts: Iterable[Rich], between: str) -> Rich:
    """Several as one, with something between."""
    whole: list[Run] = []
    for part in parts:
        if whole and part:
            whole.append(Run(between, raw=whole[-1].raw and part[0].raw))
        whole.extend(part)
    return merged(whole)


def merged(runs: Iterable[Run]) -> Rich:
    """Neighbours with the same marks as one; empty ones dropped."""
    whole: list[Run] = []
    for one in runs:
        if not one.text and not one.src:
            continue
        if whole and not one.src and not whole[-1].src and one.marks == whole[-1].marks:
            whole[-1] = replace(one, text=whole[-1].text + one.text)
        else:
            whole.append(one)
    return tuple(whole)


def all_bold(rich: Rich) -> bool:
    """Whether every word is bold."""
    worded = [one for one in rich if one.text.strip()]
    return bool(worded) and all(one.bold for one in worded)


_STARRED = re.compile(r"(\*\*|__)(?!\s)(.+?)(?<!\s)\1", re.DOTALL)


def raw_bold(rich: Rich) -> str:
    """The words of Markdown that is bold as a whole; empty for any other."""
    text = plain(rich).strip()
    found = _STARRED.fullmatch(text) if rich and all(one.raw for one in rich) else None
    return found[2] if found and found[1] not in found[2] else ""
