"""What an issue's body is made of, once read: blocks of inlines, each with its line.

The dialect reads Markdown into these; mail, archive page and text part are written from them. They hold
content only, no looks. `line` counts from 1 in the issue file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    title_parts: Parts = ()


@dataclass(frozen=True)
class Break:
    """A line break the writer meant."""


@dataclass(frozen=True)
class MergeTag:
    """`{{ field, "fallback" }}`, neutral until a provider spells it."""

    field: str
    fallback: str


Parts = tuple[str | MergeTag, ...]
"""A line that can hold words and merge tags only: a caption, a label, what a picture shows.

Beside each such line stands its text as a reader without a name has it; the parts are empty when it has no tag.
"""


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
    """An image within a line, or the content of an `Image` block. `asset` is None for an https image.

    `alt` is empty for decoration, which its writer has called so.
    """

    src: str
    alt: str
    asset: Asset | None = None
    alt_parts: Parts = ()


Inline = Words | Strong | Emphasis | Strike | Code | Link | Break | MergeTag | Picture

# --- blocks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heading:
    """Level 2 or 3; the leading emoji, if any, is taken off the words: it is an ornament."""

    level: int
    emoji: str
    inside: tuple[Inline, ...]
    line: int = 0
    anchor: str = ""  # where a list of contents leads
    first: bool = field(default=False, compare=False)  # no larger one stands before it

    @property
    def rank(self) -> int:
        """Its level in the outline, which skips none (WCAG 2.2, 1.3.1): a small one that comes first is a 2."""
        return 2 if self.first else min(max(self.level, 2), 3)


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
    caption_parts: Parts = ()


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
    label_parts: Parts = ()


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
class Columns:
    """Two or three columns beside each other, one below the other where there is no room."""

    columns: tuple[tuple[Block, ...], ...]
    line: int = 0


@dataclass(frozen=True)
class AuthorCard:
    """Who wrote this, by their key in newsletter.yml; own text replaces `about`."""

    key: str
    inside: tuple[Block, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Poll:
    """A question and its answers. `urls` has a link for each answer once it is known where answers go."""

    key: str
    question: tuple[Block, ...]
    answers: tuple[tuple[Inline, ...], ...]
    line: int = 0
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Only:
    """Blocks for some: `::: only clients`, `::: only web`; with `but`, for all others: `::: not clients`."""

    names: tuple[str, ...]
    inside: tuple[Block, ...]
    but: bool = False
    line: int = 0


@dataclass(frozen=True)
class Inserted:
    """`{{ snippet "key" }}`: the blocks of another file. Their lines are lines of `file`."""

    key: str
    file: str
    inside: tuple[Block, ...]
    line: int = 0


@dataclass(frozen=True)
class Contents:
    """The headings of a letter, each with the anchor it has there. Made by us, never written."""

    entries: tuple[tuple[str, tuple[Inline, ...]], ...]
    line: int = 0


@dataclass(frozen=True)
class Aside:
    """A line of our own in small type, after the text: a question, a way to share. Made by us, never written."""

    inside: tuple[Inline, ...]
    line: int = 0


@dataclass(frozen=True)
class Unready:
    """In the place of a block that cannot be made; always beside an error."""

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
    | Columns
    | AuthorCard
    | Poll
    | Only
    | Inserted
    | Contents
    | Aside
    | Unready
)


def within(block: Block) -> tuple[tuple[Block, ...], ...]:
    """The runs of blocks that stand inside a block, in reading order."""
    match block:
        case Listing(_, items):
            return items
        case Columns(columns):
            return columns
        case Poll():
            return (block.question,)
        case Quote() | Callout() | Card() | MagnetCard() | AuthorCard() | Only() | Inserted():
            return (block.inside,)
        case _:
            return ()


def walk(body: Iterable[Block], file: str = "") -> Iterator[tuple[Block, str]]:
    """Every block, those inside others too, with the file its `line` counts in (snippets have their own).

    In: blocks, the name of the file they were read from.
    """
    for block in body:
        yield block, file
        for run in within(block):
            yield from walk(run, block.file if isinstance(block, Inserted) else file)


@dataclass(frozen=True)
class Body:
    """The whole text of an issue, in reading order."""

    blocks: tuple[Block, ...] = field(default_factory=tuple)
