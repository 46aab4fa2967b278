"""Words within a line: markdown-it's inline tokens made into inlines, each oddity told with its place.

In: an inline token and the text it stands in. Out: inlines; the problems go to the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from markdown_it.common.utils import normalizeReference
from markdown_it.token import Token

from newsletter.content import blocks, images, urls
from newsletter.content.blocks import Inline, MergeTag, Parts
from newsletter.content.merge import Fault, Found, Marked, Snippet, marked
from newsletter.core.email import UNSUBSCRIBE_URL
from newsletter.core.problem import Fix, Level, Problem
from newsletter.core.publication import Publication
from newsletter.errors import NotFound

MAX_MARKS = 20  # bold in italic in links ...
BUTTONS = frozenset({"button", "secondary"})


@dataclass
class Text:
    """A body being read: where it stands, what counts in it, what was found in it.

    Rows count from 0 in the body; places from 1 in the file.
    """

    source: str
    file: str
    first_line: int
    publication: Publication
    root: Path
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lines = self.source.split("\n")
        self.marked: Marked = marked(self.source, self.publication.fields)
        self._told: set[tuple[int, int, str]] = set()

    def line(self, row: int) -> int:
        """A row's line in the file."""
        return row + self.first_line

    def note(
        self,
        row: int,
        code: str,
        message: str,
        fix: str = "",
        *,
        find: str = "",
        level: Level = Level.ERROR,
        rows: int = 1,
        early: bool = False,
    ) -> None:
        """Remember a problem at the first place of `find` in the rows from `row`, else at the row's first sign."""
        row, col = self._seek(row, rows, find)
        self._add(row, col, code, message, fix, level, early=early)

    def _seek(self, row: int, rows: int, find: str) -> tuple[int, int]:
        for at in range(row, min(row + max(rows, 1), len(self.lines))):
            if find and (col := self.lines[at].find(find)) >= 0:
                return at, col
        line = self.lines[row] if row < len(self.lines) else ""
        return row, len(line) - len(line.lstrip())

    def _add(
        self,
        row: int,
        col: int,
        code: str,
        message: str,
        fix: str,
        level: Level = Level.ERROR,
        auto: Fix | None = None,
        *,
        early: bool = False,
    ) -> None:
        if (row, col, code) in self._told:
            return
        self._told.add((row, col, code))
        source = self.lines[row] if row < len(self.lines) else ""
        place = (self.file, self.line(row), col + 1)
        self.problems.append(Problem(*place, code, level, message, fix, source, auto, early))

    def note_tag(self, found: Found, code: str, message: str, fix: str) -> None:
        """Remember a problem at a merge tag."""
        before = self.source[: found.at]
        row, col = before.count("\n"), found.at - (before.rfind("\n") + 1)
        auto = None
        if isinstance(found.tag, Fault) and found.tag.certain and fix == found.tag.fix:
            line = self.lines[row]
            mended = line[:col] + fix + line[col + len(found.source) :]
            auto = Fix(self.file, self.line(row), self.line(row), mended)
        self._add(row, col, code, message, fix, auto=auto)


def phrases(token: Token, text: Text) -> tuple[Inline, ...]:
    """The inlines of an inline token."""
    _leftovers(token, text)
    return _trimmed(_Line(text, _row(token), _rows(token)).read(token.children or []))


def link_parts(href: str, text: Text, row: int, rows: int, shown: str = "") -> tuple[str | MergeTag, ...]:
    """An address with its merge tags, judged (E220, W220)."""
    parts = tuple(_address_parts(href, text))
    if flaw := urls.flaw(parts):
        typed = text.marked.restored(href)
        find = typed if typed and any(typed in line for line in text.lines[row : row + rows]) else shown
        code, level = ("W220", Level.WARNING) if flaw.warning else ("E220", Level.ERROR)
        text.note(row, code, flaw.message, flaw.fix, find=find, level=level, rows=rows)
    return parts


def _address_parts(href: str, text: Text) -> Iterator[str | MergeTag]:
    for part in text.marked.split(href):
        if isinstance(part, str):
            yield part
        elif isinstance(part.tag, MergeTag):
            yield part.tag
        else:
            _tell(part, text)
            yield part.source


def plain(inlines: Iterable[Inline]) -> str:
    """The words alone, as one line; a merge tag by its fallback, a picture by what it says."""
    return "".join(_plain(part) for part in inlines)


def _plain(part: Inline) -> str:
    match part:
        case blocks.Words(words) | blocks.Code(words):
            return words
        case blocks.Break():
            return " "
        case blocks.MergeTag(_, fallback):
            return fallback
        case blocks.Picture(_, alt):
            return alt
        case _:
            return plain(part.inside)


def spoken(parts: Iterable[str | MergeTag]) -> str:
    """A line as a reader without a name has it."""
    return "".join(part if isinstance(part, str) else part.fallback for part in parts)


def label(token: Token, text: Text) -> Parts:
    """The line of a place that holds nothing but words and merge tags (a label, what a picture shows)."""
    for part in text.marked.split(token.content):
        if isinstance(part, Found):
            _judge(part, text)
    # no judgement of the words: the whole is text here
    quiet = Text("", "", 0, text.publication, text.root)
    quiet.marked = text.marked
    return _merged(_parts(_Line(quiet, 0, 1).read(token.children or [])))


def caption(typed: str, text: Text) -> Parts:
    """The same for the words in quotation marks behind an address, which know no marks."""
    parts: list[str | MergeTag] = []
    for part in text.marked.split(typed):
        if isinstance(part, str):
            parts.append(part)
            continue
        _judge(part, text)
        parts.append(part.tag if isinstance(part.tag, MergeTag) else part.source)
    return _merged(parts)


def tagged(parts: Parts) -> Parts:
    """The parts when a merge tag is among them: else the text says it all."""
    return parts if any(isinstance(part, MergeTag) for part in parts) else ()


def _judge(found: Found, text: Text) -> None:
    if isinstance(found.tag, MergeTag) and found.tag.field == UNSUBSCRIBE_URL:
        _way_out(found, text)
    elif not isinstance(found.tag, MergeTag):
        _tell(found, text)


def _way_out(found: Found, text: Text) -> None:
    fix = f"[Unsubscribe]({found.source})"
    text.note_tag(found, "E240", "the way out is an address, and belongs in a link", fix)


def _parts(inside: Iterable[Inline]) -> Iterator[str | MergeTag]:
    for part in inside:
        if isinstance(part, MergeTag):
            yield part
        elif isinstance(part, blocks.Strong | blocks.Emphasis | blocks.Strike | blocks.Link):
            yield from _parts(part.inside)
        else:
            yield _plain(part)


def _merged(parts: Iterable[str | MergeTag]) -> Parts:
    """Neighbouring words as one."""
    whole: list[str | MergeTag] = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        elif part != "":
            whole.append(part)
    return tuple(whole)


def _tell(found: Found, text: Text) -> None:
    """A tag that is none of ours."""
    tag = found.tag
    if isinstance(tag, Fault):
        text.note_tag(found, tag.code, tag.message, tag.fix)
    elif isinstance(tag, Snippet):
        message = "a snippet must be alone in its paragraph"
        text.note_tag(found, "E232", message, f"Put {found.source} on a line of its own, with a blank line around it.")


def _row(token: Token) -> int:
    return token.map[0] if token.map else 0


def _rows(token: Token) -> int:
    return max(1, token.map[1] - token.map[0]) if token.map else 1


@dataclass
class _Open:
    """A mark that waits for its end: the link, bold or italic, and what is inside so far."""

    token: Token | None
    inside: list[Inline] = field(default_factory=list)


class _Line:
    """Inline tokens of one block, read with a stack: depth costs no recursion."""

    def __init__(self, text: Text, row: int, rows: int) -> None:
        self.text = text
        self.row = row
        self.rows = rows
        self.html: set[str] = set()

    def note(self, code: str, message: str, fix: str, find: str = "") -> None:
        """A problem somewhere in these rows."""
        self.text.note(self.row, code, message, fix, find=self.text.marked.restored(find), rows=self.rows)

    def read(self, tokens: Sequence[Token]) -> tuple[Inline, ...]:
        """All of them."""
        stack = [_Open(None)]
        for token in tokens:
            if token.nesting == 1:
                stack.append(_Open(token))
            elif token.nesting == -1 and len(stack) > 1:
                self._close(stack)
            else:
                stack[-1].inside.extend(self._single(token))
        return _joined(stack[0].inside)

    def _close(self, stack: list[_Open]) -> None:
        done = stack.pop()
        inside = _joined(done.inside)
        if len(stack) > MAX_MARKS:  # the words stay, the marks go: whoever renders this must not dig so deep
            self.note("E232", "too many marks stand inside each other here", "Keep one or two.")
            stack[-1].inside.extend(inside)
            return
        kind = done.token.type if done.token else ""
        if kind == "link_open" and done.token:
            stack[-1].inside.append(self._link(done.token, inside))
        elif kind == "strong_open":
            stack[-1].inside.append(blocks.Strong(inside))
        elif kind == "em_open":
            stack[-1].inside.append(blocks.Emphasis(inside))
        elif kind == "s_open":
            stack[-1].inside.append(blocks.Strike(inside))
        else:
            stack[-1].inside.extend(inside)

    def _single(self, token: Token) -> Iterator[Inline]:
        match token.type:
            case "softbreak" | "hardbreak":
                yield blocks.Break()
            case "code_inline":
                yield blocks.Code(self.text.marked.restored(token.content))
            case "image":
                yield self._picture(token)
            case "html_inline":
                yield from self._html(token.content)
            case _:
                yield from self._words(token.content)

    def _words(self, content: str) -> Iterator[Inline]:
        for part in self.text.marked.split(content):
            if isinstance(part, str):
                yield blocks.Words(part)
            elif isinstance(part.tag, MergeTag) and part.tag.field != UNSUBSCRIBE_URL:
                yield part.tag
            elif isinstance(part.tag, MergeTag):
                _way_out(part, self.text)
            else:
                _tell(part, self.text)
                yield blocks.Words(part.source)

    def _link(self, token: Token, inside: tuple[Inline, ...]) -> blocks.Link:
        href = str(token.attrs.get("href", ""))
        if plain(inside).startswith("^"):  # a footnote; its own line is told
            return blocks.Link((), inside)
        url = link_parts(href, self.text, self.row, self.rows, shown=f"[{plain(inside)[:20]}")
        if not plain(inside).strip():
            self.note(
                "E220", "this link has no words to click on", f"[Words]({self.text.marked.restored(href)})", "[]("
            )
        _attributes(token, self.text, self.row, self.rows)
        title = caption(str(token.attrs.get("title", "")), self.text)
        return blocks.Link(url, inside, spoken(title), tagged(title))

    def _picture(self, token: Token) -> blocks.Picture:
        return picture(token, self.text, self.row, self.rows)

    def _html(self, content: str) -> Iterator[Inline]:
        typed = self.text.marked.restored(content)
        if typed.startswith("<!--"):
            return
        html_tag(typed, self.text, self.row, self.rows, self.html)
        yield blocks.Words(typed)


DECORATIVE = "decorative"
_PICTURE = {"src", "alt", "title", "class"}


def picture(token: Token, text: Text, row: int, rows: int) -> blocks.Picture:
    """A picture, its file found and measured (E210); `{.decorative}` behind one says that it shows nothing."""
    src = text.marked.restored(str(token.attrs.get("src", "")))
    classes = str(token.attrs.get("class", "")).split()
    unknown = [f".{name}" for name in classes if name != DECORATIVE]
    unknown += [str(key) for key in token.attrs if key not in _PICTURE]
    unknown += [str(key) for key in token.meta.get("insecure_attrs", {})]
    if unknown:
        message = f'a picture knows no "{unknown[0]}"'
        fix = f'![What it shows]({src} "Caption")   (or ![]({src}){{.decorative}} for decoration)'
        text.note(row, "E233", message, fix, find="{", rows=rows)
    alt = label(token, text)
    _described(spoken(alt).strip(), classes, src, text, row, rows)
    if DECORATIVE in classes:
        alt = ()
    found, trouble = find_picture(src, spoken(alt), text.root)
    if trouble:
        text.note(row, "E210", trouble[0], trouble[1], find=src, rows=rows)
    return replace(found, alt_parts=tagged(alt))


def _described(alt: str, classes: Sequence[str], src: str, text: Text, row: int, rows: int) -> None:
    """A picture says what it shows, or that it shows nothing: one of the two."""
    if not alt and DECORATIVE not in classes:
        fix = f"![What the picture shows]({src})   (or ![]({src}){{.decorative}} for decoration)"
        message = "this picture says nothing to those who cannot see it"
        text.note(row, "E210", message, fix, find="![](", rows=rows)
    elif alt and DECORATIVE in classes:
        fix = f"![]({src}){{.decorative}}   (or ![{alt}]({src}) to say it)"
        message = "this picture is called decoration, and says what it shows all the same"
        text.note(row, "E210", message, fix, find="![", rows=rows)


def find_picture(src: str, alt: str, root: Path) -> tuple[blocks.Picture, tuple[str, str] | None]:
    """A picture by its address or path, and what is wrong with it with a fix."""
    bare = blocks.Picture(src, alt)
    if re.match(r"https://[^\s/]", src, re.IGNORECASE):
        return bare, None
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", src):
        name = re.sub(r"[^\w.-]+", "-", re.split(r"[/\\]", unquote(src))[-1]) or "picture.jpg"
        fix = f"Copy it to images/ and write: ![{alt or 'What it shows'}](images/{name})"
        return bare, ("a picture is a file in images/, and this leads elsewhere", fix)
    path = _decoded(src)
    try:
        return blocks.Picture(src, alt, images.asset(path, root)), None
    except NotFound as trouble:
        return bare, (trouble.what[:1].lower() + trouble.what[1:].rstrip("."), trouble.todo)


def _decoded(src: str) -> str:
    """A path as it is on the disk: Markdown has percent-encoded what is not ASCII."""
    return unquote(src).removeprefix("./")


_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][\w-]*)")
_INSTEAD = {
    "br": "Press Enter for a new line.",
    "b": "**bold**",
    "strong": "**bold**",
    "i": "_italic_",
    "em": "_italic_",
    "s": "~~struck~~",
    "del": "~~struck~~",
    "a": "[Words](https://www.example.org/page)",
    "img": "![What it shows](images/picture.jpg)",
    "h1": "## Title",
    "h2": "## Title",
    "h3": "### Title",
    "hr": "***",
    "li": "- One thing",
    "ul": "- One thing",
    "ol": "1. One thing",
    "blockquote": "> The words",
    "code": "`code`",
    "button": "[Words](https://www.example.org/page){.button}",
    "table": "| Day | Hours |\n| --- | --- |\n| Monday | 9-17 |",
    "div": "::: callout Heading\nThe words\n:::",
    "center": "Delete the tag; text begins at the left.",
}


def html_tag(typed: str, text: Text, row: int, rows: int, told: set[str]) -> None:
    """A tag of HTML (E230), a pair told once."""
    tag = _TAG.match(typed)
    name = tag["name"].lower() if tag else ""
    if tag and tag["close"] and name in told:
        return
    told.add(name)
    short = typed if len(typed) <= 40 else typed[:40] + "…"  # noqa: PLR2004
    fix = _INSTEAD.get(name, f"Delete it; to show it as it is, write \\{short}")
    text.note(
        row, "E230", f"{short} is HTML, which mails are not written in", fix, find=typed.partition("\n")[0], rows=rows
    )


def _attributes(token: Token, text: Text, row: int, rows: int) -> None:
    """`{.button}` belongs to a paragraph of its own; anything else in braces is unknown."""
    known = {"href", "title", "class"}
    classes = str(token.attrs.get("class", "")).split()
    unknown = [f".{name}" for name in classes if name not in BUTTONS]
    unknown += [str(key) for key in token.attrs if key not in known]
    unknown += [str(key) for key in token.meta.get("insecure_attrs", {})]
    if unknown:
        message = f'a link knows no "{unknown[0]}"; did you mean .button?'
        text.note(row, "E233", message, "[Words](https://www.example.org/page){.button}", find="{", rows=rows)
    elif classes:
        message = "a button must be alone in its paragraph"
        fix = "Put a blank line before and after it, or remove {.button}."
        text.note(row, "E232", message, fix, find="{.", rows=rows)


_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_LEFT = (
    (
        re.compile(r"(?<!\\)\]\((?=[^)\s]{0,300}[ \n])"),
        "](",
        "E220",
        "this link does not work: there is a blank in its address",
        "Take the blank out, or write %20 for it: [Words](https://www.example.org/a%20page)",
    ),
    (
        re.compile(r"(?<!\\)\]\("),
        "](",
        "E220",
        "this link does not work: its ) is missing, or its address is odd",
        "[Words](https://www.example.org/page)",
    ),
    (
        re.compile(r"(?<!\\)\] \((?=https?:)"),
        "] (",
        "E220",
        "this is no link: there is a blank between ] and (",
        "Take the blank out: [Words](https://www.example.org/page)",
    ),
    (
        re.compile(r"(?<!\\)\{[ ]*[.#][A-Za-z][\w .#-]*\}"),
        "{",
        "E233",
        "this in braces belongs directly after a link, without a blank",
        "[Words](https://www.example.org/page){.button}",
    ),
    (
        re.compile(r"(?<![\\{])\{\{"),
        "{{",
        "E240",
        "this merge tag is not closed on its line",
        '{{ first_name, "friend" }}',
    ),
    (
        re.compile(r"(?<!\\)\[\^[\w-]+\]"),
        "[^",
        "E232",
        "footnotes do not work in mail programs",
        "Put the note into the text, in brackets.",
    ),
)
_ENOUGH = 12  # characters that tell one place from another
_SIGNS = re.compile(r"\]\(|\] \(|\{|\[\^")


def _leftovers(token: Token, text: Text) -> None:
    """What was meant as a link, a button or a tag and is only text (nothing breaks silently)."""
    said = "".join(child.content for child in token.children or [] if child.type == "text")
    if not _SIGNS.search(said):
        return
    content = _CODE_SPAN.sub("", token.content)
    told: set[int] = set()
    for pattern, sign, code, message, fix in _LEFT:
        for left in pattern.finditer(content) if sign in said else ():
            around = content[left.start() : left.start() + _ENOUGH].split("\n")[0]
            if around in said and left.start() not in told:
                told.add(left.start())
                find = text.marked.restored(around) if text.marked.mark.search(around) else around
                text.note(_row(token), code, message, fix, find=find, rows=_rows(token))


def unused_references(references: dict[str, dict[str, object]], contents: Iterable[str], text: Text) -> None:
    """`[Words]: address` lines that nothing refers to would vanish (E220)."""
    if not references:
        return
    used = {normalizeReference(label) for content in contents for label in re.findall(r"\[([^\[\]]+)\]", content)}
    for label, reference in references.items():
        place = reference.get("map")
        row = place[0] if isinstance(place, list) else 0
        if label.startswith("^"):
            fix = "Put the note into the text, in brackets."
            text.note(row, "E232", "footnotes do not work in mail programs", fix, find="[^")
        elif label not in used:
            message = "this line would vanish: it is read as the address of a link that is not there"
            text.note(
                row, "E220", message, "[Words](https://www.example.org/page)   (or \\[Words]: for plain text)", find="["
            )


def _joined(inlines: Sequence[Inline]) -> tuple[Inline, ...]:
    """Neighbouring words as one."""
    whole: list[Inline] = []
    for part in inlines:
        if isinstance(part, blocks.Words) and whole and isinstance(whole[-1], blocks.Words):
            whole[-1] = blocks.Words(whole[-1].text + part.text)
        elif part != blocks.Words(""):
            whole.append(part)
    return tuple(whole)


def _trimmed(inlines: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """Without breaks at the ends, where a dropped comment was."""
    while inlines and isinstance(inlines[0], blocks.Break):
        inlines = inlines[1:]
    while inlines and isinstance(inlines[-1], blocks.Break):
        inlines = inlines[:-1]
    return inlines
