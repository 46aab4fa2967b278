"""What the terminal shows: problems with their place, JSON documents, small tables, plain lines."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

from newsletter.core.problem import Level, Problem
from newsletter.errors import NewsletterError

_STYLES = {Level.ERROR: "31;1", Level.WARNING: "33", Level.NOTE: "36"}
MOST = 10
"""Problems shown at once; more would not be read."""


def styled(text: str, style: str, file: TextIO) -> str:
    """The text with a terminal style, where the stream is a terminal and NO_COLOR is not set."""
    if not file.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{style}m{text}\x1b[0m"


def say(line: str = "") -> None:
    """A line on stdout."""
    sys.stdout.write(line + "\n")


def note(line: str) -> None:
    """A line on stderr, beside what others read on stdout."""
    sys.stderr.write(line + "\n")


def document(value: object) -> None:
    """One JSON document on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def complain(problem: NewsletterError) -> None:
    """An error on stderr: what happened, then what to do."""
    sys.stderr.write(styled("error: ", _STYLES[Level.ERROR], sys.stderr) + problem.what + "\n")
    if problem.todo:
        sys.stderr.write(f"  {problem.todo}\n")


def problems(found: Sequence[Problem], *, file: TextIO | None = None, most: int = MOST) -> None:
    """Findings with their source line, a caret under the place, and the fix. Errors first."""
    out = file or sys.stdout
    order = in_order(found)
    for one in order[:most]:
        out.write(_problem(one, out) + "\n")
    if len(order) > most:
        out.write(f"... and {len(order) - most} more.\n")


def in_order(found: Iterable[Problem]) -> list[Problem]:
    """Each finding once, errors first, then by file and line."""
    rank = list(Level)
    return sorted(dict.fromkeys(found), key=lambda one: (rank.index(one.level), one))


def _problem(one: Problem, out: TextIO) -> str:
    place = f"{one.file}:{one.line}:{one.col}" if one.line else one.file
    head = f"{place}: {one.code} {styled(one.level, _STYLES[one.level], out)}: {one.message}"
    lines = [head]
    if one.source and one.line:
        number = f"{one.line:>5} | "
        source, before = _clipped(one.source, one.col)
        lines += [number + source, " " * (len(number) - 2) + "| " + " " * _cells(before) + "^"]
    if one.fix:
        sign = "fix (auto)" if one.auto else "fix"
        first, *rest = one.fix.split("\n")
        lines += [f"  {sign}: {first}", *(" " * (len(sign) + 4) + line for line in rest)]
    return "\n".join(lines)


SEEN = 100
"""Cells of a source line that are shown; a paragraph is one line in an issue, and would hide the caret."""


def _clipped(source: str, col: int) -> tuple[str, str]:
    """As much of a line as fits around a column (from 1), and what of it stands before the column."""
    line = "".join(" " if unicodedata.category(ch) in {"Cc", "Zl", "Zp"} or ch in _TURNING else ch for ch in source)
    at = min(max(col - 1, 0), len(line))
    if len(line) <= SEEN:
        return line, line[:at]
    start = max(0, min(at - SEEN // 2, len(line) - SEEN))
    shown = line[start : start + SEEN]
    first = "…" if start else ""
    return first + shown + ("…" if start + SEEN < len(line) else ""), first + shown[: at - start]


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they would turn the terminal around


def _cells(text: str) -> int:
    """How many terminal cells a text takes: emoji and wide letters two, marks that join others none."""
    from newsletter.content.graphemes import width

    return width(text)


def table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> None:
    """A plain table: columns aligned, numbers to the end side."""
    body = [[str(cell) if cell is not None else "" for cell in row] for row in rows]
    widths = [max(_cells(row[i]) for row in [list(head), *body]) for i in range(len(head))]
    for number, row in enumerate([list(head), *body]):
        line = "  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        say(styled(line, "1", sys.stdout) if number == 0 else line)


def _padded(cell: str, width: int) -> str:
    blanks = " " * (width - _cells(cell))
    return blanks + cell if cell.replace(",", "").isdigit() else cell + blanks


def counted(number: int, one: str, many: str = "") -> str:
    """`1 reader`, `3 readers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
