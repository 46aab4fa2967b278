"""One issue under examination: what a rule may look at, and how it points at a place.

In: an issue as read, its publication. Out: its lines, its prose with everything that is no prose blanked
out (columns stay), its links with their places.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from newsletter.content import blocks, frontmatter, grammar, merge, phrases
from newsletter.content.blocks import Block, MergeTag
from newsletter.content.checks import house
from newsletter.content.checks.house import House
from newsletter.content.document import Document
from newsletter.content.issue import Issue
from newsletter.core.email import Email
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Publication

SETTINGS = "newsletter.yml"


@dataclass(frozen=True)
class Line:
    """A line of an issue's text: its number in the file, the line as typed, what of it is prose, the box it is in."""

    number: int
    source: str
    prose: str
    box: str = ""


@dataclass(frozen=True)
class Place:
    """A link where it stands: its address, its words, and the file, line and column."""

    url: tuple[str | MergeTag, ...]
    words: str
    file: str
    line: int
    col: int
    source: str

    @property
    def address(self) -> str:
        """The address as a reader without a name has it."""
        return "".join(part if isinstance(part, str) else part.fallback for part in self.url)

    def problem(self, code: str, message: str, fix: str, level: Level = Level.WARNING) -> Problem:
        """A finding about this link."""
        return Problem(self.file, self.line, self.col, code, level, message, fix, self.source)


@dataclass(frozen=True)
class Case:
    """An issue, who publishes it, and the mail made of it (None: not rendered). `today`: None when nobody asks."""

    issue: Issue
    publication: Publication
    root: Path
    email: Email | None = None
    today: dt.date | None = None
    files: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def head(self) -> Document:
        """The front matter, for its places."""
        return frontmatter.document_of(self.issue.source, self.issue.name)[0]

    @cached_property
    def house(self) -> House:
        """The word lists of the house, the publication's own over the built-in ones."""
        return house.load(self.root)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The file, by lines."""
        return tuple(self.issue.source.split("\n"))

    @cached_property
    def first(self) -> int:
        """The line the text begins at, from 1."""
        halves, _ = frontmatter.split(self.issue.source, self.issue.name)
        return halves.body_line if halves else len(self.lines) + 1

    @cached_property
    def body(self) -> tuple[Line, ...]:
        """The lines of the text, code and comments left out."""
        return tuple(_lines(self.lines, self.first))

    @cached_property
    def blocks(self) -> tuple[tuple[Block, str], ...]:
        """Every block, those inside others too, with the file its line counts in."""
        return tuple(blocks.walk(self.issue.body, self.issue.name))

    @cached_property
    def links(self) -> tuple[Place, ...]:
        """Every link of the text, in reading order."""
        return tuple(self._links())

    @cached_property
    def subject(self) -> str:
        """The subject as a reader without a name sees it."""
        return merge.shown(self.issue.subject, self.publication.fields)

    @cached_property
    def preheader(self) -> str:
        """The preheader as a reader without a name sees it."""
        return merge.shown(self.issue.preheader, self.publication.fields)

    @property
    def preheader_written(self) -> bool:
        """Whether somebody wrote it, or it is the beginning of the text."""
        return self.head.plain().get("preheader") is not None

    def about(
        self, key: str, code: str, message: str, fix: str, level: Level = Level.WARNING, *, find: str = ""
    ) -> Problem:
        """A finding about a line of the front matter, at `find` in it."""
        found = self.head.problem([key], code, message, fix, level=level)
        at = found.source.find(find) if find else -1
        return Problem(found.file, found.line, at + 1, code, level, message, fix, found.source) if at >= 0 else found

    def whole(self, code: str, message: str, fix: str, level: Level = Level.WARNING) -> Problem:
        """A finding about the issue as a whole."""
        return Problem(self.issue.name, 0, 0, code, level, message, fix)

    def at(
        self,
        line: int,
        code: str,
        message: str,
        fix: str,
        level: Level = Level.WARNING,
        *,
        col: int = 0,
        file: str = "",
    ) -> Problem:
        """A finding at a line and column, from 1; without a column, at the line's first sign."""
        lines = self.lines_of(file)
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        col = col or len(source) - len(source.lstrip()) + 1
        return Problem(file or self.issue.name, line, col, code, level, message, fix, source)

    def lines_of(self, file: str) -> tuple[str, ...]:
        """The lines of the issue, or of a snippet that stands in it."""
        if file in {"", self.issue.name}:
            return self.lines
        if file not in self.files:
            path = (self.root / file).resolve()
            inside = path.is_relative_to(self.root.resolve()) and path.is_file()
            text = path.read_text("utf-8-sig", errors="replace") if inside else ""
            self.files[file] = tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        return self.files[file]

    def find(self, needle: str, line: int, file: str = "") -> tuple[int, int]:
        """Line and column of a text at or after a line; the line's beginning when it is not there."""
        lines = self.lines_of(file)
        for number in range(max(line, 1), min(len(lines), line + 40) + 1):
            if needle and (at := lines[number - 1].find(needle)) >= 0:
                return number, at + 1
        return line, 1

    def _links(self) -> Iterator[Place]:
        seen: dict[tuple[str, int, str], tuple[int, int]] = {}
        for block, file in self.blocks:
            for url, words in _links_of(block):
                line, col = self._place(url, words, getattr(block, "line", 0), file, seen)
                lines = self.lines_of(file)
                source = lines[line - 1] if 0 < line <= len(lines) else ""
                yield Place(url, words, file, line, col, source)

    def _place(
        self,
        url: tuple[str | MergeTag, ...],
        words: str,
        line: int,
        file: str,
        seen: dict[tuple[str, int, str], tuple[int, int]],
    ) -> tuple[int, int]:
        """Where a link stands: the second one to the same address is looked for after the first."""
        literal = url[0] if url and isinstance(url[0], str) else words
        lines = self.lines_of(file)
        first, at = seen.get((file, line, literal), (max(line, 1), -1))
        for number in range(first, min(len(lines), line + 200) + 1):
            found = lines[number - 1]
            if (at := found.find(literal, at + 1)) >= 0:
                seen[file, line, literal] = (number, at)
                start = found.rfind("[", 0, at)
                return number, (start if start >= 0 and "](" in found[start:at] else at) + 1
        return self.find(words[:20], line, file)


def _links_of(block: Block) -> Iterator[tuple[tuple[str | MergeTag, ...], str]]:
    if isinstance(block, blocks.Button):
        yield block.url, phrases.plain(block.inside)
    elif isinstance(block, blocks.Image) and block.link:
        yield (block.link,), block.picture.alt
    else:
        yield from _in_line(block)


def _in_line(node: Any) -> Iterator[tuple[tuple[str | MergeTag, ...], str]]:
    """The links within a block's own lines; blocks inside it are asked by themselves."""
    if isinstance(node, blocks.Link):
        yield node.url, phrases.plain(node.inside)
    elif isinstance(node, tuple):
        for part in node:
            if not _is_block(part):
                yield from _in_line(part)
    elif is_dataclass(node):
        for one in fields(node):
            value = getattr(node, one.name)
            if isinstance(value, tuple):
                yield from _in_line(value)


def _is_block(node: object) -> bool:
    return isinstance(node, Block)


_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_NO_PROSE = re.compile(
    r"(?P<code>(`+)(?!`).*?(?<!`)\2(?!`))"
    r"|<!--.{0,2000}?-->"
    r"|\{\{[^{}\n]*\}\}"
    r"|\{[.#][^{}\n]*\}"
    r"|(?<=\])\([^()\s]*(?:\([^()\s]*\))?(?:\s+\"[^\"]*\")?\)"
    r"|<?(?:https?://|mailto:|tel:)[^\s<>)]*>?"
    r"|^\s*\[[^\]]+\]:\s*\S+.*$"
    r"|^\s*:{3,}[ \t]*\w*"
)


def _lines(lines: tuple[str, ...], first: int) -> Iterator[Line]:
    fence, comment = "", False
    boxes: list[str] = []
    for number, source in enumerate(lines[first - 1 :], first):
        if comment:
            comment = "-->" not in source
            continue
        if mark := _FENCE.match(source):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
            continue
        if fence:
            continue
        if box := grammar.BOX.fullmatch(source):
            if box["name"]:
                boxes.append(box["name"].lower())
            else:
                del boxes[-1:]
        prose = _NO_PROSE.sub(lambda found: " " * len(found.group()), source)
        if (at := prose.find("<!--")) >= 0:
            comment, prose = True, prose[:at]
        yield Line(number, source, prose, boxes[-1] if boxes else "")
