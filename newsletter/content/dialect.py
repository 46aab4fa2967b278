"""An issue's body, from Markdown to blocks.

In: the text, the publication (merge fields, magnets), its root (pictures). Out: blocks and every problem
found, each with file, line, column, the line itself and what to write instead. Nothing is dropped without
a word but `<!-- comments -->`; nothing is evaluated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from newsletter.content import blocks, grammar, graphemes
from newsletter.content.blocks import Block, Inline, Parts
from newsletter.content.merge import Found, Snippet
from newsletter.content.phrases import (
    BUTTONS,
    Text,
    caption,
    html_tag,
    label,
    link_parts,
    phrases,
    picture,
    plain,
    spoken,
    tagged,
    unused_references,
)
from newsletter.content.variants import CHANNELS
from newsletter.content.words import words
from newsletter.core.problem import Problem
from newsletter.core.publication import Publication

SNIPPETS = "snippets"
_SNIPPET = re.compile(r"[\w-]{1,80}")  # no path
NESTED = 5  # snippets in snippets
MAX_LENGTH = 200_000  # characters; a mail of 95,000 bytes holds far less
BOXES = ("callout", "card", "magnet", "columns", "column", "author", "poll", "only", "not")
"""What may stand behind `:::`."""

_MEANT = {
    "note": "callout",
    "tip": "callout",
    "warning": "callout",
    "info": "callout",
    "box": "callout",
    "quote": "callout",
    "row": "columns",
    "survey": "poll",
    "question": "poll",
    "bio": "author",
    "if": "only",
    "unless": "not",
    "except": "not",
}
_NO_BOX = {
    "button": "[Words](https://www.example.org/page){.button}",
    "image": "![What it shows](images/picture.jpg)",
    "picture": "![What it shows](images/picture.jpg)",
    "divider": "***",
    "snippet": '{{ snippet "its-name" }}',
}
"""What is written without a box."""
_ALERTS: dict[str, Literal["note", "tip", "important", "warning", "caution"]] = {
    "NOTE": "note",
    "TIP": "tip",
    "IMPORTANT": "important",
    "WARNING": "warning",
    "CAUTION": "caution",
}
_BOXES = (
    blocks.Callout,
    blocks.Card,
    blocks.MagnetCard,
    blocks.Columns,
    blocks.AuthorCard,
    blocks.Poll,
    blocks.Unready,
)
_IN_CARD = (blocks.Heading, blocks.Paragraph, blocks.Listing, blocks.Image, blocks.Button)
_IN_MAGNET = (blocks.Paragraph, blocks.Listing)
_IN_POLL = (blocks.Heading, blocks.Paragraph)
COLUMNS = 4  # of a table
BESIDE = (2, 3)  # columns of text beside each other
ANSWERS = (2, 6)
EVERYBODY = "all"


def read(
    source: str, publication: Publication, *, root: Path, file: str, first_line: int = 1, lang: str = ""
) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    """Read a body.

    In: the text; the publication and its root folder; the file's name for messages and the line of the
    file the text begins at; the language for the labels of alerts. Out: blocks in reading order, problems by
    line; those of a snippet name the snippet's own file.
    """
    text = Text(source, file, first_line, publication, root)
    labels = words(lang or publication.language, root)
    found = _read(text, labels, Shelf(root))
    return found.body, tuple(sorted(set(found.problems)))


@dataclass(frozen=True)
class _Found:
    """What a text holds, what is wrong with it, and how long it is with its snippets, in characters."""

    body: tuple[Block, ...]
    problems: tuple[Problem, ...]
    length: int = 0


def _read(text: Text, labels: Mapping[str, str], shelf: Shelf) -> _Found:
    if len(text.source) > MAX_LENGTH:
        message = f"this is longer than a letter can be ({len(text.source):,} characters)"
        text.note(0, "E303", message, "Put the long text on a page and link to it.")
        return _Found((), tuple(text.problems))
    try:
        reader = _Reader(text, labels, shelf)
        body = reader.body()
    except RecursionError:
        text.note(0, "E232", "this text has too many things inside each other", "Make it flatter.")
        return _Found((), tuple(text.problems))
    return _Found(body, tuple(text.problems), reader.length)


@dataclass(frozen=True)
class Shelf:
    """The snippets of a publication, each read once for a letter; `trail` are those being read now."""

    root: Path
    trail: tuple[str, ...] = ()
    known: dict[str, _Found] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Those there are."""
        return sorted(path.stem for path in (self.root / SNIPPETS).glob("*.md"))

    def text(self, key: str) -> str:
        """What a snippet says, without the line ends of its end.

        Raises: FileNotFoundError; UnicodeDecodeError for one that is not UTF-8.
        """
        path = self.root / SNIPPETS / f"{key}.md"
        if not _SNIPPET.fullmatch(key) or not path.is_file():
            raise FileNotFoundError(key)
        return path.read_text("utf-8-sig").rstrip("\n")

    def within(self, key: str) -> Shelf:
        """The same while that snippet is read."""
        return replace(self, trail=(*self.trail, key))


class _Reader:
    """Tokens of a body being made into blocks."""

    def __init__(self, text: Text, labels: Mapping[str, str], shelf: Shelf) -> None:
        self.text = text
        self.labels = labels
        self.shelf = shelf
        self.length = len(text.source)
        self.polls: set[str] = set()
        self.large = False  # whether a heading of level 2 has been read
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
        self.boxes: dict[str, Callable[[int, int], Iterator[Block]]] = {
            "callout": self._callout,
            "card": self._card,
            "magnet": self._magnet,
            "columns": self._columns,
            "column": self._stray_column,
            "author": self._author,
            "poll": self._poll,
            "only": self._only,
            "not": self._only,
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
        if key := self._snippet_key(token):
            yield self._snippet(key, self._row_of(token))
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
        words = caption(str(token.attrs.get("title", "")), self.text)
        link = link_parts(href, self.text, row, 1) if href else ()
        if any(not isinstance(part, str) for part in link):
            fix = "Put the link into the text below the picture."
            self.text.note(row, "E240", "a merge tag cannot stand in a picture's link", fix)
        shown = picture(token, self.text, row, 1)
        url = "".join(part for part in link if isinstance(part, str))
        return blocks.Image(shown, spoken(words), url, self.text.line(row), tagged(words))

    def _snippet_key(self, token: Token) -> str:
        """The key of a snippet that is all a paragraph holds."""
        parts = list(self.text.marked.split(token.content.strip()))
        tag = parts[0].tag if len(parts) == 1 and isinstance(parts[0], Found) else None
        return tag.key or " " if isinstance(tag, Snippet) else ""

    def _snippet(self, key: str, row: int) -> Block:
        """The blocks of a snippet's file; what is wrong with them is told there, what is wrong with it here."""
        line, file, lost = self.text.line(row), f"{SNIPPETS}/{key}.md", blocks.Unready("snippet", self.text.line(row))
        if key in self.shelf.trail:
            self.text.note(row, "E232", f'the snippet "{key}" is part of itself', "Take it out of one of them.")
            return lost
        if len(self.shelf.trail) >= NESTED:
            message = f"snippets stand more than {NESTED} deep inside each other here"
            self.text.note(row, "E232", message, "Write the words here.")
            return lost
        try:
            found = self.shelf.known.get(key) or self._shelved(key, file)
        except FileNotFoundError:
            self._no_snippet(key, row)
            return lost
        except UnicodeDecodeError:
            self.text.note(row, "E250", f"{file} is not saved as UTF-8 text", "Save it again, as UTF-8.")
            return lost
        self.length += found.length
        if self.length > MAX_LENGTH:
            fix = "Put the long text on a page and link to it."
            self.text.note(row, "E303", "with its snippets this is longer than a letter can be", fix)
            return lost
        self.text.problems.extend(found.problems)
        return blocks.Inserted(key, file, found.body, line)

    def _shelved(self, key: str, file: str) -> _Found:
        source = self.shelf.text(key).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
        text = Text(source, file, 1, self.text.publication, self.text.root)
        found = _read(text, self.labels, self.shelf.within(key))
        self.shelf.known[key] = found
        return found

    def _no_snippet(self, key: str, row: int) -> None:
        names = self.shelf.names()
        near = next(iter(difflib.get_close_matches(key, names, 1, 0.5)), next(iter(names), ""))
        fix = f'{{{{ snippet "{near}" }}}}' if near else f"Write it to {SNIPPETS}/{key.strip() or 'name'}.md"
        message = f'there is no snippet "{key.strip()}" in {SNIPPETS}/'
        self.text.note(row, "E250", message, fix, find="{{")

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
        level = min(max(level, 2), 3)
        self.large = self.large or level == 2  # noqa: PLR2004
        yield blocks.Heading(level, emoji, inside, self._line(at), first=not self.large)

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
        for inner, line, foreign in _flat(block for item in items for block in item):
            alert = isinstance(inner, blocks.Callout) and inner.kind != "callout"
            if alert or (foreign and isinstance(inner, _BOXES)):  # other boxes were told when they began
                self._not_here(inner, "a list", line)

    def _quote(self, at: int, end: int) -> Iterator[Block]:
        inside = self._run(at + 1, end)
        if alert := self._labelled(inside, at):
            yield alert
            return
        for inner, line, _ in _flat(inside):
            if isinstance(inner, _BOXES):
                self._not_here(inner, "a quotation", line)
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
        name = self.text.marked.restored(self.tokens[at].info).lower()
        if maker := self.boxes.get(name):
            yield from maker(at, end)
        else:
            self._unknown(name, at)
            yield from self._run(at + 1, end)

    def _unknown(self, name: str, at: int) -> None:
        near = _MEANT.get(name) or next(iter(difflib.get_close_matches(name, BOXES, 1, 0.6)), "")
        hint = f'; did you mean "::: {near}"?' if near else ""
        fix = _NO_BOX.get(name) or (f"::: {near}" if near else f"There are: {', '.join(BOXES)}.")
        self.text.note(self._row(at), "E233", f'there is no "::: {name}" box{hint}', fix, find=":::")

    def _callout(self, at: int, end: int) -> Iterator[Block]:
        label_ = _stripped(self._label(self.tokens[at]))
        inside = self._run(at + 1, end)
        callout = blocks.Callout("callout", spoken(label_), inside, self._line(at), tagged(label_))
        yield self._filled(callout)

    def _label(self, token: Token) -> Parts:
        labels = grammar.inline(token.content)
        return label(labels[0], self.text) if labels else ()

    def _filled(self, callout: blocks.Callout) -> blocks.Callout:
        self._not_empty(callout.inside, callout.line - self.text.first_line)
        for inner, line, _ in _flat(callout.inside):
            if isinstance(inner, _BOXES):
                self._not_here(inner, "another box", line)
        return callout

    def _not_empty(self, inside: tuple[Block, ...], row: int) -> None:
        if not inside:
            self.text.note(row, "E232", "this box is empty", "Write a line between its first and last line.")

    def _rest(self, at: int) -> str:
        """What stands behind the name of a box."""
        return self.text.marked.restored(self.tokens[at].content).strip()

    def _no_rest(self, at: int, what: str, fix: str) -> None:
        if words_ := self._rest(at):
            message = f"{what} has no heading on its first line"
            self.text.note(self._row(at), "E232", message, fix.format(words=words_), find=words_)

    def _card(self, at: int, end: int) -> Iterator[Block]:
        self._no_rest(at, "a card", "::: card\n### {words}")
        inside = self._run(at + 1, end)
        self._limited(inside, _IN_CARD, "a card")
        self._not_empty(inside, self._row(at))
        yield blocks.Card(inside, self._line(at))

    def _magnet(self, at: int, end: int) -> Iterator[Block]:
        inside = self._run(at + 1, end)
        self._limited(inside, _IN_MAGNET, "a magnet card")
        yield from self._keyed("magnet", at, blocks.MagnetCard(self._rest(at), inside, self._line(at)))

    def _author(self, at: int, end: int) -> Iterator[Block]:
        inside = self._run(at + 1, end)
        self._limited(inside, (blocks.Paragraph,), "an author box")
        yield from self._keyed("author", at, blocks.AuthorCard(self._rest(at), inside, self._line(at)))

    def _keyed(self, what: str, at: int, block: blocks.MagnetCard | blocks.AuthorCard) -> Iterator[Block]:
        """A box about something that newsletter.yml knows by a key (E250)."""
        publication = self.text.publication
        known: Mapping[str, object] = publication.magnets if what == "magnet" else publication.authors
        if block.key in known:
            yield block
            return
        key = block.key
        near = next(iter(difflib.get_close_matches(key, known, 1, 0.5)), next(iter(known), ""))
        article = "an" if what == "author" else "a"
        message = (
            f'there is no {what} "{key}" in newsletter.yml' if key else f"{what} boxes need the key of {article} {what}"
        )
        fix = f"::: {what} {near}" if near else f"Add it under {what}s: in newsletter.yml."
        self.text.note(self._row(at), "E250", message, fix, find=key or ":::")
        yield blocks.Unready(what, block.line)

    # --- columns ----------------------------------------------------------------------------------

    def _columns(self, at: int, end: int) -> Iterator[Block]:
        self._no_rest(at, "a box of columns", "::: columns\n::: column\n### {words}")
        columns: list[tuple[Block, ...]] = []
        child = at + 1
        while child < end:
            close = self.ends.get(child, child)
            columns += self._column(child, close)
            child = close + 1
        if not BESIDE[0] <= len(columns) <= BESIDE[1]:
            message = f"::: columns holds two or three ::: column boxes, and this one {len(columns)}"
            fix = "::: columns\n::: column\nLeft\n:::\n::: column\nRight\n:::\n:::"
            self.text.note(self._row(at), "E232", message, fix)
        yield blocks.Columns(tuple(columns), self._line(at))

    def _column(self, at: int, end: int) -> list[tuple[Block, ...]]:
        """The column at a place; anything else there is told and kept as a column of its own."""
        token = self.tokens[at]
        if token.type != "box_open" or self.text.marked.restored(token.info).lower() != "column":
            if made := self._run(at, end + 1):
                message = "only ::: column can stand directly in ::: columns"
                self.text.note(self._row(at), "E232", message, "::: column\n...\n:::")
                return [made]
            return []
        self._no_rest(at, "a column", "::: column\n### {words}")
        inside = self._run(at + 1, end)
        self._not_empty(inside, self._row(at))
        self._limited(inside, _IN_CARD, "a column")
        return [inside]

    def _stray_column(self, at: int, end: int) -> Iterator[Block]:
        self.text.note(self._row(at), "E232", "a column belongs into a box of columns", "::: columns\n::: column")
        yield from self._run(at + 1, end)

    # --- poll -------------------------------------------------------------------------------------

    def _poll(self, at: int, end: int) -> Iterator[Block]:
        inside = self._run(at + 1, end)
        row, key = self._row(at), self._rest(at)
        answers = self._answers(inside[-1]) if inside else ()
        question = inside[:-1] if answers else inside
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", key):
            message = "a poll needs a name of its own, of letters, digits and hyphens"
            self.text.note(row, "E232", message, "::: poll rest", find=key or ":::")
        elif key in self.polls:
            message = f'there are two polls called "{key}"'
            self.text.note(row, "E232", message, f"::: poll {key}-2", find=key)
        if not question or not ANSWERS[0] <= len(answers) <= ANSWERS[1]:
            message = f"a poll is a question and a list of {ANSWERS[0]} to {ANSWERS[1]} answers"
            fix = f"::: poll {key or 'rest'}\nDid you rest this week?\n\n- Yes\n- Not yet\n:::"
            self.text.note(row, "E232", message, fix)
        self.polls.add(key)
        self._limited(question, _IN_POLL, "the question of a poll")
        yield blocks.Poll(key, question, answers, self._line(at))

    def _answers(self, block: Block) -> tuple[tuple[Inline, ...], ...]:
        """The items of a list, each one line."""
        if not isinstance(block, blocks.Listing):
            return ()
        answers: list[tuple[Inline, ...]] = []
        for item in block.items:
            first = item[0] if item else None
            if isinstance(first, blocks.Paragraph):
                answers.append(first.inside)
            if len(item) != 1 or not isinstance(first, blocks.Paragraph) or _clickable(first.inside):
                row = (getattr(first, "line", 0) or block.line) - self.text.first_line
                message = "an answer is one line of words, without a link or a picture"
                self.text.note(row, "E232", message, "- Yes")
        return tuple(answers)

    # --- for some -------------------------------------------------------------------------------------

    def _only(self, at: int, end: int) -> Iterator[Block]:
        box = self.text.marked.restored(self.tokens[at].info).lower()
        inside = self._run(at + 1, end)
        names = tuple(dict.fromkeys(name for name in re.split(r"[\s,]+", self._rest(at)) if name))
        names = tuple(self._for(name, at) for name in names)
        if not names:
            known = ", ".join((*CHANNELS, *self._segments()))
            message = f'"::: {box}" needs to say for whom: {known}'
            self.text.note(self._row(at), "E232", message, f"::: {box} web")
        elif len(names) > 1 and set(names) & set(CHANNELS):
            message = "email or web cannot stand beside another name here"
            fix = f"::: {box} {names[0]}\n::: {box} {names[1]}\n...\n:::\n:::"
            self.text.note(self._row(at), "E232", message, fix)
        self._not_empty(inside, self._row(at))
        yield blocks.Only(names, inside, box == "not", self._line(at))

    def _segments(self) -> tuple[str, ...]:
        publication = self.text.publication
        return tuple(dict.fromkeys((*publication.segments, "letter", *publication.topics)))

    def _for(self, name: str, at: int) -> str:
        """A name that a box is for, told when newsletter.yml does not know it (E250); a draft may be early with it."""
        known = (*CHANNELS, EVERYBODY, *self._segments())
        if name in known:
            return name
        if name.lower() in known:
            return name.lower()
        near = next(iter(difflib.get_close_matches(name.lower(), known, 1, 0.5)), "")
        hint = f'; did you mean "{near}"?' if near else ""
        box = self.text.marked.restored(self.tokens[at].info).lower()
        fix = f"::: {box} {near}" if near else f"There are: {', '.join(known)}."
        message = f'there is no segment "{name}" in newsletter.yml{hint}'
        self.text.note(self._row(at), "E250", message, fix, find=name, early=True)
        return name

    # --- what may stand where -------------------------------------------------------------------------

    def _limited(self, inside: tuple[Block, ...], allowed: tuple[type, ...], where: str) -> None:
        for inner, line, _ in _flat(inside):
            if not isinstance(inner, allowed):
                self._not_here(inner, where, line)

    def _not_here(self, block: Block, where: str, line: int) -> None:
        row = line - self.text.first_line
        what = _CALLED.get(type(block), "a box")
        self.text.note(row, "E232", f"{what} cannot stand in {where}", "Put it before or after, on lines of its own.")


def _flat(inside: Iterable[Block]) -> Iterator[tuple[Block, int, bool]]:
    """Blocks, those within `only`, `not` and snippets in their place; their line here; whether from a snippet."""
    for block in inside:
        if isinstance(block, blocks.Only):
            yield from _flat(block.inside)
        elif isinstance(block, blocks.Inserted):
            yield from ((inner, block.line, True) for inner, _, _ in _flat(block.inside))
        else:
            yield block, block.line, False


def _stripped(parts: Parts) -> Parts:
    """Without the blanks at both ends."""
    last = len(parts) - 1
    whole: list[str | blocks.MergeTag] = []
    for at, part in enumerate(parts):
        if isinstance(part, str):
            part = part.lstrip() if at == 0 else part  # noqa: PLW2901
            part = part.rstrip() if at == last else part  # noqa: PLW2901
        whole.append(part)
    return tuple(part for part in whole if part != "")


def _clickable(inside: Iterable[Inline]) -> bool:
    """Whether words hold something that leads elsewhere, or is no word."""
    for part in inside:
        if isinstance(part, blocks.Link | blocks.Picture):
            return True
        if isinstance(part, blocks.Strong | blocks.Emphasis | blocks.Strike) and _clickable(part.inside):
            return True
    return False


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
