"""What an issue's body is made of, once read: blocks of inlines, each with its line.

The dialect reads Markdown into these; mail, archive page and text part are written from them. They hold
content only, no looks. `line` counts from 1 in the issue file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# --- inlines ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """Plain text, unescaped."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Bold."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True)
class Emphasis:
    """Italic."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True)
class Strike:
    """Struck through."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True)
class Code:
    """Inline code."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link; `url` is absolute (https, http, mailto, tel) and may hold merge tags as `MergeTag` parts."""

    url: tuple[str | MergeTag, ...]
    inside: tuple[Inline, ...]
    title: str = ""


@dataclass(frozen=True)
class Break:
    """A line break the writer meant."""


@dataclass(frozen=True)
class MergeTag:
    """`{{ field, "fallback" }}`, neutral until a provider spells it."""

    field: str
    fallback: str


@dataclass(frozen=True)
class Asset:
    """A picture of the publication: `name` carries a hash of its bytes; sizes in CSS pixels."""

    path: str  # from the publication's root
    name: str  # as served: <hash>-<safe name>
    width: int
    height: int
    size: int  # bytes


@dataclass(frozen=True)
class Picture:
    """An image within a line, or the content of an `Image` block. `asset` is None for an https image."""

    src: str
    alt: str
    asset: Asset | None = None


Inline = Words | Strong | Emphasis | Strike | Code | Link | Break | MergeTag | Picture

# --- blocks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heading:
    """Level 2 or 3; the leading emoji, if any, is taken off the words: it is an ornament."""

    level: int
    emoji: str
    inside: tuple[Inline, ...]
    line: int = 0


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    inside: tuple[Inline, ...]
    line: int = 0


@dataclass(frozen=True)
class Listing:
    """A list; each item is a run of blocks. `start` counts ordered lists."""

    ordered: bool
    items: tuple[tuple[Block, ...], ...]
    start: int = 1
    line: int = 0


@dataclass(frozen=True)
class Quote:
    """A quotation, with its source when the last line was `— Name`."""

    inside: tuple[Block, ...]
    source: tuple[Inline, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Image:
    """A picture in a block of its own."""

    picture: Picture
    caption: str = ""
    link: str = ""
    line: int = 0


@dataclass(frozen=True)
class Divider:
    """A pause."""

    line: int = 0


@dataclass(frozen=True)
class Button:
    """A paragraph that was only `[Words](url){.button}`."""

    url: tuple[str | MergeTag, ...]
    inside: tuple[Inline, ...]
    secondary: bool = False
    line: int = 0


@dataclass(frozen=True)
class CodeBlock:
    """Preformatted text."""

    text: str
    language: str = ""
    line: int = 0


@dataclass(frozen=True)
class Table:
    """A table with a header row; `align` per column: start, center, end."""

    header: tuple[tuple[Inline, ...], ...]
    rows: tuple[tuple[tuple[Inline, ...], ...], ...]
    align: tuple[Literal["start", "center", "end"], ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Callout:
    """A tinted box with a label: `::: callout Label`, or `> [!TIP]` (kind names the label's default)."""

    kind: Literal["callout", "note", "tip", "important", "warning", "caution"]
    label: str
    inside: tuple[Block, ...]
    line: int = 0


@dataclass(frozen=True)
class Card:
    """A framed box; begins with an image or not."""

    inside: tuple[Block, ...]
    line: int = 0


@dataclass(frozen=True)
class MagnetCard:
    """The offer of a free resource, by its key in newsletter.yml; own text replaces `about`."""

    key: str
    inside: tuple[Block, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Unready:
    """A block of the dialect that this version reads but cannot render; always beside an error."""

    name: str
    line: int = 0


Block = (
    Heading
    | Paragraph
    | Listing
    | Quote
    | Image
    | Divider
    | Button
    | CodeBlock
    | Table
    | Callout
    | Card
    | MagnetCard
    | Unready
)


@dataclass(frozen=True)
class Body:
    """The whole text of an issue, in reading order."""

    blocks: tuple[Block, ...] = field(default_factory=tuple)
