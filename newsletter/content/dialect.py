"""An issue's body, from Markdown to blocks.

In: the text, the publication (merge fields, magnets), its root (pictures). Out: blocks and every problem
found, each with file, line, column, the line itself and what to write instead. Nothing is dropped without
a word but `<!-- comments -->`; nothing is evaluated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from newsletter.content import blocks, grammar, graphemes
from newsletter.content.blocks import Block, Inline
from newsletter.content.merge import Snippet
from newsletter.content.phrases import (
    BUTTONS,
    Text,
    html_tag,
    link_parts,
    phrases,
    picture,
    plain,
    unused_references,
    words_only,
)
from newsletter.content.words import words
from newsletter.core.problem import Problem
from newsletter.core.publication import Publication

MAX_LENGTH = 200_000  # characters; a mail of 95,000 bytes holds far less
READY = ("callout", "card", "magnet")
LATER = ("columns", "column", "only", "not", "poll", "author", "snippet")
_MEANT = {
    "note": "callout",
    "tip": "callout",
    "warning": "callout",
    "info": "callout",
    "box": "callout",
    "quote": "callout",
}
_ALERTS: dict[str, Literal["note", "tip", "important", "warning", "caution"]] = {
    "NOTE": "note",
    "TIP": "tip",
    "IMPORTANT": "important",
    "WARNING": "warning",
    "CAUTION": "caution",
}
_BOXES = (blocks.Callout, blocks.Card, blocks.MagnetCard, blocks.Unready)
_IN_CARD = (blocks.Heading, blocks.Paragraph, blocks.Listing, blocks.Image, blocks.Button)
_IN_MAGNET = (blocks.Paragraph, blocks.Listing)
COLUMNS = 4


def read(
    source: str, publication: Publication, *, root: Path, file: str, first_line: int = 1, lang: str = ""
) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    """Read a body.

    In: the text; the publication and its root folder; the file's name for messages and the line of the
    file the text begins at; the language for the labels of alerts. Out: blocks in reading order, problems by line.
    """
    text = Text(source, file, first_line, publication, root)
    if len(source) > MAX_LENGTH:
        message = f"this is longer than a letter can be ({len(source):,} characters)"
        text.note(0, "E303", message, "Put the long text on a page and link to it.")
        return (), tuple(text.problems)
    try:
        reader = _Reader(text, words(lang or publication.language, root))
        body = reader.body()
    except RecursionError:
        text.note(0, "E232", "this text has too many things inside each other", "Make it flatter.")
        return (), tuple(text.problems)
    return body, tuple(sorted(text.problems))


class _Reader:
    """Tokens of a body being made into blocks."""

    def __init__(self, text: Text, labels: Mapping[str, str]) -> None:
        self.text = text
        self.labels = labels
        self.parsed = grammar.parse(text.marked.text)
        self.tokens = self.parsed.tokens
        self.ends = _ends(self.tokens)
        self.makers: dict[str, Callable[[int, int], Iterator[Block]]] = {
            "paragraph_open": self._paragraph,
            "heading_open": self._heading,
            "bullet_list_open": self._listing,
            "ordered_list_open": self._listing,
            "blockquote_open": self._quote,
            "alert_open": self._alert,
            "fence": self._code,
            "code_block": self._code,
            "hr": self._divider,
            "html_block": self._html,
            "table_open": self._table,
            "box_open": self._box,
        }

    def body(self) -> tuple[Block, ...]:
        """All blocks."""
        self._around()
        return self._run(0, len(self.tokens))

    def _around(self) -> None:
        """What reading by lines has found."""
        text, parsed = self.text, self.parsed
        for row in parsed.boxes.strays:
            text.note(
                row, "E231", "this ::: closes nothing", "Delete the line, or open a box above it: ::: callout Heading"
            )
        for box in parsed.boxes.by_row.values():
            if not box.closed:
                self._unclosed(box)
        for row, parent in parsed.misplaced:
            where = "list" if parent == "list" else "quotation"
            fix = "Put a blank line and then the box after it, from the start of the line."
            text.note(row, "E232", f"a box cannot stand in a {where}", fix, find=":::")
        for row in parsed.too_deep:
            text.note(row, "E232", "lists and quotations stand too deep inside each other here", "Make it flatter.")
        contents = [token.content for token in self.tokens if token.type == "inline"]
        unused_references(parsed.references, contents, text)

    def _unclosed(self, box: grammar.Box) -> None:
        name = self._name_of(box.start)
        last = box.end - 1
        shown = self.text.lines[last].strip()
        fix = f'Add a line with just ::: after line {self.text.line(last)} ("{shown[:40]}")'
        self.text.note(box.start, "E231", f'this "::: {name}" box is never closed', fix)

    def _name_of(self, row: int) -> str:
        opened = grammar.BOX.fullmatch(self.text.lines[row])
        return opened["name"] if opened else ""

    def _run(self, start: int, end: int) -> tuple[Block, ...]:
        made: list[Block] = []
        at = start
        while at < end:
            close = self.ends.get(at, at)
            if maker := self.makers.get(self.tokens[at].type):
                made.extend(maker(at, close))
            at = close + 1
        return tuple(made)

    def _row(self, at: int) -> int:
        place = self.tokens[at].map
        return place[0] if place else 0

    def _line(self, at: int) -> int:
        return self.text.line(self._row(at))

    # --- one maker for each kind of token ---------------------------------------------------------

    def _paragraph(self, at: int, _end: int) -> Iterator[Block]:
        token = self.tokens[at + 1]
        children = token.children or []
        if alone := self._alone(token, children):
            yield from alone
            return
        if snippet := self._snippet(token):
            yield snippet
            return
        if hashes := re.match(r"(#{2,6})([^#\s].*)", token.content):
            fix = f"{'#' * min(len(hashes[1]), 3)} {self.text.marked.restored(hashes[2])}"
            self.text.note(self._row(at), "E200", "a blank is missing after the #", fix, find=hashes[1])
        if inside := phrases(token, self.text):
            yield blocks.Paragraph(inside, self._line(at))

    def _alone(self, token: Token, children: list[Token]) -> tuple[Block, ...]:
        """The buttons or pictures of a paragraph that holds nothing else; else nothing."""
        made: list[Block] = []
        at = 0
        row = self._row_of(token)
        while at < len(children):
            child = children[at]
            if child.type in {"softbreak", "hardbreak"} or (child.type == "text" and not child.content.strip()):
                row += child.type != "text"
                at += 1
                continue
            close = _close(children, at)
            made_one = self._one_alone(children[at : close + 1])
            if made_one is None:
                return ()
            made.append(made_one(row))
            at = close + 1
        return tuple(made)

    def _one_alone(self, run: list[Token]) -> Callable[[int], Block] | None:
        first = run[0]
        if first.type == "image":
            return lambda row: self._image(first, "", row)
        if first.type != "link_open":
            return None
        inside = run[1:-1]
        classes = str(first.attrs.get("class", "")).split()
        if classes and set(classes) <= BUTTONS and set(first.attrs) <= {"href", "title", "class"}:
            return lambda row: self._button(first, inside, row)
        if len(inside) == 1 and inside[0].type == "image":
            return lambda row: self._image(inside[0], str(first.attrs.get("href", "")), row)
        return None

    def _row_of(self, token: Token) -> int:
        return token.map[0] if token.map else 0

    def _button(self, link: Token, inside: list[Token], row: int) -> Block:
        content = Token("inline", "", 0, map=[row, row + 1], children=inside)
        shown = phrases(content, self.text)
        url = link_parts(str(link.attrs.get("href", "")), self.text, row, 1, shown=f"[{plain(shown)[:20]}")
        if not plain(shown).strip():
            self.text.note(row, "E220", "this button has no words", "[Words](https://www.example.org/page){.button}")
        secondary = "secondary" in str(link.attrs.get("class", "")).split()
        return blocks.Button(url, shown, secondary, self.text.line(row))

    def _image(self, token: Token, href: str, row: int) -> Block:
        if extra := sorted(key for key in token.attrs if key not in {"src", "alt", "title"}):
            fix = '![What it shows](images/picture.jpg "Caption")'
            self.text.note(row, "E233", f'a picture knows no "{extra[0]}"', fix, find="{")
        title = Token("inline", "", 0, content=str(token.attrs.get("title", "")))
        words_only(title, self.text, "a caption")
        caption = self.text.marked.restored(title.content)
        link = link_parts(href, self.text, row, 1) if href else ()
        if any(not isinstance(part, str) for part in link):
            fix = "Put the link into the text below the picture."
            self.text.note(row, "E240", "a merge tag cannot stand in a picture's link", fix)
        shown = picture(token, self.text, row, 1)
        return blocks.Image(
            shown, caption, "".join(part for part in link if isinstance(part, str)), self.text.line(row)
        )

    def _snippet(self, token: Token) -> Block | None:
        parts = list(self.text.marked.split(token.content.strip()))
        if len(parts) == 1 and not isinstance(parts[0], str) and isinstance(parts[0].tag, Snippet):
            phrases(token, self.text)  # tells
            return blocks.Unready("snippet", self.text.line(self._row_of(token)))
        return None

    def _heading(self, at: int, _end: int) -> Iterator[Block]:
        level = int(self.tokens[at].tag[1:])
        inside = phrases(self.tokens[at + 1], self.text)
        said = plain(inside)
        if level == 1:
            message = "the title of the letter is its subject; headings begin with ##"
            self.text.note(self._row(at), "E200", message, f"## {said}")
        elif level > 3:  # noqa: PLR2004
            self.text.note(self._row(at), "E200", "headings have two sizes, ## and ###", f"### {said}")
        if not inside:
            self.text.note(self._row(at), "E200", "this heading has no words", "## Title")
            return
        emoji, inside = _ornament(inside)
        yield blocks.Heading(min(max(level, 2), 3), emoji, inside, self._line(at))

    def _listing(self, at: int, end: int) -> Iterator[Block]:
        items: list[tuple[Block, ...]] = []
        item = at + 1
        while item < end:
            close = self.ends[item]
            items.append(self._run(item + 1, close))
            item = close + 1
        ordered = self.tokens[at].type == "ordered_list_open"
        start = int(self.tokens[at].attrs.get("start", 1)) if ordered else 1
        yield blocks.Listing(ordered, tuple(items), start, self._line(at))
        for inner in (block for blocks_of in items for block in blocks_of):
            if isinstance(inner, blocks.Callout) and inner.kind != "callout":
                self._not_here(inner, "a list")

    def _quote(self, at: int, end: int) -> Iterator[Block]:
        inside = self._run(at + 1, end)
        if alert := self._labelled(inside, at):
            yield alert
            return
        for inner in inside:
            if isinstance(inner, _BOXES):
                self._not_here(inner, "a quotation")
        inside, source = _sourced(inside)
        if inside:
            yield blocks.Quote(inside, source, self._line(at))

    def _alert(self, at: int, end: int) -> Iterator[Block]:
        kind = _ALERTS[self.tokens[at].info]
        inside = self._run(at + 1, end)
        yield self._filled(blocks.Callout(kind, self.labels[f"callout.{kind}"], inside, self._line(at)))

    def _labelled(self, inside: tuple[Block, ...], at: int) -> Block | None:
        """`> [!TIP] Own label`; other words in `[!...]` are told."""
        first = inside[0] if inside else None
        if not isinstance(first, blocks.Paragraph) or not isinstance(first.inside[0], blocks.Words):
            return None
        marker = re.match(r"\[!([A-Za-z]+)\][ \t]*", first.inside[0].text)
        if marker is None:
            return None
        kind = marker[1].upper()
        if kind not in _ALERTS:
            near = next(iter(difflib.get_close_matches(kind, _ALERTS, 1, 0.5)), "NOTE")
            message = f"there is no [!{marker[1]}] box; did you mean [!{near}]?"
            self.text.note(self._row(at), "E233", message, f"> [!{near}]", find="[!", rows=len(first.inside) + 1)
            return None
        rest = (blocks.Words(first.inside[0].text[marker.end() :]), *first.inside[1:])
        cut = next((n for n, part in enumerate(rest) if isinstance(part, blocks.Break)), len(rest))
        below = (blocks.Paragraph(rest[cut + 1 :], first.line + 1),) if rest[cut + 1 :] else ()
        label = plain(rest[:cut]).strip() or self.labels[f"callout.{_ALERTS[kind]}"]
        return self._filled(blocks.Callout(_ALERTS[kind], label, (*below, *inside[1:]), self._line(at)))

    def _code(self, at: int, _end: int) -> Iterator[Block]:
        token = self.tokens[at]
        words = token.info.split()
        content = self.text.marked.restored(token.content).rstrip("\n")
        language = self.text.marked.restored(words[0]) if words else ""
        yield blocks.CodeBlock(content, language, self._line(at))

    def _divider(self, at: int, _end: int) -> Iterator[Block]:
        yield blocks.Divider(self._line(at))

    def _html(self, at: int, _end: int) -> Iterator[Block]:
        token = self.tokens[at]
        typed = self.text.marked.restored(token.content)
        words = re.sub(r"<!--.*?-->", "", typed, flags=re.DOTALL).strip()
        if words.startswith("<!--"):
            message = 'this note for yourself "<!--" is never closed, so all the rest would be gone'
            self.text.note(self._row(at), "E230", message, "Put --> after it.", find="<!--")
            return
        if not words:
            return
        rows = token.map[1] - token.map[0] if token.map else 1
        if tag := re.search(r"</?[A-Za-z][^>]*>?|<[?!].*", words):
            html_tag(tag.group(), self.text, self._row(at), rows, set())
            yield blocks.Paragraph((blocks.Words(words),), self._line(at))
            return
        for line in grammar.inline(re.sub(r"<!--.*?-->", "", token.content, flags=re.DOTALL).strip()):
            line.map = token.map
            yield blocks.Paragraph(phrases(line, self.text), self._line(at))

    def _table(self, at: int, end: int) -> Iterator[Block]:
        cells: list[list[tuple[Inline, ...]]] = []
        align: list[Literal["start", "center", "end"]] = []
        for index in range(at, end):
            token = self.tokens[index]
            if token.type == "tr_open":
                cells.append([])
                self._all_cells(token, len(align))
            elif token.type in {"th_open", "td_open"}:
                cells[-1].append(phrases(self.tokens[index + 1], self.text))
                if token.type == "th_open":
                    align.append(_align(str(token.attrs.get("style", ""))))
        if len(align) > COLUMNS:
            message = f"a table has at most {COLUMNS} columns, or phones cannot show it"
            self.text.note(self._row(at), "E232", message, "Make two tables, or a list.")
        yield blocks.Table(tuple(cells[0]), tuple(tuple(row) for row in cells[1:]), tuple(align), self._line(at))

    def _all_cells(self, token: Token, columns: int) -> None:
        """A row with more cells than the head would lose the rest."""
        row = self._row_of(token)
        line = self.text.marked.text.split("\n", row + 1)[row].strip().lstrip("> ").strip()
        count = len(escapedSplit(line)) - line.startswith("|") - (line.endswith("|") and not line.endswith("\\|"))
        if columns and count > columns:
            message = f"this row has {count} cells, and the head of the table {columns}"
            self.text.note(row, "E232", message, "Take out a |, or write \\| where the sign itself is meant.")

    # --- boxes ------------------------------------------------------------------------------------

    def _box(self, at: int, end: int) -> Iterator[Block]:
        token = self.tokens[at]
        name = self.text.marked.restored(token.info).lower()
        if name in LATER:
            message = f'"::: {name}" is not yet in this version'
            self.text.note(self._row(at), "E233", message, "Use ::: callout or ::: card for now, or plain text.")
            yield blocks.Unready(name, self._line(at))
            return
        inside = self._run(at + 1, end)
        if name == "callout":
            yield self._filled(blocks.Callout("callout", self._label(token), inside, self._line(at)))
        elif name == "card":
            yield self._card(token, inside, self._line(at))
        elif name == "magnet":
            yield self._magnet(token, inside, self._line(at))
        else:
            self._unknown(name, at)
            yield from inside

    def _unknown(self, name: str, at: int) -> None:
        near = _MEANT.get(name) or next(iter(difflib.get_close_matches(name, (*READY, *LATER), 1, 0.5)), "")
        hint = f'; did you mean "::: {near}"?' if near else ""
        fix = f"::: {near}" if near else f"There are: {', '.join(READY)}."
        self.text.note(self._row(at), "E233", f'there is no "::: {name}" box{hint}', fix, find=":::")

    def _label(self, token: Token) -> str:
        labels = grammar.inline(token.content)
        return words_only(labels[0], self.text, "the heading of a box").strip() if labels else ""

    def _filled(self, callout: blocks.Callout) -> blocks.Callout:
        if not callout.inside:
            row = callout.line - self.text.first_line
            self.text.note(row, "E232", "this box is empty", "Write a line between its first and last line.")
        for inner in callout.inside:
            if isinstance(inner, _BOXES):
                self._not_here(inner, "another box")
        return callout

    def _card(self, token: Token, inside: tuple[Block, ...], line: int) -> blocks.Card:
        if token.content:
            words = self.text.marked.restored(token.content)
            row = self._row_of(token)
            self.text.note(row, "E232", "a card has no heading on its first line", f"::: card\n### {words}", find=words)
        self._limited(inside, _IN_CARD, "a card")
        if not inside:
            row = self._row_of(token)
            self.text.note(row, "E232", "this box is empty", "Write a line between its first and last line.")
        return blocks.Card(inside, line)

    def _magnet(self, token: Token, inside: tuple[Block, ...], line: int) -> Block:
        magnets = self.text.publication.magnets
        key = self.text.marked.restored(token.content).strip()
        self._limited(inside, _IN_MAGNET, "a magnet card")
        if key in magnets:
            return blocks.MagnetCard(key, inside, line)
        near = next(iter(difflib.get_close_matches(key, magnets, 1, 0.5)), next(iter(magnets), ""))
        message = f'there is no magnet "{key}" in newsletter.yml' if key else "a magnet box needs the key of a magnet"
        fix = f"::: magnet {near}" if near else "Add it under magnets: in newsletter.yml."
        self.text.note(self._row_of(token), "E250", message, fix, find=key or ":::")
        return blocks.Unready("magnet", line)

    def _limited(self, inside: tuple[Block, ...], allowed: tuple[type, ...], where: str) -> None:
        for inner in inside:
            if not isinstance(inner, allowed):
                self._not_here(inner, where)

    def _not_here(self, block: Block, where: str) -> None:
        row = block.line - self.text.first_line
        what = _CALLED.get(type(block), "a box")
        self.text.note(row, "E232", f"{what} cannot stand in {where}", "Put it before or after, on lines of its own.")


_CALLED: dict[type, str] = {
    blocks.Heading: "a heading",
    blocks.Quote: "a quotation",
    blocks.Divider: "a pause (---)",
    blocks.CodeBlock: "code",
    blocks.Table: "a table",
    blocks.Image: "a picture",
    blocks.Button: "a button",
}


def _ends(tokens: list[Token]) -> dict[int, int]:
    """The place of the token that closes each token that opens."""
    ends: dict[int, int] = {}
    waiting: list[int] = []
    for at, token in enumerate(tokens):
        if token.nesting == 1:
            waiting.append(at)
        elif token.nesting == -1 and waiting:
            ends[waiting.pop()] = at
    return ends


def _close(children: list[Token], at: int) -> int:
    """The end of the run that begins at a token."""
    depth = 0
    for index in range(at, len(children)):
        depth += children[index].nesting
        if depth == 0:
            return index
    return len(children) - 1


def _ornament(inside: tuple[Inline, ...]) -> tuple[str, tuple[Inline, ...]]:
    """A heading's leading emoji and its words; words of nothing else keep it."""
    first = inside[0]
    if not isinstance(first, blocks.Words):
        return "", inside
    emoji, rest = graphemes.leading_emoji(first.text)
    words = (blocks.Words(rest), *inside[1:]) if rest else inside[1:]
    return (emoji, words) if emoji and words else ("", inside)


_DASH = re.compile(r"(?:—|–|--|―)[ \u00a0]*(?=\S)")


def _sourced(inside: tuple[Block, ...]) -> tuple[tuple[Block, ...], tuple[Inline, ...]]:
    """A quotation and its source, when its last line was `— Name`."""
    last = inside[-1] if inside else None
    if isinstance(last, blocks.Listing) and last.items:  # the line after a list is read as part of its last item
        item, source = _sourced(last.items[-1])
        return (*inside[:-1], replace(last, items=(*last.items[:-1], item))), source
    if not isinstance(last, blocks.Paragraph):
        return inside, ()
    cut = max((n for n, part in enumerate(last.inside) if isinstance(part, blocks.Break)), default=-1)
    line = last.inside[cut + 1 :]
    first = line[0] if line else None
    dash = _DASH.match(first.text) if isinstance(first, blocks.Words) else None
    if dash is None or not isinstance(first, blocks.Words) or (cut < 0 and len(inside) == 1):
        return inside, ()
    rest = first.text[dash.end() :]
    source = (blocks.Words(rest), *line[1:])
    kept = (blocks.Paragraph(last.inside[:cut], last.line),) if cut > 0 else ()
    return (*inside[:-1], *kept), source


def _align(style: str) -> Literal["start", "center", "end"]:
    if style.endswith("center"):
        return "center"
    return "end" if style.endswith("right") else "start"
