"""SPF of one domain, followed as a receiver would (RFC 7208).

In: a domain and a resolver. Out: what its record costs, whom it lets in, what is wrong in it. Looks records up, decides
nothing about a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

from newsletter.flows.doctor.zone import Resolver

LOOKUPS = 10
VOID = 2
"""RFC 7208 4.6.4: terms that may ask the DNS, and lookups that may find nothing."""

_ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")
_KNOWN = {*_ASKING, "all", "ip4", "ip6", "exp"}


@dataclass
class Count:
    """What a record cost so far, whom it lets in, and what makes a receiver give up (`wrong`)."""

    lookups: int = 0
    void: int = 0
    includes: set[str] = field(default_factory=set)  # whose senders pass
    anyone: bool = False
    ends: str = ""  # the qualifier of the `all` that is reached; "" when there is none
    wrong: str = ""
    path: tuple[str, ...] = ()


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
    rest = word.removeprefix(qualifier) if word[0] in "+-~?" else word
    ends = [at for at in (rest.find(":"), rest.find("="), rest.find("/")) if at >= 0]
    end = min(ends, default=len(rest))
    value = rest[end + 1 :] if rest[end : end + 1] in {":", "="} else ""
    return Term(qualifier, rest[:end].lower(), value.lower().rstrip("."))


def walk(record: str, domain: str, zone: Resolver, count: Count) -> None:
    """Follow a record to its end, as if nothing matched before. In: `count` is added to. Raises: Unanswered.

    What stands after `all` is never reached (RFC 7208 5.1), nor a `redirect` beside it (6.1). Over the limit it stops:
    no receiver goes on either.
    """
    found = terms(record)
    reached = next((at for at, term in enumerate(found) if term.name == "all"), len(found))
    if reached < len(found):
        count.ends = found[reached].qualifier
    for term in found[:reached]:
        _one(term, domain, zone, count)
    count.anyone |= count.ends == "+" and reached < len(found)


def _one(term: Term, domain: str, zone: Resolver, count: Count) -> None:
    if term.name not in _KNOWN and "=" not in term.name and not term.value:
        count.wrong = count.wrong or f'"{term.name}" is no word of SPF'
    if term.name in {"ip4", "ip6"}:
        _network(term, count)
    if term.name not in _ASKING:
        return
    count.lookups += 1
    if count.lookups > LOOKUPS or "%" in term.value:  # a macro needs a message; one lookup is what it costs
        return
    name = term.value.partition("/")[0] or domain
    if term.name in {"include", "redirect"}:
        _follow(term, name, zone, count)
    elif term.name in {"a", "exists"}:
        count.void += not (zone.ask(name, "A") or (term.name == "a" and zone.ask(name, "AAAA")))
    elif term.name == "mx":
        count.void += not zone.ask(name, "MX")


def _network(term: Term, count: Count) -> None:
    try:
        network = ip_network(term.value, strict=False)
    except ValueError:
        count.wrong = count.wrong or f"{term.name}:{term.value} is no address"
        return
    count.anyone |= term.qualifier == "+" and network.prefixlen == 0


def _follow(term: Term, name: str, zone: Resolver, count: Count) -> None:
    if name in count.path:
        count.wrong = count.wrong or f"{name} leads back to itself"
        return
    found = records(name, zone)
    if len(found) != 1:  # RFC 7208 5.2: an include without a record, or with two, is an error of the whole
        count.void += not found
        count.wrong = count.wrong or f"{name} has {'two SPF records' if found else 'no SPF record'}"
        return
    inner = Count(count.lookups, count.void, path=(*count.path, name))
    walk(found[0], name, zone, inner)
    count.lookups, count.void = inner.lookups, inner.void
    count.wrong = count.wrong or inner.wrong
    if term.name == "redirect":
        count.ends, count.anyone = inner.ends or count.ends, count.anyone or inner.anyone
        count.includes |= {name, *inner.includes}
    elif term.qualifier == "+":
        count.includes |= {name, *inner.includes}
        count.anyone |= inner.anyone
