"""Signs that nobody sees (E111): control characters, and those that turn text around."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.content.checks.case import SETTINGS, Case
from newsletter.core.problem import Level, Problem

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FIX = "Delete it and type the word anew."


def controls(case: Case) -> Iterator[Problem]:
    """In the text (the front matter is looked at when it is read)."""
    for number, source in enumerate(case.lines[case.first - 1 :], case.first):
        if bad := _CONTROLS.search(source):
            message = f"there is an invisible character here (U+{ord(bad.group()):04X})"
            yield case.at(number, "E111", message, _FIX, Level.ERROR, col=bad.start() + 1)


def turning(case: Case) -> Iterator[Problem]:
    """Marks that show letters in another order than they are in: in a header they forge (UTS #39, Trojan Source)."""
    for key in ("subject", "preheader", "title"):
        if bad := _TURNING.search(str(case.head.plain().get(key) or "")):
            message = f"an invisible mark here turns the text around (U+{ord(bad.group()):04X})"
            yield case.about(key, "E111", message, _FIX, Level.ERROR, find=bad.group())
    for number, source in enumerate(case.lines[case.first - 1 :], case.first):
        if bad := _TURNING.search(source):
            message = f"an invisible mark here turns the text around (U+{ord(bad.group()):04X})"
            yield case.at(number, "W208", message, _FIX, Level.WARNING, col=bad.start() + 1)
    for sender in case.publication.senders.values():
        if bad := _TURNING.search(sender.name):
            message = f"an invisible mark in a sender's name turns it around (U+{ord(bad.group()):04X})"
            yield Problem(SETTINGS, 0, 0, "E111", Level.ERROR, message, _FIX)
