"""What looks like a heading, a list, a table or a footer, and is only text (W201-W203, W210-W212)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from newsletter.content import blocks, graphemes, text
from newsletter.content.checks.case import Case, Line
from newsletter.core.problem import Problem

_HEADING_WORDS = 12
_SHORT_WORDS = 9
_WRAPPED = (60, 80)
_WRAPPED_LINES = 4
_FOOTER_LINES = 10


def steps(case: Case) -> Iterator[Problem]:
    """A small heading before any large one (W211)."""
    before = 1
    for block in case.issue.body:
        if isinstance(block, blocks.Heading):
            if block.level > before + 1:
                message = "a small heading (###) stands here before any large one (##)"
                yield case.at(block.line, "W211", message, f"## {text.plain(block.inside)}")
            before = block.level


def _runs(case: Case) -> Iterator[tuple[Line, ...]]:
    """The lines of each paragraph at the top of the text: no list, quotation, heading, table or box."""
    run: list[Line] = []
    last = 0
    for line in case.body:
        if run and (not line.source.strip() or _MARKED.match(line.source) or line.number != last + 1):
            yield tuple(run)
            run = []
        if line.source.strip() and not _MARKED.match(line.source):
            run.append(line)
        last = line.number
    if run:
        yield tuple(run)


_MARKED = re.compile(
    r"\s*(?:#{1,6}\s|[-*+]\s|\d{1,9}[.)]\s|>|:{3,}|\||\*{3,}\s*$|-{3,}\s*$|_{3,}\s*$|!\[|\{\{\s*snippet)"
)
_END = re.compile(r"[.,;:!…]['\"”’)]*$")
_BOLD = re.compile(r"(\*\*|__)(?P<words>[^*_\n]+)\1\s*")
_CALL = re.compile("[\U0001f449➡🔗⬅→📍📞☎📧✉🌐📱✅☑✔•]")
_NAMED = re.compile(r"[^:]{1,30}:\s|.*\b(?:Ph\.?D|LMFT|LCSW|M\.?D|Psy\.?D|Dr|Prof)\b", re.IGNORECASE)


def headings(case: Case) -> Iterator[Problem]:
    """A line in bold, in capitals or with an emoji before it, where a heading is meant (W201)."""
    runs = list(_runs(case))
    for number, run in enumerate(runs):
        for at, line in enumerate(run):
            words = "" if line.box == "column" else _heading(line.source.strip())  # a column has no headings
            last = number == len(runs) - 1 and at == len(run) - 1
            if words and not last and (at == 0 or len(run) > 1) and not _listed(run, at):
                message = "this line looks like a heading, and is only text"
                yield case.at(line.number, "W201", message, f"## {words}")


def _heading(said: str) -> str:
    """The words of a line that was meant as a heading; empty when it was not."""
    if (bold := _BOLD.fullmatch(said)) and len(bold["words"].split()) <= _HEADING_WORDS:
        words = bold["words"].strip()
        return "" if _END.search(words) else words
    plain = re.sub(r"\{\{[^{}]*\}\}", "", said)
    emoji, rest = graphemes.leading_emoji(plain)
    count = len(rest.split())
    if "://" in said or not 1 <= count <= _HEADING_WORDS or _END.search(rest):
        return ""
    if emoji and not _CALL.match(emoji) and not _NAMED.match(rest):
        return f"{emoji} {rest}"
    letters = [ch for ch in plain if ch.isalpha()]
    capitals = plain.isupper() and len(letters) >= 5 and sum(ch.isdigit() for ch in plain) < 4  # noqa: PLR2004
    return plain.capitalize() if capitals and count <= _SHORT_WORDS else ""


def _listed(run: Sequence[Line], at: int) -> bool:
    """Whether the neighbours begin with the same emoji: then it is a list."""
    ours = graphemes.leading_emoji(run[at].source.strip())[0]
    near = [run[other].source.strip() for other in (at - 1, at + 1) if 0 <= other < len(run)]
    return bool(ours) and any(graphemes.leading_emoji(line)[0] == ours for line in near)


_BULLET = re.compile(r"\s*(?P<sign>[•◦▪‣·●○■□➤➢►–—]|\([a-zA-Z0-9]{1,2}\)|[a-z]\))[ \t\u00a0]*(?P<words>\S.*)")


def lists(case: Case) -> Iterator[Problem]:
    """Lines that begin with a bullet of a word processor, or the same emoji (W202)."""
    for run in _runs(case):
        at = 0
        while at < len(run):
            end = at
            while end < len(run) and _sign(run[end]) and _alike(_sign(run[end]), _sign(run[at])):
                end += 1
            if end - at > 1 or (end > at and len(run) == 1 and _sign(run[at]) in "•◦▪‣●➤►"):
                sign = _sign(run[at])
                words = _BULLET.match(run[at].source)
                said = words["words"] if words else run[at].source.strip()
                message = f'lines with "{sign}" look like a list, and are only text'
                fix = f"- {said}   (and so each line; an empty line before the first)"
                yield case.at(run[at].number, "W202", message, fix)
            at = max(end, at + 1)


def _sign(line: Line) -> str:
    if found := _BULLET.match(line.source):
        return found["sign"]
    return graphemes.leading_emoji(line.source.strip())[0]


def _alike(one: str, other: str) -> bool:
    return one == other or (one[-1:] == ")" and other[-1:] == ")")


def wrapped(case: Case) -> Iterator[Problem]:
    """Lines broken by a program at 60 to 80 characters: readers would see every break (W210)."""
    for run in _runs(case):
        length = ends = 0
        for line in run:
            said = line.source.rstrip()
            fits = _WRAPPED[0] <= len(said) <= _WRAPPED[1]
            length, ends = (length + 1, ends + bool(_SENTENCE_END.search(said))) if fits else (0, 0)
            if length == _WRAPPED_LINES and ends <= 1:  # lines that all end a sentence were meant so
                message = "these lines were broken by a program, and readers will see every break"
                yield case.at(run[0].number, "W210", message, "Join the lines of each paragraph into one long line.")
                break


_SENTENCE_END = re.compile(r"[.!?:…]['\"”’)]*$")


def tables(case: Case) -> Iterator[Problem]:
    """Rows of a table whose second line is missing (W212)."""
    rows: list[Line] = []
    for line in (*case.body, None):
        if line and line.prose.count("|") >= 2 and (not rows or line.number == rows[-1].number + 1):  # noqa: PLR2004
            rows.append(line)
            continue
        if len(rows) > 1 and not any(re.fullmatch(r"[\s|:-]*-[\s|:-]*", row.source) for row in rows):
            cells = len(rows[0].source.strip().strip("|").split("|"))
            message = "these lines look like a table, and are only text: its second line is missing"
            fix = "| " + " | ".join(["---"] * cells) + " |   (on a line of its own, below this one)"
            yield case.at(rows[0].number, "W212", message, fix)
        rows = [line] if line and line.prose.count("|") >= 2 else []  # noqa: PLR2004


_FACTS = {
    kind: re.compile(sign, re.IGNORECASE)
    for kind, sign in {
        "phone": r"(?<![\d/=])(?:\+?\d{1,3}[ .-]?)?(?:\(\d{2,5}\)|\d{2,5})[ .\-/]\d{2,4}[ .-]?\d{2,5}(?!\d)",
        "email": r"[\w.+-]+@[\w-]+\.[\w.-]+",
        "address": r"\b\d{1,5}\s+(?:\w+\.?\s+){1,4}(?:ave|avenue|st|street|rd|road|blvd|lane|ln|dr|drive|suite)\b",
        "site": r"^(?:\W*)(?:https?://)?(?:www\.)[\w-]+\.[\w./-]+\W*$",
        "way out": r"\b(?:unsubscribe|update (?:your )?preferences|manage (?:your )?subscription)\b",
        "rights": r"©|\bcopyright\b|all rights reserved",
        "sign": "[📍📞☎📧✉🌐📱]",
    }.items()
}
_FACTS_WITHIN = 500  # characters of a line's end: a footer's line is short
_SENTENCE = 14  # words; a line with more tells something


def footer(case: Case) -> Iterator[Problem]:
    """Address, phone and email at the end of the text: they stand under every letter already (W203)."""
    lines = [line for line in case.body if line.source.strip()][-_FOOTER_LINES:]
    own = case.publication.footer
    first: Line | None = None
    kinds: set[str] = set()
    for line in reversed(lines):
        facts = {kind for kind, sign in _FACTS.items() if sign.search(line.source[-_FACTS_WITHIN:])}
        facts |= {
            kind for kind in ("phone", "email", "address") if (said := getattr(own, kind)) and said in line.source
        }
        if len(line.prose.split()) > _SENTENCE or _CALL_TO_ACT.match(line.source):
            break
        if not facts:
            continue
        kinds |= facts
        first = line
    if first and len(kinds - {"sign"}) > 1:
        message = "contact lines stand at the end of the text, and again under every letter"
        yield case.at(first.number, "W203", message, "Delete them here; newsletter.yml has them under footer:")


_CALL_TO_ACT = re.compile("\\s*[👉➡🔗⬅→]|.*\\{\\.button")
