"""Where a request came from, as far as limits need it: who shares it is counted together."""

from __future__ import annotations

import ipaddress

_V6_PREFIX = 64
"""What one household is given: its devices choose the rest themselves (RFC 4291, 2.5.4)."""


def of(host: str) -> str:
    """The network of a client's address: an IPv4 address, or an IPv6 prefix of 64 bits.

    Empty for this machine and for what is no address: a proxy we were not told of hides everybody behind one, and
    they must not share a limit.
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback:
        return ""
    return str(found) if found.version == 4 else str(ipaddress.ip_network((int(found), _V6_PREFIX), strict=False))  # noqa: PLR2004
