"""SPF of one domain, counted as a receiver would (RFC 7208).

In: a domain and a resolver. Out: what is wrong. Looks records up, decides nothing about a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from newsletter.flows.doctor.zone import Resolver

LOOKUPS = 10
VOID = 2
"""RFC 7208 4.6.4: terms that may ask the DNS, and lookups that may find nothing."""

_ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")


@dataclass
class Count:
    """What a record cost so far, and which names it leads through."""

    lookups: int = 0
    void: int = 0
    includes: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Term:
    """One mechanism or modifier: `-all`, `include:example.net`, `redirect=example.net`."""

    qualifier: str
    name: str
    value: str


def records(domain: str, zone: Resolver) -> tuple[str, ...]:
    """The SPF records of a domain; there should be one (RFC 7208 4.5). Raises: Unanswered."""
    return tuple(
        text for text in zone.ask(domain, "TXT") if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")
    )


def terms(record: str) -> tuple[Term, ...]:
    """A record taken apart, in order."""
    return tuple(_term(word) for word in record.split()[1:])


def _term(word: str) -> Term:
    qualifier = word[0] if word[0] in "+-~?" else "+"
    rest = word.removeprefix(qualifier)
    ends = [at for at in (rest.find(":"), rest.find("="), rest.find("/")) if at >= 0]
    end = min(ends, default=len(rest))
    value = rest[end + 1 :] if rest[end : end + 1] in {":", "="} else ""
    return Term(qualifier, rest[:end].lower(), value.lower().rstrip("."))


def walk(record: str, domain: str, zone: Resolver, count: Count) -> None:
    """Count what a receiver looks up for a record, at most: as if nothing matched before its end.

    In: `count` is added to. Raises: Unanswered. Stops over the limit: no receiver goes on either.
    """
    for term in terms(record):
        if term.name not in _ASKING:
            continue
        count.lookups += 1
        if count.lookups > LOOKUPS or "%" in term.value:  # a macro needs a message; one lookup is what it costs
            continue
        name = term.value.partition("/")[0] or domain
        if term.name in {"include", "redirect"}:
            _follow(name, zone, count)
        elif term.name in {"a", "exists"}:
            count.void += not (zone.ask(name, "A") or (term.name == "a" and zone.ask(name, "AAAA")))
        elif term.name == "mx":
            count.void += not zone.ask(name, "MX")


def _follow(name: str, zone: Resolver, count: Count) -> None:
    if name in count.includes:
        return
    count.includes.add(name)
    found = records(name, zone)
    if not found:
        count.void += 1
    else:
        walk(found[0], name, zone, count)
