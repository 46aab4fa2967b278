"""Words that should not stand, or not stand so: leftovers, shouting, advertising, promises.

(W205, W207, W304, W307, W308, W309, W311.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.content import text
from newsletter.content.checks.case import Case, Line
from newsletter.core.problem import Level, Problem

LENGTH = (50, 5000)
_RUN = 4  # words in capitals that are no abbreviation
_LETTERS = 14

_INSERT = re.compile(
    r"\[(?:insert|add|your|name|date|link|title|topic|xx+|todo|placeholder)\b[^\]\n]{0,40}\]"
    r"|(?<!<)<{2,}[^<>\n]{1,40}>{2,}|_{5,}|\?\?\?+",
    re.IGNORECASE,
)


def leftovers(case: Case) -> Iterator[Problem]:
    """What was to be written later (W205)."""
    for key in ("subject", "preheader", "title"):
        words = str(case.head.plain().get(key) or "")
        if found := case.house.leftovers.search(words) or _INSERT.search(words):
            message = f'"{found.group()}" was to be written later'
            yield case.about(key, "W205", message, "Write it, or delete it.", find=found.group())
    for line in case.body:
        for found in (*case.house.leftovers.finditer(line.prose), *_INSERT.finditer(line.prose)):
            if line.source[found.end() :].startswith(("(", "[")):  # the words of a link
                continue
            message = f'"{found.group()}" was to be written later'
            yield _at(case, line, found, "W205", message, "Write it, or delete it.")


_CAPITAL_RUN = re.compile(r"(?:\b[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ'’]*\b[\s,]*){4,}")
_MARKS = re.compile(r"[!！]{2,}|[?？]{3,}")


def shouting(case: Case) -> Iterator[Problem]:
    """Sentences in capitals, and rows of exclamation marks (W207)."""
    for line in case.body:
        if (run := _CAPITAL_RUN.search(line.prose)) and sum(ch.isalpha() for ch in run.group()) >= _LETTERS:
            said = " ".join(run.group().split()).strip(", ")
            message = "words in capitals are read as shouting, and read aloud letter by letter"
            yield _at(case, line, run, "W207", message, said.capitalize())
        if marks := _MARKS.search(line.prose):
            yield _at(case, line, marks, "W207", f"{marks.group()} is read as shouting", marks.group()[0])


def spam(case: Case) -> Iterator[Problem]:
    """Phrases of advertising, added up; those of the subject count double (W307)."""
    scores = case.house.spam_scores
    told = [" ".join(found.group().split()) for found in case.house.spam.finditer(case.subject)]
    here = [(line, found) for line in case.body for found in case.house.spam.finditer(line.prose)]
    said = [" ".join(found.group().split()) for _, found in here]
    score = 2 * sum(scores.get(_key(one), 1) for one in told) + sum(scores.get(_key(one), 1) for one in said)
    if score < case.house.spam_limit:
        return
    phrases = ", ".join(f'"{one}"' for one in dict.fromkeys([*told, *said]))
    message = f"this sounds like advertising, to filters too: {phrases}"
    fix = "Say it in your own words, or leave it out."
    if told:
        yield case.about("subject", "W307", message, fix, find=told[0])
    else:
        yield _at(case, *here[0], "W307", message, fix)


def _key(phrase: str) -> str:
    return phrase.lower().replace("’", "'")


def claims(case: Case) -> Iterator[Problem]:
    """Promises that no practice can keep (W308)."""
    fix = "Say what may help, and for whom: many people find that it eases..."
    for key in ("subject", "preheader", "title"):
        words = str(case.head.plain().get(key) or "")
        if found := case.house.claims.search(words):
            message = f'"{found.group()}" promises what nobody can promise'
            yield case.about(key, "W308", message, fix, find=found.group())
    for line in case.body:
        for found in case.house.claims.finditer(line.prose):
            yield _at(case, line, found, "W308", f'"{found.group()}" promises what nobody can promise', fix)


def capitals(case: Case) -> Iterator[Problem]:
    """Single words that filters know in capitals: FREE (W309)."""
    if found := case.house.capitals.search(case.subject):
        message = f'"{found.group()}" in capitals is what filters look for'
        yield case.about("subject", "W309", message, found.group().lower(), find=found.group())
    for line in case.body:
        for found in case.house.capitals.finditer(line.prose):
            message = f'"{found.group()}" in capitals is what filters look for'
            yield _at(case, line, found, "W309", message, found.group().lower())


_ATTACHED = re.compile(
    r"\b(?:see|find|find the|open the|please find)\s+(?:the\s+)?attach(?:ed|ment)\b"
    r"|\b(?:i|we)(?:['’]ve| have)?\s+attach(?:ed)?\s+(?:the|a|an|my|our|this|two|some)\s+(?:[\w-]+\s+){0,2}"
    r"(?:file|pdf|document|worksheet|workbook|form|flyer|handout|sheet|photo|picture|list)s?\b"
    r"|\battached\s+(?:file|pdf|document|worksheet|workbook|form|flyer|handout|to this (?:e-?mail|letter|message))\b"
    r"|\b(?:is|are)\s+attached(?=[.,;!]|\s+(?:below|here|to this (?:e-?mail|letter|message)))"
    r"|\b(?:in|open)\s+the\s+attachment\b"
    r"|\benclosed\s+(?:you\s+will\s+find|please\s+find|is\s+a|file|pdf)\b"
    r"|\bim anhang\b|\ben pièce jointe\b|\badjunto\s+(?:encontrar|el archivo)",
    re.IGNORECASE,
)


def attachment(case: Case) -> Iterator[Problem]:
    """A file that is promised and cannot come along (W311)."""
    for line in case.body:
        if found := _ATTACHED.search(line.prose):
            message = "an attachment is spoken of, and a letter carries none"
            fix = "Put the file on a page, or make it a magnet, and link to it."
            yield _at(case, line, found, "W311", message, fix)


def length(case: Case) -> Iterator[Problem]:
    """Hardly a letter, or two (W304)."""
    count = text.words(case.issue.body)
    if count < LENGTH[0]:
        message = f"the letter has only {count} words"
        yield case.about("", "W304", message, "Is something missing?")
    elif count > LENGTH[1]:
        message = f"the letter has {count:,} words, {text.minutes(case.issue.body)} minutes to read"
        yield case.about("", "W304", message, "Make two letters of it.")


def _at(case: Case, line: Line, found: re.Match[str], code: str, message: str, fix: str) -> Problem:
    return case.at(line.number, code, message, fix, Level.WARNING, col=found.start() + 1)
