"""A provider's words without anybody's address: servers like to echo it, whole or by its first part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from newsletter.core.email import header_value


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Words fit for the ledger and a log.

    In: what a server said; addresses and other words that must not be told. Out: one line of at most 200
    characters, without control characters, without those words and without anything that looks like an address.
    """
    for part in _told(secrets):
        if part.lower() in text.lower():
            text = re.sub(rf"(?<![^\W_]){re.escape(part)}(?![^\W_])", "…", text, flags=re.IGNORECASE)
    return header_value(_ADDRESS.sub("…", text))[:_LONGEST]


def _told(secrets: Iterable[str]) -> Iterator[str]:
    for secret in filter(None, secrets):
        local, at, _ = secret.partition("@")
        yield secret
        if at and len(local) > _TELLING:
            yield local


_ADDRESS = re.compile(r"[^\s<>\"',;:()]+(?:@|%40|=40)[^\s<>\"',;:()]+", re.IGNORECASE)
_LONGEST = 200
_TELLING = 2  # an address of one or two letters before the @ is told by its domain, not by them
