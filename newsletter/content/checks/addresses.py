"""Web addresses taken apart: host, redirects that were pasted, networks that are not public."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qs, unquote, urlsplit

SHORTENERS = frozenset(
    {
        "bit.ly", "bitly.com", "buff.ly", "cutt.ly", "dlvr.it", "fb.me", "goo.gl", "is.gd", "j.mp", "lnkd.in", "ow.ly",
        "rb.gy", "rebrand.ly", "s.id", "short.io", "shorturl.at", "t.co", "t.ly", "tiny.cc", "tinyurl.com", "trib.al",
        "v.gd", "wp.me",
    }
)  # fmt: skip
PLACEHOLDERS = frozenset({"example.com", "example.net", "example.org"})  # RFC 2606: nobody's
_PRIVATE_NAMES = re.compile(
    r"(?:.*\.)?(?:localhost|localdomain|local|internal|intranet|lan|home\.arpa|test|invalid)|[^.:]+"
)


def host(url: str) -> str:
    """The host of an address in small letters; empty when there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def bare(name: str) -> str:
    """A host without `www.`."""
    return name.removeprefix("www.")


def related(one: str, other: str) -> bool:
    """Whether two hosts are one, or one lies under the other: `www.a.org` and `shop.a.org`."""
    one, other = bare(one), bare(other)
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}") or _site(one) == _site(other)


_SECOND = frozenset({"ac", "co", "com", "edu", "gov", "net", "nhs", "org"})
_COUNTRY = 2


def _site(name: str) -> str:
    """The registered part, as near as a rule of thumb comes: two labels, three under `co.uk` and the like."""
    labels = name.split(".")
    long = len(labels) > _COUNTRY and len(labels[-1]) == _COUNTRY and labels[-2] in _SECOND
    return ".".join(labels[-3:] if long else labels[-2:])


def public(ip: str) -> bool:
    """Whether an IP address is one of the open internet.

    Refused are private, loopback, link-local, shared, reserved and multicast networks (IANA's special-purpose
    registries), also when they are written inside an IPv6 address (mapped, 6to4, NAT64).
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = [one for one in (address.ipv4_mapped, address.sixtofour) if one is not None]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if inner:
            return all(_open(one) for one in inner)
    return _open(address)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _open(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def at_home(name: str) -> bool:
    """Whether a host is this machine or a private network, by its name or number alone."""
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(_PRIVATE_NAMES.fullmatch(name)) or bool(re.fullmatch(r"0x[0-9a-f]+|[0-9.]+", name))
    return not public(name)


def unwrapped(url: str) -> str:
    """The address behind a redirect that a program has put around it; empty when it is none.

    Google (results, documents, mail), Outlook's Safe Links, Proofpoint, Facebook, LinkedIn, Instagram.
    """
    name = host(url)
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError:
        return ""
    inner = ""
    if re.fullmatch(r"(?:www\.)?google\.[a-z.]{2,6}", name) and parts.path == "/url":
        inner = _first(query, "q", "url")
    elif name.endswith("safelinks.protection.outlook.com"):
        inner = _first(query, "url")
    elif (name in {"l.facebook.com", "lm.facebook.com", "l.instagram.com"}) and parts.path in {"/l.php", "/", ""}:
        inner = _first(query, "u")
    elif name.endswith("linkedin.com") and parts.path.startswith("/redir/"):
        inner = _first(query, "url")
    elif name == "urldefense.com" and (found := re.search(r"/v3/__(.+?)__;", url)) and "*" not in found[1]:
        inner = found[1]
    elif name == "urldefense.proofpoint.com" and "u" in query:
        inner = unquote(query["u"][0].replace("-", "%").replace("_", "/"))
    return inner if re.match(r"https?://[^\s/]+\.", inner) else ""


def _first(query: dict[str, list[str]], *names: str) -> str:
    return next((query[name][0] for name in names if name in query), "")
