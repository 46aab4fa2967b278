"""The slips people make in `name: value` lines, found line by line and mended.

A parser stops at the first thing it cannot read and says so in its own words. So the lines are looked at
before it: every slip is told with the corrected line, and the mended lines go on to the parser, which then
finds the rest. Outside quotes, brackets and `|` blocks only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Slip:
    """One slip: `row` and `col` count from 0; `fix` is the corrected line when one can be made.

    `mended` is the whole line, blanks at its start included, when nobody needs to be asked.
    """

    row: int
    col: int
    code: str
    message: str
    fix: str = ""
    mended: str | None = None


@dataclass
class _Reader:
    """The lines, mended in place, and the slips so far."""

    lines: list[str]
    slips: list[Slip] = field(default_factory=list)

    def slip(self, row: int, col: int, code: str, message: str, mended: str | None, advice: str = "") -> None:
        """Note a slip, and go on with the mended line."""
        if mended is not None:
            self.lines[row] = mended
        self.slips.append(Slip(row, col, code, message, advice or (mended or "").strip(), mended or None))


_BLANKS = "\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"  # they look like a blank, and are none to a parser
_INDENT = re.compile(rf"[ \t{_BLANKS}]*")
_ITEM = re.compile(r"(?:- +)+")
_KEY = re.compile(rf"(?P<key>[^\W\d_]\w*(?:[ .\-/]+\w+)*|[\w.\-/]+) *:(?=$|[ \t{_BLANKS}])")
_TIGHT = re.compile(r"(?P<key>[A-Za-z_]\w*):(?!//)(?P<value>\S.*)")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]*(?:#.*)?")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_NOTE = re.compile(r"[ \t]+#.*")
_CUT = re.compile(r"[ \t]#")
_MEANT_AS_NOTE = re.compile(r"(?:^|[ \t]{2,})#(?=[ \t]|$).*")
_CURLY = re.compile("[“„‟«»‘‚]([^“”„‟«»‘‚’]*(?:(?<=\\w)’(?=\\w)[^“”„‟«»‘‚’]*)*)[”“»«’‘]")
_SPECIAL = "*&!%@`[{>|,]}"


def mend(lines: Sequence[str]) -> tuple[list[str], list[Slip]]:
    """Find and mend.

    In: the lines of a document, without line ends. Out: as many lines that a parser reads as the writer
    meant them, and the slips in order. Columns of the mended lines after a slip may differ by the quotes.
    """
    reader = _Reader(list(lines))
    row = 0
    inside = -1  # the indentation of the value that a deeper line would continue
    while row < len(reader.lines):
        line = reader.lines[row].rstrip()
        reader.lines[row] = line
        if not line.strip() or line.lstrip().startswith("#"):
            reader.lines[row] = line.strip()
            row += 1
            continue
        line = _indentation(reader, row, inside)
        indent = len(line) - len(line.lstrip(" "))
        if 0 <= inside < indent:
            _value(reader, row, indent, "", going_on=True)
            row += 1
            continue
        row, inside = _line(reader, row, indent)
    return reader.lines, reader.slips


def _indentation(reader: _Reader, row: int, inside: int) -> str:
    line = reader.lines[row]
    blanks = _INDENT.match(line)
    start = blanks.group() if blanks else ""
    if start.strip(" "):
        begins_anew = inside >= 0 and _KEY.match(line, len(start))
        width = inside if begins_anew else len(start.replace("\t", "  "))
        mended = " " * width + line[len(start) :]
        what = "a tab" if "\t" in start else "a special blank"
        message = f"this line begins with {what}, where only ordinary spaces work"
        reader.slip(row, 0, "E103", message, mended, f"{mended}   (two spaces for each step inwards)")
    return reader.lines[row]


def _line(reader: _Reader, row: int, indent: int) -> tuple[int, int]:
    """One `name: value` or `- value`. Out: the next row, and the indentation its value may continue at."""
    line = reader.lines[row]
    item = _ITEM.match(line, indent)
    start = item.end() if item else indent
    if line[start:] == "-":
        return row + 1, -1
    key = _KEY.match(line, start)
    if key is None:
        if not item and (tight := _TIGHT.fullmatch(line, start)):
            return _missing_space(reader, row, start, tight)
        if not item and indent == 0 and line[0] not in "'\"[{?-}]" and ":" not in line:
            message = 'this line has no name with a ":" after it'
            reader.slip(row, 0, "E109", message, "", "Write it as name: value, or put two spaces before it.")
            return row + 1, 0
        if not item:
            return row + 1, -1
    return _rest(reader, row, key.end() if key else start, key.start() if key else indent)


def _missing_space(reader: _Reader, row: int, start: int, tight: re.Match[str]) -> tuple[int, int]:
    line = reader.lines[row]
    mended = f"{line[:start]}{tight['key']}: {tight['value']}"
    message = f'a space is missing after "{tight["key"]}:"'
    reader.slip(row, start + len(tight["key"]), "E109", message, mended)
    return _rest(reader, row, start + len(tight["key"]) + 1, start)


def _rest(reader: _Reader, row: int, after: int, indent: int) -> tuple[int, int]:
    """What follows the colon or the dash. `after` is where it begins, blanks included."""
    line = reader.lines[row]
    gap = _INDENT.match(line, after)
    start = gap.end() if gap else after
    if line[after:start].strip(" "):
        mended = f"{line[:after]} {line[start:]}"
        what = "a tab" if "\t" in line[after:start] else "a special blank"
        code = "E103" if "\t" in line[after:start] else "E109"
        reader.slip(row, after, code, f"there is {what} where an ordinary space belongs", mended)
        line, start = mended, after + 1
    value = line[start:]
    if not value:
        return row + 1, -1
    if _BLOCK.fullmatch(value):
        return _skip_block(reader, row + 1, indent), -1
    if value[0] in "'\"":
        return _quotes(reader, row, start, indent)
    if value[0] in "[{" and not value.startswith("{{"):
        return _brackets(reader, row, start, indent)
    _value(reader, row, start, line[:start])
    return row + 1, indent


def _skip_block(reader: _Reader, row: int, indent: int) -> int:
    while row < len(reader.lines):
        line = reader.lines[row]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            break
        row += 1
    return row


def _later(reader: _Reader, row: int, indent: int) -> int:
    """The row after the lines that can belong to a value begun in `row`."""
    end = row + 1
    while end < len(reader.lines):
        line = reader.lines[end]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent and _KEY.match(line.lstrip(" -")):
            break
        end += 1
    return end


def _quotes(reader: _Reader, row: int, start: int, indent: int) -> tuple[int, int]:
    line = reader.lines[row]
    end = _later(reader, row, indent)
    text = "\n".join([line[start:], *reader.lines[row + 1 : end]])
    closed = _QUOTED.match(text)
    rows = text[: closed.end()].count("\n") if closed else 0
    after = text[closed.end() :].split("\n", 1)[0] if closed else ""
    if closed and (not after.strip() or _NOTE.fullmatch(after)):
        return row + rows + 1, -1
    if closed and rows == 0:
        message = f"the {text[0]} closes before the end of the line, so the whole needs quotes of another kind"
        col = start + closed.end()
    else:
        message = f"the {text[0]} here is never closed"
        col = start
    inner = line[start:]
    if inner[0] == inner[-1] and len(inner) > 1 and (inner[0] == "'" or inner.count('"') % 2):
        inner = inner[1:-1]
    elif not closed:
        inner = inner[1:]
    reader.slip(row, col, "E101", message, line[:start] + quoted(inner.replace("''", "'")))
    return row + 1, -1


_PAIRS = {"[": "]", "{": "}"}


def _closing(text: str) -> int:
    """Where the bracket that opens `text` is closed (the place after it), or -1."""
    waiting: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in "'\"" and (string := _QUOTED.match(text, at)):
            at = string.end()
            continue
        if text[at] in _PAIRS:
            waiting.append(_PAIRS[text[at]])
        elif waiting and text[at] == waiting[-1]:
            waiting.pop()
            if not waiting:
                return at + 1
        at += 1
    return -1


def _brackets(reader: _Reader, row: int, start: int, indent: int) -> tuple[int, int]:
    line = reader.lines[row]
    end = _later(reader, row, indent)
    text = "\n".join([line[start:], *reader.lines[row + 1 : end]])
    close = _closing(text)
    after = text[close:].split("\n", 1)[0] if close > 0 else "unclosed"
    if not after.strip() or _NOTE.fullmatch(after):
        return row + text[:close].count("\n") + 1, -1
    opened = line[start]
    message = (
        f'the "{opened}" here is never closed'
        if close < 0
        else f'a value that begins with "{opened}" and goes on after "{_PAIRS[opened]}" needs quotes'
    )
    reader.slip(row, start, "E101", message, line[:start] + quoted(line[start:]))
    return row + 1, -1


def quoted(value: str) -> str:
    """The value in single quotes, as a corrected line shows it."""
    return "'" + value.replace("'", "''") + "'"


def _value(reader: _Reader, row: int, start: int, before: str, *, going_on: bool = False) -> None:
    """A value without quotes: `before` is the line up to it. `going_on`: a line that continues one."""
    line = reader.lines[row]
    value = line[start:]
    if note := _MEANT_AS_NOTE.search(value):
        value = value[: note.start()].rstrip()
    mended = None if going_on else before + quoted(value)
    advice = "Put the whole value in quotes." if going_on else ""
    if not value:
        return
    if cut := _CUT.search(" " + value):
        kept = value[: max(cut.start() - 1, 0)].rstrip()
        told = f'("{kept}" would be left)' if kept else "(nothing would be left)"
        message = f'everything after " #" would be cut off {told}'
        whole = None if going_on else before + quoted(line[start:])
        reader.slip(row, start + cut.start(), "E102", message, whole, advice)
    elif going_on:
        return
    elif curly := _CURLY.fullmatch(value):
        plain = curly[1]
        safe = plain if _harmless(plain) else quoted(plain)
        message = "curly quotes around a value would be printed as part of it"
        advice = f"{before.strip()} {safe}   (or, when the marks are meant: {before.strip()} {quoted(value)})"
        reader.slip(row, start, "E108", message, before + safe, advice)
    elif value[0] in _SPECIAL or value[:2] in {"- ", "? ", ": "} or value in {"-", "?", ":"}:
        reader.slip(row, start, "E101", f'a value that begins with "{value[0]}" needs quotes', mended)
    elif (colon := _colon(value)) >= 0:
        reader.slip(row, start + colon, "E101", 'this line has a second ":" so it needs quotes', mended)


def _colon(value: str) -> int:
    """Where a colon stands that a parser would take for the end of a name, or -1."""
    found = re.search(r":(?=[ \t]|$)", value)
    return found.start() if found else -1


def _harmless(value: str) -> bool:
    return bool(value) and value[0] not in _SPECIAL + "'\"-?#:" and " #" not in value and _colon(value) < 0
