"""The text part of a letter: everything the other part says, made to be read in a terminal.

In: an issue and its publication. Out: pieces whose merge sites are plain. 72 cells wide, counted as a
terminal shows them; an address is never broken; links are numbered and listed after their section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.content import blocks, facts, furniture, graphemes, merge, variants
from newsletter.content.blocks import Block, Inline, MergeTag
from newsletter.content.furniture import Room
from newsletter.content.inline import unsplit
from newsletter.content.issue import Issue, Nearby
from newsletter.content.phrases import plain
from newsletter.content.words import words as vocabulary_of
from newsletter.core.email import UNSUBSCRIBE_URL, Escape, Pieces, Site
from newsletter.core.publication import Publication

__all__ = ["letter", "minutes", "plain", "words"]

WIDTH = 72
PER_MINUTE = 230  # words, read at ease
SIGNATURE = "-- "  # mail programs dim what follows, and leave it out of answers (RFC 3676, 4.3)


def letter(
    issue: Issue,
    publication: Publication,
    *,
    base_url: str,
    archive_url: str,
    root: Path | None = None,
    segments: frozenset[str] = frozenset(),
    before: Nearby | None = None,
    after: Nearby | None = None,
) -> Pieces:
    """The complete text part.

    In: the issue and publication, the web side's base URL, the issue's public page ("" when it has none),
    the publication's root when it has words of its own, the segments its readers are in, the letters before
    and after it. Out: pieces; sites are PLAIN, in links URL.
    """
    issue = variants.chosen(issue, variants.EMAIL, segments)
    base = base_url.rstrip("/")
    page = _Page(issue, publication, base, root)
    room = Room(publication, page.words, archive_url or f"{base}/", before, after)
    body = page.handwritten() if issue.plain else page.body(furniture.whole(issue, room))
    parts = [page.masthead(), body, page.footer(archive_url)]
    return page.sheet.pieces("\n".join(line for part in parts for line in part) + "\n")


def words(body: Iterable[Block]) -> int:
    """How many words a body has; of writing without blanks, two signs are about one."""
    return sum(counted(part) for part in said(body))


def counted(part: str) -> int:
    """The words of one text."""
    if part.isascii():
        return len(_WORD.findall(part))
    signs = len(_UNSPACED.findall(part))
    return len(_WORD.findall(_UNSPACED.sub(" ", part))) + -(-signs // 2)


_WORD = re.compile(r"\w[\w'’.-]*")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def minutes(body: Iterable[Block]) -> int:
    """How long a body is read, in minutes, at least 1."""
    return minutes_of(words(body))


def minutes_of(count: int) -> int:
    """How long so many words are read, in minutes, at least 1."""
    return max(1, round(count / PER_MINUTE))


def said(body: Iterable[Block]) -> Iterator[str]:
    """Every text of a body, in reading order, without looks and addresses."""
    for block in body:
        yield from _said(block)


def _said(block: Block) -> Iterator[str]:  # noqa: C901, PLR0912 -- one case for each block
    match block:
        case blocks.Heading() | blocks.Paragraph() | blocks.Button():
            yield plain(block.inside)
        case blocks.Listing(_, items):
            for item in items:
                yield from said(item)
        case blocks.Quote(inside, source):
            yield from said(inside)
            yield plain(source)
        case blocks.Image(picture, caption):
            yield from (picture.alt, caption)
        case blocks.CodeBlock(text):
            yield text
        case blocks.Table(header, rows):
            yield from (plain(cell) for row in (header, *rows) for cell in row)
        case blocks.Callout(_, label, inside):
            yield label
            yield from said(inside)
        case blocks.Poll(_, question, answers):
            yield from said(question)
            yield from (plain(answer) for answer in answers)
        case blocks.Aside(inside):
            yield plain(inside)
        case blocks.Contents() | blocks.Divider() | blocks.Unready():
            return  # said by the headings themselves, or nothing
        case _:
            for run in blocks.within(block):
                yield from said(run)


# --- lines with merge sites in them ----------------------------------------------------------------

_TIED = "\x01"  # a blank at which no line may end; no text holds this sign


def unbroken(text: str) -> str:
    """A text whose telephone numbers, days and the like stay on one line."""
    return "".join(part.replace(" ", _TIED) if together else part for together, part in unsplit(text))


_MARK = re.compile("\0(\\d+)\0")  # no text holds U+0000: it is refused where issues are read


@dataclass
class _Sheet:
    """Text in which a merge site is a mark that no line break can split."""

    sites: list[Site] = field(default_factory=list)

    def mark(self, tag: MergeTag, escape: Escape) -> str:
        """The mark of a merge tag."""
        self.sites.append(Site(tag.field, tag.fallback, Escape.PLAIN if tag.field == UNSUBSCRIBE_URL else escape))
        return f"\0{len(self.sites) - 1}\0"

    def merged(self, text: str, publication: Publication) -> str:
        """A line of front matter with marks for its merge tags."""
        parts = merge.parts(text, publication.fields)
        return "".join(part if isinstance(part, str) else self.mark(part, Escape.PLAIN) for part in parts)

    def address(self, parts: Iterable[str | MergeTag]) -> str:
        """A link's address with marks for its merge tags."""
        return "".join(part if isinstance(part, str) else self.mark(part, Escape.URL) for part in parts)

    def width(self, text: str) -> int:
        """Cells of a text, merge sites counted by their fallback."""
        if "\0" not in text:
            return graphemes.width(text)
        return graphemes.width(_MARK.sub(lambda mark: self.sites[int(mark[1])].fallback, text))

    def wrap(self, text: str, width: int) -> list[str]:
        """Lines of at most `width` cells, as far as blanks allow; a longer word stands alone."""
        return [line for part in text.split("\n") for line in self._fill(part, width)]

    def _fill(self, text: str, width: int) -> list[str]:
        """Words put into lines, each measured once: what joins two words is one blank."""
        if len(text) <= width and text.isascii() and "\0" not in text:
            return [" ".join(filter(None, text.split(" ")))]
        lines: list[str] = []
        line: list[str] = []
        used = 0
        for blank, word in self._words(text, width):
            cells = self.width(word)
            if line and used + len(blank) + cells > width:
                lines.append("".join(line))
                line, used = [], 0
            joined = blank + word if line else word
            line.append(joined)
            used += cells + len(joined) - len(word)
        return [*lines, "".join(line)]

    def _words(self, text: str, width: int) -> Iterator[tuple[str, str]]:
        """Each word with the blank before it; the signs of a long one in a script written without blanks."""
        for word in filter(None, text.split(" ")):
            if len(word) * 2 <= width or self.width(word) <= width or not _WIDE.search(word):
                yield " ", word
                continue
            first, *rest = filter(None, re.split(f"({_WIDE.pattern})", word))
            yield " ", first
            yield from (("", part) for part in rest)

    def pieces(self, text: str) -> Pieces:
        """The text with its sites."""
        parts = _MARK.split(text.replace(_TIED, " "))
        return tuple(self.sites[int(part)] if at % 2 else part for at, part in enumerate(parts) if at % 2 or part)


_WIDE = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff60\u3001-\u3003][\u3001\u3002\uff0c\uff01\uff1f]*"
)


def _indented(lines: Iterable[str], first: str, rest: str) -> list[str]:
    return [((first if at == 0 else rest) + line).rstrip() for at, line in enumerate(lines)]


class _Page:
    """One letter being written."""

    def __init__(self, issue: Issue, publication: Publication, base_url: str, root: Path | None) -> None:
        self.issue = issue
        self.publication = publication
        self.base_url = base_url
        self.words = vocabulary_of(issue.lang, root)
        self.sheet = _Sheet()
        self.numbers: dict[str, int] = {}
        self.pending: list[str] = []  # addresses of the section at hand

    # --- head and foot --------------------------------------------------------------------------

    def masthead(self) -> list[str]:
        """Who writes, the title, when."""
        title = self.sheet.wrap(self.sheet.merged(self.issue.title or self.issue.subject, self.publication), WIDTH)
        parts = facts.of_issue(self.issue, minutes(self.issue.body), self.words)
        line = self.sheet.wrap(" · ".join(parts), WIDTH) if parts else []
        return [self.publication.name, "", *self._underlined(title, "="), *line, ""]

    def footer(self, archive_url: str) -> list[str]:
        """Why this came, the way out, and who is responsible."""
        foot, said = self.publication.footer, self.words
        leave = self.sheet.mark(MergeTag(UNSUBSCRIBE_URL, ""), Escape.PLAIN)
        replies = said["mail.replies"].format(replies=foot.replies) if foot.replies else ""
        care = " ".join(part for part in (foot.disclaimer, self.publication.crisis_text, replies) if part)
        health = self.publication.health_privacy_url
        groups = [
            [said["mail.why"].format(name=self.publication.name), f"{said['mail.unsubscribe']}:\n{leave}"],
            [care],
            [self.publication.name, foot.address, foot.phone, foot.email, foot.website],
            [
                f"{said['mail.privacy']}: {self.base_url}/privacy",
                f"{said['mail.health_privacy']}: {health}" if health else "",
                f"{said['mail.read_in_browser']}:\n{archive_url}" if archive_url else "",
            ],
        ]
        lines = ["", SIGNATURE]
        for group in groups:
            made = [line for part in group if part for line in self.sheet.wrap(part, WIDTH)]
            lines += [*made, ""] if made else []
        return lines[:-1]

    def handwritten(self) -> list[str]:
        """The text part its writer made."""
        return self.sheet.merged(self.issue.plain.strip("\n"), self.publication).split("\n")

    def _underlined(self, lines: Sequence[str], sign: str) -> list[str]:
        return [*lines, sign * max(1, min(WIDTH, max(self.sheet.width(line) for line in lines)))]

    # --- body -----------------------------------------------------------------------------------

    def body(self, whole: Sequence[Block]) -> list[str]:
        """The blocks, the addresses of each section below it."""
        lines: list[str] = []
        for at, block in enumerate(whole):
            begins = isinstance(block, blocks.Heading) and block.level == 2  # noqa: PLR2004
            if begins:
                lines += self._addresses()
            if at and (made := self.block(block, WIDTH)):
                lines += [*[""] * (2 if begins else 1), *made]
            elif not at:
                lines += self.block(block, WIDTH)
        return lines + self._addresses()

    def _addresses(self) -> list[str]:
        listed = [f"[{self.numbers[url]}] {url}" for url in self.pending]
        self.pending.clear()
        return ["", *listed] if listed else []

    def stack(self, inside: Iterable[Block], width: int) -> list[str]:
        """Blocks one below the other, a blank line between."""
        lines: list[str] = []
        for block in inside:
            if made := self.block(block, width):
                lines += ["", *made] if lines else made
        return lines

    def block(self, block: Block, width: int) -> list[str]:  # noqa: C901, PLR0911, PLR0912 -- one case for each block
        """One block as lines."""
        match block:
            case blocks.Paragraph(inside):
                return self.sheet.wrap(self.line(inside), width)
            case blocks.Heading():
                return self._heading(block, width)
            case blocks.Listing():
                return self._listing(block, width)
            case blocks.Quote():
                return self._quote(block, width)
            case blocks.Image():
                return self._image(block, width)
            case blocks.Divider():
                return [" " * max(0, (width - len(_PAUSE)) // 2) + _PAUSE]
            case blocks.Button(url, inside):
                return self._offer(self.line(inside), self.sheet.address(url), width)
            case blocks.CodeBlock(text):
                return [f"    {line}".rstrip() for line in text.split("\n")]
            case blocks.Table():
                return self._table(block, width)
            case blocks.Callout(_, label, inside):
                top = self.sheet.wrap(self._phrase(label, block.label_parts), width - 2) if label else []
                lines = self.stack(inside, width - 2)
                return _indented([*top, *([""] if top and lines else []), *lines], "| ", "| ")
            case blocks.Card(inside):
                return self._ruled(self.stack(inside, width), width)
            case blocks.MagnetCard():
                return self._magnet(block, width)
            case blocks.Columns(columns):
                return self._one_after_the_other(columns, width)
            case blocks.AuthorCard():
                return self._author(block, width)
            case blocks.Poll():
                return self._poll(block, width)
            case blocks.Contents(entries):
                items = tuple((blocks.Paragraph(inside),) for _, inside in entries)
                return [f"{self.words['mail.contents']}:", "", *self._listing(blocks.Listing(False, items), width)]
            case blocks.Aside(inside):
                return self._aside(inside, width)
            case blocks.Only() | blocks.Inserted() | blocks.Unready():
                return []  # chosen or put in before; an error of the check already stands beside the last

    def _one_after_the_other(self, columns: Iterable[tuple[Block, ...]], width: int) -> list[str]:
        lines: list[str] = []
        for column in columns:
            if made := self.stack(column, width):
                lines += ["", *made] if lines else made
        return lines

    def _author(self, card: blocks.AuthorCard, width: int) -> list[str]:
        """Who wrote this, as they would sign."""
        author = self.publication.authors.get(card.key)
        if author is None:
            return []  # reading has told
        about = self.stack(card.inside, width) or (self.sheet.wrap(author.about, width) if author.about else [])
        return [*self.sheet.wrap(f"— {author.name}", width), *about, *([author.url] if author.url else [])]

    def _poll(self, poll: blocks.Poll, width: int) -> list[str]:
        """The question, and each answer with a letter and its address."""
        lines = self.stack(poll.question, width)
        for number, answer in enumerate(poll.answers):
            said_ = f"{chr(ord('a') + number)}) {self.line(answer)}"
            url = poll.urls[number : number + 1]
            lines += ["", *self._offer(said_, url[0], width)] if url else self.sheet.wrap(said_, width)
        return lines

    def _aside(self, inside: tuple[Inline, ...], width: int) -> list[str]:
        """A line of ours: its words, each address on a line of its own."""
        lines: list[str] = []
        said_ = ""
        for part in inside:
            if isinstance(part, blocks.Link):
                what, url = f"{said_}{self.line(part.inside)}", self.sheet.address(part.url)
                lines += [*self.sheet.wrap(what, width), url] if ":" in said_ else self._offer(what, url, width)
                said_ = ""
            elif not isinstance(part, blocks.Break):
                said_ = f"{said_}{self._inline(part)}".lstrip(" ·")
        return [*lines, *(self.sheet.wrap(said_, width) if said_ else [])]

    def _heading(self, heading: blocks.Heading, width: int) -> list[str]:
        words_ = f"{heading.emoji} {self.line(heading.inside)}" if heading.emoji else self.line(heading.inside)
        return self._underlined(self.sheet.wrap(words_, width), "-" if heading.level == 2 else "~")  # noqa: PLR2004

    def _listing(self, listing: blocks.Listing, width: int) -> list[str]:
        tight = all(_is_tight(item) for item in listing.items)
        last = len(f"{listing.start + len(listing.items) - 1}. ") if listing.ordered else 2
        lines: list[str] = []
        for number, item in enumerate(listing.items, listing.start):
            mark = (f"{number}. " if listing.ordered else "* ").ljust(last)
            made = self._item(item, width - last) or [""]
            lines += [""] if lines and not tight else []
            lines += _indented(made, mark, " " * last)
        return lines

    def _item(self, item: tuple[Block, ...], width: int) -> list[str]:
        if not _is_tight(item):
            return self.stack(item, width)
        return [line for block in item for line in self.block(block, width)]

    def _quote(self, quote: blocks.Quote, width: int) -> list[str]:
        lines = self.stack(quote.inside, width - 2)
        source = self.sheet.wrap(f"— {self.line(quote.source)}", width - 2) if quote.source else []
        return _indented([*lines, *source], "> ", "> ")

    def _image(self, image: blocks.Image, width: int) -> list[str]:
        number = f" {self._number(image.link)}" if image.link else ""
        told = [f"{self._seen(image.picture)}{number}".strip(), self._phrase(image.caption, image.caption_parts)]
        return [line for part in told if part for line in self.sheet.wrap(part, width)]

    def _offer(self, what: str, url: str, width: int) -> list[str]:
        """What happens, and where: on one line when it fits."""
        one = f"{what}: {url}"
        return [one] if self.sheet.width(one) <= width else [*self.sheet.wrap(f"{what}:", width), url]

    def _ruled(self, lines: list[str], width: int) -> list[str]:
        return ["-" * width, *lines, "-" * width] if lines else []

    def _magnet(self, card: blocks.MagnetCard, width: int) -> list[str]:
        magnet = self.publication.magnets.get(card.key)
        if magnet is None:
            return []  # the check has told
        page = f"{self.base_url}/free/{card.key}"
        about = self.stack(card.inside, width) or (self.sheet.wrap(magnet.about, width) if magnet.about else [])
        lines = [
            *self._underlined(self.sheet.wrap(magnet.title, width), "-"),
            *about,
            "",
            *self._offer(self.words["mail.get"].format(title=magnet.title), magnet.url or page, width),
        ]
        lines += self._offer(self.words["mail.share"], f"{page}#share", width)
        return self._ruled(lines, width)

    def _table(self, table: blocks.Table, width: int) -> list[str]:
        rows = [[self.line(cell).replace("\n", " ") for cell in row] for row in (table.header, *table.rows)]
        count = max((len(row) for row in rows), default=0)
        rows = [row + [""] * (count - len(row)) for row in rows]
        wide = [max(self.sheet.width(row[column]) for row in rows) for column in range(count)]
        if sum(wide) + 2 * (count - 1) > width:
            return self._records(rows, width)
        lines = [
            "  ".join(self._cell(cell, wide[at], table.align[at : at + 1]) for at, cell in enumerate(row)).rstrip()
            for row in rows
        ]
        return [lines[0], "  ".join("-" * cells for cells in wide), *lines[1:]]

    def _cell(self, cell: str, width: int, align: Sequence[str]) -> str:
        space = width - self.sheet.width(cell)
        side = align[0] if align else "start"
        left = space if side == "end" else space // 2 if side == "center" else 0
        return " " * left + cell + " " * (space - left)

    def _records(self, rows: list[list[str]], width: int) -> list[str]:
        """A table too wide for a line: each row as lines of `head: cell`."""
        head, *rest = rows
        if not rest:
            return self.sheet.wrap(", ".join(cell for cell in head if cell), width)
        lines: list[str] = []
        for row in rest:
            lines += [""] if lines else []
            for name, cell in zip(head, row, strict=True):
                told = ": ".join(part for part in (name, cell) if part)
                lines += _indented(self.sheet.wrap(told, width - 2), "", "  ") if told else []
        return lines

    # --- words within a line --------------------------------------------------------------------

    def line(self, inside: Iterable[Inline]) -> str:
        """Inlines as text; a meant break is a line end."""
        return "".join(self._inline(part) for part in inside)

    def _inline(self, part: Inline) -> str:  # noqa: PLR0911 -- one case for each inline
        match part:
            case blocks.Words(text):
                return unbroken(text.replace("\n", " "))
            case blocks.Code(text):
                return text.replace("\n", " ")
            case blocks.Break():
                return "\n"
            case blocks.MergeTag():
                return self.sheet.mark(part, Escape.PLAIN)
            case blocks.Picture():
                return self._seen(part)
            case blocks.Strike(inside):
                return f"~{self.line(inside)}~"  # without a sign it would say the opposite
            case blocks.Link(url, inside):
                return self._link(url, inside)
            case blocks.Strong(inside) | blocks.Emphasis(inside):
                return self.line(inside)

    def _seen(self, picture: blocks.Picture) -> str:
        """What a picture shows, in brackets; nothing for decoration."""
        alt = self._phrase(picture.alt, picture.alt_parts)
        return f"[{self.words['mail.image']}: {alt}]" if alt else ""

    def _phrase(self, words_: str, parts: blocks.Parts) -> str:
        """A line of words and merge tags."""
        tagged = parts or (words_,)
        return "".join(part if isinstance(part, str) else self.sheet.mark(part, Escape.PLAIN) for part in tagged)

    def _link(self, url: tuple[str | MergeTag, ...], inside: tuple[Inline, ...]) -> str:
        shown = plain(inside)
        bare = "".join(part if isinstance(part, str) else part.fallback for part in url)
        if shown and shown in {bare, re.sub(r"^(?:mailto|tel):", "", bare), re.sub(r"^https?://", "", bare)}:
            return self.sheet.address(url) if "://" in bare else self.line(inside)
        return f"{self.line(inside)} {self._number(self.sheet.address(url))}"

    def _number(self, url: str) -> str:
        """The number of an address, which the section's list will hold."""
        if url not in self.pending:
            self.pending.append(url)
        return f"[{self.numbers.setdefault(url, len(self.numbers) + 1)}]"


_PAUSE = "* * *"


def _is_tight(item: tuple[Block, ...]) -> bool:
    """An item of one paragraph, and a list below it at most."""
    kinds = [type(block) for block in item]
    return kinds in ([], [blocks.Paragraph], [blocks.Listing], [blocks.Paragraph, blocks.Listing])
