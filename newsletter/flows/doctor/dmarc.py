"""DMARC as RFC 9989 has it: the record by a walk up the tree, alignment without a list of public suffixes.

In: a domain and a resolver. Out: the record that holds for it, and the domain it is organised under.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.flows.doctor.zone import Resolver

_DEEPEST = 8
"""RFC 9989 4.10: no walk asks more than eight names; of a longer one, those between are skipped."""


@dataclass(frozen=True)
class Record:
    """A policy as it was published: where, and its tags in small letters."""

    domain: str
    tags: Mapping[str, str]
    text: str


def steps(domain: str) -> tuple[str, ...]:
    """The names a walk asks, the domain itself first."""
    labels = domain.lower().rstrip(".").split(".")
    if len(labels) > _DEEPEST:
        tail = labels[-(_DEEPEST - 1) :]
        return (".".join(labels), *(".".join(tail[at:]) for at in range(len(tail))))
    return tuple(".".join(labels[at:]) for at in range(len(labels)))


def published(domain: str, zone: Resolver) -> tuple[str, ...]:
    """What stands at `_dmarc` of a domain and says it is DMARC. Raises: Unanswered."""
    found = zone.ask(f"_dmarc.{domain}", "TXT")
    return tuple(text for text in found if text.replace(" ", "").split(";")[0] == "v=DMARC1")  # case matters: 4.7


def read(domain: str, text: str) -> Record:
    """A record taken apart; a tag that is said twice counts as first said."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, sign, value = part.partition("=")
        if sign:
            tags.setdefault(name.strip().lower(), value.strip())
    return Record(domain, tags, text)


def walk(domain: str, zone: Resolver) -> tuple[Record, ...]:
    """Every usable record on the way up, the lowest first. Raises: Unanswered.

    A name with several records has none (RFC 9989 4.10.1). The walk ends at one that says it is the top (psd=n or y).
    """
    found: list[Record] = []
    for step in steps(domain):
        texts = published(step, zone)
        if len(texts) != 1:
            continue
        record = read(step, texts[0])
        found.append(record)
        top = record.tags.get("psd", "u").lower()
        if top == "n" or (top == "y" and step != domain):
            break
    return tuple(found)


def organisation(domain: str, found: tuple[Record, ...]) -> str:
    """The organisational domain by a walk's records (RFC 9989 4.10.2).

    The one that says psd=n; the one below a public suffix that says psd=y; else the shortest name with a record,
    else the domain itself.
    """
    for record in found:
        top = record.tags.get("psd", "u").lower()
        if top == "n":
            return record.domain
        if top == "y" and record.domain != domain:
            below = [step for step in steps(domain) if step.endswith("." + record.domain)]
            return below[-1]
    return found[-1].domain if found else domain


def policy(domain: str, found: tuple[Record, ...]) -> Record | None:
    """The record whose policy holds: the domain's own, else its organisation's, else the suffix's (RFC 9989 4.10.1)."""
    by_name = {record.domain: record for record in found}
    own = by_name.get(domain)
    return own or by_name.get(organisation(domain, found)) or (found[-1] if found else None)


def aligned(one: str, other: str, zone: Resolver, *, strict: bool) -> bool:
    """Whether two domains speak for the same organisation. Raises: Unanswered."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    if one == other:
        return True
    if strict:
        return False
    return organisation(one, walk(one, zone)) == organisation(other, walk(other, zone))
