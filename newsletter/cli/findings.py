"""Findings for machines: JSON, GitHub's annotations and step summary, SARIF, Markdown."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from newsletter import __version__
from newsletter.core.problem import Level, Problem

SUMMARY_MOST = 1_000_000  # bytes; GitHub takes 1 MiB for each step


def plain(one: Problem) -> dict[str, object]:
    """A finding as `--format json` prints it."""
    names = ("file", "line", "col", "code", "level", "message", "fix", "source")
    return {name: getattr(one, name) for name in names}


_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def annotation(one: Problem) -> str:
    """A GitHub workflow command; `%`, CR and LF are escaped, in properties `:` and `,` too."""
    place = f"file={_property(one.file)},line={max(1, one.line)},col={max(1, one.col)},title={one.code}"
    said = f"{one.message} {one.fix}".strip().replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{_COMMANDS[one.level]} {place}::{said}"


def _property(text: str) -> str:
    for raw, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(raw, escaped)
    return text


def summarise(path: str, text: str) -> None:
    """Add to the summary of a step (`$GITHUB_STEP_SUMMARY`), as much of it as GitHub takes."""
    kept = text.encode()[:SUMMARY_MOST].decode(errors="ignore")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(kept + "\n")


_MARKS = {Level.ERROR: "❌", Level.WARNING: "⚠️", Level.NOTE: "💬"}


def markdown(found: Sequence[Problem], summary: str) -> str:
    """A table for a pull request or a summary."""
    lines = ["### Checks", "", summary]
    if found:
        lines += ["", "| | place | what | what to do |", "|---|---|---|---|"]
        lines += [_row(one) for one in found]
    return "\n".join(lines)


def _row(one: Problem) -> str:
    place = f"{one.file}:{one.line}:{one.col}" if one.line else one.file
    cells = (f"{_MARKS[one.level]} {one.code}", code(place), cell(one.message), code(one.fix) if one.fix else "")
    return "| " + " | ".join(cells) + " |"


def cell(text: str) -> str:
    """Text that stays text within a table of GitHub's Markdown: no mention, no link, no tag."""
    safe = re.sub(r"([\\`*_{}\[\]<>|~#])", r"\\\1", " ".join(text.split()))
    return safe.replace("@", "&#64;").replace("://", ":&#8203;//")


def code(text: str) -> str:
    """The same as code; a fix of several lines is several pieces."""
    pieces = [line.replace("|", "\\|") for line in text.split("\n")]
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return "<br>".join(f"{ticks}{pad}{piece or ' '}{pad}{ticks}" for piece in pieces)


# --- SARIF -----------------------------------------------------------------------------------------


def sarif(found: Sequence[Problem], titles: Mapping[str, str]) -> dict[str, object]:
    """A SARIF 2.1.0 log (OASIS), with fingerprints that survive lines moving."""
    codes = sorted({one.code for one in found})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": titles.get(code, code)},
            "help": {"text": f"See docs/errors/{code}.md"},
        }
        for code in codes
    ]
    seen: Counter[str] = Counter()
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "newsletter", "version": __version__, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, codes.index(one.code), seen) for one in found],
            }
        ],
    }


def _result(one: Problem, index: int, seen: Counter[str]) -> dict[str, object]:
    what = "\0".join((one.file, one.code, one.source.strip() or one.message))
    seen[what] += 1
    print_ = hashlib.sha256(f"{what}\0{seen[what]}".encode()).hexdigest()[:32]
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(one.file), "uriBaseId": "%SRCROOT%"}}
    if one.line:
        place["region"] = {"startLine": one.line, "startColumn": max(1, one.col)}
    return {
        "ruleId": one.code,
        "ruleIndex": index,
        "level": one.level.value,
        "message": {"text": f"{one.message}\n{one.fix}".strip()},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"newsletter/v1": print_},
    }


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(file)
