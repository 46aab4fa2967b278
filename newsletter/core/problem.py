"""A finding of a check: where it is, what is wrong, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """Only errors block; a warning informs; a note explains."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Fix:
    """A change that is safe to make by itself: lines `first` to `last` of `file` (from 1) become `text`.

    `text` has no line end after its last line.
    """

    file: str
    first: int
    last: int
    text: str


@dataclass(frozen=True, order=True)
class Problem:
    """One finding. `line` and `col` count from 1, in characters as typed; 0 = the whole file.

    `code` is E or W and three digits, each explained in `docs/errors/<code>.md`. `fix` says what to do, in
    words or as a line to copy; `auto` does it, where nobody needs to be asked. `early` marks what a draft may
    still be: it blocks sending, and not looking at it. Both are no part of a finding's identity or order.
    """

    file: str
    line: int
    col: int
    code: str
    level: Level
    message: str
    fix: str = ""
    source: str = ""
    auto: Fix | None = field(default=None, compare=False, repr=False)
    early: bool = field(default=False, compare=False, repr=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        return f"{place}: {self.code} {self.level}: {self.message}"


def errors(problems: tuple[Problem, ...] | list[Problem]) -> list[Problem]:
    """Those that block."""
    return [problem for problem in problems if problem.level is Level.ERROR]
