"""A DKIM key as it stands in the zone (RFC 6376 3.6.1).

In: a domain, a selector, a resolver. Out: the key, or what is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.flows.doctor.zone import Resolver

_ED25519_BYTES = 32


@dataclass(frozen=True)
class Key:
    """A published key. `bits` is 0 when nothing can be made of it; `revoked`: `p=` is empty."""

    selector: str
    domain: str
    bits: int
    revoked: bool = False
    testing: bool = False
    elliptic: bool = False
    several: int = 0  # records at its name, when there is more than one
    other: str = ""  # the tag that makes it useless for our mail


def key(domain: str, selector: str, zone: Resolver) -> Key | None:
    """The key of a selector; None when none stands there. Raises: Unanswered."""
    found = [text for text in zone.ask(f"{selector}._domainkey.{domain}", "TXT") if "p=" in text.replace(" ", "")]
    if len(found) > 1:
        return Key(selector, domain, 0, several=len(found))
    return _read(domain, selector, found[0]) if found else None


def _read(domain: str, selector: str, text: str) -> Key:
    tags = {
        name.strip().lower(): "".join(value.split())
        for name, sign, value in (part.partition("=") for part in text.split(";"))
        if sign
    }
    elliptic = tags.get("k", "rsa").lower() == "ed25519"
    testing = "y" in tags.get("t", "").lower().split(":")
    material = tags.get("p", "")
    bits = _bits(material, elliptic=elliptic)
    return Key(selector, domain, bits, not material, testing, elliptic, other=_other(tags))


def _other(tags: Mapping[str, str]) -> str:
    """The tag that says it is no key for a mail signed with SHA-256 (RFC 6376 3.6.1, RFC 8301)."""
    if tags.get("v", "DKIM1") != "DKIM1":
        return f"v={tags['v']}"
    if tags.get("k", "rsa").lower() not in {"rsa", "ed25519"}:
        return f"k={tags['k']}"
    if "h" in tags and "sha256" not in tags["h"].lower().split(":"):
        return f"h={tags['h']}"
    if "s" in tags and not {"*", "email"} & set(tags["s"].lower().split(":")):
        return f"s={tags['s']}"
    return ""


def _bits(material: str, *, elliptic: bool) -> int:
    try:
        raw = base64.b64decode(material, validate=True)
        if elliptic and len(raw) == _ED25519_BYTES:  # RFC 8463 4: the bare key
            Ed25519PublicKey.from_public_bytes(raw)
            return 8 * _ED25519_BYTES
        found = load_der_public_key(raw)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return 0
    return found.key_size if isinstance(found, RSAPublicKey) else 0
