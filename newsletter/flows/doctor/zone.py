"""What the domain name system says: the seam between doctor and the network.

A `Resolver` answers with records as text. `System` asks the machine's own name servers with dnspython; a test
hands in a zone of its own.
"""

from __future__ import annotations

from typing import Literal, Protocol

import dns.exception
import dns.resolver

Type = Literal["A", "AAAA", "CNAME", "MX", "NS", "TXT"]


class Unanswered(Exception):
    """The name servers gave no answer that settles the question."""


class Resolver(Protocol):
    """Who knows the zone."""

    def ask(self, name: str, kind: Type) -> tuple[str, ...]:
        """The records of a name, each as text: TXT joined without quotes, MX as `10 mail.example.org`.

        Out: () when the name or the kind is not there. Raises: Unanswered.
        """


class System:
    """The resolver of this machine, or of the name servers given."""

    def __init__(self, *, servers: tuple[str, ...] = (), port: int = 53, seconds: float = 5.0) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:  # then every question is unanswered, which is said
            self._resolver = dns.resolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = list(servers)
            self._resolver.port = port
        self._resolver.lifetime = seconds

    def ask(self, name: str, kind: Type) -> tuple[str, ...]:
        """See `Resolver.ask`."""
        try:
            answer = self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, OSError) as problem:
            raise Unanswered(f"{type(problem).__name__} for {kind} of {name}") from None
        return tuple(_text(record, kind) for record in answer)


def _text(record: object, kind: Type) -> str:
    if kind == "TXT":
        strings: tuple[bytes, ...] = record.strings  # type: ignore[attr-defined] # dnspython types records as Any's base
        return b"".join(strings).decode("utf-8", "replace")  # RFC 7208 3.3: joined without a blank
    return str(record).rstrip(".")
