"""Markdown as an issue speaks it: CommonMark, tables, strike, alerts, bare addresses, and `:::` boxes.

In: the text of a body whose merge tags are marks. Out: markdown-it tokens, and what only the reading of
lines can tell: boxes without an end, ends without a box.

Apart from CommonMark: a line end is a line break (editors press Enter once and mean it), and a line under
text never makes it a heading (`---` there is a pause). HTML is recognised, to be refused by name; tokens
are never rendered by markdown-it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType
from mdit_py_plugins.attrs import attrs_plugin

MAX_DEPTH = 20
"""Levels of blocks in blocks (a list counts two); more would be no letter."""

_NESTING = 2 * MAX_DEPTH  # the parser's own guard, for links in links; beyond it text stays text


@dataclass(frozen=True)
class Box:
    """A `:::` box: the rows of its first line and of its `:::` (or where it probably ends)."""

    start: int
    end: int
    closed: bool


@dataclass(frozen=True)
class Boxes:
    """All boxes of a text by the row they begin at, and the rows of a `:::` that closes nothing."""

    by_row: dict[int, Box]
    strays: tuple[int, ...]


@dataclass
class Parsed:
    """What was read. Rows count from 0 in the text."""

    tokens: list[Token]
    boxes: Boxes
    references: dict[str, dict[str, object]]
    misplaced: list[tuple[int, str]] = field(default_factory=list)  # boxes within "list" or "blockquote"
    too_deep: list[int] = field(default_factory=list)


BOX = re.compile(r" {0,3}:{3,}[ \t]*(?P<name>[^\s:]*)[ \t]*(?P<rest>.*?)[ \t]*")
_CODE = re.compile(r"\s*(?P<marks>`{3,}(?=[^`]*$)|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}\s")


def parse(text: str) -> Parsed:
    """Read a body. Raises: RecursionError for nesting that no guard caught."""
    parsed = Parsed([], boxes(text.split("\n")), {})
    env: EnvType = {"parsed": parsed}
    parsed.tokens = markdown().parse(text, env)
    parsed.references = env.get("references", {})
    return parsed


def inline(text: str) -> list[Token]:
    """Read a single line: the label of a box."""
    return markdown().parseInline(text, {})


@cache
def markdown() -> MarkdownIt:
    """The parser; it holds no state of a text."""
    md = MarkdownIt("commonmark", {"breaks": True, "html": True, "linkify": True, "maxNesting": _NESTING})
    md.options["alerts"] = True
    md.enable(["table", "strikethrough", "linkify"]).disable("lheading")
    if md.linkify is not None:
        md.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
        quick = md.linkify.pretest
        md.linkify.pretest = lambda text: ":" in text and quick(text)  # what becomes a link names its scheme
        md.linkify.add("//", None).add("ftp:", None)
    md.validateLink = _any_link  # type: ignore[method-assign, assignment]  # judged later, by name, not left as text
    md.use(attrs_plugin, after=("link_close", "image"))
    md.block.ruler.before("table", "depth", _depth)
    md.block.ruler.before("fence", "box", _box, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    return md


def _any_link(_url: str) -> bool:
    return True


def boxes(lines: Sequence[str]) -> Boxes:
    """Match every `::: name` with its `:::`, whatever is between, code and comments left alone."""
    found: dict[int, Box] = {}
    strays: list[int] = []
    open_rows: list[int] = []
    code = ""
    comment = False
    for row, line in enumerate(lines):
        if comment or line.lstrip().startswith("<!--"):
            comment = "-->" not in line
            continue
        if mark := _CODE.match(line):
            code = _fence(code, mark["marks"], line)
            continue
        box = None if code or ":::" not in line else BOX.fullmatch(line)
        if box and box["name"]:
            open_rows.append(row)
        elif box and open_rows:
            start = open_rows.pop()
            found[start] = Box(start, row, closed=True)
        elif box:
            strays.append(row)
    for start in open_rows:
        found[start] = Box(start, _probable_end(lines, start), closed=False)
    return Boxes(found, tuple(strays))


def _fence(code: str, marks: str, line: str) -> str:
    """The marks that a fenced block waits for, after a line with marks."""
    if not code:
        return marks
    closes = marks.startswith(code) and not line.strip().strip(marks[0])
    return "" if closes else code


def _probable_end(lines: Sequence[str], start: int) -> int:
    end = start + 1
    while end < len(lines) and not _HEADING.match(lines[end]) and not BOX.fullmatch(lines[end]):
        end += 1
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _depth(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Blocks deeper than any letter has them are not read: the parser would drop them without a word."""
    if silent or state.level < MAX_DEPTH:
        return False
    parsed: Parsed = state.env["parsed"]
    parsed.too_deep.append(start)
    state.line = end
    return True


def _box(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`::: name rest` to its `:::`; one that closes nothing is passed over (it is told elsewhere)."""
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    if not line.startswith(":::") or state.is_code_block(start) or "parsed" not in state.env:
        return False
    opened = BOX.fullmatch(line)
    if opened is None:
        return False
    if silent:
        return True
    parsed: Parsed = state.env["parsed"]
    box = parsed.boxes.by_row.get(start)
    if opened["name"] and (box is None or state.parentType in {"list", "blockquote"}):
        parsed.misplaced.append((start, str(state.parentType)))
    if box is None:
        state.line = start + 1
        return True
    _inside(state, opened, box, min(box.end, end))
    return True


def _inside(state: StateBlock, opened: re.Match[str], box: Box, end: int) -> None:
    token = state.push("box_open", "div", 1)
    token.map = [box.start, end]
    token.info = opened["name"]
    token.content = opened["rest"]
    parent, last = state.parentType, state.lineMax
    state.parentType, state.lineMax = "container", end  # no lazy line may run over the end
    state.md.block.tokenize(state, box.start + 1, end)
    state.parentType, state.lineMax = parent, last
    state.push("box_close", "div", -1)
    state.line = end + 1 if box.closed and end == box.end else max(end, box.start + 1)
