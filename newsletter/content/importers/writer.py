"""Blocks written as an issue's body, in the dialect and in the form a browser editor keeps.

`-` lists, four spaces for each step inwards, `_quiet_`, `**strong**`, `***`. Words are escaped where
Markdown would take them for something else: what goes in is what readers see.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from newsletter.content import grammar, merge, urls
from newsletter.content.importers.stream import Kind, Piece, Rich, Run, merged, plain, stripped
from newsletter.content.slips import quoted

COLUMNS = 4
STEP = 4


def body(pieces: Sequence[Piece], fields: Mapping[str, str]) -> str:
    """The text of a body. In: judged pieces, the publication's merge fields."""
    blocks: list[str] = []
    framed = False
    for group in _blocks(pieces):
        card = group[0].style == "card"
        if card != framed:
            blocks.append("::: card" if card else ":::")
        text = _block(group, fields)
        if framed and card:
            blocks[-1] += ("\n" if blocks[-1] == "::: card" else "\n\n") + text
        elif card:
            blocks[-1] += "\n" + text
        elif framed:
            blocks[-2:] = [blocks[-2] + "\n:::", text]
        else:
            blocks.append(text)
        framed = card
    if framed:
        blocks[-1] += "\n:::"
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


def _blocks(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Items of one list together, with the paragraphs that belong to them; every other piece alone."""
    run: list[Piece] = []
    for piece in pieces:
        listed = piece.kind is Kind.ITEM or (piece.of_item and bool(run))
        new = (
            piece.kind is Kind.ITEM and run and not piece.level and not run[0].level and piece.ordered != run[0].ordered
        )
        if run and (not listed or new):
            yield run
            run = []
        if listed:
            run.append(piece)
        else:
            yield [piece]
    if run:
        yield run


def _block(group: list[Piece], fields: Mapping[str, str]) -> str:  # noqa: PLR0911  one for each kind
    piece = group[0]
    match piece.kind:
        case Kind.ITEM:
            return _listing(group, fields)
        case Kind.HEADING:
            return f"{'#' * piece.level} {_heading(piece, fields)}"
        case Kind.QUOTE:
            return "\n".join(f"> {line}".rstrip() for line in _lines(piece.rich, fields))
        case Kind.RULE:
            return "***"
        case Kind.TABLE:
            return _table(piece, fields)
        case Kind.CODE:
            return _code(piece)
        case Kind.BUTTON:
            href = piece.rich[0].href
            label = inline(tuple(replace(one, href="", bold=False) for one in piece.rich), fields)
            return f"[{label}]({_target(href)}){{.button}}" if _leads(href) else label
        case Kind.VERBATIM:
            return plain(piece.rich)
        case _:
            return "\n".join(_lines(piece.rich, fields))


def _heading(piece: Piece, fields: Mapping[str, str]) -> str:
    bare = tuple(replace(one, text=one.text.replace("\n", " ")) for one in piece.rich)
    if all(one.bold for one in bare if one.text.strip()):
        bare = tuple(replace(one, bold=False) for one in bare)
    return re.sub(r"(?:(?<=\s)|^)(#+)$", r"\\\1", inline(stripped(bare), fields))


def _lines(rich: Rich, fields: Mapping[str, str]) -> list[str]:
    """The lines of a paragraph, none of which begins as something else."""
    raw = bool(rich) and all(one.raw for one in rich)
    lines = [line.strip() if not raw else line.rstrip() for line in inline(rich, fields).split("\n")]
    return [line if raw else guarded(line) for line in lines if line.strip()]


def _listing(group: list[Piece], fields: Mapping[str, str]) -> str:
    lines: list[str] = []
    depth = 0
    counters: dict[int, int] = {}
    after_paragraph = False
    for piece in group:
        if piece.kind is not Kind.ITEM:
            lines += ["", *(" " * STEP * (depth + 1) + line for line in _lines(piece.rich, fields))]
            after_paragraph = True
            continue
        depth = min(piece.level, depth + 1) if lines else 0
        if after_paragraph:
            lines.append("")
        after_paragraph = False
        first, *others = _lines(piece.rich, fields) or [""]
        counters = {level: count for level, count in counters.items() if level <= depth}
        if piece.ordered:
            counters[depth] = counters[depth] + 1 if depth in counters else max(piece.number, 1)
            mark = f"{counters[depth]}."
        else:
            counters.pop(depth, None)
            mark = "-"
        lines.append(" " * STEP * depth + f"{mark} {first}")
        lines += [" " * STEP * (depth + 1) + line for line in others]
    return "\n".join(lines)


def _table(piece: Piece, fields: Mapping[str, str]) -> str:
    most = max((len(row) for row in piece.rows), default=0)
    rows = [[_cell(cell, fields) for cell in row] + [""] * (most - len(row)) for row in piece.rows]
    if most > COLUMNS:
        return "\n\n".join(" · ".join(cell for cell in row if cell) for row in rows)
    head, *rest = rows
    lines = [head, ["---"] * most, *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(cell: Rich, fields: Mapping[str, str]) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", inline(cell, fields).replace("\n", " ")).strip()


def _code(piece: Piece) -> str:
    longest = max((len(run) for run in re.findall("`{3,}", piece.text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{piece.style}\n{piece.text}\n{fence}"


# --- words ------------------------------------------------------------------------------------------------


def inline(rich: Rich, fields: Mapping[str, str]) -> str:
    """Words with their marks, escaped. Marks that would not work where they stand are left out."""
    rich = merged(rich)
    text = _nested(rich, 0, fields, "", "")
    if any(one.bold or one.italic or one.strike for one in rich) and not _works(text, rich):
        bare = tuple(replace(one, bold=False, italic=False, strike=False) for one in rich)
        return _nested(bare, 0, fields, "", "")
    return text


def _works(text: str, rich: Rich) -> bool:
    """Whether every mark is read as one: no star, low line or tilde is left over or gone."""
    children = [child for token in grammar.inline(text.replace("\n", " ")) for child in token.children or []]
    read = "".join(child.content for child in children if child.type in {"text", "code_inline", "image"})
    return all(read.count(sign) == plain(rich).count(sign) for sign in "*_~")


_ORDER: tuple[Callable[[Run], object], ...] = (
    lambda one: one.href,
    lambda one: one.bold,
    lambda one: one.strike,
    lambda one: one.italic,
)


def _nested(rich: Rich, depth: int, fields: Mapping[str, str], before: str, after: str) -> str:
    """Marks from the outside in. `before` and `after` are the signs around, which decide what marks work."""
    if depth == len(_ORDER):
        return "".join(_words(one, fields) for one in rich)
    groups = [(value, tuple(part)) for value, part in groupby(rich, key=_ORDER[depth])]
    written = ""
    for at, (value, part) in enumerate(groups):
        following = plain(groups[at + 1][1])[:1] if at + 1 < len(groups) else after
        previous = written[-1:] or before
        if not value:
            text = _nested(part, depth + 1, fields, previous, following)
            if written.endswith((")", "}", ">")) and text.startswith("{") and not part[0].raw:
                text = "\\" + text
        elif depth == 0:
            text = _link(part, str(value), fields)
        else:
            text = _marked(part, depth, fields, previous, following)
            if written.endswith("*") and not written.endswith("\\*") and text.startswith("*"):
                text = _nested(part, len(_ORDER), fields, previous, following)  # two marks would run into one
        written += text
    return written


_SIGNS = {1: "**", 2: "~~", 3: "_"}


def _marked(part: Rich, depth: int, fields: Mapping[str, str], before: str, after: str) -> str:
    """Words within a mark. Blanks, and signs that keep the mark from working, are put outside of it."""
    text = plain(part)
    if any(one.src for one in part) or "\n\n" in text:
        return _nested(part, depth + 1, fields, before, after)
    start, end = 0, len(text)
    while start < end and (
        text[start].isspace() or (_wordly(before if not start else text[start - 1]) and _pointed(text[start]))
    ):
        start += 1
    while end > start and (
        text[end - 1].isspace() or (_wordly(after if end == len(text) else text[end]) and _pointed(text[end - 1]))
    ):
        end -= 1
    inner = _between(part, start, end)
    if not plain(inner).strip():
        return _nested(part, depth + 1, fields, before, after)
    sign = _SIGNS[depth]
    outside = (text[start - 1] if start else before, text[end] if end < len(text) else after)
    if sign == "_" and (_wordly(outside[0]) or _wordly(outside[1])):
        sign = "*"
    head = _nested(_between(part, 0, start), depth + 1, fields, before, "")
    tail = _nested(_between(part, end, len(text)), depth + 1, fields, "", after)
    tight = _wordly(outside[0]) or _wordly(outside[1])
    edge = "w" if tight else sign[0]  # within a word, marks in marks must all be stars
    return head + sign + _nested(inner, depth + 1, fields, edge, edge) + sign + tail


def _between(part: Rich, start: int, end: int) -> Rich:
    kept: list[Run] = []
    at = 0
    for one in part:
        first, last = max(start - at, 0), min(end - at, len(one.text))
        if first < last:
            kept.append(replace(one, text=one.text[first:last]))
        at += len(one.text)
    return tuple(kept)


def _wordly(sign: str) -> bool:
    """Whether a sign may count as part of a word beside a mark (parsers differ about symbols)."""
    return bool(sign) and not sign.isspace() and not unicodedata.category(sign).startswith("P")


def _pointed(sign: str) -> bool:
    """Whether a sign may count as punctuation beside a mark."""
    return unicodedata.category(sign)[0] in "PS"


def _leads(href: str) -> bool:
    flaw = urls.flaw((href,))
    return flaw is None or flaw.warning


def _link(part: Rich, href: str, fields: Mapping[str, str]) -> str:
    shown = plain(part).strip()
    bare = tuple(replace(one, href="") for one in part)
    if any(one.src for one in part):
        inner = "".join(_words(one, fields) for one in bare)
        return f"[{inner}]({_target(href)})" if _leads(href) else inner
    if not shown:
        return plain(part)
    if not _leads(href):
        return _nested(bare, 1, fields, "", "")
    head, tail = plain(part)[: len(plain(part)) - len(plain(part).lstrip())], plain(part)[len(plain(part).rstrip()) :]
    simple = not any(one.bold or one.italic or one.strike for one in part) and not re.search(r"[\s<>\\\"^`{|}]", shown)
    if simple and href in {shown, f"mailto:{shown}"} and (":" in href or "@" in href):
        return f"{head}<{shown}>{tail}"
    words = _nested(stripped(bare), 1, fields, "", "").replace("\n", " ")
    return f"{head}[{_closed(words)}]({_target(href)}){tail}"


def _closed(words: str) -> str:
    """Brackets within the words of a link, escaped."""
    return re.sub(r"(?<!\\)([\[\]])", r"\\\1", words)


def _target(href: str) -> str:
    """An address between the brackets of a link."""
    safe = re.sub(r"[\s<>\"\\]", lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), href.strip())
    return f"<{safe}>" if safe.count("(") != safe.count(")") else safe


def _words(one: Run, fields: Mapping[str, str]) -> str:
    if one.src:
        alt = _closed(escaped(" ".join(one.text.split())))
        return f"![{alt}]({_target(one.src)})" + ("" if alt else "{.decorative}")
    if one.raw:
        return one.text
    if one.code:
        fence = "`" * (1 + max((len(run) for run in re.findall("`+", one.text)), default=0))
        pad = " " if one.text.startswith("`") or one.text.endswith("`") else ""
        return f"{fence}{pad}{one.text}{pad}{fence}"
    return _tagged(one.text, fields)


def _tagged(text: str, fields: Mapping[str, str]) -> str:
    """Words with merge tags of ours kept, those of others translated, and every other brace only a brace."""
    whole = ""
    done = 0
    for found in merge.find(text, fields):
        whole += escaped(text[done : found.at])
        done = found.at + len(found.source)
        whole += translated(found, fields) or escaped(found.source)
    return whole + escaped(text[done:])


def tagged(text: str, fields: Mapping[str, str]) -> str:
    """A line of plain words, with the merge tags of other programs as ours."""
    whole = ""
    done = 0
    for found in merge.find(text, fields):
        whole += text[done : found.at] + (translated(found, fields) or found.source)
        done = found.at + len(found.source)
    return whole + text[done:]


def translated(found: merge.Found, fields: Mapping[str, str]) -> str:
    """A merge tag as we write it; empty when it means none of our fields."""
    if isinstance(found.tag, merge.Snippet):
        return ""
    if not isinstance(found.tag, merge.Fault):
        return found.source
    ours = next(iter(merge.find(found.tag.fix, fields)), None)
    known = ours is not None and not isinstance(ours.tag, merge.Fault | merge.Snippet)
    meant = found.tag.code == "E241" or found.source.startswith("{{")
    named = known and ours is not None and _names(found.source, ours.source)
    return found.tag.fix if known and meant and named else ""


def _names(source: str, ours: str) -> bool:
    """Whether a foreign tag speaks of that field: `*|LIST:ADDRESS|*` is no first name."""
    field = re.match(r"\{\{\s*(\w+)", ours)
    letters = re.sub(r"[^a-z]", "", source.lower())
    stem = field[1].replace("_", "") if field else ""
    return bool(stem) and (stem in letters or stem[:1] + "name" in letters or letters in {"name", "subscribername"})


_ALWAYS = re.compile(r"([\\`*<]|~(?=~|$)|(?<=~)~|^~|\{\{)")
_LOW = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_BRACKET = re.compile(r"\[(?=[^\[\]\n]*\](?:[(\[:{]|\s*\[)|!|\^)|(?<=!)\[")
_AFTER = re.compile(r"\](?= ?\()|(?<!\{)\{(?= *[.#])")
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
_SCHEME = re.compile(r"(?<!\w)(https?|ftp):(?=//)|(?<![:\w])//(?=\w)", re.IGNORECASE)


def escaped(text: str) -> str:
    """Plain words, safe within a line of Markdown."""
    safe = _ALWAYS.sub(r"\\\1", text)
    safe = _LOW.sub(r"\\_", safe)
    safe = _BRACKET.sub(r"\\[", safe)
    safe = _AFTER.sub(r"\\\g<0>", safe)
    safe = _ENTITY.sub(r"\\&", safe)
    return _SCHEME.sub(
        lambda found: found.group().replace("//", "/\\/") if found.group() == "//" else f"{found[1]}\\:", safe
    )


_STARTS = (
    (re.compile(r"^(#)"), r"\\\1"),
    (re.compile(r"^([-+])(?=\s|$)"), r"\\\1"),
    (re.compile(r"^(-{2,}|={2,}|\+{2,})\s*$"), r"\\\1"),
    (re.compile(r"^(\d{1,9})([.)])(?=\s|$)"), r"\1\\\2"),
    (re.compile(r"^(>)"), r"\\\1"),
    (re.compile(r"^(:::)"), r"\\\1"),
    (re.compile(r"^(~{3,})"), r"\\\1"),
    (re.compile(r"^(\|)"), r"\\\1"),
    (re.compile(r"^(\[)(?=[^\]\n]+\]:)"), r"\\\1"),
    (re.compile(r"^([-:| ]*-[-:| ]*\|[-:| ]*)$"), r"\\\1"),
)


def guarded(line: str) -> str:
    """A line that does not begin a list, a heading or a quotation by accident."""
    for pattern, instead in _STARTS:
        line = pattern.sub(instead, line, count=1)
    return line


# --- the lines at the top ---------------------------------------------------------------------------------


def front(values: Mapping[str, str]) -> str:
    """`name: value` lines between `---`, quoted where they must be; empty ones left out."""
    lines = [f"{name}: {_value(value)}" for name, value in values.items() if value]
    return "\n".join(["---", *lines, "---"]) + "\n"


_PLAIN = re.compile(r"[^\W_](?:(?!:(?:\s|$)|\s#)[^\n\t])*")


def _value(text: str) -> str:
    one = " ".join(text.split())
    return one if _PLAIN.fullmatch(one) and not one.endswith(":") else quoted(one)
