"""The postal address that the law wants under every letter (E300, W306)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.content.checks.case import SETTINGS, Case
from newsletter.core.problem import Level, Problem


def postal(case: Case) -> Iterator[Problem]:
    """There, and whole (CAN-SPAM 16 CFR 316; CASL)."""
    address = case.publication.footer.address.strip()
    if not address:
        message = "there is no postal address, and no letter may go without one"
        fix = "footer:\n  address: Street and number, city, postal code"
        yield Problem(SETTINGS, 0, 0, "E300", Level.ERROR, message, fix)
    elif not has_postal_code(address):
        message = "the postal address has no postal code"
        fix = f"Add it after the city: {address} ..."
        yield Problem(SETTINGS, 0, 0, "W306", Level.WARNING, message, fix)


_STREETS = re.compile(r"(?:\b(?:suite|ste|unit|apt|room|rm|floor|box|no)\b\.?|#)\s*\d+[A-Z]?", re.IGNORECASE)
_CODE_AT_END = re.compile(
    r"(?:^|[\s,-])(?:\d{4,6}(?:-\d{3,4})?|\d{3}[ -]\d{2,4}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)\b"
)


def has_postal_code(address: str) -> bool:
    """Whether an address seems to hold a postal code: digits of its length that are no house number.

    The first part (the street, with its number) is left aside when there are others.
    """
    parts = [part.strip() for part in re.split(r"[,\n;]", address) if part.strip()]
    later = parts[1:] if len(parts) > 1 else [re.sub(r"^\d+\s", "", part) for part in parts]
    return any(_CODE_AT_END.search(_STREETS.sub(" ", part)) for part in later)
