"""Email addresses: what we accept, and what makes two spellings the same person.

An address is kept as typed; its key is the whole address in lower case with the domain in IDNA form.
Plus tags and dots are not folded: they are the owner's business, not ours.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from newsletter.errors import AddressRefused


@dataclass(frozen=True)
class Address:
    """`typed` is what the person wrote (domain in IDNA ASCII); `key` tells whether two are one."""

    typed: str
    key: str

    @property
    def domain(self) -> str:
        """The part after the @, ASCII, lower case."""
        return self.key.rpartition("@")[2]


def parse(text: str) -> Address:
    """Read one address.

    In: text as typed, surrounding blanks allowed. Out: the address.
    Refuses non-ASCII local parts (few providers carry SMTPUTF8), display names, CR and LF, and whatever
    RFC 5321 does not allow (lengths included: `strict`). The domain goes through IDNA 2008 (UTS 46), as
    the standard library's codec turns some domains into other domains.

    Raises: AddressRefused, whose message does not repeat the address.
    """
    try:
        found = validate_email(
            text.strip(),
            allow_smtputf8=False,
            check_deliverability=False,
            strict=True,
            test_environment=True,  # RFC 2606 names (`.test`) may stand in a list; nothing leaves for them
        )
    except EmailNotValidError as problem:
        raise AddressRefused(
            f"This does not look like an email address: {_plain(str(problem))}",
            "Please check the spelling; it should look like name@example.org.",
        ) from None
    typed = found.ascii_email or found.normalized
    return Address(typed=typed, key=typed.lower())


def _plain(reason: str) -> str:
    """The library's reason as a clause, without the address it may quote."""
    clause = reason.split(":", maxsplit=1)[0].strip().rstrip(".")
    return clause[:1].lower() + clause[1:] + "."


def masked(address: str) -> str:
    """For pages and terminals that must not show the whole address: `a…@e….org`."""
    local, _, domain = address.rpartition("@")
    host, _, top = domain.rpartition(".")
    return f"{local[:1]}…@{host[:1]}….{top}"


def fingerprint(address: Address, key: bytes) -> str:
    """What remains of an address that left: HMAC-SHA256 of its key, hex.

    Still personal data (a keyed hash can be tested against a guess by whoever has the key): it never
    leaves the database.
    """
    return hmac.new(key, address.key.encode(), hashlib.sha256).hexdigest()
