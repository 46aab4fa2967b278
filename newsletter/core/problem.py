"""A finding of a check: where it is, what is wrong, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Only errors block; a warning informs; a note explains."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, order=True)
class Problem:
    """One finding. `line` and `col` count from 1, in characters as typed; 0 = the whole file.

    `code` is E or W and three digits, each explained in `docs/errors/<code>.md`.
    """

    file: str
    line: int
    col: int
    code: str
    level: Level
    message: str
    fix: str = ""
    source: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        return f"{place}: {self.code} {self.level}: {self.message}"


def errors(problems: tuple[Problem, ...] | list[Problem]) -> list[Problem]:
    """Those that block."""
    return [problem for problem in problems if problem.level is Level.ERROR]
