"""Email addresses: what we accept, and what makes two spellings the same person.

An address is kept as typed; its key is the whole address in lower case with the domain in IDNA form.
Plus tags and dots are not folded: they are the owner's business, not ours.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

import idna
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

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
    key = bare.lower()
    if len(bare) <= _LONGEST and bare.isascii() and _PLAIN.fullmatch(key):
        if key == bare:
            return Address(key, key)
        at = key.index("@")
        if key[:at] not in CASE_INSENSITIVE_MAILBOX_NAMES:
            return Address(bare[:at] + key[at:], key)
    try:
        typed = _judged(bare)
    except EmailNotValidError as problem:
        raise AddressRefused(
            f"This does not look like an email address: {_plain(str(problem))}",
            "Please check the spelling; it should look like name@example.org.",
        ) from None
    return Address(typed=typed, key=typed.lower())


_LONGEST = 200
"""Well under RFC 5321's 254."""

_RESERVED = "|".join({name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES})
_WORDS = r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
_LABEL = r"(?=[a-z0-9-]{1,63}\.)[a-z0-9]+(?:-[a-z0-9]+)*"
_PLAIN = re.compile(rf"(?=[^@]{{1,64}}@){_WORDS}@(?:{_LABEL}\.)+(?!(?:{_RESERVED})\Z)[a-z]{{2,63}}")
"""An address in lower case of which there is nothing to say, as most are: judging it takes a hundred times as long.

Never more than the whole judgement takes, and never taken otherwise (a test holds the two together).
"""


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


LARGE = frozenset(
    domain
    for line in (
        "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com rocketmail.com aol.com",
        "icloud.com me.com mac.com proton.me protonmail.com pm.me fastmail.com zoho.com",
        "hey.com gmx.com gmx.net mail.com",
        "comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net",
        "yahoo.ca yahoo.co.uk yahoo.fr yahoo.es yahoo.de yahoo.com.mx yahoo.com.br hotmail.co.uk hotmail.fr hotmail.es",
        "hotmail.de outlook.es outlook.fr outlook.de live.co.uk live.com.mx btinternet.com sky.com orange.fr free.fr",
        "laposte.net gmx.de web.de t-online.de libero.it naver.com qq.com 163.com duck.com mozmail.com",
    )
    for domain in line.split()
)
"""Domains where so many people have their mail that many at once say nothing; also the large relays for privacy."""

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


def without(text: str, email: str) -> str:
    """A text with `…` in place of an address: in capitals or not, in a link, its domain in ASCII or spelled out."""
    if "@" not in text and "%40" not in text:
        return text  # as most are
    local, _, domain = email.partition("@")
    for spelling in dict.fromkeys((domain, idna.decode(domain) if "xn--" in domain.lower() else domain)):
        named = rf"{re.escape(local)}(?:@|%40){re.escape(spelling)}"
        text = re.sub(named, "…", text, flags=re.IGNORECASE)
    return text


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
    begun, ended = _keyed(key)
    inner, outer = begun.copy(), ended.copy()
    inner.update(address.key.encode())
    outer.update(inner.digest())
    return outer.digest()[:_HALF].hex()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Both hashes of an HMAC with the key read already (RFC 2104, 4): that is more than half of the work."""
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    return inner, outer


_BLOCK = 64  # bytes: what SHA-256 takes at once
_HALF = 16  # bytes: 128 bits, far more than there are addresses to tell apart
