"""Markdown as pieces: what is marked already stays as it is, bare paragraphs are opened to be judged.

Two doors. `read` is for a file of another program: its front matter is understood, a first `#` is the
title, HTML is converted. `reread` is for the body of one of our own issues, into which text was pasted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from markdown_it.token import Token

from newsletter.content import document, frontmatter, grammar
from newsletter.content.importers import txt
from newsletter.content.importers.stream import Kind, Piece, Rich, Run, Source

_WHOLE = {
    "bullet_list_open",
    "ordered_list_open",
    "blockquote_open",
    "alert_open",
    "fence",
    "code_block",
    "html_block",
    "table_open",
    "box_open",
}
_NOTE = re.compile(r"\[\^([\w-]+)\](:?)")
_BULLET = re.compile(r"^(\s*)[*+](?=\s)")
_KEYS = {
    "subject": "subject",
    "title": "subject",
    "preheader": "preheader",
    "description": "preheader",
    "subtitle": "preheader",
    "excerpt": "preheader",
    "summary": "preheader",
    "lang": "lang",
    "language": "lang",
    "date": "date",
    "publish_date": "date",
    "slug": "slug",
    "tags": "tags",
}


def read(text: str, convert: Callable[[str], Sequence[Piece]]) -> Source:
    """A Markdown file from elsewhere. `convert` reads HTML."""
    front, rest, skipped = _front(text)
    noted = _NOTE.sub(lambda found: f"\\[{found[1]}\\]" + (" " if found[2] else ""), rest)
    source = _pieces(noted, skipped, convert)
    pieces = list(source.pieces)
    title = ""
    if "subject" not in front and pieces and pieces[0].kind is Kind.HEADING and pieces[0].level == 1:
        title = pieces.pop(0).text
    return replace(source, pieces=tuple(pieces), title=title, front=front)


def reread(body: str, first_line: int) -> Source:
    """A body of ours. `first_line` is where it begins in its file."""
    return _pieces(body, first_line - 1, None)


def _front(text: str) -> tuple[dict[str, str], str, int]:
    """Front matter of any program's making, as far as its names mean something here."""
    if not re.match(r"---[ \t]*\n", text):
        return {}, text, 0
    halves, _ = frontmatter.split(text, "")
    if halves is None:
        return {}, text, 0
    read_, _ = document.read(halves.front, "", halves.front_line)
    found: dict[str, str] = {}
    for key, value in read_.plain().items():
        if (ours := _KEYS.get(key.lower())) and isinstance(value, str) and value.strip():
            found.setdefault(ours, value.strip())
    return found, halves.body, halves.body_line - 1


def _pieces(body: str, skipped: int, convert: Callable[[str], Sequence[Piece]] | None) -> Source:
    lines = body.split("\n")
    tokens, boxes = _read_blocks(body)
    pieces: list[Piece] = []
    opened: list[tuple[int, int]] = []
    done = 0
    tops = [token for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]
    for at, token in enumerate(tops):
        start, end = token.map or (0, 0)
        end = _closing(lines, token, end, boxes)
        pieces += _left(lines, done, start, skipped)
        done = max(done, end)
        gap = start > 0 and not lines[start - 1].strip()
        if token.type == "paragraph_open":
            opened.append((start, end))
            pieces += _paragraph(lines, start, end, skipped, convert, tops[at + 1] if at + 1 < len(tops) else None)
        else:
            pieces += _marked(lines, token, start, end, skipped, gap, convert)
    pieces += _left(lines, done, len(lines), skipped)
    return _with_shape(pieces, lines, opened)


def _read_blocks(body: str) -> tuple[list[Token], dict[int, grammar.Box]]:
    """Blocks alone: what stands within lines is not looked at, and costs nothing."""
    parsed = grammar.Parsed([], grammar.boxes(body.split("\n")), {})
    tokens: list[Token] = []
    markdown = grammar.markdown()
    markdown.block.parse(body, markdown, {"parsed": parsed}, tokens)
    return tokens, parsed.boxes.by_row


def _closing(lines: Sequence[str], token: Token, end: int, boxes: dict[int, grammar.Box]) -> int:
    """The row after a block; of a box, the row after its `:::`."""
    if token.type != "box_open" or token.map is None:
        return end
    box = boxes.get(token.map[0])
    return min(box.end + 1, len(lines)) if box and box.closed else end


def _left(lines: Sequence[str], start: int, end: int, skipped: int) -> list[Piece]:
    """Lines no token speaks of: the addresses of links."""
    rows = [row for row in range(start, end) if lines[row].strip()]
    if not rows:
        return []
    text = "\n".join(lines[rows[0] : rows[-1] + 1])
    return [Piece(Kind.VERBATIM, (Run(text, raw=True),), rows[0] + 1 + skipped, gap=True, sure=True)]


def _marked(
    lines: Sequence[str],
    token: Token,
    start: int,
    end: int,
    skipped: int,
    gap: bool,
    convert: Callable[[str], Sequence[Piece]] | None,
) -> list[Piece]:
    """A block that says what it is."""
    line = start + 1 + skipped
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    if token.type == "heading_open":
        found = re.fullmatch(r"\s{0,3}(?P<marks>#{1,6})\s*(?P<words>.*?)(?:\s+#+)?\s*", lines[start])
        words = found["words"] if found else lines[start].strip()
        return (
            [Piece(Kind.HEADING, (Run(words, raw=True),), line, gap, level=int(token.tag[1:]), sure=True)]
            if words
            else []
        )
    if token.type == "hr":
        return [Piece(Kind.RULE, (), line, gap, sure=True)]
    if token.type == "html_block" and convert is not None and not token.content.lstrip().startswith("<!--"):
        return [replace(piece, line=line) for piece in convert(token.content)]
    text = "\n".join(lines[start:end])
    if convert is not None and token.type == "bullet_list_open":
        text = "\n".join(_BULLET.sub(r"\1-", one) for one in lines[start:end])
    if token.type not in _WHOLE:
        return []
    return [Piece(Kind.VERBATIM, (Run(text, raw=True),), line, gap, sure=True)]


def _paragraph(
    lines: Sequence[str],
    start: int,
    end: int,
    skipped: int,
    convert: Callable[[str], Sequence[Piece]] | None,
    after: Token | None,
) -> list[Piece]:
    """The lines of a paragraph; with an underline of `===` or `---`, a heading."""
    inside = list(lines[start:end])
    gap = start > 0 and not lines[start - 1].strip()
    line = start + 1 + skipped
    if convert is not None:
        if len(inside) > 1 and re.fullmatch(r"=+\s*", inside[-1].strip()):
            return [Piece(Kind.HEADING, _raw(" ".join(inside[:-1])), line, gap, level=1, sure=True)]
        ruled = after is not None and after.type == "hr" and after.map and after.map[0] == end
        if ruled and re.fullmatch(r"\s{0,3}-{2,}\s*", lines[end]) and len(inside) == 1:
            return [Piece(Kind.HEADING, _raw(inside[0].strip()), line, gap, level=2, sure=True, style="underlined")]
        if any(re.search(r"</?[a-z][^>]*>", one, re.IGNORECASE) for one in inside) and not any(
            "`" in one for one in inside
        ):
            html = grammar.markdown().render("\n".join(inside), {})
            return [
                replace(piece, line=line, gap=gap if n == 0 else piece.gap) for n, piece in enumerate(convert(html))
            ]
    made: list[Piece] = []
    for row, one in enumerate(inside):
        made.append(Piece(Kind.TEXT, _raw(one.strip()), line + row, gap and row == 0, style="lines"))
    return made


def _raw(text: str) -> Rich:
    return (Run(text.removesuffix("\\").rstrip(), raw=True),) if text else ()


def _with_shape(pieces: list[Piece], lines: Sequence[str], opened: Sequence[tuple[int, int]]) -> Source:
    """Underlines taken out, wrapped paragraphs joined, typed bullets read, and whether blank lines mean anything."""
    kept: list[Piece] = []
    for piece in pieces:
        if piece.kind is Kind.RULE and kept and kept[-1].style == "underlined" and not piece.gap:
            continue
        kept.append(piece)
    paragraphs = [row for start, end in opened for row in range(start, end)]
    found = txt.shape([lines[row] for row in range(len(lines))], paragraphs)
    return Source(tuple(_read_again(kept, found.wrap)), dense=found.dense)


def _read_again(pieces: Sequence[Piece], wrap: int) -> list[Piece]:
    """Runs of bare lines read as plain text is, their marks kept as Markdown."""
    made: list[Piece] = []
    run: list[Piece] = []
    for piece in [*pieces, None]:
        if piece is not None and piece.kind is Kind.TEXT and piece.style == "lines":
            run.append(piece)
            continue
        if run:
            made += txt.again([(one.text, one.line, one.gap) for one in run], wrap)
            run = []
        if piece is not None:
            made.append(piece)
    return made
