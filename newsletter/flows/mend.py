"""Make the changes that nobody needs to be asked about, in an issue's file.

In: an issue's path, the publication. Out: what was done. Touches the one file, whole or not at all, and of
it the lines with a problem alone; everything else keeps its bytes. Run again, it finds nothing to do.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.content import check, library
from newsletter.core.problem import Fix, Problem
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NotFound

MOST = 200
"""Changes to one file; a file that needs more is no issue."""


@dataclass(frozen=True)
class Mended:
    """One change: the problem it was for, and the lines before and after."""

    problem: Problem
    before: str
    after: str


def mend(path: Path, publication: Publication, root: Path) -> tuple[Mended, ...]:
    """Apply every fix that is certain.

    A change stays only when its problem is gone afterwards and no other has come. A file that cannot be read
    is left to whoever reads it. Raises: NotFound for one that is not there at all.
    """
    if not os.path.lexists(path):
        raise NotFound(f'There is no file "{path.name}".', "Look at the spelling.")
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()  # reading it says why
    mended, done = tried(text, lambda source: _problems(source, path, publication, root))
    if done:
        _write(path, mended)
    return done


def _problems(source: str, path: Path, publication: Publication, root: Path) -> tuple[Problem, ...]:
    try:
        issue = library.read(source, path, publication, root)
    except ContentError as trouble:
        return trouble.problems
    certain = [one for one in check.check(issue, publication, root) if one.auto]
    return tuple(sorted({*issue.problems, *certain}))


def tried(text: str, judge: Callable[[str], tuple[Problem, ...]]) -> tuple[str, tuple[Mended, ...]]:
    """A text with every change that helps.

    In: the text, and what finds the problems of one. Out: the text, and the changes that stayed.
    """
    done: list[Mended] = []
    passed: set[tuple[Fix, str]] = set()
    found = judge(text)
    while len(done) < MOST:
        todo = next((one for one in found if one.auto and (one.auto, one.message) not in passed), None)
        if todo is None or todo.auto is None:
            break
        passed.add((todo.auto, todo.message))
        changed, before = _changed(text, todo.auto)
        after = judge(changed)
        if changed != text and _better(found, after, todo):
            text, found = changed, after
            done.append(Mended(todo, before, todo.auto.text))
    return text, tuple(done)


def _better(before: Sequence[Problem], after: Sequence[Problem], meant: Problem) -> bool:
    """Whether the one problem is gone and no error has come. Warnings come when an issue can be read at last."""
    kinds, now = _errors(before), _errors(after)
    new = now - kinds
    return not new and _count(after, meant) < _count(before, meant)


def _errors(problems: Sequence[Problem]) -> Counter[tuple[str, str]]:
    return Counter((one.code, one.message) for one in problems if one.code.startswith("E"))


def _count(problems: Sequence[Problem], like: Problem) -> int:
    return sum((one.line, one.code, one.message) == (like.line, like.code, like.message) for one in problems)


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")


def _changed(text: str, fix: Fix) -> tuple[str, str]:
    """The text with the change, and the lines as they were. Line ends and a byte order mark are kept."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = _LINE.findall(text.removeprefix(mark))
    first, last = fix.first - 1, fix.last
    if not 0 <= first < last <= len(lines):
        return text, ""
    whole = "".join(lines[first:last])
    before = whole.rstrip("\r\n")
    end = whole[len(before) :]
    between = "\r\n" if "\r\n" in text else "\n"
    after = between.join(fix.text.split("\n")) + end
    return mark + "".join([*lines[:first], after, *lines[last:]]), before


def _write(path: Path, text: str) -> None:
    """The whole file, or the old one: written beside it, then put in its place."""
    path = path.resolve()  # a link stays a link
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o7777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
