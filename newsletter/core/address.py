"""Email addresses: what we accept, and what makes two spellings the same person.

An address is kept as typed; its key is the whole address in lower case with the domain in IDNA form.
Plus tags and dots are not folded: they are the owner's business, not ours.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache

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


def mentioned(text: str) -> list[str]:
    """Whatever looks like an address in a text, as it stands there, in order; none of it is judged."""
    return _LIKE_ONE.findall(text)


_LIKE_ONE = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def parse(text: str) -> Address:
    """Read one address.

    In: text as typed, surrounding blanks allowed. Out: the address.
    Refuses non-ASCII local parts (few providers carry SMTPUTF8), display names, CR and LF, and whatever
    RFC 5321 does not allow (lengths included: `strict`). The domain goes through IDNA 2008 (UTS 46), as
    the standard library's codec turns some domains into other domains.

    Raises: AddressRefused, whose message does not repeat the address.
    """
    bare = text.strip()
    local, _, domain = bare.rpartition("@")
    if len(bare) <= _LONGEST and _PLAIN_LOCAL.fullmatch(local) and (known := _ascii_domain(domain)):
        return Address(typed=f"{local}@{known}", key=f"{local}@{known}")
    try:
        typed = _judged(bare)
    except EmailNotValidError as problem:
        raise AddressRefused(
            f"This does not look like an email address: {_plain(str(problem))}",
            "Please check the spelling; it should look like name@example.org.",
        ) from None
    return Address(typed=typed, key=typed.lower())


_LONGEST = 200
"""Well under RFC 5321's 254: what IDNA makes of a longer one is left to the whole judgement."""

_PLAIN_LOCAL = re.compile(r"(?=.{1,64}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")
"""A local part of which there is nothing to say: most are. RFC 5322 allows more, and that is judged anew."""


@lru_cache(maxsize=8192)
def _ascii_domain(domain: str) -> str:
    """A domain in ASCII, judged once for all who have it there: a list repeats its domains. Empty when refused."""
    try:
        return _judged(f"a@{domain}").removeprefix("a@") if _PLAIN_DOMAIN.fullmatch(domain) else ""
    except EmailNotValidError:
        return ""


_PLAIN_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,120}")


def _judged(bare: str) -> str:
    """The address in ASCII. Raises: EmailNotValidError."""
    found = validate_email(
        bare,
        allow_smtputf8=False,
        check_deliverability=False,
        strict=True,
        test_environment=True,  # RFC 2606 names (`.test`) may stand in a list; nothing leaves for them
    )
    return found.ascii_email or found.normalized


def _plain(reason: str) -> str:
    """The library's reason as a clause, without the address it may quote."""
    clause = reason.split(":", maxsplit=1)[0].strip().rstrip(".")
    return clause[:1].lower() + clause[1:] + "."


def one_mailbox(who: Address) -> Address:
    """What the many spellings of one mailbox come down to, as far as anybody can know: a key for limits alone.

    Plus tags are cut off (RFC 5233 calls them subaddresses), and at Gmail the dots. Two people are never taken for
    one by it: it only counts how much mail goes to them.
    """
    local, _, domain = who.key.rpartition("@")
    bare = local.partition("+")[0] or local
    if domain in _GMAIL:
        bare, domain = bare.replace(".", "") or bare, "gmail.com"
    return Address(typed=f"{bare}@{domain}", key=f"{bare}@{domain}")


_GMAIL = frozenset({"gmail.com", "googlemail.com"})


def meant(who: Address) -> str:
    """The address that was probably meant, where its domain is a well-known slip of the fingers; else empty."""
    better = _SLIPS.get(who.domain, "")
    return f"{who.typed.rpartition('@')[0]}@{better}" if better else ""


_SLIPS = {
    slip: right
    for right, slips in {
        "gmail.com": "gmial.com gmai.com gmal.com gamil.com gnail.com gmali.com gmaill.com gmail.co gmail.cm gmail.con"
        " gmail.om gmail.comm gmail.cmo gmil.com gmeil.com",
        "hotmail.com": "hotmial.com hotmal.com hotmai.com hotmil.com hotnail.com hotmail.co hotmail.con hotmail.cm",
        "outlook.com": "outlok.com outloo.com outlook.co outlook.con outllook.com",
        "yahoo.com": "yaho.com yahooo.com yhaoo.com yahho.com yahoo.co yahoo.con yahoo.cm",
        "icloud.com": "iclod.com icoud.com icloud.co icloud.con iclould.com",
        "aol.com": "aol.co aol.con",
    }.items()
    for slip in slips.split()
}
"""Slips of one letter in the domains that most people have, none of them a domain where people have mail."""


def masked(address: str) -> str:
    """For pages and terminals that must not show the whole address: `a…@e….org`."""
    local, _, domain = address.rpartition("@")
    host, _, top = domain.rpartition(".")
    return f"{local[:1]}…@{host[:1]}….{top}"


def fingerprint(address: Address, key: bytes) -> str:
    """What remains of an address that left: the first half of the HMAC-SHA256 of its key (RFC 2104, 5), hex.

    Still personal data (a keyed hash can be tested against a guess by whoever has the key): it never
    leaves the database.
    """
    return hmac.digest(key, address.key.encode(), "sha256")[:_HALF].hex()


_HALF = 16  # bytes: 128 bits, far more than there are addresses to tell apart
