"""Blocks as the rows of a mail: HTML for every client, styled inline, each text with its ground.

A block of the body is a table row whose cell carries background, colour and type, because some clients
recolour the one and not the other. Classes are for the dark scheme, wide screens and Word alone: with all
styles stripped a mail still looks like itself. Distances stand above a block, never below, so two never add.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise, zip_longest

from newsletter.content import blocks
from newsletter.content.blocks import Block
from newsletter.content.inline import Dress, Stream, address, attribute, line, phrase, picture, text, together, unsplit
from newsletter.content.phrases import plain
from newsletter.content.theme import Theme
from newsletter.core.email import Site


@dataclass(frozen=True)
class Offer:
    """A free resource, ready to be shown: what it is, and where it is had. `share` may be empty."""

    title: str
    about: str
    facts: tuple[str, ...]
    get: str
    url: str
    share: str = ""
    share_url: str = ""


@dataclass(frozen=True)
class Person:
    """An author, ready to be shown."""

    name: str
    about: str = ""
    url: str = ""
    picture: blocks.Picture | None = None


@dataclass(frozen=True)
class Look:
    """A theme in one direction of writing, as the styles and attributes mail is made of.

    `words` are the program's own sentences; `within` is the width of a box, in px (0: the letter's measure).
    """

    theme: Theme
    dir: str = "ltr"
    lang: str = "en"
    source: Callable[[blocks.Picture], str] = field(default=lambda picture: picture.src)
    offers: Callable[[str], Offer | None] = field(default=lambda _key: None)
    people: Callable[[str], Person | None] = field(default=lambda _key: None)
    words: Mapping[str, str] = field(default_factory=dict)
    within: int = 0

    @property
    def wide(self) -> int:
        """How wide text and pictures may be here, in px, where there is room."""
        return self.within or self.theme.measure

    def narrowed(self, by: int) -> Look:
        """The same within a box whose sides take `by` px."""
        return replace(self, within=self.wide - by)

    @cached_property
    def start(self) -> str:
        """The side lines begin at."""
        return "right" if self.dir == "rtl" else "left"

    @property
    def end(self) -> str:
        """The other side."""
        return "left" if self.start == "right" else "right"

    @property
    def slant(self) -> str:
        """How a quotation is set apart; some writing has no italics, and a slanted one is only crooked."""
        return "normal" if self.lang.split("-")[0].lower() in UPRIGHT else "italic"

    @cached_property
    def dress(self) -> Dress:
        """How a line of text is dressed."""
        light, fonts = self.theme.light, self.theme.fonts
        return Dress(
            link=f' class="link" style="color:{light.link};text-decoration:underline"',
            code=f' class="mono" style="font-family:{fonts.mono};font-size:0.9em"',
            picture=lambda wide: f' style="{self.fluid(wide)};vertical-align:middle"',
            source=self.source,
            measure=self.wide,
            bound=('<span class="whole" style="white-space:nowrap">', "</span>"),
        )

    @staticmethod
    def fluid(wide: int) -> str:
        """A picture as wide as its cell, at most `wide` px (0: not known).

        Without `width` one that is not loaded keeps its full size, and a phone with images off scrolls sideways.
        """
        return f"width:100%;max-width:{wide}px;height:auto" if wide else "max-width:100%;height:auto"

    def voice(self, name: str) -> str:
        """Size and line of a voice, as CSS."""
        size, height = getattr(self.theme.type, name)
        return f"font-size:{size}px;line-height:{height}px"

    def cell(self, ground: str, voice: str = "body", *, ink: str = "ink", font: str = "serif") -> tuple[str, str]:
        """Class and style of a cell that carries text: ground, colour and type together."""
        light = self.theme.light
        style = (
            f"background-color:{getattr(light, ground)};color:{getattr(light, ink)};"
            f"font-family:{getattr(self.theme.fonts, font)};{self.voice(voice)};text-align:{self.start};"
            "word-break:break-word"
        )
        return f"{ground} {ink} {font}", style


UPRIGHT = frozenset({"ar", "fa", "he", "ur", "ja", "ko", "zh"})
"""Languages written without italics."""

TABLE = '<table role="presentation" border="0" cellpadding="0" cellspacing="0"'


def row(
    look: Look, inside: Iterable[str | Site], *, above: int, voice: str = "body", ink: str = "ink", font: str = "serif"
) -> Stream:
    """A row of the letter on paper, `above` px below the one before it."""
    names, style = look.cell("paper", voice, ink=ink, font=font)
    side = look.theme.shape.side
    yield f'<tr><td align="{look.start}" class="pad {names}" style="padding:{above}px {side}px 0;{style}">'
    yield from inside
    yield "</td></tr>"


def rows(body: Sequence[Block], look: Look, *, above: int) -> Stream:
    """The blocks of a body, the first one `above` px below what precedes."""
    for gap, block in spaced(body, look.theme, above):
        yield from row(look, element(block, look, 0), above=gap)


def flow(body: Sequence[Block], look: Look, above: int = 0) -> Stream:
    """Blocks within another block: distances as margins, never more than a paragraph's."""
    for gap, block in spaced(body, look.theme, above):
        yield from element(block, look, min(gap, look.theme.steps.paragraph) if gap else 0)


def spaced(body: Sequence[Block], theme: Theme, first: int) -> Iterator[tuple[int, Block]]:
    """Each block with the distance above it."""
    if body:
        yield first, body[0]
    for before, block in pairwise(body):
        yield _gap(before, block, theme), block


def _gap(before: Block, block: Block, theme: Theme) -> int:
    steps = theme.steps
    if isinstance(block, blocks.Aside) and not isinstance(before, blocks.Aside):
        return steps.magnet  # the first line of our own after the text
    if isinstance(before, blocks.Heading):
        return steps.after_h2 if before.level == 2 else steps.after_h3  # noqa: PLR2004
    return max(_around(before, theme), _around(block, theme))


def _around(block: Block, theme: Theme) -> int:  # noqa: PLR0911 -- one case for each distance
    steps = theme.steps
    match block:
        case blocks.Heading(level=2):
            return steps.before_h2
        case blocks.Heading():
            return steps.before_h3
        case blocks.Paragraph() | blocks.Listing() | blocks.Button():
            return steps.paragraph
        case blocks.Divider():
            return steps.pause
        case blocks.MagnetCard():
            return steps.magnet
        case blocks.Aside():
            return steps.after_h2
        case _:
            return steps.block


def element(block: Block, look: Look, above: int) -> Stream:  # noqa: C901, PLR0912 -- one case for each block
    """One block, `above` px below what precedes it in its cell."""
    match block:
        case blocks.Paragraph(inside):
            yield f'<p style="margin:{above}px 0 0">'
            yield from line(inside, look.dress)
            yield "</p>"
        case blocks.Heading():
            yield from _heading(block, look, above)
        case blocks.Listing():
            yield from _listing(block, look, above)
        case blocks.Quote():
            yield from _quote(block, look, above)
        case blocks.Image():
            yield from _image(block, look, above)
        case blocks.Divider():
            yield from below(above, hairline(look, look.theme.shape.hairline))
        case blocks.Button():
            yield from button(block, look, above)
        case blocks.CodeBlock():
            yield from below(above, _code(block, look))
        case blocks.Table():
            yield from below(above, _table(block, look))
        case blocks.Callout():
            yield from below(above, _callout(block, look))
        case blocks.Card(inside):
            yield from below(above, _card(inside, look))
        case blocks.MagnetCard():
            yield from below(above, _magnet(block, look))
        case blocks.Columns(columns):
            yield from below(above, _beside(columns, look))
        case blocks.AuthorCard():
            yield from below(above, _author(block, look))
        case blocks.Poll():
            yield from below(above, _poll(block, look))
        case blocks.Contents(entries):
            yield from below(above, _contents(entries, look))
        case blocks.Aside(inside):
            yield from small(line(inside, look.dress), look, above)
        case blocks.Only() | blocks.Inserted() | blocks.Unready():
            return  # chosen or put in before; an error of the check already stands beside the last


def _heading(heading: blocks.Heading, look: Look, above: int) -> Stream:
    level = min(max(heading.level, 2), 3)
    weight = 400 if level == 2 else 700  # noqa: PLR2004
    name = attribute(heading.anchor)
    mark = f' id="{name}"' if name else ""
    yield f'<h{heading.rank}{mark} style="margin:{above}px 0 0;font-weight:{weight};{look.voice(f"h{level}")}">'
    if name:
        # a name is the only anchor that Gmail, Yahoo and Word go to; a valid one has an address, and is not empty
        yield f'<a name="{name}" href="#{name}" aria-hidden="true" tabindex="-1"{look.dress.link}>&zwnj;</a>'
    if heading.emoji:
        style = f"font-weight:400;{look.voice('ornament')}"
        yield f'<span aria-hidden="true" style="{style}">{text(heading.emoji)}</span><br>'
    yield from line(together(heading.inside), look.dress)
    yield f"</h{heading.rank}>"


def title(words: Iterable[str | Site], look: Look) -> Stream:
    """The title of the letter, the only heading of level 1."""
    yield f'<h1 class="title" style="margin:0;font-weight:400;{look.voice("title")}">'
    yield from words
    yield "</h1>"


def _listing(listing: blocks.Listing, look: Look, above: int) -> Stream:
    tag = "ol" if listing.ordered else "ul"
    start = f' start="{listing.start}"' if listing.ordered and listing.start != 1 else ""
    indent = look.theme.steps.indent
    sides = f"{indent}px 0 0" if look.start == "right" else f"0 0 {indent}px"
    yield f'<{tag}{start} style="margin:{above}px {sides};padding:0">'
    for number, item in enumerate(listing.items):
        yield f'<li style="margin:{look.theme.steps.item if number else 0}px 0 0">'
        yield from _item(item, look)
        yield "</li>"
    yield f"</{tag}>"


def _item(item: tuple[Block, ...], look: Look) -> Stream:
    """An item: its first paragraph needs no tags of its own."""
    if item and isinstance(item[0], blocks.Paragraph):
        yield from line(item[0].inside, look.dress)
        yield from flow(item[1:], look, look.theme.steps.item)
    else:
        yield from flow(item, look)


def _quote(quote: blocks.Quote, look: Look, above: int) -> Stream:
    indent = look.theme.steps.indent
    sides = f"{indent}px 0 0" if look.start == "right" else f"0 0 {indent}px"
    yield f'<blockquote style="margin:{above}px {sides};padding:0">'
    yield f'<div style="font-style:{look.slant};{look.voice("quote")}">'
    yield from flow(quote.inside, look)
    yield "</div>"
    if quote.source:
        yield from small(line(quote.source, look.dress), look, 12)
    yield "</blockquote>"


def small(inside: Iterable[str | Site], look: Look, above: int) -> Stream:
    """A line of facts: small, sans, soft."""
    light, fonts = look.theme.light, look.theme.fonts
    yield (
        f'<p class="soft sans" style="margin:{above}px 0 0;color:{light.soft};font-family:{fonts.sans};'
        f'{look.voice("small")}">'
    )
    yield from inside
    yield "</p>"


def facts(parts: Sequence[str]) -> str:
    """Facts on a line, each unbreakable; the dot ends the part before it."""
    last = len(parts) - 1
    return " ".join(
        f'<span class="whole" style="white-space:nowrap">{text(part)}{"" if at == last else " ·"}</span>'
        for at, part in enumerate(parts)
    )


def below(above: int, inside: Iterable[str | Site]) -> Stream:
    """A table within a cell, `above` px below what precedes it. Word knows no margin of tables, only padding."""
    if not above:
        yield from inside
        return
    yield f'{TABLE} width="100%"><tr><td style="padding:{above}px 0 0">'
    yield from inside
    yield "</td></tr></table>"


def _image(image: blocks.Image, look: Look, above: int) -> Stream:
    def style(wide: int) -> str:
        return (
            f' class="tint ink" style="display:block;{look.fluid(wide)};background-color:{look.theme.light.tint};'
            f'color:{look.theme.light.ink};font-style:italic;{look.voice("body")}"'
        )

    yield f'<div style="margin:{above}px 0 0">'
    if image.link:
        yield f'<a href="{attribute(image.link)}"{look.dress.link}>'
    yield from picture(image.picture, style, look.dress, unknown=look.wide)
    yield "</a></div>" if image.link else "</div>"
    if image.caption:
        yield from small(phrase(image.caption, image.caption_parts, look.dress), look, 8)


def hairline(look: Look, width: int = 0) -> Stream:
    """A line of one pixel, as a cell with a background: a border would glow in a recoloured mail."""
    wide = f' width="{width}" style="width:{width}px"' if width else ' width="100%"'
    yield f"{TABLE}{wide}><tr>"
    yield (
        f'<td class="rule" height="1" style="height:1px;font-size:1px;line-height:1px;'
        f'background-color:{look.theme.light.rule}">&nbsp;</td></tr></table>'
    )


def button(block: blocks.Button, look: Look, above: int) -> Stream:
    """A button, or the second choice below one: an underlined link."""
    fonts = look.theme.fonts
    if block.secondary:
        style = f"margin:{above}px 0 0;font-family:{fonts.sans};font-weight:600;{look.voice('label')}"
        yield f'<p class="sans" style="{style}">'
        yield from line((blocks.Link(block.url, block.inside),), look.dress)
        yield "</p>"
        return
    yield from below(above, _fill(block, look))


def _fill(block: blocks.Button, look: Look) -> Stream:
    light, fonts = look.theme.light, look.theme.fonts
    yield f'{TABLE} style="border-collapse:separate"><tr>'
    yield (
        f'<td class="button" bgcolor="{light.button}" style="background-color:{light.button};'
        f'border:2px solid {light.edge};border-radius:{look.theme.shape.radius}px;mso-padding-alt:12px 24px"><a href="'
    )
    yield from address(block.url, merge=True)
    yield (
        f'" class="on sans" style="display:inline-block;padding:12px 24px;color:{light.on_button};'
        f'font-family:{fonts.sans};font-weight:600;text-decoration:none;{look.voice("button")}">'
    )
    yield from line(block.inside, look.dress)
    yield "</a></td></tr></table>"


def _box(look: Look, inside: Iterable[str | Site], *, ground: str, border: str = "") -> Stream:
    names, style = look.cell(ground)
    padding = "24px" if border else "20px 24px"
    edge = f"border:1px solid {getattr(look.theme.light, border)};" if border else ""
    yield f'{TABLE} width="100%" style="border-collapse:separate"><tr>'
    yield (
        f'<td align="{look.start}" class="{names}{f" {border}" if border else ""}" style="padding:{padding};{edge}'
        f'border-radius:{look.theme.shape.radius}px;{style}">'
    )
    yield from inside
    yield "</td></tr></table>"


BOX_SIDE = 24
"""The padding at either side of a box, in px."""


def _callout(callout: blocks.Callout, look: Look) -> Stream:
    def inside() -> Stream:
        if callout.label:
            yield (
                f'<p class="sans" style="margin:0;font-family:{look.theme.fonts.sans};font-weight:600;'
                f'{look.voice("label")}">'
            )
            yield from phrase(callout.label, callout.label_parts, look.dress)
            yield "</p>"
        yield from flow(callout.inside, look.narrowed(2 * BOX_SIDE), 8 if callout.label else 0)

    yield from _box(look, inside(), ground="tint")


def _card(inside: tuple[Block, ...], look: Look) -> Stream:
    """A framed box; a picture it begins with stands beside the rest."""
    narrow = look.narrowed(2 * BOX_SIDE + 2)
    first = inside[0] if inside else None
    if isinstance(first, blocks.Image) and len(inside) > 1:
        share = round(narrow.wide * PICTURE)
        content = beside(((share, (first,)), (narrow.wide - share - GAP, inside[1:])), narrow)
    else:
        content = flow(inside, narrow)
    yield from _box(look, content, ground="paper", border="box")


PICTURE = 0.35
"""The share of a card that the picture at its beginning takes."""
GAP = 24
"""Between columns, in px."""


def _beside(columns: Sequence[tuple[Block, ...]], look: Look) -> Stream:
    share = (look.wide - GAP * (len(columns) - 1)) // max(1, len(columns))
    yield from beside(tuple((share, column) for column in columns), look)


def beside(columns: Sequence[tuple[int, tuple[Block, ...]]], look: Look) -> Stream:
    """Columns, each with its width in px: beside each other where there is room, else below each other.

    Blocks of inline-block do that by themselves, so it works with all styles stripped; Word, which knows
    none, gets a table. A column's padding is the gap, above and at its end, so a stacked one keeps its distance.
    """
    yield f'<!--[if mso | IE]>{TABLE} dir="{look.dir}"><tr><![endif]-->'
    last = len(columns) - 1
    for at, (wide, inside) in enumerate(columns):
        gap = GAP if at < last else 0
        below_ = f' class="gap" style="padding:0 0 {STACKED}px;padding-{look.end}:{gap}px"' if gap else ""
        word = f"width:{wide}px;padding:0;padding-{look.end}:{gap}px"  # Word knows no padding of a div
        yield f'<!--[if mso | IE]><td width="{wide}" valign="top" style="{word}"><![endif]-->'
        yield (
            f'<div class="column" dir="{look.dir}" style="display:inline-block;width:100%;max-width:{wide + gap}px;'
            f'vertical-align:top"><div{below_}>'
        )
        yield from flow(inside, replace(look, within=wide))
        yield "</div></div><!--[if mso | IE]></td><![endif]-->"
    yield "<!--[if mso | IE]></tr></table><![endif]-->"


STACKED = 20
"""Below a column, so that the next one keeps its distance when it stands below, in px."""


def _author(card: blocks.AuthorCard, look: Look) -> Stream:
    person = look.people(card.key)
    if person is None:
        return
    yield f'{TABLE} width="100%"><tr>'
    if person.picture:
        yield f'<td width="{PORTRAIT + 16}" valign="top" style="width:{PORTRAIT + 16}px;padding:4px 0 0">'
        yield from _portrait(person.picture, look)
        yield "</td>"
    names, style = look.cell("paper")
    yield f'<td align="{look.start}" valign="top" class="{names}" style="{style}">'
    yield f'<p class="sans" style="margin:0;font-family:{look.theme.fonts.sans};font-weight:600;{look.voice("label")}">'
    yield from line(_named(person), look.dress)
    yield "</p>"
    about = card.inside or (blocks.Paragraph((blocks.Words(person.about),)),) * bool(person.about)
    yield from flow(about, look.narrowed(PORTRAIT + 16 if person.picture else 0), 4)
    yield "</td></tr></table>"


PORTRAIT = 72
"""An author's picture, in px."""


def _named(person: Person) -> tuple[blocks.Inline, ...]:
    name = blocks.Words(person.name)
    return (blocks.Link((person.url,), (name,)),) if person.url else (name,)


def _portrait(shown: blocks.Picture, look: Look) -> Stream:
    ground, radius = look.theme.light.tint, look.theme.shape.radius

    def style(wide: int) -> str:
        size = f"display:block;width:{wide}px;max-width:100%;height:auto"
        return f' class="tint" style="{size};background-color:{ground};border-radius:{radius}px"'

    yield from picture(shown, style, replace(look, within=PORTRAIT).dress, unknown=PORTRAIT)


def _poll(poll: blocks.Poll, look: Look) -> Stream:
    yield from _box(look, _ballot(poll, look.narrowed(2 * BOX_SIDE)), ground="tint")


def _ballot(poll: blocks.Poll, look: Look) -> Stream:
    """The question, an answer in each row, and what a click does."""
    yield from flow(poll.question, look)
    for number, answer in enumerate(poll.answers):
        url = poll.urls[number] if number < len(poll.urls) else ""
        yield from below(12 if number else 16, _answer(url, answer, look))
    if poll.urls and (said := look.words.get("mail.poll")):
        yield from small((text(said),), look, 12)


def _answer(url: str, answer: tuple[blocks.Inline, ...], look: Look) -> Stream:
    light, fonts = look.theme.light, look.theme.fonts
    yield f'{TABLE} width="100%" style="border-collapse:separate"><tr>'
    yield (
        f'<td align="{look.start}" class="answer" bgcolor="{light.paper}" style="background-color:{light.paper};'
        f"border:2px solid {light.edge};border-radius:{look.theme.shape.radius}px;text-align:{look.start};"
        'mso-padding-alt:10px 20px">'
    )
    style = (
        f"display:block;padding:10px 20px;font-family:{fonts.sans};font-weight:600;color:{light.link};"
        f"text-decoration:underline;{look.voice('label')}"
    )
    yield f'<a href="{attribute(url)}" class="link sans" style="{style}">' if url else f'<span style="{style}">'
    yield from line(answer, look.dress)
    yield "</a>" if url else "</span>"
    yield "</td></tr></table>"


def _contents(entries: Sequence[tuple[str, tuple[blocks.Inline, ...]]], look: Look) -> Stream:
    """The headings as a list that leads to them; where mail programs cannot jump, it is still a list."""
    yield from small((text(look.words.get("mail.contents", "")),), look, 0)
    items = tuple((blocks.Paragraph((blocks.Link((f"#{anchor}",), words, ""),)),) for anchor, words in entries)
    yield from _listing(blocks.Listing(False, items), look, 8)


def _code(code: blocks.CodeBlock, look: Look) -> Stream:
    pre = (
        f'<pre dir="ltr" class="mono" style="margin:0;font-family:{look.theme.fonts.mono};{look.voice("small")};'
        f'text-align:left;white-space:pre-wrap;word-break:break-word">{text(code.text)}</pre>'
    )
    yield from _box(look, (pre,), ground="tint")


def _table(table: blocks.Table, look: Look) -> Stream:
    light = look.theme.light
    yield (
        f'<table class="ink sans" width="100%" style="border-collapse:collapse;'
        f"color:{light.ink};font-family:{look.theme.fonts.sans};{look.voice('label')};"
        'font-variant-numeric:tabular-nums">'
    )
    columns = [_Column(_align(table, at, look), whole) for at, whole in enumerate(_whole(table, look))]
    yield "<thead><tr>"
    head = f'class="tint" style="padding:8px;background-color:{light.tint};font-weight:600;'
    for column, cell in zip(columns, table.header, strict=False):
        yield f'<th scope="col" {head}{column.style}">'
        yield from line(cell, column.dress(look))
        yield "</th>"
    yield "</tr></thead><tbody>"
    for cells in table.rows:
        yield "<tr>"
        for column, cell in zip(columns, cells, strict=False):
            yield f'<td style="padding:8px;vertical-align:top;{column.style}">'
            yield from line(cell, column.dress(look))
            yield "</td>"
        yield "</tr>"
    yield "</tbody></table>"


@dataclass(frozen=True)
class _Column:
    """A column of a table; `whole`: its words are never broken, for they fit."""

    align: str
    whole: bool

    @property
    def style(self) -> str:
        return f"text-align:{self.align}{';word-break:normal' if self.whole else ''}"

    def dress(self, look: Look) -> Dress:
        """Where words may be broken, nothing is kept on one line either."""
        return look.dress if self.whole else replace(look.dress, bound=("", ""))


NARROW = 272
"""The measure of the narrowest phone, 320 px, in px."""
_LETTER, _BOLD, _CELL, _LEAST = 9, 11, 16, 44  # px: a letter, one of a head, a cell's padding, what broken words need


def _whole(table: blocks.Table, look: Look) -> list[bool]:
    """For each column, whether its words stay whole: all do where the table then fits the narrowest phone.

    Where it does not, the columns with the longest words may break them, as few columns as will do, and those
    of figures last.
    """
    room = NARROW - (look.theme.measure - look.wide)
    columns = list(zip_longest(table.header, *table.rows, fillvalue=()))
    need = [max(_longest(head) * _BOLD, *(_longest(cell) * _LETTER for cell in cells), 0) for head, *cells in columns]
    need = [wide + _CELL for wide in need]
    words = [any(re.search(r"[^\W\d_]", plain(cell)) for cell in column[1:]) for column in columns]
    whole = [True] * len(need)
    for at in sorted(range(len(need)), key=lambda at: (words[at], need[at]), reverse=True):
        if sum(need) > room and need[at] > _LEAST:
            whole[at], need[at] = False, _LEAST
    return whole


def _longest(cell: Sequence[blocks.Inline]) -> int:
    """The letters of a cell's longest part that must not be split; a reader's own words may have any length."""
    if any(isinstance(part, blocks.MergeTag) for part in cell):
        return NARROW
    said = "".join(part.replace(" ", "\u00a0") if kept else part for kept, part in unsplit(plain(cell)))
    return max(map(len, re.split(r"[ -]", said)))


def _align(table: blocks.Table, column: int, look: Look) -> str:
    wish = table.align[column] if column < len(table.align) else "start"
    return {"start": look.start, "center": "center", "end": look.end}[wish]


def waymark(look: Look, beside: Iterable[str | Site]) -> Stream:
    """The one sign of the house, an upright bar, and what stands beside it: cells, no image."""
    light, (wide, high) = look.theme.light, look.theme.shape.waymark
    yield f'{TABLE}><tr><td valign="top" style="padding:3px 0 0;padding-{look.end}:12px">'
    yield (
        f'{TABLE} width="{wide}"><tr><td class="mark" width="{wide}" height="{high}" bgcolor="{light.mark}" '
        f'style="width:{wide}px;height:{high}px;background-color:{light.mark};font-size:1px;line-height:{high}px">'
        "&nbsp;</td></tr></table></td>"
    )
    yield from beside
    yield "</tr></table>"


def _magnet(card: blocks.MagnetCard, look: Look) -> Stream:
    offer = look.offers(card.key)
    if offer is not None:
        about = card.inside or (blocks.Paragraph((blocks.Words(offer.about),)),) * bool(offer.about)
        yield from _box(look, _offer(offer, about, look.narrowed(2 * BOX_SIDE)), ground="tint")


def _offer(offer: Offer, about: tuple[Block, ...], look: Look) -> Stream:
    names, style = look.cell("tint", "h2")
    words = f'<h2 style="margin:0;font-weight:400;{look.voice("h2")}">{text(offer.title)}</h2>'
    yield from waymark(look, (f'<td align="{look.start}" class="{names}" style="{style}">{words}</td>',))
    yield from flow(about, look, 12)
    if offer.facts:
        yield from small((facts(offer.facts),), look, 8)
    yield from button(blocks.Button((offer.url,), (blocks.Words(offer.get),)), look, 20)
    if offer.share:
        yield from button(blocks.Button((offer.share_url,), (blocks.Words(offer.share),), secondary=True), look, 16)
